"""Signs in what names and numbers the records: identifiers, versions, duplicates, how many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from plimsoll.assess.health.column import Column
from plimsoll.assess.health.signs import LEAST_RECORDS, sign
from plimsoll.model.health import Points, Sign

_HOLES: Final = 0.01  # share of the range of ids that is not there


def id_column(columns: Sequence[Column]) -> Column | None:
    """The field that names a record: of those that could, the one with the fewest values twice."""
    found = [column for column in columns if column.is_id and "[]" not in column.name]
    return max(found, key=lambda column: (len(column.counts), -column.name.count("."))) if found else None


def numbered(ids: Sequence[int], *, field: str) -> Iterator[Sign]:
    """Whether whole-number ids were given to this sample.

    Args:
        ids: in the order of the records.
        field: where they stand.
    """
    if len(ids) < LEAST_RECORDS:
        return
    different = sorted(set(ids))
    low, high = different[0], different[-1]
    holes = (high - low + 1) - len(different)
    share = holes / (high - low + 1)
    figure = f"{len(different):,} ids from {low:,} to {high:,}, {share:.1%} of the range not there"
    if holes == 0 and low in {0, 1}:
        said = f"The ids run from {low} to {high:,} without a hole: they were given to this sample."
        yield sign("ids", Points.PREPARED, figure, said, weight=2, field=field)
    elif holes == 0:
        said = "The ids have not one hole: nothing was deleted, rolled back, or belongs to somebody else."
        yield sign("ids", Points.PREPARED, figure, said, field=field)
    elif share >= _HOLES:
        said = "The ids have holes, as numbers have that others take from, too."
        yield sign("ids", Points.LIVE, figure, said, field=field)
    else:
        yield sign("ids", Points.NEITHER, figure, "The ids have few holes.", field=field)


def versions(shapes: Mapping[tuple[str, ...], int], records: int) -> Iterator[Sign]:
    """Whether the records have more than one set of fields.

    Args:
        shapes: names of the fields of a record, with how many records have just those. The order does not count.
        records: how many there are.
    """
    if records < LEAST_RECORDS:
        return
    sets: Counter[frozenset[str]] = Counter()
    for names, n in shapes.items():
        sets[frozenset(names)] += n
    figure = f"{len(sets):,} sets of fields, the commonest in {max(sets.values()) / records:.1%} of the records"
    if len(sets) > 1:
        yield sign("versions", Points.LIVE, figure, "Not all records have the same fields.")
    else:
        yield sign("versions", Points.NEITHER, figure, "All records have the same fields.")


def duplicates(hashes: Sequence[int], *, named: bool) -> Iterator[Sign]:
    """Records that are there twice, byte by byte.

    Args:
        hashes: of each record's bytes.
        named: whether an id is among the bytes; without one, equal records may be two cases that are alike.
    """
    if len(hashes) < LEAST_RECORDS:
        return
    again = len(hashes) - len(set(hashes))
    figure = f"{again:,} of {len(hashes):,} came before"
    if again and named:
        yield sign("duplicates", Points.LIVE, figure, "Some records were delivered twice, under the same id.")
    else:
        said = "No record is there twice." if not again else "Some records are equal; no id says whether they are one."
        yield sign("duplicates", Points.NEITHER, figure, said)


def round_count(records: int, *, cut_off: bool) -> Iterator[Sign]:
    """Whether somebody chose how many records there are.

    Args:
        records: how many there are.
        cut_off: whether we stopped reading, and chose the number.
    """
    if records < 100 or cut_off:
        return
    if records % 100 == 0:
        said = f"There are {records:,} records to the unit: somebody chose how many."
        yield sign("round-count", Points.PREPARED, f"{records:,} records", said)

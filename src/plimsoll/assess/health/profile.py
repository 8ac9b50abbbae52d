"""What there is to say of one source: its fields, its signs, its personal data, what a contract would quarantine."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from plimsoll.assess.health import signs_of_origin as origin
from plimsoll.assess.health import signs_of_time as time
from plimsoll.assess.health import signs_of_values as of_values
from plimsoll.assess.health.column import Column
from plimsoll.assess.health.reading import Read
from plimsoll.contract import Checker, Contract, compile_contract, infer_contract, read_contract
from plimsoll.errors import UsageError
from plimsoll.model.health import Fault, Field, Sign, SourceFound
from plimsoll.policy.personal import scan_text, text_of_number

MOST_SCANNED: Final = 4_000  # different values of a field that are looked through for personal data
_SHOWN_RULES: Final = 8


class Seen(msgspec.Struct, frozen=True):
    """A source with the columns that its profile rests on."""

    found: SourceFound
    columns: tuple[Column, ...]
    fresh: bool | None


def profile(read: Read, contract: Contract | None, *, now_s: float | None) -> Seen:
    """Everything that one source says of itself.

    Args:
        read: the source, read.
        contract: what documents it; None: one is inferred from its first records and held against the others.
        now_s: seconds since 1970; None: freshness is not judged.
    """
    table = read.table
    columns = tuple(Column(_harmless(n), values, by_text=read.typed_by_text) for n, values in table.columns.items())
    faults = (*read.faults, *faults_of_columns(columns))
    documented = _documented(contract)
    arrival = time.arrival_column(columns, table.records)
    known = [] if arrival is None or arrival.times is None else [m for m in arrival.times.moments if m is not None]
    checked, broken, by, name = _held_against(read, columns, contract)
    found = SourceFound(
        name=read.place.name,
        files=len(read.place.files),
        bytes=read.bytes,
        digest=read.digest,
        form=read.told.form.value,
        records=table.records,
        cut_off=read.cut_off,
        faults=faults,
        fields=tuple(_field(column, documented) for column in columns),
        signs=signs_of(read, columns, now_s=now_s),
        from_time=_text(min(known)) if known else "",
        to_time=_text(max(known)) if known else "",
        checked=checked,
        broken=broken,
        broken_by=by,
        contract=name,
    )
    fresh = None if now_s is None else time.is_fresh(columns, table.records, now_s)
    return Seen(found, columns, fresh)


def signs_of(read: Read, columns: Sequence[Column], *, now_s: float | None) -> tuple[Sign, ...]:
    """All signs of one source, the heaviest first; none where there is no record."""
    table, n = read.table, read.table.records
    if not n:
        return ()
    ids = origin.id_column(columns)
    whole = [v for v in ids.values if type(v) is int] if ids is not None else []
    measures = [c for c in columns if c.is_measure]
    counted = [c for c in measures if c.kind == "integer"]
    found: list[Sign] = [
        *time.signs_of_time(columns, n, now_s=now_s, ids=ids, hashes=table.hashes),
        *(origin.numbered(whole, field=ids.name) if ids is not None and whole else ()),
        *(() if read.typed_by_text else origin.versions(table.shapes, n)),
        *origin.duplicates(table.hashes, named=ids is not None),
        *origin.round_count(n, cut_off=read.cut_off),
        *of_values.missing_values(sum(c.missing for c in columns), n * len(columns), fields=len(columns)),
        *of_values.errors(sum(f.count for f in read.faults if f.lost), [c.name for c in columns if is_mixed(c)], n),
        *of_values.encodings(columns),
        *of_values.balance({c.name: c.counts for c in columns if _is_choice(c)}, n),
        *(
            s
            for c in counted
            for s in of_values.last_digits([int(x) for x in c.numbers], field=c.name, fields=len(counted))
        ),
        *of_values.computed(columns),
        *(s for c in measures for s in of_values.even_spread(c.numbers, field=c.name)),
        *(s for c in columns if c.is_prose for s in of_values.text_lengths(c.lengths, field=c.name)),
        *of_values.placeholders(columns, n),
    ]
    return tuple(sorted(found, key=lambda s: (-s.weight, s.name)))


def is_mixed(column: Column) -> bool:
    """Whether values of one field are of kinds that do not go together."""
    return column.kind == "" and bool(column.kinds)


def faults_of_columns(columns: Sequence[Column]) -> tuple[Fault, ...]:
    """What is odd about values, though their records could be read."""
    found: list[Fault] = []

    def note(code: str, said: str, count: int, column: Column) -> None:
        if count:
            found.append(Fault(code=code, said=said, count=count, where=(column.name,), lost=False))

    for c in columns:
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in c.kinds.most_common())
        note("health.mixed", f"values of several kinds: {kinds}", c.given if is_mixed(c) else 0, c)
        note("health.beyond-double", "whole numbers beyond 2^53, which many readers change", c.beyond_double, c)
        if c.kind == "string" and c.times is None:
            note("health.leading-zeros", "digits with a zero in front, kept as text", c.leading_zeros, c)
            note("health.decimal-comma", "numbers with a decimal comma, kept as text", c.decimal_commas, c)
        note("health.mark", "a mark in place of a value (NA, -, null…), counted as missing", c.marked, c)
        if c.times is not None:
            ways = "; ".join(f"{way} {n:,}" for way, n in c.times.written.items())
            note(
                "health.dates", f"times written in several ways: {ways}", c.given if len(c.times.written) > 1 else 0, c
            )
            unclear = sum(n for way, n in c.times.written.items() if "cannot be told" in way)
            note("health.dates-unclear", "times of which day and month cannot be told apart; not used", unclear, c)
            note("health.no-such-day", "times that name no day or hour that there is", c.times.impossible, c)
    return tuple(found)


def _is_choice(column: Column) -> bool:
    return column.kind in {"string", "boolean", "integer"} and column.times is None and 2 <= len(column.counts) <= 20


# -- fields


def _field(column: Column, documented: Mapping[str, bool]) -> Field:
    personal, looked = personal_data(column)
    low = high = ""
    numbers = column.numbers if column.kind in {"integer", "number"} and not personal and not column.is_id else []
    if numbers:
        low, high = f"{min(numbers):g}", f"{max(numbers):g}"
    times = column.times
    known = [m for m in times.moments if m is not None] if times is not None else []
    if known and not personal:
        low, high = _text(min(known)), _text(max(known))
    path = column.name.replace("[]", "")
    return Field(
        name=column.name,
        kinds=dict(column.kinds),
        given=column.given,
        missing=column.missing,
        marked=column.marked,
        distinct=len(column.counts),
        low=low,
        high=high,
        written=times.written if times is not None else {},
        personal=personal,
        personal_of=looked,
        documented=path in documented,
        classified=documented.get(path, False),
    )


def personal_data(column: Column) -> tuple[dict[str, int], int]:
    """Kinds of personal data in a field with how many of its different values hold one, and how many were looked at.

    Of many values as many as `MOST_SCANNED` are looked at, spread evenly.
    """
    if column.times is not None or column.kind == "boolean":
        return {}, 0
    values = [*column.counts]
    some = values[:: -(-len(values) // MOST_SCANNED)] if values else []
    name = column.name.rpartition(".")[2]
    found: Counter[str] = Counter()
    for value in some:
        text = value if type(value) is str else text_of_number(value)
        if text is not None:
            found.update({span.kind.value for span in scan_text(text[:10_000], name)})
    return dict(found), len(some)


def _documented(contract: Contract | None) -> dict[str, bool]:
    """Every field that the contract names, and whether it says how closely it is to be kept."""
    found: dict[str, bool] = {}
    if contract is None or contract.record is None:
        return found
    stack = [("", contract.record, False)]
    while stack:
        before, field, classified = stack.pop()
        for inner in field.fields:
            path = f"{before}{inner.name}"
            found[path] = classified or bool(inner.classification)
            stack.append((f"{path}.", inner, found[path]))
        if field.items is not None:
            stack.append((before, field.items, classified))
    return found


# -- contracts


def _held_against(
    read: Read, columns: Sequence[Column], contract: Contract | None
) -> tuple[int, int, tuple[tuple[str, int], ...], str]:
    """Records held against a contract: how many, how many it would quarantine, by which rules, and which contract."""
    kept, later = read.table.kept, read.table.later
    checker: Checker | None
    if contract is not None:
        checker, records, name = compile_contract(contract), [*kept, *later], contract.label
        if read.typed_by_text:
            records = _typed(records, columns)
    else:
        half = kept if later else kept[: len(kept) // 2]
        rest = later or kept[len(kept) // 2 :]
        if read.typed_by_text:
            half, rest = _typed(half, columns), _typed(rest, columns)
        checker, records, name = _inferred(half), rest, f"inferred from the first {len(half):,} records"
    if checker is None or not records:
        return 0, 0, (), ""
    by: Counter[str] = Counter()
    broken = 0
    for record in records:
        reasons = checker.check(record).reasons
        broken += bool(reasons)
        by.update({f"{_harmless_path(reason.path)}: {reason.rule}" for reason in reasons})
        if broken >= 2_000 and broken * 2 > len(records):  # each costs a search for its reasons
            break
    return len(records), broken, tuple(by.most_common(_SHOWN_RULES)), name


def _inferred(records: Sequence[Mapping[str, Any]]) -> Checker | None:
    if len(records) < 20:
        return None
    try:
        text = infer_contract(records, name="records")
    except UsageError:  # a value that no contract can describe, such as half a character
        return None
    return compile_contract(read_contract(text, "inferred"))


def _typed(records: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> list[Mapping[str, Any]]:
    """Records of a CSV: numbers in the columns in which every value is one, and no field where the cell is empty."""
    numbers = {c.name for c in columns if c.kind in {"integer", "number"}}
    return [{k: _number(v) if k in numbers else v for k, v in record.items() if v is not None} for record in records]


def _number(text: str) -> Any:
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:  # a mark in place of a number
        return None


def _harmless(name: str) -> str:
    """A field's name as it may be shown: one that is personal itself, as a key of a map can be, is a star."""
    return "*" if scan_text(name) else name


def _harmless_path(path: str) -> str:
    """A JSON Pointer with every step as it may be shown."""
    return "/".join(_harmless(step) for step in path.split("/")) or "/"


def _text(moment_s: float) -> str:
    return f"{dt.datetime.fromtimestamp(moment_s, dt.UTC):%Y-%m-%d %H:%M}"

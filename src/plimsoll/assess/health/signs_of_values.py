"""Signs in the values: what is missing or broken, and what is too even, too balanced or too exact."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from plimsoll.assess.health.column import Column
from plimsoll.assess.health.signs import LEAST_RECORDS, P_ODD, sign
from plimsoll.model.health import Points, Sign
from plimsoll.stats import clopper_pearson_upper, evenness_tails

_BALANCED_OF: Final = range(2, 21)  # different values of a field that can be balanced
_EACH: Final = 20  # the least of each of them
_TOO_COMPLETE_FROM: Final = 1_000  # values, of which none is missing
_LOOKED_AT: Final = 5_000  # different texts of a field in which examples are looked for, spread evenly
_LONG: Final = 12  # significant decimals that nobody writes
_GARBLED: Final = re.compile(r"Ã[\x80-\xbf¤¶¼Ÿ©¨ª§¡³±]|â€[™œ\x9d“”]|\ufffd")
_EXAMPLES: Final = re.compile(
    r"@example\.(?:com|org|net)|\blorem ipsum\b|\b(?:john|jane) (?:doe|smith)\b|\bmax mustermann\b|\bfoo ?bar\b"
    r"|^(?:test|testing|test ?\d+|dummy|sample|asdf|xxx+|foo|bar|string|todo|tbd|example)$|\b555-01\d\d\b|\.example\b",
    re.IGNORECASE,
)


def missing_values(missing: int, cells: int, *, fields: int) -> Iterator[Sign]:
    """Whether anything is missing at all.

    Args:
        missing: values that are not there.
        cells: records times fields.
        fields: how many there are.
    """
    if cells < _TOO_COMPLETE_FROM or fields < 3:
        return
    figure = f"{missing:,} of {cells:,} values"
    if missing:
        yield sign("missing-values", Points.LIVE, figure, f"{missing / cells:.2%} of the values are missing.")
    else:
        bound = clopper_pearson_upper(0, cells)
        said = f"Not one of {cells:,} values is missing (so fewer than {bound:.2%} would be): too complete."
        yield sign("missing-values", Points.PREPARED, figure, said)


def errors(broken: int, mixed: Sequence[str], records: int) -> Iterator[Sign]:
    """Whether anything is broken at all.

    Args:
        broken: records that could not be read.
        mixed: fields with values of several kinds.
        records: how many could be read.
    """
    total = broken + records
    if total < LEAST_RECORDS:
        return
    figure = f"{broken:,} of {total:,} records; {len(mixed):,} fields of several kinds"
    if broken or mixed:
        yield sign("errors", Points.LIVE, figure, "Some records cannot be read, or hold values of another kind.")
    else:
        bound = clopper_pearson_upper(0, total)
        said = f"Nothing is broken; with {total:,} records fewer than {bound:.2%} would be."
        yield sign("errors", Points.NEITHER, figure, said)


def encodings(columns: Sequence[Column]) -> Iterator[Sign]:
    """Whether texts were decoded wrongly on their way.

    Args:
        columns: of one source.
    """
    texts = garbled = 0
    for column in columns:
        if column.kind == "string" and column.times is None:
            texts += column.given
            garbled += sum(n for text, n in column.counts.items() if not text.isascii() and _GARBLED.search(text))
    if texts < LEAST_RECORDS:
        return
    figure = f"{garbled:,} of {texts:,} texts"
    if garbled:
        yield sign("encodings", Points.LIVE, figure, "Some texts went through a wrong encoding.")


def balance(counts: Mapping[str, Mapping[object, int]], records: int) -> Iterator[Sign]:
    """Whether the values of a field are spread more evenly than chance would spread them.

    Args:
        counts: of each field with few values, how often each is there.
        records: how many there are.
    """
    looked = {name: [*n.values()] for name, n in counts.items() if len(n) in _BALANCED_OF and min(n.values()) >= _EACH}
    for name, each in looked.items():
        if sum(each) < 0.5 * records:
            continue
        even, _ = evenness_tails(each)
        figure = f"{min(each):,} to {max(each):,} of each of {len(each)}"
        if min(each) == max(each):
            said = f"Each of the {len(each)} values is there {each[0]:,} times, to the unit."
            yield sign("balance", Points.PREPARED, figure, said, weight=2, field=name)
        elif even < P_ODD / len(looked):
            said = f"The {len(each)} values are spread more evenly than chance would spread them (p = {even:.1g})."
            yield sign("balance", Points.PREPARED, figure, said, field=name)


def last_digits(numbers: Sequence[int], *, field: str, fields: int) -> Iterator[Sign]:
    """The last digits of whole numbers of three figures and more.

    Args:
        numbers: of one field.
        field: its name.
        fields: how many are looked at; the more, the odder one has to be.
    """
    some = [n for n in numbers if abs(n) >= 100]
    if len(some) < 500 or len(set(some)) < 100:
        return
    counts = Counter(abs(n) % 10 for n in some)
    _, uneven = evenness_tails([counts.get(digit, 0) for digit in range(10)])
    heaped = (counts[0] + counts[5]) / len(some)
    figure = f"{heaped:.1%} of {len(some):,} end in 0 or 5, where one in five would"
    if uneven >= P_ODD / fields:
        return
    if heaped > 0.25:
        said = "People round to 0 and 5, and somebody wrote these down."
        yield sign("last-digits", Points.LIVE, figure, said, field=field)
    elif heaped < 0.17:
        said = "0 and 5 are avoided at the end, as people do who invent numbers."
        yield sign("last-digits", Points.PREPARED, figure, said, field=field)


def computed(columns: Sequence[Column]) -> Iterator[Sign]:
    """Whether the numbers are results of a computation.

    Args:
        columns: of one source; fields with numbers that say how much are looked at.
    """
    measures = [c for c in columns if c.is_measure and c.kind == "number" and c.given >= LEAST_RECORDS]
    if len(measures) < 2:
        return
    long = [c.name for c in measures if _long_share(c.numbers) >= 0.9]
    centred = [c.name for c in measures if _is_centred(c.numbers)]
    figure = f"{len(long)} of {len(measures)} number fields with {_LONG} decimals and more; {len(centred)} centred on 0"
    if len(centred) * 2 > len(measures):
        said = "Most numbers are centred on 0: they were scaled for a model."
        yield sign("computed", Points.PREPARED, figure, said, weight=2)
    elif len(long) * 2 > len(measures):
        said = "Most numbers have more decimals than anything measures: they were computed."
        yield sign("computed", Points.PREPARED, figure, said)


def even_spread(numbers: Sequence[float], *, field: str) -> Iterator[Sign]:
    """Whether numbers are spread evenly between their least and their greatest.

    Args:
        numbers: of one field.
        field: its name.
    """
    n = len(numbers)
    if n < 200 or len(set(numbers)) < 50:
        return
    ordered = sorted(numbers)
    low, high = ordered[0], ordered[-1]
    different = len(set(ordered))
    # Of whole numbers each stands for the room up to the next; else few values could never be even.
    room = (high - low) / (different - 1) if all(float(x).is_integer() for x in (low, high)) else 0.0
    furthest = 0.0
    for at, x in enumerate(ordered, 1):
        if at < n and ordered[at] == x:
            continue
        furthest = max(furthest, abs(at / n - (x - low + room) / (high - low + room)))
    limit = math.sqrt(math.log(2 / 0.1) / (2 * n))  # Massart: an even spread stays within it in 9 of 10 cases
    if furthest <= limit:
        figure = f"{furthest:.3f} from even, of {n:,} values; chance goes up to {limit:.3f}"
        said = f"The values are spread evenly from {low:g} to {high:g}, as a generator spreads them."
        yield sign("even-spread", Points.PREPARED, figure, said, field=field)


def text_lengths(lengths: Sequence[int], *, field: str) -> Iterator[Sign]:
    """How much the lengths of texts that people write differ.

    Args:
        lengths: characters of each text of one field.
        field: its name.
    """
    if len(lengths) < LEAST_RECORDS:
        return
    mean = sum(lengths) / len(lengths)
    spread = math.sqrt(sum((n - mean) ** 2 for n in lengths) / len(lengths))
    ratio = spread / mean if mean else 0.0
    figure = f"{mean:,.0f} ± {spread:,.0f} characters in {len(lengths):,} texts"
    if ratio < 0.15:
        said = "All texts are about as long: they were written to a template."
        yield sign("text-lengths", Points.PREPARED, figure, said, field=field)
    elif ratio >= 0.5:
        yield sign("text-lengths", Points.LIVE, figure, "Texts are short and long, as people write them.", field=field)


def placeholders(columns: Sequence[Column], records: int) -> Iterator[Sign]:
    """How many values are made for examples.

    Args:
        columns: of one source.
        records: how many there are.
    """
    worst: tuple[float, int, int, str] = (0.0, 0, 0, "")
    for column in columns:
        if column.kind == "string" and column.times is None and records >= LEAST_RECORDS:
            texts = [*column.counts.items()]
            some = texts[:: -(-len(texts) // _LOOKED_AT)]
            looked = sum(n for _, n in some)
            found = sum(n for text, n in some if _EXAMPLES.search(text[:200]))
            worst = max(worst, (found / looked * column.given / records, found, looked, column.name))
    share, found, looked, field = worst
    if share < 0.005:
        return
    figure = f"{found:,} of {looked:,} texts looked at"
    said = f"{share:.1%} of the records hold a name or an address that is made for examples."
    weight = 2 if share >= 0.05 else 1
    yield sign("placeholders", Points.PREPARED, figure, said, weight=weight, field=field)


def _long_share(numbers: Sequence[float]) -> float:
    some = numbers[:2_000]
    return sum(len(repr(x).partition("e")[0].lstrip("-0.").replace(".", "")) >= _LONG for x in some) / len(some)


def _is_centred(numbers: Sequence[float]) -> bool:
    mean = math.fsum(numbers) / len(numbers)
    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in numbers) / len(numbers))
    return spread > 0 and abs(mean) < 1e-6 * spread

"""How far a sample is from live records, field by field, each distance with its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from plimsoll.assess.health.column import Column
from plimsoll.assess.health.moments import Times
from plimsoll.model.health import Apart, Difference
from plimsoll.stats import Distance, kolmogorov_distance, share_difference, total_variation

DIFFERENT: Final = 0.1  # a distance that is surely larger is a difference
ALIKE: Final = 0.2  # one that is surely smaller is none
CONFIDENCE: Final = 0.95  # with which all intervals hold together
_MOST: Final = 20_000  # values of each side; more change the third figure
_FEW: Final = 50  # different values up to which a text is one of a list
_LEAST: Final = 20  # values of either side that are compared


def compare(sample: Sequence[Column], live: Sequence[Column]) -> tuple[Difference, ...]:
    """The distance of each field, the surest difference first.

    Identifiers are left out, as they differ always; of times the hour of the day is compared. Every interval holds
    together with all others (Bonferroni): the more fields, the wider they are.

    Args:
        sample: what a project is to be planned on.
        live: what the running system sends.
    """
    ours, theirs = {c.name: c for c in sample}, {c.name: c for c in live}
    names = [*ours, *(name for name in theirs if name not in ours)]
    rounds = 2 * len(names) or 1  # at most two distances a field
    confidence = 1 - (1 - CONFIDENCE) / rounds
    found = [d for name in names for d in _of_field(name, ours.get(name), theirs.get(name), sample, live, confidence)]
    order = {Apart.DIFFERENT: 0, Apart.UNCLEAR: 1, Apart.ALIKE: 2}
    return tuple(sorted(found, key=lambda d: (order[d.apart], -d.lower, -d.seen)))


def _of_field(
    name: str,
    ours: Column | None,
    theirs: Column | None,
    sample: Sequence[Column],
    live: Sequence[Column],
    confidence: float,
) -> Iterator[Difference]:
    total, other = _records(sample), _records(live)
    if not total or not other:
        return
    missing = total if ours is None else ours.missing
    other_missing = other if theirs is None else theirs.missing
    apart = share_difference(missing, total, other_missing, other, confidence)
    yield _difference(name, "missing", "Clopper-Pearson", apart)
    if ours is None or theirs is None or min(ours.given, theirs.given) < _LEAST or ours.is_id or theirs.is_id:
        return
    if ours.times is not None and theirs.times is not None:
        hours, others = _hours(ours.times), _hours(theirs.times)
        if len(hours) > 1 and len(others) > 1:
            yield _difference(name, "hours of the day", "total variation", total_variation(hours, others, confidence))
    elif ours.kind in {"integer", "number"} and theirs.kind in {"integer", "number"}:
        both = [_some(c.numbers) for c in (ours, theirs)]
        yield _difference(name, "values", "Kolmogorov", kolmogorov_distance(both[0], both[1], confidence))
    elif ours.kind != theirs.kind:
        kinds = total_variation(ours.kinds, theirs.kinds, confidence)
        yield _difference(name, "kinds", "total variation", kinds)
    elif ours.kind in {"string", "boolean"}:
        if len({*ours.counts, *theirs.counts}) <= _FEW:
            texts, other_texts = _words(ours), _words(theirs)
            yield _difference(name, "values", "total variation", total_variation(texts, other_texts, confidence))
        elif ours.kind == "string":
            both = [_some([float(n) for n in c.lengths]) for c in (ours, theirs)]
            yield _difference(name, "lengths", "Kolmogorov", kolmogorov_distance(both[0], both[1], confidence))


def _difference(name: str, of: str, method: str, d: Distance) -> Difference:
    apart = Apart.DIFFERENT if d.lower > DIFFERENT else Apart.ALIKE if d.upper <= ALIKE else Apart.UNCLEAR
    return Difference(field=name, of=of, method=method, seen=d.seen, lower=d.lower, upper=d.upper, apart=apart)


def _hours(times: Times) -> Counter[str]:
    return Counter(f"{int(m // 3600) % 24:02d}" for m in times.moments if m is not None)


def _words(column: Column) -> Counter[str]:
    return Counter({str(value): n for value, n in column.counts.items()})


def _records(columns: Sequence[Column]) -> int:
    return max((len(c.raw) for c in columns), default=0)


def _some(numbers: Sequence[float]) -> Sequence[float]:
    return numbers if len(numbers) <= _MOST else numbers[:: -(-len(numbers) // _MOST)]

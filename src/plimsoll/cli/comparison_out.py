"""Printing a comparison of two targets."""

from __future__ import annotations

from collections.abc import Iterator

from plimsoll.assess.comparison import Comparison, Side


def comparison_text(found: Comparison) -> str:
    """Both sides as a table, then where they differ and what it shows."""
    return "\n".join((*_sides(found), "", *_difference(found)))


def _sides(found: Comparison) -> Iterator[str]:
    first, second = found.first, found.second
    yield f"A  {first.name}"
    yield f"B  {second.name}"
    yield ""
    rows = [("", "A", "B"), ("right", _right(first), _right(second))]
    rows += [
        (label, str(getattr(first, key)), str(getattr(second, key)))
        for label, key in (("answered", "answered"), ("held for a person", "held"), ("failed", "failed"))
    ]
    rows.append(("time, median", _ms(first), _ms(second)))
    rows += [
        (name.replace("_", " "), _count(first, name), _count(second, name))
        for name in sorted({*first.usage, *second.usage})
    ]
    if first.priced or second.priced:
        rows.append(("cost a decision", _cost(first), _cost(second)))
    wide = [max(len(row[at]) for row in rows) for at in range(3)]
    for row in rows:
        yield f"{row[0]:<{wide[0]}}   {row[1]:>{wide[1]}}   {row[2]:>{wide[2]}}".rstrip()


def _difference(found: Comparison) -> Iterator[str]:
    yield (
        f"Both right {found.both:,}, only A {found.first_only:,}, only B {found.second_only:,}, "
        f"neither {found.neither:,}."
    )
    if found.lower is not None and found.upper is not None:
        yield (
            f"Of the cases on which they differ, B is right on {_percent(found.lower)} to {_percent(found.upper)} "
            f"(Clopper-Pearson, {found.confidence:.0%}); McNemar's exact test: p = {found.p_value:.3g}."
        )
        more = " …" if found.first_only + found.second_only > len(found.differing) else ""
        yield f"They differ on: {', '.join(found.differing)}{more}"
    yield found.finding


def _right(side: Side) -> str:
    return f"{side.right:,} of {side.n:,}, {side.right / side.n:.1%} ({_percent(side.lower)} to {_percent(side.upper)})"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _ms(side: Side) -> str:
    return "never asked" if side.median_ms is None else f"{side.median_ms:,.1f} ms"


def _count(side: Side, name: str) -> str:
    return f"{side.usage[name]:,.1f}" if name in side.usage else "none"


def _cost(side: Side) -> str:
    if side.cost is None:
        return "not known"
    return f"{side.cost:.6g}" + ("" if side.priced == side.n else f" ({side.priced:,} priced)")

"""A rollback drill as text."""

from __future__ import annotations

from collections.abc import Iterator

from plimsoll.model.details import DrillDetail


def drill_text(detail: DrillDetail) -> str:
    """One line for each rollback, and below it what kept it from counting."""
    return "\n".join(_lines(detail))


def _lines(detail: DrillDetail) -> Iterator[str]:
    to = detail.back or "people: no release was live before"
    yield f"Gone back to {to}, in {detail.processes} processes on {detail.store}, at {detail.rate_per_s:g} calls/s."
    for number, each in enumerate(detail.rounds, 1):
        took = f"not within {each.waited_s:.1f} s" if each.seconds is None else f"{each.seconds * 1000:,.0f} ms"
        yield (
            f"  {number}  {'failed' if each.why else 'passed'}  in force everywhere: {took}; "
            f"{each.failed} of {each.calls} calls failed because of it, {each.in_flight} ended on the release they "
            f"began with; {each.compared - each.differing} of {each.compared} answers as before"
        )
        yield from (f"       {why}" for why in each.why)

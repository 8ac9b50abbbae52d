"""Sources that were cut, and consumers that were tried, as the rows of a report."""

from __future__ import annotations

from typing import Any

from plimsoll.gate.figures import duration_text
from plimsoll.model.details import ConsumerDetail, CutDetail


def cut_row(cut: CutDetail) -> dict[str, Any]:
    """One fallback: how many decisions were as declared, how soon its source was back, and what was found."""
    rounds = cut.rounds
    times = [r.recovery_s for r in rounds if r.recovery_s is not None]
    why = tuple(dict.fromkeys(text for r in rounds for text in r.why))
    asked = sum(len(r.decisions) for r in rounds)
    return {
        "cut": cut,
        "value": rounds[-1].value if rounds else "",
        "as_declared": f"{sum(r.as_declared for r in rounds)} of {asked}" if rounds else "–",
        "recovery": duration_text(max(times)) if rounds and len(times) == len(rounds) else "–",
        "said": f"not measured: {cut.not_exercised}"
        if cut.not_exercised
        else "; ".join(why) or "it took over and let go",
    }


def consumer_row(consumer: ConsumerDetail) -> dict[str, Any]:
    """One consumer: the slowest answer, what it bears, and what was found."""
    left = tuple(f"not measured: {text}" for text in consumer.not_measured)
    return {
        "consumer": consumer,
        "worst": "–" if consumer.worst_s is None else duration_text(consumer.worst_s),
        "bears": duration_text(consumer.latency_s),
        "said": "; ".join((*consumer.why, *left)) or "it is served",
    }

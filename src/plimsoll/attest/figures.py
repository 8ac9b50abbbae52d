"""Whether the figures of an attestation bear out its verdict; neither a word nor a date alone is believed."""

from __future__ import annotations

import math

from plimsoll.attest.moments import NS
from plimsoll.attest.statements import BASE_UNIT, decimal
from plimsoll.attest.wire import failed, read_moment
from plimsoll.model.attestation import Judged, LoadLine
from plimsoll.model.board import Standing
from plimsoll.model.evidence import DECLARED_MOST_S
from plimsoll.model.threshold import Condition, Threshold


def check_conditions(line: LoadLine, threshold: Threshold) -> None:
    """Return when every condition of the signed threshold is there, and each is met by its own figures.

    Raises:
        VerificationFailed: one is missing, added, changed, not met, without a figure or evidence, contradicted, or
            measured in shorter load windows than were signed.
    """
    asked = _asked(line, threshold)
    signed = [str(c) for c in asked]
    judged = [c.condition for c in line.conditions]
    if sorted(signed) != sorted(judged):
        missing = sorted(set(signed) - set(judged)) or sorted(set(judged) - set(signed)) or signed
        raise failed(
            "conditions", f"the conditions judged are not those that were signed; they differ in: {missing[0]}"
        )
    by_text = {str(c): c for c in asked}
    for judgement in line.conditions:
        condition = by_text[judgement.condition]
        _check_met(judgement, condition)
        if condition.entry.in_windows:
            _check_window(judgement, threshold)


def _asked(line: LoadLine, threshold: Threshold) -> tuple[Condition, ...]:
    """The conditions that must be shown: those signed, or the stricter ones of an earlier line that still count.

    What an attestation names as earlier can only add to what was signed: a signed condition is left out only where one
    that is shown in its place is at least as strict.
    """
    try:
        earlier = tuple(Condition.parse(text) for text in line.earlier)
    except ValueError as error:
        raise failed("conditions", f"a condition of an earlier line cannot be read: {error}") from error
    kept = (c for c in threshold.conditions if not any(e.implies(c) for e in earlier))
    return (*kept, *earlier)


def check_freshness(line: LoadLine, threshold: Threshold, valid_until_ns: int) -> None:
    """Return when the validity follows from the age of the evidence, and from what it rests on.

    Raises:
        VerificationFailed: it is claimed for longer than the oldest evidence is fresh.
    """
    for judged in line.conditions:
        most_s = min(threshold.max_age.base, DECLARED_MOST_S) if judged.declared else threshold.max_age.base
        max_age_ns = int(most_s * NS)
        measured_ns = read_moment(judged.measured_at, f"the age of {judged.condition}")
        if valid_until_ns > measured_ns + max_age_ns + NS:  # moments are written in whole seconds
            raise failed(
                "conditions",
                f"the attestation claims to be valid for longer than the evidence of {judged.condition}, measured at "
                f"{judged.measured_at}",
            )


def _check_met(judged: Judged, condition: Condition) -> None:
    """Whether one verdict follows from its own figures; a word alone is not believed."""
    if judged.standing != Standing.MET:
        raise failed("conditions", f"{judged.condition} is {judged.standing}, under a verdict of PASSED")
    limit = condition.limit.base
    if judged.limit != decimal(limit) or judged.unit != BASE_UNIT[condition.limit.kind]:
        raise failed("conditions", f"{judged.condition} was judged against another limit than the signed one")
    figures = [text for text in (judged.estimate, judged.bound) if text is not None]
    if not figures or not judged.evidence:
        raise failed("conditions", f"{judged.condition} is called met and rests on nothing")
    for text in figures:
        if not condition.op.holds(_figure(text, judged.condition), limit):
            raise failed("conditions", f"{judged.condition} is called met, and its figure {text} is on the wrong side")


def _check_window(judged: Judged, threshold: Threshold) -> None:
    """Whether the load windows under a figure lasted as long as the setter signed."""
    lasted = _figure(judged.window or "0", judged.condition)
    if lasted < threshold.load_window.base * (1 - 1e-9):  # as the gate compares them
        raise failed(
            "conditions",
            f"{judged.condition} was measured in load windows of {lasted:g} s; {threshold.load_window} was signed",
        )


def _figure(text: str, condition: str) -> float:
    try:
        figure = float(text)
    except ValueError as error:
        raise failed("conditions", f"the figure of {condition} is not a number") from error
    if not math.isfinite(figure):
        raise failed("conditions", f"the figure of {condition} is not finite")
    return figure

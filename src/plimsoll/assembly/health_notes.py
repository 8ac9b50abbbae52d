"""What every board says of the health check that was made, or not made, before the commitment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from plimsoll.assembly.signing import SIGNED
from plimsoll.assess.run import body_of
from plimsoll.errors import VerificationFailed
from plimsoll.ledger import Entry, Ledger
from plimsoll.model.health import HealthRecorded

CHECKED: Final = "health.checked"  # kind of the entry; its body is `HealthRecorded`
_SHOWN: Final = 3  # reasons that a board repeats


def health_notes(ledger: Ledger, system: str) -> Iterator[str]:
    """What a board says of the health check, whatever its conditions say.

    It tells of the last one before the commitment, and of the last one after it. The commitment is the first signature
    under a threshold: until then nobody has asked for anything to be built.

    Args:
        ledger: where checks and signatures are recorded.
        system: its name in the manifest.
    """
    checks = list(ledger.find(CHECKED, system=system, oldest_first=True))
    committed = next(iter(ledger.find(SIGNED, system=system, oldest_first=True)), None)
    if not checks:
        yield "health check: none was made"
        return
    before = [e for e in checks if committed is None or e.time_ns < committed.time_ns]
    after = checks[len(before) :]
    if before:
        yield _note(ledger, before[-1], "" if committed is None else ", before the threshold was first signed")
    else:
        yield "health check: none was made before the threshold was first signed"
    if after:
        yield _note(ledger, after[-1], ", after the threshold was first signed")
    if len(checks) > 1:
        no = sum(not outcome.go for e in checks if (outcome := _outcome(ledger, e)) is not None)
        yield f"health check: {len(checks)} were made, {no} of them a no-go"


def _note(ledger: Ledger, entry: Entry, when: str) -> str:
    made = f"{dt.datetime.fromtimestamp(entry.time_ns / 1e9, dt.UTC):%Y-%m-%d}{when}"
    outcome = _outcome(ledger, entry)
    if outcome is None:
        return f"health check of {made}: its entry cannot be read"
    play = ", as a demonstration" if outcome.demonstration else ""
    if outcome.go:
        return f"health check of {made}{play}: go"
    shown = "; ".join(outcome.because[:_SHOWN])
    more = f"; and {len(outcome.because) - _SHOWN} more" if len(outcome.because) > _SHOWN else ""
    return f"health check of {made}{play}: no-go because {shown}{more}"


def _outcome(ledger: Ledger, entry: Entry) -> HealthRecorded | None:
    try:
        return body_of(ledger, entry, HealthRecorded)
    except VerificationFailed:
        return None

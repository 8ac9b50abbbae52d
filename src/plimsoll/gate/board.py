"""The verdict on a release, made of the verdicts on its conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from plimsoll.errors import NoEvidence, NotReady
from plimsoll.model.board import Board, Outcome, Row, Standing
from plimsoll.model.evidence import Provenance
from plimsoll.model.metrics import METRICS
from plimsoll.model.threshold import Threshold

_EXIT: Final = {Outcome.READY: 0, Outcome.NOT_READY: NotReady.exit_code, Outcome.CANNOT_SAY: NoEvidence.exit_code}


def make_board(
    *,
    system: str,
    release: str,
    threshold: Threshold,
    people: str,
    rows: Sequence[Row],
    time_ns: int,
    owners: Mapping[str, str] | None = None,
    signed: str = "",
    pinned: bool = False,
    simulated: Sequence[str] = (),
    unfinished: Sequence[str] = (),
    notes: Sequence[str] = (),
    price: Sequence[str] = (),
    warnings: Sequence[str] = (),
    in_force: Threshold | None = None,
) -> Board:
    """Put the board together.

    Args:
        system: its name in the manifest.
        release: digest.
        threshold: the one that the manifest holds.
        people: digest of who is named.
        rows: what `verdict.judge` gave, all of it.
        time_ns: UTC nanoseconds since the epoch.
        owners: contacts by assessment ("evaluation") or by dimension ("technical"); the assessment goes first. Each
            row that leaves something to do gets its owner from here.
        signed: ledger entry of the setter's signature over this very threshold; empty: nobody has signed it.
        pinned: whether that signature is by a key that trust.yaml pins for the setter.
        simulated: what apart from the evidence is simulated (a key made on the spot, a scripted setter); one plain
            sentence each.
        unfinished: assessments that were started on this release and never ended.
        notes: exceptions, loosened conditions and the like; one plain sentence each.
        price: what it costs to be above the line; one plain sentence each.
        warnings: what nobody may overlook; one plain sentence each.
        in_force: what the rows were judged by, where that is stricter than the threshold; None: the threshold.

    Returns:
        A board. It is a draft unless signed with a pinned key, and a demonstration if anything on it is simulated.

    Raises:
        ValueError: the rows are not those of the threshold; a verdict with a condition left out is none.
    """
    held = {str(condition) for condition in threshold.conditions}
    asked = [str(condition) for condition in (in_force or threshold).conditions]
    if [row.condition for row in rows] != asked:
        raise ValueError(f"the rows of a board are the {len(asked)} conditions of its threshold, in their order")
    if not simulated and any(row.provenance == Provenance.SIMULATED.value for row in rows):
        simulated = ("evidence that it rests on is simulated",)
    return Board(
        system=system,
        release=release,
        threshold=threshold.digest,
        people=people,
        outcome=outcome_of(rows),
        draft=not (signed and pinned),
        demonstration=bool(simulated),
        rows=tuple(_owned(row, owners or {}) for row in rows),
        time_ns=time_ns,
        simulated=tuple(simulated),
        set_by=threshold.set_by,
        earlier=tuple(condition for condition in asked if condition not in held),
        signed=signed,
        unfinished=tuple(unfinished),
        notes=tuple(notes),
        price=tuple(price),
        warnings=tuple(warnings),
    )


def outcome_of(rows: Iterable[Row]) -> Outcome:
    """Ready only if every condition is met; not ready if one is not met; otherwise it cannot be said yet.

    No condition at all is no verdict.
    """
    standings = {row.standing for row in rows}
    if Standing.NOT_MET in standings:
        return Outcome.NOT_READY
    return Outcome.READY if standings == {Standing.MET} else Outcome.CANNOT_SAY


def exit_code(outcome: Outcome) -> int:
    """What a command that asked for the verdict ends with: 0 ready, 3 not ready, 4 cannot say yet."""
    return _EXIT[outcome]


def _owned(row: Row, owners: Mapping[str, str]) -> Row:
    if not row.next:
        return row
    owner = owners.get(METRICS[row.metric].assessment) or owners.get(row.dimension) or ""
    return msgspec.structs.replace(row, owner=owner)

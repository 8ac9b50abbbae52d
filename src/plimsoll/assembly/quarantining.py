"""The quarantine of a project, for people: list, show, mend and replay, discard."""

from __future__ import annotations

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.assembly.record import existing_ledger, reading_ledger
from plimsoll.assembly.steering import known_contact
from plimsoll.guard.quarantine import Group, Quarantined, find_quarantined, grouped, original_bytes, quarantined
from plimsoll.guard.quarantine import discard as discard_in
from plimsoll.guard.quarantine import replay as replay_in
from plimsoll.model.decision import Answer


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in quarantine."""

    open: int
    groups: tuple[Group, ...]
    records: tuple[Quarantined, ...] = ()


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One quarantined record with its bytes."""

    quarantined: Quarantined
    raw: bytes


def list_quarantine(project: Project, *, closed: bool = False, records: bool = False) -> Listing:
    """What waits, grouped by source and reason; with each record where asked, and the closed ones."""
    if not project.store.exists():
        return Listing(open=0, groups=())
    with reading_ledger(project) as ledger:
        system = project.manifest.system
        groups = grouped(ledger, system=system)
        found = tuple(quarantined(ledger, status=None if closed else "new", system=system)) if records or closed else ()
        waiting = sum(1 for _ in quarantined(ledger, system=system))
    return Listing(open=waiting, groups=groups, records=found)


def show_quarantined(project: Project, record: str) -> Shown:
    """One record, every reason, and what was offered, byte for byte.

    Raises:
        InputError: there is no such record.
        VerificationFailed: its payload was erased.
    """
    with reading_ledger(project) as ledger:
        found, kept = find_quarantined(ledger, record)
    return Shown(quarantined=found, raw=original_bytes(kept))


def replay(project: Project, record: str, *, by: str, fixed: bytes | None) -> Answer:
    """Send a record through again, mended or as it came.

    Raises:
        InputError: there is no such open record, or ``by`` is not named in the manifest.
    """
    by = known_contact(project, by)
    with existing_ledger(project) as ledger:
        find_quarantined(ledger, record)  # before anything is recorded
        project.record_release(ledger)
        with project.open_guard(ledger) as guard:
            return replay_in(guard, record, by=by, fixed=fixed)


def discard(project: Project, record: str, *, by: str, reason: str) -> str:
    """Close a record without a decision; gives the id of the entry.

    Raises:
        InputError: there is no such open record, ``by`` is not named in the manifest, or no reason is given.
    """
    by = known_contact(project, by)
    with existing_ledger(project) as ledger:
        return discard_in(ledger, project.manifest.system, record, by=by, reason=reason)

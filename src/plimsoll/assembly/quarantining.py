"""The quarantine of a project, for people: list, show, mend and replay, discard."""

from __future__ import annotations

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.assembly.record import existing_ledger, reading_ledger
from plimsoll.assembly.steering import known_contact
from plimsoll.guard.quarantine import Group, find_quarantined, grouped, quarantined
from plimsoll.guard.quarantine import discard as discard_in
from plimsoll.guard.quarantine import replay as replay_in
from plimsoll.guard.quarantine_view import Quarantined, QuarantineView, totals_of
from plimsoll.model.decision import Answer


class OwnedGroup(Group, frozen=True, kw_only=True):
    """A group, and whom to ask about it."""

    owner: str


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in quarantine."""

    open: int
    bytes: int = 0  # of what waits
    statuses: dict[str, int] = {}  # how many records are in each status
    groups: tuple[OwnedGroup, ...]
    records: tuple[Quarantined, ...] = ()


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One quarantined record with its bytes."""

    quarantined: Quarantined
    owner: str
    sealed: bool  # it is encrypted in the ledger
    raw: bytes


def list_quarantine(project: Project, *, closed: bool = False, records: bool = False) -> Listing:
    """What waits, grouped by source and reason; with each record where asked, and the closed ones."""
    if not project.store.exists():
        return Listing(open=0, groups=())
    with reading_ledger(project) as ledger:
        system = project.manifest.system
        groups = grouped(ledger, system=system)
        totals = totals_of(ledger.view(QuarantineView()), system)
        found = tuple(quarantined(ledger, status=None if closed else "new", system=system)) if records or closed else ()
    owned = (OwnedGroup(**msgspec.structs.asdict(g), owner=owner_of(project, g.source)) for g in groups)
    return Listing(open=totals.waiting, bytes=totals.bytes, statuses=totals.records, groups=tuple(owned), records=found)


def owner_of(project: Project, source: str) -> str:
    """Who answers for a source, by its contract: for its fallback, as owner in its team; else who runs the system."""
    contract = next((c for c in project.inputs if source in c.sources), next(iter(project.inputs), None))
    if contract is not None:
        terms = contract.terms
        owners = (member.username for member in terms.members if "owner" in member.role.casefold())
        first = terms.fallback.owner if terms.fallback is not None else next(owners, "")
        if first:
            return first
    return project.manifest.owners.operations.contact


def show_quarantined(project: Project, record: str) -> Shown:
    """One record, every reason, and what was offered, byte for byte.

    Raises:
        InputError: there is no such record.
        VerificationFailed: its payload was erased.
    """
    with reading_ledger(project) as ledger:
        found, kept = find_quarantined(ledger, record)
        entry = ledger.get(record)
    sealed = entry is not None and entry.sealed
    return Shown(quarantined=found, owner=owner_of(project, found.source), sealed=sealed, raw=kept.offered)


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

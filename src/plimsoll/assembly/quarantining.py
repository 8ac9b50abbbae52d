"""The quarantine of a project, for people: list, show, mend and replay, discard."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.assembly.record import existing_ledger, reading_ledger
from plimsoll.assembly.steering import known_contact
from plimsoll.contract.patch import parse_patch
from plimsoll.errors import InputError
from plimsoll.guard.quarantine import Group, find_quarantined, grouped, quarantined
from plimsoll.guard.quarantine import discard as discard_in
from plimsoll.guard.quarantine import replay as replay_in
from plimsoll.guard.quarantine_group import Fix, Outcome, Preview, find_group, mended, preview
from plimsoll.guard.quarantine_group import discard_group as discard_group_in
from plimsoll.guard.quarantine_group import replay_group as replay_group_in
from plimsoll.guard.quarantine_records import Count, Quarantined, Totals
from plimsoll.guard.quarantine_room import Filling
from plimsoll.guard.quarantine_view import GROUP_ID, QuarantineView, counts_of, totals_of
from plimsoll.guard.windows import Windows
from plimsoll.model.decision import Answer
from plimsoll.model.quarantine import QuarantineBound


class OwnedGroup(Group, frozen=True, kw_only=True):
    """A group, and whom to ask about it."""

    owner: str


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in quarantine."""

    open: int
    bytes: int = 0  # of what waits
    statuses: dict[str, int] = {}  # how many records are in each status
    most_records: int  # that may wait
    most_bytes: int
    full: bool  # nothing more is taken in: broken records are shed
    warning: str  # what there is to say of that; "" while there is room
    turned_away: int = 0  # records that were, ever
    turned_away_bytes: int = 0
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
        return _listing(project, Totals(), {}, (), ())
    with reading_ledger(project) as ledger:
        system = project.manifest.system
        groups = grouped(ledger, system=system)
        view = ledger.view(QuarantineView())
        totals, away = totals_of(view, system), counts_of(view, system, turned_away=True)
        found = tuple(quarantined(ledger, status=None if closed else "new", system=system)) if records or closed else ()
    owned = tuple(OwnedGroup(**msgspec.structs.asdict(g), owner=owner_of(project, g.source)) for g in groups)
    return _listing(project, totals, away, owned, found)


def _listing(
    project: Project,
    totals: Totals,
    away: Mapping[str, Count],
    groups: tuple[OwnedGroup, ...],
    records: tuple[Quarantined, ...],
) -> Listing:
    bound = project.manifest.quarantine or QuarantineBound()
    filling = Filling(
        records=totals.waiting, bytes=totals.bytes, most_records=bound.most_records, most_bytes=bound.most_bytes
    )
    return Listing(
        open=totals.waiting,
        bytes=totals.bytes,
        statuses=totals.records,
        most_records=bound.most_records,
        most_bytes=bound.most_bytes,
        full=filling.is_full,
        warning=filling.warning,
        turned_away=sum(count.records for count in away.values()),
        turned_away_bytes=sum(count.bytes for count in away.values()),
        groups=groups,
        records=records,
    )


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


def replay(project: Project, record: str, *, by: str, fixed: bytes | None = None, patch: Patch | None = None) -> Answer:
    """Send a record through again, mended or as it came.

    Args:
        project: whose.
        record: its id.
        by: contact of who does it.
        fixed: the mended record.
        patch: what mends it; with neither, it goes as it came.

    Raises:
        InputError: there is no such open record, ``by`` is not named in the manifest, or the patch does not apply.
    """
    by = known_contact(project, by)
    with existing_ledger(project) as ledger:
        _, kept = find_quarantined(ledger, record)  # before anything is recorded
        if patch is not None:
            fixed, why = mended(kept, patch.fix)
            if fixed is None:
                raise InputError(f"{patch.file} does not apply to {record}: {why}", fix="mend the patch")
        project.record_release(ledger)
        with project.open_guard(ledger) as guard:
            return replay_in(guard, record, by=by, fixed=fixed)


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON Patch that somebody named."""

    file: str
    fix: Fix


def read_patch(raw: bytes, file: str) -> Patch:
    """A fix from the bytes of a JSON Patch. Raises InputError when it is none."""
    return Patch(file=file, fix=Fix(patch=parse_patch(raw, file), text=raw.decode()))


def is_group(name: str) -> bool:
    """Whether a name is that of a group, and not the id of a record."""
    return GROUP_ID.fullmatch(name) is not None


def preview_group(project: Project, group: str, patch: Patch | None, *, samples: int) -> Preview:
    """What a fix would do to a group; nothing is asked of the target, and nothing is written.

    Raises:
        InputError: nothing waits in the group.
    """
    system = project.manifest.system
    with reading_ledger(project) as ledger:
        source = find_group(ledger.view(QuarantineView()), system, group).source
        inputs, default = project.checkers, project.default_checker
        windows = None
        if Windows.needed(inputs, default):
            windows = Windows(inputs, default, clock=time.time_ns)
            windows.fill(ledger, system)
        checker = inputs.get(source, default)
        return preview(ledger, system, group, _fix(patch), checker, samples=samples, windows=windows)


def replay_group(
    project: Project, group: str, *, by: str, contract: str, patch: Patch | None, tick: Callable[[int], None]
) -> Outcome:
    """Send all that waits in a group through again, under the contract that was named.

    Args:
        project: whose.
        group: its short name.
        by: contact of who does it.
        contract: id and version of the contract that they are meant to be held against, as ``claims@1.1.0``.
        patch: what mends each; None: they go as they came.
        tick: told how many were seen, now and then.

    Raises:
        InputError: nothing waits in the group, ``by`` is not named in the manifest, or another contract lies here.
        Conflict: somebody else is at work in the quarantine.
    """
    by = known_contact(project, by)
    with existing_ledger(project) as ledger:
        source = find_group(ledger.view(QuarantineView()), project.manifest.system, group).source
        _check_named(contract, contract_of(project, source), source)
        project.record_release(ledger)
        with project.open_guard(ledger) as guard:
            return replay_group_in(guard, group, _fix(patch), by=by, tick=tick)


def contract_of(project: Project, source: str) -> str:
    """Id and version of the contract that records of a source are held against here; "none" where they are not."""
    checker = project.checkers.get(source, project.default_checker)
    return "none" if checker is None else f"{checker.contract.id}@{checker.contract.version}"


def _check_named(named: str, here: str, source: str) -> None:
    if named == here:
        return
    whose = f"records of '{source}'" if source else "records without a source"
    said = f"not against {named}" if named else "and a replay of a group names its contract"
    raise InputError(
        f"{whose} are held against {here} here, {said}", fix=f"--contract {here}, if that is what you mean"
    )


def _fix(patch: Patch | None) -> Fix:
    return Fix() if patch is None else patch.fix


def discard(project: Project, record: str, *, by: str, reason: str) -> str:
    """Close a record without a decision; gives the id of the entry.

    Raises:
        InputError: there is no such open record, ``by`` is not named in the manifest, or no reason is given.
    """
    by = known_contact(project, by)
    with existing_ledger(project) as ledger:
        return discard_in(ledger, project.manifest.system, record, by=by, reason=reason)


def discard_group(project: Project, group: str, *, by: str, reason: str) -> int:
    """Close all that waits in a group without a decision; gives how many there were.

    Raises:
        InputError: nothing waits in the group, ``by`` is not named in the manifest, or no reason is given.
        Conflict: somebody else is at work in the quarantine.
    """
    by = known_contact(project, by)
    with existing_ledger(project) as ledger:
        return discard_group_in(ledger, project.manifest.system, group, by=by, reason=reason)

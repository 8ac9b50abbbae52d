"""What has changed at the sources of a project, for people."""

from __future__ import annotations

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.assembly.record import reading_ledger
from plimsoll.attest.moments import to_text
from plimsoll.guard.source_changes import Seen, changes_of
from plimsoll.model.source_change import ChangeKind


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """One change, as it is listed."""

    kind: ChangeKind
    source: str
    what: str  # the field, dotted; the source; the consumer
    first_seen: str  # RFC 3339, UTC
    seen: int
    of: int
    examples: tuple[str, ...]
    likely: str  # the old name of a new field; "": none is likely
    why: str
    contract: str
    entry: str


def list_changes(project: Project) -> tuple[Changed, ...]:
    """Every change that the traffic of a system has shown, the latest first; none where nothing was recorded yet."""
    if not project.store.exists():
        return ()
    with reading_ledger(project) as ledger:
        return tuple(_changed(seen) for seen in changes_of(ledger, project.manifest.system))


def _changed(seen: Seen) -> Changed:
    return Changed(
        kind=seen.kind,
        source=seen.source,
        what=seen.what,
        first_seen=to_text(seen.first_ns),
        seen=seen.seen,
        of=seen.of,
        examples=seen.examples,
        likely=seen.likely,
        why=seen.why,
        contract=seen.contract,
        entry=seen.entry,
    )

"""A ledger that was begun anew, on purpose: who said so, why, and what stood in its place before.

The way on is open, and leaves its trace: what the witness had seen is written into the new ledger, every board shows
it, and the old notes are kept under another name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.assembly.steering import known_contact
from plimsoll.assess.run import body_of
from plimsoll.errors import InputError, StoreError
from plimsoll.ledger import Draft, FileWitness, Ledger, OtherLog, other_logs

BEGUN: Final = "ledger.begun"


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a ``ledger.begun`` entry."""

    by: str  # contact
    reason: str
    before: tuple[OtherLog, ...]  # what the witness had seen of others
    kept_in: str  # where its notes are kept from now on


def begin_anew(
    project: Project, *, by: str, reason: str, clock_ns: Callable[[], int] = time.time_ns
) -> tuple[str, Path]:
    """Write down that this ledger was begun in place of another, and begin a new witness file in the state folder.

    Args:
        project: the system; its ledger is made if it is not there.
        by: a contact of the manifest.
        reason: why.
        clock_ns: UTC nanoseconds since the epoch.

    Returns:
        Id of the entry, and the file in which the old notes are kept.

    Raises:
        InputError: there are no notes of another ledger; ``by`` is not named in the manifest; no reason is given.
        StoreError: it cannot be written.
    """
    by = known_contact(project, by)
    if not reason.strip():
        raise InputError("a ledger is begun anew for a reason", fix="say why: --reason '…'")
    place = project.witness_path
    if not place.exists():
        raise InputError(f"there is no witness file '{place}': no other ledger was seen here", fix="nothing is to do")
    with project.open_ledger() as ledger:
        others = other_logs(FileWitness(place), ledger.reader.meta("origin"))
        if not others:
            raise InputError(f"the witness file '{place}' keeps notes of this ledger alone", fix="nothing is to do")
        at = datetime.fromtimestamp(clock_ns() / 1e9, UTC)
        kept = place.with_name(f"{place.stem}-until-{at:%Y%m%dT%H%M%S.%fZ}{place.suffix}")
        begun = Begun(by=by, reason=reason.strip(), before=others, kept_in=kept.name)
        # Written down first: a crash behind this leaves the notes in their place, and the command is given again.
        record = ledger.append(Draft(kind=BEGUN, system=project.manifest.system, body=msgspec.json.encode(begun)))
        _put_aside(place, kept)
        ledger.checkpoint()  # the first note of the new file
    return record, kept


def begun_anew(ledger: Ledger) -> Iterator[str]:
    """What a board says of a ledger that was begun in place of another, in a sentence each time."""
    for entry in ledger.entries(kinds=(BEGUN,)):
        begun = body_of(ledger, entry, Begun)
        day = datetime.fromtimestamp(entry.time_ns // 10**9, UTC)
        yield (
            f"this ledger was begun anew, said {begun.by} on {day:%Y-%m-%d}: {begun.reason}; what stood before is not"
            f" in it: {'; '.join(map(str, begun.before))}"
        )


def _put_aside(place: Path, kept: Path) -> None:
    """Rename; never over a file that is there."""
    try:
        os.link(place, kept)
        place.unlink()
    except OSError as why:
        raise StoreError(
            f"the witness file '{place}' cannot be renamed to '{kept.name}': {why.strerror}",
            fix="rename it yourself; that it was begun anew is written down already",
        ) from why

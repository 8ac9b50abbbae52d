"""The ledger of a project, for people: verify, show, prove, erase."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from pathlib import Path
from typing import Any

import msgspec

from plimsoll.assembly.integrity import pinned_keys
from plimsoll.assembly.project import Project
from plimsoll.assembly.steering import known_contact
from plimsoll.attest import Trust
from plimsoll.errors import InputError, StoreReadOnly
from plimsoll.guard.left_open import ENDED, LeftOpen, ended_by, left_open
from plimsoll.ledger import Entry, Erased, Ledger, make_proof
from plimsoll.ledger.host import ThisHost


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """One entry, opened."""

    id: str
    kind: str
    time: str  # RFC 3339, UTC
    system: str
    subject: str  # the pseudonym
    refs: tuple[str, ...]
    header: Any
    sealed: bool
    erased: bool
    body: Any  # JSON where it is JSON, else text


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One entry in a list, without its body."""

    id: str
    kind: str
    time: str  # RFC 3339, UTC
    type: str  # decision type; "" for what is no decision
    disposition: str


class StreamsLeft(msgspec.Struct, frozen=True, kw_only=True):
    """Streams of a system that have no end on record, and those whose process died in the middle of one."""

    open: tuple[LeftOpen, ...]  # also those that are under way
    died: tuple[Death, ...]  # the newest first


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """A stream whose process died, and when another one found out."""

    started: str  # id of its beginning
    ended: str  # id of the entry that says so
    time: str  # RFC 3339, UTC: when it was found out


def streams_left(project: Project, newest: int) -> StreamsLeft:
    """What is known of streams that did not end as they should; reads alone.

    Args:
        project: whose.
        newest: how many deaths at most.
    """
    if not project.store.exists():
        return StreamsLeft(open=(), died=())
    system = project.manifest.system
    with existing_ledger(project, read_only=True) as ledger:
        found = tuple(left_open(ledger, system, host=ThisHost(), now_ns=time.time_ns()))
        ends = (e for e in ledger.find(ENDED, system=system) if ended_by(e.body) == "death")
        died = tuple(
            Death(started=e.refs[0] if e.refs else "", ended=e.id, time=moment(e.time_ns))
            for e in itertools.islice(ends, newest)
        )
    return StreamsLeft(open=found, died=died)


def existing_ledger(project: Project, *, read_only: bool = False) -> Ledger:
    """The project's ledger, which must be there already.

    Raises:
        InputError: nothing is recorded yet.
        StoreError: it cannot be opened.
    """
    if not project.store.exists():
        raise InputError(
            f"there is no ledger '{project.store.name}' yet",
            fix="`plimsoll check` and `plimsoll decide` make one; if it lies elsewhere, name its folder with --state",
        )
    return project.open_ledger(read_only=read_only)


def reading_ledger(project: Project) -> Ledger:
    """The ledger to look things up in. Where it may be written, what is folded for a list is kept for the next one."""
    try:
        return existing_ledger(project)
    except StoreReadOnly:
        return existing_ledger(project, read_only=True)


def show_entry(project: Project, entry_id: str) -> Opened:
    """One entry with its body opened; erased ones say so.

    Raises:
        InputError: there is no such entry.
        VerificationFailed: its body does not open under its key.
    """
    with existing_ledger(project, read_only=True) as ledger:
        entry = ledger.get(entry_id)
        if entry is None:
            raise InputError(
                f"there is no entry '{entry_id}' in {project.store.name}",
                fix="an id is 32 hex digits, a dash and a number; `plimsoll ledger show` lists the newest",
            )
        try:
            raw: bytes | None = ledger.body(entry)
        except Erased:
            raw = None
        return Opened(
            id=entry.id,
            kind=entry.kind,
            time=moment(entry.time_ns),
            system=entry.system,
            subject=entry.subject,
            refs=entry.refs,
            header=entry.header,
            sealed=entry.sealed,
            erased=raw is None,
            body=None if raw is None else _readable(raw),
        )


def newest_entries(project: Project, most: int) -> tuple[Listed, ...]:
    """The newest entries of the system, the newest first.

    Raises:
        InputError: nothing is recorded yet.
    """
    kept: list[Entry] = []
    with existing_ledger(project, read_only=True) as ledger:
        for entry in ledger.entries(system=project.manifest.system):
            kept.append(entry)
            if len(kept) >= 10 * most:
                kept = _newest(kept, most)
    return tuple(_listed(entry) for entry in _newest(kept, most))


def _newest(entries: list[Entry], most: int) -> list[Entry]:
    return sorted(entries, key=lambda e: (e.time_ns, e.stream, e.seq), reverse=True)[:most]


def _listed(entry: Entry) -> Listed:
    header = entry.header
    return Listed(
        id=entry.id,
        kind=entry.kind,
        time=moment(entry.time_ns),
        type="" if header is None else header.type,
        disposition="" if header is None else header.disposition,
    )


def prove_entry(project: Project, entry_id: str, *, disclose: bool) -> bytes:
    """A file that proves one entry offline, without the store.

    Raises:
        InputError: there is no such entry.
        Erased: it was to be disclosed, and its subject was erased.
    """
    with existing_ledger(project) as ledger:
        ledger.checkpoint()  # an entry newer than the last one could not be proved
        return make_proof(ledger, entry_id, disclose=disclose)


def erase_subject(project: Project, subject: str, *, by: str, reason: str) -> str:
    """Destroy a subject's key and record that it was done; gives the id of the entry.

    Raises:
        InputError: nothing is recorded about such a subject, ``by`` is not named in the manifest, or no reason is
            given.
    """
    by = known_contact(project, by)
    if not reason.strip():
        raise InputError("an erasure has a reason", fix="say why, without naming the subject: --reason '…'")
    with existing_ledger(project) as ledger:
        record = ledger.erase(subject, by=by, reason=reason.strip())
        ledger.checkpoint()
        return record


def ledger_keys(project: Project | None, trust: Trust | None, now_ns: int) -> tuple[tuple[bytes, ...] | None, str]:
    """The public keys that checkpoints must be signed with (None: any), and where they are pinned, in words.

    A key that lies beside the ledger proves little: whoever can rewrite the one can read the other. So it is named as
    what it is.
    """
    raw = tuple(k.key.raw for k in pinned_keys(trust, now_ns))
    if trust is not None and raw:
        return raw, f"pinned in {trust.file}"
    if project is not None and project.ledger_key_path.exists():
        return (project.ledger_key.public.raw,), "the key that lies beside the ledger, pinned by nobody"
    return None, "no key is pinned"


def default_witness(project: Project | None) -> Path | None:
    """Where the project's checkpoints are published, if any were."""
    if project is None or not project.witness_path.exists():
        return None
    return project.witness_path


def moment(time_ns: int) -> str:
    """A moment as RFC 3339, UTC, to the millisecond."""
    at = dt.datetime.fromtimestamp(time_ns / 1e9, tz=dt.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _readable(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw.decode("utf-8", "backslashreplace")

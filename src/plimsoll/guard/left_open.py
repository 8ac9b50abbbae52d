"""Streams that began and were never ended: whose process died in the middle of one, that is.

Each ``stream.started`` is ended by a ``stream.ended`` that refers to it, written with the decision. A process that is
killed writes neither. Whoever opens the ledger next, or looks at it from time to time, writes the end in its place, and
says that it was death; of several who look at once, one does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from plimsoll.ledger import Draft, Entry, Ledger, Reserve, Table, Taken
from plimsoll.ledger.host import Host
from plimsoll.ledger.reading import Reading

STARTED: Final = "stream.started"
ENDED: Final = "stream.ended"
MARGIN_S: Final = 60.0  # behind its deadline: a store that is slow or away may hold up the record of an answer so long
_SETTLED_NS: Final = 3600 * 10**9  # a second keeper that has not seen the end by then sees it when it looks
_TOMBSTONE: Final = b"ended"


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a ``stream.started`` entry."""

    release: str
    type: str
    deadline_s: float | None = None  # seconds after which it has ended, but for its record; None: it has no limit


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a ``stream.ended`` entry, which refers to the beginning."""

    by: str  # "decision": its entry was written with this one; "death": its process ended without writing one
    why: str = ""


class LeftOpen(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that has begun and not ended."""

    started: str  # id of the entry
    time_ns: int  # UTC, since the epoch
    type: str
    release: str
    is_dead: bool  # its process is gone for certain, or it is long past its deadline and its process writes no more
    is_late: bool  # it is long past its deadline


class OpenStreams:
    """The projection: a key for each stream that has begun and not ended."""

    name: Final = "streams.open"
    version: Final = 1
    kinds: Final = frozenset({STARTED, ENDED})

    def apply(self, table: Table, entry: Entry, body: bytes | None) -> None:
        """Fold one entry in; of another stream of the ledger, the end can come first."""
        if entry.kind == STARTED:
            if table.get(entry.id) is not None:
                table.delete(entry.id)
            else:
                kept = _Kept(system=entry.system, time_ns=entry.time_ns, started=_read(body))
                table.put(entry.id, msgspec.json.encode(kept))
            return
        for started in entry.refs[:1]:
            if table.get(started) is None:
                table.put(started, _TOMBSTONE)
            else:
                table.delete(started)


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    system: str
    time_ns: int
    started: Started


def end_of(started: str, system: str, ended: Ended) -> Draft:
    """The entry that ends a stream."""
    return Draft(kind=ENDED, system=system, refs=(started,), body=msgspec.json.encode(ended))


def left_open(ledger: Reading, system: str, *, host: Host, now_ns: int) -> Iterator[LeftOpen]:
    """The streams of a system that have begun and not ended, those included that are under way.

    Args:
        ledger: where they are recorded.
        system: as the manifest names it.
        host: knows which processes are gone.
        now_ns: UTC nanoseconds since the epoch.
    """
    kept = [(id_, raw) for id_, raw in ledger.view(OpenStreams()).scan() if raw != _TOMBSTONE]
    if not kept:
        return
    rows = {row.id: row for row in ledger.reader.streams()}
    for id_, raw in kept:
        found = msgspec.json.decode(raw, type=_Kept)
        if found.system != system:
            continue
        row = rows.get(id_.partition("-")[0])
        limit = found.started.deadline_s
        is_late = limit is not None and now_ns > found.time_ns + int((limit + MARGIN_S) * 1e9)
        is_gone = row is not None and host.is_gone(row.owner)
        # Of a process on another machine the ledger knows that it writes no more. It can have gone on in another stream
        # of the ledger, after it lost its database: so its deadline is waited for, and where there is none, for ever.
        is_sealed = row is None or row.sealed_ns is not None
        yield LeftOpen(
            started=id_,
            time_ns=found.time_ns,
            type=found.started.type,
            release=found.started.release,
            is_dead=is_gone or (is_sealed and is_late),
            is_late=is_late,
        )


def end_dead(ledger: Ledger, system: str, *, host: Host, now_ns: int) -> tuple[str, ...]:
    """Write the end of each stream whose process died, once among all who look; the ids of those that were ended here.

    Args:
        ledger: where it is recorded.
        system: as the manifest names it.
        host: knows which processes are gone.
        now_ns: UTC nanoseconds since the epoch.

    Raises:
        StoreError: it could not be written.
    """
    ended = []
    for stream in left_open(ledger, system, host=host, now_ns=now_ns):
        if not stream.is_dead:
            continue
        draft = end_of(stream.started, system, Ended(by="death", why="its process ended without recording a decision"))
        once = Reserve(space=f"stream-ended:{system}", key=stream.started, expires_ns=now_ns + _SETTLED_NS)
        try:
            ledger.append(draft, [once])
        except Taken:
            continue
        ended.append(stream.started)
    return tuple(ended)


def ended_by(body: bytes) -> str:
    """What ended a stream, by the body of the entry that says so; "" where it cannot be read."""
    try:
        return msgspec.json.decode(body, type=Ended).by
    except msgspec.DecodeError:
        return ""


def _read(body: bytes | None) -> Started:
    """Of a body that was erased or cannot be read, nothing is known but that it began."""
    try:
        return msgspec.json.decode(body or b"", type=Started)
    except msgspec.DecodeError:
        return Started(release="", type="")

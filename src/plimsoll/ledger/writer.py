"""What is written, in which transaction: own streams, the root stream, checkpoints, erasures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from plimsoll.errors import Refused, StoreError, StoreUnsure, UsageError
from plimsoll.ledger.commit import Request
from plimsoll.ledger.entry import Draft
from plimsoll.ledger.host import Host
from plimsoll.ledger.keyring import KeyRing
from plimsoll.ledger.numbering import ROOT_STREAM
from plimsoll.ledger.projection import Projection
from plimsoll.ledger.read import StreamRow
from plimsoll.ledger.records import (
    Erasure,
    Gap,
    Head,
    Heads,
    StreamOpened,
    StreamSealed,
    draft_of,
)
from plimsoll.ledger.reservation import Op, Replace, Reservation
from plimsoll.ledger.settings import LedgerSettings
from plimsoll.ledger.stream import Bundle, Stream
from plimsoll.ledger.tail import Tail
from plimsoll.ledger.write import StoreWriter

T = TypeVar("T")

DURABLE: Final = "durable"
BATCHED: Final = "batched"
_UNWRITABLE: Final = (UnicodeError, TypeError, ValueError, OverflowError)  # what a draft's own content can raise


class Inline(Protocol):
    """Projections that are kept up to date in the transaction of the entries themselves."""

    projections: list[Projection]

    def follow(self, kinds: Iterable[str]) -> None:
        """Entries of these kinds were just written."""
        ...


class Waiting(Protocol):
    """One enqueued entry."""

    seq: int
    time_ns: int
    draft: Draft


class Writer:
    """Everything that changes the file. Not safe between threads: the writer's lock is held around each call."""

    def __init__(
        self,
        file: StoreWriter,
        keys: KeyRing,
        clock: Callable[[], int],
        host: Host,
        settings: LedgerSettings,
        inline: Inline,
        begun: Callable[[], None],
    ) -> None:
        self._file = file
        self._keys = keys
        self._clock = clock
        self._host = host
        self._settings = settings
        self._inline = inline
        self._begun = begun  # called when a stream of ours is opened
        self._streams: dict[str, Stream] = {}  # by durability
        self._failed = False
        self._attempt = 0
        self._erasures = -1
        self._searched = False
        self.written = 0  # entries tried since this was opened: what the schedule of checkpoints goes by

    @property
    def has_written(self) -> bool:
        """Whether a stream of ours is open."""
        return bool(self._streams)

    # ── transactions ──

    def run(self, work: Callable[[], T]) -> T:
        """Do ``work`` in one transaction, again where it was lost with the connection.

        Raises what it raises, and StoreError; nothing was written then, unless it is StoreUnsure.
        """
        while True:
            try:
                self._begin()
                result = work()
                self._commit()
            except Exception as error:
                self._file.rollback()
                ours = self._file.ours(error)
                if self._file.came_back(ours):
                    continue
                if ours is error:
                    raise
                raise ours from error
            except BaseException:
                self._file.rollback()
                raise
            return result

    def _begin(self) -> None:
        """Lock the file, and see what others, or a failure of ours, have done to what we hold in memory.

        Memory counts as behind the file from here until the commit has surely gone through: an interrupt can come
        between any two steps, also just behind the commit.
        """
        failed, self._failed = self._failed, True
        self._file.begin()
        changed = self._file.changed_elsewhere()
        if failed:
            self._attempt += 1
            self._keys.forget()
        if failed or changed:
            self._look_around()
        if failed:
            for stream in self._streams.values():
                size, stream.time_ns = self._file.inside.end(stream.number)
                stream.tail = self._file.inside.tail(stream.number, size)

    def _commit(self) -> None:
        self._file.commit()
        self._failed = False

    def _look_around(self) -> None:
        """Drop keys of subjects that were erased, and streams that are not (or never came to be) open."""
        erasures = self._file.erasures()
        if erasures != self._erasures:
            self._erasures = erasures
            self._keys.forget()
        for durability, stream in list(self._streams.items()):
            missing = self._file.missing(stream.id, stream.number)
            if missing or not self._file.is_open(stream.number):
                del self._streams[durability]
            if missing:
                self._record_loss(stream, missing)

    def _record_loss(self, stream: Stream, missing: int) -> None:
        """The store came back without entries that it had acknowledged: that is said, and their places stay empty."""
        self._file.take_root()
        inside = self._file.inside
        size = inside.end(stream.number)[0] if inside.number_of(stream.id) == stream.number else 0
        gap = Gap(stream=stream.id, size=size, window_ms=0.0, at_most=missing)
        self._to_root([draft_of(gap)], self._clock())
        if self._file.is_open(stream.number):
            self._seal(stream.id, stream.number, inside.tail(stream.number, size), crashed=True)

    # ── streams ──

    def _own(self, durability: str) -> Stream:
        stream = self._streams.get(durability)
        if stream is None:
            self._file.take_root()
            now = self._clock()
            if not self._searched:
                self._seal_gone()
            window, most = (self._settings.flush_ms, self._settings.waiting) if durability == BATCHED else (0.0, 0)
            number, name = self._file.register(now, self._host.me(), durability, window, most)
            self._to_root([draft_of(StreamOpened(stream=name, durability=durability))], now)
            stream = self._streams[durability] = Stream(number, name, Tail(), 0)
            self._begun()
        return stream

    def open_stream(self, durability: str) -> tuple[str, int]:
        """The id and size of our stream of this durability, opened if need be."""
        if durability not in self._streams or self._failed:
            self.run(lambda: self._own(durability))
        stream = self._streams[durability]
        return stream.id, stream.tail.size

    def _to_root(self, drafts: Sequence[Draft], now_ns: int) -> Tail:
        """Append to the root stream, which all processes share: read where it stands, go on from there."""
        inside = self._file.inside
        size, time_ns = inside.end(ROOT_STREAM)
        stream = Stream(ROOT_STREAM, inside.id_of(ROOT_STREAM), inside.tail(ROOT_STREAM, size), time_ns)
        stream.tick(now_ns)
        bundle = Bundle([], [])
        stream.bundle(drafts, size, stream.time_ns, self._keys, self._attempt, bundle)
        self._store(stream, bundle)
        self._file.put_head(ROOT_STREAM, stream.tail, stream.time_ns)
        return stream.tail

    def _store(self, stream: Stream, bundle: Bundle) -> None:
        if bundle.rows:
            grown = stream.tail.extend(bundle.leaves)
            self._file.put(stream.number, bundle.rows, grown)
            if grown is not None:
                self._file.put_head(stream.number, stream.tail, stream.time_ns)

    def _seal_gone(self) -> None:
        """Seal the streams of processes that have certainly ended without closing theirs."""
        self._file.take_root()
        inside = self._file.inside
        for row in self._gone():
            size, _ = inside.end(row.number)
            if row.durability == BATCHED:
                gap = Gap(stream=row.id, size=size, window_ms=row.window_ms, at_most=row.most)
                self._to_root([draft_of(gap)], self._clock())
            self._seal(row.id, row.number, inside.tail(row.number, size), crashed=True)
        self._searched = True

    def _gone(self) -> list[StreamRow]:
        ours = {stream.number for stream in self._streams.values()}
        rows = [row for row in self._file.inside.open_streams() if row.owner and row.number not in ours]
        return self._file.unwritten(rows, self._host.is_gone)

    def seal_gone(self) -> bool:
        """Seal the streams of processes that certainly ended without closing theirs; whether there were any."""
        gone = bool(self._gone())
        if gone:
            self.run(self._seal_gone)
        return gone

    def _seal(self, stream: str, number: int, tail: Tail, *, crashed: bool) -> None:
        now = self._clock()
        root = tail.root()
        self._file.seal(number, tail.size, root, now)
        sealed = StreamSealed(stream=stream, size=tail.size, root=root.hex(), crashed=crashed)
        self._to_root([draft_of(sealed)], now)

    def seal_own(self) -> None:
        """Close our streams; nothing more is written to them."""
        self.run(self._seal_own)
        self._streams.clear()

    def _seal_own(self) -> None:
        self._file.take_root()
        for stream in self._streams.values():
            self._seal(stream.id, stream.number, stream.tail, crashed=False)

    # ── entries ──

    def write(self, requests: Sequence[Request]) -> None:
        """Write a group in one transaction; every request is settled when this returns.

        When something else than an error comes between (an interrupt), those that are surely written are settled.
        """
        while not self._try(requests):
            pass

    def _try(self, requests: Sequence[Request]) -> bool:
        """Write a group; False when it was lost with the connection, and can be tried again."""
        try:
            self._begin()
            self._write_group(requests)
            self._commit()
            for request in requests:
                request.outcome = request.planned
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to those who wait for it
            self._file.rollback()
            ours = self._file.ours(error)
            if self._file.came_back(ours):
                return False
            if ours is not error:
                ours.__cause__ = error
            for request in requests:
                request.outcome = ours
        except BaseException:
            self._file.rollback()
            self._look_up(requests)
            raise
        return True

    def _write_group(self, requests: Sequence[Request]) -> None:
        stream = self._own(DURABLE)
        if self._file.looks_ahead:
            drafts = (draft for request in requests for draft in request.drafts)
            self._expect(drafts, [op for request in requests for op in request.ops])
        bundle = Bundle([], [])
        first = stream.tail.size
        stepped = stream.tick(self._clock())
        if stepped is not None:
            stream.bundle([stepped], first, stream.time_ns, self._keys, self._attempt, bundle)
        if not self._prepare_together(requests, stream, first + len(bundle.rows), bundle):
            for request in requests:
                self._prepare(request, stream, first + len(bundle.rows), bundle)
        self._store(stream, bundle)
        self.written += len(bundle.rows)
        if self._inline.projections:
            self._inline.follow(draft.kind for request in requests for draft in request.drafts)

    def _expect(self, drafts: Iterable[Draft], ops: Sequence[Op]) -> None:
        names = {draft.subject for draft in drafts if draft.subject is not None}
        self._keys.know(self._file.expect(names, ops))

    def _prepare_together(self, requests: Sequence[Request], stream: Stream, seq: int, bundle: Bundle) -> bool:
        """Add all requests' rows in one go, a microsecond each cheaper; False when they must be looked at singly."""
        if any(request.ops for request in requests):
            return False
        mark = len(bundle.rows)
        drafts = [draft for request in requests for draft in request.drafts]
        try:
            stream.bundle(drafts, seq, stream.time_ns, self._keys, self._attempt, bundle)
        except _UNWRITABLE:
            del bundle.rows[mark:], bundle.leaves[mark:]
            return False
        for request in requests:
            request.planned = stream.ids(seq, len(request.drafts))
            seq += len(request.drafts)
        return True

    def _prepare(self, request: Request, stream: Stream, seq: int, bundle: Bundle) -> None:
        """Add one request's rows and apply its ops; or give it its error, and no other request."""
        try:
            stream.bundle(request.drafts, seq, stream.time_ns, self._keys, self._attempt, bundle)
            if request.ops:
                self._file.apply([_with_id(op, f"{stream.id}-{seq}") for op in request.ops], stream.time_ns)
        except Refused as error:
            request.planned = error
        except _UNWRITABLE as error:
            request.planned = UsageError(f"an entry cannot be written down: {error}")
        else:
            request.planned = stream.ids(seq, len(request.drafts))
            return
        mark = seq - stream.tail.size
        del bundle.rows[mark:], bundle.leaves[mark:]

    def _look_up(self, requests: Sequence[Request]) -> None:
        """An interrupt may have come before or after the commit: the file knows."""
        stream = self._streams.get(DURABLE)
        size, unsure = 0, None
        try:
            size = self._file.inside.end(stream.number)[0] if stream is not None else 0
        except StoreError as error:
            unsure = StoreUnsure(f"interrupted while it was written, and then: {error.message}", fix=error.fix)
        for request in requests:
            ids = request.planned
            if isinstance(ids, tuple) and ids and int(ids[-1].rpartition("-")[2]) < size:
                request.outcome = ids
            elif ids is not None and unsure is not None:
                request.outcome = unsure  # to write it again might be to write it twice
            request.planned = None  # or else the next interrupt would take it for the plan of the next try

    def write_waiting(self, waiting: Sequence[Waiting]) -> int:
        """Write enqueued entries in one transaction; how far our batched stream reaches then."""
        return self.run(lambda: self._write_waiting(waiting))

    def _write_waiting(self, waiting: Sequence[Waiting]) -> int:
        stream = self._streams.get(BATCHED)
        if stream is None:
            raise StoreError(
                "the stream of enqueued entries was sealed by another process",
                fix="open the ledger again; these are lost",
            )
        if self._file.looks_ahead:
            self._expect((item.draft for item in waiting), ())
        bundle = Bundle([], [])
        for item in waiting:
            if item.seq >= stream.tail.size:
                stream.bundle([item.draft], item.seq, item.time_ns, self._keys, self._attempt, bundle)
        stream.time_ns = waiting[-1].time_ns
        self._store(stream, bundle)
        self.written += len(bundle.rows)
        if self._inline.projections:
            self._inline.follow(item.draft.kind for item in waiting)
        return stream.tail.size

    # ── the rest ──

    def apply(self, ops: Sequence[Op]) -> list[Reservation | None]:
        """Apply reservations without an entry."""
        return self.run(lambda: self._file.apply(ops, self._clock()))

    def checkpoint(self, origin: str) -> tuple[str, int, bytes]:
        """Record the heads of all streams that have grown; the log's name, and the root stream's size and root."""
        return self.run(lambda: self._checkpoint(origin))

    def _checkpoint(self, origin: str) -> tuple[str, int, bytes]:
        self._file.take_root()
        fixed = self._file.fix_origin(origin)
        changed = self._file.note_heads()
        if changed:
            heads = tuple(Head(stream=name, size=tail.size, root=tail.root().hex()) for name, tail in changed)
            edge = self._to_root([draft_of(Heads(heads=heads))], self._clock())
        else:
            inside = self._file.inside
            edge = inside.tail(ROOT_STREAM, inside.end(ROOT_STREAM)[0])
        return fixed, edge.size, edge.root()

    def put_note(self, size: int, note: str) -> None:
        """Store a signed note."""
        self.run(lambda: self._file.put_note(size, note))

    def mark_published(self, sizes: Sequence[int]) -> None:
        """Remember which notes the witness has."""
        self.run(lambda: self._file.mark_published(sizes))

    def erase(self, name: str, by: str, reason: str) -> str | None:
        """Destroy a subject's key and record that; the id of the record, None when there is no such subject."""
        return self.run(lambda: self._erase(name, by, reason))

    def _erase(self, name: str, by: str, reason: str) -> str | None:
        stream = self._own(DURABLE)
        stream.tick(self._clock())
        pseudonym = self._keys.destroy(name, stream.time_ns)
        if pseudonym is None:
            return None
        self._file.count_erasure()
        record = draft_of(Erasure(by=by, reason=reason))
        bundle = Bundle([], [])
        stream.bundle([record], stream.tail.size, stream.time_ns, self._keys, self._attempt, bundle, pseudonym)
        self._store(stream, bundle)
        return f"{stream.id}-{stream.tail.size - 1}"

    def sweep(self, most: int) -> int:
        """Delete expired reservations."""
        return self.run(lambda: self._file.sweep(self._clock(), most))


def _with_id(op: Op, first: str) -> Op:
    """The op with the id of the first entry behind its value, where it asks for that."""
    if isinstance(op, Replace) and op.with_id:
        return msgspec.structs.replace(op, value=op.value + first.encode())
    return op

"""Everything of one process that writes to the store, behind the writer's lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from plimsoll.errors import PlimsollError
from plimsoll.ledger.batched import Enqueued, Item
from plimsoll.ledger.checkpoint import Signer
from plimsoll.ledger.commit import GroupCommit
from plimsoll.ledger.host import Host
from plimsoll.ledger.keyring import KeyRing
from plimsoll.ledger.notary import Notary
from plimsoll.ledger.projection import Projection
from plimsoll.ledger.read import Reader
from plimsoll.ledger.settings import LedgerSettings
from plimsoll.ledger.store import Store
from plimsoll.ledger.views import Folder, InlineFolds
from plimsoll.ledger.witness import Witness
from plimsoll.ledger.writer import BATCHED, Writer

T = TypeVar("T")


class Hands:
    """The parts that write, put together; also what the queue of enqueued entries and the notary ask of the store."""

    def __init__(
        self,
        store: Store,
        reader: Reader,
        *,
        signer: Signer | None,
        witness: Witness | None,
        clock: Callable[[], int],
        host: Host,
        settings: LedgerSettings,
    ) -> None:
        """Open the writing connection.

        Args:
            store: where it is kept.
            reader: the process's reading connection.
            signer: of checkpoints.
            witness: of checkpoints.
            clock: UTC nanoseconds.
            host: which process we are.
            settings: bounds and windows.
        """
        self._reader = reader
        self._origin = settings.origin or f"plimsoll.local/{reader.meta('root')}"
        self._log_to_cut = False
        self._file = store.open_writer(now_ns=clock(), settings=settings)
        self._folder = Folder(self._file, self._file.inside)
        self.inline = InlineFolds(self._file, self._folder)
        self.notary = Notary(self, signer, witness, settings)
        keys = KeyRing(self._file, settings.subjects)
        self._writer = Writer(self._file, keys, clock, host, settings, self.inline, self.notary.start)
        self.commit = GroupCommit(self._writer.write, settings.group)
        self.enqueued = Enqueued(self, clock, settings.waiting, settings.flush_ms / 1000)

    def alone(self, work: Callable[[Writer], T]) -> T:
        """Do ``work`` under the writer's lock."""
        with self.commit.alone():
            return work(self._writer)

    # ── what the queue of enqueued entries asks ──

    def open_stream(self) -> tuple[str, int]:
        """Id and size of the stream of enqueued entries."""
        return self.alone(lambda writer: writer.open_stream(BATCHED))

    def write(self, items: Sequence[Item]) -> int:
        """Store enqueued entries; how far their stream reaches then."""
        return self.alone(lambda writer: writer.write_waiting(items))

    # ── what the notary asks ──

    def written(self) -> int:
        """Entries of this process so far."""
        return self._writer.written

    def checkpoint(self) -> tuple[str, int, bytes]:
        """Record all heads; the log's name, the root stream's size and root."""
        return self.alone(lambda writer: writer.checkpoint(self._origin))

    def put_note(self, size: int, note: str) -> None:
        """Store a signed note."""
        self.alone(lambda writer: writer.put_note(size, note))

    def unpublished(self) -> Sequence[tuple[int, str]]:
        """Notes that the witness does not have, the oldest first."""
        return self._reader.unpublished()

    def mark_published(self, sizes: Sequence[int]) -> None:
        """The witness has these."""
        self.alone(lambda writer: writer.mark_published(sizes))

    def tidy(self) -> None:
        """Seal the streams of processes that ended without closing theirs; cut the log where that is still to be done.

        One of them may have died between an erasure and the cutting of the log.
        """
        if self.alone(lambda writer: writer.seal_gone()) or self._log_to_cut:
            self.cut_log()

    def sweep(self, most: int) -> int:
        """Delete expired reservations; how many."""
        return self.alone(lambda writer: writer.sweep(most))

    # ── projections ──

    def fold(self, projection: Projection, *, anew: bool = False) -> None:
        """Bring a projection up to date, a bounded number of entries per transaction, so that others can write.

        Args:
            projection: which.
            anew: from the first entry, beside the old one, which stays readable until the new one is there.
        """
        number = self._folding(lambda: self._folder.prepare(projection, anew=anew))
        while not self._folding(lambda: self._folder.fold(projection, number)):
            pass

    def drop(self, name: str) -> None:
        """Forget a projection."""
        self._folding(lambda: self._folder.drop(name))

    def _folding(self, work: Callable[[], T]) -> T:
        return self.alone(lambda writer: writer.run(work))

    # ── life ──

    def cut_log(self) -> bool:
        """Cut the log to nothing, so that no old page is left in it; False when a reader is in the way.

        Then the notary tries again until it is done.
        """
        self._log_to_cut = not self.alone(lambda _writer: self._file.cut_log())
        return not self._log_to_cut

    def close(self) -> None:
        """Write what waits, seal our streams, make a last checkpoint; the connection is closed also when that fails."""
        errors: list[PlimsollError] = []
        try:
            for step in (self.enqueued.close, self.commit.close, self.notary.stop, self._seal, self._last_checkpoint):
                try:
                    step()
                except PlimsollError as error:
                    errors.append(error)
        finally:
            self._file.close()
        if errors:
            raise errors[0]

    def _seal(self) -> None:
        if self._writer.has_written:
            self.alone(lambda writer: writer.seal_own())

    def _last_checkpoint(self) -> None:
        if self._writer.written:
            self.notary.checkpoint()

    def abandon(self) -> None:
        """Stop at once and write nothing."""
        self.enqueued.stop()
        self.commit.stop()
        self.notary.stop()
        self._file.close()

    def let_go(self) -> None:
        """Close the connection and touch nothing else: in a forked child the threads, and who held what, are gone."""
        self._file.let_go()

    def locks(self) -> list[threading.Lock]:
        """Every lock, in the order in which they are taken elsewhere."""
        return [self.notary.lock, self.enqueued.draining, self.commit.lock, self.enqueued.lock]

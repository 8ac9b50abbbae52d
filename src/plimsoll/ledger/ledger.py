"""The ledger: what the rest of the product appends to, reads from and follows."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from plimsoll.errors import StoreClosed, StoreFull, StoreLocked, StoreLost, UsageError
from plimsoll.ledger import process
from plimsoll.ledger.checkpoint import Checkpoint, Signer
from plimsoll.ledger.commit import Request
from plimsoll.ledger.entry import Draft
from plimsoll.ledger.host import Host, ThisHost
from plimsoll.ledger.places import store_at
from plimsoll.ledger.projection import Projection
from plimsoll.ledger.reading import Reading
from plimsoll.ledger.reservation import Op, Reservation, Reserve, check_op
from plimsoll.ledger.session import Session
from plimsoll.ledger.settings import LedgerSettings
from plimsoll.ledger.store import Store
from plimsoll.ledger.witness import Witness

_REST_S = 10.0  # how long a fork waits for a statement to end
_ERASE_WAIT_S = 0.01  # between tries to cut the log while somebody reads


class Ledger(Reading):
    """An append-only, tamper-evident record in an SQLite file or in PostgreSQL. Safe to share between threads.

    Several processes may write to one store; each has streams of its own. Use it as a context manager, or `close` it:
    what was enqueued is written, the streams are sealed and a last checkpoint is made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Ledger.open(f"{folder}/ledger.db") as ledger:
    ...     record = ledger.append(Draft(kind="note", body=b"hello"))
    ...     ledger.get(record).body
    b'hello'
    """

    def __init__(
        self,
        store: Store,
        *,
        signer: Signer | None,
        witness: Witness | None,
        clock: Callable[[], int],
        settings: LedgerSettings,
        host: Host,
        read_only: bool,
    ) -> None:
        super().__init__(store, clock)
        self._check_draft = store.check_draft
        self._signer = signer
        self._witness = witness
        self._settings = settings
        self._host = host
        self._read_only = read_only
        self._closed = False
        self._opening = threading.Lock()
        self._resting: list[threading.Lock] = []
        self._rests = False
        self._left: list[Session] = []  # kept from being closed
        self._session: Session | None = self._open_session()
        process.watch(self)

    @classmethod
    def open(
        cls,
        place: Path | str,
        *,
        signer: Signer | None = None,
        witness: Witness | None = None,
        clock: Callable[[], int] = time.time_ns,
        settings: LedgerSettings | None = None,
        host: Host | None = None,
        read_only: bool = False,
    ) -> Self:
        """Open a ledger; it is made if it is not there yet.

        Args:
            place: a file, whose log and shared index (``-wal``, ``-shm``) stand beside it; or the address of a
                PostgreSQL database, ``postgresql://USER@HOST/DATABASE``, which needs the extra ``postgres``.
            signer: signs checkpoints; None: there are none, and `verify` says so.
            witness: where signed checkpoints are published.
            clock: UTC nanoseconds since the epoch.
            settings: bounds and windows; see `LedgerSettings`.
            host: which process we are and which others are gone.
            read_only: write nothing.

        Raises:
            MissingExtra: an address was given, and the driver is not installed.
            StoreDamaged: truncated, or not a ledger.
            StoreTooNew: written by a later format version.
            StoreReadOnly: file, folder or database may not be written.
            StoreLost: the database cannot be reached.
            StoreError: there is no ledger here, and it is not to be made.
        """
        ledger = cls(
            store_at(place),
            signer=signer,
            witness=witness,
            clock=clock,
            settings=settings or LedgerSettings(),
            host=host or ThisHost(),
            read_only=read_only,
        )
        if not read_only:
            ledger._tidy()
        return ledger

    def _tidy(self) -> None:
        try:
            self._now.hands.tidy()
        except (StoreLocked, StoreFull, StoreLost):
            pass  # it can be read, and our first entry, or the notary, tries again
        except BaseException:
            self.abandon()
            raise

    # ── life ──

    def _open_session(self) -> Session:
        return Session(
            self._store,
            signer=self._signer,
            witness=self._witness,
            clock=self._clock,
            host=self._host,
            settings=self._settings,
            can_write=not self._read_only,
        )

    @property
    def _now(self) -> Session:
        """What is open in this process; after a fork, opened here."""
        return self._session or self._reopen()

    def _reopen(self) -> Session:
        with self._opening:
            if self._session is None:
                if self._closed:
                    raise StoreClosed(f"{self._store.name}: used after it was closed", fix="open the ledger again")
                self._session = self._open_session()
                for follower in self._followers:
                    follower.resume()
            return self._session

    def close(self) -> None:
        """Write what waits, seal our streams, make a last checkpoint. Closing twice does nothing.

        Raises:
            StoreError: something that was enqueued could not be written, or the streams could not be sealed (the next
                opener will); the ledger is closed nevertheless.
        """
        with self._opening:
            session, self._session, self._closed = self._session, None, True
        process.forget(self)
        if session is None:
            return
        with contextlib.ExitStack() as steps:
            steps.callback(session.close)
            for follower in self._followers:
                steps.callback(follower.close)

    def abandon(self) -> None:
        """Let go of the store without writing anything more, as if the process had died here. For tests of crashes."""
        session, self._session, self._closed = self._session, None, True
        process.forget(self)
        if session is not None:
            session.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def before_fork(self) -> None:
        """Come to rest: called by the process before it forks."""
        session = self._session
        if session is None:
            return
        for lock in (*session.locks(), *(follower.reader.lock for follower in self._followers)):
            if not lock.acquire(timeout=_REST_S):
                return
            self._resting.append(lock)
        self._rests = True

    def after_fork(self, *, in_child: bool) -> None:
        """Go on; in the child, let go of the parent's connections. Called by the process after it forked."""
        rested, self._rests = self._rests, False
        while self._resting:
            self._resting.pop().release()
        if not in_child or self._session is None:
            return
        session, self._session = self._session, None
        self._opening = threading.Lock()
        if rested:
            session.let_go()
            for follower in self._followers:
                follower.reader.let_go()
        else:  # a thread that is not here is in the middle of a statement: closing would wait for it for ever
            self._left.append(session)

    # ── appending ──

    def append(self, draft: Draft, ops: Sequence[Op] = ()) -> str:
        """Write one entry; it is on the disk when its id is returned.

        Args:
            draft: what to write.
            ops: reservations that stand or fall with it.

        Raises:
            Taken: a reservation does not apply.
            Refused: a human-only decision says that the model was called.
            StoreError: it could not be written; nothing was acknowledged.
        """
        self._check_draft(draft)
        for op in ops:
            check_op(op)
        return self._now.hands.commit.submit(Request((draft,), ops))[0]

    async def aappend(self, draft: Draft, ops: Sequence[Op] = ()) -> str:
        """The same on an event loop: what is asked for in one turn of the loop is written together."""
        self._check_draft(draft)
        for op in ops:
            check_op(op)
        future = self._now.hands.commit.post(asyncio.get_running_loop(), Request((draft,), ops))
        return (await future)[0]

    def enqueue(self, draft: Draft) -> str:
        """Take one entry and give its id at once; it is on the disk within the flush window.

        A crash may lose the last window; the next opener records a ``gap`` then. Blocks while the queue is full.

        Raises:
            StoreError: the queue is full and what waits in it cannot be written.
        """
        self._check_draft(draft)
        return self._now.hands.enqueued.put(draft)

    def transact(self, drafts: Sequence[Draft], ops: Sequence[Op] = ()) -> tuple[str, ...]:
        """Write several entries, and reservations, all or none; their ids. Raises as `append` does."""
        for draft in drafts:
            self._check_draft(draft)
        for op in ops:
            check_op(op)
        return self._now.hands.commit.submit(Request(tuple(drafts), ops))

    def flush(self) -> None:
        """Return when everything enqueued before is on the disk.

        Raises:
            StoreError: it could not be written; it still waits, under the same ids.
        """
        self._now.hands.enqueued.flush()

    # ── views and reservations ──

    def keep(self, projection: Projection) -> None:
        """From now on, fold this projection in the same transaction as the entries that this process writes."""
        self._now.hands.inline.add(projection)

    def rebuild(self, projection: Projection) -> None:
        """Fold a projection anew from the first entry; the old view stays readable until the new one is there."""
        self._now.hands.fold(projection, anew=True)

    def drop(self, name: str) -> None:
        """Forget a projection; the next `view` folds it anew."""
        self._now.hands.drop(name)

    def reserve(self, space: str, key: str, value: bytes = b"", *, expires_ns: int = 0) -> Reservation:
        """Take a key without writing an entry. Raises Taken when somebody holds it."""
        held = self.apply([Reserve(space=space, key=key, value=value, expires_ns=expires_ns)])[0]
        assert held is not None
        return held

    def apply(self, ops: Sequence[Op]) -> list[Reservation | None]:
        """Apply reservations without an entry, all or none; what each key holds then. Raises Taken."""
        for op in ops:
            check_op(op)
        return self._now.hands.alone(lambda writer: writer.apply(ops))

    # ── the record as a whole ──

    def checkpoint(self) -> Checkpoint:
        """Record how far all streams have come; sign that and give it to the witness, where there is one.

        Raises:
            StoreError: it could not be written, or the witness did not take it; the next checkpoint tries again.
        """
        return self._now.hands.notary.checkpoint()

    @property
    def trouble(self) -> Exception | None:
        """What went wrong behind the scenes and is being tried again: enqueued entries, scheduled checkpoints."""
        hands = self._now.hands
        return hands.enqueued.trouble or hands.notary.trouble

    def erase(self, subject: str, *, by: str, reason: str) -> str:
        """Destroy a subject's key and record that it was done; the id of the record, which does not name the subject.

        Args:
            subject: the name under which entries were written.
            by: contact of who does it.
            reason: why; it must not name the subject.

        Raises:
            UsageError: nothing is kept under this name.
            StoreLocked: it is done, but a reader keeps old pages in the log; call again, or close the readers.
        """
        hands = self._now.hands
        record = hands.alone(lambda writer: writer.erase(subject, by, reason))
        until = time.monotonic() + self._settings.busy_s
        while not hands.cut_log():
            if time.monotonic() > until:
                raise StoreLocked(
                    f"{self._store.name}: the key is destroyed, but a reader keeps its old page in the log",
                    fix="end long reads of this file; the log is cut when they are over",
                )
            time.sleep(_ERASE_WAIT_S)
        if record is None:
            raise UsageError("nothing is kept under this subject", fix="use the name given when it was recorded")
        return record

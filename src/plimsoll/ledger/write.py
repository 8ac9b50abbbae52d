"""Writing a store: one transaction at a time, and the statements that may stand in it, alike in every database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from plimsoll.ledger.ids import new_id
from plimsoll.ledger.keys import SubjectKey
from plimsoll.ledger.numbering import Row
from plimsoll.ledger.read import Reader, StreamRow
from plimsoll.ledger.reservation import Op, Reservation
from plimsoll.ledger.tail import Grown, Tail


class StoreWriter(ABC):
    """The one writing connection of a process. Not safe between threads: its owner holds the writer's lock.

    All but `begin`, `commit`, `rollback` and what is marked so stand between those. A statement may be held back until
    something is read or committed.

    Attributes:
        inside: reads that see what the open transaction has written.
        looks_ahead: whether `expect` is to be called with what a group is going to need.
    """

    inside: Reader
    looks_ahead: ClassVar[bool] = False

    # ── life ──

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    @abstractmethod
    def let_go(self) -> None:
        """Close what is ours in a forked child, and nothing that is the parent's."""

    # ── transactions ──

    @abstractmethod
    def begin(self) -> None:
        """Begin a transaction. Raises StoreError."""

    @abstractmethod
    def commit(self) -> None:
        """All since `begin` is on the disk, whole, when this returns."""

    @abstractmethod
    def rollback(self) -> None:
        """Take back all since `begin`; nothing when there is nothing."""

    @abstractmethod
    def ours(self, error: Exception) -> Exception:
        """Our error for one of the database's; any other as it is."""

    @abstractmethod
    def changed_elsewhere(self) -> bool:
        """Whether another process may have done something to what we hold in memory, since this was last asked."""

    def came_back(self, error: Exception) -> bool:  # noqa: ARG002 - a file is not lost
        """Outside a transaction: whether one was lost with the connection, whole, and can be tried again now."""
        return False

    # ── statements ──

    @abstractmethod
    def rows(self, sql: str, *arguments: Any) -> list[Row]:
        """All rows of one statement, whose parameters are written ``?``."""

    @abstractmethod
    def run(self, sql: str, *arguments: Any) -> None:
        """One statement that gives nothing back."""

    @abstractmethod
    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """One statement for each row of parameters."""

    def flush(self) -> None:  # noqa: B027 - where nothing is held back, there is nothing to do
        """See that all statements so far were carried out; raises their errors."""

    # ── what processes must not do at the same time ──

    def take_root(self) -> None:  # noqa: B027 - where only one process writes at a time, nobody else does
        """Keep others from appending to the root stream until the transaction ends; before anything else in it."""

    def hold_projection(self, name: str) -> None:  # noqa: B027 - as above
        """Keep others from folding this projection until the transaction ends."""

    def expect(self, names: Iterable[str], ops: Sequence[Op]) -> dict[str, SubjectKey]:  # noqa: ARG002 - see above
        """These subjects and reservations are needed next, by a whole group: time to fetch them together.

        Returns:
            The subjects; those that are not there yet are made.
        """
        return {}

    def unwritten(self, rows: Sequence[StreamRow], is_gone: Callable[[str], bool]) -> list[StreamRow]:
        """Those of some open streams that certainly nobody writes any more; also outside a transaction.

        Args:
            rows: open streams.
            is_gone: whether the process of this name has certainly ended.
        """
        gone = {owner for owner in {row.owner for row in rows} if is_gone(owner)}
        return [row for row in rows if row.owner in gone]

    # ── streams ──

    def register(self, now_ns: int, owner: str, durability: str, window_ms: float, most: int) -> tuple[int, str]:
        """A new stream: its number and id. The caller has the root stream, and records it there."""
        stream = new_id(now_ns)
        ((number,),) = self.rows(
            "INSERT INTO streams (number,id,opened_ns,owner,durability,window_ms,most)"
            " SELECT max(number)+1,?,?,?,?,?,? FROM streams RETURNING number",
            stream,
            now_ns,
            owner,
            durability,
            float(window_ms),
            most,
        )
        self.run("INSERT INTO heads VALUES (?,0,?,?,0)", number, now_ns, b"")
        return number, stream

    def is_open(self, number: int) -> bool:
        """Whether a stream is not sealed."""
        return bool(self.rows("SELECT 1 FROM heads WHERE stream=?", number))

    def missing(self, stream: str, number: int) -> int:  # noqa: ARG002 - what is in a file stays there
        """How many entries that were committed to a stream of ours the store has no more."""
        return 0

    @abstractmethod
    def put(self, number: int, rows: Sequence[Row], grown: Grown | None) -> None:
        """Store entries, and what they complete of the tree."""

    def put_head(self, number: int, tail: Tail, time_ns: int) -> None:
        """Write down how far a stream has come."""
        self.run(
            "UPDATE heads SET size=?,time_ns=?,frontier=? WHERE stream=?",
            tail.size,
            time_ns,
            b"".join(tail.peaks()),
            number,
        )

    def seal(self, number: int, size: int, root: bytes, now_ns: int) -> None:
        """Close a stream for good. The caller has the root stream, and records it there."""
        self.run("UPDATE streams SET sealed_ns=?,size=?,root=? WHERE number=?", now_ns, size, root, number)
        self.run("DELETE FROM heads WHERE stream=?", number)

    def note_heads(self) -> list[tuple[str, Tail]]:
        """Streams that have grown since the last checkpoint: id and edge. Their heads are brought up to date."""
        changed = []
        rows = self.rows(
            "SELECT h.stream,s.id,h.noted FROM heads h JOIN streams s ON s.number=h.stream"
            " WHERE s.number>1 ORDER BY h.stream"
        )
        for number, stream, noted in rows:
            size, time_ns = self.inside.end(number)
            if size > noted:
                tail = self.inside.tail(number, size)
                changed.append((stream, tail))
                self.put_head(number, tail, time_ns)
                self.run("UPDATE heads SET noted=size WHERE stream=?", number)
        return changed

    # ── checkpoints ──

    def fix_origin(self, origin: str) -> str:
        """The log's name in its notes: as it was first given."""
        self.run("INSERT INTO meta VALUES ('origin',?) ON CONFLICT DO NOTHING", origin)
        ((fixed,),) = self.rows("SELECT value FROM meta WHERE key='origin'")
        return str(fixed)

    def put_note(self, size: int, note: str) -> None:
        """Store a signed note over the root stream."""
        self.run("INSERT INTO notes VALUES (?,?,0) ON CONFLICT DO NOTHING", size, note)

    def mark_published(self, sizes: Iterable[int]) -> None:
        """These notes are with the witness."""
        self.many("UPDATE notes SET published=1 WHERE size=?", [(size,) for size in sizes])

    # ── reservations and keys ──

    @abstractmethod
    def apply(self, ops: Sequence[Op], now_ns: int) -> list[Reservation | None]:
        """Apply all of ``ops`` or none.

        Raises:
            Taken: one does not apply; nothing was changed.
        """

    @abstractmethod
    def sweep(self, now_ns: int, most: int) -> int:
        """Delete expired reservations, at most so many; how many."""

    @abstractmethod
    def subject(self, name: str) -> Row | None:
        """Number, salt and key of a subject; None when nothing is kept of it."""

    @abstractmethod
    def add_subject(self, name: str, salt: bytes, key: bytes) -> int:
        """Keep a subject that is new; its number."""

    @abstractmethod
    def erasures(self) -> int:
        """How many subjects were ever erased, where keys are held in memory; else always the same."""

    @abstractmethod
    def count_erasure(self) -> None:
        """One more: all writers drop the keys they hold in memory."""

    @abstractmethod
    def cut_log(self) -> bool:
        """Outside a transaction: leave no old page in the log; False when a reader is in the way."""

"""What can be asked of a ledger: entries, bodies, views, reservations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from plimsoll.errors import UsageError
from plimsoll.ledger.entry import Entry, parse_id
from plimsoll.ledger.follow import Follower
from plimsoll.ledger.keyring import Bodies, open_body, subject_name
from plimsoll.ledger.projection import Projection, View
from plimsoll.ledger.read import Reader
from plimsoll.ledger.reservation import Reservation, is_expired
from plimsoll.ledger.session import Session
from plimsoll.ledger.sqlite_store import SqliteStore
from plimsoll.ledger.store import Store
from plimsoll.ledger.subjects import BySubject, entry_in


class Reading(ABC):
    """The reading half of `Ledger`."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._followers: list[Follower] = []

    @property
    @abstractmethod
    def _now(self) -> Session:
        """What is open in this process; after a fork, opened here. Raises StoreClosed."""

    @property
    def store(self) -> Store:
        """Where it is kept."""
        return self._store

    @property
    def path(self) -> Path:
        """The file. Raises UsageError for a ledger that is kept in a database."""
        if isinstance(self._store, SqliteStore):
            return self._store.path
        raise UsageError(f"{self._store.name} is a database, not a file", fix="ask for `store`, which both have")

    @property
    def reader(self) -> Reader:
        """Reading below the level of entries: rows, stored hashes, notes; for proofs and verification."""
        return self._now.reader

    def get(self, id: str) -> Entry | None:  # noqa: A002 - the word of the interface
        """One entry by its id; None when there is none."""
        place = parse_id(id)
        return None if place is None else self._now.reader.get(*place)

    def body(self, entry: Entry) -> bytes:
        """The body as it was given, opened if it was sealed.

        Raises:
            Erased: the subject's key was destroyed.
            VerificationFailed: key or body was altered.
        """
        return open_body(self._now.reader, entry)

    def opened(self, ids: Sequence[str]) -> Iterator[tuple[Entry, bytes | None]]:
        """Several entries with their bodies, in the order of the store; for a step of some work, and at once.

        Args:
            ids: of entries; those that are not there are left out.

        Yields:
            The entry, and its body as it was given; None when it was erased.

        Raises:
            VerificationFailed: a key or a body was altered.
        """
        reader = self._now.reader
        bodies = Bodies(reader)
        for entry in reader.several([place for place in map(parse_id, ids) if place is not None]):
            yield entry, bodies.of(entry)

    def subject_of(self, entry: Entry) -> str | None:
        """Whom the entry's pseudonym stands for; None when for nobody, or when the subject was erased."""
        return subject_name(self._now.reader, entry)

    def entries(
        self,
        *,
        kinds: Sequence[str] | frozenset[str] | None = None,
        system: str | None = None,
        after: Mapping[str, int] | None = None,
    ) -> Iterator[Entry]:
        """Entries stream by stream in the order of the streams' registration, in bounded memory.

        Args:
            kinds: only these; None: all. Rare kinds (all but "decision") are found by an index.
            system: only of this system.
            after: by stream id, the last position already seen; streams that are not in it are read from the start.
        """
        reader = self._now.reader
        return reader.entries(_kinds(kinds), system, self._positions(reader, after))

    def find(
        self,
        kinds: str | Sequence[str] | frozenset[str],
        *,
        system: str | None = None,
        limit: int | None = None,
        oldest_first: bool = False,
    ) -> Iterator[Entry]:
        """Entries of some kinds across streams in the order of time, the newest first.

        Args:
            kinds: one kind, or several.
            system: only of this system.
            limit: at most so many.
            oldest_first: the other way round.
        """
        reader = self._now.reader
        sizes = reader.sizes()
        wanted = _kinds(kinds) or frozenset()
        found = reader.oldest(wanted, sizes) if oldest_first else reader.newest(wanted, sizes)
        count = 0
        for entry in found:
            if count == limit:
                return
            if system is None or entry.system == system:
                count += 1
                yield entry

    def of_subject(self, subject: str) -> Iterator[Entry]:
        """All entries about a subject, stream by stream, through a view that is folded when it is first asked for."""
        pseudonym = self._now.reader.pseudonym(subject)
        if pseudonym is None:
            return
        for key, _ in self.view(BySubject()).scan(f"{pseudonym} "):
            entry = self._now.reader.get(*entry_in(key))
            assert entry is not None, "views are folded from what is there"
            yield entry

    def _positions(self, reader: Reader, after: Mapping[str, int] | None) -> dict[int, int]:
        numbers = {reader.number_of(stream): seq + 1 for stream, seq in (after or {}).items()}
        return {number: size for number, size in numbers.items() if number is not None}

    def follow(
        self,
        kinds: Sequence[str] | frozenset[str] | None,
        callback: Callable[[Entry], None],
        *,
        every_s: float = 0.1,
        after: Mapping[str, int] | None = None,
    ) -> Follower:
        """Call back for each new entry of these kinds, by whichever process, in the order of each stream.

        Args:
            kinds: which; None: all.
            callback: takes an entry, in the follower's thread.
            every_s: seconds between looks at the store, above 0; where the store tells of entries of rare kinds by
                itself (PostgreSQL), those come sooner.
            after: by stream id, the last position already seen; None: from now on.
        """
        reader = self._now.reader
        positions = reader.sizes() if after is None else self._positions(reader, after)

        def open_reader() -> Reader:  # asked for anew after a fork
            return self._now.open_reader()

        follower = Follower(open_reader, _kinds(kinds), callback, every_s=every_s, positions=positions)
        self._followers.append(follower)
        return follower

    def view(self, projection: Projection) -> View:
        """The projection, up to date with every entry that was on the disk when this was called."""
        return self._now.view(projection)

    def reservation(self, space: str, key: str) -> Reservation | None:
        """What a key holds; None when it is free or expired."""
        held = self._now.reader.reservation(space, key)
        return None if held is None or is_expired(held, self._clock()) else held


def _kinds(kinds: Sequence[str] | frozenset[str] | None) -> frozenset[str] | None:
    return None if kinds is None else frozenset([kinds] if isinstance(kinds, str) else kinds)

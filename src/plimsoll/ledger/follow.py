"""Following the ledger: entries of every process, soon after they are on the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from plimsoll.errors import PlimsollError
from plimsoll.ledger.entry import Entry
from plimsoll.ledger.read import Reader


class Follower:
    """Calls back for each new entry of some kinds, in the order of each stream, from a thread of its own.

    A callback that raises does not end it: the entry counts as delivered, the next one follows, and the first error is
    kept in `error` and raised by `close`. A store that cannot be read for a while does not end it either: nothing is
    passed over, and what was wrong is in `trouble` until it has been read again.
    """

    def __init__(
        self,
        open_reader: Callable[[], Reader],
        kinds: frozenset[str] | None,
        callback: Callable[[Entry], None],
        *,
        every_s: float,
        positions: Mapping[int, int],
    ) -> None:
        """A follower that has begun.

        Args:
            open_reader: a connection of its own.
            kinds: which entries; None: all.
            callback: takes one entry, in the follower's thread.
            every_s: seconds between looks at the store, above 0. A look costs some 10 µs while nothing changes (a
                database: some 100).
            positions: by stream number, how many entries are known already.
        """
        self._open_reader = open_reader
        self._kinds = kinds
        self._callback = callback
        self._every_s = every_s
        self._sizes = dict(positions)
        self._highest = 0  # number of a stream: all above it are new
        self._growing: set[int] = set()
        self._stop = threading.Event()
        self.errors = 0
        self.error: Exception | None = None
        self.trouble: Exception | None = None  # why the last look at the store gave nothing
        self._begin()

    def _begin(self) -> None:
        self._seen: object = None
        self._reader = self._open_reader()
        self._reader.listen()
        self._thread = threading.Thread(target=self._run, name="plimsoll-ledger-follow", daemon=True)
        self._thread.start()

    @property
    def reader(self) -> Reader:
        """Its connection; its lock is taken around a fork."""
        return self._reader

    def resume(self) -> None:
        """Go on in a process that was forked off: threads do not follow there by themselves."""
        self._stop = threading.Event()
        self._begin()

    def close(self) -> None:
        """End it. Raises the first error of the callback, if there was one, or why the store cannot be read."""
        self._stop.set()
        self._reader.wake()
        if self._thread is not threading.current_thread():
            self._thread.join()
        error, self.error, self.trouble = self.error or self.trouble, None, None
        if error is not None:
            raise error

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._look_once()
                self._reader.wait(self._every_s)
        finally:
            self._reader.close()

    def _look_once(self) -> None:
        try:
            self._look()
        except PlimsollError as error:  # locked, damaged or away for now; the next look tries again
            self.errors += 1
            self.trouble = error
        else:
            self.trouble = None

    def _look(self) -> None:
        seen = self._reader.changes()
        if seen == self._seen:
            return
        # Those that were growing before may have been sealed since, with entries that are still to be told.
        growing = self._reader.growing()
        sizes = self._reader.sizes(above=self._highest, also=growing | self._growing)
        for number, size in sizes.items():  # a server that took over from another may not have received all
            self._sizes[number] = min(size, self._sizes.get(number, 0))
        grown = {number: size for number, size in sizes.items() if size > self._sizes.get(number, 0)}
        for entry in self._reader.entries(self._kinds, after=self._sizes, until=grown):
            if self._stop.is_set():
                return
            self._deliver(entry)
        self._sizes.update(grown)
        self._growing = growing | {number for number in sizes if number > self._highest}
        self._highest = max([self._highest, *sizes])
        self._seen = seen

    def _deliver(self, entry: Entry) -> None:
        number = self._reader.number_of(entry.stream)  # behind the callback, a lost store would have it called again
        try:
            self._callback(entry)
        except Exception as error:  # noqa: BLE001 - code of a user; later entries (a stop!) must still arrive
            self.errors += 1
            self.error = self.error or error
        if number is not None:
            self._sizes[number] = entry.seq + 1

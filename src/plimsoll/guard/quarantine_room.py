"""Whether there is room for one more broken record, so that a flood of them cannot fill the disk unseen.

What waits is known from the quarantine's view, which all guards on a ledger share. It is looked at by a thread of its
own, after every sixteenth of the bound and once a second while it is full; in between, what this process takes in is
added. So the bound can be passed by what other processes take in between two looks, and by nothing else.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec

from plimsoll.errors import PlimsollError
from plimsoll.guard.quarantine_view import QuarantineView, totals_of
from plimsoll.ledger import Draft, Ledger, Op, Release, Reserve, Taken
from plimsoll.model.quarantine import QuarantineBound

FULL: Final = "quarantine.full"
ROOM: Final = "quarantine.room"  # there is room again
RETRY_S: Final = 60.0  # what the sender of a broken record is told to wait: people have to make room first

_SLICES: Final = 16
_MOST_SLICE: Final = 10_000  # records between two looks: a look folds them, and that takes a fifth of a second then
_AGAIN_S: Final = 1.0
_WARN: Final = 0.8  # share of the bound from which on it is worth saying


class Filling(msgspec.Struct, frozen=True, kw_only=True):
    """How full the quarantine is. The body of a ``quarantine.full`` or ``quarantine.room`` entry."""

    records: int
    bytes: int
    most_records: int
    most_bytes: int

    @property
    def is_full(self) -> bool:
        """Whether nothing more is taken in."""
        return self.records >= self.most_records or self.bytes >= self.most_bytes

    @property
    def warning(self) -> str:
        """What there is to say of it; "" while there is room."""
        said = (
            f"{self.records:,} of {self.most_records:,} records and {self.bytes >> 20:,} of {self.most_bytes >> 20:,} "
            "MiB wait in quarantine"
        )
        if self.is_full:
            return f"{said}: broken records are shed, and their content is not kept"
        share = max(self.records / self.most_records, self.bytes / self.most_bytes)
        return said if share >= _WARN else ""


class QuarantineRoom:
    """Counts what waits in the quarantine of one system.

    Args:
        ledger: where it is; `quarantine.full` and `quarantine.room` entries are written there.
        system: whose quarantine.
        bound: what may wait.
        monotonic: seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        system: str,
        bound: QuarantineBound,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._system = system
        self._space = f"quarantine.full:{system}"
        self._bound = bound
        self._monotonic = monotonic
        self._slice = min(_MOST_SLICE, max(1, bound.most_records // _SLICES))
        self._slice_bytes = max(1, bound.most_bytes // _SLICES)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Nothing is known; at the start, and after a fork, where the thread is not here."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._known = (0, 0)  # records and bytes that waited at the last look
        self._own = (0, 0)  # taken in here since it began
        self._under_way = (0, 0)  # of these, what is not written yet, and so in nobody's view
        self._seen = False  # whether any look has succeeded
        self._looked_s: float | None = None  # when the last one ended, whatever came of it
        self._said_full: bool | None = None  # None: nobody has asked yet
        self._stopped = False

    def _filling(self) -> Filling:
        return Filling(
            records=self._known[0] + self._own[0],
            bytes=self._known[1] + self._own[1],
            most_records=self._bound.most_records,
            most_bytes=self._bound.most_bytes,
        )

    def takes(self, size: int) -> bool:
        """Whether a broken record of so many bytes may wait; counted when it may. Never waits for the disk."""
        with self._lock:
            fits = not (self._filling().is_full or self._was_full())
            if fits:
                self._own = (self._own[0] + 1, self._own[1] + size)
                self._under_way = (self._under_way[0] + 1, self._under_way[1] + size)
            self._look_if_due()
            return fits

    def written(self, size: int) -> None:
        """A record that was taken in is written, or never will be."""
        with self._lock:
            self._under_way = (self._under_way[0] - 1, self._under_way[1] - size)

    def _was_full(self) -> bool:
        """Before the first look: whether it was full when somebody looked last.

        Without this, processes that take a few records each would fill it for ever.
        """
        if self._seen:
            return False
        if self._said_full is None:
            self._said_full = False
            with contextlib.suppress(PlimsollError):
                self._said_full = self._ledger.reservation(self._space, "full") is not None
        return self._said_full

    def watched(self) -> Filling:
        """How full it is, for whoever asks now and then; it is looked at behind the scenes, and told the next time."""
        with self._lock:
            self._look_if_due()
            return self._filling()

    def _look_if_due(self) -> None:
        if self._is_due(is_full=self._filling().is_full):
            self._thread = threading.Thread(target=self._look, name="plimsoll-quarantine", daemon=True)
            self._thread.start()

    def _is_due(self, *, is_full: bool) -> bool:
        if self._thread is not None or self._stopped:
            return False
        if self._looked_s is None:
            return True
        if self._seen and (self._own[0] >= self._slice or self._own[1] >= self._slice_bytes):
            return True
        return (is_full or not self._seen) and self._monotonic() - self._looked_s >= _AGAIN_S

    def _look(self) -> None:
        """See what waits; in a thread of its own."""
        try:
            with contextlib.suppress(PlimsollError):  # then it goes on with what it knows, and looks again
                self.look()
        finally:
            with self._lock:
                self._looked_s = self._monotonic()
                self._thread = None

    def look(self) -> Filling:
        """See what waits, and put it on record when that fills the quarantine, or makes room in it.

        Raises:
            PlimsollError: the ledger cannot be asked.
        """
        with self._lock:
            before = (self._own[0] - self._under_way[0], self._own[1] - self._under_way[1])
        self._ledger.flush()  # what was written, or enqueued, before is in the view then
        totals = totals_of(self._ledger.view(QuarantineView()), self._system)
        with self._lock:
            self._known, self._seen = (totals.waiting, totals.bytes), True
            # What came while it was looked at may be in the view already; the next look sets that right.
            self._own = (self._own[0] - before[0], self._own[1] - before[1])
            filling = self._filling()
        self._record(msgspec.structs.replace(filling, records=totals.waiting, bytes=totals.bytes))
        return filling

    def _record(self, filling: Filling) -> None:
        """Once for all processes, when it fills and when there is room again."""
        held = self._ledger.reservation(self._space, "full")
        if filling.is_full == (held is not None):
            return
        kind = FULL if filling.is_full else ROOM
        draft = Draft(kind=kind, system=self._system, body=msgspec.json.encode(filling))
        op: Op = Reserve(space=self._space, key="full")
        if held is not None:
            op = Release(space=self._space, key="full", fence=held.fence)
        with contextlib.suppress(Taken):  # another process was quicker
            self._ledger.append(draft, (op,))

    def close(self) -> None:
        """Wait for the look that is under way; there will be no other."""
        with self._lock:
            self._stopped, thread = True, self._thread
        if thread is not None:
            thread.join(timeout=10)

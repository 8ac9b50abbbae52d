"""One process's hold on a store; made anew after a fork."""

from __future__ import annotations

import threading
from collections.abc import Callable

from plimsoll.ledger.checkpoint import Signer
from plimsoll.ledger.hands import Hands
from plimsoll.ledger.host import Host
from plimsoll.ledger.projection import Projection
from plimsoll.ledger.read import Reader
from plimsoll.ledger.settings import LedgerSettings
from plimsoll.ledger.sqlite_read import Scratch
from plimsoll.ledger.store import Store
from plimsoll.ledger.views import KeptTable, KeptView, folded_aside, is_current, live_view, place_of
from plimsoll.ledger.witness import Witness


class Session:
    """The reading connection, and the writing parts unless it was opened for reading only."""

    def __init__(
        self,
        store: Store,
        *,
        signer: Signer | None,
        witness: Witness | None,
        clock: Callable[[], int],
        host: Host,
        settings: LedgerSettings,
        can_write: bool,
    ) -> None:
        """Open the store, making the ledger if need be and allowed.

        Args:
            store: where it is kept.
            signer: of checkpoints.
            witness: of checkpoints.
            clock: UTC nanoseconds.
            host: which process we are.
            settings: bounds and windows.
            can_write: False: write nothing.
        """
        self._store = store
        self._settings = settings
        self._clock = clock
        self._can_write = can_write
        self._hands: Hands | None = None
        self.reader = self.open_reader()
        if can_write:
            try:
                self._hands = Hands(
                    store, self.reader, signer=signer, witness=witness, clock=clock, host=host, settings=settings
                )
            except BaseException:
                self.reader.close()
                raise

    def open_reader(self) -> Reader:
        """A reading connection of one's own."""
        return self._store.open_reader(read_only=not self._can_write, now_ns=self._clock(), settings=self._settings)

    @property
    def hands(self) -> Hands:
        """What writes. Raises StoreReadOnly."""
        if self._hands is None:
            raise self._store.not_writable()
        return self._hands

    def view(self, projection: Projection) -> KeptView:
        """The projection, up to date with what was on the disk when this was called."""
        place = place_of(self.reader, projection)
        if place is None or not place.live or not is_current(self.reader, projection, place.number):
            if self._hands is None:
                scratch = Scratch(self._store.name)
                aside = KeptTable(scratch, scratch, 0)
                folded_aside(aside, self.reader, projection)
                return aside
            self._hands.fold(projection)
        return live_view(self.reader, projection)

    def close(self) -> None:
        """Write what waits, seal our streams, let go of the store."""
        try:
            if self._hands is not None:
                self._hands.close()
        finally:
            self.reader.close()

    def locks(self) -> list[threading.Lock]:
        """Every lock, in the order in which they are taken elsewhere; who holds all has no statement under way."""
        return [*(self._hands.locks() if self._hands is not None else ()), self.reader.lock]

    def let_go(self) -> None:
        """Close the connections and touch nothing else; see `process`."""
        if self._hands is not None:
            self._hands.let_go()
        self.reader.let_go()

    def abandon(self) -> None:
        """Stop at once and write nothing, as in a crash."""
        if self._hands is not None:
            self._hands.abandon()
        self.reader.close()

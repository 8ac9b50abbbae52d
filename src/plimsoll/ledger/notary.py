"""Checkpoints in time: all heads into the root stream, a signed note over that, the note to the witness."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from plimsoll.ledger.checkpoint import Checkpoint, Signer, note_text, sign_note
from plimsoll.ledger.settings import LedgerSettings
from plimsoll.ledger.witness import Witness

_LOOK_S: Final = 0.25  # between looks whether a checkpoint is due
_SWEEP: Final = 1000  # expired reservations that are deleted in one go


class Desk(Protocol):
    """What the notary asks of the store."""

    def written(self) -> int:
        """Entries this process has written since it opened the file."""
        ...

    def checkpoint(self) -> tuple[str, int, bytes]:
        """Record all heads; the log's name, the root stream's size and root."""
        ...

    def put_note(self, size: int, note: str) -> None:
        """Store a signed note."""
        ...

    def unpublished(self) -> Sequence[tuple[int, str]]:
        """Notes that the witness does not have, the oldest first."""
        ...

    def mark_published(self, sizes: Sequence[int]) -> None:
        """The witness has these."""
        ...

    def tidy(self) -> None:
        """Do what others have left undone."""
        ...

    def sweep(self, most: int) -> int:
        """Delete expired reservations; how many."""
        ...


class Notary:
    """Makes checkpoints on a schedule and on demand; signing and publishing happen outside the writer's lock."""

    def __init__(self, desk: Desk, signer: Signer | None, witness: Witness | None, settings: LedgerSettings) -> None:
        self._desk = desk
        self._signer = signer
        self._witness = witness
        self._settings = settings
        self._one = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._noted = 0
        self.trouble: Exception | None = None  # why the last scheduled checkpoint was not made, signed or published

    @property
    def lock(self) -> threading.Lock:
        """Held while a checkpoint is made; taken around a fork."""
        return self._one

    def start(self) -> None:
        """Begin the schedule; called when this process begins to write."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="plimsoll-ledger-notary", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the schedule."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def checkpoint(self) -> Checkpoint:
        """Make one now; signed and published where there is a signer and a witness.

        Raises:
            StoreError: it could not be written, or the witness did not take it (the next checkpoint tries again).
        """
        with self._one:
            self._noted = self._desk.written()
            origin, size, root = self._desk.checkpoint()
            if self._signer is not None:
                self._desk.put_note(size, sign_note(note_text(origin, size, root), self._signer))
                self._publish(self._witness)
            return Checkpoint(origin=origin, size=size, root=root)

    def _publish(self, witness: Witness | None) -> None:
        if witness is None:
            return
        sent: list[int] = []
        try:
            for size, note in self._desk.unpublished():
                witness.publish(note)
                sent.append(size)
        finally:
            if sent:
                self._desk.mark_published(sent)

    def _run(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(_LOOK_S):
            new, waited = self._desk.written() - self._noted, time.monotonic() - last
            if new >= self._settings.checkpoint_entries or (new > 0 and waited >= self._settings.checkpoint_s):
                self.trouble = self._try(self._desk.tidy) or self._try(self.checkpoint) or self._try(self._sweep)
                last = time.monotonic()

    def _sweep(self) -> None:
        while self._desk.sweep(_SWEEP) == _SWEEP and not self._stop.is_set():
            pass

    def _try(self, step: Callable[[], object]) -> Exception | None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a signer or witness of the user's; the schedule goes on
            return error
        return None

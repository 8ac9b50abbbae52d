"""The control entries that a guard has seen, folded in the order of their time."""

from __future__ import annotations

import threading
from typing import Final

import msgspec

from plimsoll.errors import PlimsollError
from plimsoll.ledger import Entry, Ledger
from plimsoll.model.control import Action, Control
from plimsoll.policy import Obeyed, obey


class Controls:
    """What one guard obeys. Entries of several streams may be seen in any order; the fold goes by time, then by id.

    An entry that cannot be read (of a later version, damaged, erased) stops everything: whoever wrote it wanted
    something, and going on as before is the one thing that it cannot have been.
    """

    def __init__(self) -> None:
        self.obeyed = Obeyed()
        self._seen: dict[tuple[int, str], Control] = {}
        self._lock = threading.Lock()

    def add(self, entry: Entry, ledger: Ledger) -> None:
        """Take one more entry in."""
        with self._lock:
            self._seen[entry.time_ns, entry.id] = _read(entry, ledger)
            state = Obeyed()
            for _, control in sorted(self._seen.items(), key=lambda seen: seen[0]):
                state = obey(state, control)
            self.obeyed = state


def _read(entry: Entry, ledger: Ledger) -> Control:
    try:
        return _DECODER.decode(ledger.body(entry))
    except (msgspec.DecodeError, PlimsollError) as why:
        return Control(
            action=Action.STOP,
            by="this guard",
            reason=f"the control entry {entry.id} cannot be read by this version, so nothing is left to the AI: {why}",
        )


_DECODER: Final = msgspec.json.Decoder(Control)

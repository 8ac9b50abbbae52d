"""Clock, processes and projections that do as they are told."""

from __future__ import annotations

from typing import Final

from plimsoll.ledger import Entry, Table

SECOND: Final = 1_000_000_000  # ns


class ManualClock:
    """UTC nanoseconds that move only when told to."""

    def __init__(self, now_ns: int = 1_700_000_000 * SECOND) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        """The time now."""
        return self.now_ns

    def move(self, seconds: float) -> None:
        """Go forward, or back."""
        self.now_ns += int(seconds * SECOND)


class ManualHost:
    """Processes that live and die when told to; each `me` asked of one instance is one process."""

    def __init__(self, name: str, gone: set[str]) -> None:
        self._name = name
        self._gone = gone

    def me(self) -> str:
        """The name given."""
        return self._name

    def is_gone(self, owner: str) -> bool:
        """Whether it was put among the dead."""
        return owner in self._gone


class Tally:
    """A projection that counts entries per kind and remembers the last body of each."""

    def __init__(self, *kinds: str, version: int = 1) -> None:
        self.kinds = frozenset(kinds)
        self.name = "tally"
        self.version = version

    def apply(self, table: Table, entry: Entry, body: bytes | None) -> None:
        """One more."""
        count = int(table.get(f"count/{entry.kind}") or b"0") + 1
        table.put(f"count/{entry.kind}", str(count).encode())
        if body is None:
            table.delete(f"last/{entry.kind}")
        else:
            table.put(f"last/{entry.kind}", body)

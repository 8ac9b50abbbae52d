"""What a call may cost: asked before each attempt, settled after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from plimsoll.guard.target import Ask

Settle = Callable[[Mapping[str, float]], None]


class Spend(Protocol):
    """A budget of money or tokens. It is called from whatever thread or loop decides, and must not wait."""

    def __call__(self, ask: Ask, target: str) -> Settle | None:
        """Ask for one attempt at one target.

        Args:
            ask: what is about to be asked.
            target: which one, by its name.

        Returns:
            None: the budget is spent, and the target is not asked. Else what is called exactly once when the attempt
            is over, with the usage that the target reported; with nothing, when it reported none or was given up.
        """
        ...

    def close(self) -> None:
        """The guard is closed: nothing more is asked."""
        ...

"""The life of the process and what it means for open ledgers: forks, and an exit without `close`.

Connections must not be carried into a child process. Before a fork every open ledger comes to rest (no statement half
way, no lock held by a thread that the child will not have); in the child its connections are let go of (SQLite's are
closed, which frees its own table of locks there; a server hears nothing of it), and the next use opens new ones and a
new stream. The parent goes on as if nothing had been. At exit, ledgers that nobody closed are closed.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import Final, Protocol

from plimsoll.errors import PlimsollError


class Open(Protocol):
    """Something that forks and exits concern."""

    def before_fork(self) -> None:
        """Come to rest."""
        ...

    def after_fork(self, *, in_child: bool) -> None:
        """Go on, or in the child let go."""
        ...

    def close(self) -> None:
        """Write what waits and let go."""
        ...


_OPEN: Final[set[Open]] = set()
_RESTING: Final[list[Open]] = []


def watch(ledger: Open) -> None:
    """Take care of this one from now on."""
    _OPEN.add(ledger)


def forget(ledger: Open) -> None:
    """It is closed."""
    _OPEN.discard(ledger)


def _before() -> None:
    for ledger in list(_OPEN):
        _RESTING.append(ledger)
        with contextlib.suppress(Exception):  # a fork is not to fail because of us
            ledger.before_fork()


def _after(*, in_child: bool) -> None:
    while _RESTING:
        with contextlib.suppress(Exception):
            _RESTING.pop().after_fork(in_child=in_child)


def _at_exit() -> None:
    for ledger in list(_OPEN):
        try:
            ledger.close()
        except PlimsollError as error:
            sys.stderr.write(f"plimsoll: {error}\n")


# The interpreter offers no way to take these back, so they are given once per process and not once per ledger.
os.register_at_fork(
    before=_before,
    after_in_parent=lambda: _after(in_child=False),
    after_in_child=lambda: _after(in_child=True),
)
atexit.register(_at_exit)

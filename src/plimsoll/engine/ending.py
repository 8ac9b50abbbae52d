"""How a process ended, in words."""

from __future__ import annotations

import signal
from contextlib import suppress


def how_it_ended(code: int) -> str:
    """From an exit code as `subprocess` gives it: negative for a signal.

    >>> how_it_ended(-11)
    'was ended by SIGSEGV'
    >>> how_it_ended(3)
    'ended with exit code 3'
    """
    if code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"

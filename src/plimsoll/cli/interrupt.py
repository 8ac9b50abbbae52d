"""Ctrl-C and SIGTERM: the first ends a command in good order, the second at once."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Final

INTERRUPTED: Final = 130
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Whether somebody asked the command to stop.

    The first signal raises `KeyboardInterrupt` wherever the main thread is, so that everything opened is closed on the
    way out. A target may swallow that (``except:``); who works in a loop asks `check` between two steps. A second
    signal ends the process where it is: the ledger is made for that, but what was under way is not said.

    While modules are imported the first signal is held back. An interruption inside an extension module that is just
    being loaded can be lost there and leave it half made: what calls it next ends the process with a segmentation
    fault.
    """

    def __init__(self) -> None:
        self._asked = False
        self._held = False

    def hold(self) -> None:
        """Note a signal and go on, until `watch`. Only the main thread may do it; anywhere else signals stay."""
        self._held = True
        with contextlib.suppress(ValueError):
            for number in _SIGNALS:
                signal.signal(number, self._come)

    def watch(self) -> None:
        """Let signals interrupt from now on; raises KeyboardInterrupt when one was held back."""
        self._held = False
        with contextlib.suppress(ValueError):
            for number in _SIGNALS:
                signal.signal(number, self._come)
        self.check()

    @property
    def is_asked(self) -> bool:
        """Whether a signal came."""
        return self._asked

    def check(self) -> None:
        """Raises KeyboardInterrupt when a signal came, even if its first one was swallowed."""
        if self._asked:
            raise KeyboardInterrupt

    def is_over(self) -> None:
        """The command has ended, and its exit code stands: what comes now must not change it any more."""
        with contextlib.suppress(ValueError):
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_IGN)

    def _come(self, *_: object) -> None:
        if self._asked:
            os._exit(INTERRUPTED)
        self._asked = True
        if not self._held:
            raise KeyboardInterrupt

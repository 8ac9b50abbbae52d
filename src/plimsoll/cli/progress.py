"""A progress display on stderr: a bar on a terminal, a line per step elsewhere, nothing when quiet."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from plimsoll.assembly.assessing import Progress
from plimsoll.cli.out import Out

WIDTH = 24


class Quiet:
    """Shows nothing; still the place where a long piece of work learns that it is to stop."""

    def __init__(self, out: Out) -> None:
        self._out = out

    def begin(self, name: str, total: int | None) -> None:
        """Nothing."""

    def tick(self, done: int) -> None:
        """Stop, if somebody asked for it and the target swallowed that."""
        del done
        self._out.interrupt.check()

    def end(self, said: str) -> None:
        """Nothing."""


class Lines(Quiet):
    """One line when a piece of work has ended: for logs and pipes."""

    def __init__(self, out: Out) -> None:
        super().__init__(out)
        self._name = ""
        self._began = 0.0

    def begin(self, name: str, total: int | None) -> None:
        """Remember what began and when."""
        del total
        self._name = name
        self._began = time.monotonic()

    def end(self, said: str) -> None:
        """Say what was found, and how long it took."""
        self._out.say(f"  {self._name:<15} {said}  ({time.monotonic() - self._began:.1f} s)")


class Bar(Lines):
    """A bar that is redrawn in place, at most ten times a second."""

    def begin(self, name: str, total: int | None) -> None:
        """Draw an empty bar."""
        super().begin(name, total)
        self._total = total
        self._drawn = 0.0
        self.tick(0)

    def tick(self, done: int) -> None:
        """Draw how far it is."""
        super().tick(done)
        now = time.monotonic()
        if done and now - self._drawn < 0.1:
            return
        self._drawn = now
        if self._total:
            filled = WIDTH * min(done, self._total) // self._total
            sys.stderr.write(
                f"\r  {self._name:<15} {'━' * filled}{'─' * (WIDTH - filled)} {done:,} of {self._total:,} "
            )
        else:
            sys.stderr.write(f"\r  {self._name:<15} … ")
        sys.stderr.flush()

    def end(self, said: str) -> None:
        """Wipe the bar and say what was found."""
        sys.stderr.write("\r\x1b[2K")
        super().end(said)


@contextlib.contextmanager
def progress_for(out: Out) -> Iterator[Progress]:
    """The display that fits where the output goes."""
    if out.json or out.quiet:
        yield Quiet(out)
    elif out.interactive:
        try:
            yield Bar(out)
        finally:
            sys.stderr.write("\r\x1b[2K")
    else:
        yield Lines(out)

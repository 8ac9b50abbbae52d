"""A system that is open in a server's process: its guard, its tokens, and what must hold for it to be ready."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.access import Tokens
from plimsoll.assembly.guard import Guard, end_streams_of_the_dead
from plimsoll.errors import PlimsollError
from plimsoll.guard.arrivals import SourceHealth
from plimsoll.ledger import Taken
from plimsoll.model.breaker import BreakerState
from plimsoll.model.input_note import SourceState
from plimsoll.rollout import exceptions

_LOG: Final = logging.getLogger("plimsoll.guard")
LONGEST_S: Final = 60.0  # without any deadline, a synchronous target would hold up the loop of everybody's requests


class Keeper:
    """Looks after what processes that died have left behind.

    Args:
        guard: whose ledger and system it is.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.left_open = 0  # streams that are long past their deadline and have no end on record

    def look(self) -> None:
        """Record the end of streams whose process died. Blocks; takes some milliseconds where nothing is to be done."""
        self.left_open = end_streams_of_the_dead(self._guard.ledger, self._guard.settings.system)

    def look_at_sources(self) -> None:
        """Record sources that have fallen silent, and that speak again; leave word of what came here. Blocks."""
        try:
            self._guard.look_at_sources()
        except PlimsollError as error:
            _LOG.warning("the sources are looked at later: %s", error)


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What is open."""

    guard: Guard
    tokens: Tokens | None
    checks: Mapping[str, Callable[[], str]]
    notes: Mapping[str, Callable[[], str]]
    keeper: Keeper

    def _sources(self) -> tuple[SourceHealth, ...]:
        try:
            return self.guard.sources()
        except PlimsollError:  # of what nobody can be asked now, there is no gauge
            return ()

    def gauges(self) -> Iterable[tuple[str, str, float]]:
        """What is measured when it is asked for: name, what of, value."""
        health = self.guard.health()
        for target in health.targets:
            yield "plimsoll_target_inside", target.target, target.inside
            yield "plimsoll_target_waiting", target.target, target.waiting
            if target.breaker is not None:
                yield "plimsoll_breaker_open", target.target, float(target.breaker is not BreakerState.CLOSED)
        yield from self.guard.gauges()
        for source in self._sources():
            for state in SourceState:
                if state is SourceState.CONFLICTING:
                    continue  # it is of single records, and each says so
                yield "plimsoll_source_trouble", f"{source.source}: {state}", float(state in source.states)
            yield "plimsoll_source_stood_in", source.source, source.stood_in
            if source.last_ns:
                yield "plimsoll_source_age_seconds", source.source, max(0.0, time.time() - source.last_ns / 1e9)
        yield "plimsoll_streams_left_open", self.guard.settings.system, self.keeper.left_open


@contextlib.contextmanager
def open_running(manifest: Path, state: Path | None, *, with_tokens: bool) -> Iterator[Running]:
    """Open a system for serving; closed again with everything recorded.

    Args:
        manifest: its file or folder.
        state: folder for ledger and keys; None: as the manifest says.
        with_tokens: whether callers are asked who they are.

    Raises:
        PlimsollError: it cannot be opened; see its branches.
    """
    with contextlib.ExitStack() as stack:
        guard = stack.enter_context(Guard.open(manifest, state=state, longest_s=LONGEST_S))
        ledger, system = guard.ledger, guard.settings.system
        tokens = None
        if with_tokens:
            tokens = Tokens(ledger, system, clock_ns=time.time_ns)
            stack.callback(tokens.close)
        yield Running(
            guard=guard,
            tokens=tokens,
            keeper=Keeper(guard),
            checks={"ledger": _ledger_check(guard), "control": _steered(guard), "releases": lambda: guard.trouble},
            notes={"exception": _excepted(guard), "quarantine": _filling(guard), "sources": _in_trouble(guard)},
        )


def _ledger_check(guard: Guard) -> Callable[[], str]:
    """Whether a record becomes durable: shown by writing something, at most once a second."""
    space, key = f"ready:{guard.settings.system}", str(os.getpid())

    def check() -> str:
        try:
            guard.ledger.reserve(space, key, expires_ns=time.time_ns() + 10**9)
        except Taken:
            return ""  # it was shown within the last second
        except PlimsollError as error:
            return f"nothing can be recorded: {error.code}"
        return ""

    return check


def _excepted(guard: Guard, clock_ns: Callable[[], int] = time.time_ns) -> Callable[[], str]:
    """Whether the live release is live on an exception. Anybody may ask, so why is told on the board alone."""

    def note() -> str:
        found = exceptions(guard.ledger, guard.settings.system, now_ns=clock_ns())
        live = next((e for e in found if e.live), None)
        if live is None:
            return ""
        return f"the live release is live on an exception {'that ended at' if live.ended else 'until'} {live.until}"

    return note


def _filling(guard: Guard) -> Callable[[], str]:
    """Whether so much waits in quarantine that nothing more will soon be taken in, or is not now."""

    def note() -> str:
        room = guard.quarantine_room
        return "" if room is None else room.watched().warning

    return note


def _in_trouble(guard: Guard) -> Callable[[], str]:
    """Which sources are in trouble; decisions are taken all the same, as their contracts declare."""

    def note() -> str:
        found = [f"'{source.source}' is {' and '.join(source.states)}" for source in guard.sources() if source.states]
        return "; ".join(found)

    return note


def _steered(guard: Guard) -> Callable[[], str]:
    def check() -> str:
        return "" if guard.is_steered else "control entries are not followed"

    return check

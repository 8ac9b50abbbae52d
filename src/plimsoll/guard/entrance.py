"""What stands before a guard's targets while it is open: contracts, windows, sources, the room in quarantine."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping

from plimsoll.contract import Checker
from plimsoll.contract.arrivals import SourceRule
from plimsoll.guard.admission import Admission
from plimsoll.guard.arrivals import Arrivals
from plimsoll.guard.controls import Controls
from plimsoll.guard.quarantine_room import QuarantineRoom
from plimsoll.guard.recorder import Recorder
from plimsoll.guard.settings import GuardSettings
from plimsoll.guard.watching import Watching
from plimsoll.guard.windows import Windows
from plimsoll.ledger import Ledger


class Entrance:
    """Puts these together, and looks after them.

    Args:
        settings: of the guard.
        ledger: where decisions are recorded.
        recorder: writes what they tell with the decisions.
        inputs: the contract of each declared source, by source name.
        default_input: the contract of every other source; None: such input is not checked.
        output: the contract of what leaves; its consumers are declared.
        rules: what sources have promised, and what stands in for them, by source name.
        clock_ns: UTC nanoseconds, by which the age of records and the silence of sources count.

    Attributes:
        admission: the steps before the call.
        room: whether one more broken record may wait; None: it always may.
        windows: compare records with those before them; None: no contract asks for it.
    """

    def __init__(
        self,
        settings: GuardSettings,
        ledger: Ledger,
        recorder: Recorder,
        inputs: Mapping[str, Checker],
        default_input: Checker | None,
        output: Checker | None,
        *,
        rules: Mapping[str, SourceRule],
        clock_ns: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._recorder = recorder
        bound = settings.quarantine
        self.room = None if bound is None else QuarantineRoom(ledger, settings.system, bound)
        compares = Windows.needed(inputs, default_input)
        self.windows = (
            Windows(inputs, default_input, clock=time.time_ns, acts=not settings.rehearsal) if compares else None
        )
        self.admission = Admission(
            inputs,
            default_input,
            rules=rules,
            arrivals=Arrivals(ledger, settings.system, clock_ns=clock_ns, is_staging=settings.rehearsal),
            tell=recorder.note,
            room=self.room,
            windows=self.windows,
        )
        if not settings.run:  # what a measurement sends is no traffic
            self.admission.watching = Watching(
                inputs,
                default_input,
                output,
                ledger=ledger,
                system=settings.system,
                seal=settings.seal,
                clock=time.time_ns,
                process=_process(),
                tell=recorder.note,
            )

    def follow(self) -> None:
        """Fill the windows from the ledger, and keep them in step; a measurement compares its own sample alone."""
        if self.windows is not None and not self._settings.run:
            self.windows.follow(self._ledger, self._settings.system)

    def begin_anew(self) -> None:
        """As it was made, in a process that was forked off."""
        admission = self.admission
        if self.room is not None:
            self.room.begin_anew()
        if admission.watching is not None:
            admission.watching.begin_anew(_process())
        if self.windows is not None:
            self.windows.begin_anew()
        admission.controls = Controls()
        admission.arrivals.begin_anew()

    def gauges(self) -> Iterator[tuple[str, str, float]]:
        """What is measured when it is asked for: name, what of, value."""
        system = self._settings.system
        if self.windows is not None:
            yield "plimsoll_window_keys", system, self.windows.held
            yield "plimsoll_window_missed", system, self.windows.missed
        if self.admission.watching is not None:
            yield from self.admission.watching.gauges()
        if self.room is not None:
            filling = self.room.watched()
            yield "plimsoll_quarantine_waiting", system, filling.records
            yield "plimsoll_quarantine_full", system, float(filling.is_full)

    def close(self, rules: Mapping[str, SourceRule]) -> None:
        """End what follows and watches, and hand what is still to be told to the recorder.

        Args:
            rules: of the sources as the live release declares them.

        Raises:
            StoreError: the store could not be asked or written; everything is closed nevertheless.
        """
        with contextlib.ExitStack() as steps:  # the last one first, each of them whatever becomes of the others
            steps.callback(self._tell_the_rest)
            if self.room is not None:
                steps.callback(self.room.close)
            if self.windows is not None:
                steps.callback(self.windows.close)
            if rules:
                steps.callback(self.admission.arrivals.look, rules, at_end=True)

    def _tell_the_rest(self) -> None:
        for entry in () if self.admission.watching is None else self.admission.watching.rest():
            self._recorder.note(entry)


def _process() -> str:
    """Under which name this guard counts: two guards of one process count apart, and so do two of one id."""
    return f"{os.getpid()}-{time.time_ns():x}"

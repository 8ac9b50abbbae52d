"""One decision on its way through the guard: what is known of it so far."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec

from plimsoll.guard.intake import Intake
from plimsoll.guard.said import Thing
from plimsoll.guard.settings import GuardedType
from plimsoll.guard.windows import Taken
from plimsoll.model.cited import Cited
from plimsoll.model.decision import NO_JSON, Disposition, Reason, Result, StepRecord, StreamRecord, Verdict
from plimsoll.model.egress import EgressNote
from plimsoll.model.input_note import InputRecord
from plimsoll.model.principal import Principal
from plimsoll.policy import Admitted

NS: Final = time.perf_counter_ns


class Pours(Protocol):
    """Takes an answer in pieces."""

    @property
    def has_begun(self) -> bool:
        """Whether anything may have left already."""
        ...

    @property
    def cut(self) -> str:
        """Why it was cut off, by which rule; "" when it was not."""
        ...

    def for_attempt(self) -> Callable[[Any], Awaitable[None]]:
        """What takes the pieces of one more attempt."""
        ...

    def record(self, *, is_answer: bool) -> StreamRecord | None:
        """What the record says of it."""
        ...


class Trial(msgspec.Struct, kw_only=True):
    """One step of the way to an answer, under way."""

    name: str
    started: int
    ended: int = 0  # 0: it has not ended
    why: str = ""
    attempts: int = 0
    failed: tuple[str, ...] = ()
    no_retry: str = ""
    error: str = ""
    output: bytes | None = None  # what was not let out
    admitted: Admitted | None = None  # what the target may be told of the record; None: all of it


class Passage(msgspec.Struct, kw_only=True):
    """Lives for one call, in one thread or task. Times are of the clock `NS`."""

    type: str
    kind: GuardedType | None
    source: str
    subject: str | None
    principal: Principal | None = None  # who asks, and with whose permissions the target looks things up
    key: str
    replay_of: str
    started: int
    until: int | None  # when the caller stops waiting; None: never
    hurried: bool = False  # the caller waits less long than was declared for everybody
    intake: Intake
    value: Any = None
    disposition: Disposition = Disposition.FAILED
    via: str = "live"
    route: str = ""  # by which way it came to this release, where that is not the live one: "canary"
    sink: Pours | None = None  # where the answer's pieces go as they come
    hold: str = ""  # why a person takes it without any target being asked; "" where nothing says so
    why: str = ""
    asked: int = 0  # attempts at targets
    trials: tuple[Trial, ...] = ()  # the steps of its way; none where the target answered at once
    target_ns: int = 0
    waited_ns: int = 0
    retry_after_s: float | None = None
    offset: str = ""  # where the record stood in its feed
    contract: str = ""
    contract_version: str = ""
    has_room: bool | None = None  # broken, and counted as waiting; False: there was no room; None: nobody asked
    turned_away: bool = False  # broken, and not kept: too much waits in quarantine already
    taken: Taken | None = None  # the keys of the record, where its contract compares records with each other
    is_copy: bool = False  # of a decision that another release took: it counts for nothing, and takes no keys
    verdict: Verdict = Verdict.NONE
    coerced: tuple[str, ...] = ()
    broken: tuple[Reason, ...] = ()
    input_note: InputRecord | None = None
    is_judged: bool = False  # its input was held against what its source has promised
    is_good: bool = False  # its input may stand in for a later one of its source
    thing: Thing | None = None  # what its input says of what, where other sources speak of it, too
    result: Result | None = None
    output: bytes | None = None
    output_verdict: Verdict = Verdict.NONE
    output_broken: tuple[Reason, ...] = ()
    cited: tuple[Cited, ...] = ()
    answer_egress: EgressNote | None = None
    error: str = ""

    @property
    def way(self) -> str:
        """The path that answered, as record and answer name it."""
        return self.route if self.route and self.via == "live" else self.via

    def end(self, disposition: Disposition, why: str) -> None:
        """This is how it ends, unless something ends it otherwise."""
        self.disposition = disposition
        self.why = why

    def left_s(self, now: int) -> float | None:
        """Seconds that the caller still waits; None: as long as it takes."""
        return None if self.until is None else (self.until - now) / 1e9

    def steps(self) -> tuple[StepRecord, ...]:
        """The way so far, for the record; nothing where the target answered at once."""
        trials = self.trials
        if not trials or (
            len(trials) == 1
            and trials[0].attempts == 1
            and not trials[0].why
            and self.result is not None
            and trials[0].admitted is None
        ):
            return ()
        now = NS()
        return tuple(
            StepRecord(
                name=trial.name,
                why=trial.why if trial.ended else self.why,  # what ended the passage ended the step it was in
                attempts=trial.attempts,
                us=((trial.ended or now) - trial.started) / 1000,
                failed=trial.failed,
                no_retry=trial.no_retry,
                error=trial.error,
                output=NO_JSON if trial.output is None or trial.output is self.output else msgspec.Raw(trial.output),
                egress=None if trial.admitted is None else trial.admitted.note,
            )
            for trial in trials
        )

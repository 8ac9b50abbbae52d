"""The guard: one passage of a record through everything that production needs, and its entry in the ledger."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar

import msgspec

from plimsoll.contract import Checker
from plimsoll.contract.arrivals import SourceRule
from plimsoll.errors import UsageError
from plimsoll.guard.addressee import ANSWER, Addressee
from plimsoll.guard.arrivals import SourceHealth
from plimsoll.guard.border import Border
from plimsoll.guard.entrance import Entrance
from plimsoll.guard.health import Health
from plimsoll.guard.intake import take_in
from plimsoll.guard.lanes import Lanes
from plimsoll.guard.left_open import STARTED, Started
from plimsoll.guard.once import Once
from plimsoll.guard.outlet import Outlet
from plimsoll.guard.passage import NS, Passage
from plimsoll.guard.path import Path
from plimsoll.guard.quarantine_room import QuarantineRoom
from plimsoll.guard.recall import Recall
from plimsoll.guard.record import answer_of, cost_in, draft_of
from plimsoll.guard.recorder import Recorder
from plimsoll.guard.settings import GuardSettings
from plimsoll.guard.spend import Spend
from plimsoll.guard.stream import Sink, Streamed
from plimsoll.guard.target import PythonTarget, Target
from plimsoll.guard.used import Used
from plimsoll.guard.ways import FROM_THREAD, ON_LOOP, finish
from plimsoll.ledger import Draft, Entry, Follower, Ledger, Reservation
from plimsoll.model.decision import Answer, Disposition, StepRecord, Tier
from plimsoll.model.principal import Principal

R = TypeVar("R")
_OFFSET: Final = 200  # characters; a place in a feed, and not a second record
_LONGEST_S: Final = 1e8  # three years; more would not fit into what clocks count in
_NONE: Final[Mapping[str, Target]] = MappingProxyType({})
_NO_RULES: Final[Mapping[str, SourceRule]] = MappingProxyType({})


class Guard:
    """Runs decisions of one system. Made from a manifest by ``plimsoll.Guard.open``.

    Safe to use from several threads and event loops at once, and after a fork. The steps of a decision stand in modules
    of their own: `admission`, `path` with `lane` and `call`, `outlet`, `record`.
    """

    _followed: tuple[str, ...] = ("control",)  # kinds of entries that steer it

    def __init__(
        self,
        settings: GuardSettings,
        *,
        ledger: Ledger,
        target: Target,
        inputs: Mapping[str, Checker],
        default_input: Checker | None,
        output: Checker | None,
        hold_to_release: Callable[[Callable[..., Any]], None] | None = None,
        border: Border | None = None,
        addressee: Addressee | None = None,
        others: Mapping[str, Target] = _NONE,
        spend: Spend | None = None,
        chance: Callable[[], float] = random.random,
        source_rules: Mapping[str, SourceRule] = _NO_RULES,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Put together from parts; `plimsoll.Guard.open` does it from a manifest.

        Args:
            settings: see `GuardSettings`.
            ledger: where every decision is recorded; it is closed by who opened it.
            target: what answers; closed with the guard.
            inputs: the contract of each declared source, by source name.
            default_input: the contract of every other source; None: such input is not checked.
            output: the contract of what leaves; None: it is not checked.
            hold_to_release: raises `UsageError` when the release does not cover a function's code; None: nobody can
                tell, so no function can be wrapped.
            border: rules on what a target may be told of a record, before each; None: nothing is ruled on.
            addressee: rules on what who asks may be told; None: nothing does.
            others: the targets of the fallback chain, by the names of their steps. Looked up whenever one is needed,
                so that it may change; those that are in it last are closed with the guard.
            spend: asked before each attempt, closed with the guard; None: calls cost nothing that is counted.
            chance: draws uniformly from [0, 1), for the pauses before retries.
            source_rules: what sources have promised, and what stands in for them, by source name.
            clock_ns: UTC nanoseconds, by which the age of records and the silence of sources count.
        """
        self.settings = settings
        self.ledger = ledger
        self._hold_to_release = hold_to_release
        self._spend = spend
        self.used = Used()
        self._outlet = Outlet(output, settings.knowledge, addressee)
        self._once = Once(ledger, settings.system)
        self._recorder = Recorder(ledger, self._once, system=settings.system, batched=settings.batched)
        self._entrance = Entrance(
            settings, ledger, self._recorder, inputs, default_input, output, rules=source_rules, clock_ns=clock_ns
        )
        self._admission = self._entrance.admission
        self._recall = Recall(ledger, settings)
        self._lanes = Lanes(
            settings,
            self._outlet,
            others,
            changed=self._recorder.note,
            chance=chance,
            spend=spend,
            border=border,
        )
        self._live = self._lanes.path_to(target)
        self._follower: Follower | None = None
        self._pid = os.getpid()
        self._follow()

    # -- the calls

    def decide(
        self,
        type: str,  # noqa: A002 - the word the manifest uses
        input: Any,  # noqa: A002 - the word the manifest uses
        *,
        subject: str | None = None,
        source: str = "",
        key: str = "",
        replay_of: str = "",
        deadline_s: float | None = None,
        principal: Principal | None = None,
        offset: str = "",
    ) -> Answer:
        """Take one decision, record it, and answer.

        Args:
            type: the decision type, as named in the manifest. An undeclared one is refused, and recorded.
            input: the record: bytes holding one JSON value, or a value (dictionary, NumPy arrays inside it and all).
            subject: the person or case it is about; payloads are encrypted under the subject's own key.
            source: which declared source it came from; it chooses the contract.
            key: idempotency key: the same key and input give the recorded answer again, without a second decision.
                A decision that was shed leaves the key free.
            replay_of: the quarantined record that this one mends.
            deadline_s: seconds that this caller waits at most, above 0; it can shorten the declared deadline and not
                extend it. The time that the record takes to be written comes on top, and is never cut.
            principal: who asks. An answer that rests on a source that they may not see is refused; None: nobody knows,
                and everything but what is open to all is closed.
            offset: where the record stood in its feed, such as ``claims.jsonl:17``; recorded, up to 200 characters.

        Returns:
            The answer; its record is durable, unless the manifest says ``durability: batched``.

        Raises:
            StoreError: the record could not be written; no answer is given, and nothing of it leaves.
            UsageError: the key was used before with another input, or by a call that has not ended; or the deadline is
                no time.
        """
        asked = (type, input, subject, source, key, replay_of, deadline_s)
        return self._decide(self._live, *asked, principal=principal, offset=offset)

    def shadow(
        self,
        type: str,  # noqa: A002 - the word the manifest uses
        input: Any,  # noqa: A002 - the word the manifest uses
        *,
        of: str,
        subject: str | None = None,
        source: str = "",
        principal: Principal | None = None,
    ) -> str:
        """Take a copy of a decision that another release has taken; nothing of it is released.

        It is an entry of the kind ``shadow`` that refers to the decision, and is no decision itself.

        Args:
            type: as of the decision.
            input: as of the decision.
            of: the id of the decision's record.
            subject: as of the decision; erasing the subject erases the copy.
            source: as of the decision.
            principal: as of the decision.

        Returns:
            The id of the entry.
        """
        passage = self._begin(type, input, subject, source, "", "", None)
        passage.principal, passage.is_copy = principal, True
        draft = self._drafted(passage)
        return self.ledger.append(msgspec.structs.replace(draft, kind="shadow", header=None, refs=(of,)))

    def draft_replay(
        self,
        type: str,  # noqa: A002 - the word the manifest uses
        input: Any,  # noqa: A002 - the word the manifest uses
        *,
        replay_of: str,
        subject: str | None = None,
        source: str = "",
        offset: str = "",
    ) -> tuple[Draft, Passage] | None:
        """Take a decision on a quarantined record and leave it to the caller to record it, with others of its kind.

        It counts once it is written, and `settle` is told; the target was asked all the same. As a shadow, it is not
        among what is `used`.

        Args:
            type: as of the record.
            input: what stands for the record now.
            replay_of: the id of the record.
            subject: as of the record.
            source: as of the record.
            offset: as of the record.

        Returns:
            The entry to write, and how the decision went; None where the record still breaks its contract, and nothing
            was asked of the target.
        """
        passage = self._begin(type, input, subject, source, "", replay_of, None)
        passage.offset = offset
        draft = self._drafted(passage)
        return None if passage.disposition is Disposition.QUARANTINED else (draft, passage)

    def settle(self, passage: Passage, record: str) -> None:
        """What became of a drafted decision: the id of its entry; "" where it was not written."""
        self._admission.settle(passage, record)

    def _drafted(self, passage: Passage) -> Draft:
        if self._admission.needs_target(passage) and not self._live.at_once(passage):
            finish(self._live.follow(passage, FROM_THREAD))
        return draft_of(passage, self.settings, passage.steps())

    def _decide(
        self,
        path: Path,
        type_: str,
        given: Any,
        subject: str | None = None,
        source: str = "",
        key: str = "",
        replay_of: str = "",
        deadline_s: float | None = None,
        via: str = "",
        hold: str = "",
        principal: Principal | None = None,
        offset: str = "",
    ) -> Answer:
        passage = self._begin(type_, given, subject, source, key, replay_of, deadline_s)
        passage.principal, passage.offset = principal, offset[:_OFFSET]
        passage.route, passage.hold = via, hold
        mine: Reservation | None = None
        if key:
            begun = self._once.begin(type_, key, passage.intake)
            if isinstance(begun, str):
                return self._recall.again(begun, key, principal)
            mine = begun
        try:
            if self._admission.needs_target(passage) and not path.at_once(passage):
                finish(path.follow(passage, FROM_THREAD))
        except KeyboardInterrupt:
            passage.end(Disposition.FAILED, "interrupted")
            self._write(passage, passage.steps(), mine)
            raise
        steps = passage.steps()
        record = self._write(passage, steps, mine)
        self.used.add(self.settings.release, passage, cost_in(passage, self.settings.prices))
        return answer_of(passage, self.settings.release, record, steps)

    async def adecide(
        self,
        type: str,  # noqa: A002 - the word the manifest uses
        input: Any,  # noqa: A002 - the word the manifest uses
        *,
        subject: str | None = None,
        source: str = "",
        key: str = "",
        replay_of: str = "",
        deadline_s: float | None = None,
        principal: Principal | None = None,
        offset: str = "",
    ) -> Answer:
        """As `decide`, for an event loop: the same path without a thread hop, waiting for the disk by ``await``.

        A synchronous target without a deadline runs in the loop's own thread. A call that is cancelled on its way is
        recorded as failed.
        """
        asked = (type, input, subject, source, key, replay_of, deadline_s)
        return await self._adecide(*asked, principal=principal, offset=offset)

    def stream(
        self,
        type: str,  # noqa: A002 - the word the manifest uses
        input: Any,  # noqa: A002 - the word the manifest uses
        *,
        subject: str | None = None,
        source: str = "",
        deadline_s: float | None = None,
        principal: Principal | None = None,
    ) -> Streamed:
        """Take one decision whose answer leaves in pieces, as the target makes it.

        That the stream began is on record before its first byte leaves. The decision's own record ends it, and says
        what was inspected up to which byte. A type that a person may have to release gives no pieces: its answer is
        whole, or held. The same holds for a target that does not stream; where an output contract or `knowledge` is
        declared, since what an answer is and rests on is known at its end; and where the governance page changes or
        holds what who asks is told. What the page forbids them cuts the stream before it leaves.

        Args:
            type: as for `decide`.
            input: as for `decide`.
            subject: as for `decide`.
            source: as for `decide`.
            deadline_s: as for `decide`; it holds for the whole stream.
            principal: as for `decide`.
        """
        sink = Sink(self.ledger)

        async def decided() -> Answer:
            try:
                return await self._adecide(
                    type, input, subject, source, "", "", deadline_s, sink=sink, principal=principal
                )
            finally:
                await sink.end()

        return Streamed(sink, asyncio.ensure_future(decided()))

    async def _adecide(
        self,
        type: str,  # noqa: A002 - the word the manifest uses
        input: Any,  # noqa: A002 - the word the manifest uses
        subject: str | None,
        source: str,
        key: str,
        replay_of: str,
        deadline_s: float | None,
        via: str = "",
        hold: str = "",
        sink: Sink | None = None,
        principal: Principal | None = None,
        offset: str = "",
    ) -> Answer:
        passage = self._begin(type, input, subject, source, key, replay_of, deadline_s)
        passage.principal, passage.offset = principal, offset[:_OFFSET]
        passage.route, passage.hold, passage.sink = via, hold, None if sink is None else self._opened(sink, passage)
        mine: Reservation | None = None
        if key:
            begun = await asyncio.to_thread(self._once.begin, type, key, passage.intake)
            if isinstance(begun, str):
                return self._recall.again(begun, key, principal)
            mine = begun
        try:
            if self._admission.needs_target(passage) and not self._live.at_once(passage):
                await self._live.follow(passage, ON_LOOP)
            if sink is not None and passage.disposition is Disposition.ANSWERED:
                await sink.rest()
                if sink.cut:
                    passage.end(Disposition.REFUSED, f"{ANSWER}: {sink.cut}")
        except (asyncio.CancelledError, KeyboardInterrupt) as why:
            cancelled = isinstance(why, asyncio.CancelledError)
            passage.end(Disposition.FAILED, "cancelled by the caller" if cancelled else "interrupted")
            self._write(passage, passage.steps(), mine, _end_of(sink))
            raise
        steps = passage.steps()
        try:
            record = await self._recorder.awrite(draft_of(passage, self.settings, steps), mine, _end_of(sink))
        except BaseException:
            self._admission.settle(passage, "")
            raise
        self._admission.settle(passage, record)
        self.used.add(self.settings.release, passage, cost_in(passage, self.settings.prices))
        return answer_of(passage, self.settings.release, record, steps)

    def _write(
        self,
        passage: Passage,
        steps: tuple[StepRecord, ...],
        mine: Reservation | None,
        also: tuple[Draft, ...] = (),
    ) -> str:
        """Record a decision; what cannot be recorded was not decided, and may come again."""
        try:
            record = self._recorder.write(draft_of(passage, self.settings, steps), mine, also)
        except BaseException:
            self._admission.settle(passage, "")
            raise
        self._admission.settle(passage, record)
        return record

    def _opened(self, sink: Sink, passage: Passage) -> Sink | None:
        """The sink, where the answer may leave in pieces by the rules of the release that gives it."""
        ruling = self._outlet.on_text
        if passage.kind is None or passage.kind.tier is not Tier.AUTOMATIC or ruling.whole:
            return None
        started = Draft(
            kind=STARTED,
            system=self.settings.system,
            subject=passage.subject,
            body=msgspec.json.encode(
                Started(
                    release=self.settings.release,
                    type=passage.type[:80],
                    deadline_s=None if passage.until is None else (passage.until - passage.started) / 1e9,
                )
            ),
        )
        sink.open(started, ruling.cut)
        return sink

    def decision(self, type: str) -> Callable[[Callable[[Any], R]], Callable[[Any], Answer]]:  # noqa: A002
        """Wrap a function of one record, so that calling it takes a guarded decision of this type.

        The function takes the place of the manifest's target for these calls. The record names the release, so the
        function's code must be of it: in a file of the target's package, or one that ``target.artifacts`` names.

        Raises:
            UsageError: when it wraps a function whose code the release does not cover; with the file that it is in.
        """

        def wrap(function: Callable[[Any], R]) -> Callable[[Any], Answer]:
            if self._hold_to_release is None:
                raise UsageError(
                    "this guard was put together without a release that a function could be held to",
                    fix='open it from a manifest: `Guard.open("plimsoll.yaml")`',
                )
            self._hold_to_release(function)
            path = self._lanes.path_to(PythonTarget(function, getattr(function, "__qualname__", "function")))

            @functools.wraps(function)
            def guarded(record: Any) -> Answer:
                return self._decide(path, type, record)

            return guarded

        return wrap

    def _begin(
        self,
        type_: str,
        given: Any,
        subject: str | None,
        source: str,
        key: str,
        replay_of: str,
        deadline_s: float | None,
    ) -> Passage:
        started = NS()
        if self._pid != os.getpid():
            self._after_fork()
        waits_s, hurried = self.settings.deadline_s, False
        if deadline_s is not None:
            waits_s, hurried = _waits(deadline_s, waits_s)
        return Passage(
            type=type_,
            kind=self.settings.types.get(type_),
            source=source,
            subject=subject,
            key=key,
            replay_of=replay_of,
            started=started,
            until=None if waits_s is None else started + int(waits_s * 1e9),
            hurried=hurried,
            intake=take_in(given),
        )

    def checker_of(self, source: str) -> Checker | None:
        """The contract that records of a source are held against; None: they are not checked."""
        return self._admission.checker_of(source)

    @property
    def recall(self) -> Recall:
        """Reads earlier decisions back."""
        return self._recall

    def health(self) -> Health:
        """How the targets stand in this process, and whether the record keeps up."""
        trouble = self.ledger.trouble
        return Health(
            targets=self._lanes.health(),
            unrecorded=self._recorder.unrecorded,
            trouble="" if trouble is None else str(trouble),
        )

    @property
    def quarantine_room(self) -> QuarantineRoom | None:
        """Whether one more broken record may wait in quarantine; None: it always may."""
        return self._entrance.room

    @property
    def forgotten(self) -> Mapping[str, int]:
        """By source, keys that its window let go of before they were as old as the contract's window says."""
        return {} if self._entrance.windows is None else self._entrance.windows.forgotten

    def gauges(self) -> Iterator[tuple[str, str, float]]:
        """What is measured when it is asked for: name, what of, value."""
        yield from self._entrance.gauges()

    # -- its sources

    def sources(self) -> tuple[SourceHealth, ...]:
        """How the sources stand that have promised something, or for which something stands in.

        Raises:
            StoreError: the ledger cannot be asked what has come in other processes.
        """
        return self._admission.arrivals.health(self._source_rules)

    def look_at_sources(self) -> None:
        """Record sources that have fallen silent, and that speak again; `plimsoll serve` looks every second.

        Silence is the one trouble that no decision brings to light.

        Raises:
            StoreError: it could not be written.
        """
        if self._source_rules:
            self._admission.arrivals.look(self._source_rules)

    def forget_sources(self) -> None:
        """As if no record had come from any source yet; for a staging copy in which they are cut."""
        self._admission.arrivals.good.forget()
        self._admission.arrivals.begin_anew()

    @property
    def _source_rules(self) -> Mapping[str, SourceRule]:
        return self._admission.rules

    # -- its targets

    @property
    def target(self) -> Target:
        """What is asked first."""
        return self._live.lane.target

    @property
    def others(self) -> Mapping[str, Target]:
        """The targets of the fallback chain, by the names of their steps."""
        return self._lanes.others

    def stand_by(self, others: Mapping[str, Target]) -> None:
        """From now on, these are the targets of the fallback chain."""
        self._lanes.others = others

    # -- what steers it

    def _follow(self) -> None:
        """Obey the control entries there are, and those that come, from any process."""
        start: dict[str, int] = {}
        for entry in self.ledger.entries(kinds=self._followed, system=self.settings.system):
            self._take_in(entry)
            start[entry.stream] = entry.seq
        self._follower = self.ledger.follow(self._followed, self._on_entry, after=start)
        self._entrance.follow()

    def _on_entry(self, entry: Entry) -> None:
        if entry.system == self.settings.system:
            self._take_in(entry)

    def _take_in(self, entry: Entry) -> None:
        self._admission.controls.add(entry, self.ledger)

    @property
    def is_steered(self) -> bool:
        """Whether control entries reach this guard."""
        follower = self._follower
        return follower is not None and follower.error is None and follower.trouble is None

    def _after_fork(self) -> None:
        self._pid = os.getpid()
        self._lanes.begin_anew()
        self._recorder.forget()
        self._entrance.begin_anew()
        self._follow()

    def close(self) -> None:
        """Stop following, let go of threads and targets. Records that wait are made durable by the ledger's own close.

        Raises:
            StoreError: a change of a breaker could not be written; everything is closed nevertheless.
        """
        mine = self._pid == os.getpid()
        with contextlib.ExitStack() as steps:  # the last one first, each of them whatever becomes of the others
            if mine:
                steps.callback(self._recorder.flush)
                steps.callback(self._entrance.close, self._source_rules if self._follower is not None else {})
                if self._spend is not None:
                    steps.callback(self._spend.close)
            steps.callback(self._lanes.close, with_targets=mine)
            if self._follower is not None and mine:
                follower, self._follower = self._follower, None
                steps.callback(follower.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end_of(sink: Sink | None) -> tuple[Draft, ...]:
    return () if sink is None else sink.end_to_record


def _waits(given_s: float, declared_s: float | None) -> tuple[float, bool]:
    """Seconds that a caller waits who says for how long, and whether that is less than was declared for everybody.

    Raises:
        UsageError: it is no time.
    """
    if not isinstance(given_s, int | float) or isinstance(given_s, bool) or not 0 < given_s <= _LONGEST_S:
        raise UsageError(f"deadline_s is {given_s!r}", fix="give seconds above 0, or leave it out")
    if declared_s is None:
        return given_s, False
    return min(given_s, declared_s), given_s < declared_s

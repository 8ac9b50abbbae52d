"""The guard: one passage of a record through everything that production needs, and its entry in the ledger."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Self, TypeVar

import msgspec

from plimsoll.contract import Checker
from plimsoll.errors import UsageError
from plimsoll.guard.call import Called, Caller, said
from plimsoll.guard.controls import Controls
from plimsoll.guard.intake import Intake, take_in, to_json
from plimsoll.guard.once import Once
from plimsoll.guard.target import PythonTarget, as_result
from plimsoll.ledger import Draft, Entry, Follower, Header, Ledger, Reservation, Taken
from plimsoll.model.decision import (
    NO_JSON,
    Answer,
    DecisionRecord,
    Disposition,
    Fault,
    Reason,
    Result,
    Tier,
    Verdict,
)
from plimsoll.policy import why_held

R = TypeVar("R")
NS: Final = time.perf_counter_ns


class GuardedType(msgspec.Struct, frozen=True, kw_only=True):
    """What the guard needs to know of one decision type."""

    name: str
    tier: Tier
    accountable: str
    review_below: float | None  # in (0, 1]
    next: str  # who has it when it is not answered


class GuardSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the guard was told, parsed."""

    system: str
    release: str
    types: Mapping[str, GuardedType]
    deadline_s: float | None = None
    concurrency: int = 16
    hold_on_failure: bool = False  # a person takes what the target did not answer
    batched: bool = False
    seal: bool = True  # encrypt what is recorded
    run: str = ""  # id of the assessment this guard measures for; "" in earnest
    rehearsal: bool = False  # it measures load: what it quarantines waits for nobody


class _Passage(msgspec.Struct, kw_only=True):
    """One decision on its way: what is known of it so far. Lives for one call, in one thread or task."""

    type: str
    kind: GuardedType | None
    source: str
    subject: str | None
    key: str
    replay_of: str
    started: int
    intake: Intake
    value: Any = None
    disposition: Disposition = Disposition.FAILED
    via: str = "live"
    why: str = ""
    called: bool = False
    target_ns: int = 0
    contract: str = ""
    verdict: Verdict = Verdict.NONE
    coerced: tuple[str, ...] = ()
    broken: tuple[Reason, ...] = ()
    result: Result | None = None
    output: bytes | None = None
    output_verdict: Verdict = Verdict.NONE
    output_broken: tuple[Reason, ...] = ()
    error: str = ""


class Guard:
    """Runs decisions of one system. Made from a manifest by ``plimsoll.Guard.open``.

    Safe to use from several threads and event loops at once, and after a fork.
    """

    def __init__(
        self,
        settings: GuardSettings,
        *,
        ledger: Ledger,
        target: PythonTarget,
        inputs: Mapping[str, Checker],
        default_input: Checker | None,
        output: Checker | None,
        hold_to_release: Callable[[Callable[..., Any]], None] | None = None,
    ) -> None:
        """Put together from parts; `plimsoll.Guard.open` does it from a manifest.

        Args:
            settings: see `GuardSettings`.
            ledger: where every decision is recorded; it is closed by who opened it.
            target: what answers.
            inputs: the contract of each declared source, by source name.
            default_input: the contract of every other source; None: such input is not checked.
            output: the contract of what leaves; None: it is not checked.
            hold_to_release: raises `UsageError` when the release does not cover a function's code; None: nobody can
                tell, so no function can be wrapped.
        """
        self.settings = settings
        self.ledger = ledger
        self._caller = Caller(target, deadline_s=settings.deadline_s, concurrency=settings.concurrency)
        self._callers = [self._caller]  # and one for each wrapped function
        self._inputs = inputs
        self._default_input = default_input
        self._output = output
        self._hold_to_release = hold_to_release
        self._once = Once(ledger, settings.system)
        self._controls = Controls()
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
    ) -> Answer:
        """Take one decision, record it, and answer.

        Args:
            type: the decision type, as named in the manifest. An undeclared one is refused, and recorded.
            input: the record: bytes holding one JSON value, or a value (dictionary, NumPy arrays inside it and all).
            subject: the person or case it is about; payloads are encrypted under the subject's own key.
            source: which declared source it came from; it chooses the contract.
            key: idempotency key: the same key and input give the recorded answer again, without a second decision.
            replay_of: the quarantined record that this one mends.

        Returns:
            The answer; its record is durable, unless the manifest says ``durability: batched``.

        Raises:
            StoreError: the record could not be written; no answer is given, and nothing of it leaves.
            UsageError: the key was used before with another input, or by a call that has not ended.
        """
        return self._decide(self._caller, type, input, subject, source, key, replay_of)

    def _decide(
        self,
        caller: Caller,
        type_: str,
        given: Any,
        subject: str | None = None,
        source: str = "",
        key: str = "",
        replay_of: str = "",
    ) -> Answer:
        passage = self._admit(type_, given, subject, source, key, replay_of)
        mine: Reservation | None = None
        if key:
            begun = self._once.begin(type_, key, passage.intake)
            if isinstance(begun, str):
                return self.recorded(begun)
            mine = begun
        try:
            if self._needs_target(passage):
                passage.called = True
                self._settle(passage, caller.call(passage.value))
        except KeyboardInterrupt:
            _end(passage, Disposition.FAILED, "interrupted")
            self._write(passage, mine)
            raise
        return self._answer(passage, self._write(passage, mine))

    def _write(self, passage: _Passage, mine: Reservation | None) -> str:
        draft = self._draft(passage)
        if mine is not None:
            try:
                return self.ledger.append(draft, self._once.end(mine))
            except (
                Taken
            ):  # it took longer than its lease and somebody else has the key now: it is recorded all the same
                return self.ledger.append(draft)
        if self.settings.batched:
            return self.ledger.enqueue(draft)
        return self.ledger.append(draft)

    async def adecide(
        self,
        type: str,  # noqa: A002 - the word the manifest uses
        input: Any,  # noqa: A002 - the word the manifest uses
        *,
        subject: str | None = None,
        source: str = "",
        key: str = "",
        replay_of: str = "",
    ) -> Answer:
        """As `decide`, for an event loop: the same path without a thread hop, waiting for the disk by ``await``.

        A synchronous target without a deadline runs in the loop's own thread. A call that is cancelled on its way is
        recorded as failed.
        """
        passage = self._admit(type, input, subject, source, key, replay_of)
        mine: Reservation | None = None
        if key:
            begun = await asyncio.to_thread(self._once.begin, type, key, passage.intake)
            if isinstance(begun, str):
                return self.recorded(begun)
            mine = begun
        try:
            if self._needs_target(passage):
                passage.called = True
                self._settle(passage, await self._caller.acall(passage.value))
        except asyncio.CancelledError:
            _end(passage, Disposition.FAILED, "cancelled by the caller")
            self._write(passage, mine)
            raise
        draft = self._draft(passage)
        if mine is not None:
            record = await asyncio.to_thread(self._write, passage, mine)
        elif self.settings.batched:
            record = self.ledger.enqueue(draft)
        else:
            record = await self.ledger.aappend(draft)
        return self._answer(passage, record)

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
            target = PythonTarget(function, getattr(function, "__qualname__", "function"))
            caller = Caller(target, deadline_s=self.settings.deadline_s, concurrency=self.settings.concurrency)
            self._callers.append(caller)

            @functools.wraps(function)
            def guarded(record: Any) -> Answer:
                return self._decide(caller, type, record)

            return guarded

        return wrap

    # -- the steps, in order

    def _admit(
        self,
        type_: str,
        given: Any,
        subject: str | None,
        source: str,
        key: str,
        replay_of: str,
    ) -> _Passage:
        started = NS()
        if self._pid != os.getpid():
            self._after_fork()
        return _Passage(
            type=type_,
            kind=self.settings.types.get(type_),
            source=source,
            subject=subject,
            key=key,
            replay_of=replay_of,
            started=started,
            intake=take_in(given),
        )

    def _needs_target(self, passage: _Passage) -> bool:
        """Everything before the call. False: how it ends is already decided, and the model is never called."""
        if passage.kind is None:
            return _end(passage, Disposition.REFUSED, f"{passage.type[:80]!a} is not a declared decision type")
        if not self._keeps_contract(passage):
            return _end(passage, Disposition.QUARANTINED, "contract" if passage.contract else "unreadable")
        if passage.kind.tier is Tier.HUMAN_ONLY:
            return _end(passage, Disposition.HELD, "human-only")
        stopped = self._controls.obeyed.stop_reason(passage.type)
        if stopped:
            return _end(passage, Disposition.HELD, f"human-only: {stopped}")
        return True

    def _keeps_contract(self, passage: _Passage) -> bool:
        intake = passage.intake
        checker = self._inputs.get(passage.source, self._default_input)
        if checker is not None:
            passage.contract = checker.label
        if intake.reasons:
            passage.verdict, passage.broken = Verdict.BROKEN, intake.reasons
            return False
        if checker is None:
            passage.value = intake.value
            return True
        checked = checker.check(intake.value)
        if checked.reasons and not intake.parsed:
            # Tuples, arrays, dates and bytes are not JSON to the checker; what counts is what they are recorded as.
            checked = checker.check(intake.plain())
        passage.value = intake.value if not checked.coerced else checked.value
        passage.coerced = checked.coerced
        passage.broken = checked.reasons
        if checked.reasons:
            passage.verdict = Verdict.BROKEN
            return False
        passage.verdict = Verdict.COERCED if checked.coerced else Verdict.VALID
        return True

    def _settle(self, passage: _Passage, called: Called) -> None:
        """Everything after the call: output contract, then tier."""
        passage.target_ns = called.ns
        if called.why:
            passage.error = called.error
            self._unanswered(passage, called.why)
            return
        try:
            result = as_result(called.returned)
            passage.output = to_json(result.output)
            if result.sources or result.reasons or result.usage:
                _encode((result.sources, result.reasons, result.usage))  # what cannot be recorded is no answer
            passage.result = result
        except Exception as why:  # noqa: BLE001 - what a target returns can fail in any way when it is looked at
            passage.output, passage.error = None, said(why)
            self._unanswered(passage, "output-type")
            return
        if self._output is not None:
            checked = self._output.check(result.output)
            if checked.reasons:
                checked = self._output.check(msgspec.json.decode(passage.output))
            elif checked.coerced:
                result = msgspec.structs.replace(result, output=checked.value)
                passage.result, passage.output = result, to_json(checked.value)
            passage.output_broken = checked.reasons
            passage.output_verdict = Verdict.BROKEN if checked.reasons else Verdict.VALID
            if checked.reasons:
                self._unanswered(passage, "output-contract")
                return
        assert passage.kind is not None, "an undeclared type is refused before the call"
        held = why_held(passage.kind.tier, result.confidence, passage.kind.review_below)
        if held:
            _end(passage, Disposition.HELD, held)
        else:
            _end(passage, Disposition.ANSWERED, "")

    def _unanswered(self, passage: _Passage, why: str) -> None:
        if self.settings.hold_on_failure:
            passage.via = "fallback:hold"
            _end(passage, Disposition.HELD, why)
        else:
            _end(passage, Disposition.FAILED, why)

    # -- the record and the answer

    def _draft(self, passage: _Passage) -> Draft:
        intake, result, kind = passage.intake, passage.result, passage.kind
        spent = NS() - passage.started - passage.target_ns
        record = DecisionRecord(
            release=self.settings.release,
            disposition=passage.disposition,
            via=passage.via,
            why=passage.why,
            source=passage.source,
            contract=passage.contract,
            verdict=passage.verdict,
            coerced=passage.coerced,
            broken=passage.broken,
            input=NO_JSON if intake.json is None else msgspec.Raw(intake.json),
            raw="" if intake.json is not None else intake.raw_base64,
            output=NO_JSON if passage.output is None else msgspec.Raw(passage.output),
            output_verdict=passage.output_verdict,
            output_broken=passage.output_broken,
            confidence=None if result is None else result.confidence,
            review_below=None if kind is None else kind.review_below,
            sources=() if result is None else result.sources,
            reasons=() if result is None else result.reasons,
            usage={} if result is None else result.usage,
            error=passage.error,
            accountable="" if kind is None else kind.accountable,
            guard_us=spent / 1000,
            target_us=passage.target_ns / 1000,
            durability="batched" if self.settings.batched else "before-answer",
            key=passage.key,
            replay_of=passage.replay_of,
            run=self.settings.run,
            rehearsal=self.settings.rehearsal,
        )
        return Draft(
            kind="decision",
            body=_encode(record),
            system=self.settings.system,
            subject=passage.subject,
            refs=(passage.replay_of,) if passage.replay_of else (),
            header=Header(
                type=passage.type[:80].encode("utf-8", "replace").decode(),
                tier="undeclared" if kind is None else kind.tier.value,
                called=passage.called,
                disposition=passage.disposition.value,
            ),
            seal=self.settings.seal,
        )

    def _answer(self, passage: _Passage, record: str) -> Answer:
        answered = passage.disposition is Disposition.ANSWERED
        result = passage.result
        return Answer(
            disposition=passage.disposition,
            record=record,
            release=self.settings.release,
            output=result.output if answered and result is not None else None,
            via=passage.via,
            confidence=None if result is None else result.confidence,
            sources=result.sources if answered and result is not None else (),
            reasons=result.reasons if answered and result is not None else (),
            why=passage.why,
            next="" if answered else self._next(passage),
            broken=passage.broken or passage.output_broken,
        )

    def _next(self, passage: _Passage) -> str:
        if passage.kind is None:
            return "declare the decision type in the manifest, with its tier and an accountable person"
        who = passage.kind.next
        return {
            Disposition.HELD: f"a person decides: {who}",
            Disposition.QUARANTINED: "mend and replay it: `plimsoll quarantine show`",
            Disposition.FAILED: f"nothing was decided; try again, or ask {who}",
        }.get(passage.disposition, f"ask {who}")

    def recorded(self, record: str) -> Answer:
        """The answer of an earlier call, as the ledger has it.

        Raises:
            UsageError: it is not there.
            VerificationFailed: its payload was erased.
        """
        entry = self.ledger.get(record)
        if entry is None:
            raise UsageError(f"the answer recorded under this key, {record}, is not in the ledger")
        kept = msgspec.json.decode(self.ledger.body(entry), type=DecisionRecord)
        answered = kept.disposition is Disposition.ANSWERED
        kind = self.settings.types.get("" if entry.header is None else entry.header.type)
        return Answer(
            disposition=kept.disposition,
            record=record,
            release=kept.release,
            output=msgspec.json.decode(kept.output_json) if answered and kept.output_json else None,
            via=kept.via,
            confidence=kept.confidence,
            sources=kept.sources if answered else (),
            reasons=kept.reasons if answered else (),
            why=kept.why,
            next="" if answered or kind is None else f"a person has it: {kind.next}",
            broken=kept.broken or kept.output_broken,
            replayed=True,
        )

    # -- what steers it

    def _follow(self) -> None:
        """Obey the control entries there are, and those that come, from any process."""
        start: dict[str, int] = {}
        for entry in self.ledger.entries(kinds=("control",), system=self.settings.system):
            self._controls.add(entry, self.ledger)
            start[entry.stream] = entry.seq
        self._follower = self.ledger.follow(("control",), self._on_control, after=start)

    def _on_control(self, entry: Entry) -> None:
        if entry.system == self.settings.system:
            self._controls.add(entry, self.ledger)

    @property
    def is_steered(self) -> bool:
        """Whether control entries reach this guard."""
        return self._follower is not None and self._follower.error is None

    def _after_fork(self) -> None:
        self._pid = os.getpid()
        for caller in self._callers:
            caller.forget_threads()
        self._controls = Controls()
        self._follow()

    def close(self) -> None:
        """Stop following and let go of threads. Records that wait are made durable by the ledger's own close."""
        if self._follower is not None and self._pid == os.getpid():
            self._follower.close()
            self._follower = None
        for caller in self._callers:
            caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end(passage: _Passage, disposition: Disposition, why: str) -> bool:
    passage.disposition = disposition
    passage.why = why
    return False


_encode: Final = msgspec.json.Encoder(enc_hook=str).encode
__all__ = ["Fault", "Guard", "GuardSettings", "GuardedType"]

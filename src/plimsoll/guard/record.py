"""What the ledger keeps of a passage, and what its caller gets."""

from __future__ import annotations

from typing import Final

import msgspec

from plimsoll.guard.intake import Intake
from plimsoll.guard.passage import NS, Passage
from plimsoll.guard.settings import GuardedType, GuardSettings
from plimsoll.ledger import Draft, Header
from plimsoll.model.canonical import digest_bytes
from plimsoll.model.decision import NO_JSON, Answer, DecisionRecord, Disposition, Step, StepRecord, TurnedAway
from plimsoll.model.prices import Prices
from plimsoll.policy.spend import cost_of

_REASONS: Final = 3  # that are kept of a record that was turned away: its sender is told all of them
_WITH_RETRY_AFTER: Final = frozenset({Disposition.SHED, Disposition.FAILED})


def draft_of(passage: Passage, settings: GuardSettings, steps: tuple[StepRecord, ...]) -> Draft:
    """The entry of one decision."""
    intake, result, kind = passage.intake, passage.result, passage.kind
    spent = NS() - passage.started - passage.target_ns - passage.waited_ns
    record = DecisionRecord(
        release=settings.release,
        disposition=passage.disposition,
        via=passage.way,
        why=passage.why,
        source=passage.source,
        offset=passage.offset,
        input_note=passage.input_note,
        contract=passage.contract,
        contract_version=passage.contract_version,
        verdict=passage.verdict,
        coerced=passage.coerced,
        broken=passage.broken[:_REASONS] if passage.turned_away else passage.broken,
        input=NO_JSON if intake.json is None or passage.turned_away else msgspec.Raw(intake.json),
        raw="" if intake.json is not None or passage.turned_away else intake.raw_base64,
        output=NO_JSON if passage.output is None else msgspec.Raw(passage.output),
        output_verdict=passage.output_verdict,
        output_broken=passage.output_broken,
        confidence=None if result is None else result.confidence,
        review_below=None if kind is None else kind.review_below,
        sources=() if result is None else result.sources,
        reasons=() if result is None else result.reasons,
        usage={} if result is None else result.usage,
        cost=cost_in(passage, settings.prices),
        error=passage.error,
        accountable="" if kind is None else kind.accountable,
        guard_us=spent / 1000,
        target_us=passage.target_ns / 1000,
        waited_us=passage.waited_ns / 1000,
        steps=steps,
        stream=None
        if passage.sink is None
        else passage.sink.record(is_answer=passage.disposition is Disposition.ANSWERED),
        durability="batched" if settings.batched else "before-answer",
        key=passage.key,
        replay_of=passage.replay_of,
        principal="" if passage.principal is None else passage.principal.id,
        cited=passage.cited,
        answer_egress=passage.answer_egress,
        run=settings.run,
        rehearsal=settings.rehearsal,
        turned_away=_turned_away(intake) if passage.turned_away else None,
    )
    return Draft(
        kind="decision",
        body=_encode(record),
        system=settings.system,
        subject=passage.subject,
        refs=(passage.replay_of,) if passage.replay_of else (),
        header=Header(
            type=passage.type[:80].encode("utf-8", "replace").decode(),
            tier="undeclared" if kind is None else str(kind.tier),
            called=passage.asked > 0,
            disposition=str(passage.disposition),
        ),
        seal=settings.seal or passage.subject is not None,  # who is named can be erased, whatever the data are
    )


def _turned_away(intake: Intake) -> TurnedAway:
    return TurnedAway(size=intake.size, digest=digest_bytes(intake.raw if intake.json is None else intake.json))


def cost_in(passage: Passage, prices: Prices | None) -> str:
    """What the attempts at the manifest's own target cost, by what the answer says of its usage; "": not priced."""
    if prices is None or not passage.asked:
        return ""
    asked = sum(trial.attempts for trial in passage.trials[:1]) or passage.asked
    own = passage.result if passage.via == "live" else None
    cost = cost_of({} if own is None else own.usage, prices, calls=asked)
    return f"{cost.amount:f} {cost.currency}"


def answer_of(passage: Passage, release: str, record: str, steps: tuple[StepRecord, ...]) -> Answer:
    """The answer, once its record is written."""
    answered = passage.disposition is Disposition.ANSWERED
    result = passage.result
    return Answer(
        disposition=passage.disposition,
        record=record,
        release=release,
        output=result.output if answered and result is not None else None,
        via=passage.way,
        confidence=None if result is None else result.confidence,
        sources=result.sources if answered and result is not None else (),
        reasons=result.reasons if answered and result is not None else (),
        usage=result.usage if answered and result is not None else {},
        why=passage.why,
        next="" if answered else _next(passage),
        broken=passage.broken or passage.output_broken,
        retry_after_s=passage.retry_after_s if passage.disposition in _WITH_RETRY_AFTER else None,
        steps=_told(steps) if steps else (),
        input_note=None if passage.input_note is None else passage.input_note.told,
    )


def answer_again(kept: DecisionRecord, record: str, kind: GuardedType | None) -> Answer:
    """The answer of an earlier call, from its record."""
    answered = kept.disposition is Disposition.ANSWERED
    return Answer(
        disposition=kept.disposition,
        record=record,
        release=kept.release,
        output=msgspec.json.decode(kept.output_json) if answered and kept.output_json else None,
        via=kept.via,
        confidence=kept.confidence,
        sources=kept.sources if answered else (),
        reasons=kept.reasons if answered else (),
        usage=kept.usage if answered else {},
        why=kept.why,
        next="" if answered or kind is None else f"a person has it: {kind.next}",
        broken=kept.broken or kept.output_broken,
        replayed=True,
        steps=_told(kept.steps),
        input_note=None if kept.input_note is None else kept.input_note.told,
    )


def _told(steps: tuple[StepRecord, ...]) -> tuple[Step, ...]:
    """The steps without what is for the record alone: a target's own messages, and outputs that were not let out."""
    return tuple(Step(name=step.name, why=step.why, attempts=step.attempts, us=step.us) for step in steps)


def _next(passage: Passage) -> str:
    if passage.kind is None:
        return "declare the decision type in the manifest, with its tier and an accountable person"
    who = passage.kind.next
    wait = "" if passage.retry_after_s is None else f" in {passage.retry_after_s:g} s"
    return {
        Disposition.HELD: f"a person decides: {who}",
        Disposition.QUARANTINED: "mend and replay it: `plimsoll quarantine show`",
        Disposition.SHED: f"nothing was asked of the target; try again{wait}, or ask {who}",
        Disposition.FAILED: f"nothing was decided; try again{wait}, or ask {who}",
    }.get(passage.disposition, f"ask {who}")


_encode: Final = msgspec.json.Encoder(enc_hook=str).encode

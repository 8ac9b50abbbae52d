"""The rollback drill: what the calls of several processes say of a rollback that was practised under traffic.

Who answers is read off the decisions themselves: each names its release. So a process follows when its decisions do,
and nobody is asked whether it has.

Three things are looked at, in every round. *How long*: of each process, the moment from which every call that began was
answered by what was gone back to; the slowest one counts. *At what cost*: a call fails because of the rollback when it
ends in a way in which no call to the same release had ended before it. *To what*: sample inputs are asked again, and
their answers must be those that the same release gave before this one went live. An input that the release answers now
so, now otherwise, is compared by how it ended alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from plimsoll.assess.run import Run
from plimsoll.gate.figures import plural
from plimsoll.guard.fleet import OPENING
from plimsoll.model.decision import Disposition
from plimsoll.model.details import DrillDetail, DrillRound
from plimsoll.model.evidence import Census, Draw, Repeats

PEOPLE: Final = ""  # in place of a digest: no release, every decision is held for a person
_LOST: Final = frozenset({Disposition.FAILED, Disposition.SHED, Disposition.REFUSED})


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """One call of a drill, as the process that made it saw it. Times are of the machine's monotonic clock."""

    input: int  # which of the sample inputs
    began_ns: int
    ended_ns: int
    by: str  # digest of the release that its decision names; `PEOPLE`: it was stopped, and held for them
    disposition: Disposition
    why: str
    outcome: str  # digest of how it ended and what left

    @property
    def lost(self) -> bool:
        """Whether the caller got nothing for it, or waits only because a release was not open."""
        return self.disposition in _LOST or self.why == OPENING


class Behaviour:
    """How one release answers the sample inputs, from calls to it."""

    def __init__(self, calls: Iterable[Asked] = ()) -> None:
        self._outcomes: dict[int, set[str]] = defaultdict(set)
        self._endings: dict[int, set[Disposition]] = defaultdict(set)
        self._losses: set[tuple[Disposition, str]] = set()
        for call in calls:
            self.note(call)

    def note(self, call: Asked) -> None:
        """Take one more call in."""
        self._outcomes[call.input].add(call.outcome)
        self._endings[call.input].add(call.disposition)
        if call.lost:
            self._losses.add((call.disposition, call.why))

    def loses(self, call: Asked) -> bool:
        """Whether calls to this release were lost in this way."""
        return (call.disposition, call.why) in self._losses

    def is_as_before(self, call: Asked) -> bool:
        """Whether a call was answered as one with the same input was."""
        seen = self._outcomes.get(call.input, set())
        if len(seen) > 1:
            return call.disposition in self._endings[call.input]
        return call.outcome in seen

    @property
    def varying(self) -> int:
        """Inputs that were answered now so, now otherwise."""
        return sum(len(seen) > 1 for seen in self._outcomes.values())


class Rollback(msgspec.Struct, frozen=True, kw_only=True):
    """One practised rollback, as it was observed."""

    gone: str  # digest of the release that was gone back from
    back: str  # of the one that was gone back to, or `PEOPLE`
    ordered_ns: int  # just before the order was written
    waited_s: float  # how long traffic went on after it
    traffic: Sequence[Sequence[Asked]]  # of each process, around the order
    after: Sequence[Sequence[Asked]]  # of each process: the sample inputs, asked again when the traffic had ended
    ended: Sequence[str] = ()  # processes that were there no more, and what they said


def judge_rollback(seen: Rollback, before: Behaviour, own: Behaviour) -> DrillRound:
    """What one practised rollback amounts to.

    Args:
        seen: what the processes observed.
        before: how what was gone back to had answered, before the release went live.
        own: how the release that was gone back from answered, before the rollback.
    """
    for calls in seen.traffic:
        for call in calls:
            if call.ended_ns <= seen.ordered_ns and call.by == seen.gone:
                own.note(call)
    counted = [call for calls in seen.traffic for call in calls if call.ended_ns > seen.ordered_ns]
    failed = [c for c in counted if c.lost and not (before if c.by == seen.back else own).loses(c)]
    settled = [_settled_ns(calls, seen) for calls in seen.traffic]
    compared = [c for calls in seen.after for c in calls if not (c.lost and before.loses(c))]
    differing = [c for c in compared if c.by != seen.back or not before.is_as_before(c)]
    known = [at for at in settled if at is not None]
    followed = len(known) == len(settled) and bool(known) and not seen.ended
    return DrillRound(
        seconds=(max(known) - seen.ordered_ns) / 1e9 if followed else None,
        waited_s=round(seen.waited_s, 3),
        calls=len(counted),
        in_flight=sum(c.began_ns < seen.ordered_ns and c.by == seen.gone for c in counted),
        failed=len(failed),
        compared=len(compared),
        differing=len(differing),
        why=tuple(_why(seen, settled, failed, compared, differing)),
    )


def _settled_ns(calls: Sequence[Asked], seen: Rollback) -> int | None:
    """When a process had followed: from then on every call that began was answered by what was gone back to."""
    later = [c for c in calls if c.began_ns >= seen.ordered_ns]
    last = max((c.began_ns for c in later if c.by != seen.back), default=seen.ordered_ns)
    return min((c.began_ns for c in later if c.began_ns >= last and c.by == seen.back), default=None)


def _why(
    seen: Rollback,
    settled: Sequence[int | None],
    failed: Sequence[Asked],
    compared: Sequence[Asked],
    differing: Sequence[Asked],
) -> Iterator[str]:
    yield from (f"a process ended: {said}" for said in seen.ended)
    late = sum(at is None for at in settled)
    if late:
        yield f"{late} of {len(settled)} processes had not followed after {seen.waited_s:.1f} s"
    if failed:
        first = failed[0]
        said = f" ({first.why})" if first.why else ""
        yield f"{plural(len(failed), 'call')} failed because of it; the first was {first.disposition.value}{said}"
    if not compared:
        yield "no answer after it could be held against one before"
    if differing:
        whose = "another release" if any(c.by != seen.back for c in differing) else "the restored release"
        yield f"{len(differing)} of {len(compared)} answers to sample inputs differ from before: {whose} gave them"


def give_drill(run: Run, detail: DrillDetail, *, unhealthy: str = "") -> None:
    """Give the evidence of a drill.

    Args:
        run: the started run.
        detail: at least three rounds; fewer leave ``rollout.rollback_time`` insufficient.
        unhealthy: why the machine cannot be trusted to have measured this time; "" when it can.
    """
    rounds = detail.rounds
    good = sum(not r.why for r in rounds)
    missing = tuple(f"rollback {n}: {'; '.join(r.why)}" for n, r in enumerate(rounds, 1) if r.why)
    run.give(
        "rollout.drilled",
        Census(count=good, total=len(rounds), ratio=True, missing=missing),
        draw=Draw.FIXED,
        finding=said_of(detail),
        unhealthy=unhealthy,
    )
    times = tuple(r.waited_s if r.seconds is None else r.seconds for r in rounds)
    run.give(
        "rollout.rollback_time",
        Repeats(values=times),
        draw=Draw.FIXED,
        finding=f"The slowest of {detail.processes} processes took {max(times):.3f} s at worst.",
        unhealthy=unhealthy,
    )
    calls, failed = sum(r.calls for r in rounds), sum(r.failed for r in rounds)
    run.give(
        "rollout.failed_calls",
        Census(count=failed, total=calls, ratio=False, missing=missing if failed else ()),
        draw=Draw.FIXED,
        finding=f"{failed} of {calls} calls around the rollbacks failed because of them.",
        unhealthy=unhealthy,
    )
    run.draw_with(detail)


def said_of(detail: DrillDetail) -> str:
    """A drill in one plain sentence."""
    good = sum(not r.why for r in detail.rounds)
    to = f"to {detail.back[:19]}…" if detail.back else "to people"
    return (
        f"{good} of {len(detail.rounds)} rollbacks {to} were followed by all of {detail.processes} processes under "
        f"{detail.rate_per_s:g} calls a second, cost no call, and restored the answers of before."
    )

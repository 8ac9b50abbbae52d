"""The health check: sources in, questions answered, and the verdict; nothing is recorded here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from plimsoll.assess.health.compare import compare
from plimsoll.assess.health.places import Place
from plimsoll.assess.health.profile import profile
from plimsoll.assess.health.questions import is_it_live, is_it_real, what_to_connect, whose_work
from plimsoll.assess.health.reading import Read, read_source
from plimsoll.contract import Contract
from plimsoll.model.health import Agreement, Answer, Connection, Difference, Fault, HealthCheck, Question
from plimsoll.model.health_page import HealthPage, SourceFacts

_DAY_S = 86_400.0


def check_health(
    sample: Sequence[Place],
    *,
    now_ns: int,
    live: Sequence[Place] = (),
    contract_for: Callable[[str], Contract | None] = lambda _: None,
    page: HealthPage | None = None,
    agreements: Sequence[Agreement] = (),
    system: str = "",
    tick: Callable[[int], None] = lambda _: None,
) -> HealthCheck:
    """Look at the records and answer the four questions.

    Args:
        sample: what a project is to be planned on, at least one source.
        now_ns: UTC nanoseconds since the epoch.
        live: what the running system sends, to compare with.
        contract_for: the contract that documents a source; None: there is none.
        page: whose work changes, and what is known of the sources.
        agreements: the roles named, and what they have signed.
        system: its name in the manifest; "": there is none.
        tick: called now and then with the records read so far.

    Returns:
        The check. It is a go only if every answer is yes.
    """
    now_s = now_ns / 1e9
    reads = _without_descriptions([read_source(place, tick) for place in sample])
    seen = [profile(read, contract_for(read.place.name), now_s=now_s) for read in reads]
    beside = [profile(read_source(place, tick), None, now_s=now_s) for place in live]
    differences: tuple[Difference, ...] = ()
    for ours, theirs in _pairs([s.found.name for s in seen], [s.found.name for s in beside]):
        differences += compare(seen[ours].columns, beside[theirs].columns)
    connections = inventory(page, {s.found.name for s in seen}, today=dt.datetime.fromtimestamp(now_s, dt.UTC).date())
    documented = any(contract_for(read.place.name) is not None for read in reads)
    questions = (
        is_it_live(seen, beside, differences, judge_fresh=True),
        is_it_real(list(zip(reads, seen, strict=True)), documented=documented),
        whose_work(agreements, recorded=bool(system)),
        what_to_connect(connections),
    )
    go = all(question.answer is Answer.YES for question in questions)
    return HealthCheck(
        time_ns=now_ns,
        go=go,
        sentence=sentence_of(questions),
        questions=questions,
        sources=tuple(s.found for s in seen),
        live=tuple(s.found for s in beside),
        differences=differences,
        agreements=tuple(agreements),
        connections=connections,
        system=system,
        demonstration=any(a.simulated for a in agreements),
    )


def _without_descriptions(reads: Sequence[Read]) -> Sequence[Read]:
    """Without the descriptions that lie beside records in a folder: nobody said that those were data."""
    kept = [r for r in reads if r.table.records or not (r.place.inside and r.descriptions)]
    left_out = tuple(said for r in reads if r not in kept for said in r.descriptions)
    if not kept or not left_out:
        return reads
    told = Fault(
        code="health.left-out",
        said="descriptions beside the records, left out",
        count=len(left_out),
        where=left_out[:3],
        lost=False,
    )
    return [msgspec.structs.replace(kept[0], faults=(*kept[0].faults, told)), *kept[1:]]


def sentence_of(questions: Sequence[Question]) -> str:
    """The verdict in a sentence; what is unclear counts as a no.

    >>> sentence_of(())
    'go: every question is answered with yes'
    """
    no = [q for q in questions if q.answer is Answer.NO]
    unclear = [q for q in questions if q.answer is Answer.UNCLEAR]
    if not no and not unclear:
        return "go: every question is answered with yes"
    parts = []
    if no:
        parts.append(f"{' and '.join(_named(q) for q in no)} {'is' if len(no) == 1 else 'are'} answered with no")
    if unclear:
        parts.append(f"{' and '.join(_named(q) for q in unclear)} {'is' if len(unclear) == 1 else 'are'} unclear")
    return f"no-go: {'; '.join(parts)}"


def inventory(page: HealthPage | None, seen: Iterable[str], *, today: dt.date) -> tuple[Connection, ...]:
    """What is known of every source that was looked at, or that the page declares.

    Args:
        page: the health page; None: there is none, and nothing is known.
        seen: names of the sources that were looked at.
        today: to tell their age.
    """
    facts: Mapping[str, SourceFacts] = {} if page is None else page.sources
    looked_at = list(seen)
    names = [*facts, *sorted(name for name in looked_at if name not in facts)]
    return tuple(_connection(name, facts.get(name, SourceFacts()), name in looked_at, today) for name in names)


def _connection(name: str, facts: SourceFacts, seen: bool, today: dt.date) -> Connection:  # noqa: FBT001 - one of its facts
    said = {
        "system": facts.system,
        "age": facts.since,
        "documentation": facts.documentation,
        "owner": facts.owner,
        "lead time": facts.lead_time,
    }
    return Connection(
        source=name,
        system=facts.system,
        since=facts.since.isoformat() if facts.since else "",
        age_days=(today - facts.since).days if facts.since else None,
        documentation=facts.documentation.value if facts.documentation else "",
        owner=facts.owner.name if facts.owner else "",
        contact=facts.owner.contact if facts.owner else "",
        lead_time=str(facts.lead_time) if facts.lead_time else "",
        seen=seen,
        missing=tuple(what for what, value in said.items() if not value),
    )


def _pairs(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """Which source is compared with which: those of one name; where there is one of each, those two."""
    if len(ours) == len(theirs) == 1:
        return [(0, 0)]
    return [(at, theirs.index(name)) for at, name in enumerate(ours) if name in theirs]


def _named(question: Question) -> str:
    return f"'{question.asked.value}'"

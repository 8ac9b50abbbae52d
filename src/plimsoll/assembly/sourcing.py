"""The second half of the contracts assessment: sources are cut and consumers are tried, on a staging copy."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.assess.consumers import MOST, OddTarget, exercise_consumers, outputs_of
from plimsoll.assess.feed import Feed
from plimsoll.assess.run import Run
from plimsoll.assess.source_cut import Sample, exercise, give_exercised
from plimsoll.assess.source_terms import (
    Arrived,
    arrived_in_earnest,
    consumer_gaps,
    give_on_time,
    give_owned,
    known_contacts,
    owner_of,
    terms_of,
)
from plimsoll.contract import Contract, parse_record
from plimsoll.contract.parse import MAX_BYTES, MAX_DEPTH
from plimsoll.guard import Guard
from plimsoll.ledger import Ledger
from plimsoll.model.details import ConsumerDetail, ContractsDetail, CutDetail, SourceTerms
from plimsoll.model.manifest_writer import placeholders

_LOOKED_AT: Final = 1_000  # lines of a source's file in which a record is looked for that keeps its contract


def assess_sources(
    run: Run,
    project: Project,
    ledger: Ledger,
    feed: Feed,
    detail: ContractsDetail,
    *,
    now_ns: int,
    tick: Callable[[int], None] = lambda _: None,
) -> ContractsDetail:
    """Everything of the assessment beyond the records of the feed; gives the detail with it, and evidence.

    Decisions taken here stand in the ledger under a name of their own, `staging_name`: nobody is told of the sources
    that are cut, and what they give stands in for nothing in earnest.

    Args:
        run: the started run.
        project: the system.
        ledger: where it is recorded.
        feed: what the sources sent; from it comes a good record of each.
        detail: what became of the feed.
        now_ns: UTC nanoseconds.
        tick: called with the number of fallbacks exercised.
    """
    arrived = arrived_in_earnest(ledger, run.about.system, run.about.release)
    give_on_time(run, project.inputs, arrived)
    terms = _terms(project, detail, arrived, now_ns)
    _give_owners(run, project, now_ns)
    sources = tuple(project.checkers)
    cuts: tuple[CutDetail, ...] = ()
    if any(rule.fallback is not None for rule in project.source_rules.values()):
        cuts = _cut(run, project, ledger, dict(_samples(project, feed)), sources, tick)
    else:
        give_exercised(run, (), sources)  # nothing needs to be cut to know that nothing stands in
    consumers: tuple[ConsumerDetail, ...] = ()
    if project.outputs and project.outputs[0].terms.consumers:
        asked = [sample for _, sample in _samples(project, feed, MOST)]
        consumers = _consumers(run, project, ledger, project.outputs[0], asked)
    made = msgspec.structs.replace(detail, terms=terms, cuts=cuts, consumers=consumers)
    run.draw_with(made)
    return made


def staging_name(system: str, run: str) -> str:
    """Under which name decisions of a staging copy are recorded."""
    return f"{system}/staging/{run}"


def _give_owners(run: Run, project: Project, now_ns: int) -> None:
    """Who owns each source and consumer, and whether their contact works."""
    known, blank = known_contacts(project.manifest), placeholders(project.manifest)
    today = dt.datetime.fromtimestamp(now_ns / 1e9, dt.UTC).date()
    gaps = {
        source: owner_of(contract, contacts=known, placeholders=blank, today=today)[1]
        for contract in project.inputs
        for source in contract.sources
    }
    consumers = [consumer for contract in project.outputs for consumer in contract.terms.consumers]
    give_owned(run, gaps, consumer_gaps(consumers, contacts=known, placeholders=blank))


def _terms(
    project: Project, detail: ContractsDetail, arrived: dict[str, Arrived], now_ns: int
) -> tuple[SourceTerms, ...]:
    known, blank = known_contacts(project.manifest), placeholders(project.manifest)
    today = dt.datetime.fromtimestamp(now_ns / 1e9, dt.UTC).date()
    seen = {source.name.rpartition("/")[2]: source for source in detail.sources if source.offered}
    return tuple(
        terms_of(
            contract,
            source,
            seen=seen.get(source),
            arrived=arrived.get(source, Arrived()),
            contacts=known,
            placeholders=blank,
            today=today,
        )
        for contract in project.inputs
        for source in contract.sources
    )


def _samples(project: Project, feed: Feed, most: int = 1) -> Iterator[tuple[str, Sample]]:
    """The first records of each source in the feed that keep its contract, at most so many of each."""
    taken = Counter[str]()
    for file in feed.files:
        checker = project.checkers.get(file.source)
        for sent in itertools.islice(file.lines(), _LOOKED_AT):
            if checker is None or taken[file.source] >= most:
                break
            parsed = parse_record(sent.record, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
            if not parsed.reasons and not checker.check(parsed.value).reasons:
                taken[file.source] += 1
                yield file.source, Sample(sent.type, parsed.value)


def _cut(
    run: Run,
    project: Project,
    ledger: Ledger,
    samples: dict[str, Sample],
    sources: tuple[str, ...],
    tick: Callable[[int], None],
) -> tuple[CutDetail, ...]:
    parts = project.guard_parts(run=run.id, rehearsal=True, system=staging_name(run.about.system, run.id))
    parts["source_rules"] = project.source_rules
    with Guard(ledger=ledger, spend=project.purse(ledger, parts["target"]), **parts) as guard:
        try:
            return exercise(run, guard, project.source_rules, samples, sources=sources, tick=tick)
        finally:
            guard.forget_sources()  # nothing of them is left where others look


def _consumers(
    run: Run, project: Project, ledger: Ledger, contract: Contract, samples: Sequence[Sample]
) -> tuple[ConsumerDetail, ...]:
    name = staging_name(run.about.system, run.id)
    parts = project.guard_parts(run=run.id, rehearsal=True, system=name)
    with Guard(ledger=ledger, spend=project.purse(ledger, parts["target"]), **parts) as guard:
        outputs = outputs_of(guard, samples)
        odd = OddTarget()
        alone = parts.copy()
        alone["target"], alone["others"] = odd, {}
        alone["settings"] = msgspec.structs.replace(parts["settings"], fallback=())
        with Guard(ledger=ledger, **alone) as odd_guard:
            return exercise_consumers(run, contract, outputs, odd_guard, odd, next(iter(samples), None))

"""The answers to the four questions, each from what was found, with its reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from plimsoll.assess.health.compare import ALIKE, DIFFERENT
from plimsoll.assess.health.conflicts import conflicting
from plimsoll.assess.health.profile import Seen
from plimsoll.assess.health.reading import Read
from plimsoll.assess.health.signs import LEAST_RECORDS, SIGNS, weigh
from plimsoll.model.health import (
    Agreement,
    Answer,
    Apart,
    Asked,
    Connection,
    Difference,
    Points,
    Question,
    Reason,
    SourceFound,
    Standing,
)
from plimsoll.stats import clopper_pearson_lower, clopper_pearson_upper

MOST_BROKEN: Final = 0.05  # share of records that may be lost or quarantined
_SHOWN: Final = 6


def answer_of(reasons: Sequence[Reason]) -> Answer:
    """No if anything speaks for no; else unclear if anything is, or nothing speaks at all; else yes."""
    found = {reason.answer for reason in reasons}
    if Answer.NO in found:
        return Answer.NO
    return Answer.YES if found == {Answer.YES} else Answer.UNCLEAR


def is_it_live(
    sample: Sequence[Seen], live: Sequence[Seen], differences: Sequence[Difference], *, judge_fresh: bool
) -> Question:
    """Live or theatre?

    Args:
        sample: the sources that a project is to be planned on.
        live: a second sample, taken from the running system; empty: there is none.
        differences: between the two, field by field.
        judge_fresh: whether the clock is known.
    """
    both = [*((seen, "") for seen in sample), *((seen, " (live)") for seen in live)]
    reasons = [_signs_reason(seen, mark, judge_fresh=judge_fresh) for seen, mark in both if seen.found.records]
    reasons += _apart(differences)
    if live and not differences:
        said = "the live records could not be compared: no source has the name of one in the sample"
        fix = "give files of the same names, or one of each"
        reasons.append(Reason(code="health.nothing-compared", answer=Answer.UNCLEAR, said=said, fix=fix))
    answer = answer_of(reasons)
    if not reasons:
        said = "There is no record to tell by."
    elif answer is Answer.NO:
        said = (
            "It looks prepared."
            if not _apart(differences, Apart.DIFFERENT)
            else "The sample is not like the live records."
        )
    elif answer is Answer.YES:
        said = "It looks like what a running system sends."
    else:
        said = "The records do not show it."
    return Question(asked=Asked.LIVE, answer=answer, said=said, reasons=tuple(reasons))


def _signs_reason(seen: Seen, mark: str, *, judge_fresh: bool) -> Reason:
    found = seen.found
    weighed = weigh(found.signs, found.records, fresh=seen.fresh if judge_fresh else True)
    named = "; ".join(
        f"{side.value}: {', '.join(shown)}"
        for side in (Points.PREPARED, Points.LIVE)
        if (shown := dict.fromkeys(SIGNS[s.name].title.casefold() for s in found.signs if s.points is side))
    )
    fix = {
        Answer.YES: "",
        Answer.NO: "ask for records straight from the running system, as they came, and run it again on those",
        Answer.UNCLEAR: "give more records, with the time at which each came; or live ones beside them: --live FILE",
    }[weighed.answer]
    return Reason(
        code="health.signs",
        answer=weighed.answer,
        said=f"{found.name}{mark}: {weighed.said}" + (f" ({named})" if named else ""),
        fix=fix,
        source=found.name,
    )


def _apart(differences: Sequence[Difference], only: Apart | None = None) -> list[Reason]:
    groups: dict[Apart, list[Difference]] = {}
    for difference in differences:
        groups.setdefault(difference.apart, []).append(difference)
    words = {
        Apart.DIFFERENT: (Answer.NO, f"surely more than {DIFFERENT}", "plan on the live records, not on the sample"),
        Apart.UNCLEAR: (Answer.UNCLEAR, "too uncertain to tell", "give more records of either"),
        Apart.ALIKE: (Answer.YES, f"surely less than {ALIKE}", ""),
    }
    made = []
    for apart, found in groups.items():
        if only is not None and apart is not only:
            continue
        answer, said, fix = words[apart]
        named = ", ".join(f"{d.field} ({d.of} {d.seen:.2f}, {d.lower:.2f} to {d.upper:.2f})" for d in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        made.append(
            Reason(
                code=f"health.{apart.value}",
                answer=answer,
                said=f"distances from the live records: {len(found):,} of {len(differences):,} {said}: {named}{more}",
                fix=fix,
            )
        )
    return made


# -- is this real data?


def is_it_real(sample: Sequence[tuple[Read, Seen]], *, documented: bool) -> Question:
    """Is this real data: records and no description, readable, documented, defined once, and fit for a contract?

    Args:
        sample: the sources that a project is to be planned on.
        documented: whether a contract was given.
    """
    reasons: list[Reason] = []
    for read, seen in sample:
        reasons += _records(read, seen.found)
        if seen.found.records:
            reasons += _readable(seen.found)
            reasons += _personal(seen.found)
            reasons += _documented(seen.found, documented=documented)
            reasons += _quarantined(seen.found, documented=documented)
            reasons += _definitions(seen.found)
    reasons += [
        Reason(
            code="health.conflict",
            answer=Answer.NO,
            said=said,
            fix="agree on one definition, and write it into a contract",
        )
        for said in conflicting([(seen.found.name, seen.columns) for _, seen in sample])
    ]
    answer = answer_of(reasons)
    records = sum(seen.found.records for _, seen in sample)
    if not records:
        said = "There is no record in it."
    else:
        words = {Answer.YES: "can be worked with", Answer.NO: "cannot be worked with as they are"}
        said = f"{records:,} records {words.get(answer, 'leave questions open')}."
    return Question(asked=Asked.REAL, answer=answer, said=said, reasons=tuple(reasons))


def _records(read: Read, found: SourceFound) -> Iterator[Reason]:
    for said in read.descriptions:
        yield Reason(
            code="health.description",
            answer=Answer.NO,
            said=f"{said}. A description is not data",
            fix="give the records that it describes",
            source=found.name,
        )
    n = found.records
    if n == 0:
        if not read.descriptions:
            told = read.told.said or "nothing in it can be read as a record"
            fix = read.told.fix or "give records as JSON Lines, JSON or CSV"
            yield Reason(
                code="health.no-record", answer=Answer.NO, said=f"{found.name}: {told}", fix=fix, source=found.name
            )
    elif n < LEAST_RECORDS:
        said = f"{found.name}: {n:,} records; {LEAST_RECORDS} is the least from which anything follows"
        yield Reason(code="health.few", answer=Answer.UNCLEAR, said=said, fix="give more records", source=found.name)
    else:
        cut = f" (the first {n:,}; there are more)" if found.cut_off else ""
        said = f"{found.name}: {n:,} records of {len(found.fields):,} fields{cut}"
        yield Reason(code="health.records", answer=Answer.YES, said=said, source=found.name)


def _readable(found: SourceFound) -> Iterator[Reason]:
    lost, total = found.lost, found.lost + found.records
    share, low, high = lost / total, clopper_pearson_lower(lost, total), clopper_pearson_upper(lost, total)
    said = f"{found.name}: {lost:,} of {total:,} cannot be read ({share:.2%}, at most {high:.2%})"
    if lost:
        worst = next(fault for fault in found.faults if fault.lost)
        said += f"; most often: {worst.said} ({worst.count:,} times, first at {worst.where[0]})"
    answer = Answer.NO if low > MOST_BROKEN else Answer.YES if high <= MOST_BROKEN else Answer.UNCLEAR
    fix = "" if answer is Answer.YES else "have the source mended, or plan for who deals with so many a day"
    yield Reason(code="health.unreadable", answer=answer, said=said, fix=fix, source=found.name)


def _personal(found: SourceFound) -> Iterator[Reason]:
    holding = [field for field in found.fields if field.personal]
    if not holding:
        said = f"{found.name}: no obvious personal data (names and addresses are not found by it)"
        yield Reason(code="health.personal", answer=Answer.YES, said=said, source=found.name)
        return
    for classified in (True, False):
        some = [field for field in holding if field.classified is classified]
        if not some:
            continue
        named = "; ".join(
            f"{f.name}: " + ", ".join(f"{kind} in {n:,} of {f.personal_of:,} values" for kind, n in f.personal.items())
            for f in some
        )
        said = f"{found.name}: personal data in {len(some)} field{'s' if len(some) > 1 else ''}: {named}"
        if classified:
            yield Reason(code="health.personal", answer=Answer.YES, said=f"{said}; classified", source=found.name)
        else:
            fix = "write a classification for each into the contract, before anybody copies it"
            said = f"{said}; no contract says how closely it must be kept"
            yield Reason(code="health.personal", answer=Answer.UNCLEAR, said=said, fix=fix, source=found.name)


def _documented(found: SourceFound, *, documented: bool) -> Iterator[Reason]:
    unknown = [field.name for field in found.fields if not field.documented]
    if not documented:
        said = f"{found.name}: nothing documents its {len(found.fields):,} fields"
        fix = "give its contract: --contract FILE; `plimsoll init` writes a first one from records"
        yield Reason(code="health.undocumented", answer=Answer.UNCLEAR, said=said, fix=fix, source=found.name)
    elif unknown:
        shown = ", ".join(unknown[:_SHOWN]) + (" …" if len(unknown) > _SHOWN else "")
        said = f"{found.name}: {len(unknown):,} of {len(found.fields):,} fields are in no contract: {shown}"
        fix = "ask the source's owner what they mean, and write it down"
        yield Reason(code="health.undocumented", answer=Answer.NO, said=said, fix=fix, source=found.name)
    else:
        said = f"{found.name}: all {len(found.fields):,} fields are documented"
        yield Reason(code="health.undocumented", answer=Answer.YES, said=said, source=found.name)


def _quarantined(found: SourceFound, *, documented: bool) -> Iterator[Reason]:
    n, broken = found.checked, found.broken
    which = found.contract.partition(" sha256:")[0] if documented else f"a contract {found.contract}"
    if not n:
        said = f"{found.name}: too few records to hold against a contract"
        yield Reason(
            code="health.quarantine", answer=Answer.UNCLEAR, said=said, fix="give more records", source=found.name
        )
        return
    low, high = clopper_pearson_lower(broken, n), clopper_pearson_upper(broken, n)
    said = f"{found.name}: {which} would quarantine {broken:,} of {n:,} records ({broken / n:.2%}, at most {high:.2%})"
    if found.broken_by:
        said += f"; most for {found.broken_by[0][0]}"
    answer = Answer.YES if high <= MOST_BROKEN else Answer.NO if low > MOST_BROKEN and documented else Answer.UNCLEAR
    fix = "" if answer is Answer.YES else "have the source mended, or the contract, with the source's owner"
    yield Reason(code="health.quarantine", answer=answer, said=said, fix=fix, source=found.name)


def _definitions(found: SourceFound) -> Iterator[Reason]:
    """Fields that are defined in more than one way within one source."""
    several = {"health.mixed", "health.dates", "health.dates-unclear"}
    for fault in found.faults:
        if fault.code in several:
            said = f"{found.name}: '{fault.where[0]}' has {fault.said}"
            fix = "ask the source's owner which of them is meant"
            yield Reason(code=fault.code, answer=Answer.UNCLEAR, said=said, fix=fix, source=found.name)


# -- whose work, and what has to be connected


def whose_work(agreements: Sequence[Agreement], *, recorded: bool) -> Question:
    """Whose work changes, and have they agreed?

    Args:
        agreements: the roles named, and what is signed.
        recorded: whether there is a ledger that signatures could be in.
    """
    if not agreements:
        fix = "name them in a health page (--page FILE), or with --work 'ROLE=CONTACT'"
        nobody = Reason(code="health.nobody", answer=Answer.UNCLEAR, said="nobody is named whose work changes", fix=fix)
        return Question(asked=Asked.WORK, answer=Answer.UNCLEAR, said="Nobody is named.", reasons=(nobody,))
    reasons = tuple(_agreement(agreement, recorded=recorded) for agreement in agreements)
    signed = sum(reason.answer is Answer.YES for reason in reasons)
    refused = sum(reason.answer is Answer.NO for reason in reasons)
    said = f"{signed} of {len(agreements)} have signed that they agree" + (f"; {refused} refused." if refused else ".")
    return Question(asked=Asked.WORK, answer=answer_of(reasons), said=said, reasons=reasons)


def _agreement(agreement: Agreement, *, recorded: bool) -> Reason:
    who = f"{agreement.role} ({agreement.contact})"
    if agreement.standing is Standing.AGREED:
        return Reason(code="health.agreed", answer=Answer.YES, said=f"{who} agreed")
    if agreement.standing is Standing.REFUSED:
        said = f"{who} refused" + (f": {agreement.why}" if agreement.why else "")
        return Reason(code="health.refused", answer=Answer.NO, said=said, fix="talk to them, and change the plan")
    if not recorded:
        said = f"{who} is named, and nothing shows that they agreed: without a manifest there is no ledger to sign in"
        return Reason(code="health.unsigned", answer=Answer.UNCLEAR, said=said, fix="give --manifest FILE")
    fix = f"they sign: `plimsoll health-check --manifest FILE --agree --as {agreement.contact} --key FILE`"
    said = f"{who} {agreement.standing.value}" + (f": {agreement.why}" if agreement.why else "")
    return Reason(code="health.unsigned", answer=Answer.UNCLEAR, said=said, fix=fix)


def what_to_connect(connections: Sequence[Connection]) -> Question:
    """What is known of each source that would have to be connected.

    Args:
        connections: one for each source that was looked at or is declared.
    """
    reasons = tuple(_connection(connection) for connection in connections)
    known = sum(reason.answer is Answer.YES for reason in reasons)
    said = f"{known} of {len(reasons)} sources are known well enough to plan their connection."
    return Question(asked=Asked.CONNECTED, answer=answer_of(reasons), said=said, reasons=reasons)


def _connection(connection: Connection) -> Reason:
    name = connection.source
    if connection.documentation == "none":
        said = f"{name}: nothing describes it" + (
            f"; also missing: {', '.join(connection.missing)}" if connection.missing else ""
        )
        return Reason(
            code="health.connection",
            answer=Answer.NO,
            said=said,
            fix=f"have {connection.owner or 'its owner'} describe its fields",
            source=name,
        )
    if not connection.seen:
        said = f"{name}: declared, and not one record of it was looked at"
        return Reason(
            code="health.connection", answer=Answer.UNCLEAR, said=said, fix=f"give records of {name}", source=name
        )
    if connection.missing:
        said = f"{name}: nobody has said its {', '.join(connection.missing)}"
        return Reason(
            code="health.connection",
            answer=Answer.UNCLEAR,
            said=said,
            fix="say what is known of it under sources in a health page: --page FILE",
            source=name,
        )
    said = (
        f"{name}: {connection.system}, in use since {connection.since}, {connection.documentation} documentation, "
        f"{connection.owner}, connected in {connection.lead_time}"
    )
    return Reason(code="health.connection", answer=Answer.YES, said=said, source=name)

"""What contracts say around the records of each source: schema, promises, owners; and what is missing or not kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from plimsoll.assess.run import Run, decoded
from plimsoll.contract import Contract
from plimsoll.contract.arrivals import rule_of, span
from plimsoll.contract.terms import Consumer, ServiceLevel
from plimsoll.errors import VerificationFailed
from plimsoll.ledger import Ledger
from plimsoll.model.details import LevelDetail, SourceDetail, SourceTerms
from plimsoll.model.evidence import Census, Draw, Proportion
from plimsoll.model.input_note import InputNote, SourceState
from plimsoll.model.manifest import Manifest

LATEST: Final = 10_000  # decisions that are looked at for what came on time
_LATE: Final = frozenset({SourceState.STALE, SourceState.SILENT})
_KEPT, _BROKEN, _NOT = "kept", "broken", "not measured"


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """What came from one source in earnest."""

    total: int = 0
    stale: int = 0
    after_silence: int = 0
    late: int = 0  # either
    broken: int = 0


class _Decided(msgspec.Struct):
    """As much of a decision's record as is needed here."""

    release: str = ""
    source: str = ""
    verdict: str = "none"
    run: str = ""
    replay_of: str = ""
    input_note: InputNote | None = None


def arrived_in_earnest(ledger: Ledger, system: str, release: str) -> dict[str, Arrived]:
    """The latest decisions of a release that no assessment took, by source; at most `LATEST` are looked at."""
    counts: dict[str, Arrived] = {}
    for entry in ledger.find("decision", system=system, limit=LATEST):
        try:
            decided = decoded(ledger, entry, _Decided)
        except VerificationFailed:
            continue  # erased: of it nothing can be said
        if decided.release != release or decided.run or decided.replay_of:
            continue
        found = () if decided.input_note is None else decided.input_note.found
        if SourceState.UNAVAILABLE in found:
            continue  # nothing came
        was = counts.get(decided.source, Arrived())
        counts[decided.source] = Arrived(
            total=was.total + 1,
            stale=was.stale + (SourceState.STALE in found),
            after_silence=was.after_silence + (SourceState.SILENT in found),
            late=was.late + (not _LATE.isdisjoint(found)),
            broken=was.broken + (decided.verdict == "broken"),
        )
    return counts


def give_on_time(run: Run, contracts: Sequence[Contract], arrived: Mapping[str, Arrived]) -> None:
    """Evidence for ``contracts.on_time_rate``; none where nothing came of sources that promise something."""
    promised = [
        source
        for contract in contracts
        if (rule := rule_of(contract)).ages or rule.silence_s is not None
        for source in contract.sources
    ]
    seen = [arrived[source] for source in promised if source in arrived]
    total = sum(a.total for a in seen)
    if not total:
        return
    late = sum(a.late for a in seen)
    run.give(
        "contracts.on_time_rate",
        Proportion(hits=total - late, total=total),
        draw=Draw.FIXED,
        finding=f"{total - late} of the latest {total} records of {len(seen)} sources came on time.",
    )


# -- around the records


def terms_of(
    contract: Contract,
    source: str,
    *,
    seen: SourceDetail | None,
    arrived: Arrived,
    contacts: Collection[str],
    placeholders: Collection[str],
    today: dt.date,
) -> SourceTerms:
    """One source, with what is wrong around it.

    Args:
        contract: its contract.
        source: its name.
        seen: what became of its records in the feed; None: the feed has none.
        arrived: what came of it in earnest.
        contacts: of those who are known to be there.
        placeholders: contacts that nobody has filled in yet.
        today: members of its team who left before are gone.
    """
    fallback, rule = contract.terms.fallback, rule_of(contract)
    owner, gap = owner_of(contract, contacts=contacts, placeholders=placeholders, today=today)
    fields = 0 if contract.record is None else len(contract.record.fields)
    rules = sum(u.of_records for u in contract.unenforced)
    findings = [gap] if gap else []
    findings += [] if fields else ["its contract names no field, so every record keeps it"]
    findings += [f"{rules} of its rules are enforced by nothing"] if rules else []
    findings += [] if rule.silence_s is not None else ["it promises no pace, so nobody notices when it falls silent"]
    findings += [] if fallback is not None else ["nothing is declared to stand in for it"]
    findings += [] if seen is not None else ["the feed holds no record of it"]
    changes = () if seen is None else tuple(r.rule for r in seen.reasons if "not in the contract" in r.rule)
    return SourceTerms(
        source=source,
        contract=f"{contract.id} {contract.version}",
        fields=fields,
        unenforced=rules,
        changes=changes,
        levels=tuple(_level(level, contract, arrived) for level in contract.terms.levels),
        owner=owner,
        findings=tuple(findings),
    )


def _level(level: ServiceLevel, contract: Contract, arrived: Arrived) -> LevelDetail:
    promised = f"{level.value} {level.unit}".strip() + f" (line {level.line})"
    standing, said = _NOT, "nothing here measures it"
    rule = rule_of(contract)
    left = next((text for text in rule.not_measured if text.startswith(f"line {level.line} ")), "")
    share = None if level.ratio is None else level.ratio
    if left:
        said = left.partition(": ")[2]
    elif level.property == "errorRate" and share is not None:
        rate = arrived.broken / arrived.total if arrived.total else 0.0
        standing = _KEPT if rate <= share else _BROKEN
        said = f"{arrived.broken} of {arrived.total} records broke the contract"
    elif level.property in {"frequency", "latency", "freshness"} and level.seconds is not None:
        is_age = bool(level.fields)
        late = arrived.stale if is_age else arrived.after_silence
        standing = _BROKEN if late else _KEPT
        said = f"{late} of {arrived.total} records came {'too old' if is_age else 'after a silence'}"
        said += f"; {span(level.seconds)} are promised"
    else:
        return LevelDetail(level=level.property, promised=promised, standing=_NOT, said=said)
    if not left and not arrived.total:
        standing, said = _NOT, "no record of it has come in earnest"
    return LevelDetail(level=level.property, promised=promised, standing=standing, said=said)


# -- owners


def known_contacts(manifest: Manifest) -> frozenset[str]:
    """Contacts of everybody whom the manifest names as an owner, or as a member of one."""
    owners = manifest.owners
    parties = (owners.business, owners.technical, owners.operations, owners.leader)
    return frozenset(contact for party in parties for contact in (party.contact, *party.members))


def owner_of(
    contract: Contract, *, contacts: Collection[str], placeholders: Collection[str], today: dt.date
) -> tuple[str, str]:
    """Who owns a source, and why their contact does not work; "" when it does.

    Args:
        contract: of the source.
        contacts: of those who are known to be there.
        placeholders: contacts that nobody has filled in yet.
        today: members of the team who left before are gone.
    """
    fallback = contract.terms.fallback
    team = [member for member in contract.terms.members if member.username]
    gone = {member.username for member in team if _has_left(member.until, today)}
    here = [m.username for m in team if m.username not in gone]
    owner = fallback.owner if fallback is not None else next(iter(here), "")
    if not owner:
        return (
            "",
            "nobody is named who owns it" if not gone else f"all of its team have left ({', '.join(sorted(gone))})",
        )
    if owner in gone:
        return owner, f"its owner '{owner}' has left its team"
    return owner, contact_gap(owner, contacts=contacts, placeholders=placeholders)


def contact_gap(contact: str, *, contacts: Collection[str], placeholders: Collection[str]) -> str:
    """Why a contact does not work; "" when it does."""
    if contact in placeholders:
        return f"its owner '{contact}' is still the placeholder"
    if contact not in contacts:
        return f"its owner '{contact}' is nobody whom the manifest names, so nobody can tell whether it reaches anybody"
    return ""


def give_owned(run: Run, gaps: Mapping[str, str], consumers: Mapping[str, str]) -> None:
    """Evidence for ``contracts.owned``; none where there is neither source nor consumer.

    Args:
        run: the started run.
        gaps: why a source's owner cannot be reached, by source; "" where they can.
        consumers: the same of each consumer's owner.
    """
    total = len(gaps) + len(consumers)
    if not total:
        return
    missing = [f"{name}: {gap}" for name, gap in (*gaps.items(), *consumers.items()) if gap]
    run.give(
        "contracts.owned",
        Census(count=total - len(missing), total=total, ratio=True, missing=tuple(missing[:20])),
        draw=Draw.FIXED,
        of_people=True,
        finding=f"{total - len(missing)} of {total} sources and consumers have an owner with a working contact.",
    )


def consumer_gaps(
    consumers: Sequence[Consumer], *, contacts: Collection[str], placeholders: Collection[str]
) -> dict[str, str]:
    """Why the owner of each consumer cannot be reached; "" where they can."""
    return {c.id: contact_gap(c.owner, contacts=contacts, placeholders=placeholders) for c in consumers}


def _has_left(until: str, today: dt.date) -> bool:
    try:
        return bool(until) and dt.date.fromisoformat(until[:10]) <= today
    except ValueError:
        return False

"""Accountability: the map is complete, and recorded decisions can be reconstructed from the ledger alone."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Collection, Mapping

import msgspec

from plimsoll.assess.run import Run, body_of, decoded, is_as_written
from plimsoll.errors import VerificationFailed
from plimsoll.ledger import Entry, Erased, Ledger
from plimsoll.model.decision import DecisionRecord, Disposition, Tier
from plimsoll.model.details import AccountabilityDetail, MapRow
from plimsoll.model.evidence import Census, Draw, Ended
from plimsoll.model.manifest import DecisionType, Manifest
from plimsoll.rollout import Release, release_digest

_DECISION = "decision "  # a finding begins with it, and with the id
SAMPLE = 200  # decisions reconstructed; with none failing, the share that cannot be is below 1.5% at 95%


def assess_accountability(
    run: Run,
    ledger: Ledger,
    manifest: Manifest,
    *,
    placeholders: Collection[str],
    chance: random.Random,
    sample: int = SAMPLE,
) -> AccountabilityDetail:
    """Check the accountability map, reconstruct a random sample of this release's decisions, and give evidence.

    Args:
        run: the started run.
        ledger: the only thing a decision is reconstructed from.
        manifest: what declares the map.
        placeholders: contacts that nobody has filled in yet.
        chance: draws the sample.
        sample: how many decisions at most.
    """
    rows = tuple(map_row(name, kind, manifest, placeholders) for name, kind in manifest.decisions.items())
    releases = _built_releases(ledger, manifest.system)
    named = named_before(ledger, manifest.system)
    drawn = draw_decisions(ledger, manifest.system, run.about.release, chance, sample, always=named)
    tiers = {name: kind.tier.value for name, kind in manifest.decisions.items()}
    findings = [
        f"{_DECISION}{entry.id}: {gap}"
        for entry in drawn
        for gap in [why_not_reconstructed(ledger, entry, releases, tiers)]
        if gap
    ]
    complete = sum(not row.missing for row in rows)
    done = len(drawn) - len(findings)
    missing = (*(f"{row.type}: {', '.join(row.missing)}" for row in rows if row.missing), *findings[:20])
    if not drawn:
        missing = (*missing, "no decision of this release is recorded yet, so none could be reconstructed")
    run.give(
        "accountability.complete",
        # With no decision to look at, the audit trail is unproven: it counts as one case that is not complete.
        Census(count=complete + done, total=len(rows) + max(len(drawn), 1), ratio=True, missing=missing),
        draw=Draw.FRESH if drawn else Draw.FIXED,
        finding=f"{complete} of {len(rows)} decision types have a complete entry; "
        f"{done} of {len(drawn)} sampled decisions were reconstructed from the ledger alone.",
    )
    detail = AccountabilityDetail(rows=rows, sampled=len(drawn), reconstructed=done, findings=tuple(findings[:50]))
    run.draw_with(detail)
    return detail


def map_row(name: str, kind: DecisionType, manifest: Manifest, placeholders: Collection[str]) -> MapRow:
    """One entry of the accountability map, with what it lacks."""
    missing = []
    if kind.accountable in placeholders:
        missing.append("the accountable contact is still the placeholder")
    if not kind.escalation and kind.tier is not Tier.AUTOMATIC:
        missing.append("no escalation path")
    if any(contact in placeholders for contact in kind.escalation):
        missing.append("the escalation path holds a placeholder")
    if kind.consequence.value not in {"none", "operational"} and not kind.appeal:
        missing.append("nobody to appeal to")
    if kind.appeal in placeholders:
        missing.append("whom to appeal to is still the placeholder")
    if kind.review_of_this_entry is None:
        missing.append("no date to look at this entry again")
    may = manifest.may
    if not (may.override and may.retrain and may.decommission):
        missing.append("who may override, retrain and decommission is not said")
    if any(contact in placeholders for contact in (*may.override, *may.retrain, *may.decommission)):
        missing.append("a placeholder may override, retrain or decommission")
    return MapRow(
        type=name,
        tier=kind.tier.value,
        accountable=kind.accountable,
        consequence=kind.consequence.value,
        escalation=kind.escalation,
        appeal=kind.appeal,
        review_due="" if kind.review_of_this_entry is None else f"every {kind.review_of_this_entry}",
        missing=tuple(missing),
    )


def draw_decisions(
    ledger: Ledger, system: str, release: str, chance: random.Random, most: int, *, always: Collection[str] = ()
) -> tuple[Entry, ...]:
    """A uniform random sample of the decisions of a release (reservoir sampling, Vitter 1985, Algorithm R).

    Args:
        ledger: where they are.
        system: whose.
        release: digest.
        chance: draws.
        most: how many at most.
        always: ids of decisions that are taken beside the sample, however many others have come since.
    """
    kept: list[Entry] = []
    besides: list[Entry] = []
    seen = 0
    for entry in ledger.entries(kinds=("decision",), system=system):
        if not _is_of(ledger, entry, release):
            continue
        if entry.id in always:
            besides.append(entry)
            continue
        seen += 1
        if len(kept) < most:
            kept.append(entry)
        elif (place := chance.randrange(seen)) < most:
            kept[place] = entry
    return (*besides, *kept)


def _is_of(ledger: Ledger, entry: Entry, release: str) -> bool:
    try:
        return decoded(ledger, entry, _OfRelease).release == release
    except Erased:
        return False  # nothing of it can be said, not even its release
    except VerificationFailed:
        return True  # altered: whosever it was, it cannot be reconstructed


def named_before(ledger: Ledger, system: str) -> frozenset[str]:
    """The decisions that an earlier run could not reconstruct: a sample cannot be drawn again until it passes."""
    found: set[str] = set()
    for entry in ledger.entries(kinds=("assessment.ended",), system=system):
        detail = body_of(ledger, entry, Ended).detail
        for finding in msgspec.json.decode(detail, type=_Findings).findings:
            found.add(finding.removeprefix(_DECISION).partition(":")[0])
    return frozenset(found)


def why_not_reconstructed(  # noqa: PLR0911 - one return for each thing that can be missing reads best
    ledger: Ledger, entry: Entry, releases: Mapping[str, Release], tiers: Mapping[str, str]
) -> str:
    """What of a decision the ledger alone cannot tell; "" when it tells all: asked, release, answered, why, who.

    Args:
        ledger: the only thing it is reconstructed from.
        entry: the decision, as it was drawn.
        releases: those that were recorded, by digest.
        tiers: of the decision types of this release, by name.
    """
    stored = ledger.get(entry.id)
    if stored is None or stored.header is None:
        return "the entry is not found, or has no header"
    if not is_as_written(ledger, stored):
        return "it was altered after it was written: it is not what its hash was taken over"
    try:
        record = decoded(ledger, stored, DecisionRecord)
    except VerificationFailed as why:
        return f"its record cannot be read: {why.message}"
    built = releases.get(record.release)
    if built is None:
        return f"its release {record.release[:19]}… was never recorded"
    if release_digest(built.parts) != record.release:
        return "the recorded parts of its release do not give its digest"
    if record.input_json is None and not record.raw:
        return "what was asked is not in the record"
    if record.disposition.value != stored.header.disposition:
        return "header and record disagree on how it ended"
    if stored.header.tier != tiers.get(stored.header.type, "undeclared"):
        return f"it was taken as {stored.header.tier}, which the release does not declare '{stored.header.type}' to be"
    return _unexplained(record)


def _unexplained(record: DecisionRecord) -> str:
    if record.disposition is Disposition.ANSWERED:
        if record.output_json is None:
            return "it was answered, and the answer is not in the record"
    elif not record.why:
        return "it was not answered, and the record does not say why"
    if not record.accountable and record.disposition is not Disposition.REFUSED:
        return "nobody stands for it"
    return ""


def _built_releases(ledger: Ledger, system: str) -> dict[str, Release]:
    found: dict[str, Release] = {}
    for entry in ledger.entries(kinds=("release.built",), system=system):
        with contextlib.suppress(VerificationFailed):  # altered: then it tells nothing of any decision
            release = body_of(ledger, entry, Release)
            found[release.digest] = release
    return found


class _Findings(msgspec.Struct):
    findings: tuple[str, ...] = ()  # of an AccountabilityDetail


class _OfRelease(msgspec.Struct):
    release: str = ""

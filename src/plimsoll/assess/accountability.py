"""Accountability: the map is complete, and recorded decisions can be reconstructed from the ledger alone."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Collection, Mapping, Sequence

import msgspec

from plimsoll.assess.run import Run, body_of, decoded, is_as_written
from plimsoll.errors import VerificationFailed
from plimsoll.ledger import Entry, Erased, Ledger
from plimsoll.model.decision import DecisionRecord, Disposition, Tier
from plimsoll.model.details import AccountabilityDetail, MapRow
from plimsoll.model.evidence import Census, Draw, Ended
from plimsoll.model.input_note import SourceState
from plimsoll.model.manifest import DecisionType, Manifest
from plimsoll.rollout import Release, release_digest
from plimsoll.stats import clopper_pearson_lower

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
    confidence: float = 0.95,
) -> AccountabilityDetail:
    """Check the accountability map, reconstruct a random sample of this release's decisions, and give evidence.

    Args:
        run: the started run.
        ledger: the only thing a decision is reconstructed from.
        manifest: what declares the map.
        placeholders: contacts that nobody has filled in yet.
        chance: draws the sample.
        sample: how many decisions at most.
        confidence: of the bound for all decisions, one-sided, in (0, 1).
    """
    rows = accountability_map(manifest, placeholders)
    releases = _built_releases(ledger, manifest.system)
    named = named_before(ledger, manifest.system)
    drawn = draw_decisions(ledger, manifest.system, run.about.release, chance, sample, always=named)
    tiers = {name: kind.tier.value for name, kind in manifest.decisions.items()}
    gaps = {entry.id: why_not_reconstructed(ledger, entry, releases, tiers) for entry in drawn.entries}
    findings = [f"{_DECISION}{record}: {gap}" for record, gap in gaps.items() if gap]
    complete, looked = sum(not row.missing for row in rows), len(drawn.entries)
    done = looked - len(findings)
    lower = _lower(drawn, gaps, confidence)
    looked_at = _looked_at(len(rows), drawn, lower, confidence)
    missing = (*_lacking(rows), *findings[:20])
    if not looked:
        missing = (*missing, "no decision of this release is recorded yet, so none could be reconstructed")
    run.give(
        "accountability.complete",
        # With no decision to look at, the audit trail is unproven: it counts as one case that is not complete.
        Census(
            count=complete + done, total=len(rows) + max(looked, 1), ratio=True, missing=missing, looked_at=looked_at
        ),
        draw=Draw.FRESH if looked else Draw.FIXED,
        finding=f"{complete} of {len(rows)} decision types have a complete entry; "
        f"{done} of {looked} decisions looked at were reconstructed from the ledger alone. Looked at: {looked_at}.",
    )
    detail = AccountabilityDetail(
        rows=rows,
        sampled=looked,
        reconstructed=done,
        findings=tuple(findings[:50]),
        decisions=drawn.population + len(drawn.named),
        named=len(drawn.named),
        lower=lower,
        confidence=confidence,
        looked_at=looked_at,
    )
    run.draw_with(detail)
    return detail


def accountability_map(manifest: Manifest, placeholders: Collection[str]) -> tuple[MapRow, ...]:
    """Every decision type with what its entry lacks."""
    return tuple(map_row(name, kind, manifest, placeholders) for name, kind in manifest.decisions.items())


def map_now(manifest: Manifest, placeholders: Collection[str], was: Census, detail: AccountabilityDetail) -> Census:
    """An earlier census with the map as it is now; what was found of the decisions stays as it was.

    Args:
        manifest: as it is now.
        placeholders: contacts that nobody has filled in yet.
        was: the census that a run gave.
        detail: what the same run left to be drawn; it says how much of the census was the map.
    """
    rows = accountability_map(manifest, placeholders)
    of_decisions = tuple(text for text in was.missing if text not in _lacking(detail.rows))
    return Census(
        count=sum(not row.missing for row in rows) + detail.reconstructed,
        total=len(rows) + was.total - len(detail.rows),
        ratio=True,
        missing=(*_lacking(rows), *of_decisions),
        looked_at=was.looked_at,
    )


def _lacking(rows: Sequence[MapRow]) -> tuple[str, ...]:
    return tuple(f"{row.type}: {', '.join(row.missing)}" for row in rows if row.missing)


def _lower(drawn: Drawn, gaps: Mapping[str, str], confidence: float) -> float | None:
    """The bound of the share of all decisions that can be reconstructed; None: all were looked at, or none.

    What was not drawn at random is left out on both sides. The bound is that of a draw with replacement; a draw without
    it varies less, so it is on the safe side.
    """
    n = len(drawn.sample)
    if not 0 < n < drawn.population:
        return None
    return clopper_pearson_lower(sum(not gaps[entry.id] for entry in drawn.sample), n, confidence)


def _looked_at(types: int, drawn: Drawn, lower: float | None, confidence: float) -> str:
    """What was looked at, in words that a census may be named by."""
    said = "the one decision type of the map" if types == 1 else f"all {types:,} decision types of the map"
    n, named = len(drawn.sample), len(drawn.named)
    if not n and not named:
        return f"{said}, and no decision, since none of this release is recorded"
    if lower is None:
        total = n + named
        return f"{said}, and {'the one decision' if total == 1 else f'all {total:,} decisions'} of this release"
    besides = f", and {named:,} that an earlier run could not reconstruct" if named else ""
    return (
        f"{said}, and {n:,} of {drawn.population:,} decisions of this release, drawn uniformly at random{besides}; "
        f"with {confidence * 100:.4g}% confidence at least {math.floor(lower * 1000) / 10:.1f}% of those "
        f"{drawn.population:,} can be reconstructed"
    )


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


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions that are looked at."""

    named: tuple[Entry, ...]  # whatever is drawn
    sample: tuple[Entry, ...]  # uniformly at random
    population: int  # decisions that the sample was drawn from; those named are not among them

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All of them, each once."""
        return (*self.named, *self.sample)


def draw_decisions(
    ledger: Ledger, system: str, release: str, chance: random.Random, most: int, *, always: Collection[str] = ()
) -> Drawn:
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
    return Drawn(named=tuple(besides), sample=tuple(kept), population=seen)


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
    absent = record.input_note is not None and SourceState.UNAVAILABLE in record.input_note.found
    if record.input_json is None and not record.raw and not absent:
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

"""From the ledger to a board: the verdict on the evidence there is, who signed, what it costs."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from plimsoll.assembly.assessing import lacking, price
from plimsoll.assembly.project import Project
from plimsoll.assembly.runs import begun_anew, left_evidence, recorded_runs, resampled, unfinished, unseen
from plimsoll.assembly.signing import SIGNED
from plimsoll.attest import Trust, check_threshold
from plimsoll.errors import VerificationFailed
from plimsoll.gate import judge, make_board
from plimsoll.ledger import FileWitness, Ledger
from plimsoll.model.board import Board
from plimsoll.model.evidence import Dated, Proportion
from plimsoll.model.manifest import Manifest, Owners
from plimsoll.model.metrics import METRICS
from plimsoll.stats import clopper_pearson_lower


class JudgedRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A board with what an attestation and a report need beside it."""

    board: Board
    signed_threshold: bytes | None
    signed_ns: int | None
    protocols: Mapping[str, tuple[str, ...]]  # assessment -> digests of how it measured


def judge_release(project: Project, ledger: Ledger, trust: Trust, *, now_ns: int) -> JudgedRelease:
    """Judge the release that lies here now on the evidence of its ledger.

    Args:
        project: the system.
        ledger: where evidence and signatures are.
        trust: whose signatures count.
        now_ns: UTC nanoseconds since the epoch.
    """
    manifest, release = project.manifest, project.release.digest
    runs = recorded_runs(ledger, manifest.system)
    dated, doubts = left_evidence(ledger, manifest.system, runs)
    rows = judge(manifest.threshold, release, dated, now_ns, people=manifest.people_digest)
    signature = _signature(project, ledger, trust, now_ns)
    used = {entry for row in rows for entry in row.entries}
    board = make_board(
        system=manifest.system,
        release=release,
        threshold=manifest.threshold,
        people=manifest.people_digest,
        rows=rows,
        time_ns=now_ns,
        signed=signature.entry,
        pinned=bool(signature.entry),  # `_signature` gives only what a pinned key has signed
        simulated=signature.simulated or manifest.demonstration is not None,
        unfinished=unfinished(runs, release),
        notes=(
            *signature.notes,
            *doubts,
            *_begun_anew(project, ledger),
            *resampled(runs, release),
            *unseen(runs, release),
            *_in_one_hand(manifest.owners),
            *_ungoverned(manifest),
            *(f"{name} cannot be measured: the manifest names no {key}" for name, key in lacking(project).items()),
        ),
        price=_price(project, [d for d in dated if d.entry in used]),
        owners={
            "contracts": manifest.owners.technical.contact,
            "technical": manifest.owners.technical.contact,
            "data": manifest.owners.technical.contact,
            "organisational": manifest.owners.business.contact,
            "governance": manifest.owners.leader.contact,
        },
    )
    protocols: dict[str, list[str]] = {}
    for d in dated:
        if d.entry in used:
            protocols.setdefault(METRICS[d.evidence.metric].assessment, []).append(d.evidence.protocol)
    return JudgedRelease(
        board=board,
        signed_threshold=signature.raw,
        signed_ns=signature.signed_ns,
        protocols={name: tuple(sorted(set(found))) for name, found in protocols.items()},
    )


class _Signature(msgspec.Struct, frozen=True, kw_only=True):
    entry: str = ""
    raw: bytes | None = None
    signed_ns: int | None = None
    simulated: bool = False
    notes: tuple[str, ...] = ()


def _signature(project: Project, ledger: Ledger, trust: Trust, now_ns: int) -> _Signature:
    """The newest signature under this very threshold that holds; else why none does."""
    manifest = project.manifest
    why = ""
    for entry in ledger.find(SIGNED, system=manifest.system):  # the newest first
        raw = ledger.body(entry)
        try:
            line = check_threshold(
                raw, trust, system=manifest.system, threshold=manifest.threshold.digest, now_ns=now_ns
            )
        except VerificationFailed as failure:
            why = why or f"the threshold's signature does not count: {failure.message}"
            continue
        return _Signature(entry=entry.id, raw=raw, signed_ns=line.signed_ns, simulated=line.simulated)
    unsigned = f"the threshold is not signed: a DRAFT, until {manifest.threshold.set_by} signs it"
    return _Signature(notes=(why or unsigned,))


def _in_one_hand(owners: Owners) -> tuple[str, ...]:
    """Where nobody but who builds it has a say, in a sentence: the board shows what a list of roles hides."""
    contacts = {p.contact for p in (owners.business, owners.technical, owners.operations, owners.leader)}
    builders = {owners.technical.contact, *owners.technical.members}
    if len(contacts) == 1:
        return (f"{owners.leader.contact} alone stands for business, technical, operations and leader",)
    if owners.leader.contact in builders:
        return (f"{owners.leader.contact} sets the threshold and is of those who build to it",)
    return ()


def _ungoverned(manifest: Manifest) -> tuple[str, ...]:
    if manifest.governance is not None:
        return ()
    return ("nothing governs egress: the manifest names no governance page",)


def _begun_anew(project: Project, ledger: Ledger) -> tuple[str, ...]:
    if not project.witness_path.exists():
        return ()
    return begun_anew(FileWitness(project.witness_path), ledger.reader.meta("origin"))


def _price(project: Project, used: list[Dated]) -> tuple[str, ...]:
    """What it costs to be above the line, with its uncertainty counted against it."""
    found = [d.evidence.sample for d in used if d.evidence.metric == "evaluation.answered_share"]
    if not found or not isinstance(found[-1], Proportion) or not found[-1].total:
        return ()
    share = found[-1]
    held = 1 - share.hits / share.total
    worst = 1 - clopper_pearson_lower(share.hits, share.total, project.manifest.threshold.confidence.base)
    now, most = price(project, held), price(project, worst)
    if now is None or most is None:
        return (f"{1 - held:.1%} of the cases are answered without a person (at least {1 - worst:.1%}).",)
    capacity = now.capacity_minutes_per_day or 0.0
    share_said = f"{held:.1%} of the cases go to people (at most {worst:.1%})."
    minutes_said = (
        f"At {now.expected_per_day:,.0f} a day that is {now.minutes_per_day:,.0f} reviewer minutes a day "
        f"(at most {most.minutes_per_day:,.0f}); there are {capacity:,.0f}."
    )
    return (share_said, minutes_said)

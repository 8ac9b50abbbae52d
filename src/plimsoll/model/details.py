"""What a report draws beside the board: the raw shape of each assessment, as values.

An assessment writes its own detail, as JSON, into the ``detail`` of its ``assessment.ended`` entry
(``model.evidence.Ended``); ``Ended(run=…, detail=msgspec.Raw(msgspec.json.encode(detail)))``. Whoever renders a report
decodes it with the type below and collects what there is in one `ReportDetails`. A missing detail is drawn as "not
measured", never as a zero.

Units: times and durations of the system in seconds (fields end in ``_s``), moments in UTC nanoseconds since the epoch
(``_ns``), rates and shares as a fraction of 1, traffic per second (``_per_s``) or per day (``_per_day``). Nothing here
holds a personal value in clear: examples are masked by who fills them in.
"""

from __future__ import annotations

import msgspec


class _Detail(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all details. Unknown fields are ignored on decoding: an older report reads a newer ledger."""


# ── stability ────────────────────────────────────────────────────────────────────────────────────────────────────────


class LoadWindow(_Detail, frozen=True, kw_only=True):
    """One window of one stage, under open-loop load; latencies count from when a call was due."""

    n: int  # calls offered in the window
    p50_s: float  # of the calls that were not shed
    p99_s: float
    p99_bound_s: (
        float | None
    )  # order-statistic upper bound at the threshold's confidence; None: the window is too small
    error_rate: float  # (failed + shed + late) / offered
    shed_rate: float  # shed / offered
    waiting_middle: int = 0  # the fewest calls that waited at a time, just after the middle of the window
    waiting_end: int = 0  # the same, just before its end
    drain_s: float = 0.0  # from the last call due until every one had ended


class LoadStage(_Detail, frozen=True, kw_only=True):
    """One stage: a multiple of the declared peak."""

    multiple: float  # 1.0, 2.0, 3.0 …
    offered_per_s: float  # the rate the schedule asked for
    windows: tuple[LoadWindow, ...]  # at least three; in the order in which they ran
    achieved_per_s: float = 0.0  # the rate that came back; 0.0: not reported
    healthy: bool = True  # False: the driver was out of breath, so the figures say nothing of the system
    why: str = ""  # when not healthy: why, in one sentence
    held: bool | None = None  # whether the stage counts as held for stability.load; None: not judged
    lag_p99_s: float | None = None  # the driver's own lateness in sending
    window_s: float = 0.0  # how long each window lasted; 0.0: not recorded
    backlog: str = ""  # "steady", "growing", "untold" (the window was too short to show it); "": not looked at


class StabilityDetail(_Detail, frozen=True, kw_only=True):
    """Latency, errors and shedding per stage. Limits are the threshold's, drawn as the line; None: no condition."""

    stages: tuple[LoadStage, ...]
    peak_per_s: float  # the declared peak
    path: str = ""  # what was driven: "guard in process", "HTTP target …"
    latency_limit_s: float | None = None  # of stability.latency_p99
    error_limit: float | None = None  # of stability.error_rate
    degradation: float | None = None  # worst p99 at the highest stage / p99 at 1x
    unseen: tuple[str, ...] = ()  # decision types that the AI may answer and that nothing was sent of
    note: str = ""  # "The feed repeats images." and the like: one or more plain sentences


# ── evaluation ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Segment(_Detail, frozen=True, kw_only=True):
    """One slice of the golden set. n = answered + held + other; accuracy = right / answered.

    ``lower`` and ``upper`` are the two exact one-sided bounds of the accuracy at the threshold's confidence
    (``stats.clopper_pearson_*``); None when nothing was answered.
    """

    name: str  # the segment's field: "digits", "source"
    value: str  # its value: "4"
    n: int  # cases
    right: int  # answered and right
    answered: int
    held: int
    lower: float | None
    upper: float | None
    other: int = 0  # neither answered nor held: quarantined, refused, failed


class Price(_Detail, frozen=True, kw_only=True):
    """What it costs to be above the line: held work, in reviewers' minutes a day."""

    held_share: float  # of the cases
    expected_per_day: float  # decisions, as declared under ``load``
    minutes_per_item: float  # as declared under ``review``
    minutes_per_day: float  # held_share x expected_per_day x minutes_per_item
    capacity_minutes_per_day: float | None = None  # None: the manifest names none


class EvaluationDetail(_Detail, frozen=True, kw_only=True):
    """The golden set, overall and by segment."""

    overall: Segment  # name and value are ""
    segments: tuple[Segment, ...] = ()  # grouped by name, in the order to be shown
    price: Price | None = None
    golden: str = ""  # the file's name
    confidence: float = 0.95  # of each bound, one-sided
    accuracy_limit: float | None = None  # of evaluation.accuracy, drawn as the line
    note: str = ""


# ── contracts ────────────────────────────────────────────────────────────────────────────────────────────────────────


class RuleCount(_Detail, frozen=True, kw_only=True):
    """How often one rule was broken. A record that breaks two rules counts under both."""

    rule: str  # plain text: "amount is missing", "line is not JSON"
    count: int


class SourceDetail(_Detail, frozen=True, kw_only=True):
    """One source of the feed. offered = valid + coerced + quarantined + other."""

    name: str  # "type/source", where the AI may answer several decision types
    offered: int
    valid: int  # kept the contract as it came
    coerced: int  # kept it after a declared coercion; counts as valid in the rate
    quarantined: int
    other: int = 0  # never reached the contract, or failed before a verdict
    reasons: tuple[RuleCount, ...] = ()  # most frequent first
    contract: str = ""  # id or file of its contract


class QuarantineExample(_Detail, frozen=True, kw_only=True):
    """One quarantined record, masked: shape and reasons, never a classified value."""

    source: str
    record: str  # id of the decision in the ledger
    excerpt: str  # the masked record, at most some 300 characters
    reasons: tuple[str, ...]  # every reason, in plain text


class LevelDetail(_Detail, frozen=True, kw_only=True):
    """One promise of a source, and whether it is kept."""

    level: str  # "frequency", "errorRate"…
    promised: str  # as the contract writes it, with its line
    standing: str  # "kept", "broken", "not measured"
    said: str  # the figure, or why it is not measured


class SourceTerms(_Detail, frozen=True, kw_only=True):
    """What a source's contract says around its records, and what is wrong with it."""

    source: str
    contract: str  # id and version
    fields: int  # that it names; 0: nothing says what a record is
    unenforced: int  # rules about single records that nothing enforces
    changes: tuple[str, ...] = ()  # what of its records in the feed the contract does not know
    levels: tuple[LevelDetail, ...] = ()
    owner: str = ""
    findings: tuple[str, ...] = ()  # one plain sentence each; empty: nothing is missing


class CutRound(_Detail, frozen=True, kw_only=True):
    """A source cut once: what was decided meanwhile, and how it came back."""

    decisions: tuple[str, ...]  # ids of the decisions taken while it was cut, once what is declared was to stand in
    as_declared: int  # how many of them ended as declared
    value: str = ""  # the shape of what stood in, and where its value stands; "": none did
    recovery_s: float | None = (
        None  # from the first record after the cut until one was decided as before; None: none was
    )
    recovered_after: int = 0  # records that this took
    why: tuple[str, ...] = ()  # what keeps it from counting, in a sentence each


class CutDetail(_Detail, frozen=True, kw_only=True):
    """One declared fallback of one source, exercised."""

    source: str
    trouble: str  # onUnavailable, onMalformed, onStale
    use: str
    rounds: tuple[CutRound, ...] = ()
    not_exercised: str = ""  # why it could not be; "" when it was

    @property
    def holds(self) -> bool:
        """Whether it took over as declared and let go again, every time."""
        return bool(self.rounds) and not any(r.why for r in self.rounds)


class ConsumerDetail(_Detail, frozen=True, kw_only=True):
    """One consumer of the answers: what it is given, how late, and what reaches it that it does not expect."""

    id: str
    format: str
    outputs: int  # answers that were written in its format and read back
    worst_s: float | None = None  # the slowest of them, from being asked for to being answered
    latency_s: float = 0.0  # what it bears
    unexpected: int = 0  # answers with an unexpected value that were tried
    reached: int = 0  # how many of those reached it
    effect: str = ""  # what it declares such a value does there
    why: tuple[str, ...] = ()  # what is wrong, in a sentence each; empty: it is served
    not_measured: tuple[str, ...] = ()  # what could not be exercised, and why


class ContractsDetail(_Detail, frozen=True, kw_only=True):
    """Every source against its contract, and what became of each record that was offered."""

    sources: tuple[SourceDetail, ...]
    examples: tuple[QuarantineExample, ...] = ()  # a few
    dispositions: dict[str, int] = {}  # disposition -> count; their sum is what was offered
    lost: int | None = None  # records that cannot be found in the ledger; None: not looked up
    unenforced: tuple[str, ...] = ()  # "file:line rule": rules that nothing enforces yet
    valid_limit: float | None = None  # of contracts.valid_rate, drawn as the line
    feed: str = ""  # the folder's name
    unseen: tuple[str, ...] = ()  # decision types that the AI may answer and that the feed holds no record of
    note: str = ""
    terms: tuple[SourceTerms, ...] = ()
    cuts: tuple[CutDetail, ...] = ()
    consumers: tuple[ConsumerDetail, ...] = ()


# ── rollout ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class DrillRound(_Detail, frozen=True, kw_only=True):
    """One practised rollback, under traffic in every process."""

    seconds: float | None  # from the order until the last process answered by what was gone back to; None: not all did
    waited_s: float  # how long was waited for them at most
    calls: int  # under way at the rollback, or begun after it
    in_flight: int  # of those, begun before it and ended on the release that they began with
    failed: int  # of those, failed because of it
    compared: int  # answers to sample inputs after it that could be held against those before
    differing: int  # of those, not what that release had answered before
    why: tuple[str, ...] = ()  # what keeps it from counting, in a sentence each; empty: it counts


class DrillDetail(_Detail, frozen=True, kw_only=True):
    """The rollback of this release, practised."""

    rounds: tuple[DrillRound, ...]
    back: str  # digest of the release gone back to; "": none was live before, so every decision goes to people
    processes: int
    rate_per_s: float  # of calls, all processes together
    inputs: int  # sample inputs
    varying: int = 0  # of those, answered differently by the same release before; compared by how they ended alone
    store: str = ""  # "SQLite", "PostgreSQL": what the processes share
    note: str = ""


# ── accountability ───────────────────────────────────────────────────────────────────────────────────────────────────


class MapRow(_Detail, frozen=True, kw_only=True):
    """One decision type of the accountability map."""

    type: str
    tier: str
    accountable: str  # contact
    consequence: str = ""
    escalation: tuple[str, ...] = ()
    appeal: str = ""
    review_due: str = ""  # "2027-02-01", or "every 90 days"
    missing: tuple[str, ...] = ()  # what keeps the entry from being complete; empty: complete


class AccountabilityDetail(_Detail, frozen=True, kw_only=True):
    """The map, and how many recorded decisions could be reconstructed from the ledger alone.

    Every decision type is looked at. Of the decisions all are, or a uniform random sample of them, and beside it those
    that an earlier run could not reconstruct.
    """

    rows: tuple[MapRow, ...]
    sampled: int = 0  # decisions looked at, ``named`` among them
    reconstructed: int = 0  # of those
    findings: tuple[str, ...] = ()  # what could not be reconstructed, and why; plain sentences
    decisions: int = 0  # of this release, recorded and not erased; ``sampled`` are of these
    named: int = 0  # looked at whatever is drawn, because an earlier run could not reconstruct them
    lower: float | None = None  # exact one-sided bound of the share of all that can be; None: not a sample
    confidence: float = 0.95  # of that bound
    looked_at: str = ""  # all of this in words


# ── organisation ─────────────────────────────────────────────────────────────────────────────────────────────────────


class PersonDetail(_Detail, frozen=True, kw_only=True):
    """One named owner or operator, and whether they accepted this release with their own key."""

    contact: str
    roles: tuple[str, ...]
    accepted_at_ns: int | None = None  # None: has not accepted
    simulated: bool = False  # True: a scripted person, or a key made on the spot
    name: str = ""
    replayed: str = ""  # an operator: the quarantined record that was found and replayed first
    why: str = ""  # why an acceptance does not count, in one sentence


class OrganisationDetail(_Detail, frozen=True, kw_only=True):
    """Who is named, and who accepted."""

    people: tuple[PersonDetail, ...]


# ── how it was measured, and how to check it ─────────────────────────────────────────────────────────────────────────


class Measured(_Detail, frozen=True, kw_only=True):
    """One run of one assessment that the board rests on."""

    assessment: str
    run: str  # id of its ``assessment.started`` entry
    protocol: str  # digest of how it was measured
    started_ns: int
    ended_ns: int | None = None  # None: started and never ended
    note: str = ""  # "3 runs pooled"


class CheckpointDetail(_Detail, frozen=True, kw_only=True):
    """The ledger's signed head that covers this board."""

    origin: str
    entries: int
    root: str  # hex or base64, as the note prints it
    time_ns: int | None = None
    witness: str = ""  # where it was published; empty: nowhere outside the store


class ReleasePart(_Detail, frozen=True, kw_only=True):
    """One thing that the release digest covers."""

    name: str  # "target sources", "model/weights.npz", "contracts/scan.odcs.yaml"
    digest: str


class ReportDetails(_Detail, frozen=True, kw_only=True):
    """All that a report draws beside the board. None: that assessment did not run for this release."""

    purpose: str = ""  # of the system, from the manifest
    manifest: str = ""  # the file's name
    stability: StabilityDetail | None = None
    evaluation: EvaluationDetail | None = None
    contracts: ContractsDetail | None = None
    rollout: DrillDetail | None = None
    accountability: AccountabilityDetail | None = None
    organisation: OrganisationDetail | None = None
    measured: tuple[Measured, ...] = ()
    release_parts: tuple[ReleasePart, ...] = ()
    uncovered: tuple[str, ...] = ()  # opened or reached at run time, and not covered
    checkpoint: CheckpointDetail | None = None
    threshold_signed_ns: int | None = None  # when the setter signed; None: nobody has
    attestation: str = ""  # name of the attestation file beside the report, if one was written
    verify: tuple[str, ...] = ()  # the commands that check it; () prints the usual ones
    version: str = ""  # of plimsoll

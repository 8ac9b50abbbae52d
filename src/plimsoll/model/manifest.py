"""What one ``plimsoll.yaml`` declares, as frozen values.

The fields here are the keys of the file: reader, messages and JSON Schema are made from these types and what is written
beside them. Rules that need more than one field (a threshold over four dimensions, no automatic tier for consequential
work) are in ``manifest_rules``; reading the YAML with its lines and columns is in ``manifest_reader``.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any, Final

import msgspec

from plimsoll.model.asked import (
    Asked,
    Contact,
    Duration,
    File,
    KnownContact,
    Name,
    Period,
    Rate,
    Reference,
    Says,
    Sentence,
    Service,
    Share,
    Slug,
    Variable,
)
from plimsoll.model.canonical import digest
from plimsoll.model.decision import Tier
from plimsoll.model.declared import Declared
from plimsoll.model.endpoint import ChatEndpoint, Endpoint, HttpService, OnnxModel, service_of
from plimsoll.model.knowledge import Knowledge
from plimsoll.model.prices import Budget, Prices
from plimsoll.model.quantity import Quantity
from plimsoll.model.quarantine import QuarantineBound
from plimsoll.model.share_of import ShareOf
from plimsoll.model.threshold import Threshold

FORMAT: Final = 1  # the version of this format, as the key `plimsoll` says it


class Consequence(enum.StrEnum):
    """What a wrong decision touches. Only ``none`` and ``operational`` may be left to the AI alone."""

    NONE = "none"
    OPERATIONAL = "operational"
    FINANCIAL = "financial"
    LEGAL = "legal"
    HEALTH = "health"
    CUSTOMER = "customer"


class Classification(enum.StrEnum):
    """How closely data must be kept. From ``confidential`` on, payloads are encrypted in the ledger."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    PERSONAL = "personal"
    SPECIAL = "special"


class Durability(enum.StrEnum):
    """When an answer may leave: after its record is on disk, or before."""

    BEFORE_ANSWER = "before-answer"
    BATCHED = "batched"


class FailureKind(enum.StrEnum):
    """How a target can fail. Only ``unavailable`` says that what was asked had no effect."""

    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    ERROR = "error"
    INVALID = "invalid"
    CRASH = "crash"


class FallbackWord(enum.StrEnum):
    """What happens when the target does not answer: the release before this one is asked, or a person takes it."""

    PREVIOUS_RELEASE = "previous-release"
    HOLD = "hold"


class Party(Declared, frozen=True, kw_only=True):
    """A person or a team that can be named and reached."""

    name: Annotated[Name, Says("who it is, as people call them")]
    contact: Annotated[Contact, Says("where they are reached: an address, a number, a channel")]
    members: Annotated[tuple[Contact, ...], Says("contacts of the people in a team")] = ()


class Owners(Declared, frozen=True, kw_only=True):
    """Who stands for the system."""

    business: Annotated[Party, Says("answers for what the system is for")]
    technical: Annotated[Party, Says("answers for how it works and its upkeep")]
    operations: Annotated[Party, Says("keeps it alive in production")]
    leader: Annotated[Party, Says("answers for the outcome, and sets the threshold")]
    single: Annotated[KnownContact, Says("the one contact who holds both the pilot and the production decision")]


class May(Declared, frozen=True, kw_only=True):
    """Who may step in."""

    override: Annotated[
        tuple[KnownContact, ...],
        Says("who may override a decision, or take a stop back (anybody named may stop); none: operations and single"),
    ] = ()
    retrain: Annotated[tuple[KnownContact, ...], Says("who may retrain or change the model")] = ()
    decommission: Annotated[tuple[KnownContact, ...], Says("who may take the system out of service")] = ()


class Retry(Declared, frozen=True, kw_only=True):
    """When a target is asked again, within the deadline."""

    attempts: Annotated[int, Asked(least=2, most=10), Says("how often it is asked at most, the first time included")]
    on: Annotated[tuple[FailureKind, ...], Says("the kinds of failure after which it is asked again")]
    budget: Annotated[
        Share, Says("retries are at most this share of first attempts, and one a second, so that they add to no outage")
    ] = Quantity(10, "%")


class Breaker(Declared, frozen=True, kw_only=True):
    """When a target that fails is not asked any more, and when it is tried again."""

    open_after: Annotated[ShareOf, Says("it opens when this share of so many calls, the latest ones, has failed")] = (
        ShareOf(Quantity(50, "%"), 20)
    )
    half_open_after: Annotated[Duration, Says("after this time one call finds out whether the target is back")] = (
        Quantity(5, "s")
    )


class FallbackGroup(Declared, frozen=True, kw_only=True):
    """A step of the fallback chain that says more than a word: one of these keys."""

    target: Annotated[
        Target | None, Says("another target, with rules of its own; it shares the deadline of the decision")
    ] = None
    constant: Annotated[
        Any, Says("always this output; it is checked and held like any other, and has no confidence")
    ] = None


FallbackStep = FallbackWord | FallbackGroup


class Target(Declared, frozen=True, kw_only=True):
    """The thing that answers, and how it is called. It is exactly one of ``python``, ``http``, ``openai``, ``onnx``."""

    python: Annotated[Reference, Says("the Python callable that answers, as package.module:callable")] = ""
    http: Annotated[HttpService | None, Says("the service that answers, JSON in and JSON out")] = None
    openai: Annotated[ChatEndpoint | None, Says("the chat endpoint that answers, OpenAI's own or a compatible one")] = (
        None
    )
    onnx: Annotated[OnnxModel | None, Says("the model file that answers")] = None
    identity: Annotated[
        Name,
        Says(
            "which version a remote target says it is: part of the release, and declared by it, not measured. "
            "http needs it; of openai, replies must name this model"
        ),
    ] = ""
    workers: Annotated[
        int | None,
        Asked(least=1, most=64),
        Says(
            "run the Python callable in so many processes, and one to spare: what hangs or crashes is cut off at the "
            "deadline and replaced; without it, it runs in the guard's own process"
        ),
    ] = None
    worker_memory_mib: Annotated[
        int | None, Asked(least=64, most=1_048_576), Says("address space that each worker process may take, in MiB")
    ] = None
    path: Annotated[
        tuple[File, ...], Says("folders to import from, relative to the manifest; its own folder is always one")
    ] = ()
    artifacts: Annotated[
        tuple[File, ...], Says("files the target reads, relative to the manifest: weights, prompts, tables")
    ] = ()
    environment: Annotated[
        tuple[Variable, ...], Says("names of environment variables that decide how it answers; never their values")
    ] = ()
    services: Annotated[
        tuple[Service, ...], Says("what it reaches over the network, as host:port; `*` for any port; unix:/path")
    ] = ()
    deadline: Annotated[
        Duration | None,
        Says(
            "what the caller waits at most, for room, attempts and fallbacks together; without it, as long as it takes"
        ),
    ] = None
    idempotent: Annotated[
        bool,
        Says(
            "asking twice has the effect of asking once: retries after all failures but unavailable need it, and so"
            " does what is sent again to a service when its connection broke"
        ),
    ] = False
    retry: Annotated[Retry | None, Says("when the target is asked again; without it, it is asked once")] = None
    breaker: Annotated[
        Breaker | None, Says("when a failing target is not asked any more; without it, it is asked whatever it does")
    ] = None
    concurrency: Annotated[int, Asked(least=1, most=1024), Says("calls that may be inside the target at once")] = 16
    queue: Annotated[
        int | None, Asked(least=0, most=65536), Says("callers that may wait; without it, four for each place inside")
    ] = None
    fallback: Annotated[tuple[FallbackStep, ...], Says("what happens when the target does not answer, in order")] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.concurrency <= 1024:
            raise ValueError(f"concurrency is {self.concurrency}; it must be from 1 to 1024")

    @property
    def endpoint(self) -> Endpoint | None:
        """What answers, where it is no Python callable."""
        return self.http or self.openai or self.onnx

    @property
    def service(self) -> str:
        """The service that a remote target is, as ``host:port``; "" for one that answers here."""
        remote = self.http or self.openai
        return "" if remote is None else service_of(remote.url)

    @property
    def is_remote(self) -> bool:
        """Whether it answers from elsewhere, where nothing says which version does but what it declares."""
        return self.http is not None or self.openai is not None

    @property
    def standbys(self) -> tuple[Target, ...]:
        """The other targets of its fallback chain, in order."""
        return tuple(s.target for s in self.fallback if isinstance(s, FallbackGroup) and s.target is not None)


class DecisionType(Declared, frozen=True, kw_only=True):
    """One named kind of decision, and who answers for it."""

    tier: Annotated[
        Tier, Says("automatic: the AI decides alone; reviewed: a person releases it; human-only: the AI is never asked")
    ]
    accountable: Annotated[KnownContact, Says("who answers for decisions of this type")]
    consequence: Annotated[Consequence, Says("what a wrong decision touches")] = Consequence.OPERATIONAL
    recoverable: Annotated[bool, Says("whether a wrong decision can be taken back without harm")] = False
    review_below: Annotated[
        Share | None, Says("confidence below which a reviewed answer is held for a person; without it, all are held")
    ] = None
    escalation: Annotated[tuple[KnownContact, ...], Says("who is asked next when it is challenged, in order")] = ()
    appeal: Annotated[Contact, Says("where a person affected can challenge a decision; any address")] = ""
    held_message: Annotated[
        Sentence,
        Says("what a chat client is told of a held answer; without it, it gets an error that it does not retry"),
    ] = ""
    review_of_this_entry: Annotated[
        Period | None, Says("how often this entry is looked at again, such as every 90 days")
    ] = None


class Answers(Declared, frozen=True, kw_only=True):
    """Who gets the answers, as the governance page names them, and how closely what is in answers must be kept."""

    to: Annotated[Slug, Says("the destination of the governance page that callers are; what it rules on goes there")]
    classification: Annotated[
        Classification | None, Says("of what no output contract classifies; without it, that of the data")
    ] = None


class Data(Declared, frozen=True, kw_only=True):
    """The contracts of what comes in and what goes out; paths relative to the manifest."""

    classification: Annotated[
        Classification,
        Says(
            "how closely the data must be kept; from confidential on, or where a contract classifies a field so, "
            "payloads are encrypted"
        ),
    ] = Classification.PERSONAL
    inputs: Annotated[
        tuple[File, ...], Says("data contracts of the sources; the first also stands for sources that none names")
    ] = ()
    outputs: Annotated[tuple[File, ...], Says("data contracts of the consumers")] = ()
    answers: Annotated[
        Answers | None, Says("who gets the answers; without it, the governance page does not rule on what is answered")
    ] = None


class Load(Declared, frozen=True, kw_only=True):
    """The traffic that is expected in earnest."""

    peak: Annotated[Rate, Says("decisions asked for at the busiest moment")]
    expected: Annotated[Rate, Says("decisions asked for on an ordinary day")]


class Objectives(Declared, frozen=True, kw_only=True):
    """What is promised to those who depend on the system; on record, and judged by no condition in this version."""

    latency_p99: Annotated[Duration | None, Says("99 of 100 answers come within this time")] = None
    availability: Annotated[Share | None, Says("share of calls that are answered or held")] = None
    review_within: Annotated[Duration | None, Says("time in which a held decision is looked at")] = None


class ReviewCapacity(Declared, frozen=True, kw_only=True):
    """What the people in the loop can take."""

    per_item: Annotated[Duration, Says("time one held decision costs a reviewer")]
    capacity: Annotated[Duration, Says("reviewers' time there is in one day, all reviewers together")]


class Samples(Declared, frozen=True, kw_only=True):
    """Where assessments take their real input from; paths relative to the manifest."""

    golden: Annotated[File | None, Says("JSON Lines with known answers")] = None
    feed: Annotated[File | None, Says("a folder of JSON Lines files, one for each source")] = None


class Demonstration(Declared, frozen=True, kw_only=True):
    """Persons played by a script. Whatever they sign is marked simulated and can never pass for real."""

    persons: Annotated[tuple[KnownContact, ...], Says("contacts whose keys are made on the spot")]
    resent: Annotated[
        File | None, Says("JSON Lines that the sources send once more in place of records that came broken")
    ] = None


class Manifest(Declared, frozen=True, kw_only=True):
    """One AI system, declared."""

    plimsoll: Annotated[int, Asked(least=FORMAT), Says("version of this format: 1")]
    system: Annotated[Slug, Says("short name of the system")]
    purpose: Annotated[Sentence, Says("what it is for, in a sentence")]
    owners: Annotated[Owners, Says("who stands for the system")]
    target: Annotated[Target, Says("the thing that answers")]
    decisions: Annotated[dict[Slug, DecisionType], Says("the kinds of decision it makes or influences, by name")]
    data: Annotated[Data, Says("contracts of what comes in and what goes out")]
    load: Annotated[Load, Says("the traffic that is expected in earnest")]
    threshold: Annotated[Threshold, Says("what must be true before a release goes live")]
    may: Annotated[May, Says("who may step in")] = May()
    objectives: Annotated[Objectives, Says("what is promised to those who depend on it")] = Objectives()
    review: Annotated[
        ReviewCapacity | None, Says("what the people in the loop can take; needed when anything is reviewed")
    ] = None
    governance: Annotated[
        File | None,
        Says("the organisation's governance page; without it nothing governs which data leaves"),
    ] = None
    knowledge: Annotated[
        dict[Slug, Knowledge], Says("the bodies of documents that the target answers from, by name")
    ] = msgspec.field(default_factory=dict)
    prices: Annotated[Prices | None, Says("what the target's owner charges; without it no cost is recorded")] = None
    budget: Annotated[Budget | None, Says("what may be spent; without it spending has no limit")] = None
    quarantine: Annotated[
        QuarantineBound | None, Says("how many broken records may wait for somebody; without it, the default bounds")
    ] = None
    samples: Annotated[Samples, Says("where assessments take their real input from")] = Samples()
    durability: Annotated[Durability, Says("when an answer may leave: after its record is on disk, or before")] = (
        Durability.BEFORE_ANSWER
    )
    ledger: Annotated[
        File, Says("where the record is kept: a file, relative to the manifest, or postgresql://USER@HOST/DATABASE")
    ] = ".plimsoll/ledger.db"
    demonstration: Annotated[
        Demonstration | None, Says("persons played by a script; whatever they sign is marked simulated")
    ] = None

    @property
    def people_digest(self) -> str:
        """Digest over who is named where; mending it voids no evidence."""
        return digest(
            {
                "owners": self.owners,
                "may": self.may,
                **({"knowledge": {n: k.owner for n, k in self.knowledge.items()}} if self.knowledge else {}),
                "decisions": {
                    name: {"accountable": d.accountable, "escalation": d.escalation, "appeal": d.appeal}
                    for name, d in self.decisions.items()
                },
            }
        )

    @property
    def release_part(self) -> dict[str, object]:
        """What of the manifest belongs to the release digest: how the system runs, not who stands for it."""
        return {
            "system": self.system,
            "target": self.target,
            "decisions": {
                name: {
                    "tier": d.tier,
                    "consequence": d.consequence,
                    "recoverable": d.recoverable,
                    "review_below": d.review_below,
                    **({"held_message": d.held_message} if d.held_message else {}),
                }
                for name, d in self.decisions.items()
            },
            "classification": self.data.classification,
            "peak": self.load.peak,  # a smaller peak would ease every stability condition: another release
            "durability": self.durability,
            **self._declared_limits,
        }

    @property
    def _declared_limits(self) -> dict[str, object]:
        """What can hold, shed or redirect an answer, where it is declared: a manifest without it keeps its digest."""
        held = {
            name: {f: v for f, v in msgspec.structs.asdict(k).items() if f != "owner"}
            for name, k in self.knowledge.items()
        }
        found = {
            "knowledge": held or None,
            "budget": self.budget,
            "answers": self.data.answers,
            "quarantine": self.quarantine,
        }
        return {name: value for name, value in found.items() if value is not None}

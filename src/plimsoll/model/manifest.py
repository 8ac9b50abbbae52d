"""What one ``plimsoll.yaml`` declares, as frozen values.

The fields here are the keys of the file; the JSON Schema is generated from these types. Rules that need more than one
field (a threshold over four dimensions, no automatic tier for consequential work) are in ``manifest_rules``; reading
the YAML with its lines and columns is in ``manifest_reader``.
"""

from __future__ import annotations

import enum

import msgspec

from plimsoll.model.canonical import digest
from plimsoll.model.decision import Tier
from plimsoll.model.quantity import Quantity
from plimsoll.model.threshold import Threshold


class Consequence(enum.StrEnum):
    """What a wrong decision touches. Only ``none`` and ``operational`` may be left to the AI alone."""

    NONE = "none"
    OPERATIONAL = "operational"
    FINANCIAL = "financial"
    LEGAL = "legal"
    HEALTH = "health"
    CUSTOMER = "customer"


class Classification(enum.StrEnum):
    """How closely data must be kept. From ``personal`` on, payloads are encrypted in the ledger."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    PERSONAL = "personal"
    SPECIAL = "special"


class Durability(enum.StrEnum):
    """When an answer may leave: after its record is on disk, or before."""

    BEFORE_ANSWER = "before-answer"
    BATCHED = "batched"


class FallbackStep(enum.StrEnum):
    """What happens when the target does not answer. This version knows one step: a person takes it."""

    HOLD = "hold"


class _Declared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all that is read from the manifest."""


class Party(_Declared, frozen=True, kw_only=True):
    """A person or a team that can be named and reached."""

    name: str
    contact: str
    members: tuple[str, ...] = ()  # contacts of the people in a team


class Owners(_Declared, frozen=True, kw_only=True):
    """Who stands for the system."""

    business: Party
    technical: Party
    operations: Party
    leader: Party  # answers for the outcome
    single: str  # contact; holds both the pilot and the production decision


class May(_Declared, frozen=True, kw_only=True):
    """Who may step in; contacts."""

    override: tuple[str, ...] = ()
    retrain: tuple[str, ...] = ()
    decommission: tuple[str, ...] = ()


class Target(_Declared, frozen=True, kw_only=True):
    """The thing that answers, and how it is called."""

    python: str  # "package.module:callable"
    path: tuple[str, ...] = ()  # folders to import from, relative to the manifest; its own folder is always one
    artifacts: tuple[str, ...] = ()  # files the target reads, relative to the manifest: weights, prompts, tables
    deadline: Quantity | None = None  # what the caller waits at most; None: as long as the target takes
    concurrency: int = 16  # calls that may be inside a synchronous target at once
    fallback: tuple[FallbackStep, ...] = ()  # when the target fails or is late

    def __post_init__(self) -> None:
        if not 1 <= self.concurrency <= 1024:
            raise ValueError(f"concurrency is {self.concurrency}; it must be from 1 to 1024")


class DecisionType(_Declared, frozen=True, kw_only=True):
    """One named kind of decision, and who answers for it."""

    tier: Tier
    accountable: str  # contact
    consequence: Consequence = Consequence.OPERATIONAL
    recoverable: bool = False
    review_below: Quantity | None = None  # confidence in %; below it a reviewed answer is held; None: all are held
    escalation: tuple[str, ...] = ()  # contacts, in order
    appeal: str = ""  # contact for the person affected
    review_of_this_entry: Quantity | None = None  # "every 90 days"


class Data(_Declared, frozen=True, kw_only=True):
    """The contracts of what comes in and what goes out; paths relative to the manifest."""

    classification: Classification = Classification.PERSONAL
    inputs: tuple[str, ...] = ()  # the first also stands for sources that no contract names
    outputs: tuple[str, ...] = ()


class Load(_Declared, frozen=True, kw_only=True):
    """The traffic that is expected in earnest."""

    peak: Quantity
    expected: Quantity


class Objectives(_Declared, frozen=True, kw_only=True):
    """What is promised to those who depend on the system."""

    latency_p99: Quantity | None = None
    availability: Quantity | None = None
    review_within: Quantity | None = None


class ReviewCapacity(_Declared, frozen=True, kw_only=True):
    """What the people in the loop can take."""

    per_item: Quantity  # time one held decision costs a reviewer
    capacity: Quantity  # reviewers' time there is in one day


class Samples(_Declared, frozen=True, kw_only=True):
    """Where assessments take their real input from; paths relative to the manifest."""

    golden: str | None = None  # JSON Lines with known answers
    feed: str | None = None  # a folder of JSON Lines files, one for each source


class Demonstration(_Declared, frozen=True, kw_only=True):
    """Persons played by a script. Whatever they sign is marked simulated and can never pass for real."""

    persons: tuple[str, ...]  # contacts


class Manifest(_Declared, frozen=True, kw_only=True):
    """One AI system, declared."""

    plimsoll: int
    system: str
    purpose: str
    owners: Owners
    target: Target
    decisions: dict[str, DecisionType]
    data: Data
    load: Load
    threshold: Threshold
    may: May = May()
    objectives: Objectives = Objectives()
    review: ReviewCapacity | None = None
    samples: Samples = Samples()
    durability: Durability = Durability.BEFORE_ANSWER
    ledger: str = ".plimsoll/ledger.db"  # relative to the manifest
    demonstration: Demonstration | None = None

    @property
    def people_digest(self) -> str:
        """Digest over who is named where; mending it voids no evidence."""
        return digest(
            {
                "owners": self.owners,
                "may": self.may,
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
                }
                for name, d in self.decisions.items()
            },
            "classification": self.data.classification,
            "durability": self.durability,
        }

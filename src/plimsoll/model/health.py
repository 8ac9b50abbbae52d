"""The health check before anybody commits: what it answers, from what, as frozen values.

No metric of the catalogue is among them: a health check satisfies no condition of any threshold.
"""

from __future__ import annotations

import enum

import msgspec


class Answer(enum.StrEnum):
    """Of a question, and of each reason under it. Only ``yes`` is a go."""

    YES = "yes"
    NO = "no"
    UNCLEAR = "unclear"  # counts as a no-go


class Points(enum.StrEnum):
    """What a sign speaks for."""

    PREPARED = "prepared"  # a sample that somebody made ready
    LIVE = "live"  # records as a running system sends them
    NEITHER = "neither"


class Asked(enum.StrEnum):
    """The questions, in the order in which they are asked."""

    LIVE = "Live or theatre?"
    REAL = "Is this real data?"
    WORK = "Whose work changes?"
    CONNECTED = "What has to be connected?"


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One sign in one source, with its figure."""

    name: str  # of the catalogue of signs
    points: Points
    weight: int  # 2: strong; 1; 0: it points to neither
    figure: str  # "0 of 12,000 values"
    said: str  # a plain sentence
    field: str = ""  # where it was seen; "": in the records as a whole


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something found while a source was read, as often as it was found."""

    code: str  # "health.not-utf-8"
    said: str  # what it is, without a value of the data
    count: int
    where: tuple[str, ...]  # the first few places, "file:line"
    lost: bool = True  # records were not read because of it; False: it is told, and they were


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one field. Values of fields that look personal are not among it."""

    name: str  # with dots for objects in each other, and [] for the items of a list
    kinds: dict[str, int]  # string, integer, number, boolean, object, array
    given: int  # records that have a value
    missing: int  # records that have none, or null, or a mark for it
    marked: int = 0  # of the missing: those that write a mark such as "NA"
    distinct: int = 0  # different values
    low: str = ""  # of numbers and of times, as text
    high: str = ""
    written: dict[str, int] = {}  # ways in which times are written, or numbers as text
    personal: dict[str, int] = {}  # kinds of personal data, and how many of the values looked at hold one
    personal_of: int = 0  # values looked at for it
    documented: bool = False
    classified: bool = False  # the contract says how closely it must be kept


class SourceFound(msgspec.Struct, frozen=True, kw_only=True):
    """One source: what was read of it, and what was seen in it."""

    name: str
    files: int
    bytes: int  # that were read, after decompression
    digest: str  # SHA-256 of those, in the order of the files
    form: str  # "JSON Lines", "JSON", "CSV", "a description"…
    records: int
    cut_off: bool  # there was more than is looked at
    faults: tuple[Fault, ...] = ()
    fields: tuple[Field, ...] = ()
    signs: tuple[Sign, ...] = ()
    from_time: str = ""  # of the field that the signs of time rest on
    to_time: str = ""
    checked: int = 0  # records held against a contract
    broken: int = 0  # of those: records it would quarantine
    broken_by: tuple[tuple[str, int], ...] = ()  # path and rule, with how many records break it
    contract: str = ""  # which; "inferred" when there was none

    @property
    def lost(self) -> int:
        """How many records, or places where one should be, could not be read."""
        return sum(fault.count for fault in self.faults if fault.lost)


class Apart(enum.StrEnum):
    """Whether a field differs between two samples."""

    ALIKE = "alike"
    DIFFERENT = "different"
    UNCLEAR = "unclear"  # too few records to tell


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How far one field of the sample is from the same field of the live records."""

    field: str
    of: str  # "values", "missing", "lengths", "hours of the day"
    method: str
    seen: float
    lower: float
    upper: float
    apart: Apart


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason for an answer."""

    code: str  # stable: "health.clockwork"
    answer: Answer  # what it speaks for
    said: str
    fix: str = ""  # what to do
    source: str = ""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question with its answer."""

    asked: Asked
    answer: Answer
    said: str  # in one sentence
    reasons: tuple[Reason, ...] = ()

    def speaks(self) -> tuple[Reason, ...]:
        """The reasons that its answer rests on: those of its own kind."""
        return tuple(reason for reason in self.reasons if reason.answer is self.answer)


class Standing(enum.StrEnum):
    """How somebody whose work changes stands to it."""

    AGREED = "agreed"
    REFUSED = "refused"
    UNSIGNED = "has not signed"
    VOID = "signed, and it does not count"


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """A role whose work changes, and what the person who stands for it has signed."""

    role: str
    contact: str
    change: str
    standing: Standing
    why: str = ""  # why a signature does not count
    signed_ns: int | None = None
    simulated: bool = False


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a source that the system would have to be connected to."""

    source: str
    system: str = ""
    since: str = ""
    age_days: int | None = None
    documentation: str = ""
    owner: str = ""
    contact: str = ""
    lead_time: str = ""
    seen: bool = False  # records of it were looked at
    missing: tuple[str, ...] = ()  # what nobody has said


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The whole check."""

    time_ns: int
    go: bool
    sentence: str
    questions: tuple[Question, ...]
    sources: tuple[SourceFound, ...]
    live: tuple[SourceFound, ...] = ()
    differences: tuple[Difference, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    connections: tuple[Connection, ...] = ()
    system: str = ""  # "": there is no manifest, and nothing was recorded
    demonstration: bool = False  # an agreement on which it rests is simulated

    @property
    def no(self) -> bool:
        """Whether an answer is a no, and not only unclear."""
        return any(question.answer is Answer.NO for question in self.questions)


class SourceLookedAt(msgspec.Struct, frozen=True, kw_only=True):
    """Which bytes a recorded check rests on."""

    name: str
    digest: str
    records: int


class HealthRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a ``health.checked`` entry: the outcome, without anything of the data."""

    go: bool
    sentence: str
    answers: dict[str, Answer]
    because: tuple[str, ...]  # what stands against a go, in sentences
    sources: tuple[SourceLookedAt, ...]
    live: tuple[SourceLookedAt, ...] = ()
    page: str = ""  # digest of the health page; "": there was none
    agreements: tuple[str, ...] = ()  # entries of the signatures that were looked at
    demonstration: bool = False


class AgreementSigned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a person signs whose work, or whose people's work, would change."""

    system: str
    role: str
    contact: str
    change: str  # the words they were asked
    work: str  # digest of role, contact and change, as ``ChangedWork.digest``
    agrees: bool  # False: they refuse
    why: str  # of a refusal; "" where there is none
    signed_at: str  # RFC 3339, UTC
    simulated: bool

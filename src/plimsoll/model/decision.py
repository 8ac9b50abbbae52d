"""One passage through the guard: what the caller gets, and what the ledger keeps."""

from __future__ import annotations

import base64
import enum
from typing import Any, Final

import msgspec

from plimsoll.model.cited import Cited
from plimsoll.model.egress import EgressNote
from plimsoll.model.input_note import InputNote, InputRecord

NO_JSON: Final = msgspec.Raw()  # msgspec has no optional raw JSON; this one is left out when a record is written


class Tier(enum.StrEnum):
    """How much of a decision is left to the AI."""

    AUTOMATIC = "automatic"
    REVIEWED = "reviewed"
    HUMAN_ONLY = "human-only"


class Disposition(enum.StrEnum):
    """How a decision ended. Offered is the sum of these, always."""

    ANSWERED = "answered"
    HELD = "held"
    QUARANTINED = "quarantined"
    REFUSED = "refused"
    SHED = "shed"  # there was no room, no time, no money or no input to ask with; nothing was asked of any target
    FAILED = "failed"


class Fault(enum.StrEnum):
    """How a record breaks its contract; told apart so that a group can be mended at once."""

    UNPARSEABLE = "unparseable"
    WRONG_TYPE = "wrong-type"
    MISSING = "missing"
    RULE_BROKEN = "rule-broken"
    UNKNOWN_FIELD = "unknown-field"
    TOO_LARGE = "too-large"
    DUPLICATE = "duplicate"  # another record has its key
    OUT_OF_ORDER = "out-of-order"  # it follows a record that it must not follow


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a record breaks its contract.

    ``found`` never holds the value of a field that the contract classifies.
    """

    fault: Fault
    path: str  # JSON Pointer into the record; "" is the record itself
    rule: str  # the rule's name: "required", "enum", "maximum"…
    expected: str
    found: str


class Verdict(enum.StrEnum):
    """What the contract said of a record."""

    VALID = "valid"
    COERCED = "coerced"
    BROKEN = "broken"
    NONE = "none"  # no contract is declared for it


class Result(msgspec.Struct, frozen=True):
    """What a target may return in place of a bare output.

    Args:
        output: the answer; anything JSON has a form for.
        confidence: in [0, 1], as the model reports it, before calibration; None: it reports none.
        sources: where the answer comes from, as the target says.
        reasons: what moved it, as the target says.
        usage: tokens, money or other counts by name.
    """

    output: Any
    confidence: float | None = None
    sources: tuple[Any, ...] = ()
    reasons: tuple[str, ...] = ()
    usage: dict[str, float] = {}

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"confidence is {self.confidence}, it must be in [0, 1]")


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step on the way to an answer: the target, or what stands in for it."""

    name: str  # "live", or the step's name in the fallback chain: "previous-release", "constant"…
    why: str = ""  # why it did not answer; "" when it did
    attempts: int = 0  # how often a target was asked; 0: never
    us: float = 0.0  # microseconds, waiting and pauses included


class StepRecord(Step, frozen=True, kw_only=True, omit_defaults=True):
    """A step as the ledger keeps it."""

    failed: tuple[str, ...] = ()  # why each attempt that gave nothing did so, in their order
    no_retry: str = ""  # why there was no further attempt: "budget", "deadline", "may-have-acted"…
    error: str = ""  # type and message of what was raised last, or which rules the output broke
    output: msgspec.Raw = NO_JSON  # exact JSON of an output that was not let out, where a later step gave another
    egress: EgressNote | None = None  # what the governance page decided; None: there was nothing to rule on


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller of the guard gets."""

    disposition: Disposition
    record: str  # the decision's id in the ledger
    release: str
    output: Any = None  # None unless answered
    via: str = "live"
    confidence: float | None = None
    sources: tuple[Any, ...] = ()
    reasons: tuple[str, ...] = ()
    usage: dict[str, float] = {}  # tokens, money or other counts by name, as the target reports them
    why: str = ""  # why it was not answered: "confidence", "human-only", "deadline"…; of several steps, the first's
    next: str = ""  # when not answered: what happens now and who has it
    broken: tuple[Reason, ...] = ()  # when quarantined: every reason
    replayed: bool = False  # True: an earlier answer under the same idempotency key
    retry_after_s: float | None = None  # when shed, or when the target asks for it: seconds after which to ask again
    steps: tuple[Step, ...] = ()  # the way to this answer; empty: the target answered at once, or was never to be asked
    input_note: InputNote | None = None  # what was found of the input's source; None: nothing


class StreamRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What left in pieces, and what of it was inspected.

    Bytes are those of the events as the target sent them; an event has been handed on when all of its text has. Of the
    answer's own text, which leaves in other pieces than it came in where some of it is kept back, they are those of
    its UTF-8.
    """

    started: str  # id of the entry that was written before the first byte left
    pieces: int
    inspected_bytes: int  # from the first byte on, without a gap
    handed_on_bytes: int  # never more than were inspected
    inspected_for: tuple[str, ...] = ()  # "form": each event is one of the answer; "personal": for personal data
    text_inspected_bytes: int = 0  # of the text and the refusal, from the first byte on, for personal data
    text_handed_on_bytes: int = 0  # never more than were inspected
    cut: str = ""  # why it was cut off; "" when it was not
    left: str = ""  # the text that had left, of a stream that did not end as an answer


class TurnedAway(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a broken record that was not taken into quarantine: enough to know it by, and nothing of it."""

    size: int  # bytes
    digest: str  # ``sha256:`` and the hex digest of them


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a decision's ledger entry. Type, tier, called and disposition stand in the entry's header."""

    release: str
    disposition: Disposition
    via: str = "live"
    why: str = ""
    source: str = ""  # which source the input came from
    offset: str = ""  # where it stood in its feed, as the caller says: "claims.jsonl:17"
    input_note: InputRecord | None = None  # what was found of that source, and what stood in; None: nothing was found
    contract: str = ""  # id and digest of the input contract
    contract_version: str = ""
    verdict: Verdict = Verdict.NONE
    coerced: tuple[str, ...] = ()  # JSON Pointers of fields mended by a declared rule
    broken: tuple[Reason, ...] = ()
    input: msgspec.Raw = NO_JSON  # exact JSON; see `input_json`
    raw: str = ""  # base64 of input that is not JSON
    output: msgspec.Raw = NO_JSON  # exact JSON; see `output_json`
    output_verdict: Verdict = Verdict.NONE
    output_broken: tuple[Reason, ...] = ()
    confidence: float | None = None
    review_below: float | None = None  # the confidence this decision was held against
    sources: tuple[Any, ...] = ()
    reasons: tuple[str, ...] = ()
    usage: dict[str, float] = {}
    cost: str = ""  # by the manifest's prices, such as "0.00745 EUR"; of an answer by the target itself
    error: str = ""  # type and message of what the target raised
    accountable: str = ""
    guard_us: float = 0.0  # microseconds in the guard, without the target and the disk
    target_us: float = 0.0  # microseconds in the target
    waited_us: float = 0.0  # microseconds of waiting for room and between attempts
    steps: tuple[StepRecord, ...] = ()  # as in the answer
    durability: str = "before-answer"
    key: str = ""  # idempotency key
    replay_of: str = ""  # the quarantined record this one replays
    principal: str = ""  # who asked, as the organisation names them
    answer_egress: EgressNote | None = None  # what the governance page decided on the output; None: nothing to rule on
    cited: tuple[Cited, ...] = ()  # each source of the answer, with what was found of it
    run: str = ""  # the assessment it was taken for; empty in earnest
    stream: StreamRecord | None = None  # it was answered in pieces
    rehearsal: bool = False  # sent by a load test, over and over: nobody has to mend what it quarantines
    turned_away: TurnedAway | None = None  # shed, since too many broken records wait: its input is not kept

    @property
    def input_json(self) -> bytes | None:
        """The input, exactly as it came; None when it was no JSON."""
        return bytes(self.input) or None

    @property
    def output_json(self) -> bytes | None:
        """What the target answered; None when it gave nothing that has a JSON form."""
        return bytes(self.output) or None

    @property
    def offered(self) -> bytes:
        """What came, byte for byte; of a JSON value without the blanks around it, which are no part of it."""
        return bytes(self.input) or self.raw_bytes

    @property
    def raw_bytes(self) -> bytes:
        """Input that is not JSON, as it came."""
        return base64.b64decode(self.raw)

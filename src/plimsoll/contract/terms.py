"""What a contract says beyond the values of one record: the other half of the rule representation.

`rules` holds what every single record keeps. Here stand rules over all records of a delivery, the delivery itself, and
the people and systems around it. Each keeps its line, so that a check of tables, a comparison or an assessment can name
the place it rests on. Fields are named with dots from the schema object on: ``claim.parts[].n``; ``[]`` steps into a
list, ``.key`` and ``.value`` into a map.

What a compiler of queries needs, and where it finds it:

=========================================  ==========================================================================
``Contract.objects``, `Field`, `Rule`      types, nullability, bounds, patterns, enumerations: one predicate a rule
`Unique`                                   ``COUNT(*) = COUNT(DISTINCT …)`` over the fields, rows with a null left out
`Quality` with a ``metric``                a count of rows (``unit`` rows) or its share of all (percent), compared
                                           with ``limit`` by ``operator``
`Quality` with a ``query``                 the query itself, whose one number is compared in the same way
`Reference`                                an anti-join
`ServiceLevel`                             arrival times against ``seconds``
=========================================  ==========================================================================
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import msgspec


class Operator(enum.StrEnum):
    """How a measured figure is compared with a limit."""

    MUST_BE = "mustBe"
    MUST_NOT_BE = "mustNotBe"
    GREATER = "mustBeGreaterThan"
    AT_LEAST = "mustBeGreaterOrEqualTo"
    LESS = "mustBeLessThan"
    AT_MOST = "mustBeLessOrEqualTo"
    BETWEEN = "mustBeBetween"  # both ends belong to it
    NOT_BETWEEN = "mustNotBeBetween"

    def holds(self, figure: float, limit: Any) -> bool:
        """Whether a figure keeps a limit.

        Args:
            figure: what was measured, in the rule's unit.
            limit: a number; two of them, the smaller first, for the last two operators.

        >>> Operator.BETWEEN.holds(5, (1, 5)), Operator.LESS.holds(5, 5), Operator.NOT_BETWEEN.holds(5, (1, 5))
        (True, False, False)
        """
        if self is Operator.BETWEEN:
            return bool(limit[0] <= figure <= limit[1])
        if self is Operator.NOT_BETWEEN:
            return not limit[0] <= figure <= limit[1]
        holds: dict[Operator, Callable[[], Any]] = {
            Operator.MUST_BE: lambda: figure == limit,
            Operator.MUST_NOT_BE: lambda: figure != limit,
            Operator.GREATER: lambda: figure > limit,
            Operator.AT_LEAST: lambda: figure >= limit,
            Operator.LESS: lambda: figure < limit,
            Operator.AT_MOST: lambda: figure <= limit,
        }
        return bool(holds[self]())


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """One rule under ``quality``."""

    object: str  # the schema object it stands in
    field: str  # dotted, from the object on; the object's own name: it is about whole records
    kind: str  # library, sql, text or custom
    metric: str = ""  # of the library: nullValues, missingValues, invalidValues, duplicateValues, rowCount
    operator: Operator | None = None  # None: nothing is compared (text, custom)
    limit: Any = None  # a number, or two as a tuple
    percent: bool = False  # the figure is a share of all rows in percent; False: a count of rows
    severity: str = "error"
    advice: bool = False  # its severity says that it reports and refuses nothing
    dimension: str = ""
    arguments: dict[str, Any] = {}  # validValues, missingValues, pattern, properties
    query: str = ""
    engine: str = ""
    per_record: bool = False  # it tolerates nothing, so it is among the rules of its field as well
    line: int
    column: int


class Unique(msgspec.Struct, frozen=True, kw_only=True):
    """Fields whose values together stand in one record only."""

    object: str
    fields: tuple[str, ...]  # dotted, in the order of the key
    primary: bool = False  # it identifies the record
    line: int
    column: int


class Direction(enum.StrEnum):
    """How the values of a field follow each other."""

    RISING = "rising"  # each is above the one before
    NOT_FALLING = "notFalling"  # none is below the one before


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """``plimsollOrder``: the values of a field, in the order in which records arrive."""

    object: str
    field: str  # dotted; of a number, a date or a time
    direction: Direction
    per: tuple[str, ...] = ()  # dotted: records that are alike in these follow each other; empty: all of a source do
    line: int
    column: int


class WindowRule(msgspec.Struct, frozen=True, kw_only=True):
    """``plimsollWindow``: how far back records of one source are compared with each other. Both bounds hold."""

    keys: int  # of each rule, the last so many
    age_s: float  # none that is older
    line: int


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Values that must exist elsewhere."""

    object: str
    fields: tuple[str, ...]
    to: tuple[str, ...]  # as the file writes them: object.property, or a path into another file
    line: int
    column: int


class ServiceLevel(msgspec.Struct, frozen=True, kw_only=True):
    """One promise about the delivery."""

    property: str  # latency, frequency, freshness, …: the standard's name, also where the file writes its short form
    value: Any  # as the file has it
    unit: str = ""
    seconds: float | None = None  # of durations; None: it is none, or its unit is not understood
    ratio: float | None = None  # of availability and errorRate, as a fraction of 1
    fields: tuple[str, ...] = ()  # dotted; empty: the whole delivery
    driver: str = ""
    line: int
    column: int


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Where the data is."""

    name: str  # of the source
    type: str
    environment: str = ""
    settings: dict[str, Any] = {}  # path, format, host, …
    line: int
    column: int


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody of the team that answers for the data."""

    username: str
    name: str = ""
    role: str = ""
    since: str = ""  # dates as they are written
    until: str = ""
    line: int


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A right to the data, and who grants it."""

    role: str
    access: str = ""
    approvers: tuple[str, ...] = ()  # first level, then second
    line: int


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """Where help is found."""

    channel: str
    url: str = ""
    tool: str = ""
    scope: str = ""
    line: int


# -- what the standard lacks


class Trouble(enum.StrEnum):
    """What can be wrong with a source."""

    UNAVAILABLE = "onUnavailable"
    MALFORMED = "onMalformed"  # too many records break the contract
    STALE = "onStale"


class Use(enum.StrEnum):
    """What stands in for a source in trouble."""

    LAST_GOOD = "lastGood"  # the last value that kept the contract, up to an age
    DEFAULT = "default"  # a declared value
    OTHER_SOURCE = "otherSource"
    HOLD = "hold"  # a person takes the case
    STOP = "stop"  # no decision is made


class FallbackStep(msgspec.Struct, frozen=True, kw_only=True):
    """What is done in one kind of trouble."""

    use: Use
    max_age_s: float | None = None  # of lastGood, seconds
    value: Any = None  # of default
    source: str = ""  # of otherSource
    line: int


class Fallback(msgspec.Struct, frozen=True, kw_only=True):
    """``plimsollFallback``: what stands in for the source, and who answers for it."""

    owner: str
    steps: dict[Trouble, FallbackStep]
    error_rate: float | None = (
        None  # share of broken records above which it counts as malformed; None: none is declared
    )
    line: int


class Precedence(msgspec.Struct, frozen=True, kw_only=True):
    """``plimsollPrecedence``: which source is right, when two say different things of one."""

    key: tuple[str, ...]  # dotted fields that together name the thing
    fields: tuple[str, ...]  # dotted fields whose values have to agree
    over: tuple[str, ...]  # sources that this one goes before
    within_s: float  # how long what a source said is held against another
    line: int


class Effect(enum.StrEnum):
    """What an unexpected value does at a consumer."""

    STOPS = "stops"  # it fails, and everybody knows
    DROPS = "drops"  # the record is left out
    IGNORES = "ignores"  # the value is not used
    MISLEADS = "misleads"  # it is used, and the result is wrong without a sign
    UNKNOWN = "unknown"


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    """``plimsollConsumers``: one who uses the data."""

    id: str
    format: str  # of what it is given: json, jsonl, csv, parquet, text, …
    latency_s: float  # how late data may be there, seconds
    on_unexpected: Effect
    owner: str
    approver: str  # whose approval a change needs
    fields: tuple[str, ...] = ()  # dotted, that it reads; empty: all
    line: int


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """``plimsollLineage``: where the source has its data from."""

    source: str
    via: str = ""  # the job or person that carries it over
    owner: str = ""
    line: int


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, each in the order of the file."""

    qualities: tuple[Quality, ...] = ()
    unique: tuple[Unique, ...] = ()
    references: tuple[Reference, ...] = ()
    levels: tuple[ServiceLevel, ...] = ()
    servers: tuple[Server, ...] = ()
    members: tuple[Member, ...] = ()
    roles: tuple[Role, ...] = ()
    support: tuple[Channel, ...] = ()
    fallback: Fallback | None = None
    precedence: Precedence | None = None
    consumers: tuple[Consumer, ...] = ()
    modifiers: tuple[str, ...] = ()  # ``plimsollModifiers``: contacts of those who may change the source
    lineage: tuple[Upstream, ...] = ()
    orders: tuple[Order, ...] = ()
    window: WindowRule | None = None  # None: records are not compared with each other as they arrive

"""What a manifest may not say although each of its values is well-formed.

Every rule takes what could be read, whole or in part, and yields the problems it finds; a value that could not be read
has its own problem already and is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from plimsoll.errors import Problem
from plimsoll.model.decision import Tier
from plimsoll.model.manifest import Consequence
from plimsoll.model.metrics import METRICS, Better, Dimension, Kind
from plimsoll.model.quantity import UnitKind
from plimsoll.model.target_rules import TARGET_RULES
from plimsoll.model.threshold import Condition, Op
from plimsoll.model.words import nearest, quoted
from plimsoll.model.yaml_source import Path, Source

_CONDITIONS: Final[Path] = ("threshold", "conditions")
_ROLES: Final = ("business", "technical", "operations", "leader")
_FOR_PEOPLE: Final = frozenset({Consequence.FINANCIAL, Consequence.LEGAL, Consequence.HEALTH, Consequence.CUSTOMER})


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What could be read of a manifest, by its path."""

    source: Source
    values: Mapping[Path, Any]
    names: tuple[Path, ...]  # where somebody is named who must stand under `owners`

    def get(self, *path: str | int) -> Any:
        """The value at a path; None when there is none, or none that could be read."""
        return self.values.get(path)

    @property
    def types(self) -> tuple[str, ...]:
        """Names of the decision types, readable or not."""
        data = self.source.data
        decisions = data.get("decisions") if isinstance(data, dict) else None
        return tuple(decisions) if isinstance(decisions, dict) else ()

    @property
    def conditions(self) -> tuple[tuple[int, Condition], ...]:
        """The conditions that could be read, with their positions."""
        found = [(p[2], v) for p, v in self.values.items() if p[:2] == _CONDITIONS and len(p) == 3]
        return tuple((at, c) for at, c in found if isinstance(at, int))

    @property
    def raw_conditions(self) -> list[Any] | None:
        """The list of conditions as written; None when it is missing or not a list."""
        data = self.source.data
        threshold = data.get("threshold") if isinstance(data, dict) else None
        raw = threshold.get("conditions") if isinstance(threshold, dict) else None
        return raw if isinstance(raw, list) else None

    def contacts(self, *roles: str) -> tuple[str, ...]:
        """Every contact of these roles, and of their members."""
        found = []
        for path, value in self.values.items():
            if len(path) in {3, 4} and path[0] == "owners" and path[1] in roles and path[2] in {"contact", "members"}:
                found += [value] if isinstance(value, str) else []
        return tuple(found)


def broken_rules(read: Read) -> Iterator[Problem]:
    """Every problem that takes more than one value to see."""
    for rule in _RULES:
        yield from rule(read)


def _names_stand_under_owners(read: Read) -> Iterator[Problem]:
    """A name that leads nowhere is a person nobody will find when it matters."""
    if not isinstance(read.source.data, dict) or "owners" not in read.source.data:
        return  # that they are missing is said already
    known = read.contacts(*_ROLES)
    for path in read.names:
        name = read.get(*path)
        if name in known:
            continue
        near = nearest(name, known)
        allowed = f"; known are {', '.join(dict.fromkeys(known))}" if known else ""
        yield read.source.problem(
            "manifest.unknown-contact",
            path,
            f"{quoted(name)} is no contact or member named under 'owners'{allowed}",
            fix=f"did you mean '{near}'?" if near else "name them under owners first, as a contact or a member",
        )


def _the_leader_sets_the_threshold(read: Read) -> Iterator[Problem]:
    """Whoever answers for the outcome sets the line; those who build to it are consulted."""
    setter, leaders = read.get("threshold", "set_by"), read.contacts("leader")
    if setter is None or not leaders or setter in leaders or setter not in read.contacts(*_ROLES):
        return
    yield read.source.problem(
        "manifest.set-by",
        ("threshold", "set_by"),
        f"{quoted(setter)} is not the leader; the threshold is set by whoever answers for the outcome",
        fix=f"write {leaders[0]}, and name {setter} under threshold.consulted",
    )


def _every_dimension_has_a_condition(read: Read) -> Iterator[Problem]:
    """A threshold with a blind side lets through what nobody looked at."""
    raw = read.raw_conditions
    if raw is None:
        return
    have = {condition.dimension for _, condition in read.conditions}
    readable = {at for at, _ in read.conditions}
    for at, text in enumerate(raw):  # a condition with a slip in it still shows which dimension was meant
        words = str(text).split()
        near = nearest(words[0], METRICS) if at not in readable and words else None
        have |= {METRICS[near].dimension} if near else set()
    for dimension in Dimension:
        if dimension in have:
            continue
        metrics = sorted((m for m in METRICS.values() if m.dimension is dimension), key=lambda m: not m.measurable)
        named = ", ".join(m.name if m.measurable else f"{m.name} (not measured by this version)" for m in metrics)
        first = metrics[0]
        op = ">=" if first.better is Better.HIGHER else "<="
        limit = {UnitKind.RATIO: "95%", UnitKind.MULTIPLE: "3x", UnitKind.COUNT: "0"}.get(first.unit, "1s")
        example = f"{first.name} {'= 100%' if first.kind is Kind.CENSUS else f'{op} {limit}'}"
        yield read.source.problem(
            "manifest.dimension",
            _CONDITIONS,
            f"the threshold has no condition for the {dimension.value} dimension; it could be one on {named}",
            fix=f"add a condition, such as {example}",
            at_key=True,
        )


def _a_metric_has_one_condition(read: Read) -> Iterator[Problem]:
    """Two sentences about one figure repeat or contradict each other, and a reader sees only one."""
    first: dict[str, tuple[int, Condition]] = {}
    for at, condition in read.conditions:
        if condition.metric not in first:
            first[condition.metric] = (at, condition)
            continue
        earlier_at, earlier = first[condition.metric]
        line = read.source.where((*_CONDITIONS, earlier_at)).line
        same = condition.op is earlier.op and condition.limit.base == earlier.limit.base
        if same:
            said, fix = f"repeats line {line}", "remove it"
        elif _contradict(earlier, condition):
            said, fix = f"contradicts '{earlier}' on line {line}", "keep the one that is meant"
        else:
            strict = _stricter(earlier, condition)
            said, fix = f"says otherwise than '{earlier}' on line {line}", f"keep the stricter one: {strict}"
        yield read.source.problem("manifest.condition-repeated", (*_CONDITIONS, at), f"'{condition}' {said}", fix=fix)


def _contradict(one: Condition, two: Condition) -> bool:
    """Whether no figure can satisfy both; one metric's conditions all point the same way, but for '='."""
    for exact, other in ((one, two), (two, one)):
        if exact.op is Op.EQ and not other.op.holds(exact.limit.base, other.limit.base):
            return True
    return False


def _stricter(one: Condition, two: Condition) -> Condition:
    if Op.EQ in {one.op, two.op}:
        return one if one.op is Op.EQ else two

    def strictness(condition: Condition) -> tuple[float, bool]:
        limit = condition.limit.base
        return limit if condition.op.upwards else -limit, condition.op in {Op.LT, Op.GT}

    return max(one, two, key=strictness)


def _a_condition_says_something(read: Read) -> Iterator[Problem]:
    """A limit that every system meets, or that none can, is not a line."""
    for at, condition in read.conditions:
        fault = _empty(condition) or _impossible(condition) or _refuses_better(condition)
        if fault:
            said, fix = fault
            yield read.source.problem("manifest.condition-limit", (*_CONDITIONS, at), f"'{condition}' {said}", fix=fix)


def _empty(condition: Condition) -> tuple[str, str] | None:
    """Why a condition is always met."""
    limit, op = condition.limit.base, condition.op
    ratio = condition.entry.unit is UnitKind.RATIO and not condition.entry.beyond_all
    if op.upwards and (limit < 0 or (limit == 0 and op is Op.GE)):
        return "is met by everything", "write a limit above 0"
    if op in {Op.LE, Op.LT} and ratio and (limit > 1 or (limit == 1 and op is Op.LE)):
        return "is met by everything", "write a limit below 100%"
    return None


def _impossible(condition: Condition) -> tuple[str, str] | None:
    """Why a condition can never be met."""
    limit, op, metric = condition.limit.base, condition.op, condition.entry
    ratio = metric.unit is UnitKind.RATIO and not metric.beyond_all
    if limit < 0 or (limit == 0 and op is Op.LT) or (ratio and (limit > 1 or (limit == 1 and op is Op.GT))):
        return "can never be met", "write a limit that a figure can reach"
    if limit == 0 and op is Op.LE and metric.unit in {UnitKind.DURATION, UnitKind.MULTIPLE}:
        return "can never be met", "write a limit above 0"
    if metric.kind is Kind.PROPORTION and limit == (1 if op.upwards else 0):
        return (
            "can never be met: however many cases are right, the bound on a share stays short of all",
            f"write {metric.name} {op.value} {'99.9%' if op.upwards else '0.1%'}, or what can be borne",
        )
    return None


def _refuses_better(condition: Condition) -> tuple[str, str] | None:
    """Why an '=' would refuse a better figure than the one it names."""
    metric, limit = condition.entry, condition.limit.base
    best = (1.0 if metric.unit is UnitKind.RATIO else None) if metric.better is Better.HIGHER else 0.0
    if condition.op is not Op.EQ or limit == best:
        return None
    op = ">=" if metric.better is Better.HIGHER else "<="
    return "would refuse a better figure", f"write {metric.name} {op} {condition.limit}"


def _automatic_is_for_what_can_be_undone(read: Read) -> Iterator[Problem]:
    """An AI alone decides nothing that harms a person or cannot be taken back."""
    for name in read.types:
        path: Path = ("decisions", name)
        if read.get(*path, "tier") is not Tier.AUTOMATIC:
            continue
        consequence = read.get(*path, "consequence")
        if consequence in _FOR_PEOPLE:
            yield read.source.problem(
                "manifest.automatic",
                (*path, "consequence"),
                f"'{name}' is automatic with a {consequence.value} consequence; allowed are none and operational",
                fix="write tier: reviewed, or human-only",
            )
        said_so = read.source.has((*path, "recoverable"))
        if read.get(*path, "recoverable") is False or not said_so:
            at: Path = (*path, "recoverable" if said_so else "tier")
            said = "" if said_so else ", which nothing says"
            yield read.source.problem(
                "manifest.automatic",
                at,
                f"'{name}' is automatic; that is for decisions that are recoverable{said}",
                fix="write tier: reviewed, or recoverable: true where that is so",
            )


def _review_has_people(read: Read) -> Iterator[Problem]:
    """Held work costs somebody's time; without their capacity the price of the line cannot be named."""
    data = read.source.data
    if not isinstance(data, dict) or "review" in data:
        return
    for name in read.types:
        path = ("decisions", name, "tier")
        tier = read.get(*path)
        if tier in {Tier.REVIEWED, Tier.HUMAN_ONLY}:
            yield read.source.problem(
                "manifest.review-capacity",
                path,
                f"'{name}' is {tier.value}, and the manifest has no 'review': who has the time is not said",
                fix="write review: {per_item: 30s, capacity: 4h}, with the figures that are true",
            )
            return  # one group mends it for all types


def _review_below_is_for_reviewed(read: Read) -> Iterator[Problem]:
    """A confidence that nothing is held against would look like a safeguard."""
    for name in read.types:
        path: Path = ("decisions", name, "review_below")
        tier = read.get("decisions", name, "tier")
        if read.source.has(path) and tier in {Tier.AUTOMATIC, Tier.HUMAN_ONLY}:
            yield read.source.problem(
                "manifest.review-below",
                path,
                f"'review_below' has no effect on '{name}', which is {tier.value}",
                fix="remove it, or write tier: reviewed",
                at_key=True,
            )


def _expected_is_below_peak(read: Read) -> Iterator[Problem]:
    """Load is tested in multiples of the peak; a peak below the ordinary day would test nothing."""
    peak, expected = read.get("load", "peak"), read.get("load", "expected")
    if peak is not None and expected is not None and peak < expected:
        yield read.source.problem(
            "manifest.peak",
            ("load", "expected"),
            f"'load.expected' ({expected}) is above 'load.peak' ({peak})",
            fix="the peak is the busiest moment: write the higher figure there",
        )


def _a_budget_can_be_counted(read: Read) -> Iterator[Problem]:
    """A budget that nothing is counted against is never spent."""
    budget = read.get("budget", "per_day")
    if budget is None:
        return
    data = read.source.data
    if isinstance(data, dict) and "prices" not in data:
        said = "'budget' has no 'prices' to count against, so it is never spent"
        fix = f"write prices: {{currency: {budget.currency}, input: …, output: …}}"
        yield read.source.problem("manifest.budget", ("budget",), said, fix=fix, at_key=True)
    currency = read.get("prices", "currency")
    if currency is not None and currency != budget.currency:
        said = f"the budget is in {budget.currency}, the prices are in {currency}"
        yield read.source.problem("manifest.budget", ("budget", "per_day"), said, fix=f"write it in {currency}")
    if budget.amount == 0:
        said = "a budget of 0 lets nothing through"
        yield read.source.problem(
            "manifest.budget", ("budget", "per_day"), said, fix="write what may be spent in a day"
        )


def _answers_are_ruled_on(read: Read) -> Iterator[Problem]:
    """A destination that no page rules on looks like a safeguard."""
    data = read.source.data
    if read.source.has(("data", "answers")) and isinstance(data, dict) and "governance" not in data:
        said = "'data.answers' names a destination, and the manifest names no page that rules on it"
        fix = "write governance: with the path of the page, or remove it"
        yield read.source.problem("manifest.answers", ("data", "answers"), said, fix=fix, at_key=True)


_RULES: Final[tuple[Callable[[Read], Iterator[Problem]], ...]] = (
    _names_stand_under_owners,
    _the_leader_sets_the_threshold,
    _every_dimension_has_a_condition,
    _a_metric_has_one_condition,
    _a_condition_says_something,
    _automatic_is_for_what_can_be_undone,
    _review_has_people,
    _review_below_is_for_reviewed,
    _expected_is_below_peak,
    _a_budget_can_be_counted,
    _answers_are_ruled_on,
    *TARGET_RULES,
)

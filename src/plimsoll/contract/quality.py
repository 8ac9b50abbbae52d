"""Quality rules: those that hold for every single record are enforced, the others are listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeGuard

import msgspec

from plimsoll.contract.notes import Notes
from plimsoll.contract.odcs import OPERATORS
from plimsoll.contract.rules import LogicalType, Rule, RuleName
from plimsoll.contract.terms import Operator, Quality
from plimsoll.contract.values import read_pattern, read_values
from plimsoll.model.words import quoted
from plimsoll.model.yaml_source import Path

_ADVICE: Final = frozenset({"info", "information", "informational", "notice", "warn", "warning", "low"})
_PER_RECORD: Final = frozenset({"nullValues", "missingValues", "invalidValues", "validValues"})
_PROSE: Final = {
    "text": "it is prose for people to read",
    "sql": "it is a query over all records; one record cannot tell",
}
_OVER_ALL: Final = {
    "rowCount": "it counts records; one record cannot tell",
    "duplicateValues": "it compares records with each other; only within a plimsollWindow does anything",
}


class Demands(msgspec.Struct, frozen=True):
    """What the quality rules of one property ask of every record."""

    rules: tuple[Rule, ...] = ()
    required: bool = False  # a value must be there


def read_quality(
    items: Any,
    path: Path,
    notes: Notes,
    *,
    field: str,
    minor: int,
    logical: LogicalType | None = None,
    of_property: bool = True,
) -> Demands:
    """Read the list under ``quality``.

    A library metric that tolerates nothing (``mustBe: 0``) holds for each record, and is enforced: ``nullValues``,
    ``missingValues``, ``invalidValues``. One that tolerates a share, counts, queries, or only warns is listed.

    Args:
        items: as the file gives them.
        path: of the list.
        notes: takes problems, and rules that are not enforced.
        field: what they are about, for the list.
        minor: minor version of the standard.
        logical: logical type of the property.
        of_property: False: the rules stand at a schema object.
    """
    rules: list[Rule] = []
    required = False
    for i, item in enumerate(items if isinstance(items, list) else []):
        if not isinstance(item, dict):
            continue
        one = _Quality(item, (*path, i), notes, field=field, minor=minor, logical=logical)
        one.check_form()
        left = len(notes.unenforced)
        demands = one.demands() if of_property else one.leave_all()
        notes.qualities.append(one.rule(per_record=len(notes.unenforced) == left))
        rules += demands.rules
        required = required or demands.required
    return Demands(tuple(rules), required)


class _Quality:
    """One rule under ``quality``."""

    def __init__(
        self,
        item: dict[str, Any],
        path: Path,
        notes: Notes,
        *,
        field: str,
        minor: int,
        logical: LogicalType | None,
    ) -> None:
        self._item, self._path, self._notes = item, path, notes
        self._field, self._minor, self._type = field, minor, logical
        self._kind = _word(item, "type") or "library"
        self._metric = _word(item, "metric") or _word(item, "rule")
        self._name = f"quality.{self._metric or self._kind}"
        arguments = item.get("arguments")
        self._arguments: dict[str, Any] = arguments if isinstance(arguments, dict) else {}

    def rule(self, *, per_record: bool) -> Quality:
        """The rule as it stands, for who checks all records of a delivery."""
        where = self._notes.source.where(self._path)
        given = [word for word in OPERATORS if word in self._item]
        operator = Operator(given[0]) if len(given) == 1 and self._kind in {"library", "sql"} else None
        limit = self._item[operator] if operator is not None else None
        severity = str(self._item.get("severity") or "error")
        return Quality(
            object=self._notes.object,
            field=self._field,
            kind=self._kind,
            metric=self._metric if self._kind == "library" else "",
            operator=operator,
            limit=tuple(limit) if isinstance(limit, list) else limit,
            percent=self._item.get("unit") == "percent",
            severity=severity,
            advice=severity.casefold() in _ADVICE,
            dimension=_word(self._item, "dimension"),
            arguments=self._arguments,
            query=_word(self._item, "query"),
            engine=_word(self._item, "engine"),
            per_record=per_record,
            line=where.line,
            column=where.column,
        )

    def check_form(self) -> None:
        """Note what the standard demands of a rule of this type and is not there."""
        needs = {"sql": ("query",), "custom": ("engine", "implementation")}.get(self._kind, ())
        for word in needs:
            if word not in self._item:
                said = f"a quality rule of type {self._kind} has no '{word}'"
                self._notes.problem("missing", self._path, said, fix=f"write '{word}: …'")
        if self._kind == "library" and not self._metric:
            self._notes.problem("missing", self._path, "this quality rule has no 'metric'", fix="write 'metric: …'")
        elif self._kind == "library" and self._minor >= 1 and "metric" not in self._item:
            fix = "write 'metric: …'; 'rule' is its name of before v3.1"
            self._notes.problem("missing", self._path, "this quality rule has no 'metric'", fix=fix)
        if self._metric == "duplicateValues" and isinstance(keys := self._arguments.get("properties"), list):
            at = (*self._path, "arguments", "properties")
            self._notes.compared += [(key, (*at, i)) for i, key in enumerate(keys) if isinstance(key, str)]
        if self._minor >= 1:
            self._check_others()
        self._check_operators()

    def _check_others(self) -> None:
        """Note keys that mean something to rules of another type."""
        library = self._kind == "library" or "metric" in self._item
        known = {
            "query": self._kind == "sql",
            **dict.fromkeys(("engine", "implementation"), self._kind == "custom"),
            **dict.fromkeys(("rule", "arguments"), library),
            **dict.fromkeys(OPERATORS, library or self._kind == "sql"),
        }
        for word in (word for word, fits in known.items() if word in self._item and not fits):
            said = f"'{word}' means nothing in a quality rule of type {self._kind}"
            self._notes.problem("unknown-key", (*self._path, word), said, fix="remove it", at_key=True)

    def _check_operators(self) -> None:
        given = [word for word in OPERATORS if word in self._item]
        if self._kind in {"library", "sql"} and self._minor >= 1 and len(given) != 1:
            said = f"has {', '.join(given)}" if given else "says nothing of what must hold"
            fix = "keep one of them" if given else f"write one of {', '.join(OPERATORS)}"
            self._notes.problem("operator", self._path, f"this quality rule {said}", fix=fix)
        for word in given:
            value, at = self._item[word], (*self._path, word)
            if word.endswith("Between"):
                numbers = isinstance(value, list) and all(_is_number(v) for v in value)
                if not numbers or len(value) != 2 or not value[0] < value[1]:
                    self._notes.problem("operator", at, f"'{word}' takes two numbers, the smaller first", fix="[1, 5]")
            elif word not in {"mustBe", "mustNotBe"} and not _is_number(value):
                self._notes.mistyped(at, value, "a number")

    def leave_all(self) -> Demands:
        """At a schema object every rule is over all records."""
        return self._leave(self._why_not_here() or "it is about all records of the object; one record cannot tell")

    def demands(self) -> Demands:
        """What it asks of each record; what it does not is listed."""
        why = self._why_not_here()
        if why:
            return self._leave(why)
        read: Callable[[], Demands] = {
            "nullValues": lambda: Demands(required=True),
            "missingValues": self._missing_values,
            "invalidValues": self._invalid_values,
            "validValues": self._valid_values,
        }[self._metric]
        return read()

    def _why_not_here(self) -> str:
        """Why single records cannot be held to it; empty when they can."""
        if self._kind in _PROSE:
            return _PROSE[self._kind]
        if self._kind == "custom":
            return f"it is written for {quoted(str(self._item.get('engine', 'another tool')))}"
        if self._metric not in _PER_RECORD:
            return _OVER_ALL.get(self._metric, "it is not a metric of the standard's library")
        severity = str(self._item.get("severity") or "error")
        if severity.casefold() in _ADVICE:
            return f"its severity is {quoted(severity)}: it reports and refuses nothing"
        if not self._tolerates_nothing():
            return "it tolerates a number or a share of records; one record cannot tell"
        return ""

    def _tolerates_nothing(self) -> bool:
        given = {word: self._item[word] for word in OPERATORS if word in self._item}
        if self._metric == "validValues" and not given:  # before v3.1 the list alone was the rule
            return True
        if len(given) != 1:
            return False
        ((word, limit),) = given.items()
        if not _is_number(limit):
            return False
        whole = self._item.get("unit") != "percent"
        return (limit == 0 and word in {"mustBe", "mustBeLessOrEqualTo"}) or (
            whole and word == "mustBeLessThan" and 0 < limit <= 1
        )

    def _leave(self, why: str) -> Demands:
        # A count, a tolerance and a warning are kept or broken by all records together, not by one.
        of_records = self._kind != "library" or self._metric not in {"rowCount", *_PER_RECORD}
        self._notes.leave(self._path, self._name, why, field=self._field, of_records=of_records)
        return Demands()

    def _missing_values(self) -> Demands:
        if "missingValues" not in self._arguments:
            return Demands(required=True)
        given, at = self._arguments["missingValues"], (*self._path, "arguments", "missingValues")
        values = read_values(given, at, self._notes, None)
        rules = (self._notes.rule(RuleName.MISSING_VALUES, values, at),) if values else ()
        return Demands(rules, required=isinstance(given, list) and None in given)

    def _invalid_values(self) -> Demands:
        rules: list[Rule] = []
        at = (*self._path, "arguments")
        if "validValues" in self._arguments:
            rules += self._enum(self._arguments["validValues"], (*at, "validValues"))
        if "pattern" in self._arguments:
            pattern = read_pattern(self._arguments["pattern"], (*at, "pattern"), self._notes)
            rules += [self._notes.rule(RuleName.PATTERN, pattern, (*at, "pattern"))] if pattern is not None else []
        if not self._arguments.keys() & {"validValues", "pattern"}:
            fix = "write 'arguments:' with 'validValues: [...]' or 'pattern: …' indented below it"
            self._notes.problem("missing", self._path, "invalidValues does not say which values are valid", fix=fix)
        return Demands(tuple(rules))

    def _valid_values(self) -> Demands:
        given = self._item.get("validValues", self._arguments.get("validValues"))
        return Demands(tuple(self._enum(given, (*self._path, "validValues"))))

    def _enum(self, given: Any, at: Path) -> list[Rule]:
        values = read_values(given, at, self._notes, self._type)
        return [self._notes.rule(RuleName.ENUM, values, at)] if values else []


def _word(item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""  # of another kind: the shape says so already


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)

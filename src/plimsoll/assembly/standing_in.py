"""What contracts declare to stand in for sources, held against the contracts before it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from plimsoll.contract import Checker, Contract
from plimsoll.contract.arrivals import SourceRule
from plimsoll.contract.terms import FallbackStep, Use
from plimsoll.errors import InvalidFile, Problem, Where
from plimsoll.model.words import nearest


def check_stand_ins(rules: Mapping[str, SourceRule], checkers: Mapping[str, Checker]) -> None:
    """Refuse what could not stand in: it would fail just when it is needed.

    Args:
        rules: by source name.
        checkers: the contract of every source, by its name.

    Raises:
        InvalidFile: a declared value breaks the contract of its source, or another source is not declared.
    """
    problems: dict[tuple[str, int], Problem] = {}
    for source, rule in rules.items():
        checker = checkers[source]
        for step in () if rule.fallback is None else rule.fallback.steps.values():
            said = _why_not(step, checker, sorted(checkers.keys() - {source}))
            if said:
                place = Where(file=checker.contract.file, line=step.line, column=1)
                problems[checker.contract.file, step.line] = Problem(
                    code="contract.custom", message=said[0], where=place, fix=said[1]
                )
        said = _why_not_before(rule, checker.contract, checkers)
        if said and rule.precedence is not None:
            place = Where(file=checker.contract.file, line=rule.precedence.line, column=1)
            problems[checker.contract.file, place.line] = Problem(
                code="contract.custom", message=said[0], where=place, fix=said[1]
            )
    if problems:
        raise InvalidFile(next(iter(problems))[0], tuple(problems.values()))


def _why_not_before(rule: SourceRule, mine: Contract, checkers: Mapping[str, Checker]) -> tuple[str, str] | None:
    """What is wrong with a precedence, and what to do; None: nothing is.

    A value that takes the place of another one is ruled on as that one is, so both have to be as closely kept.
    """
    precedence = rule.precedence
    for source in () if precedence is None else precedence.over:
        if source not in checkers:
            known = ", ".join(sorted(checkers.keys() - {rule.source})) or "no other"
            return f"no contract under data.inputs has a source '{source}'", f"there are: {known}"
        theirs = checkers[source].contract
        for field in precedence.fields if precedence is not None else ():
            if _class_of(mine, field) != _class_of(theirs, field):
                said = f"'{field}' is not classified as it is in the contract of '{source}'"
                return said, "give it the same classification in both"
    return None


def _class_of(contract: Contract, name: str) -> str:
    field = contract.record
    for step in name.split("."):
        field = None if field is None else field.under(step)
    return "" if field is None else field.classification


def _why_not(step: FallbackStep, checker: Checker, others: Sequence[str]) -> tuple[str, str] | None:
    """What is wrong with a step, and what to do; None: nothing is."""
    if step.use is Use.OTHER_SOURCE and step.source not in others:
        near = nearest(step.source, others)
        fix = (
            f"did you mean '{near}'?" if near else f"there are: {', '.join(others)}" if others else "there is no other"
        )
        return f"no contract under data.inputs has a source '{step.source}'", fix
    if step.use is Use.DEFAULT:
        reasons = checker.check(msgspec.json.decode(msgspec.json.encode(step.value))).reasons
        if reasons:
            first = reasons[0]
            said = f"the default value breaks the contract: '{first.path}' {first.rule}, expected is {first.expected}"
            return said, "mend the value, or the contract"
    return None

"""What contracts declare to stand in for sources, held against the contracts before it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from plimsoll.contract import Checker
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
    if problems:
        raise InvalidFile(next(iter(problems))[0], tuple(problems.values()))


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

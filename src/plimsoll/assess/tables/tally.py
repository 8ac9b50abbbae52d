"""What is found while a table is looked at, gathered rule by rule."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from plimsoll.model.table_check import SHOWN, Example, FileFault, RuleResult


class Tally:
    """Counts of rules, over as many parts of a table as there are."""

    def __init__(self) -> None:
        self.rows = 0
        self.unread = 0
        self._rules: dict[tuple[str, str, int, int], RuleResult] = {}
        self._faults: dict[tuple[str, str], FileFault] = {}

    def hear(self, code: str, said: str, where: str, /, *, lost: bool = True, count: int = 1) -> None:
        """Something is wrong with a file or a line."""
        code = "table." + code.rpartition(".")[2]
        known = self._faults.get((code, said)) or FileFault(code=code, said=said, count=0, lost=lost)
        places = known.where if len(known.where) >= SHOWN else (*known.where, where)
        self._faults[code, said] = msgspec.structs.replace(known, count=known.count + count, where=places)

    def count(
        self, rule: str, field: str, line: int, column: int, *, expected: str, failed: int,
        examples: Iterable[Example] = (),
    ) -> None:  # fmt: skip
        """Rows that break a rule; also none, so that the rule is listed."""
        at = (rule, field, line, column)
        known = self._rules.get(at) or RuleResult(
            rule=rule, field=field, line=line, column=column, expected=expected, holds=True
        )
        shown = (*known.examples, *examples)[:SHOWN]
        failed += known.failed
        self._rules[at] = msgspec.structs.replace(
            known, failed=failed, holds=not failed, examples=shown, expected=known.expected or expected
        )

    def needs_example(self, rule: str, field: str, line: int, column: int) -> bool:
        """Whether another example of a rule would be shown."""
        known = self._rules.get((rule, field, line, column))
        return known is None or len(known.examples) < SHOWN

    def put(self, result: RuleResult) -> None:
        """A rule over all rows, measured."""
        self._rules[result.rule, result.field, result.line, result.column] = result

    def rules(self) -> tuple[RuleResult, ...]:
        """All rules in the order of the contract."""
        found = [msgspec.structs.replace(r, of=self.rows) if not r.of else r for r in self._rules.values()]
        return tuple(sorted(found, key=lambda r: (r.line, r.column)))

    def faults(self) -> tuple[FileFault, ...]:
        """All faults of files, the worst first."""
        return tuple(sorted(self._faults.values(), key=lambda f: (not f.lost, -f.count)))

"""Printing a check of a table: what is broken, what could not be asked; and its exit code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from plimsoll.cli.out import Out
from plimsoll.errors import NoEvidence, NotReady, Problem, Where
from plimsoll.gate.figures import duration_text
from plimsoll.model.table_check import Example, FileFault, RuleResult, TableCheck

if TYPE_CHECKING:
    from plimsoll.assembly.table_history import Past

_SHOWN: Final = 40  # broken rules; --json and --html list all of them


def show_table(out: Out, check: TableCheck, files: dict[str, str]) -> int:
    """Print the check and give the exit code: 0 it holds, 3 something is broken, 4 something could not be told.

    Args:
        out: takes it.
        check: what was found.
        files: what was written, by what it is.
    """
    out.give({"check": check, **files})
    out.note(tuple(problems_of(check)))
    out.show("\n".join(_lines(check)))
    if check.split is not None:
        rows = f"{check.split.good:,} good and {check.split.quarantined:,} quarantined rows"
        out.say(f"{rows}: {', '.join(check.split.files)}")
    for what, path in files.items():
        out.say(f"{what}: {path}")
    if check.is_refused:
        return NotReady.exit_code
    return 0 if check.is_whole else NoEvidence.exit_code


def problems_of(check: TableCheck) -> Iterator[Problem]:
    """What is wrong, as the envelope of ``--json`` lists it."""
    for rule in check.rules:
        if rule.holds is False:
            where = Where(file=check.contract_file, line=rule.line, column=rule.column)
            yield Problem(code=f"table.{rule.rule}", message=f"{rule.field}: {_figure(rule)}", where=where)
    for fault in check.faults:
        yield Problem(code=fault.code, message=_fault(fault))
    for left in check.unasked:
        where = Where(file=check.contract_file, line=left.line, column=left.column)
        yield Problem(code="table.not-enforced", message=f"{left.rule} is not enforced here: {left.why}", where=where)


def show_history(out: Out, past: Sequence[Past]) -> int:
    """Print checks that were recorded, the oldest first."""
    out.give({"checks": past})
    if not past:
        out.show("No check of a table was recorded.")
        return NoEvidence.exit_code
    for one in past:
        check = one.check
        when = dt.datetime.fromtimestamp(one.time_ns / 1e9, dt.UTC)
        version = f" {check.version}" if check.version else ""
        head = f"{when:%Y-%m-%d %H:%M} UTC  {check.outcome.value:<10}  {check.contract}{version} {check.table}"
        broken = f", {check.broken:,} broken" if check.broken is not None else ""
        unread = f", {check.unread:,} unread" if check.unread else ""
        out.show(f"{_harmless(head)}: {check.rows:,} rows{broken}{unread}")
        for rule in check.broken_rules:
            out.show(f"{'':<20}  {_harmless(f'{rule.field}: {rule.rule}')}: {rule.failed:,} rows")
        for level in check.levels:
            kept = "kept" if level.holds else "not kept"
            said = f"{level.property} of {level.field}: {duration_text(level.seconds)}, {kept}"
            out.show(f"{'':<20}  {_harmless(said)}")
    return 0


def _lines(check: TableCheck) -> Iterator[str]:
    yield _verdict(check)
    broken = [r for r in check.rules if r.holds is False]
    for rule in sorted(broken, key=lambda r: r.advice)[:_SHOWN]:
        mark = "advice" if rule.advice else "broken"
        yield f"  {mark}  {_harmless(rule.field)}: {rule.rule}: {_figure(rule)}"
        yield f"          {check.contract_file}:{rule.line}" + (f"; {_harmless(rule.said)}" if rule.said else "")
        yield from (f"          {_example(example)}" for example in rule.examples)
    if len(broken) > _SHOWN:
        yield f"  … and {len(broken) - _SHOWN} more; --json lists all of them"
    for fault in check.faults:
        yield f"  {'unread' if fault.lost else 'told  '}  {_harmless(_fault(fault))}"
    for name in check.renamed:
        yield f"  told    a former name is used: {_harmless(name)}"
    if check.undeclared:
        more = "…" if len(check.undeclared) > 12 else ""
        yield f"  told    the contract does not name {_harmless(', '.join(check.undeclared[:12]))}{more}"
    for left in check.unasked:
        about = f" ({_harmless(left.field)})" if left.field else ""
        star = "*" if left.of_rows else " "
        yield f"  not enforced {star} {check.contract_file}:{left.line}: {left.rule}{about}: {_harmless(left.why)}"


def _verdict(check: TableCheck) -> str:
    rows = (
        f"{check.rows:,} row{'' if check.rows == 1 else 's'} in {check.files:,} file{'' if check.files == 1 else 's'}"
    )
    asked = sum(r.holds is not None for r in check.rules)
    failed = len(check.failed)
    head = f"{check.table}: {rows}, {asked} rules"
    broken = (
        f"; {check.broken:,} row{' breaks' if check.broken == 1 else 's break'} at least one" if check.broken else ""
    )
    if check.is_refused:
        return (
            f"{head}, {failed} broken{broken}" if failed else f"{head}, none broken; some files or lines are no records"
        )
    if not check.rows:
        return f"{head}: there is nothing to tell from"
    return f"{head}, none broken" + ("" if check.is_whole else "; those with * could not be asked")


def _figure(rule: RuleResult) -> str:
    if rule.figure is not None:
        return f"{rule.said}; {rule.expected}"
    share = f" ({100 * rule.failed / rule.of:.3g}%)" if rule.of else ""
    rows = f"{rule.failed:,} of {rule.of:,} rows{share}"
    return f"{rows}; expected {_harmless(rule.expected)}" if rule.expected else rows


def _example(example: Example) -> str:
    found = f": {_harmless(example.found)}" if example.found else ""
    return f"{_harmless(example.file)}:{example.row}{found}"


def _fault(fault: FileFault) -> str:
    where = ", ".join(filter(None, fault.where))
    times = f"{fault.count:,}× " if fault.count > 1 else ""
    return f"{times}{fault.said}" + (f" ({where}{', …' if fault.count > len(fault.where) else ''})" if where else "")


def _harmless(text: str) -> str:
    """Without what would steer a terminal: names and values are somebody else's."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)

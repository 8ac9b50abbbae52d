"""A check of a table as JUnit XML, which every CI system shows: a rule is a test case.

A broken rule is a failure, one that could not be asked is skipped, and what could not be read is an error. A rule whose
severity refuses nothing passes, and says what it found.

Source: the form that Jenkins and GitLab read (testsuites, testsuite, testcase; failure, error, skipped, system-out).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape  # of `xml.sax` the import alone costs ten milliseconds
from typing import Final

from plimsoll.model.table_check import FileFault, RuleResult, TableCheck, Unasked

# XML 1.0, 2.2: characters that no document may hold, not even escaped.
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(check: TableCheck) -> str:
    """One XML document. The same check gives the same text."""
    cases = [*_rules(check), *_faults(check), *_unasked(check)]
    failures = len(check.failed)
    errors = sum(fault.lost for fault in check.faults)
    skipped = len(check.unasked) + sum(rule.holds is None for rule in check.rules)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    suite = f"<testsuite name={_quoted(f'{check.contract}: {check.table}')} {counts}>"
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return "\n".join([head, f"<testsuites {counts}>", suite, *cases, "</testsuite>", "</testsuites>", ""])


def _rules(check: TableCheck) -> Iterator[str]:
    for rule in check.rules:
        if rule.holds is None:
            yield _case(rule.rule, rule.field, check, rule.line, f"<skipped message={_quoted(rule.said)}/>")
        elif rule.holds:
            yield _case(rule.rule, rule.field, check, rule.line, "")
        else:
            told = _plain("\n".join(_examples(rule)))
            tag = "system-out" if rule.advice else "failure"
            message = "" if rule.advice else f" message={_quoted(_said(rule))}"
            text = f"{_plain(_said(rule))}\n{told}" if rule.advice else told
            yield _case(rule.rule, rule.field, check, rule.line, f"<{tag}{message}>{text}</{tag}>")


def _faults(check: TableCheck) -> Iterator[str]:
    for fault in check.faults:
        body = (
            f"<error message={_quoted(_told(fault))}/>"
            if fault.lost
            else f"<system-out>{_plain(_told(fault))}</system-out>"
        )
        yield _case(fault.code, "files", check, 0, body)


def _unasked(check: TableCheck) -> Iterator[str]:
    for left in check.unasked:
        yield _case(left.rule, left.field, check, left.line, f"<skipped message={_quoted(_why(left))}/>")


def _case(name: str, field: str, check: TableCheck, line: int, body: str) -> str:
    where = f" file={_quoted(check.contract_file)}" + (f' line="{line}"' if line else "")
    head = f"<testcase name={_quoted(name)} classname={_quoted(field or check.table)}{where}"
    return f"{head}>{body}</testcase>" if body else f"{head}/>"


def _said(rule: RuleResult) -> str:
    if rule.figure is not None:
        return f"{rule.said}; {rule.expected}"
    rows = f"{rule.failed:,} of {rule.of:,} rows"
    return f"{rows}; expected {rule.expected}" if rule.expected else rows


def _examples(rule: RuleResult) -> Iterator[str]:
    for example in rule.examples:
        yield f"{example.file}:{example.row}" + (f": {example.found}" if example.found else "")


def _told(fault: FileFault) -> str:
    return f"{fault.count:,}× {fault.said}: {', '.join(fault.where)}"


def _why(left: Unasked) -> str:
    return f"not enforced here: {left.why}"


def _plain(text: str) -> str:
    return escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text), quote=False)


def _quoted(text: str) -> str:
    plain = escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text))
    return '"' + plain.replace("\n", "&#10;").replace("\t", "&#9;").replace("\r", "&#13;") + '"'

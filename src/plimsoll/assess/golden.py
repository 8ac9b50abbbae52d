"""A golden set: cases whose right answer is known, as JSON Lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from plimsoll.errors import InvalidFile, Problem, Where
from plimsoll.model.canonical import digest, digest_bytes


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the golden set."""

    input: msgspec.Raw  # the record, as the guard is given it
    expected: Any  # the right output; of an object, the fields that count
    type: str = ""  # decision type; "" when the system has one that the AI may answer
    id: str = ""
    source: str = ""  # which declared source it stands for
    segment: dict[str, str] = {}  # field -> value, to be reported apart

    @property
    def record(self) -> bytes:
        """The record's JSON."""
        return bytes(self.input)


def read_golden(raw: bytes, file: str, types: Sequence[str]) -> tuple[Case, ...]:
    """The cases of a golden set.

    Args:
        raw: the file's bytes.
        file: its name, for messages.
        types: the decision types that the AI may answer.

    Raises:
        InvalidFile: every line that is no case, with its number; or the file holds none.
    """
    cases: list[Case] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    contents: dict[tuple[str, str, str], tuple[int, Any]] = {}  # what is asked -> line, and the answer expected
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        where = Where(file=file, line=number)
        try:
            case = _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
            problems.append(
                Problem(
                    code="golden.line",
                    message=f"this line is no case: {why}",
                    where=where,
                    fix='write one JSON object a line: {"input": …, "expected": …}, and optionally type, id, segment',
                )
            )
            continue
        if _says_nothing(case.expected):
            problems.append(
                Problem(
                    code="golden.line",
                    message="this case expects an object without a single field, which every object is",
                    where=where,
                    fix='name the fields that count: "expected": {"amount": 12}',
                )
            )
            continue
        if not case.type and len(types) == 1:
            case = msgspec.structs.replace(case, type=types[0])
        if case.type not in types:
            problems.append(
                Problem(
                    code="golden.type",
                    message=f"'{case.type}' is not a decision type that the AI may answer",
                    where=where,
                    fix=f"use one of: {', '.join(types) or 'none is declared'}",
                )
            )
            continue
        name = case.id or f"line {number}"
        if name in seen:
            problems.append(
                Problem(
                    code="golden.duplicate",
                    message=f"case '{name}' stands in line {seen[name]} too; one case may be counted once",
                    where=where,
                    fix="give each case its own id",
                )
            )
            continue
        same = (case.type, case.source, _digest_of_input(case))
        if same in contents:
            problems.append(_asked_twice(case, where, *contents[same]))
            continue
        contents[same] = (number, case.expected)
        seen[name] = number
        cases.append(msgspec.structs.replace(case, id=name))
    if not cases and not problems:
        problems.append(
            Problem(
                code="golden.empty",
                message="the golden set holds no case",
                where=Where(file=file),
                fix='write one JSON object a line: {"input": …, "expected": …}',
            )
        )
    if problems:
        raise InvalidFile(file, tuple(problems))
    return tuple(cases)


def _digest_of_input(case: Case) -> str:
    """Equal for equal records, however they are spaced and in which order their fields stand."""
    try:
        return digest(msgspec.json.decode(case.record))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return digest_bytes(case.record)  # the guard will say what is wrong with it


def _asked_twice(case: Case, where: Where, first: int, expected: Any) -> Problem:
    """The same question under another name is no second case: counted twice, it would narrow every bound."""
    answer = "" if expected == case.expected else ", and expects another answer there"
    return Problem(
        code="golden.duplicate",
        message=f"the same type, source and input stand in {where.file}:{first} too{answer}; one case is counted once",
        where=where,
        fix="keep the one whose answer is right"
        if answer
        else "remove one of the two lines; another id makes no other case",
    )


def _says_nothing(expected: Any) -> bool:
    return isinstance(expected, dict) and all(_says_nothing(value) for value in expected.values())


def is_right(expected: Any, output: Any) -> bool:
    """Whether an output is the expected one. Of an object only the expected fields count, at every depth."""
    if isinstance(expected, dict):
        return isinstance(output, dict) and all(
            key in output and is_right(value, output[key]) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(output, (list, tuple))
            and len(expected) == len(output)
            and all(is_right(e, o) for e, o in zip(expected, output, strict=True))
        )
    # True equals 1 in Python and not in JSON.
    return isinstance(expected, bool) is isinstance(output, bool) and bool(expected == output)


_DECODER = msgspec.json.Decoder(Case)

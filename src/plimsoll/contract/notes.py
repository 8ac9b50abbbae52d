"""What reading a contract turns up: problems, and rules that nothing enforces; each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plimsoll.contract.rules import Rule, RuleName, Unenforced
from plimsoll.contract.terms import Order, Quality, Reference, Unique
from plimsoll.errors import Problem
from plimsoll.model.words import nearest, quoted
from plimsoll.model.yaml_source import Path, Source

_LISTED = 40  # allowed words that a message lists

_FLAGS = {
    **dict.fromkeys(("yes", "on", "y", "1", "true"), "write true"),
    **dict.fromkeys(("no", "off", "n", "0", "false"), "write false"),
}


class Notes:
    """Collects while one file is read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.unenforced: list[Unenforced] = []
        self.qualities: list[Quality] = []
        self.unique: list[Unique] = []
        self.orders: list[Order] = []
        self.references: list[Reference] = []
        self.read_fields: list[tuple[str, Path]] = []  # that consumers name, and where
        self.compared: list[tuple[str, Path]] = []  # fields of the object that quality rules name, and where
        self.object = ""  # name of the schema object that is being read

    def problem(self, code: str, path: Path, message: str, *, fix: str = "", at_key: bool = False) -> None:
        """Something is wrong at a value, or at its key."""
        self.problems.append(self.source.problem(f"contract.{code}", path, message, fix=fix, at_key=at_key))

    def warning(self, code: str, path: Path, message: str, *, fix: str = "") -> None:
        """Something is understood, and should be written otherwise; named at its key."""
        self.warnings.append(self.source.problem(f"contract.{code}", path, message, fix=fix, at_key=True))

    def unknown(self, code: str, path: Path, what: str, word: str, allowed: Iterable[str]) -> None:
        """A word is not one of those that are allowed; names the nearest."""
        words = list(allowed)
        near = nearest(word, words)
        listed = ", ".join(words[:_LISTED]) + (", …" if len(words) > _LISTED else "")
        message = f"{quoted(word)} is not {what}" + (f"; allowed: {listed}" if words else "")
        self.problem(code, path, message, fix=f"did you mean '{near}'?" if near else "", at_key=code == "unknown-key")

    def mistyped(self, path: Path, value: Any, wanted: str) -> None:
        """A value is of another kind than the one asked for."""
        shown = f"{quoted(str(value))} is " if isinstance(value, str | int | float) else "found "
        fix = ""
        if wanted == "a text" and isinstance(value, bool | int | float):
            fix = "put it in quotes"
        elif wanted == "true or false":
            fix = _FLAGS.get(str(value).casefold(), "")
        self.problem("wrong-type", path, f"{shown}{kind_of(value)}; {wanted} is asked for", fix=fix)

    def leave(self, path: Path, rule: str, why: str, *, field: str, of_records: bool = True) -> None:
        """A rule stands here that no check of single records enforces."""
        where = self.source.where_key(path)
        self.unenforced.append(
            Unenforced(line=where.line, column=where.column, rule=rule, why=why, field=field, of_records=of_records)
        )

    def rule(self, name: RuleName, value: Any, path: Path) -> Rule:
        """A rule, with the place it stands at."""
        where = self.source.where_key(path)
        return Rule(name=name, value=value, line=where.line, column=where.column)


def kind_of(value: Any) -> str:
    """What YAML gave, in words.

    >>> [kind_of(v) for v in (None, True, 1, 0.5, "x", [], {})]
    ['nothing', 'true or false', 'a whole number', 'a number', 'a text', 'a list', 'a group of keys']
    """
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list"}
    return "nothing" if value is None else names.get(type(value), "a group of keys")

"""Writes the tables of the reference that are made from the code, between their markers; a test keeps them in step.

python docs/generate.py
"""  # noqa: INP001 - a script of its own; the pages beside it are no package

from __future__ import annotations

import argparse
import datetime as dt
import enum
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import msgspec

from plimsoll import errors
from plimsoll.assess.health.signs import SIGNS
from plimsoll.cli.parser import COMMANDS, actions_of, command_parser
from plimsoll.contract import read_contract
from plimsoll.contract.odcs import FORMATS, OPTIONS
from plimsoll.model.asked import Key, Text, WordOrGroup, key_of, keys_of
from plimsoll.model.declared import Declared
from plimsoll.model.endpoint import Certainty, Form
from plimsoll.model.governance import FieldRule, Governance, Ruling, Undeclared
from plimsoll.model.health_page import HealthPage
from plimsoll.model.knowledge import OnTrouble
from plimsoll.model.manifest import (
    Classification,
    Consequence,
    Durability,
    FailureKind,
    FallbackWord,
    Manifest,
)
from plimsoll.model.manifest_reader import PLANNED
from plimsoll.model.metrics import METRICS, Metric
from plimsoll.model.money import Money
from plimsoll.model.prices import WhenSpent
from plimsoll.model.quantity import Quantity, UnitKind, units_of
from plimsoll.model.share_of import ShareOf
from plimsoll.model.template import Template
from plimsoll.model.threshold import Condition, Threshold

DOCS: Final = Path(__file__).parent
WIDTH: Final = 120

_TEXTS: Final = {
    Text.SENTENCE: "text",
    Text.NAME: "name",
    Text.CONTACT: "contact",
    Text.KNOWN: "contact named under `owners`",
    Text.FILE: "path",
    Text.SLUG: "short name",
    Text.CALLABLE: "`package.module:callable`",
    Text.SERVICE: "`host:port`",
    Text.URL: "URL",
    Text.POINTER: "JSON Pointer",
    Text.VARIABLE: "name of an environment variable",
    Text.VALUE: "text",
    Text.HOST: "host, `*.` and a domain, or network",
    Text.CURRENCY: "currency (ISO 4217)",
}


# ── the manifest ─────────────────────────────────────────────────────────────────────────────────────────────────────


def governance_keys() -> str:
    """The same for the governance page."""
    return "\n".join(_group(Governance, "")).strip()


def health_keys() -> str:
    """The same for the health page."""
    return "\n".join(_group(HealthPage, "")).strip()


def health_signs() -> str:
    """Every sign of the catalogue: what it looks at, and the source."""
    head = "| sign | looks at | source |\n|---|---|---|"
    rows = (
        f"| {about.title} (`{name}`) | {_cell(about.looks)} | {_cell(about.source)} |" for name, about in SIGNS.items()
    )
    return "\n".join((head, *rows))


def manifest_keys() -> str:
    """A table for each group of keys, in the order of the file."""
    return "\n".join(_group(Manifest, "")).strip()


def _group(group: type[msgspec.Struct], at: str, above: tuple[type, ...] = ()) -> Iterator[str]:
    yield f"### {f'`{at}`' if at else 'The file'}\n"
    said = " ".join((inspect.getdoc(group) or "").split("\n\n", 1)[0].split())
    if said:
        yield f"{said}\n"
    yield "| key | type | unit | default | meaning |\n|---|---|---|---|---|"
    below: list[tuple[type[msgspec.Struct], str]] = []
    for key in keys_of(group).values():
        where = f"{at}.{key.name}".lstrip(".")
        yield f"| `{key.name}` | {_type(key)} | {_unit(key)} | {_default(key)} | {_cell(key.says)} |"
        below += _groups_below(key, where)
    yield ""
    seen: set[type] = {*above, group}
    for inner, where in below:
        if inner in seen:  # the four parties have the same keys, and a fallback's target has those of the target
            continue
        seen.add(inner)
        alike = [w for g, w in below if g is inner]
        yield from _group(inner, where if len(alike) == 1 else "`, `".join(alike), (*above, group))


def _groups_below(key: Key, where: str) -> list[tuple[type[msgspec.Struct], str]]:
    inner, at = key.type, where
    if get_origin(inner) is dict:
        inner, at = key_of(get_args(inner)[1]).type, f"{where}.<name>"
    elif get_origin(inner) is tuple:
        inner, at = key_of(get_args(inner)[0]).type, f"{where}[]"
    if isinstance(inner, WordOrGroup):
        inner = inner.group
    is_group = isinstance(inner, type) and issubclass(inner, Declared | Threshold)
    return [(inner, at)] if is_group else []


def _type(key: Key) -> str:
    origin = get_origin(key.type)
    if origin is tuple:
        return f"list of: {_type(key_of(get_args(key.type)[0]))}"
    if origin is dict:
        inner = _type(key_of(get_args(key.type)[1]))
        return "groups of keys, by short name" if inner == "group of keys" else f"by short name: {inner}"
    plain: dict[Any, str] = {
        Condition: "condition",
        Template: "[template](targets.md#templates)",
        bool: "`true` or `false`",
        int: "whole number",
        str: _TEXTS[key.asked.text],
    }
    plain |= {Quantity: key.asked.unit.value, ShareOf: "share of a number, such as `50% of 20`", Any: "any value"}
    plain |= {Money: "amount with its currency", Decimal: "price, a number", dt.date: "day, `2027-01-31`"}
    if isinstance(key.type, WordOrGroup):
        return f"one of {_words(key.type.words)}, or a group of keys"
    if key.type in plain:
        return plain[key.type]
    if issubclass(key.type, enum.StrEnum):
        return f"one of {_words(key.type)}"
    return "group of keys"


def _words(words: type[enum.StrEnum]) -> str:
    return ", ".join(f"`{word.value}`" for word in words)


def _unit(key: Key) -> str:
    if key.type is not Quantity:
        return _range(key) if key.type is int else ""
    units = " ".join(f"`{unit}`" for unit in units_of(key.asked.unit))
    every = "; `every` may stand before it" if key.asked.every else ""
    return f"{units}{_range(key)}{every}"


def _range(key: Key) -> str:
    asked = key.asked
    named = (("above", asked.above), ("at least", asked.least), ("below", asked.below), ("at most", asked.most))
    said = [f"{word} {asked.written(limit)}" for word, limit in named if limit is not None]
    lead = "; " if key.type is Quantity else ""
    return f"{lead}{', '.join(said)}" if said else ""


def _default(key: Key) -> str:
    if key.required:
        return "**required**"
    default = key.default
    if isinstance(default, Quantity | ShareOf | Decimal | enum.StrEnum | int | str) and str(default):
        return f"`{str(default).lower() if isinstance(default, bool) else default}`"
    return "none"


def governance_words() -> str:
    """The same for the governance page."""
    return _table_of_words(
        {
            "`data.<class>.<destination>`": Ruling,
            "`fields.<destination>.<class>`": FieldRule,
            "`undeclared`": Undeclared,
        }
    )


def manifest_words() -> str:
    """What the words mean that a key may have, from the notes beside the types."""
    named = {
        "`decisions.<name>.consequence`": Consequence,
        "`data.classification`": Classification,
        "`durability`": Durability,
        "`target.openai.output`": Form,
        "`target.openai.confidence`": Certainty,
        "`target.retry.on`": FailureKind,
        "`target.fallback`": FallbackWord,
        "`knowledge.<name>.on_…`": OnTrouble,
        "`budget.when_spent`": WhenSpent,
    }
    return _table_of_words(named)


def _table_of_words(named: Mapping[str, type[enum.StrEnum]]) -> str:
    rows = ["| words of | allowed |\n|---|---|"]
    for name, words in named.items():
        said = " ".join((inspect.getdoc(words) or "").split())
        rows.append(f"| {name} | {_words(words)}. {_cell(said)} |")
    return "\n".join(rows)


def manifest_planned() -> str:
    """Keys that are refused because they are not in this version, and what to do in their place."""
    group = {"Target": "target", "DecisionType": "decisions.<name>", "Manifest": ""}
    rows = ["| key, not in this version | in its place |\n|---|---|"]
    for (at, name), fix in PLANNED.items():
        where = ".".join(filter(None, (group[at], name)))
        rows.append(f"| `{where}` | {_cell(fix)} |")
    return "\n".join(rows)


def units() -> str:
    """The units of each kind of quantity."""
    rows = ["| kind | units | example |\n|---|---|---|"]
    example = {
        UnitKind.RATIO: "95%",
        UnitKind.DURATION: "300ms",
        UnitKind.RATE: "50/s",
        UnitKind.MULTIPLE: "3x",
        UnitKind.COUNT: "0",
    }
    for kind in UnitKind:
        written = " ".join(f"`{u}`" for u in units_of(kind) if u) or "none"
        rows.append(f"| {kind.value} | {written} | `{example[kind]}` |")
    return "\n".join(rows)


# ── metrics ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def metric_table() -> str:
    """The catalogue."""
    return "\n".join(_metric(metric) for metric in METRICS.values()).strip()


def _metric(metric: Metric) -> str:
    kind = metric.kind.value + (f" (q = {metric.quantile:g})" if metric.quantile is not None else "")
    measured = f"`{metric.command}`" if metric.measurable else "**not in this version**"
    return (
        f"### `{metric.name}`\n\n{metric.meaning}\n\n"
        f"| dimension | unit | better | kind | measured by |\n|---|---|---|---|---|\n"
        f"| {metric.dimension.value} | {metric.unit.value} | {metric.better.value} | {kind} | {measured} |\n\n"
        f"Denominator: {metric.denominator}.\n"
    )


# ── the command line ─────────────────────────────────────────────────────────────────────────────────────────────────


def command_line() -> str:
    """Every command with its arguments and options."""
    return "\n".join(line for command in COMMANDS for line in _command(command)).strip()


def _command(command: str) -> Iterator[str]:
    _, parser = command_parser(command)
    yield f"### `plimsoll {command}`\n"
    yield from _description(parser)
    actions = actions_of(parser)
    if not actions:
        yield from _arguments(parser, f"plimsoll {command}")
    for name, action in actions.items():
        yield f"#### `plimsoll {command} {name}`\n"
        yield from _description(action)
        yield from _arguments(action, f"plimsoll {command} {name}")


def _description(parser: argparse.ArgumentParser) -> Iterator[str]:
    """What a command says of itself; its examples as a block."""
    said, _, examples = re.sub(r"\n+Examples?:\n", "\0", (parser.description or "").strip()).partition("\0")
    if said:
        first, *rest = said.split("\n\n")
        lead = first[0].upper() + first[1:] + ("" if first.endswith((".", "?")) else ".")
        yield "\n\n".join((lead, *rest)) + "\n"
    if examples:
        lines = "\n".join(line.removeprefix("  ") for line in examples.rstrip().splitlines())
        yield f"```text\n{lines}\n```\n"


def _arguments(parser: argparse.ArgumentParser, usage: str) -> Iterator[str]:
    common = {"help", "json", "quiet", "debug"}  # said once, at the top of the page
    given = [a for a in parser._actions if a.dest not in common]  # noqa: SLF001 - argparse has no public way to walk
    if not given:
        yield f"`{usage}` takes no arguments of its own.\n"
        return
    yield "| argument | meaning |\n|---|---|"
    for action in given:
        yield f"| {_shown(action)} | {_cell(_meaning(action))} |"
    yield ""


def _shown(action: argparse.Action) -> str:
    name = action.metavar or action.dest
    if not action.option_strings:
        text = str(name).upper()
        return f"`[{text}]`" if action.nargs == "?" else f"`{text}`"
    value = "" if action.nargs == 0 else f" {name if action.metavar else str(name).upper()}"
    return f"`{action.option_strings[-1]}{value}`"


def _meaning(action: argparse.Action) -> str:
    said = [str(action.help or action.dest.replace("_", " "))]
    if action.choices and any(str(choice) not in said[0] for choice in action.choices):
        said.append(f"one of {', '.join(f'`{c}`' for c in action.choices)}")
    plain = isinstance(action.default, str | Path) and str(action.default) not in {"", "."}
    if plain and "default" not in said[0] and "PLIMSOLL_TRUST" not in said[0]:
        said.append(f"default: `{action.default}`")
    if action.option_strings and action.required:
        said.append("required")
    return "; ".join(said)


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def error_classes() -> list[type[errors.PlimsollError]]:
    """Every class of the tree, from the root down, in the order of the file."""
    found = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.PlimsollError)]
    return sorted(found, key=lambda c: inspect.getsourcelines(c)[1])


def error_table() -> str:
    """Class, code, exit code, meaning."""
    rows = ["| class | is a | code | exit | meaning |\n|---|---|---|---:|---|"]
    for error in error_classes():
        parent = error.__bases__[0].__name__
        said = " ".join((inspect.getdoc(error) or "").split("\n\n", 1)[0].split())
        rows.append(
            f"| `{error.__name__}` | {f'`{parent}`' if parent != 'Exception' else ''} | `{error.code}` "
            f"| {error.exit_code} | {_cell(said)} |"
        )
    return "\n".join(rows)


# ── contracts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def contract_options() -> str:
    """The options of each logical type."""
    rows = ["| logical type | options that are read |\n|---|---|"]
    for type_, options in OPTIONS.items():
        rows.append(f"| `{type_.value}` | {', '.join(f'`{o}`' for o in options) or 'none'} |")
    return "\n".join(rows)


def contract_formats() -> str:
    """The formats of a text that are checked."""
    return ", ".join(f"`{name}`" for name in sorted({*FORMATS, "byte"}))


_UNENFORCED: Final = """\
apiVersion: v3.2.0
kind: DataContract
id: example
version: 1.0.0
slaProperties: [{property: latency, value: 4, unit: h}]
schema:
  - name: claim
    logicalType: object
    properties:
      - {name: claim, logicalType: string, unique: true}
      - {name: line, logicalType: string, primaryKey: true}
      - {name: stored, physicalType: varchar(20)}
      - {name: total, logicalType: number, semanticType: measure}
      - {name: customer, logicalType: string, relationships: [{to: customers.id}]}
      - name: text
        logicalType: string
        quality:
          - {type: text, description: It should read well.}
          - {type: sql, query: SELECT 1, mustBe: 0}
          - {type: custom, engine: soda, implementation: x}
          - {metric: rowCount, mustBeGreaterThan: 100}
          - {metric: duplicateValues, mustBe: 0}
          - {metric: nullValues, mustBeLessThan: 5, unit: percent}
          - {metric: nullValues, mustBe: 0, severity: warning}
      - {name: untyped, logicalTypeOptions: {maxLength: 5}}
      - {name: number, logicalType: integer, customProperties: [{property: plimsollOrder, value: rising}]}
      - {name: ean, logicalType: string, logicalTypeOptions: {format: ean13}}
      - {name: day, logicalType: date, logicalTypeOptions: {format: EEE yyyy, minimum: '2026-01-01'}}
      - name: zoned
        logicalType: timestamp
        logicalTypeOptions: {timezone: false, defaultTimezone: Europe/Berlin, minimum: '2026-01-01T00:00:00'}
      - {name: mixed, logicalType: timestamp, logicalTypeOptions: {format: "yyyy-MM-dd'T'HH:mm:ss", timezone: true}}
      - {name: embedding, logicalType: vector, logicalTypeOptions: {dimensions: 2, normalized: true}}
      - name: byNumber
        logicalType: map
        map: {key: {logicalType: integer, logicalTypeOptions: {minimum: 1}}, value: {logicalType: string}}
  - {name: other, logicalType: object}
"""


def contract_unenforced() -> str:
    """Every kind of rule that no check of single records enforces, as reading a contract with all of them lists it."""
    found = read_contract(_UNENFORCED, "example.odcs.yaml").unenforced
    head = "| rule | why it is not enforced | makes `contracts.valid_rate` not measured |\n|---|---|---|"
    rules = dict.fromkeys((u.rule, u.why, u.of_records) for u in sorted(found, key=lambda u: u.rule))
    rows = (f"| `{rule}` | {_cell(why)} | {'yes' if of_records else 'no'} |" for rule, why, of_records in rules)
    return "\n".join((head, *rows))


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


TABLES: Final[dict[str, Callable[[], str]]] = {
    "manifest keys": manifest_keys,
    "manifest words": manifest_words,
    "manifest planned": manifest_planned,
    "governance keys": governance_keys,
    "governance words": governance_words,
    "health keys": health_keys,
    "health signs": health_signs,
    "units": units,
    "metrics": metric_table,
    "command line": command_line,
    "errors": error_table,
    "contract options": contract_options,
    "contract formats": contract_formats,
    "contract unenforced": contract_unenforced,
}
_MARKED: Final = re.compile(r"(<!-- made: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def made(page: str) -> str:
    """A page with everything between its markers made anew.

    Raises:
        KeyError: a marker names no table.
    """
    return _MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", page)


def pages() -> list[Path]:
    """Every page of the documentation."""
    return sorted(DOCS.rglob("*.md"))


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")


def main() -> int:
    """Write every page that changes; say which."""
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = made(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{page.relative_to(DOCS)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Consumers exercised: each gets its format, in time, and what it does not expect is kept from it, or does no harm."""

from __future__ import annotations

import csv
import io
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from plimsoll.assess.run import Run
from plimsoll.assess.source_cut import Sample
from plimsoll.contract import Contract
from plimsoll.contract.cells import read_cells
from plimsoll.contract.rules import Field, LogicalType, RuleName
from plimsoll.contract.terms import Consumer, Effect
from plimsoll.guard import Guard
from plimsoll.guard.intake import to_json
from plimsoll.guard.target import Ask
from plimsoll.model.decision import Disposition, Result
from plimsoll.model.details import ConsumerDetail
from plimsoll.model.evidence import Census, Draw

MOST: Final = 50  # records that are answered for it
_HARMLESS: Final = frozenset({Effect.STOPS, Effect.DROPS, Effect.IGNORES})  # somebody notices, or nothing comes of it
_ODD: Final = "a value that nobody expects"


class Output(msgspec.Struct, frozen=True):
    """One answer, as JSON has it."""

    value: Any
    seconds: float  # from being asked for to being answered


class OddTarget:
    """A target that answers what it is told to next, in place of the release's own."""

    name = "unexpected"
    is_async = False
    destination = ""

    def __init__(self) -> None:
        self.next: Any = None

    def ask(self, ask: Ask) -> Any:  # noqa: ARG002 - the shape of a target
        """What was set, as sure as an answer can be: a type that is reviewed lets it out, too."""
        return Result(self.next, confidence=1.0)

    def close(self) -> None:
        """Nothing is held."""


def outputs_of(
    guard: Guard, samples: Sequence[Sample], *, timer: Callable[[], float] = time.perf_counter
) -> list[Output]:
    """Answers to real records, each with the time that it took; at most `MOST` records are asked."""
    found: list[Output] = []
    for sample in samples[:MOST]:
        began = timer()
        answer = guard.decide(sample.type, sample.value)
        if answer.disposition is Disposition.ANSWERED:
            found.append(Output(msgspec.json.decode(to_json(answer.output)), timer() - began))
    return found


def exercise_consumers(
    run: Run,
    contract: Contract,
    outputs: Sequence[Output],
    odd_guard: Guard,
    odd: OddTarget,
    asked: Sample | None,
) -> tuple[ConsumerDetail, ...]:
    """What each consumer of the answers gets, and evidence of it.

    Args:
        run: the started run.
        contract: of the output; it names the consumers.
        outputs: answers to real records.
        odd_guard: the release's guard with ``odd`` in the target's place and nothing that stands in for it.
        odd: is told what to answer.
        asked: a record to ask with; None: there is none, and no unexpected value can be tried.
    """
    found = tuple(_served(consumer, contract, outputs, odd_guard, odd, asked) for consumer in contract.terms.consumers)
    if found and not any(c.not_measured for c in found):
        served = sum(not c.why for c in found)
        run.give(
            "contracts.consumers_served",
            Census(
                count=served,
                total=len(found),
                ratio=True,
                missing=tuple(f"{c.id}: {c.why[0]}" for c in found if c.why)[:20],
            ),
            draw=Draw.FIXED,
            finding=f"{served} of {len(found)} consumers got their format in time, and nothing that misleads them.",
        )
    return found


def _served(
    consumer: Consumer,
    contract: Contract,
    outputs: Sequence[Output],
    guard: Guard,
    odd: OddTarget,
    asked: Sample | None,
) -> ConsumerDetail:
    why: list[str] = []
    left: list[str] = []
    if not outputs:
        left.append("no record of the feed was answered, so there is nothing to give it")
    else:
        said = _format_gap(consumer.format, contract, [o.value for o in outputs])
        if said is None:
            left.append(f"what '{consumer.format}' looks like is not known here")
        elif said:
            why.append(said)
    worst = max((o.seconds for o in outputs), default=None)
    if worst is not None and worst > consumer.latency_s:
        why.append(f"an answer took {worst:.3g} s; it bears {consumer.latency_s:g} s")
    tried = reached = 0
    examples = [o.value for o in outputs if isinstance(o.value, dict)]
    if not examples or asked is None or contract.record is None:
        left.append("no answer is an object with fields, so no unexpected value could be put into one")
    else:
        names: list[str] = []
        for name, value in _unexpected(contract.record, consumer, examples[0]):
            odd.next = value
            tried += 1
            answer = guard.decide(asked.type, asked.value)
            if answer.disposition is Disposition.ANSWERED and answer.output == value:
                reached += 1
                names.append(name)
        if reached and consumer.on_unexpected not in _HARMLESS:
            why.append(f"{names[0]} reaches it, and what that does there is declared: {consumer.on_unexpected}")
    return ConsumerDetail(
        id=consumer.id,
        format=consumer.format,
        outputs=len(outputs),
        worst_s=worst,
        latency_s=consumer.latency_s,
        unexpected=tried,
        reached=reached,
        effect=consumer.on_unexpected.value,
        why=tuple(why),
        not_measured=tuple(left),
    )


# -- format


def _format_gap(name: str, contract: Contract, values: Sequence[Any]) -> str | None:
    """Why answers do not survive being written in a format and read back; "" when they do. None: it is not known."""
    kind = name.strip().casefold()
    if kind in {"json", "jsonl", "json lines", "ndjson"}:
        lines = b"\n".join(msgspec.json.encode(value) for value in values)
        back = [msgspec.json.decode(line) for line in lines.split(b"\n")]
        return "" if back == list(values) else f"answers are not the same when they are read back from {name}"
    if kind == "text":
        return "" if all(isinstance(value, str) for value in values) else "an answer is no text"
    if kind == "csv":
        return _csv_gap(contract, values)
    return None


def _csv_gap(contract: Contract, values: Sequence[Any]) -> str:
    if contract.record is None or not all(isinstance(value, dict) for value in values):
        return "an answer is no row of fields"
    columns = list(dict.fromkeys(name for value in values for name in value))
    written = io.StringIO()
    writer = csv.DictWriter(written, columns, restval="")
    writer.writeheader()
    writer.writerows({name: _cell(cell) for name, cell in value.items()} for value in values)
    back = list(csv.DictReader(io.StringIO(written.getvalue())))
    for value, row in itertools.zip_longest(values, back):
        read = read_cells(contract.record, row or {})
        changed = next((name for name in columns if read.get(name) != value.get(name)), None)
        if changed is not None:
            return f"'{changed}' is not the same when it is read back from csv"
    return ""


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


# -- what it does not expect


def _unexpected(record: Field, consumer: Consumer, example: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Answers with one value that the consumer does not expect, each with what is odd about it."""
    read = {path.split(".")[0].removesuffix("[]") for path in consumer.fields}
    for field in record.fields:
        if read and field.name not in read:
            continue
        yield f"'{field.name}' of another type", {**example, field.name: {"odd": True}}
        if field.required:
            yield f"'{field.name}' missing", {name: v for name, v in example.items() if name != field.name}
            yield f"'{field.name}' null", {**example, field.name: None}
        if any(rule.name is RuleName.ENUM for rule in field.rules):
            yield f"'{field.name}' of a new value", {**example, field.name: _ODD}
        elif field.type in {None, LogicalType.STRING}:
            # A value that the contract allows and that nobody has seen: what no contract keeps away.
            yield f"'{field.name}' of a new text", {**example, field.name: _ODD}
    if not read:
        yield "a field that nobody knows", {**example, "plimsollUnexpected": _ODD}

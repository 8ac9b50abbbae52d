"""What an answer rests on, ruled on before it leaves: by who asks, and by what the manifest declares."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from assess.a_system import HEAD, System

from plimsoll import Answer, Disposition, Guard, Principal
from plimsoll.errors import Conflict
from plimsoll.model.cited import SourceFinding
from plimsoll.model.decision import DecisionRecord
from plimsoll.testing.upstream import Upstream

CITING = """
from plimsoll import Result

def predict(record):
    return Result({"parity": "even"}, sources=tuple(record["cites"]), reasons=("as the handbook says",))
"""
CLAIMS = Principal("ann", frozenset({"claims"}))
NOBODY_OF_CLAIMS = Principal("bob", frozenset({"hr"}))


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    system = System(tmp_path / "s", CITING)
    system.change("governance", to=None)
    system.change("data", "inputs", to=None)
    system.change("knowledge", to={"handbook": {"owner": HEAD, "access": ["claims"], "max_age": "90 days"}})
    with Guard.open(system.project().file) as opened:
        yield opened


def source(**more: Any) -> dict[str, Any]:
    return {"name": "handbook", "document": "12", "updated": "2999-01-01T00:00:00Z", "quote": "even is even", **more}


def fresh() -> dict[str, Any]:
    return source(updated=dt.datetime.now(dt.UTC).isoformat())


def record_of(guard: Guard, answer: Answer) -> DecisionRecord:
    entry = guard.ledger.get(answer.record)
    assert entry is not None
    return msgspec.json.decode(guard.ledger.body(entry), type=DecisionRecord)


def test_who_may_see_the_source_gets_the_answer_and_who_asked_is_on_record(guard: Guard) -> None:
    answer = guard.decide("tell", {"cites": [fresh()]}, principal=CLAIMS)
    assert (answer.disposition, answer.output) == (Disposition.ANSWERED, {"parity": "even"})
    record = record_of(guard, answer)
    assert record.principal == "ann"
    assert [(cited.name, cited.document, cited.findings) for cited in record.cited] == [("handbook", "12", ())]


@pytest.mark.parametrize("who", [NOBODY_OF_CLAIMS, None])
def test_who_may_not_see_it_gets_nothing_of_the_answer(guard: Guard, who: Principal | None) -> None:
    answer = guard.decide("tell", {"cites": [fresh()]}, principal=who)
    assert answer.disposition is Disposition.REFUSED
    assert (answer.output, answer.sources, answer.reasons) == (None, (), ())
    assert "even is even" not in answer.why
    assert SourceFinding.NOT_PERMITTED in record_of(guard, answer).cited[0].findings


def test_it_is_the_same_on_an_event_loop(guard: Guard) -> None:
    async def both() -> list[Disposition]:
        asked = ({"cites": [fresh()]}, CLAIMS), ({"cites": [fresh()]}, NOBODY_OF_CLAIMS)
        return [(await guard.adecide("tell", record, principal=who)).disposition for record, who in asked]

    assert asyncio.run(both()) == [Disposition.ANSWERED, Disposition.REFUSED]


def test_an_outdated_source_is_for_a_person(guard: Guard) -> None:
    answer = guard.decide("tell", {"cites": [source(updated="2020-01-01T00:00:00Z")]}, principal=CLAIMS)
    assert (answer.disposition, answer.output) == (Disposition.HELD, None)
    assert answer.why.startswith("sources: ")


def test_an_answer_under_a_key_is_given_again_to_who_asked_alone(guard: Guard) -> None:
    record = {"cites": [fresh()]}
    guard.decide("tell", record, principal=CLAIMS, key="one")
    assert guard.decide("tell", record, principal=CLAIMS, key="one").output == {"parity": "even"}
    for other in (NOBODY_OF_CLAIMS, None):
        with pytest.raises(Conflict, match="another principal"):
            guard.decide("tell", record, principal=other, key="one")


def test_without_sources_nothing_is_ruled_on(guard: Guard) -> None:
    answer = guard.decide("tell", {"cites": []})
    assert answer.disposition is Disposition.ANSWERED
    assert record_of(guard, answer).cited == ()


@pytest.mark.parametrize("declares", [True, False])
def test_where_knowledge_is_declared_no_answer_leaves_in_pieces(tmp_path: Path, declares: bool) -> None:
    system = System(tmp_path / "s")
    for path in (("governance",), ("data", "inputs")):
        system.change(*path, to=None)
    system.change("data", "classification", to="public")
    if declares:
        system.change("knowledge", to={"handbook": {"owner": HEAD, "access": ["claims"]}})

    async def streamed(file: Path) -> tuple[list[str], Answer]:
        with Guard.open(file) as guard:
            stream = guard.stream("tell", {"messages": [{"role": "user", "content": "hello"}]}, principal=CLAIMS)
            return [piece.text async for piece in stream], await stream.answer()

    with Upstream() as service:
        system.change("target", to={"openai": {"url": service.url + "/v1", "model": "m"}})
        pieces, answer = asyncio.run(streamed(system.project().file))
    assert answer.disposition is Disposition.ANSWERED
    assert bool(pieces) is not declares

"""What callers may be told: the governance page rules on answers, whole and in pieces, by one and the same rule."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from assembly.test_egress import MAIL, NO_EXCEPTIONS, Governed

from plimsoll import Guard
from plimsoll.assembly.releases import releases_folder
from plimsoll.errors import InputError
from plimsoll.ledger import Draft
from plimsoll.model.control import Action, Control
from plimsoll.model.decision import Answer, DecisionRecord, Disposition
from plimsoll.rollout import keep_release
from plimsoll.testing.chat import Call, Said
from plimsoll.testing.upstream import Does, Upstream

SENTENCE = f"You can write to {MAIL} or call us, as you like best."

PAGE = """\
governance: 1
organisation: Example
owners:
  data:       {{name: Officer, contact: dpo@example.org}}
  review:     {{name: Head, contact: head@example.org}}
  exceptions: {{name: Chief, contact: cro@example.org}}
destinations:
  beside:    {{hosts: [127.0.0.1]}}
  customers: {{hosts: [customers.example.org]}}
data:
  public:       {{in-process: allowed, beside: allowed, customers: allowed}}
  internal:     {{in-process: allowed, beside: allowed, customers: allowed}}
  confidential: {{in-process: allowed, beside: allowed, customers: {personal}}}
  personal:     {{in-process: allowed, beside: allowed, customers: {personal}}}
  special:      {{in-process: forbidden, beside: forbidden, customers: forbidden}}
{more}"""

READING = """\
apiVersion: v3.1.0
kind: DataContract
id: reading
name: reading
version: 1.0.0
status: active
schema:
  - name: reading
    logicalType: object
    properties:
      - {name: number, logicalType: integer, required: true, classification: public}
      - {name: name, logicalType: string, classification: personal}
"""


class Told(Governed):
    """A system whose callers are customers."""

    def __init__(self, folder: Path, service: Upstream) -> None:
        super().__init__(folder, service)
        self.system.change("data", "answers", to={"to": "customers", "classification": "internal"})
        self.system.change("data", "inputs", to=None)
        self.rules("forbidden")

    def rules(self, personal: str, more: str = "") -> None:
        (self.folder / "governance.yaml").write_text(PAGE.format(personal=personal, more=more + NO_EXCEPTIONS))

    def speaks(self, **more: Any) -> None:
        """It is a chat model."""
        self.system.change("target", to={"openai": {"url": self.service.url + "/v1", "model": "m", **more}})

    def stream(self, said: str = SENTENCE) -> tuple[list[str], Answer, DecisionRecord]:
        async def streamed() -> tuple[list[str], Answer, DecisionRecord]:
            with self.open() as guard:
                return await pieces_of(guard, said)

        return asyncio.run(streamed())


async def pieces_of(guard: Guard, said: str) -> tuple[list[str], Answer, DecisionRecord]:
    stream = guard.stream("tell", {"messages": [{"role": "user", "content": said}]})
    pieces = [piece async for piece in stream]
    answer = await stream.answer()
    entry = guard.ledger.get(answer.record)
    assert entry is not None
    record = msgspec.json.decode(guard.ledger.body(entry), type=DecisionRecord)
    return [piece.text for piece in pieces], answer, record


@pytest.fixture
def service() -> Iterator[Upstream]:
    with Upstream() as up:
        yield up


@pytest.fixture
def told(tmp_path: Path, service: Upstream) -> Told:
    return Told(tmp_path / "s", service)


class TestWhole:
    def test_a_forbidden_class_that_the_output_contract_names_is_refused(self, told: Told) -> None:
        (told.folder / "reading.odcs.yaml").write_text(READING)
        told.system.change("data", "outputs", to=["reading.odcs.yaml"])
        answer, record = told.decide({"number": 7, "name": "Wilhelmina Quist"})
        assert (answer.disposition, answer.output) == (Disposition.REFUSED, None)
        assert answer.why == "answer: personal data may not go to customers"
        assert record.answer_egress is not None
        assert (record.answer_egress.fields, record.answer_egress.place) == (("/name",), "customers")
        assert told.decide({"number": 7})[0].disposition is Disposition.ANSWERED

    def test_personal_data_that_nothing_declares_is_refused(self, told: Told) -> None:
        answer, record = told.decide({"note": SENTENCE})
        assert (answer.disposition, answer.output) == (Disposition.REFUSED, None)
        assert MAIL not in answer.why + str(record.answer_egress)
        assert told.decide({"note": "nothing"})[0].output == {"note": "nothing"}

    def test_or_goes_redacted_and_the_record_holds_what_left(self, told: Told) -> None:
        told.rules("allowed", "fields:\n  customers: {personal: redact}\n")
        answer, record = told.decide({"note": SENTENCE})
        assert answer.output == {"note": SENTENCE.replace(MAIL, "[redacted]")}
        assert json.loads(record.output_json or b"") == answer.output

    def test_a_class_that_a_person_looks_at_is_held(self, told: Told) -> None:
        told.system.change("data", "answers", to={"to": "customers", "classification": "confidential"})
        told.rules("allowed", "review: {data: [confidential]}\n")
        answer, _ = told.decide({"note": "x"})
        assert (answer.disposition, answer.why[:7]) == (Disposition.HELD, "answer:")

    def test_of_an_answer_that_no_contract_classifies_the_class_of_the_data_counts(self, told: Told) -> None:
        told.system.change("data", "answers", to={"to": "customers"})
        told.system.change("data", "classification", to="personal")
        told.system.change("target", to={"python": told.here})
        assert told.decide({"number": 7})[0].disposition is Disposition.REFUSED

    def test_what_an_answer_quotes_is_ruled_on_too(self, told: Told) -> None:
        told.service.answer = lambda _: {"output": 1, "why": [f"it says {MAIL}"]}
        told.system.change(
            "target", "http", to={"url": told.service.url, "response": {"output": "/output", "reasons": "/why"}}
        )
        answer, _ = told.decide({"number": 7})
        assert (answer.disposition, answer.reasons) == (Disposition.REFUSED, ())
        told.rules("allowed", "fields:\n  customers: {personal: redact}\n")
        answer, record = told.decide({"number": 7})
        assert answer.reasons == record.reasons == ("it says [redacted]",)

    def test_a_constant_that_stands_in_is_ruled_on_like_any_answer(self, told: Told) -> None:
        told.service.does = Does(status=500)
        told.system.change("target", "fallback", to=[{"constant": SENTENCE}])
        assert told.decide({"number": 7})[0].disposition is Disposition.REFUSED

    def test_a_destination_that_the_page_does_not_name_is_refused_when_it_is_loaded(self, told: Told) -> None:
        told.system.change("data", "answers", to={"to": "nobody"})
        with pytest.raises(InputError, match=r"'nobody', which .* does not name"):
            told.open()

    def test_who_gets_the_answers_is_part_of_the_release(self, told: Told) -> None:
        one = told.system.project().release.digest
        told.system.change("data", "answers", "classification", to="public")
        assert told.system.project().release.digest != one


class TestInPieces:
    def test_it_is_cut_and_refused_as_the_whole_is(self, told: Told) -> None:
        told.speaks()
        pieces, answer, record = told.stream()
        assert "".join(pieces) == "You can write to "
        assert answer.disposition is Disposition.REFUSED
        assert record.stream is not None
        assert (record.stream.left, record.output_json) == ("You can write to ", None)
        assert answer.why.startswith("answer: personal data stands where the contract declares none")

    def test_a_cut_stream_is_asked_for_once_and_nothing_stands_in_for_it(self, told: Told) -> None:
        told.speaks()
        told.system.change("target", "idempotent", to=True)
        told.system.change("target", "retry", to={"attempts": 3, "on": ["invalid"]})
        told.system.change("target", "fallback", to=[{"constant": "another"}])
        for said in (SENTENCE, MAIL):
            told.service.seen.clear()
            pieces, answer, _ = told.stream(said)
            assert (answer.disposition, len(told.service.seen)) == (Disposition.REFUSED, 1)
            assert MAIL not in "".join(pieces)

    def test_an_attempt_that_failed_leaves_nothing_behind_in_the_next(self, told: Told) -> None:
        told.speaks()
        told.system.change("target", "idempotent", to=True)
        told.system.change("target", "retry", to={"attempts": 2, "on": ["error"]})
        seen: list[int] = []

        def once(_: Any) -> Does:
            seen.append(1)
            return Does(cut_at=400) if len(seen) == 1 else Does()

        told.service.does = once
        pieces, answer, record = told.stream("Incomprehensibilities are told to whoever asks")
        assert len(seen) == 2
        assert "".join(pieces) == answer.output["content"] == "Incomprehensibilities are told to whoever asks"
        assert record.stream is not None
        assert record.stream.text_handed_on_bytes == len(answer.output["content"])

    def test_what_tools_are_called_with_leaves_when_all_of_it_was_ruled_on(self, told: Told) -> None:
        told.speaks()
        for arguments, disposition in (
            ('{"n": 1}', Disposition.ANSWERED),
            (f'{{"to": "{MAIL}"}}', Disposition.REFUSED),
        ):
            told.service.chat = lambda _, a=arguments: Said(
                text="Let me look that up", calls=(Call(name="mail", arguments=a),), finish="tool_calls"
            )

            async def run() -> tuple[str, Answer]:
                with told.open() as guard:
                    stream = guard.stream("tell", {"messages": [{"role": "user", "content": "x"}]})
                    calls = [str(dict(c)) async for piece in stream for c in piece.tool_calls]
                    return "".join(calls), await stream.answer()

            calls, answer = asyncio.run(run())
            assert answer.disposition is disposition
            assert ("mail" in calls) is (disposition is Disposition.ANSWERED)
            assert MAIL not in calls

    @pytest.mark.parametrize("rule", ["fields:\n  customers: {personal: redact}\n", "review: {data: [internal]}\n"])
    def test_what_the_page_changes_or_holds_does_not_leave_in_pieces(self, told: Told, rule: str) -> None:
        told.rules("allowed", rule)
        told.speaks()
        pieces, answer, record = told.stream()
        assert (pieces, record.stream) == ([], None)
        assert answer.disposition in {Disposition.ANSWERED, Disposition.HELD}
        assert MAIL not in str(answer.output)

    def test_what_may_go_is_not_watched_and_what_was_found_is_on_record(self, told: Told) -> None:
        told.rules("allowed")
        told.speaks()
        pieces, answer, record = told.stream()
        assert "".join(pieces) == SENTENCE
        assert answer.disposition is Disposition.ANSWERED
        assert record.stream is not None
        assert record.stream.inspected_for == ("form",)
        assert record.answer_egress is not None
        assert [found.kind for found in record.answer_egress.undeclared] == ["email"]

    def test_an_answer_with_an_output_contract_leaves_when_all_of_it_was_checked(self, told: Told) -> None:
        (told.folder / "reading.odcs.yaml").write_text(READING)
        told.system.change("data", "outputs", to=["reading.odcs.yaml"])
        told.speaks(output="json")
        for said, disposition in (('{"number": 7}', "answered"), ('{"number": "x"}', "failed")):
            pieces, answer, record = told.stream(said)
            assert (pieces, answer.disposition.value, record.stream) == ([], disposition, None)
            assert record.output_verdict.value == ("valid" if disposition == "answered" else "broken")

    def test_json_leaves_when_it_is_known_to_be_json(self, told: Told) -> None:
        told.speaks(output="json")
        pieces, answer, _ = told.stream("{nothing like it")
        assert (pieces, answer.disposition) == ([], Disposition.FAILED)

    def test_a_text_that_calls_a_tool_is_none_before_the_call_leaves(self, told: Told) -> None:
        told.rules("allowed")
        told.speaks(output="text")
        told.service.chat = lambda _: Said(text="So be it", calls=(Call(name="rm", arguments="{}"),))

        async def run() -> tuple[list[Any], Answer]:
            with told.open() as guard:
                stream = guard.stream("tell", {"messages": [{"role": "user", "content": "x"}]})
                return [piece.tool_calls async for piece in stream], await stream.answer()

        calls, answer = asyncio.run(run())
        assert not any(calls)
        assert answer.disposition is Disposition.FAILED


def test_the_rules_of_the_release_that_answers_count_and_not_those_that_lie_here(told: Told) -> None:
    told.speaks()
    told.system.change("decisions", "tell", "tier", to="reviewed")
    told.system.change("review", to={"per_item": "30 s", "capacity": "4 h"})
    project = told.system.project()
    keep_release(project.release, project.file, releases_folder(project))
    told.system.change("decisions", "tell", "tier", to="automatic")
    control = Control(action=Action.PROMOTE, by="ops@example.org", reason="test", release=project.release.digest)
    with project.open_ledger() as ledger:
        ledger.append(Draft(kind="control", system="parity", body=msgspec.json.encode(control)))
    pieces, answer, _ = told.stream("hello to whoever asks for it")
    assert (pieces, answer.disposition, answer.release) == ([], Disposition.HELD, project.release.digest)

"""The governance page in force: what a real service on a real socket gets to see of a record, and what it does not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from assess.a_system import System

from plimsoll import Guard
from plimsoll.errors import InputError, InvalidFile
from plimsoll.guard.border import Border, restored
from plimsoll.model.decision import Answer, DecisionRecord, Disposition, Result
from plimsoll.model.egress import EgressVerdict
from plimsoll.testing.chat import Said
from plimsoll.testing.upstream import Does, Upstream

SECRET = "Wilhelmina Quist"
MAIL = "w.quist@example.org"

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: claims
name: claims
version: 1.0.0
status: active
schema:
  - name: claim
    logicalType: object
    properties:
      - {name: number, logicalType: integer, required: true, classification: public}
      - {name: name, logicalType: string, classification: personal}
      - {name: note, logicalType: string, classification: public}
"""

PAGE = """\
governance: 1
organisation: Example
owners:
  data:       {{name: Officer, contact: dpo@example.org}}
  review:     {{name: Head, contact: head@example.org}}
  exceptions: {{name: Chief, contact: cro@example.org}}
destinations:
  beside: {{hosts: {hosts}}}
data:
  public:       {{in-process: allowed, beside: allowed}}
  internal:     {{in-process: allowed, beside: allowed}}
  confidential: {{in-process: allowed, beside: allowed}}
  personal:     {{in-process: allowed, beside: {personal}}}
  special:      {{in-process: {special}, beside: forbidden}}
{more}"""

NO_EXCEPTIONS = "exceptions: {approvers: [cro@example.org], longest: 90 days}\n"

GRANTED = """\
exceptions:
  approvers: [cro@example.org]
  longest: 90 days
  granted:
    - system: parity
      data: personal
      to: beside
      reason: A pilot that has ended.
      approved_by: cro@example.org
      approved: {approved}
      until: {until}
"""


@pytest.fixture
def service() -> Iterator[Upstream]:
    with Upstream() as up:
        yield up


class Governed:
    """A system whose target is the service, with a page, and the guard that its files make."""

    def __init__(self, folder: Path, service: Upstream) -> None:
        self.system = System(folder)
        self.folder = self.system.folder
        self.service = service
        (self.folder / "numbers.odcs.yaml").write_text(CONTRACT)
        self.system.change("target", to={"http": {"url": service.url, "response": {"output": "/output"}}})
        self.system.change("target", "identity", to="echo 1")
        self.system.change("data", "classification", to="public")

    def page(self, personal: str, more: str = "", *, special: str = "forbidden", hosts: str = "[127.0.0.1]") -> None:
        more += "" if "exceptions:" in more else NO_EXCEPTIONS
        text = PAGE.format(personal=personal, more=more, special=special, hosts=hosts)
        (self.folder / "governance.yaml").write_text(text)

    @property
    def here(self) -> str:
        """A target in this process."""
        return f"{self.system.module}:predict"

    def open(self) -> Guard:
        self.system.project()  # writes the manifest
        return Guard.open(self.folder / "plimsoll.yaml")

    def decide(self, record: Any, **options: Any) -> tuple[Answer, DecisionRecord]:
        with self.open() as guard:
            answer = guard.decide("tell", record, **options)
            return answer, self.recorded(guard, answer)

    @staticmethod
    def recorded(guard: Guard, answer: Answer) -> DecisionRecord:
        entry = guard.ledger.get(answer.record)
        assert entry is not None
        return msgspec.json.decode(guard.ledger.body(entry), type=DecisionRecord)

    @property
    def sent(self) -> bytes:
        """Everything that the service was told, byte for byte."""
        return b"\n".join(repr(dict(seen.headers)).encode() + seen.body for seen in self.service.seen)


@pytest.fixture
def governed(tmp_path: Path, service: Upstream) -> Governed:
    return Governed(tmp_path / "s", service)


def claim(**more: Any) -> dict[str, Any]:
    return {"number": 7, "name": SECRET, **more}


def test_of_a_forbidden_class_no_byte_reaches_the_service_and_the_refusal_is_on_record(governed: Governed) -> None:
    governed.page("forbidden")
    answer, record = governed.decide(claim())
    assert (answer.disposition, answer.output) == (Disposition.REFUSED, None)
    assert answer.why.startswith("egress: ")
    assert not governed.service.seen
    assert governed.service.connections == 0
    (step,) = record.steps
    assert (step.why, step.attempts) == ("egress", 0)
    assert step.egress is not None
    assert (step.egress.verdict, step.egress.place) == (EgressVerdict.REFUSED, "beside")
    assert step.egress.fields == ("/name",)
    assert "forbidden" in step.egress.rule
    assert SECRET not in answer.why + str(step)


def test_a_record_without_such_data_goes_and_its_ruling_is_on_record(governed: Governed) -> None:
    governed.page("forbidden")
    answer, record = governed.decide({"number": 7})
    assert (answer.disposition, answer.output) == (Disposition.ANSWERED, {"number": 7})
    assert [step.egress and step.egress.verdict for step in record.steps] == [EgressVerdict.ALLOWED]


def test_pseudonyms_go_in_place_of_names_and_the_answer_has_the_names_again(governed: Governed) -> None:
    governed.page("allowed", "fields:\n  beside: {personal: pseudonymise}\n")
    answer, record = governed.decide(claim(), key=f"claim of {SECRET}")
    assert answer.disposition is Disposition.ANSWERED
    assert answer.output == claim()
    assert SECRET.encode() not in governed.sent
    assert "Quist" not in governed.sent.decode()
    assert governed.service.seen[-1].value["name"].startswith("PSN-")
    assert json.loads(record.output_json or b"") == claim()
    assert record.steps[0].egress is not None
    assert record.steps[0].egress.pseudonymised == ("/name",)
    assert SECRET not in str(record.steps)


def test_two_decisions_have_pseudonyms_that_nobody_can_link(governed: Governed) -> None:
    governed.page("allowed", "fields:\n  beside: {personal: pseudonymise}\n")
    for _ in range(2):
        governed.decide(claim())
    first, second = (seen.value["name"] for seen in governed.service.seen)
    assert first != second


def test_a_redacted_field_does_not_go(governed: Governed) -> None:
    governed.page("allowed", "fields:\n  beside: {personal: redact}\n")
    answer, _ = governed.decide(claim())
    assert answer.output == {"number": 7, "name": "[redacted]"}
    assert SECRET.encode() not in governed.sent


def test_personal_data_that_no_contract_declares_does_not_go_either(governed: Governed) -> None:
    governed.page("forbidden")
    answer, record = governed.decide({"number": 7, "note": f"write to {MAIL}"})
    assert answer.disposition is Disposition.REFUSED
    assert not governed.service.seen
    assert MAIL not in answer.why + str(record.steps)


def test_an_exception_lets_a_record_through_and_refuses_it_once_it_has_ended(governed: Governed) -> None:
    now = time.time()
    days = [time.strftime("%Y-%m-%d", time.gmtime(now + 86_400 * shift)) for shift in (-40, -10, 10)]
    governed.page("needs-approval", GRANTED.format(approved=days[0], until=days[2]))
    answer, record = governed.decide(claim())
    assert answer.disposition is Disposition.ANSWERED
    assert record.steps[0].egress is not None
    assert record.steps[0].egress.exceptions == (f"personal until {days[2]}",)
    told = len(governed.service.seen)
    governed.page("needs-approval", GRANTED.format(approved=days[0], until=days[1]))
    answer, _ = governed.decide(claim())
    assert answer.disposition is Disposition.REFUSED
    assert len(governed.service.seen) == told


def test_a_host_that_the_page_does_not_name_is_told_nothing_personal(governed: Governed) -> None:
    governed.page("allowed", hosts="[elsewhere.example.org]")
    answer, record = governed.decide(claim())
    assert answer.disposition is Disposition.REFUSED
    assert record.steps[0].egress is not None
    assert record.steps[0].egress.place == "unknown"
    assert not governed.service.seen


def test_without_a_page_only_public_data_leaves(governed: Governed) -> None:
    governed.system.change("governance", to=None)
    governed.system.change("data", "inputs", to=None)
    assert governed.decide({"number": 7})[0].disposition is Disposition.ANSWERED
    governed.system.change("data", "classification", to="internal")
    answer, _ = governed.decide({"number": 8})
    assert answer.disposition is Disposition.REFUSED
    assert [seen.value for seen in governed.service.seen] == [{"number": 7}]


def test_a_page_that_cannot_be_read_opens_no_guard(governed: Governed) -> None:
    governed.page("whatever")
    with pytest.raises(InvalidFile):
        governed.open()
    (governed.folder / "governance.yaml").unlink()
    with pytest.raises(InputError):
        governed.open()


def test_an_answer_to_data_that_a_person_must_look_at_is_held_though_the_type_is_automatic(governed: Governed) -> None:
    governed.page("allowed", "review: {data: [personal]}\n")
    answer, record = governed.decide(claim())
    assert (answer.disposition, answer.output) == (Disposition.HELD, None)
    assert answer.why.startswith("egress: ")
    assert json.loads(record.output_json or b"") == claim()
    assert governed.decide({"number": 7})[0].disposition is Disposition.ANSWERED


def test_a_decision_whose_consequence_the_page_names_is_held(governed: Governed) -> None:
    governed.page("allowed", "review: {consequence: [operational]}\n")
    governed.system.change("decisions", "tell", "consequence", to="operational")
    assert governed.decide({"number": 7})[0].disposition is Disposition.HELD


def test_each_target_of_the_chain_is_ruled_on_anew(governed: Governed) -> None:
    governed.page("forbidden")
    chain = [{"target": {"python": governed.here}}]
    governed.system.change("target", "fallback", to=chain)
    answer, record = governed.decide(claim())
    assert (answer.disposition, answer.output) == (Disposition.ANSWERED, {"parity": "odd"})
    assert not governed.service.seen
    assert [(step.why, step.egress and step.egress.place) for step in record.steps] == [
        ("egress", "beside"),
        ("", "in-process"),
    ]


def test_where_a_person_is_the_next_step_a_person_has_it(governed: Governed) -> None:
    governed.page("forbidden")
    governed.system.change("target", "fallback", to=["hold"])
    answer, _ = governed.decide(claim())
    assert (answer.disposition, answer.why) == (Disposition.HELD, "egress")
    assert not governed.service.seen


def test_retries_send_no_more_than_the_first_attempt_did(governed: Governed) -> None:
    governed.page("allowed", "fields:\n  beside: {personal: pseudonymise}\n")
    governed.system.change("target", "retry", to={"attempts": 3, "on": ["unavailable"]})
    asked = []

    def failing(_: Any) -> Does:
        asked.append(1)
        return Does(status=503) if len(asked) == 1 else Does()

    governed.service.does = failing
    answer, _ = governed.decide(claim())
    assert (answer.output, len(governed.service.seen)) == (claim(), 2)
    assert SECRET.encode() not in governed.sent


def test_a_page_rules_on_targets_in_this_process_too(governed: Governed) -> None:
    governed.page("allowed")
    closer = CONTRACT.replace("classification: personal", "classification: special")
    (governed.folder / "numbers.odcs.yaml").write_text(closer)
    governed.system.change("target", to={"python": governed.here})
    assert governed.decide(claim())[0].disposition is Disposition.REFUSED


@pytest.mark.parametrize(
    ("rules", "leaves_in_pieces"), [("", True), ("fields:\n  beside: {personal: pseudonymise}\n", False)]
)
def test_an_answer_that_holds_pseudonyms_does_not_leave_in_pieces(
    governed: Governed, rules: str, leaves_in_pieces: bool
) -> None:
    governed.page("allowed", rules)
    governed.system.change("data", "inputs", to=None)
    governed.system.change("data", "classification", to="public")
    governed.system.change("target", to={"openai": {"url": governed.service.url + "/v1", "model": "m"}})
    governed.service.chat = lambda asked: Said(text=f"Dear {asked['messages'][0]['content']}, hello")

    async def streamed() -> tuple[list[str], Answer]:
        with governed.open() as guard:
            stream = guard.stream("tell", {"messages": [{"role": "user", "content": MAIL}]})
            pieces = [piece.text async for piece in stream]
            return pieces, await stream.answer()

    pieces, answer = asyncio.run(streamed())
    assert bool(pieces) is leaves_in_pieces
    assert answer.disposition is Disposition.ANSWERED
    assert MAIL in json.dumps(answer.output)
    assert (MAIL.encode() in governed.sent) is leaves_in_pieces
    assert (b"PSN-" in governed.sent) is not leaves_in_pieces


def test_a_kept_release_is_ruled_on_by_the_page_of_today(governed: Governed, tmp_path: Path) -> None:
    from plimsoll.assembly.releases import opener, releases_folder  # noqa: PLC0415
    from plimsoll.rollout import keep_release  # noqa: PLC0415

    governed.page("allowed")
    project = governed.system.project()
    keep_release(project.release, project.file, releases_folder(project))
    governed.page("forbidden")
    now = governed.system.project()
    with now.open_ledger() as ledger, opener(now, ledger)(project.release.digest) as kept:
        assert kept.decide("tell", claim()).disposition is Disposition.REFUSED
    assert not governed.service.seen


def test_what_a_result_quotes_is_turned_back_too(governed: Governed) -> None:
    governed.page("allowed", "fields:\n  beside: {personal: pseudonymise}\n")
    keeper = governed.system.project().default_gatekeeper
    admitted = keeper.admit("127.0.0.1", claim(), now_ns=time.time_ns(), key=b"k" * 32)
    mark = admitted.outgoing["name"]
    back = restored(Result({"of": mark}, sources=({"title": f"file of {mark}"},), reasons=(f"{mark} asked",)), admitted)
    assert back == Result({"of": SECRET}, sources=({"title": f"file of {SECRET}"},), reasons=(f"{SECRET} asked",))


def test_without_a_page_a_target_in_this_process_is_not_ruled_on(governed: Governed) -> None:
    governed.system.change("governance", to=None)
    governed.system.change("target", to={"python": governed.here})
    answer, record = governed.decide(claim())
    assert (answer.disposition, record.steps) == (Disposition.ANSWERED, ())
    project = governed.system.project()
    border = Border(project.gatekeepers, project.default_gatekeeper, has_page=False)
    assert not border.concerns("")
    assert border.concerns("127.0.0.1")

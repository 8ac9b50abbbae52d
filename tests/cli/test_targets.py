"""Targets as they come: that do not import, raise, hang, return something else, print, or want to end the process."""

from __future__ import annotations

import json
import time

import msgspec
import pytest

from plimsoll.assembly.project import Project
from plimsoll.model.decision import DecisionRecord

RIGHT = 'return {"parity": "odd" if record["number"] % 2 else "even"}\n'
OUTPUT = """\
apiVersion: v3.1.0
kind: DataContract
id: answer
name: answer
version: 1.0.0
status: active
schema:
  - name: answer
    logicalType: object
    properties:
      - {name: parity, logicalType: string, required: true}
"""


def record_of(tiny, answer) -> DecisionRecord:
    with Project(tiny.manifest).open_ledger(read_only=True) as ledger:
        entry = ledger.get(answer["record"])
        assert entry is not None
        return msgspec.json.decode(ledger.body(entry), type=DecisionRecord)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module_at_all\n", "it needs 'no_such_module_at_all'"),
        ("raise ValueError('no weights')\n", "ValueError: no weights"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("def predict(\n", "SyntaxError"),
        ("def predct(record): ...\n", "it has: predct"),
        ("predict = 7\n", "is a int, not a callable"),
        ("raise KeyboardInterrupt\n", None),
        (b"\x00\xff", "importing 'parity' failed"),
    ],
)
def test_a_target_that_cannot_be_loaded_is_said_before_anything_is_recorded(tiny, source, said):
    tiny.write("parity.py", source)
    ran = tiny.run("check", "--json")
    if said is None:  # as if somebody had pressed Ctrl-C while it was loading
        assert ran.code == 130, ran
        return
    assert ran.code == 2, ran
    (problem,) = ran.problems
    assert problem["code"] == "target"
    assert said in problem["message"] + problem["fix"]
    assert problem["fix"]
    assert not tiny.ledger.exists()


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("nowhere:predict", "there is no module 'nowhere'"),
        ("parity:Predictor.run", "has no 'Predictor.run'"),
    ],
)
def test_a_target_that_is_not_there_is_said_with_where_it_was_looked_for(tiny, python, said):
    tiny.change("plimsoll.yaml", "parity:predict", python)
    ran = tiny.run("check")
    assert ran.code == 2, ran
    assert said in ran.stderr


@pytest.mark.parametrize(
    ("body", "why", "error"),
    [
        ("raise RuntimeError('out of paper')", "target-error", "RuntimeError: out of paper"),
        ("import sys; sys.exit(7)", "target-exit", "SystemExit: 7"),
        ("raise SystemExit", "target-exit", "SystemExit"),
        ("return predict(record)", "target-error", "RecursionError"),
        ("return object()", "output-type", "object"),
        ("return float('nan')", "output-type", "NaN"),
        ("return {1, 2}", None, None),
        ("return (record for _ in 'ab')", "output-type", "generator"),
        ("class Odd(Exception):\n        def __str__(self): raise ValueError\n    raise Odd", "target-error", "Odd"),
        ("raise GeneratorExit", "target-error", "GeneratorExit"),
        ("return b'\\xff'", None, None),
        ("return 7", "output-contract", None),
        ("return None", "output-contract", None),
    ],
)
def test_what_a_target_does_wrong_is_the_outcome_of_that_decision_alone(tiny, body, why, error):
    tiny.write("parity.py", f"def predict(record):\n    if record['number'] != 1:\n        {RIGHT}    {body}\n")
    tiny.write("answer.odcs.yaml", OUTPUT)
    tiny.change(
        "plimsoll.yaml", "inputs: [numbers.odcs.yaml]", "inputs: [numbers.odcs.yaml]\n  outputs: [answer.odcs.yaml]"
    )
    ran = tiny.decide({"number": 0}, {"number": 1}, {"number": 2})
    assert ran.code == 0, ran
    first, middle, last = ran.lines
    assert (first["disposition"], last["disposition"]) == ("answered", "answered")
    assert middle["disposition"] == "failed"
    assert middle["output"] is None
    assert middle["why"] == (why or middle["why"])
    assert error is None or error in record_of(tiny, middle).error


def test_a_check_of_a_failing_target_says_not_ready_and_not_an_error(tiny):
    tiny.write("parity.py", "def predict(record):\n    raise RuntimeError('out of paper')\n")
    ran = tiny.run("check")
    assert ran.code == 3
    assert "0 of 100" in ran.stdout + ran.stderr


def test_a_target_that_hangs_is_cut_off_at_its_deadline(tiny):
    slow = f"import time\n\ndef predict(record):\n    if record['number'] == 1:\n        time.sleep(600)\n    {RIGHT}"
    tiny.write("parity.py", slow)
    tiny.change("plimsoll.yaml", "python: parity:predict", "python: parity:predict\n  deadline: 100ms")
    began = time.monotonic()
    ran = tiny.decide({"number": 1}, {"number": 2})
    assert time.monotonic() - began < 20  # and the process ends, although the call is still under way
    assert [a["disposition"] for a in ran.lines] == ["failed", "answered"]
    assert ran.lines[0]["why"] == "deadline"


def test_a_late_answer_waits_for_a_person_where_the_manifest_says_so(tiny):
    tiny.write("parity.py", "import time\n\ndef predict(record):\n    time.sleep(600)\n")
    tiny.change(
        "plimsoll.yaml", "python: parity:predict", "python: parity:predict\n  deadline: 50ms\n  fallback: [hold]"
    )
    (answer,) = tiny.decide({"number": 1}).lines
    assert (answer["disposition"], answer["why"], answer["via"]) == ("held", "deadline", "fallback:hold")
    assert "head@example.org" in answer["next"]


def test_an_asynchronous_target_is_awaited_and_cut_off(tiny):
    tiny.write(
        "parity.py",
        "import asyncio\n\nasync def predict(record):\n"
        f"    if record['number'] == 1:\n        await asyncio.sleep(600)\n    {RIGHT}",
    )
    tiny.change("plimsoll.yaml", "python: parity:predict", "python: parity:predict\n  deadline: 100ms")
    assert [a["disposition"] for a in tiny.decide({"number": 1}, {"number": 2}).lines] == ["failed", "answered"]


def test_threads_and_debris_of_a_target_leave_no_traceback(tiny):
    tiny.write(
        "parity.py",
        "import threading\n\n"
        "class Debris:\n    def __del__(self):\n        raise ValueError('in the bin')\n\n"
        "def fail():\n    raise ValueError('in a thread')\n\n"
        "def predict(record):\n    Debris()\n    thread = threading.Thread(target=fail)\n    thread.start()\n"
        f"    thread.join()\n    {RIGHT}",
    )
    ran = tiny.decide({"number": 1})
    assert ran.lines[0]["disposition"] == "answered"
    assert "Traceback" not in ran.stderr
    assert "in a thread" in tiny.run("decide", "tell-parity", "--debug", stdin=b'{"number":1}\n').stderr


def test_a_target_that_changes_its_input_changes_no_record(tiny):
    tiny.write("parity.py", f"def predict(record):\n    record['number'] += 1\n    {RIGHT}")
    (answer,) = tiny.decide({"number": 1}).lines
    assert answer["output"] == {"parity": "even"}
    assert json.loads(record_of(tiny, answer).input_json) == {"number": 1}


def test_a_target_that_changes_folder_or_streams_does_not_confuse_the_rest(tiny):
    tiny.write(
        "parity.py",
        "import os, sys, warnings, logging\n\nos.chdir('/')\nsys.stdout = None\nwarnings.simplefilter('error')\n"
        f"logging.basicConfig(level=logging.DEBUG)\n\ndef predict(record):\n    {RIGHT}",
    )
    ran = tiny.run("check", "--only", "evaluation", "--json")
    assert ran.data["board"]["rows"][0]["standing"] == "met", ran

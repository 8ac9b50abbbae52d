"""What the manifest says of calling a target is what the guard does."""

from __future__ import annotations

import sys

import pytest
from assess.a_system import System, row

from plimsoll import Guard
from plimsoll.assembly.calling import call_rules, fallback_steps, standby_names
from plimsoll.errors import InputError, TargetError
from plimsoll.guard import BreakerRule, Constant, Hold, OtherTarget, RetryRule
from plimsoll.model.decision import Disposition

FAILING = """
calls = 0

def predict(record):
    global calls
    calls += 1
    if record["number"] > 1000:
        raise ConnectionRefusedError("nobody there")
    return {"parity": "odd" if record["number"] % 2 else "even"}
"""
OUT = """\
apiVersion: v3.1.0
kind: DataContract
id: out
name: out
version: 1.0.0
status: active
schema:
  - name: answer
    logicalType: object
    properties:
      - {name: parity, logicalType: string, required: true}
"""


@pytest.fixture
def system(tmp_path):
    path = list(sys.path)
    yield System(tmp_path / "s", FAILING)
    sys.path[:] = path


def opened(system):
    return Guard.open(system.project().file)


def test_all_of_it_reaches_the_guard(system):
    system.change("target", "deadline", to="2s")
    system.change("target", "concurrency", to=3)
    system.change("target", "queue", to=0)
    system.change("target", "breaker", to={"open_after": "30% of 10", "half_open_after": "1 min"})
    system.change("target", "idempotent", to=True)
    system.change("target", "retry", to={"attempts": 4, "on": ["unavailable", "error"]})
    other = {"python": "other:predict", "concurrency": 1, "breaker": {}}
    system.change(
        "target", "fallback", to=["previous-release", {"target": other}, {"target": other | {"queue": 7}},
                                  {"constant": {"parity": "unknown"}}, "hold"],
    )  # fmt: skip
    target = system.project().manifest.target
    rules = call_rules(target)
    assert (rules.concurrency, rules.most_waiting) == (3, 0)
    assert rules.breaker == BreakerRule(share=0.3, of=10, half_open_after_s=60.0)
    assert rules.retry == RetryRule(attempts=4, on=frozenset({"unavailable", "error"}), idempotent=True, share=0.1)
    previous, first, second, constant, hold = fallback_steps(target)
    assert previous == OtherTarget(name="previous-release", rules=rules)
    assert isinstance(first, OtherTarget)
    assert isinstance(second, OtherTarget)
    assert (first.name, second.name) == standby_names(target) == ("target", "target-2")
    assert first.rules.breaker == BreakerRule(share=0.5, of=20, half_open_after_s=5.0)
    assert (first.rules.most_waiting, second.rules.most_waiting) == (4, 7)
    assert (constant, hold) == (Constant(output={"parity": "unknown"}), Hold())


def test_another_target_of_the_folder_stands_in_and_the_breaker_leaves_the_first_alone(system):
    name = f"{system.module}_other"
    system.write(f"{name}.py", "def predict(record):\n    return {'parity': 'from the other one'}\n")
    system.change("target", "breaker", to={})
    system.change("target", "fallback", to=["previous-release", {"target": {"python": f"{name}:predict"}}, "hold"])
    with opened(system) as guard:
        assert guard.decide("tell", {"number": 4}).via == "live"
        answers = [guard.decide("tell", {"number": 5000}) for _ in range(40)]
        assert {a.output["parity"] for a in answers} == {"from the other one"}
        assert {a.via for a in answers} == {"fallback:target"}
        assert [s.why for s in answers[0].steps] == ["target-unavailable", "not-available", ""]
        assert [s.why for s in answers[-1].steps] == ["breaker-open", "not-available", ""]
        live, other = guard.health().targets
        assert (live.target, other.target) == (f"{system.module}:predict", f"{name}:predict")
    assert sys.modules[system.module].calls == 11


def test_an_other_target_that_cannot_be_loaded_is_found_out_when_the_guard_is_opened(system):
    system.change("target", "fallback", to=[{"target": {"python": "nowhere_at_all:predict"}}])
    with pytest.raises(TargetError, match="nowhere_at_all"):
        opened(system)


def test_a_constant_that_breaks_the_contract_is_found_out_when_the_guard_is_opened(system):
    system.write("out.odcs.yaml", OUT)
    system.change("data", "outputs", to=["out.odcs.yaml"])
    system.change("target", "fallback", to=[{"constant": {"parity": 7}}])
    with pytest.raises(InputError, match=r"constant of target\.fallback breaks the contract of the output: '/parity'"):
        opened(system)
    system.change("target", "fallback", to=[{"constant": {"parity": "unknown"}}])
    with opened(system) as guard:
        answer = guard.decide("tell", {"number": 5000})
    assert (answer.disposition, answer.output) == (Disposition.ANSWERED, {"parity": "unknown"})


def test_what_a_constant_answers_counts_as_an_answer_that_may_be_wrong(system):
    """An assessment is not told that the target failed: it sees what leaves."""
    system.write(f"{system.module}.py", "def predict(record):\n    raise ConnectionRefusedError\n")
    system.change("target", "fallback", to=[{"constant": {"parity": "even"}}])
    board = system.check("evaluation")
    assert "50 of 100" in row(board, "evaluation.accuracy").counts

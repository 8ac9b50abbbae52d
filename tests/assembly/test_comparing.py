"""Two targets side by side: real guards, a real ledger, a real service."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from assess.a_system import GOVERNANCE, System, cases, lines

from plimsoll.assembly.comparing import compare_targets
from plimsoll.cli.comparison_out import comparison_text
from plimsoll.errors import InputError, TargetError, UsageError
from plimsoll.model.decision import DecisionRecord
from plimsoll.testing.chat import Said
from plimsoll.testing.upstream import Does, Upstream


@pytest.fixture
def system(tmp_path):
    """Knows all but the numbers below 10."""
    made = System(
        tmp_path / "s",
        """
from plimsoll import Result

def predict(record):
    n = record["number"]
    return Result({"parity": "odd" if (n % 2 == 1) is (n >= 10) else "even"}, usage={"tokens": 2.0})
""",
    )
    made.change("target", "deadline", to="5s")
    made.write("governance.yaml", GOVERNANCE.replace(b"10.0.0.0/8", b"127.0.0.1"))  # the service is one of our own
    return made


def plimsoll(*arguments):
    return subprocess.run(
        [Path(sys.executable).parent / "plimsoll", *arguments], capture_output=True, text=True, check=False
    )


def parity(n, wrong):
    return "odd" if (n % 2 == 1) is (n not in wrong) else "even"


@pytest.fixture
def service():
    """Says its answers as text; wrong on the numbers that a test names."""
    with Upstream() as up:
        up.wrong = set()
        up.chat = lambda asked: Said(
            text=json.dumps({"parity": parity(json.loads(asked["messages"][0]["content"])["number"], up.wrong)}),
            prompt_tokens=10,
        )
        up.answer = lambda asked: {"parity": parity(asked["number"], up.wrong)}
        yield up


def test_each_case_is_counted_for_both_and_only_where_they_differ_is_one_better(system, service):
    service.wrong = {5, 20, 21}
    found = compare_targets(system.project(), f"{service.url}/parity")
    assert (found.first.right, found.second.right, found.first.n) == (90, 97, 100)
    assert (found.both, found.first_only, found.second_only, found.neither) == (88, 2, 9, 1)
    assert found.p_value == pytest.approx(2 * sum((1, 11, 55)) / 2**11)
    assert found.lower == pytest.approx(0.48224, abs=1e-4)  # Clopper-Pearson of 9 in 11, as scipy gives it
    assert found.upper == pytest.approx(0.97716, abs=1e-4)
    assert "No difference is shown" in found.finding
    assert len(found.differing) == 11
    assert {"line 21", "line 22"} < set(found.differing)
    assert len(service.seen) == 100


def test_a_clear_difference_is_said(system, service):
    found = compare_targets(system.project(), f"{service.url}/parity")
    assert found.finding == "The second is better: they differ on 10 cases, and the second is right on 10 of them."
    service.wrong = set(range(40))
    assert compare_targets(system.project(), f"{service.url}/parity").finding.startswith("The first is better")


def test_no_difference_shows_nothing(system, service):
    service.wrong = set(range(10))
    found = compare_targets(system.project(), f"{service.url}/parity")
    assert (found.p_value, found.lower, found.upper) == (1.0, None, None)
    assert "nothing tells them apart" in found.finding


def test_usage_and_cost_stand_beside_each_other(system, service):
    found = compare_targets(
        system.project(),
        f"openai:m@{service.url}/v1",
        cost_of=lambda usage: usage["output_tokens"] * 0.5 if "output_tokens" in usage else None,
    )
    assert found.first.usage == {"tokens": 2.0}
    assert (found.first.cost, found.first.priced) == (None, 0)
    assert found.second.usage == {"input_tokens": 10.0, "output_tokens": 2.0}
    assert (found.second.cost, found.second.priced) == (1.0, 100)
    text = comparison_text(found)
    assert "cost a decision" in text
    assert "not known" in text


def test_an_answer_that_a_person_would_have_looked_at_counts_by_what_it_is(system, service):
    """A target is not better for being held less."""
    system.change("decisions", "tell", "tier", to="reviewed")
    system.change("review", to={"per_item": "1 min", "capacity": "1h"})
    found = compare_targets(system.project(), f"{service.url}/parity")
    assert (found.first.held, found.second.held) == (100, 100)
    assert (found.first.right, found.second.right) == (90, 100)


def test_what_a_target_fails_at_is_not_right(system, service):
    service.does = lambda seen: Does(status=500 if seen.value["number"] < 30 else 200)
    found = compare_targets(system.project(), f"{service.url}/parity")
    assert (found.second.failed, found.second.right, found.second.answered) == (30, 70, 70)


def test_another_version_of_the_same_module_is_compared_beside_it(system, tmp_path):
    other = tmp_path / "next"
    system.project()
    shutil.copytree(system.folder, other)
    (other / f"{system.module}.py").write_text(
        "def predict(record):\n    return {'parity': 'odd' if record['number'] % 2 else 'even'}\n"
    )
    system.project().load_target()  # the first version is imported here already
    for given in (other, other / "plimsoll.yaml"):
        found = compare_targets(system.project(), str(given))
        assert (found.first.right, found.second.right) == (90, 100)
        assert f"{system.module}:predict" in found.second.name


def test_a_callable_is_compared_by_its_name(system, tmp_path, monkeypatch):
    (tmp_path / "another_parity.py").write_text("def tell(record):\n    return {'parity': 'even'}\n")
    monkeypatch.chdir(tmp_path)
    found = compare_targets(system.project(), "another_parity:tell")
    assert found.second.right == 50


def test_every_decision_is_recorded_and_none_is_evidence_or_waits_for_a_person(system, service):
    compare_targets(system.project(), f"{service.url}/parity")
    with system.project().open_ledger(read_only=True) as ledger:
        kinds = [entry.kind for entry in ledger.entries()]
        assert kinds.count("decision") == 200
        assert "evidence" not in kinds
        (started,) = ledger.entries(kinds=("comparison.started",))
        (ended,) = ledger.entries(kinds=("comparison.ended",))
        assert started.id in ended.refs
        records = [
            msgspec.json.decode(ledger.body(e), type=DecisionRecord) for e in ledger.entries(kinds=("decision",))
        ]
    assert {record.run for record in records} == {started.id}
    assert len({record.release for record in records}) == 2
    assert all(record.rehearsal for record in records)


@pytest.mark.parametrize(
    ("other", "error", "said"),
    [
        ("nowhere", UsageError, "neither a manifest nor a target"),
        ("nowhere.yaml", UsageError, "neither a manifest nor a target"),
        ("no_such_module_anywhere:f", TargetError, "there is no module"),
    ],
)
def test_what_cannot_be_compared_is_said(system, other, error, said):
    with pytest.raises(error, match=said):
        compare_targets(system.project(), other)


def test_without_a_golden_set_nothing_can_be_compared(system, service):
    system.change("samples", "golden", to=None)
    system.change("threshold", "conditions", to=[
        "contracts.valid_rate >= 90%", "organisation.accepted = 100%", "accountability.complete = 100%", "stability.error_rate <= 1%",
    ])  # fmt: skip
    with pytest.raises(InputError, match=r"samples\.golden"):
        compare_targets(system.project(), service.url)


def test_from_the_command_line(system, service):
    system.write("golden.jsonl", cases(60) + lines([{"input": {"number": 1000}, "expected": {"parity": "odd"}}]))
    manifest = str(system.folder / "plimsoll.yaml")
    system.project()
    ran = plimsoll("assess", "evaluation", manifest, "--compare", service.url)
    assert ran.returncode == 0, ran.stderr
    assert f"B  {service.url}" in ran.stdout
    assert "Both right 50, only A 0, only B 10, neither 1." in ran.stdout
    assert "The second is better" in ran.stdout
    ran = plimsoll("assess", "evaluation", manifest, "--compare", service.url, "--json")
    assert json.loads(ran.stdout)["data"]["second"]["right"] == 60
    ran = plimsoll("assess", "contracts", manifest, "--compare", service.url)
    assert ran.returncode == 2
    assert "--compare is for the evaluation" in ran.stderr

"""Releases under traffic: promoted, gone back from, run as canary and shadow. Real processes on one ledger."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from benchmarks.rollback import rolled_back
from cli.tiny_system import TinySystem

from plimsoll import Guard
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.control import Action, Control
from plimsoll.model.decision import DecisionRecord

TARGET = """
def predict(record):
    if {fails}:
        raise RuntimeError("worse")
    return {{"version": {version}}}
"""


class Rolling:
    """A tiny system of which several releases are kept."""

    def __init__(self, folder: Path) -> None:
        self.tiny = TinySystem(folder)
        self.digests: dict[int, str] = {}

    def keep(self, version: int, fails: str = "False") -> str:
        self.tiny.write("parity.py", TARGET.format(version=version, fails=fails))
        ran = self.tiny.run("rollout", "build", "--by", "builder@example.org")
        assert ran.code == 0, ran
        self.digests[version] = ran.stdout.strip()
        return self.digests[version]

    def steer(self, action: Action, release: str, **more) -> None:
        """A control entry as the commands write it; promoting needs no attestation here."""
        body = msgspec.json.encode(Control(action=action, by="ops@example.org", reason="test", release=release, **more))
        with Ledger.open(self.tiny.ledger) as ledger:
            ledger.append(Draft(kind="control", system="parity", body=body))


@pytest.fixture
def rolling(tmp_path) -> Rolling:
    return Rolling(tmp_path / "parity")


def _until(holds, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.02)


def test_the_promoted_release_answers_and_not_what_lies_in_the_project(rolling):
    one = rolling.keep(1)
    rolling.keep(2)
    rolling.steer(Action.PROMOTE, one)
    with Guard.open(rolling.tiny.folder) as guard:
        answer = guard.decide("tell-parity", {"number": 1})
        assert (answer.output, answer.release) == ({"version": 1}, one)
        assert guard.trouble == ""
        kept = guard.ledger.get(answer.record)
        assert msgspec.json.decode(guard.ledger.body(kept), type=DecisionRecord).release == one


def test_promote_and_rollback_reach_a_guard_that_runs(rolling):
    one, two = rolling.keep(1), rolling.keep(2)
    rolling.steer(Action.PROMOTE, one)
    with Guard.open(rolling.tiny.folder) as guard:
        rolling.steer(Action.PROMOTE, two)
        _until(lambda: guard.decide("tell-parity", {"number": 1}).output == {"version": 2})
        assert guard.live == two
        ran = rolling.tiny.run("rollout", "rollback", "--by", "ops@example.org", "--reason", "worse")
        assert ran.code == 0, ran
        _until(lambda: guard.decide("tell-parity", {"number": 1}).output == {"version": 1}, 2)
        listed = {line["release"]: line["state"] for line in rolling.tiny.run("rollout", "list", "--json").data}
        assert listed[one] == "live"


def test_a_canary_takes_its_share_sticks_to_subjects_and_a_worse_one_is_taken_back(rolling):
    good, bad = rolling.keep(1), rolling.keep(2, fails="record['number'] % 2 == 0")
    rolling.steer(Action.PROMOTE, good)
    rolling.steer(Action.CANARY, bad, share=0.3, alpha=0.05)
    with Guard.open(rolling.tiny.folder) as guard:
        _until(lambda: guard.trouble == "")
        ways: dict[str, set[str]] = {}
        until = time.monotonic() + 30
        number = 0
        while guard.comparison is not None and time.monotonic() < until:
            number += 1
            subject = f"claim-{number % 40}"
            answer = guard.decide("tell-parity", {"number": number}, subject=subject)
            if guard.comparison is not None:
                ways.setdefault(subject, set()).add(answer.via)
            time.sleep(0.002)
        assert guard.comparison is None, "it fails every second time, and was not taken back"
        assert any("canary" in via for via in ways.values())
        mixed = [subject for subject, via in ways.items() if len(via) > 1]
        assert len(mixed) <= 1, f"a subject belongs to one release: {mixed}"
        ended = rolling.tiny.run("rollout", "list", "--json").data
        steps = [step for line in ended for step in line["steps"] if step["action"] == "end"]
        assert len(steps) == 1
        assert "not answered" in steps[0]["reason"]
        assert "5.0%" in steps[0]["reason"]


def test_a_shadow_gets_a_copy_and_releases_nothing(rolling):
    one, two = rolling.keep(1), rolling.keep(2)
    rolling.steer(Action.PROMOTE, one)
    rolling.steer(Action.SHADOW, two, share=1.0)
    with Guard.open(rolling.tiny.folder) as guard:
        _until(lambda: guard.trouble == "")
        answers = [guard.decide("tell-parity", {"number": n}) for n in range(20)]
        assert {str(a.output) for a in answers} == {str({"version": 1})}
        _until(lambda: len(list(guard.ledger.entries(kinds=("shadow",)))) == 20)
        copies = list(guard.ledger.entries(kinds=("shadow",)))
        assert {copy.refs[0] for copy in copies} == {a.record for a in answers}
        assert all(copy.header is None for copy in copies)
        shadowed = msgspec.json.decode(guard.ledger.body(copies[0]), type=DecisionRecord)
        assert (shadowed.release, shadowed.output_json) == (two, b'{"version":2}')


def test_the_release_before_stands_in_where_the_manifest_says_so(rolling):
    rolling.tiny.change(
        "plimsoll.yaml", "python: parity:predict", "python: parity:predict\n  fallback: [previous-release]"
    )
    one, two = rolling.keep(1), rolling.keep(2, fails="True")
    rolling.steer(Action.PROMOTE, one)
    with Guard.open(rolling.tiny.folder) as guard:
        rolling.steer(Action.PROMOTE, two)
        _until(lambda: guard.decide("tell-parity", {"number": 1}).release == two)
        answer = guard.decide("tell-parity", {"number": 1})
        assert (answer.disposition, answer.output, answer.via) == (
            "answered", {"version": 1}, "fallback:previous-release",
        )  # fmt: skip


def test_a_release_that_cannot_be_opened_holds_for_people_and_says_why(rolling):
    one = rolling.keep(1)
    rolling.steer(Action.PROMOTE, one)
    kept = rolling.tiny.ledger.parent / "releases" / one.removeprefix("sha256:")
    (kept / "files" / "parity.py").write_text("def predict(record): return 'altered'\n")
    rolling.keep(2)
    with Guard.open(rolling.tiny.folder) as guard:
        answer = guard.decide("tell-parity", {"number": 1})
        assert (answer.disposition, answer.output) == ("held", None)
        assert "changed since it was kept" in guard.trouble


@pytest.mark.alone
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_rollback_is_in_force_on_four_processes_within_a_second_though_one_is_killed(tmp_path, store, request):
    rolled = rolled_back(tmp_path / "rolled", request.getfixturevalue("database") if store == "postgres" else "")
    assert rolled.calls > 100, "it was under load"
    assert rolled.failed == 0, "the rollback cost a call"
    assert 0 < rolled.seconds < 1.0, f"the release that was gone back from still answered after {rolled.seconds} s"

"""The rollback practised: real processes on a real ledger, taken back under traffic, and what the gate makes of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cli.tiny_system import TinySystem, start

from plimsoll.ledger import Draft, Ledger
from plimsoll.model.control import Action, Control
from plimsoll.model.details import DrillDetail

VERSION = 'def predict(record):\n    return {{"version": {}}}\n'
# What two releases share and one of them changes is the usual reason why going back does not restore anything.
SHARED = """
from pathlib import Path
FORMAT = Path({file!r})

def predict(record):
    if {migrates}:
        FORMAT.write_text("2")
    return {{"format": FORMAT.read_text(), "version": {version}}}
"""
CONDITIONS = """\
    - rollout.drilled = 100%
    - rollout.rollback_time <= 1s
    - rollout.failed_calls = 0
    - contracts.lost_records = 0"""


class Drilled(TinySystem):
    """A tiny system whose threshold asks for a drilled rollback, with a release that is live."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.change("plimsoll.yaml", "    - contracts.lost_records = 0", CONDITIONS)

    def live(self, code: str) -> str:
        """Keep this code as a release that is live; promoting needs no attestation here."""
        self.write("parity.py", code)
        ran = self.run("rollout", "build", "--by", "builder@example.org")
        assert ran.code == 0, ran
        self.steer(Action.PROMOTE, ran.stdout.strip())
        return ran.stdout.strip()

    def steer(self, action: Action, release: str) -> None:
        body = msgspec.json.encode(Control(action=action, by="ops@example.org", reason="test", release=release))
        with Ledger.open(self.ledger) as ledger:
            ledger.append(Draft(kind="control", system="parity", body=body))

    def standing(self) -> dict[str, str]:
        rows = self.run("gate", "--json").data["board"]["rows"]
        return {row["metric"]: row["standing"] for row in rows if row["metric"].startswith("rollout.")}


@pytest.fixture
def drilled(tmp_path) -> Drilled:
    return Drilled(tmp_path / "parity")


def the_drill(ran) -> DrillDetail:
    return msgspec.convert(ran.data["drill"], DrillDetail)


def test_a_drill_takes_every_process_back_and_the_gate_takes_its_word(drilled):
    one = drilled.live(VERSION.format(1))
    drilled.write("parity.py", VERSION.format(2))
    ran = drilled.run("rollout", "drill", "--processes", "3", "--json", timeout=120)
    assert ran.code == 0, ran
    detail = the_drill(ran)
    assert (detail.back, detail.processes, detail.store, len(detail.rounds)) == (one, 3, "SQLite", 3)
    for each in detail.rounds:
        assert each.why == ()
        assert 0 < each.seconds < 10
        assert (each.failed, each.differing, each.compared) == (0, 0, 3 * detail.inputs)
        assert each.calls > 30
    assert drilled.standing()["rollout.drilled"] == "met"
    assert drilled.standing()["rollout.failed_calls"] == "met"

    with Ledger.open(drilled.ledger, read_only=True) as ledger:
        decisions = [e for e in ledger.entries(kinds=("decision",)) if e.system.startswith("parity/drill/")]
        assert len({e.stream for e in decisions}) == 3, "each process records for itself"
        assert not any(e.system == "parity" for e in ledger.entries(kinds=("decision",)))
        own = [e for e in ledger.entries(kinds=("control",)) if e.system == "parity"]
    assert len(own) == 1, "no guard that serves callers was told anything"
    assert drilled.run("ledger", "verify").code == 0

    drilled.run("gate", "--report", "report.html")
    assert "in force everywhere after" in (drilled.folder / "report.html").read_text()

    # What it was drilled for is no more, once a rollback leads elsewhere.
    other = drilled.live(VERSION.format(3))
    drilled.write("parity.py", VERSION.format(2))
    assert drilled.standing()["rollout.drilled"] == "not measured"
    notes = drilled.run("gate", "--json").data["board"]["notes"]
    assert any(one[:19] in note and other[:19] in note and "does not count" in note for note in notes), notes


def test_where_no_release_was_live_the_way_back_is_people_and_check_practises_it(drilled):
    ran = drilled.run("check", "--json", timeout=180)
    assert ran.code == 3, ran  # nobody has accepted it
    assert drilled.standing()["rollout.drilled"] == "met"
    told = drilled.run("gate", "--json").data["board"]
    row = next(row for row in told["rows"] if row["metric"] == "rollout.drilled")
    assert row["counts"] == "census of 3"
    with Ledger.open(drilled.ledger, read_only=True) as ledger:
        ended = [e for e in ledger.entries(kinds=("evidence",)) if b"rollout.drilled" in ledger.body(e)]
        assert b"3 of 3 rollbacks to people" in ledger.body(ended[0])


def test_a_drill_fails_where_the_restored_release_answers_otherwise_and_so_does_the_condition(drilled):
    shared = drilled.write("format.txt", "1")
    drilled.live(SHARED.format(file=str(shared), migrates=False, version=1))
    drilled.write("parity.py", SHARED.format(file=str(shared), migrates=True, version=2))
    drilled.change("plimsoll.yaml", "python: parity:predict", "python: parity:predict\n  artifacts: [format.txt]")
    shared.write_text("1")
    ran = drilled.run("rollout", "drill", "--rounds", "1", "--json", timeout=120)
    assert ran.code == 3, ran
    [each] = the_drill(ran).rounds
    assert each.differing == each.compared > 0
    assert "the restored release gave them" in each.why[0]
    assert drilled.standing()["rollout.drilled"] in {"not met", "not measured"}


def _hosts(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if b"drill_host" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@contextlib.contextmanager
def at_the_rollback(drilled: Drilled, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A drill that runs, just when its first rollback was ordered."""
    process = start("rollout", "drill", *arguments, "--json", cwd=drilled.folder)
    try:
        with Ledger.open(drilled.ledger, read_only=True) as ledger:
            until = time.monotonic() + 60
            while not any(b'"rollback"' in ledger.body(e) for e in ledger.entries(kinds=("control",))):
                assert time.monotonic() < until, "no rollback was ordered"
                assert process.poll() is None, process.communicate()
                time.sleep(0.002)
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def test_a_drill_fails_where_a_process_is_lost_and_the_others_are_told_apart(drilled):
    drilled.live(VERSION.format(1))
    drilled.write("parity.py", VERSION.format(2))
    with at_the_rollback(drilled, "--rounds", "2") as process:
        os.kill(_hosts(process.pid)[0], signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 3, err
    [each] = msgspec.convert(msgspec.json.decode(out)["data"]["drill"], DrillDetail).rounds
    assert each.why[0] == "a process ended: exit code -9"
    assert drilled.standing()["rollout.drilled"] == "not met"


@pytest.mark.alone
def test_a_process_that_follows_late_shows_in_the_time_and_misses_the_condition(drilled):
    drilled.live(VERSION.format(1))
    drilled.write("parity.py", VERSION.format(2))
    with at_the_rollback(drilled) as process:
        stopped = _hosts(process.pid)[0]
        os.kill(stopped, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(stopped, signal.SIGCONT)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err  # it followed, and nothing was lost; how long it took is another condition
    rounds = msgspec.convert(msgspec.json.decode(out)["data"]["drill"], DrillDetail).rounds
    assert rounds[0].seconds > 2
    assert drilled.standing()["rollout.rollback_time"] == "not met"


def test_what_cannot_be_practised_is_said_and_check_measures_the_rest(drilled):
    one = drilled.live(VERSION.format(1))
    drilled.write("parity.py", VERSION.format(2))
    kept = drilled.ledger.parent / "releases" / one.removeprefix("sha256:")
    (kept / "files" / "parity.py").write_text("def predict(record): return 'altered'\n")
    ran = drilled.run("rollout", "drill", "--json")
    assert ran.code == 2, ran
    assert "changed since it was kept" in ran.problems[0]["message"]
    checked = drilled.run("check", "--json", timeout=120)
    assert checked.code == 3, checked
    rows = {row["metric"]: row for row in checked.data["board"]["rows"]}
    assert rows["evaluation.accuracy"]["standing"] != "not measured"
    assert rows["rollout.drilled"]["next"] == "Run `plimsoll rollout drill`."
    assert any("the rollback cannot be practised" in note for note in checked.data["board"]["notes"])


def test_without_a_feed_the_golden_set_is_asked_and_without_both_it_is_said(drilled):
    drilled.change("plimsoll.yaml", "samples: {golden: golden.jsonl, feed: feed}", "samples: {golden: golden.jsonl}")
    ran = drilled.run("rollout", "drill", "--rounds", "1", "--processes", "1", "--json", timeout=120)
    assert ran.code == 0, ran
    assert (the_drill(ran).inputs, the_drill(ran).processes) == (40, 1)
    drilled.change("plimsoll.yaml", "samples: {golden: golden.jsonl}\n", "")
    ran = drilled.run("rollout", "drill", "--json")
    assert ran.code == 2, ran
    assert "samples.feed" in ran.problems[0]["message"]


def test_in_a_database_the_order_goes_the_way_of_the_database(drilled, database):
    drilled.change("plimsoll.yaml", "load:", f"ledger: {database}\nload:")
    drilled.write("parity.py", VERSION.format(1))
    one = drilled.run("rollout", "build", "--by", "builder@example.org").stdout.strip()
    with Ledger.open(database) as ledger:
        body = Control(action=Action.PROMOTE, by="ops@example.org", reason="test", release=one)
        ledger.append(Draft(kind="control", system="parity", body=msgspec.json.encode(body)))
    drilled.write("parity.py", VERSION.format(2))
    ran = drilled.run("rollout", "drill", "--rounds", "1", "--json", timeout=120)
    assert ran.code == 0, ran
    assert (the_drill(ran).back, the_drill(ran).store) == (one, "PostgreSQL")
    assert not drilled.ledger.exists(), "it is held on the system's own record"


@pytest.mark.parametrize("wrong", [("--processes", "0"), ("--rounds", "0"), ("--processes", "many")])
def test_a_drill_that_makes_no_sense_is_refused(drilled, wrong):
    assert drilled.run("rollout", "drill", *wrong).code == 2

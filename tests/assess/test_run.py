"""One run of one assessment: what the ledger says of it, whatever ends it."""

from __future__ import annotations

import signal
import sqlite3

import msgspec
import pytest
from assess.a_system import start_python

from plimsoll.assembly.runs import left_evidence, recorded_runs, unfinished
from plimsoll.assess.run import About, Run
from plimsoll.errors import StoreError
from plimsoll.ledger import Ledger
from plimsoll.model.details import OrganisationDetail, PersonDetail
from plimsoll.model.evidence import Draw, Ended, Evidence, Proportion, Started

ABOUT = About(system="s", release="sha256:" + "a" * 64, threshold="sha256:" + "b" * 64, people="sha256:" + "c" * 64)
SAMPLE = Proportion(hits=9, total=10)


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


def run(ledger, **more):
    return Run(ledger, ABOUT, assessment="evaluation", protocol={"golden": "g"}, **more)


def of_kind(ledger, kind, type_):
    return [msgspec.json.decode(ledger.body(e), type=type_) for e in ledger.entries(kinds=(kind,))]


def test_the_start_is_on_disk_before_anything_is_measured(ledger):
    with run(ledger) as begun:
        (started,) = of_kind(ledger, "assessment.started", Started)
        assert (started.assessment, started.release, started.threshold) == (
            "evaluation",
            ABOUT.release,
            ABOUT.threshold,
        )
        assert started.protocol == begun.protocol
        assert not list(ledger.entries(kinds=("evidence", "assessment.ended")))


def test_evidence_names_its_run_and_what_it_was_about(ledger):
    with run(ledger) as begun:
        begun.give("evaluation.accuracy", SAMPLE, draw=Draw.FIXED, finding="9 of 10.")
    (evidence,) = of_kind(ledger, "evidence", Evidence)
    assert (evidence.run, evidence.release, evidence.protocol) == (begun.id, ABOUT.release, begun.protocol)
    assert (evidence.people, evidence.binds, evidence.healthy) == ("", True, True)
    entry = next(iter(ledger.entries(kinds=("evidence",))))
    assert entry.refs == (begun.id,)


def test_evidence_that_depends_on_people_names_them(ledger):
    with run(ledger, of_people=True) as begun:
        begun.give("organisation.accepted", SAMPLE, draw=Draw.FRESH, finding="")
    assert of_kind(ledger, "evidence", Evidence)[0].people == ABOUT.people


def test_the_protocol_depends_on_how_it_is_measured_and_on_nothing_else(ledger):
    assert run(ledger).protocol == run(ledger, of_people=True).protocol
    other = Run(ledger, ABOUT, assessment="evaluation", protocol={"golden": "h"}).protocol
    assert (
        len({run(ledger).protocol, other, Run(ledger, ABOUT, assessment="x", protocol={"golden": "g"}).protocol}) == 3
    )


@pytest.mark.parametrize("error", [RuntimeError("the disk of the model is full"), KeyboardInterrupt(), SystemExit(3)])
def test_whatever_breaks_it_off_is_recorded_and_leaves_no_evidence(ledger, error):
    begun = run(ledger)

    def measure():
        with begun:
            begun.give("evaluation.accuracy", SAMPLE, draw=Draw.FIXED, finding="9 of 10.")
            raise error

    with pytest.raises(type(error)):
        measure()
    (ended,) = of_kind(ledger, "assessment.ended", Ended)
    assert ended.run == begun.id
    assert ended.problem.startswith(type(error).__name__)
    assert not list(ledger.entries(kinds=("evidence",)))
    assert unfinished(recorded_runs(ledger, "s"), ABOUT.release) == (f"evaluation ({begun.id})",)


def test_files_that_the_release_does_not_cover_are_asked_for_at_the_end_and_unbind_the_evidence(ledger):
    opened = []
    with run(ledger, uncovered=lambda: tuple(opened)) as begun:
        begun.give("evaluation.accuracy", SAMPLE, draw=Draw.FIXED, finding="")
        opened.append("secret.json")
    (evidence,) = of_kind(ledger, "evidence", Evidence)
    assert (evidence.binds, evidence.uncovered) == (False, ("secret.json",))


def test_rules_that_nothing_enforces_touch_the_valid_rate_alone(ledger):
    with run(ledger, unenforced=("c.yaml:3 sql: later",)) as begun:
        begun.give("contracts.valid_rate", SAMPLE, draw=Draw.FIXED, finding="")
        begun.give("contracts.lost_records", SAMPLE, draw=Draw.FIXED, finding="")
    valid, lost = of_kind(ledger, "evidence", Evidence)
    assert valid.unenforced
    assert not lost.unenforced


def test_what_the_report_draws_is_kept_with_its_digest_in_the_evidence(ledger):
    detail = OrganisationDetail(people=(PersonDetail(contact="a@example.org", roles=("leader",)),))
    with run(ledger) as begun:
        begun.give("organisation.accepted", SAMPLE, draw=Draw.FRESH, finding="")
        begun.draw_with(detail)
    (ended,) = of_kind(ledger, "assessment.ended", Ended)
    assert msgspec.json.decode(ended.detail, type=OrganisationDetail) == detail
    assert of_kind(ledger, "evidence", Evidence)[0].artifact.startswith("sha256:")


def test_evidence_and_end_are_there_together_or_not_at_all(tmp_path):
    """The disk is full at the very end: nothing of what was measured counts, and the run shows as unfinished."""
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        begun = run(ledger).__enter__()
        for n in range(20):
            begun.give("evaluation.accuracy", SAMPLE, draw=Draw.FIXED, finding="x" * 5000 + str(n))
        with sqlite3.connect(path) as con:  # the last of the twenty-one entries is refused
            con.execute(
                "CREATE TRIGGER full BEFORE INSERT ON entries WHEN NEW.kind='assessment.ended'"
                " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
        con.close()
        with pytest.raises(StoreError):
            begun.__exit__(None, None, None)
        assert not list(ledger.entries(kinds=("evidence", "assessment.ended")))
        assert unfinished(recorded_runs(ledger, "s"), ABOUT.release) == (f"evaluation ({begun.id})",)


KILLED = """
import sys, time
from pathlib import Path
from plimsoll.assess.run import About, Run
from plimsoll.ledger import Ledger
from plimsoll.model.evidence import Draw, Proportion

about = About(system="s", release="sha256:" + "a" * 64, threshold="sha256:" + "b" * 64, people="")
with Ledger.open(Path(sys.argv[1])) as ledger, Run(ledger, about, assessment="evaluation", protocol={}) as run:
    run.give("evaluation.accuracy", Proportion(hits=10, total=10), draw=Draw.FIXED, finding="")
    print(run.id, flush=True)
    time.sleep(60)
"""


def test_a_run_that_is_killed_is_named_as_unfinished_and_leaves_nothing(tmp_path):
    path = tmp_path / "ledger.db"
    process = start_python(KILLED, path)
    run_id = process.stdout.readline().strip()
    assert run_id
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with Ledger.open(path) as ledger:
        assert unfinished(recorded_runs(ledger, "s"), ABOUT.release) == (f"evaluation ({run_id})",)
        assert left_evidence(ledger, "s", recorded_runs(ledger, "s")) == ([], ())


def test_a_run_of_another_release_is_not_held_against_this_one(ledger):
    with pytest.raises(ValueError, match="boom"), run(ledger):
        raise ValueError("boom")
    assert unfinished(recorded_runs(ledger, "s"), "sha256:" + "d" * 64) == ()

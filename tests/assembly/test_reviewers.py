"""What held cases ask of the reviewers, against the time they have: a condition can rest on it, and a warning does."""

from __future__ import annotations

import pytest
from assess.a_system import HEAD, OPS, System, cases, row

from plimsoll.assembly.checking import gate
from plimsoll.assembly.reviewers import review_load
from plimsoll.model.board import Outcome, Standing
from plimsoll.stats import clopper_pearson_upper

# Three of ten answers are unsure, and wait for a person.
UNSURE = """
from plimsoll import Result
def predict(record):
    return Result({"parity": "odd" if record["number"] % 2 else "even"}, confidence=0.5 if record["number"] % 10 < 3 else 1)
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    system = System(tmp_path_factory.mktemp("reviewers") / "s", UNSURE)
    tell = {"tier": "reviewed", "review_below": "90%", "escalation": [OPS], "accountable": HEAD}
    system.change("decisions", "tell", to=tell)
    system.change("load", "expected", to="1000/day")
    system.change("review", to={"per_item": "1 min", "capacity": "10 h"})  # 300 minutes of 600
    system.check("evaluation")
    return system


@pytest.fixture
def system(measured, tmp_path):
    return measured.beside(tmp_path / "state")


def with_condition(system, text="evaluation.review_load <= 100%"):
    system.change("threshold", "conditions", to=[*system.manifest["threshold"]["conditions"], text])


def load(system):
    return row(system.gate(), "evaluation.review_load")


class TestTheCondition:
    def test_the_figure_is_minutes_against_capacity_and_its_bound_that_of_the_share(self, system):
        with_condition(system)
        found = load(system)
        assert (found.standing, found.estimate) == (Standing.MET, 0.5)
        assert found.bound == pytest.approx(clopper_pearson_upper(30, 100, 0.95) * 1000 / 600)
        assert found.counts == "30 of 100; 1000/day at 1 min each, of 10 h a day"

    def test_it_is_not_met_by_too_few_reviewers(self, system):
        system.change("review", "capacity", to="4 h")
        with_condition(system)
        found = load(system)
        assert (found.standing, found.estimate, found.gap) == (Standing.NOT_MET, 1.25, "25 points too high")
        assert system.gate().outcome is Outcome.NOT_READY

    def test_where_the_bound_alone_is_beyond_it_is_insufficient_and_says_how_many_cases(self, system):
        system.change("review", "capacity", to="340 min")
        with_condition(system)
        found = load(system)
        assert found.standing is Standing.INSUFFICIENT
        assert "cases decide it at this rate" in found.needed

    def test_what_is_declared_counts_as_it_is_declared_now(self, system):
        """The share was measured; that a reviewer was hired, or that more is expected, needs no new measurement."""
        with_condition(system)
        release = system.project().release.digest
        for expected, capacity, estimate in (
            ("1000/day", "5 h", 1.0),
            ("2000/day", "10 h", 1.0),
            ("1000/day", "20 h", 0.25),
        ):
            system.change("load", "expected", to=expected)
            system.change("review", "capacity", to=capacity)
            assert load(system).estimate == estimate
        assert system.project().release.digest == release

    def test_where_nobody_is_named_it_is_not_measured_and_the_board_says_why(self, system):
        system.change("decisions", "tell", to={"tier": "automatic", "consequence": "none", "recoverable": True, "accountable": HEAD})  # fmt: skip
        system.change("review", to=None)
        with_condition(system)
        board = system.check("evaluation")
        assert row(board, "evaluation.review_load").standing is Standing.NOT_MEASURED
        assert any("the manifest names no review.per_item" in text for text in board.warnings)
        assert review_load(system.project(), 1, 2) is None

    def test_what_was_quarantined_or_failed_is_work_too(self, system, tmp_path):
        broken = System(tmp_path / "b", UNSURE.replace("return", "return 1 / (record['number'] % 5) and"))
        broken.change("decisions", to=system.manifest["decisions"])
        broken.change("review", to={"per_item": "1 min", "capacity": "10 h"})
        broken.write("golden.jsonl", cases(100))
        with_condition(broken)
        found = row(broken.check("evaluation"), "evaluation.review_load")
        answered = row(broken.gate(), "evaluation.answered_share")
        assert found.counts.startswith("40 of 100; ")
        assert answered.counts == "60 of 100"


class TestTheWarning:
    def warnings(self, system):
        return system.gate().warnings

    def test_there_is_none_while_the_bound_is_within_what_there_is(self, system):
        assert self.warnings(system) == ()

    def test_it_is_said_where_the_bound_is_beyond_though_no_condition_rests_on_it(self, system):
        system.change("review", "capacity", to="340 min")
        (said,) = self.warnings(system)
        assert said.startswith(
            "the reviewers may not keep up: what is not answered takes 300 of their minutes a day (at most "
        )
        assert said.endswith(
            "there are 340. No condition of the threshold rests on it; evaluation.review_load <= 100% would."
        )

    def test_it_is_stronger_where_the_figure_itself_is_beyond(self, system):
        system.change("review", "capacity", to="2 h")
        assert "the reviewers cannot keep up" in self.warnings(system)[0]

    def test_it_decides_nothing_by_itself(self, system):
        before = system.gate()
        system.change("review", "capacity", to="2 h")
        after = system.gate()
        assert (after.outcome, [r.standing for r in after.rows]) == (before.outcome, [r.standing for r in before.rows])

    def test_with_a_condition_it_does_not_say_that_there_is_none(self, system):
        system.change("review", "capacity", to="2 h")
        with_condition(system)
        assert self.warnings(system)[0].endswith("there are 120.")

    def test_another_release_is_not_warned_of_for_this_one(self, system):
        system.change("review", "capacity", to="2 h")
        system.change("load", "peak", to="101/s")
        assert self.warnings(system) == ()

    def test_it_stands_in_the_report(self, system, tmp_path):
        system.change("review", "capacity", to="2 h")
        gate(system.project(), report=tmp_path / "r.html")
        assert "<strong>WARNING.</strong> the reviewers cannot keep up" in (tmp_path / "r.html").read_text()

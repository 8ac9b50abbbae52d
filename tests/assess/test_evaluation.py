"""Evaluation: what is counted, against what, and what it costs; on a real guard and ledger, and end to end."""

from __future__ import annotations

import datetime as dt
import json
import random
import time
import uuid

import msgspec
import numpy as np
import pytest
from assess.a_system import System, cases, lines, row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plimsoll.assess.evaluation import Ended, by_segment, evaluate, tally
from plimsoll.assess.golden import Case, read_golden
from plimsoll.assess.run import About, Run
from plimsoll.errors import InvalidFile
from plimsoll.guard import Guard, GuardedType, GuardSettings, PythonTarget
from plimsoll.ledger import Ledger
from plimsoll.model.board import Standing
from plimsoll.model.decision import Disposition, Result, Tier
from plimsoll.model.details import Price
from plimsoll.model.evidence import Draw, Evidence, Proportion
from plimsoll.stats import clopper_pearson_lower

RELEASE = "sha256:" + "a" * 64


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
def measure(ledger):
    """Take cases through a guard with this target; gives the detail and the evidence by metric."""

    def take(target, raw, *, tier=Tier.AUTOMATIC, review_below=None, price_of=lambda _: None, **guard_settings):
        kind = GuardedType(name="tell", tier=tier, accountable="a@b.org", review_below=review_below, next="a@b.org")
        guard_with = GuardSettings(system="s", release=RELEASE, types={"tell": kind}, **guard_settings)
        cases_ = read_golden(raw, "golden.jsonl", ("tell",))
        about = About(system="s", release=RELEASE, threshold="t", people="p")
        with (
            Run(ledger, about, assessment="evaluation", protocol={"n": uuid.uuid4().hex}) as run,
            Guard(
                guard_with,
                ledger=ledger,
                target=PythonTarget(target, "t"),
                inputs={},
                default_input=None,
                output=None,
            ) as guard,
        ):
            detail = evaluate(run, guard, cases_, confidence=0.95, price_of=price_of)
        found = [msgspec.json.decode(ledger.body(e), type=Evidence) for e in ledger.entries(kinds=("evidence",))]
        return detail, {e.metric: e for e in found if e.run == run.id}

    return take


def case(n, expected, **more):
    return {"input": {"n": n}, "expected": expected} | more


def test_accuracy_is_over_what_was_answered_and_the_rest_is_counted_apart(measure):
    def target(record):
        n = record["n"]
        if n >= 90:
            raise RuntimeError("no")
        return Result(n, confidence=0.5 if n >= 70 else 0.95)

    raw = lines([case(n, n if n % 10 else -1) for n in range(100)])
    detail, evidence = measure(target, raw, tier=Tier.REVIEWED, review_below=0.9)
    overall = detail.overall
    assert (overall.n, overall.answered, overall.held, overall.other) == (100, 70, 20, 10)
    assert overall.right == 63
    assert evidence["evaluation.accuracy"].sample == Proportion(hits=63, total=70)
    assert evidence["evaluation.answered_share"].sample == Proportion(hits=70, total=100)
    assert overall.lower == clopper_pearson_lower(63, 70, 0.95)
    assert {e.draw for e in evidence.values()} == {Draw.FIXED}


def test_quarantined_cases_are_neither_right_nor_held(measure):
    raw = b'{"input": NaN, "expected": 1, "id": "a"}\n'
    with pytest.raises(InvalidFile):  # a golden set is JSON, so what is quarantined breaks a contract or is too large
        measure(lambda r: r, raw)
    detail, _ = measure(lambda r: r["n"], lines([case(1, 1), case("x" * (1 << 20), 1)]))
    assert (detail.overall.answered, detail.overall.held, detail.overall.other) == (1, 0, 1)


def test_what_is_held_counts_for_nothing_even_when_it_would_have_been_right(measure):
    detail, evidence = measure(lambda r: Result(r["n"], confidence=0.1), lines([case(1, 1)]), tier=Tier.REVIEWED)
    assert detail.overall.right == 0
    assert evidence["evaluation.accuracy"].sample == Proportion(hits=0, total=0)
    assert (detail.overall.lower, detail.overall.upper) == (None, None)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({"a": np.arange(3)}, {"a": [0, 1, 2]}),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        ({1: "a"}, {"1": "a"}),  # as it is recorded, and as any caller over HTTP gets it
        ((1, 2), [1, 2]),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (b"\x00\x01", "AAE="),
        ({"a": {1}}, {"a": [1]}),
    ],
)
def test_an_output_is_compared_as_it_is_recorded(measure, output, expected):
    detail, _ = measure(lambda _: output, lines([case(1, expected)]))
    assert (detail.overall.answered, detail.overall.right) == (1, 1)


def test_a_case_is_taken_under_its_source_so_that_its_contract_counts(tmp_path):
    system = System(tmp_path / "s")
    system.write(
        "golden.jsonl", lines([{"input": {"number": "x"}, "expected": {"parity": "odd"}, "source": "counter"}])
    )
    board = system.check("evaluation")
    assert row(board, "evaluation.answered_share").estimate == 0.0
    assert row(board, "evaluation.accuracy").standing is Standing.NOT_MEASURED
    assert "not one case was counted" in row(board, "evaluation.accuracy").why


def test_the_price_is_what_was_held(measure):
    asked = []

    def price_of(held):
        asked.append(held)
        return Price(held_share=held, expected_per_day=1.0, minutes_per_item=1.0, minutes_per_day=held)

    raw = lines([case(n, n) for n in range(8)])
    detail, _ = measure(
        lambda r: Result(r["n"], confidence=r["n"] / 8), raw, tier=Tier.REVIEWED, review_below=0.5, price_of=price_of
    )
    assert asked == [0.5]
    assert detail.price.minutes_per_day == 0.5


def test_the_price_of_a_system_in_reviewers_minutes(tmp_path):
    system = System(
        tmp_path / "s",
        """
        from plimsoll import Result
        def predict(record):
            return Result({"parity": "odd" if record["number"] % 2 else "even"}, confidence=record["number"] % 4 / 4)
        """,
    )
    system.change("decisions", "tell", "tier", to="reviewed")
    system.change("decisions", "tell", "review_below", to="25%")
    system.change("review", to={"per_item": "30s", "capacity": "4h"})
    system.change("load", to={"peak": "100/s", "expected": "1000/day"})
    share, minutes = system.check("evaluation").price
    assert share.startswith("25.0% of the cases go to people (at most ")
    assert "1,000 a day that is 125 reviewer minutes a day" in minutes  # a quarter of 1,000, half a minute each
    assert minutes.endswith("there are 240.")


ended = st.lists(
    st.tuples(
        st.sampled_from(list(Disposition)),
        st.booleans(),
        st.fixed_dictionaries({"digits": st.sampled_from("345"), "source": st.sampled_from("ab")}),
    ).map(
        lambda t: Ended(
            case=Case(input=msgspec.Raw(b"1"), expected=1, segment=t[2]),
            disposition=t[0],
            right=t[1] and t[0] is Disposition.ANSWERED,
        )
    ),
    max_size=60,
)


@given(ended=ended)
def test_segments_add_up_to_the_whole(ended):
    whole = tally("", "", ended, 0.95)
    segments = by_segment(ended, 0.95)
    for name in {s.name for s in segments}:
        mine = [s for s in segments if s.name == name]
        for field in ("n", "right", "answered", "held", "other"):
            assert sum(getattr(s, field) for s in mine) == getattr(whole, field)
    for s in (whole, *segments):
        assert s.n == s.answered + s.held + s.other
        assert s.right <= s.answered
        assert (s.lower is None) is (s.answered == 0)
        assert s.lower is None or s.lower <= s.right / s.answered <= s.upper


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_counts_do_not_depend_on_the_order_in_which_calls_end(measure, seed):
    chance = random.Random(seed)
    slow = {n: chance.random() / 500 for n in range(12)}

    def target(record):
        time.sleep(slow[record["n"]])
        return record["n"]

    raw = lines([case(n, n if n % 3 else -1, segment={"third": str(n % 3)}) for n in range(12)])
    detail, _ = measure(target, raw, deadline_s=5.0)
    assert (detail.overall.right, detail.overall.answered) == (8, 12)
    assert [(s.value, s.right, s.n) for s in detail.segments] == [("0", 0, 4), ("1", 4, 4), ("2", 4, 4)]


class TestEndToEnd:
    def test_running_it_again_adds_no_case(self, tmp_path):
        system = System(tmp_path / "s")
        first = row(system.check("evaluation"), "evaluation.accuracy")
        for _ in range(3):
            again = row(system.check("evaluation"), "evaluation.accuracy")
        assert again.bound == first.bound
        assert again.counts == "100 of 100, the worst of 4 runs"

    def test_a_target_that_throws_dice_is_judged_by_its_worst_throw(self, tmp_path):
        """A stateful target that is right in every run but the second."""
        system = System(
            tmp_path / "s",
            """
            import collections
            SEEN = collections.Counter()
            def predict(record):
                n = record["number"]
                SEEN[n] += 1
                wrong = SEEN[n] == 2 and n < 20
                return {"parity": "odd" if (n % 2 == 1) is not wrong else "even"}
            """,
        )
        assert row(system.check("evaluation"), "evaluation.accuracy").standing is Standing.MET
        bad = row(system.check("evaluation"), "evaluation.accuracy")
        assert (bad.standing, bad.estimate) == (Standing.NOT_MET, 0.8)
        for _ in range(2):
            again = row(system.check("evaluation"), "evaluation.accuracy")
            assert (again.standing, again.estimate) == (Standing.NOT_MET, 0.8)

    def test_an_easier_golden_set_does_not_wash_away_a_figure_below_the_line(self, tmp_path):
        system = System(tmp_path / "s")
        system.write("golden.jsonl", cases(200, wrong=20))
        assert row(system.check("evaluation"), "evaluation.accuracy").standing is Standing.NOT_MET
        system.write("easy.jsonl", cases(100))
        system.change("samples", "golden", to="easy.jsonl")
        easier = row(system.check("evaluation"), "evaluation.accuracy")
        assert (easier.standing, easier.estimate) == (Standing.NOT_MET, 0.9)
        assert "in another way than the last run's" in easier.why

    def test_another_release_begins_without_evidence(self, tmp_path):
        system = System(tmp_path / "s")
        system.check("evaluation")
        system.write(f"{system.module}.py", (system.folder / f"{system.module}.py").read_text() + "# changed\n")
        assert row(system.gate(), "evaluation.accuracy").standing is Standing.NOT_MEASURED

    def test_the_same_cases_twice_are_refused_before_anything_is_measured(self, tmp_path):
        system = System(tmp_path / "s")
        raw = cases(50)
        system.write("golden.jsonl", raw + raw)
        with pytest.raises(InvalidFile, match=r"golden\.jsonl:51") as caught:
            system.check("evaluation")
        assert len(caught.value.problems) == 50
        assert "evaluation" not in json.dumps(system.gate().unfinished)

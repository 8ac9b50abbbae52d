from __future__ import annotations

import doctest

import pytest

from plimsoll.gate import figures, judge, verdict
from plimsoll.model.board import Standing
from plimsoll.model.evidence import Census, Draw, Proportion, Provenance, Repeats, Window
from plimsoll.model.metrics import METRICS, Better, Kind
from plimsoll.model.quantity import Quantity

MET, NOT_MET, INSUFFICIENT, STALE, NOT_MEASURED = Standing


@pytest.mark.parametrize("module", [verdict, figures], ids=lambda m: m.__name__)
def test_the_examples_in_the_docstrings_are_true(module):
    assert doctest.testmod(module).failed == 0


# -- the five standings -------------------------------------------------------------------------------------------------

TABLE = {
    "enough right ones": (
        "evaluation.accuracy >= 95%", Proportion(hits=590, total=600), MET,
        {"estimate_text": "98.3%", "bound_text": "97.2%", "counts": "590 of 600", "gap": "", "needed": "", "next": ""},
    ),
    "too few right ones": (
        "evaluation.accuracy >= 95%", Proportion(hits=927, total=1000), NOT_MET,
        {"estimate_text": "92.7%", "gap": "2.3 points too low", "needed": ""},
    ),
    "right, but too few cases to be sure": (
        "evaluation.accuracy >= 95%", Proportion(hits=242, total=250), INSUFFICIENT,
        {"estimate_text": "96.8%", "needed": "434 cases decide it at this rate; 184 more", "gap": ""},
    ),
    "forty of forty": (
        "evaluation.accuracy >= 95%", Proportion(hits=40, total=40), INSUFFICIENT,
        {"estimate_text": "100%", "bound_text": "92.8%", "needed": "59 cases decide it at this rate; 19 more"},
    ),
    "exactly on the line": (
        "evaluation.accuracy >= 95%", Proportion(hits=950, total=1000), INSUFFICIENT, {"needed": "never at this rate"},
    ),
    "exactly on the line, and more is asked": (
        "evaluation.accuracy > 95%", Proportion(hits=950, total=1000), NOT_MET,
        {"gap": "on the line itself; more than 95% is asked for"},
    ),
    "all of them can never be shown by a sample": (
        "evaluation.accuracy >= 100%", Proportion(hits=1000, total=1000), INSUFFICIENT,
        {"needed": "never at this rate"},
    ),
    "no error in few calls": (
        "stability.error_rate <= 0.5%", Proportion(hits=0, total=100), INSUFFICIENT,
        {"needed": "598 cases decide it at this rate; 498 more", "bound_text": "2.95%"},
    ),
    "no error in many calls": ("stability.error_rate <= 0.5%", Proportion(hits=0, total=598), MET, {}),
    "too many errors": (
        "stability.error_rate <= 0.5%", Proportion(hits=31, total=5000), NOT_MET,
        {"estimate_text": "0.62%", "gap": "0.12 points too high", "counts": "31 of 5,000, in windows of 5 s or more"},
    ),
    "a line too near to be decided": (
        "stability.error_rate <= 0.5%", Proportion(hits=499_999, total=100_000_000), INSUFFICIENT,
        {"needed": "more than a billion cases at this rate"},
    ),
    "three repeats": (
        "stability.load >= 3x", Repeats(values=(3.0, 4.0, 3.0)), MET,
        {"estimate_text": "3x", "counts": "worst of 3 repeats, in windows of 5 s or more"},
    ),
    "one repeat on the wrong side": (
        "stability.load >= 3x", Repeats(values=(3.0, 2.0, 3.0)), NOT_MET, {"gap": "1x too little"},
    ),
    "two repeats": (
        "stability.recovery_time <= 10s", Repeats(values=(3.0, 4.0)), INSUFFICIENT,
        {"needed": "3 repeats decide it; 1 more"},
    ),
    "too long a recovery": (
        "stability.recovery_time <= 10s", Repeats(values=(3.0, 15.1, 4.0)), NOT_MET, {"gap": "5.1 s too long"},
    ),
    "too slow under load": (
        "stability.degradation < 2x", Repeats(values=(2.0, 1.5, 1.5)), NOT_MET,
        {"gap": "on the line itself; less than 2x is asked for"},
    ),
    "nothing lost": (
        "contracts.lost_records = 0", Census(count=0, total=3000, ratio=False), MET,
        {"counts": "census of 3,000", "bound": None, "bound_text": "–"},
    ),
    "something lost": (
        "contracts.lost_records = 0", Census(count=3, total=3000, ratio=False, missing=("r-1", "r-2", "r-3")), NOT_MET,
        {"gap": "3 too many"},
    ),
    "all accepted": ("organisation.accepted = 100%", Census(count=5, total=5, ratio=True), MET, {}),
    "one has not accepted": (
        "organisation.accepted = 100%", Census(count=4, total=5, ratio=True, missing=("ops@example.org",)), NOT_MET,
        {"gap": "1 of 5 missing", "estimate_text": "80%"},
    ),
    "enough have accepted": ("organisation.accepted >= 80%", Census(count=4, total=5, ratio=True), MET, {}),
    "a census of nothing": (
        "organisation.accepted = 100%", Census(count=0, total=0, ratio=True), NOT_MEASURED, {"estimate": None},
    ),
    "a feed of nothing": ("contracts.lost_records = 0", Census(count=0, total=0, ratio=False), NOT_MEASURED, {}),
    "not one case answered": ("evaluation.accuracy >= 95%", Proportion(hits=0, total=0), NOT_MEASURED, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_each_standing_says_what_it_rests_on(bench, name):
    condition, sample, standing, texts = TABLE[name]
    row = bench.row(condition, bench.evidence(condition.split()[0], sample))
    assert row.standing is standing, row
    for field, text in texts.items():
        assert getattr(row, field) == text, field
    assert row.condition == str(bench.threshold(condition).conditions[0])
    assert row.why
    assert bool(row.next) is (standing is not MET)
    assert bool(row.gap) is (standing is NOT_MET)
    assert bool(row.needed) is (standing is INSUFFICIENT)
    if standing in {MET, NOT_MET, INSUFFICIENT}:
        assert (row.margin >= 1) is (standing is not NOT_MET)
        assert row.age_s == pytest.approx(86_400)
        assert row.provenance == "measured"
        assert len(row.entries) == 1


def test_what_is_missing_is_named(bench):
    sample = Census(count=1, total=6, ratio=True, missing=("a@x", "b@x", "c@x", "d@x", "e@x"))
    row = bench.row("organisation.accepted = 100%", bench.evidence("organisation.accepted", sample))
    assert row.gap == "5 of 6 missing"
    assert "a@x, b@x, c@x and 2 more" in row.why
    assert row.next == "Complete what is missing, then run `plimsoll assess organisation`."


def test_the_finding_of_a_run_is_told_where_the_line_is_not_met(bench):
    piece = bench.evidence("evaluation.accuracy", Proportion(hits=1, total=2), finding="Most fours are read as nines.")
    assert "Most fours are read as nines." in bench.row("evaluation.accuracy >= 95%", piece).why


def test_without_evidence_it_says_which_command_measures(bench):
    row = bench.row("evaluation.accuracy >= 95%")
    assert row.standing is NOT_MEASURED
    assert (row.estimate, row.bound, row.margin, row.age_s, row.entries) == (None, None, None, None, ())
    assert (row.estimate_text, row.bound_text) == ("–", "–")
    assert "`plimsoll assess evaluation`" in row.next


@pytest.mark.parametrize("metric", [m for m in METRICS if not METRICS[m].measurable])
def test_what_this_version_cannot_measure_is_said_plainly(bench, metric):
    row = bench.row(bench.condition(metric))
    assert row.standing is NOT_MEASURED
    assert row.why == "This version has no assessment for it, so the condition cannot be met."
    assert "plimsoll assess" not in row.next


# -- windows ------------------------------------------------------------------------------------------------------------

P99 = "stability.latency_p99 <= 500ms"


def p99(bench, *windows, **more):
    return bench.row(P99, bench.evidence("stability.latency_p99", bench.windows(*windows), draw=Draw.FRESH, **more))


def test_the_worst_of_three_windows_counts(bench):
    row = p99(bench, bench.window(300, 0.2), bench.window(300, 0.49), bench.window(300, 0.3))
    assert row.standing is MET
    assert row.counts == "worst of 3 windows of 300, 5 s each"
    assert row.bound == 0.49  # the largest of 300 values is the bound of their 99th percentile
    assert row.estimate == 0.05
    row = p99(bench, bench.window(300, 0.2), bench.window(300, 5.4, 5.5, 5.55, 5.6), bench.window(300, 0.3))
    assert row.standing is NOT_MET
    assert row.gap == "4.9 s too long"  # the 297th of 300 is the worst window's 99th percentile
    assert row.estimate_text == "5400 ms"


def test_one_slow_call_in_a_small_window_leaves_it_undecided(bench):
    row = p99(bench, bench.window(300, 0.9), bench.window(300), bench.window(300))
    assert row.standing is INSUFFICIENT
    assert row.needed == "windows of 773 calls decide it at this rate; the smallest has 300"
    larger = bench.window(773, 0.9, 0.9, 0.9)  # one in 300, rounded up
    assert p99(bench, larger, larger, larger).standing is MET
    smaller = bench.window(772, 0.9, 0.9, 0.9)
    assert p99(bench, smaller, smaller, smaller).standing is INSUFFICIENT


def test_windows_on_the_line_are_never_decided_by_size(bench):
    row = p99(bench, bench.window(300, 0.9, 0.9, 0.9), bench.window(300), bench.window(300))
    assert row.standing is INSUFFICIENT
    assert row.needed == "never at this rate"


def test_fewer_than_three_windows_decide_nothing_good(bench):
    row = p99(bench, bench.window(300), bench.window(300))
    assert row.standing is INSUFFICIENT
    assert row.needed == "3 windows of at least 299 calls decide it; 1 more"
    assert row.bound is None
    assert p99(bench, bench.window(300, 1, 1, 1, 1)).standing is NOT_MET


def test_windows_too_small_for_a_bound_say_how_large_they_must_be(bench):
    row = p99(bench, bench.window(120), bench.window(298), bench.window(300))
    assert row.standing is INSUFFICIENT
    assert row.needed == "3 windows of at least 299 calls decide it; 2 more"


def test_a_small_window_cannot_help_but_can_hurt(bench):
    large = [bench.window(300)] * 3
    assert p99(bench, *large, bench.window(50)).standing is MET
    assert p99(bench, *large, bench.window(50, 0.6)).standing is NOT_MET  # its own 99th percentile is its largest
    row = p99(bench, *large, bench.window(150, 0.6))
    assert row.standing is INSUFFICIENT
    assert row.needed == "windows of 299 calls decide it at this rate; the smallest has 150"


def test_a_window_in_which_nothing_was_answered_decides_nothing(bench):
    row = p99(bench, *[bench.window(300)] * 3, bench.window(0))
    assert row.standing is INSUFFICIENT
    assert row.why.startswith("In 1 window nothing was answered")
    assert p99(bench, bench.window(0)).standing is NOT_MEASURED


def test_a_tail_that_is_too_short_is_counted_against_the_system(bench):
    """The median's bound is far down in the window; what was not kept is taken to be as large as the least kept."""
    kept = bench.window(1000, rest=0.2, kept=20)
    assert bench.row(
        "stability.latency_p50 <= 300ms", bench.evidence("stability.latency_p50", bench.windows(kept, kept, kept))
    ).standing is MET  # fmt: skip
    tall = bench.window(1000, *[0.4] * 20, rest=0.2, kept=20)
    row = bench.row(
        "stability.latency_p50 <= 300ms", bench.evidence("stability.latency_p50", bench.windows(tall, tall, tall))
    )
    assert row.standing is INSUFFICIENT
    assert row.estimate == 0.2
    assert row.needed == "each window's 474 largest values must be kept; 20 were"


def test_the_order_within_a_tail_does_not_matter(bench):
    shuffled = Window(total=300, tail=(0.6, 0.1, 0.7, 0.2, 0.8, 0.9), median=0.1)
    row = p99(bench, shuffled, bench.window(300), bench.window(300))
    assert row.estimate == 0.6


# -- stale, unsound, foreign --------------------------------------------------------------------------------------------

GOOD = Proportion(hits=990, total=1000)
BAD = Proportion(hits=700, total=1000)
ACCURACY = "evaluation.accuracy >= 95%"


def test_old_evidence_is_stale_and_says_its_age(bench):
    row = bench.row(ACCURACY, bench.evidence("evaluation.accuracy", GOOD, age_days=41))
    assert row.standing is STALE
    assert row.why == "Its newest evidence is 41 days old; at most 30 days is allowed."
    assert (row.estimate_text, row.counts) == ("99%", "990 of 1,000")
    assert row.margin is None  # a stale figure floats nowhere
    assert "`plimsoll assess evaluation`" in row.next


@pytest.mark.parametrize(("age_days", "standing"), [(30, MET), (30.001, STALE), (0, MET), (-0.03, MET), (-2, STALE)])
def test_the_limit_of_age_is_the_thresholds(bench, age_days, standing):
    row = bench.row(ACCURACY, bench.evidence("evaluation.accuracy", GOOD, age_days=age_days))
    assert row.standing is standing
    assert row.age_s is not None
    assert row.age_s >= 0
    if age_days < -1:
        assert "a clock was wrong" in row.why


def test_a_shorter_maximum_age_is_obeyed(bench):
    piece = bench.evidence("evaluation.accuracy", GOOD, age_days=2)
    assert bench.row(ACCURACY, piece, max_age=Quantity(1, "day")).standing is STALE


def test_an_unhealthy_instrument_measured_nothing(bench):
    piece = bench.evidence("evaluation.accuracy", GOOD, healthy=False, why_unhealthy="the driver sent 80 ms late")
    row = bench.row(ACCURACY, piece)
    assert row.standing is NOT_MEASURED
    assert "the driver sent 80 ms late" in row.why
    assert (row.estimate, row.entries, row.provenance) == (None, (), "")


def test_evidence_that_does_not_bind_measured_nothing(bench):
    files = ("model.bin", "prompt.txt", "a.json", "b.json")
    row = bench.row(ACCURACY, bench.evidence("evaluation.accuracy", GOOD, binds=False, uncovered=files))
    assert row.standing is NOT_MEASURED
    assert row.why == "Opened files not covered by the release: model.bin, prompt.txt, a.json and 1 more."
    assert "target.artifacts" in row.next


@pytest.mark.parametrize(
    ("uncovered", "why", "then"),
    [
        (
            ("service:api.example.org:443",),
            "Reached services that the manifest does not declare: api.example.org:443.",
            "Declare them under target.services, which makes another release, then run",
        ),
        (
            ("service:a:1", "model.bin", "service:unix:/run/x"),
            (
                "Opened files not covered by the release: model.bin. "
                "Reached services that the manifest does not declare: a:1, unix:/run/x."
            ),
            "Declare files under target.artifacts and services under target.services, which makes another release, then",
        ),
    ],
)
def test_an_undeclared_service_keeps_evidence_from_binding_as_an_uncovered_file_does(bench, uncovered, why, then):
    row = bench.row(ACCURACY, bench.evidence("evaluation.accuracy", GOOD, binds=False, uncovered=uncovered))
    assert row.standing is NOT_MEASURED
    assert row.why == why
    assert row.next.startswith(then)


class TestADeclaredService:
    """Who answers at an address can be another tomorrow, so what was measured there is old after a day."""

    def on(self, bench, age_days, **more):
        services = ("api.example.org:443",)
        return bench.evidence("evaluation.accuracy", GOOD, age_days=age_days, declared=services, **more)

    @pytest.mark.parametrize(("age_days", "standing"), [(0, MET), (1, MET), (1.001, STALE)])
    def test_its_evidence_counts_for_a_day(self, bench, age_days, standing):
        row = bench.row(ACCURACY, self.on(bench, age_days))
        assert row.standing is standing
        assert row.declared == ("api.example.org:443",)
        assert row.counts_for_s == 86400

    def test_it_is_said_why_it_is_stale_so_soon(self, bench):
        row = bench.row(ACCURACY, self.on(bench, 2))
        assert row.why.startswith(
            "Its newest evidence is 2 days old; at most 24 h is allowed, since it rests on a service"
        )

    def test_a_threshold_that_allows_less_is_obeyed(self, bench):
        row = bench.row(ACCURACY, self.on(bench, 0.3), max_age=Quantity(6, "h"))
        assert row.standing is STALE
        assert "at most 6 h is allowed." in row.why
        assert bench.row(ACCURACY, self.on(bench, 0.2), max_age=Quantity(6, "h")).counts_for_s == 6 * 3600

    def test_other_evidence_counts_as_long_as_the_threshold_says(self, bench):
        row = bench.row(ACCURACY, bench.evidence("evaluation.accuracy", GOOD, age_days=20))
        assert (row.standing, row.declared, row.counts_for_s) == (MET, (), 30 * 86400)

    def test_runs_together_count_as_long_as_the_shortest(self, bench):
        fresh = {"draw": Draw.FRESH, "protocol": "p"}
        row = bench.row(
            ACCURACY, self.on(bench, 0.1, **fresh), bench.evidence("evaluation.accuracy", GOOD, age_days=0.2, **fresh)
        )
        assert row.standing is MET
        assert row.counts_for_s == 86400


def test_rules_that_nothing_enforces_measured_nothing(bench):
    rules = ("contracts/scan.odcs.yaml:14 uniqueItems",)
    row = bench.row(
        "contracts.valid_rate >= 95%", bench.evidence("contracts.valid_rate", GOOD, unenforced=rules, draw=Draw.FRESH)
    )
    assert row.standing is NOT_MEASURED
    assert "contracts/scan.odcs.yaml:14 uniqueItems" in row.why


def test_a_sound_run_stands_and_the_unsound_one_is_mentioned(bench):
    sick = bench.evidence("evaluation.accuracy", BAD, healthy=False, why_unhealthy="out of memory", age_days=0.5)
    row = bench.row(ACCURACY, bench.evidence("evaluation.accuracy", GOOD), sick)
    assert row.standing is MET
    assert "1 run left out" in row.why
    assert "out of memory" in row.why


def test_evidence_of_other_people_does_not_count(bench):
    sample = Census(count=5, total=5, ratio=True)
    piece = bench.evidence("organisation.accepted", sample, people="sha256:before")
    condition = "organisation.accepted = 100%"
    assert bench.row(condition, piece, people="sha256:before").standing is MET
    row = bench.row(condition, piece, people="sha256:after")
    assert row.standing is NOT_MEASURED
    assert row.why == "Other people are named now than when it was measured."


def test_evidence_of_another_release_is_ignored(bench):
    foreign = bench.evidence("evaluation.accuracy", GOOD, release="sha256:" + "cd" * 32)
    assert bench.row(ACCURACY, foreign).standing is NOT_MEASURED
    bad = bench.evidence("evaluation.accuracy", BAD)
    assert bench.row(ACCURACY, foreign, bad) == bench.row(ACCURACY, bad)


def test_evidence_of_another_kind_measured_nothing(bench):
    row = bench.row(ACCURACY, bench.evidence("evaluation.accuracy", Repeats(values=(1.0, 1.0, 1.0))))
    assert row.standing is NOT_MEASURED
    assert "evaluation.accuracy is a proportion, and a maximum was recorded" in row.why


@pytest.mark.parametrize(
    "sample",
    [
        Repeats(values=()),
        Repeats(values=(1.0, float("nan"), 1.0)),
    ],
)
def test_figures_that_are_none_measured_nothing(bench, sample):
    row = bench.row("stability.recovery_time <= 10s", bench.evidence("stability.recovery_time", sample))
    assert row.standing is NOT_MEASURED


def test_a_recovery_without_end_is_not_met(bench):
    sample = Repeats(values=(1.0, float("inf"), 1.0))
    row = bench.row("stability.recovery_time <= 10s", bench.evidence("stability.recovery_time", sample))
    assert row.standing is NOT_MET
    assert (row.estimate_text, row.gap) == ("∞ s", "there is no end to it")


def test_a_count_that_makes_no_sense_measured_nothing(bench):
    for sample in (Census(count=6, total=5, ratio=True), Census(count=-1, total=5, ratio=True)):
        row = bench.row("organisation.accepted = 100%", bench.evidence("organisation.accepted", sample))
        assert row.standing is NOT_MEASURED


@pytest.mark.parametrize("provenance", list(Provenance))
def test_provenance_is_on_the_row(bench, provenance):
    row = bench.row(ACCURACY, bench.evidence("evaluation.accuracy", GOOD, provenance=provenance))
    assert row.standing is MET
    assert row.provenance == provenance.value


# -- the catalogue ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_of_the_catalogue_can_be_judged(bench, metric):
    condition = bench.condition(metric)
    good = bench.row(condition, bench.evidence(metric, bench.perfect(metric)))
    bad = bench.row(condition, bench.evidence(metric, bench.awful(metric)))
    assert (good.standing, bad.standing) == (MET, NOT_MET)
    assert good.margin > bad.margin
    assert good.dimension == METRICS[metric].dimension.value


def test_quantiles_of_the_catalogue_are_better_when_lower():
    """A window keeps its largest values; from those only an upper bound can be taken."""
    assert all(m.better is Better.LOWER for m in METRICS.values() if m.kind is Kind.QUANTILE)


def test_rows_stand_in_the_thresholds_order_and_none_is_dropped(bench):
    conditions = [bench.condition(name) for name in reversed(METRICS)]
    rows = bench.rows([*conditions, conditions[0]], [])
    assert [row.metric for row in rows] == [*reversed(METRICS), next(reversed(METRICS))]


def test_confidence_is_the_thresholds(bench):
    piece = bench.evidence("evaluation.accuracy", Proportion(hits=242, total=250))
    assert bench.row(ACCURACY, piece, confidence=Quantity(80, "%")).standing is MET
    assert bench.row(ACCURACY, piece, confidence=Quantity(95, "%")).standing is INSUFFICIENT


def test_a_verdict_depends_on_nothing_but_its_arguments(bench):
    conditions, evidence = bench.all_met()
    threshold = bench.threshold(*conditions)
    first = judge(threshold, bench.release, evidence, bench.now)
    assert judge(threshold, bench.release, list(reversed(evidence)), bench.now) == first

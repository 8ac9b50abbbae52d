from __future__ import annotations

import pytest

from plimsoll.errors import InvalidFile, Problem
from plimsoll.model.manifest_reader import read_manifest
from plimsoll.model.metrics import METRICS, Dimension

CONDITIONS = 39  # the line of the key `conditions` in the example


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(InvalidFile) as caught:
        read_manifest(text, "plimsoll.yaml")
    return list(caught.value.problems)


def at(problem: Problem) -> tuple[int, int]:
    assert problem.where is not None
    return problem.where.line, problem.where.column


def with_conditions(example: str, *conditions: str) -> str:
    return example[: example.index("  conditions:")] + "  conditions:\n" + "".join(f"    - {c}\n" for c in conditions)


ENOUGH = (
    "stability.load >= 3x",
    "contracts.lost_records = 0",
    "organisation.accepted = 100%",
    "accountability.complete = 100%",
)


def test_one_condition_in_each_dimension_is_enough(example: str) -> None:
    assert len(read_manifest(with_conditions(example, *ENOUGH), "f").threshold.conditions) == 4


@pytest.mark.parametrize("dimension", list(Dimension))
def test_a_blind_side_is_refused_and_says_which_metrics_could_fill_it(example: str, dimension: Dimension) -> None:
    others = [c for c in ENOUGH if METRICS[c.split()[0]].dimension is not dimension]
    (problem,) = problems_of(with_conditions(example, *others))
    assert problem.code == "manifest.dimension"
    assert at(problem) == (CONDITIONS, 3)
    assert dimension.value in problem.message
    named = [m for m in METRICS.values() if m.name in problem.message]
    assert named
    assert {m.dimension for m in named} == {dimension}
    suggested = METRICS[problem.fix.removeprefix("add a condition, such as ").split()[0]]
    assert suggested.dimension is dimension
    assert suggested.measurable
    sentence = problem.fix.removeprefix("add a condition, such as ")
    read_manifest(with_conditions(example, *others, sentence), "f")


def test_a_threshold_of_nothing_lacks_all_four(example: str) -> None:
    found = problems_of(example[: example.index("  conditions:")] + "  conditions: []\n")
    assert [p.code for p in found] == ["manifest.dimension"] * 4


def test_a_misspelt_metric_is_not_also_a_missing_dimension(example: str) -> None:
    (problem,) = problems_of(with_conditions(example, *ENOUGH[:3], "acountability.complete = 100%"))
    assert problem.code == "manifest.condition"


def test_a_metric_this_version_cannot_measure_may_be_named(example: str) -> None:
    assert read_manifest(with_conditions(example, *ENOUGH, "rollout.drilled = 100%"), "f")


@pytest.mark.parametrize(
    ("first", "second", "word", "fix"),
    [
        ("stability.load >= 3x", "stability.load >= 3.0 x", "repeats", "remove it"),
        (
            "stability.load >= 3x",
            "stability.load >= 2x",
            "says otherwise",
            "keep the stricter one: stability.load >= 3x",
        ),
        ("stability.load >= 3x", "stability.load > 3x", "says otherwise", "keep the stricter one: stability.load > 3x"),
        (
            "stability.latency_p99 <= 1s",
            "stability.latency_p99 <= 500ms",
            "says otherwise",
            "keep the stricter one: stability.latency_p99 <= 500 ms",
        ),
        (
            "organisation.accepted = 100%",
            "organisation.accepted >= 90%",
            "says otherwise",
            "keep the stricter one: organisation.accepted = 100%",
        ),
    ],
)
def test_a_metric_has_one_condition(example: str, first: str, second: str, word: str, fix: str) -> None:
    rest = [c for c in ENOUGH if c.split()[0] != first.split(maxsplit=1)[0]]
    (problem,) = problems_of(with_conditions(example, first, *rest, second))
    assert problem.code == "manifest.condition-repeated"
    assert at(problem)[0] == CONDITIONS + 2 + len(rest)
    assert f"line {CONDITIONS + 1}" in problem.message
    assert word in problem.message
    assert problem.fix == fix


@pytest.mark.parametrize("limit", ["80%", "100%", "120%"])
def test_the_reviewers_load_may_have_a_limit_above_all_of_their_time(example: str, limit: str) -> None:
    """It is a share of what there is, and more can be asked than there is; at 100% it is a line like any other."""
    read_manifest(with_conditions(example, *ENOUGH, f"evaluation.review_load <= {limit}"), "f")


def test_contradictory_conditions_are_told_from_lax_ones(example: str) -> None:
    found = problems_of(with_conditions(example, *ENOUGH, "contracts.lost_records < 0"))
    assert any("contradicts" in p.message for p in found)


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        ("evaluation.accuracy >= 0%", "met by everything"),
        ("stability.error_rate <= 100%", "met by everything"),
        ("stability.error_rate <= 250%", "met by everything"),
        ("stability.degradation <= 0x", "never be met"),
        ("evaluation.accuracy > 100%", "never be met"),
        ("evaluation.accuracy >= 120%", "never be met"),
        ("evaluation.accuracy >= 100%", "never be met"),
        ("stability.error_rate <= 0%", "never be met"),
        ("stability.error_rate < 0%", "never be met"),
        ("stability.latency_p99 <= 0ms", "never be met"),
        ("stability.latency_p99 <= -5ms", "never be met"),
        ("rollout.drilled = 50%", "refuse a better figure"),
    ],
)
def test_a_limit_that_says_nothing_or_cannot_be_reached_is_no_line(example: str, condition: str, word: str) -> None:
    (problem,) = problems_of(with_conditions(example, *ENOUGH, condition))
    assert problem.code == "manifest.condition-limit"
    assert at(problem) == (CONDITIONS + 5, 7)
    assert word in problem.message


@pytest.mark.parametrize("consequence", ["financial", "legal", "health", "customer"])
def test_what_touches_people_is_never_automatic(example: str, consequence: str) -> None:
    text = example.replace(
        "{tier: human-only, consequence: legal,", f"{{tier: automatic, recoverable: true, consequence: {consequence},"
    )
    (problem,) = problems_of(text)
    assert problem.code == "manifest.automatic"
    assert at(problem) == (26, 65)
    assert consequence in problem.message


@pytest.mark.parametrize("consequence", ["none", "operational"])
def test_what_can_be_undone_and_touches_nobody_may_be_automatic(example: str, consequence: str) -> None:
    text = example.replace(
        "{tier: human-only, consequence: legal,", f"{{tier: automatic, recoverable: true, consequence: {consequence},"
    )
    assert read_manifest(text, "f")


def test_what_cannot_be_undone_is_never_automatic(example: str) -> None:
    (problem,) = problems_of(example.replace("human-only, consequence: legal,", "automatic, recoverable: false,"))
    assert (problem.code, at(problem)) == ("manifest.automatic", (26, 46))
    (problem,) = problems_of(example.replace("human-only, consequence: legal,", "automatic,"))
    assert (problem.code, at(problem)) == ("manifest.automatic", (26, 22))
    assert "nothing says" in problem.message


def test_held_work_needs_somebody_who_has_the_time(example: str) -> None:
    without = example.replace("review: {per_item: 20s, capacity: 6h}\n", "")
    (problem,) = problems_of(without)
    assert (problem.code, at(problem)) == ("manifest.review-capacity", (18, 11))
    nothing_held = without.replace(
        "    tier: reviewed\n    review_below: 90%\n    consequence: financial", "    tier: automatic"
    )
    nothing_held = "\n".join(line for line in nothing_held.split("\n") if "deny-claim" not in line)
    assert read_manifest(nothing_held, "f").review is None


def test_a_confidence_that_nothing_is_held_against_is_refused(example: str) -> None:
    (problem,) = problems_of(example.replace("human-only, cons", "human-only, review_below: 90%, cons"))
    assert (problem.code, at(problem)) == ("manifest.review-below", (26, 34))


def test_the_leader_sets_the_threshold(example: str) -> None:
    (problem,) = problems_of(
        example.replace("set_by: chief-operating-officer@example.org", "set_by: doc-ai@example.org")
    )
    assert (problem.code, at(problem)) == ("manifest.set-by", (36, 11))
    assert "chief-operating-officer@example.org" in problem.fix


def test_a_member_of_the_leaders_party_may_set_it(example: str) -> None:
    text = example.replace(
        "contact: chief-operating-officer@example.org}", "contact: board@example.org, members: [coo@example.org]}"
    )
    assert read_manifest(text.replace("set_by: chief-operating-officer@", "set_by: coo@"), "f")


def test_the_peak_is_not_below_an_ordinary_day(example: str) -> None:
    (problem,) = problems_of(example.replace("expected: 3000/day", "expected: 60/s"))
    assert (problem.code, at(problem)) == ("manifest.peak", (31, 30))


def test_a_rule_is_judged_although_another_part_cannot_be_read(example: str) -> None:
    text = example.replace("load: {peak: 50/s", "load: {peak: TBD").replace(
        "human-only, consequence: legal,", "automatic,"
    )
    assert {p.code for p in problems_of(text)} == {"manifest.unanswered", "manifest.automatic"}

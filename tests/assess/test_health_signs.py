"""Each sign speaks where it should and is silent where it should be; what they come to; and how often that is right."""

from __future__ import annotations

import doctest
import inspect
import random
import re
from pathlib import Path

import pytest
from assess import streams
from benchmarks import health_check as benchmark
from docs.pages import DOCS

from plimsoll.assess.health import places, signs, signs_of_origin, signs_of_time, signs_of_values
from plimsoll.assess.health.check import check_health
from plimsoll.assess.health.column import Column
from plimsoll.assess.health.moments import Fine
from plimsoll.assess.health.places import find_places
from plimsoll.assess.health.signs import SIGNS, sign, weigh
from plimsoll.model.health import Answer, Points

DAY = 86_400.0
NOW_NS = int(streams.NOW.timestamp() * 1e9)


def checked(tmp_path, lines, name="records.jsonl", **more):
    file = tmp_path / name
    file.write_text("\n".join(lines) + "\n")
    return check_health(find_places([file]), now_ns=NOW_NS, **more)


def names(found):
    return {(s.name, s.points) for s in found if s.weight}


def test_the_examples_in_the_docstrings_are_true():
    for module in (places, signs_of_time):
        assert doctest.testmod(module).failed == 0


class TestStreams:
    @pytest.mark.parametrize("seed", range(3))
    def test_records_of_a_running_system_are_taken_for_live(self, tmp_path, seed):
        question = checked(tmp_path, streams.live(seed=seed)).questions[0]
        assert question.answer is Answer.YES

    @pytest.mark.parametrize("make", [streams.prepared, streams.generated])
    @pytest.mark.parametrize("seed", range(3))
    def test_what_somebody_prepared_is_not(self, tmp_path, make, seed):
        question = checked(tmp_path, make(seed=seed)).questions[0]
        assert question.answer is Answer.NO

    def test_old_records_are_never_taken_for_a_connected_system(self, tmp_path):
        file = tmp_path / "old.jsonl"
        file.write_text("\n".join(streams.live()))
        check = check_health(find_places([file]), now_ns=NOW_NS + int(40 * DAY * 1e9))
        assert check.questions[0].answer is Answer.UNCLEAR
        assert ("fresh", Points.PREPARED) in names(check.sources[0].signs)

    def test_live_records_that_were_sorted_cleaned_and_cut_to_a_round_number_are_not_taken_for_live(self, tmp_path):
        """The commonest theatre: real records, made nice."""
        import json  # noqa: PLC0415

        records = [json.loads(line) for line in streams.live() if line.endswith("}")]
        nice = sorted((r for r in records if r["adjuster"]), key=lambda r: r["receivedAt"])[:1_000]
        for at, record in enumerate(nice):
            record["claimId"] = at + 1
            record.pop("form", None)
        question = checked(tmp_path, [json.dumps(r) for r in nice]).questions[0]
        assert question.answer is not Answer.YES


class TestWeighing:
    def test_a_side_has_to_be_heavier_by_two(self):
        live = [sign("ids", Points.LIVE, "", ""), sign("errors", Points.LIVE, "", "")]
        against = [sign("balance", Points.PREPARED, "", "", weight=2)]
        assert weigh(live, 100, fresh=True).answer is Answer.YES
        assert weigh([*live, *against], 100, fresh=True).answer is Answer.UNCLEAR
        assert weigh(against, 100, fresh=True).answer is Answer.NO
        assert weigh(live[:1], 100, fresh=True).answer is Answer.UNCLEAR
        assert weigh([], 100, fresh=True).answer is Answer.UNCLEAR

    def test_few_records_and_records_of_unknown_age_are_unclear(self):
        live = [sign(name, Points.LIVE, "", "") for name in ("ids", "errors", "versions")]
        assert weigh(live, 49, fresh=True).answer is Answer.UNCLEAR
        assert weigh(live, 100, fresh=None).answer is Answer.UNCLEAR
        assert weigh(live, 100, fresh=False).answer is Answer.UNCLEAR

    def test_one_sign_in_many_fields_counts_once(self):
        even = [sign("even-spread", Points.PREPARED, "", "", field=str(n)) for n in range(9)]
        assert weigh(even, 100, fresh=True).prepared == 1

    def test_every_sign_of_the_catalogue_is_given_by_some_function_and_names_its_source(self):
        source = "".join(inspect.getsource(m) for m in (signs_of_time, signs_of_origin, signs_of_values))
        assert {name for name in SIGNS if f'"{name}"' not in source} == set()
        assert all(about.source and about.looks for about in SIGNS.values())
        assert signs.LEAST_RECORDS == 50


class TestOfTime:
    def test_a_clock_chance_and_bursts_are_told_apart(self):
        r = random.Random(1)
        clock = [60.0 * n for n in range(500)]
        bursts, at = [], 0.0
        for _ in range(500):
            at += r.paretovariate(1.1)
            bursts.append(at)
        chance = sorted(r.uniform(0, 1e6) for _ in range(500))
        said = [signs_of_time.arrival_gaps(m, Fine.SECOND, field="at")[0].points for m in (clock, bursts, chance)]
        assert said == [Points.PREPARED, Points.LIVE, Points.NEITHER]
        assert signs_of_time.arrival_gaps(clock, Fine.DAY, field="at") == ()

    def test_nights_show_and_their_absence_too(self):
        r = random.Random(1)
        work = [DAY * r.randrange(10) + 3600 * r.randrange(8, 18) + r.uniform(0, 3600) for _ in range(2_000)]
        even = [r.uniform(0, 10 * DAY) for _ in range(2_000)]
        assert [s.points for s in signs_of_time.daily_rhythm(work, Fine.SECOND, field="at")] == [Points.LIVE]
        assert [s.points for s in signs_of_time.daily_rhythm(even, Fine.SECOND, field="at")] == [Points.PREPARED]
        assert [*signs_of_time.daily_rhythm(even[:100], Fine.SECOND, field="at")] == []

    def test_late_sorted_shuffled_and_corrected_records(self):
        r = random.Random(1)
        late = [float(n) for n in range(1_000)]
        late[100], late[101] = late[101], late[100]
        shuffled = r.sample(range(1_000), 1_000)
        newest_first = [float(n) for n in range(1_000, 0, -1)]
        said = {}
        for name, moments, changed in (("late", late, 0), ("sorted", sorted(late), 0), ("shuffled", shuffled, 0),
                                       ("back", newest_first, 0), ("corrected", sorted(late), 3)):  # fmt: skip
            (one,) = signs_of_time.late_or_corrected(moments, changed, 1_000, field="at")
            said[name] = one.points
        live, prepared = Points.LIVE, Points.PREPARED
        assert said == {"late": live, "sorted": prepared, "shuffled": prepared, "back": prepared, "corrected": live}

    def test_one_moment_for_all_is_an_export(self):
        moments = [1.0] * 60 + [float(n) for n in range(2, 42)]
        (one,) = signs_of_time.one_export_time(moments, Fine.SECOND, field="at")
        assert (one.points, one.weight) == (Points.PREPARED, 2)
        assert [*signs_of_time.one_export_time(moments, Fine.DAY, field="at")] == []

    def test_the_time_of_arrival_is_not_a_birthday_or_a_deadline(self):
        days = [f"2026-11-{1 + n % 28:02d}" for n in range(100)]
        columns = [Column(name, days) for name in ("birth_date", "due_date", "received_date", "updated")]
        assert signs_of_time.arrival_column(columns, 100).name == "received_date"


class TestOfOrigin:
    @pytest.mark.parametrize(
        ("ids", "points", "weight"),
        [
            (range(1, 301), Points.PREPARED, 2),
            (range(300), Points.PREPARED, 2),
            (range(7_001, 7_301), Points.PREPARED, 1),
            (range(7_000, 8_000, 3), Points.LIVE, 1),
        ],
    )
    def test_numbers_without_a_hole_were_given_to_the_sample(self, ids, points, weight):
        (one,) = signs_of_origin.numbered([*ids], field="id")
        assert (one.points, one.weight) == (points, weight)

    def test_several_forms_and_repeated_deliveries_are_signs_of_life(self):
        assert [s.points for s in signs_of_origin.versions({("a", "b"): 90, ("b", "a"): 10}, 100)] == [Points.NEITHER]
        assert [s.points for s in signs_of_origin.versions({("a",): 90, ("a", "b"): 10}, 100)] == [Points.LIVE]
        again = [*range(99), 1]
        assert [s.points for s in signs_of_origin.duplicates(again, named=True)] == [Points.LIVE]
        assert [s.points for s in signs_of_origin.duplicates(again, named=False)] == [Points.NEITHER]

    def test_a_round_number_is_somebodys_unless_we_chose_it(self):
        assert [s.points for s in signs_of_origin.round_count(500, cut_off=False)] == [Points.PREPARED]
        assert [*signs_of_origin.round_count(500, cut_off=True)] == []
        assert [*signs_of_origin.round_count(501, cut_off=False)] == []


class TestOfValues:
    def test_too_complete_and_too_balanced(self):
        assert [s.points for s in signs_of_values.missing_values(0, 10_000, fields=5)] == [Points.PREPARED]
        assert [s.points for s in signs_of_values.missing_values(1, 10_000, fields=5)] == [Points.LIVE]
        (one,) = signs_of_values.balance({"kind": {"a": 50, "b": 50, "c": 50}}, 150)
        assert (one.points, one.weight) == (Points.PREPARED, 2)

    def test_chance_is_not_taken_for_balance(self):
        """Of fields that are drawn by chance about one in a thousand may be called too even."""
        r = random.Random(5)
        called = 0
        for _ in range(1_000):
            counts = {}
            for _ in range(300):
                value = r.choice("abcd")
                counts[value] = counts.get(value, 0) + 1
            called += bool([*signs_of_values.balance({"kind": counts}, 300)])
        assert called <= 6

    def test_an_even_spread_is_told_from_what_work_looks_like(self):
        r = random.Random(1)
        even = [r.uniform(0, 100) for _ in range(1_000)]
        whole = [float(r.randrange(1, 101)) for _ in range(1_000)]
        skewed = [r.lognormvariate(3, 1) for _ in range(1_000)]
        assert [s.points for s in signs_of_values.even_spread(even, field="x")] == [Points.PREPARED]
        assert [s.points for s in signs_of_values.even_spread(whole, field="x")] == [Points.PREPARED]
        assert [*signs_of_values.even_spread(skewed, field="x")] == []

    def test_rounding_is_told_from_invention_and_from_chance(self):
        r = random.Random(1)
        chance = [r.randrange(100, 100_000) for _ in range(5_000)]
        rounded = [n if r.random() < 0.7 else n // 5 * 5 for n in chance]
        invented = [n if n % 5 else n + r.choice([1, 2, 3]) for n in chance]
        said = [
            [s.points for s in signs_of_values.last_digits(v, field="n", fields=1)] for v in (chance, rounded, invented)
        ]
        assert said == [[], [Points.LIVE], [Points.PREPARED]]

    def test_scaled_numbers_are_told(self):
        r = random.Random(1)
        raw = [[r.lognormvariate(3, 1) for _ in range(200)] for _ in range(3)]
        centred = [[x - sum(c) / len(c) for x in c] for c in raw]
        cut = [[round(x, 2) for x in c] for c in raw]
        said = [
            [
                (s.points, s.weight)
                for s in signs_of_values.computed([Column(f"c{n}", v) for n, v in enumerate(columns)])
            ]
            for columns in (centred, raw, cut)
        ]
        assert said == [[(Points.PREPARED, 2)], [(Points.PREPARED, 1)], []]

    def test_texts_of_one_length_come_from_a_template(self):
        r = random.Random(1)
        assert [s.points for s in signs_of_values.text_lengths([40, 41, 42] * 30, field="t")] == [Points.PREPARED]
        written = [int(r.lognormvariate(4, 1)) for _ in range(200)]
        assert [s.points for s in signs_of_values.text_lengths(written, field="t")] == [Points.LIVE]

    def test_examples_are_told_by_their_share(self):
        def said(n):
            column = Column("mail", [f"p{i}@example.org" if i < n else f"p{i}@mail.test" for i in range(1_000)])
            return [(s.points, s.weight) for s in signs_of_values.placeholders([column], 1_000)]

        assert [said(n) for n in (1, 10, 60)] == [[], [(Points.PREPARED, 1)], [(Points.PREPARED, 2)]]

    def test_texts_that_went_through_a_wrong_encoding_are_signs_of_life(self):
        broken = "Müller".encode().decode("cp1252")
        column = Column("name", ["Meier"] * 99 + [broken])
        assert [s.points for s in signs_of_values.encodings([column])] == [Points.LIVE]
        assert [*signs_of_values.encodings([Column("name", ["Müller", "Ångström"] * 50)])] == []


def test_the_table_of_the_documentation_is_that_of_the_code():
    """For the sets that are always there; the others need packages that are not."""
    page = (DOCS / "reference" / "health-check.md").read_text(encoding="utf-8")
    words = {Answer.YES: "live", Answer.NO: "prepared", Answer.UNCLEAR: "unclear"}
    for name, side, raw in benchmark.sklearn_sets():
        answer, prepared, live, records, _ = benchmark.judge(raw, name)
        assert f"| {name} | {side} | {records:,} | {prepared} | {live} | {words[answer]} |" in page


def test_every_code_of_a_finding_or_a_reason_stands_in_the_documentation():
    page = (DOCS / "reference" / "health-check.md").read_text(encoding="utf-8")
    source = "".join(f.read_text(encoding="utf-8") for f in Path(inspect.getfile(signs)).parent.glob("*.py"))
    codes = set(re.findall(r'"(health\.[a-z0-9-]+)"', source)) - {"health.html"}
    assert len(codes) > 40
    assert {code for code in codes if f"`{code}`" not in page} == set()


def test_public_data_sets_that_had_no_part_in_the_limits_are_judged_as_the_documentation_says():
    """Those that scikit-learn brings with it, all of them prepared: none is taken for live, and some are not recognised."""
    judged = {name: benchmark.judge(raw, name)[0] for name, _, raw in benchmark.sklearn_sets()}
    no, unclear = Answer.NO, Answer.UNCLEAR
    assert judged == {
        "scikit-learn/iris": no,
        "scikit-learn/digits": no,
        "scikit-learn/diabetes": no,
        "scikit-learn/wine": unclear,
        "scikit-learn/breast_cancer": unclear,
        "scikit-learn/diabetes, raw": unclear,
        "scikit-learn/linnerud": unclear,
    }

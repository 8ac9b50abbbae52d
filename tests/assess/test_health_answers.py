"""The four answers: what speaks for yes, what for no, and that whatever is unclear is no go."""

from __future__ import annotations

import json
import random
import re

import msgspec
import pytest
from assess import streams

from plimsoll.assess.health.check import check_health
from plimsoll.assess.health.column import Column
from plimsoll.assess.health.compare import compare
from plimsoll.assess.health.page import render_health
from plimsoll.assess.health.places import find_places
from plimsoll.contract import read_contract
from plimsoll.errors import InvalidFile
from plimsoll.model.health import Agreement, Answer, Apart, Asked, Standing
from plimsoll.model.health_page import read_health_page

NOW_NS = int(streams.NOW.timestamp() * 1e9)
PAGE = """\
health: 1
work:
  - role: Claims handlers
    agrees: head@example.org
    change: They decide the exceptions.
sources:
  claims:
    system: Claims mainframe
    since: 1994-05-01
    documentation: partial
    owner: {name: Mainframe team, contact: mainframe@example.org}
    lead_time: 60 days
"""
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: claims
version: 1.0.0
status: active
schema:
  - name: claim
    logicalType: object
    properties:
      - {name: claimId, logicalType: integer, required: true}
      - {name: receivedAt, logicalType: timestamp, required: true}
      - {name: channel, logicalType: string}
      - {name: amount, logicalType: number, logicalTypeOptions: {minimum: 0}}
      - {name: text, logicalType: string}
      - {name: adjuster, logicalType: string}
      - {name: form, logicalType: string}
"""
AGREED = Agreement(
    role="Claims handlers", contact="head@example.org", change="x", standing=Standing.AGREED, signed_ns=1
)


def written(path, lines):
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def checked(*files, live=(), contract=None, page=PAGE, agreements=(AGREED,), system="claims"):
    return check_health(
        find_places(files),
        now_ns=NOW_NS,
        live=find_places(live),
        contract_for=lambda _: None if contract is None else read_contract(contract, "c.yaml"),
        page=None if page is None else read_health_page(page, "health.yaml"),
        agreements=agreements,
        system=system,
    )


def reasons(check, asked):
    return {r.code: r for q in check.questions if q.asked is asked for r in q.reasons}


@pytest.fixture(scope="module")
def claims(tmp_path_factory):
    return written(tmp_path_factory.mktemp("health") / "claims.jsonl", streams.live())


class TestGo:
    def test_it_is_a_go_when_every_answer_is_yes(self, claims):
        check = checked(claims, contract=CONTRACT)
        assert [(q.asked.value, q.answer.value, q.said) for q in check.questions if q.answer is not Answer.YES] == []
        assert (check.go, check.no) == (True, False)
        assert check.sentence == "go: every question is answered with yes"

    @pytest.mark.parametrize(
        ("change", "asked"),
        [
            ({"contract": None}, Asked.REAL),
            ({"agreements": ()}, Asked.WORK),
            ({"agreements": (msgspec.structs.replace(AGREED, standing=Standing.UNSIGNED),)}, Asked.WORK),
            ({"agreements": (AGREED, msgspec.structs.replace(AGREED, standing=Standing.VOID))}, Asked.WORK),
            ({"page": None}, Asked.CONNECTED),
            ({"page": PAGE.replace("    lead_time: 60 days\n", "")}, Asked.CONNECTED),
            ({"page": PAGE + "  payments: {system: SAP}\n"}, Asked.CONNECTED),
        ],
    )
    def test_one_unclear_answer_is_no_go_and_no_no(self, claims, change, asked):
        check = checked(claims, **{"contract": CONTRACT} | change)
        assert (check.go, check.no) == (False, False)
        assert {q.asked for q in check.questions if q.answer is Answer.UNCLEAR} == {asked}
        assert check.sentence == f"no-go: '{asked.value}' is unclear"

    @pytest.mark.parametrize(
        ("change", "asked"),
        [
            ({"contract": CONTRACT.replace("minimum: 0", "minimum: 200")}, Asked.REAL),
            ({"contract": CONTRACT.replace("      - {name: form, logicalType: string}\n", "")}, Asked.REAL),
            ({"agreements": (AGREED, msgspec.structs.replace(AGREED, standing=Standing.REFUSED))}, Asked.WORK),
            ({"page": PAGE.replace("partial", "none")}, Asked.CONNECTED),
        ],
    )
    def test_one_no_is_a_no(self, claims, change, asked):
        check = checked(claims, **{"contract": CONTRACT} | change)
        assert (check.go, check.no) == (False, True)
        assert {q.asked for q in check.questions if q.answer is Answer.NO} == {asked}

    def test_an_agreement_without_a_ledger_is_none(self, claims):
        named = msgspec.structs.replace(AGREED, standing=Standing.UNSIGNED)
        check = checked(claims, contract=CONTRACT, agreements=(named,), system="")
        assert "without a manifest" in reasons(check, Asked.WORK)["health.unsigned"].said


class TestReal:
    def test_a_rate_of_broken_records_is_judged_by_its_bound(self, tmp_path):
        def answer(broken, total):
            lines = streams.prepared(total - broken) + ["{cut"] * broken
            check = checked(written(tmp_path / "records.jsonl", lines))
            return reasons(check, Asked.REAL)["health.unreadable"].answer

        assert answer(0, 100) is Answer.YES
        assert answer(3, 100) is Answer.UNCLEAR  # 3%, and it may be 7.6%
        assert answer(30, 1_000) is Answer.YES  # 3%, and at most 4.1%
        assert answer(100, 1_000) is Answer.NO

    def test_personal_data_without_a_classification_is_a_question(self, tmp_path):
        rows = [{"id": n, "contact": {"mail": f"ann{n}@mail.test"}, "note": "x"} for n in range(100)]
        file = written(tmp_path / "r.jsonl", rows)
        found = reasons(checked(file), Asked.REAL)["health.personal"]
        assert found.answer is Answer.UNCLEAR
        assert "contact.mail: email in 100 of 100 values" in found.said
        classified = CONTRACT.partition("    properties:")[0] + (
            "    properties:\n      - {name: id, logicalType: integer}\n      - {name: note, logicalType: string}\n"
            "      - name: contact\n        logicalType: object\n        classification: personal\n"
            "        properties: [{name: mail, logicalType: string}]\n"
        )
        assert reasons(checked(file, contract=classified), Asked.REAL)["health.personal"].answer is Answer.YES

    def test_no_value_that_looks_personal_is_written_anywhere(self, tmp_path):
        rows = [
            {"id": n, "mail": f"ann{n}@mail.test", f"bob{n}@mail.test": 1, "iban": "DE89370400440532013000"}
            for n in range(60)
        ]
        check = checked(written(tmp_path / "r.jsonl", rows), page=None)
        everything = msgspec.json.encode(check).decode() + render_health(check)
        assert re.findall(r"(?:ann|bob)\d+@|DE8937", everything) == []

    def test_what_a_contract_would_quarantine_is_learnt_from_one_half_and_tried_on_the_other(self, tmp_path):
        rows = [{"n": n, "kind": "a"} for n in range(200)] + [{"n": str(n), "kind": "a"} for n in range(200)]
        check = checked(written(tmp_path / "r.jsonl", rows))
        (found,) = check.sources
        assert (found.checked, found.broken, found.broken_by) == (200, 200, (("/n: type", 200),))

    def test_a_contract_is_held_against_rows_of_a_table_as_numbers_where_all_are(self, tmp_path):
        file = tmp_path / "claims.csv"
        file.write_text("claimId,amount,text\n" + "\n".join(f"{n},{n}.5,roof" for n in range(60)))
        contract = CONTRACT.replace("logicalType: timestamp, required: true", "logicalType: timestamp")
        (found,) = checked(file, contract=contract).sources
        assert (found.checked, found.broken) == (60, 0)

    def test_two_sources_that_define_a_field_differently_are_a_no(self, tmp_path):
        r = random.Random(1)
        euros = [
            {"amount": round(r.lognormvariate(5, 1), 2), "state": r.choice("ab"), "at": "2026-11-25", "no": n}
            for n in range(60)
        ]
        cents = [
            {
                "amount": round(r.lognormvariate(5, 1), 2) * 100,
                "state": r.choice("xy"),
                "at": "25.11.2026",
                "no": f"C{n}",
            }
            for n in range(60)
        ]
        check = checked(written(tmp_path / "a.jsonl", euros), written(tmp_path / "b.jsonl", cents))
        said = [r.said for q in check.questions for r in q.reasons if r.code == "health.conflict"]
        assert [re.search(r"'(\w+)'", text)[1] for text in said] == ["amount", "state", "at", "no"]
        same = checked(tmp_path / "a.jsonl", written(tmp_path / "c.jsonl", euros))
        assert "health.conflict" not in reasons(same, Asked.REAL)


class TestTwoSamples:
    def test_a_sample_that_is_unlike_the_live_records_is_a_no_whatever_its_signs(self, claims, tmp_path):
        records = [json.loads(line) for line in streams.live(seed=9) if line.endswith("}")]
        picked = [r for r in records if r["channel"] == "web" and r["adjuster"]]
        check = checked(written(tmp_path / "pilot.jsonl", picked), live=(claims,))
        different = {(d.field, d.of) for d in check.differences if d.apart is Apart.DIFFERENT}
        assert ("channel", "values") in different
        assert reasons(check, Asked.LIVE)["health.different"].answer is Answer.NO

    def test_a_fair_sample_is_alike_or_too_small_to_tell(self, claims, tmp_path):
        pilot = written(tmp_path / "pilot.jsonl", streams.live(seed=9))
        differences = checked(pilot, live=(claims,)).differences
        assert not [d for d in differences if d.apart is Apart.DIFFERENT]
        assert [d for d in differences if d.apart is Apart.ALIKE]
        few = written(tmp_path / "few.jsonl", random.Random(1).sample(streams.live(seed=9), 60))
        assert {d.apart for d in checked(few, live=(claims,)).differences} <= {Apart.UNCLEAR, Apart.ALIKE}

    def test_of_equal_samples_hardly_one_field_in_a_hundred_runs_is_called_different(self):
        """All intervals hold together at 95%, and a difference has to be larger than 0.1 besides."""
        r = random.Random(3)
        called = 0
        for _ in range(60):
            a, b = ([Column(f"f{k}", [r.gauss(0, 1) for _ in range(150)]) for k in range(8)] for _ in range(2))
            called += any(d.apart is Apart.DIFFERENT for d in compare(a, b))
        assert called == 0

    def test_live_records_that_cannot_be_compared_are_told(self, claims, tmp_path):
        two = [written(tmp_path / f"{name}.jsonl", streams.live(seed=9)) for name in "ab"]
        found = reasons(checked(*two, live=(claims,)), Asked.LIVE)["health.nothing-compared"]
        assert found.answer is Answer.UNCLEAR

    def test_a_field_that_only_one_of_them_has_is_a_difference_and_ids_are_none(self):
        a = [Column("id", [*range(100)]), Column("old", ["x"] * 100)]
        b = [Column("id", [*range(900, 1_000)]), Column("new", ["x"] * 100)]
        found = {(d.field, d.of): d.apart for d in compare(a, b)}
        assert found == {
            ("id", "missing"): Apart.ALIKE,
            ("old", "missing"): Apart.DIFFERENT,
            ("new", "missing"): Apart.DIFFERENT,
        }


class TestThePage:
    def test_it_says_the_answer_first_and_loads_nothing(self, claims, tmp_path):
        pilot = written(tmp_path / "pilot.jsonl", streams.prepared())
        check = checked(pilot, live=(claims,))
        text = render_health(check)
        assert text.index("no-go") < text.index("Live or theatre?") < text.index("What to do next")
        assert not re.search(r"<script|src=|href=|url\(|@import", text)
        assert "default-src 'none'" in text
        assert text == render_health(check)
        for question in check.questions:
            assert all(reason.said.split("`")[0][:30] in text.replace("&#39;", "'") for reason in question.reasons)

    def test_names_that_are_markup_are_escaped(self, tmp_path):
        evil = "<script>alert(1)</script>"
        file = written(tmp_path / "r.jsonl", [{evil: n, "a": 1} for n in range(60)])
        assert "<script" not in render_health(checked(file))


class TestTheHealthPage:
    def test_every_problem_is_named_with_its_place_and_the_word_that_was_meant(self):
        with pytest.raises(InvalidFile) as caught:
            read_health_page(
                PAGE.replace("role:", "rôle:").replace("partial", "partally").replace("60 days", "60"), "h.yaml"
            )
        found = {(p.code, p.where.line) for p in caught.value.problems}
        assert {("health.unknown-key", 3), ("health.word", 10), ("health.quantity", 12)} <= found

    def test_a_later_version_is_refused(self):
        with pytest.raises(InvalidFile, match="version 2 of this format"):
            read_health_page("health: 2\n", "h.yaml")

    def test_what_is_signed_changes_with_the_words(self):
        work = read_health_page(PAGE, "h").work[0]
        other = read_health_page(PAGE.replace("exceptions", "rest"), "h").work[0]
        assert work.digest != other.digest


def test_the_same_records_give_the_same_check(claims):
    one, two = (msgspec.json.encode(checked(claims)) for _ in range(2))
    assert one == two

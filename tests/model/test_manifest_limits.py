"""Knowledge, prices, budget and the governance page in a manifest."""

from __future__ import annotations

import jsonschema_rs
import pytest

from plimsoll.errors import InvalidFile, Problem
from plimsoll.model.manifest import Manifest
from plimsoll.model.manifest_reader import read_manifest
from plimsoll.model.manifest_schema import manifest_schema
from plimsoll.model.prices import PerTokens, WhenSpent
from plimsoll.model.yaml_source import load

LIMITS = """
governance: ../governance.yaml
knowledge:
  handbook: {owner: wiki@example.net, access: [staff, claims], max_age: 30 days, on_outdated: report}
  law: {owner: Legal library, access: [public]}
prices: {currency: EUR, per: 1M tokens, input: 2.50, output: "10.00", request: 0.001}
budget: {per_day: 50 EUR, when_spent: fallback}
"""


def read(example: str, limits: str = LIMITS) -> Manifest:
    return read_manifest(example + limits, "plimsoll.yaml")


def the_problem(text: str) -> Problem:
    with pytest.raises(InvalidFile) as caught:
        read_manifest(text, "plimsoll.yaml")
    (problem,) = caught.value.problems
    return problem


def test_they_are_read_as_written(example: str) -> None:
    manifest = read(example)
    assert manifest.governance == "../governance.yaml"
    assert (manifest.knowledge["handbook"].access, manifest.knowledge["law"].max_age) == (("staff", "claims"), None)
    assert manifest.prices is not None
    assert (str(manifest.prices.input), str(manifest.prices.output), manifest.prices.per) == (
        "2.5",
        "10.00",
        PerTokens.MILLION,
    )
    assert manifest.budget is not None
    assert (str(manifest.budget.per_day), manifest.budget.when_spent) == ("50 EUR", WhenSpent.FALLBACK)


def test_the_schema_takes_what_the_reader_takes(example: str) -> None:
    validator = jsonschema_rs.Draft7Validator(manifest_schema())
    assert list(validator.iter_errors(load(example + LIMITS, "f").data)) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "fix"),
    [
        ("access: [public]", "access: []", "manifest.empty", "labels"),
        ("access: [public]", "access: [Public Data]", "manifest.name", "write public-data"),
        ("on_outdated: report", "on_outdated: repot", "manifest.word", "did you mean 'report'?"),
        ("owner: Legal library", "owner: TBD", "manifest.unanswered", "name who"),
        ("currency: EUR", "currency: eur", "manifest.money", "write EUR"),
        ("input: 2.50", "input: -2.50", "manifest.money", "0 or more"),
        ("input: 2.50", "input: about two", "manifest.money", "2.50"),
        ("input: 2.50", "input: 0.12345678901234567", "manifest.money", "quotes"),
        ("per: 1M tokens", "per: 1m tokens", "manifest.word", "did you mean '1M tokens'?"),
        ("per_day: 50 EUR", "per_day: 50", "manifest.money", "write 50 EUR"),
        ("per_day: 50 EUR", "per_day: 50 USD", "manifest.budget", "write it in EUR"),
        ("per_day: 50 EUR", "per_day: 0 EUR", "manifest.budget", "may be spent"),
        ("when_spent: fallback", "when_spent: falback", "manifest.word", "did you mean 'fallback'?"),
        ("governance: ../governance.yaml", 'governance: ""', "manifest.empty", "write"),
    ],
)
def test_a_fault_is_named_with_what_to_do(example: str, old: str, new: str, code: str, fix: str) -> None:
    problem = the_problem(example + LIMITS.replace(old, new))
    assert problem.code == code
    assert fix in problem.fix


def test_a_budget_without_prices_counts_nothing(example: str) -> None:
    problem = the_problem(example + "budget: {per_day: 50 EUR}\n")
    assert (problem.code, "currency: EUR" in problem.fix) == ("manifest.budget", True)


def test_who_keeps_the_knowledge_is_about_people_and_what_holds_an_answer_about_the_release(example: str) -> None:
    plain, limited = read_manifest(example, "f"), read(example)

    def with_(old: str, new: str) -> Manifest:
        return read(example, LIMITS.replace(old, new))

    assert with_("wiki@example.net", "wiki2@example.net").release_part == limited.release_part
    assert with_("wiki@example.net", "wiki2@example.net").people_digest != limited.people_digest
    assert with_("30 days", "31 days").release_part != limited.release_part
    assert with_("50 EUR", "51 EUR").release_part != limited.release_part
    assert with_("input: 2.50", "input: 2.60").release_part == limited.release_part
    # Who declares none of it has the digests of before.
    assert not {"knowledge", "budget", "prices", "governance"} & set(plain.release_part)


def test_who_gets_the_answers_is_ruled_on_by_a_page_or_not_named(example: str) -> None:
    answers = example.replace("data:\n", "data:\n  answers: {to: customers, classification: internal}\n")
    found = read(answers).data.answers
    assert found is not None
    assert (found.to, str(found.classification)) == ("customers", "internal")
    assert the_problem(answers).code == "manifest.answers"
    assert read(answers).release_part != read(example).release_part

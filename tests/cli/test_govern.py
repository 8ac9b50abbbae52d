"""`plimsoll govern`: the page in words, one question, the exceptions."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.tiny_system import plimsoll

PAGE = (Path(__file__).parent.parent / "model" / "governance_example.yaml").read_text()


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "governance.yaml"
    # The days of the example pass; these do not while anybody runs this.
    text = PAGE.replace("2026-11-01", "2000-01-01").replace("2027-01-29", "9000-01-01")
    file.write_text(text.replace("longest: 90 days", "longest: 9000000 days"))
    return file


def test_show_prints_the_page(page):
    ran = plimsoll("govern", "show", str(page))
    assert (ran.code, ran.stderr) == (0, "")
    assert "1. May this data go there?" in ran.stdout
    assert "      eu-provider: needs an approval" in ran.stdout


@pytest.mark.parametrize(
    ("data", "to", "system", "code", "said"),
    [
        ("personal", "api.eu.example.com", "claims-reader", 0, "yes: cro@example.org approved it until 9000-01-01"),
        ("personal", "api.eu.example.com", "other", 3, "no: "),
        ("personal", "x.example.com", "other", 0, "yes: personal data is pseudonymised"),
        ("special", "own-network", "claims-reader", 3, "rule: data.special.own-network: forbidden"),
        ("public", "evil.test", "claims-reader", 3, "rule: destinations: unknown"),
        ("special", "in-process", "claims-reader", 0, "a person looks at the answer: review.data: special"),
    ],
)
def test_decide_answers_with_the_rule_and_an_exit_code(page, data, to, system, code, said):
    ran = plimsoll("govern", "decide", str(page), "--class", data, "--to", to, "--system", system)
    assert ran.code == code
    assert said in ran.stdout
    as_json = plimsoll("govern", "decide", str(page), "--class", data, "--to", to, "--system", system, "--json")
    assert as_json.code == code
    assert as_json.envelope["ok"] is as_json.data["allowed"] is (code == 0)
    assert as_json.data["rule"] in ran.stdout


def test_exceptions_lists_them_by_system(page):
    assert "current  claims-reader: personal to eu-provider" in plimsoll("govern", "exceptions", str(page)).stdout
    assert plimsoll("govern", "exceptions", str(page), "--system", "x").stdout == "There are none.\n"
    listed = plimsoll("govern", "exceptions", str(page), "--json").data["exceptions"]
    assert [(e["state"], e["system"], e["needed"]) for e in listed] == [("current", "claims-reader", True)]


def test_a_page_with_a_fault_is_shown_with_its_line(page):
    page.write_text(page.read_text().replace("undeclared: treat-as-personal", "undeclared: maybe"))
    ran = plimsoll("govern", "show", str(page))
    assert ran.code == 2
    assert "undeclared: maybe" in ran.stderr
    assert plimsoll("govern", "show", str(page.parent / "no.yaml")).code == 2


def test_a_word_that_is_no_class_is_a_usage_error(page):
    ran = plimsoll("govern", "decide", str(page), "--class", "secret", "--to", "x.test", "--system", "s")
    assert ran.code == 2

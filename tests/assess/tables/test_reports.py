"""A check as a page and as JUnit XML: everything is in it, and nothing of what came from outside is markup."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

from assess.tables.claims import check, contract, row, write_parquet

from plimsoll.assess.tables.junit import render_junit
from plimsoll.assess.tables.page import render_table

MORE = """\
  quality:
  - {type: custom, engine: soda, implementation: x}
  - {metric: rowCount, mustBe: 7, severity: warning}
"""
NASTY = "'<script>alert(1)</script>'"


def found(tmp_path):
    rows = f"{NASTY} AS id, 5000.0 AS amount, 'hidden thing' AS email, NULL AS day, 1 AS \"<b>\""
    file = write_parquet(tmp_path / "c.parquet", rows, "'C-\x01', 1.0, 'a@b.org', DATE '2026-01-02', 1")
    return check(file, of=contract(MORE), count_broken=True)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = set()
        self.text = ""

    def handle_starttag(self, tag, _attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data + " "


def test_the_page_says_it_first_lists_every_rule_and_lets_nothing_in(tmp_path):
    one = found(tmp_path)
    page = render_table(one, 1_767_571_200_000_000_000)
    tags = Tags()
    tags.feed(page)
    assert {"script", "img", "b", "link"} & tags.tags == set()
    said = f"{len(one.failed)} of {len(one.rules)} rules are broken; 2 of 2 rows break at least one."
    assert (said in tags.text, len(one.failed)) == (True, 4)
    assert "<script>alert(1)</script>" in tags.text
    assert "hidden thing" not in page
    for rule in one.rules:
        assert f">{rule.field}<".replace("<b>", "&lt;b&gt;") in page
    assert "it is written for another tool" in tags.text
    assert "warning: refuses nothing" in tags.text
    assert page == render_table(one, 1_767_571_200_000_000_000)


def test_a_page_of_a_clean_table_and_of_an_empty_one_say_so(tmp_path):
    clean = render_table(check(write_parquet(tmp_path / "c.parquet", row(1))), 0)
    assert "All 12 rules hold in 1 rows." in clean
    (tmp_path / "e.jsonl").write_text("\n")
    assert "broken" in render_table(check(tmp_path / "e.jsonl"), 0)


def test_junit_has_a_case_for_each_rule_and_fails_what_is_broken(tmp_path):
    one = found(tmp_path)
    suite = ET.fromstring(render_junit(one)).find("testsuite")
    assert (int(suite.get("failures")), int(suite.get("skipped")), int(suite.get("errors"))) == (len(one.failed), 1, 0)
    cases = {(c.get("classname"), c.get("name")): c for c in suite}
    assert len(cases) == int(suite.get("tests")) == len(one.rules) + 1
    failure = cases["claims.amount", "maximum"].find("failure")
    assert failure.get("message") == "1 of 2 rows; expected at most 1000"
    assert failure.text.endswith("c.parquet:1: 5000.0")
    assert cases["claims.amount", "maximum"].get("line") == "11"
    assert list(cases["claims.day", "type"]) == []
    assert cases["claims", "quality.rowCount"].find("system-out").text.startswith("it is 2; mustBe 7")
    assert cases["claims", "quality.custom"].find("skipped").get("message").startswith("not enforced here")
    assert "hidden thing" not in render_junit(one)
    (tmp_path / "bad.jsonl").write_text(json.dumps({"id": "C-1"})[:-3] + "\n")
    errors = ET.fromstring(render_junit(check(tmp_path / "bad.jsonl"))).find("testsuite").get("errors")
    assert errors == "1"

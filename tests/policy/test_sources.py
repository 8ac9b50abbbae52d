"""What follows from what an answer rests on: age, reach, conflict, declaration, and who asked."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy.a_page import NOW_NS

from plimsoll.model.cited import SourceFinding as Found
from plimsoll.model.knowledge import Knowledge, OnTrouble, Source
from plimsoll.model.principal import Principal
from plimsoll.model.quantity import Quantity
from plimsoll.policy.sources import SourcesRuling, SourcesVerdict, rule_on_sources, troubled

REPORT = dict.fromkeys(("on_outdated", "on_unreachable", "on_conflict"), OnTrouble.REPORT)
WIKI = Knowledge(owner="wiki@example.org", access=("staff",), max_age=Quantity.parse("30 days"))
KNOWLEDGE = {
    "wiki": WIKI,
    "lax": msgspec.structs.replace(WIKI, **REPORT),
    "web": Knowledge(owner="web@example.org", access=("public",)),
}
ANN = Principal("ann", frozenset({"staff", "claims"}))


def at(days_ago: float) -> str:
    return (dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC) - dt.timedelta(days=days_ago)).isoformat()


FRESH = at(1)


def rule(*sources, knowledge=None, principal=ANN) -> SourcesRuling:
    declared = KNOWLEDGE if knowledge is None else knowledge
    return rule_on_sources(sources, knowledge=declared, principal=principal, now_ns=NOW_NS)


def findings(ruling: SourcesRuling) -> list[tuple[Found, ...]]:
    return [c.findings for c in ruling.cited]


def test_a_fresh_open_declared_source_lets_the_answer_go():
    ruling = rule({"name": "wiki", "document": "p. 7", "updated": FRESH, "quote": "secret words", "score": 0.7})
    assert (ruling.verdict, ruling.why, findings(ruling)) == (SourcesVerdict.DELIVER, "", [()])
    assert "secret words" not in repr(ruling)


def test_a_text_a_source_and_an_object_are_the_same():
    for source in ("web", Source(name="web"), {"name": "web"}):
        assert rule(source).verdict is SourcesVerdict.DELIVER


@pytest.mark.parametrize(
    ("updated", "why"),
    [
        (at(31), "31 days old"),
        ("", "does not say"),
        ("yesterday", "no known form"),
        ("2026-11-24", "no known form"),
        ("2026-11-24T12:00:00", "no known form"),
        (at(-1), "ahead of now"),
        ("0001-01-01T00:00:00+23:59", "days old"),
    ],
)
def test_an_outdated_or_undatable_document_holds_the_answer(updated, why):
    ruling = rule({"name": "wiki", "updated": updated})
    assert (ruling.verdict, findings(ruling)) == (SourcesVerdict.HOLD, [(Found.OUTDATED,)])
    assert why in ruling.why
    assert rule({"name": "lax", "updated": updated}).verdict is SourcesVerdict.DELIVER


@pytest.mark.parametrize(
    "updated", [at(29.9), FRESH.replace("+00:00", "Z"), FRESH.replace("+00:00", "z").replace("T", "t"), at(-0.003)]
)
def test_a_document_within_its_age_is_not_outdated(updated):
    assert rule({"name": "wiki", "updated": updated}).verdict is SourcesVerdict.DELIVER


def test_where_no_age_is_declared_none_is_looked_at():
    assert rule({"name": "web", "updated": at(9999)}).verdict is SourcesVerdict.DELIVER


def test_an_unreachable_source_holds_or_is_reported():
    assert findings(rule({"name": "wiki", "reachable": False})) == [(Found.UNREACHABLE,)]
    assert rule({"name": "wiki", "reachable": False}).verdict is SourcesVerdict.HOLD
    lax = rule({"name": "lax", "reachable": False})
    assert (lax.verdict, len(list(troubled(lax)))) == (SourcesVerdict.DELIVER, 1)


def test_two_sources_that_state_different_values_are_in_conflict():
    def stating(name, **states):
        return {"name": name, "updated": FRESH, "states": states}

    ruling = rule(stating("wiki", limit=500), stating("web", limit=400, other=1), stating("lax", limit=500))
    assert ruling.verdict is SourcesVerdict.HOLD
    assert findings(ruling) == [(Found.CONFLICTING,)] * 3
    assert [c.disputed for c in ruling.cited] == [("limit",)] * 3
    assert rule(stating("lax", limit=1), stating("lax", limit=2)).verdict is SourcesVerdict.DELIVER
    assert rule(stating("wiki", limit=500), stating("web", limit=500.0)).verdict is SourcesVerdict.DELIVER
    assert rule(stating("wiki", limit=1), stating("web", limit=True)).verdict is SourcesVerdict.HOLD
    assert rule(stating("wiki", limit=1), {"name": "lax", "reachable": False, "states": {"limit": 2}}).verdict is (
        SourcesVerdict.DELIVER
    )


def test_an_undeclared_source_holds_the_answer_where_knowledge_is_declared():
    assert findings(rule("blog")) == [(Found.UNDECLARED,)]
    assert rule("blog").verdict is SourcesVerdict.HOLD
    assert "blog" not in rule("blog").why  # a target can put anything there
    assert rule("blog", knowledge={}).verdict is SourcesVerdict.DELIVER


@pytest.mark.parametrize("principal", [None, Principal("bob"), Principal("bob", frozenset({"hr"}))])
def test_what_is_closed_to_the_caller_refuses_the_answer(principal):
    ruling = rule("web", {"name": "wiki", "updated": FRESH, "document": "payroll"}, principal=principal)
    assert ruling.verdict is SourcesVerdict.REFUSE
    assert "payroll" not in ruling.why
    assert rule("web", principal=principal).verdict is SourcesVerdict.DELIVER


def test_the_label_of_a_document_comes_before_that_of_its_knowledge():
    closed = {"name": "wiki", "updated": FRESH, "access": "board"}
    assert rule(closed).verdict is SourcesVerdict.REFUSE
    assert rule(closed, principal=Principal("cy", frozenset({"board"}))).verdict is SourcesVerdict.DELIVER
    assert rule({"name": "x", "access": "board"}, knowledge={}).verdict is SourcesVerdict.REFUSE
    assert rule({"name": "x", "access": "public"}, knowledge={}, principal=None).verdict is SourcesVerdict.DELIVER


def test_refusing_goes_before_holding():
    ruling = rule("blog", {"name": "wiki", "updated": at(99)}, principal=None)
    assert ruling.verdict is SourcesVerdict.REFUSE
    assert findings(ruling)[1] == (Found.NOT_PERMITTED, Found.OUTDATED)


@pytest.mark.parametrize(
    "source",
    [None, 7, ["wiki"], {}, {"name": 7}, {"name": "wiki", "updated": 7}, {"name": "wiki", "states": []},
     Source(name=7), Source(name="wiki", access=None), object()],
)  # fmt: skip
def test_a_source_that_cannot_be_read_holds_the_answer(source):
    assert rule(source).verdict is SourcesVerdict.HOLD
    assert findings(rule(source)) == [(Found.UNREADABLE,)]
    assert rule(source, knowledge={}).verdict is SourcesVerdict.DELIVER


class Breaks(dict):
    def get(self, *_):
        raise RuntimeError("x")

    __iter__ = items = keys = get


def test_whatever_goes_wrong_the_answer_stays():
    assert rule({"name": "wiki", "updated": FRESH, "states": {"a": object()}}).verdict is not SourcesVerdict.DELIVER
    assert rule_on_sources(7, knowledge=KNOWLEDGE, principal=ANN, now_ns=NOW_NS).verdict is SourcesVerdict.REFUSE
    assert rule("web", knowledge=Breaks(web=1)).verdict is SourcesVerdict.REFUSE


@given(
    sources=st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["wiki", "lax", "web", "other"])},
            optional={
                "access": st.sampled_from(["", "staff", "board", "public"]),
                "updated": st.sampled_from([FRESH, at(60), "", "x"]),
                "reachable": st.booleans(),
                "states": st.dictionaries(st.sampled_from("kl"), st.integers(0, 1)),
            },
        ),
        max_size=6,
    ),
    labels=st.frozensets(st.sampled_from(["staff", "board"])),
)
def test_an_answer_never_reaches_who_may_not_see_a_source(sources, labels):
    ruling = rule(*sources, principal=Principal("p", labels))
    for source in sources:
        needed = {source.get("access")} if source.get("access") else set(KNOWLEDGE.get(source["name"], WIKI).access)
        if source["name"] == "other" and not source.get("access"):
            needed = {"public"}
        if not needed & (labels | {"public"}):
            assert ruling.verdict is SourcesVerdict.REFUSE
    assert len(ruling.cited) == len(sources)

"""What waits in quarantine, in groups: counted while it is folded, and exact whatever becomes of the records."""

from __future__ import annotations

import collections

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plimsoll.guard.quarantine import discard, grouped, quarantined, replay
from plimsoll.guard.quarantine_view import QuarantineView, group_id, reason_text, totals_of, waiting_in
from plimsoll.model.canonical import digest_bytes
from plimsoll.model.decision import Disposition, Reason

GOOD = b'{"claim_id": "c-1", "amount": 12.5}'
OP = "op@example.org"


def echo(record):
    return {"amount": record["amount"]}


def put(guard, raw, **more):
    answer = guard.decide("read", raw, **more)
    assert answer.disposition is Disposition.QUARANTINED
    return answer.record


@pytest.mark.parametrize(
    ("raw", "state"),
    [(b'{"amount": 1}', "parsed"), (b"{", "unparseable"), (b'"' + b"x" * (1 << 20) + b'"', "unread")],
    ids=["parsed", "cut", "large"],
)
def test_each_record_tells_where_it_came_from_and_what_it_was_held_against(open_guard, ledger, raw, state):
    record = put(open_guard(echo), raw, source="counter", offset="counter.jsonl:17")
    (found,) = quarantined(ledger)
    assert (found.record, found.offset, found.parse, found.source) == (record, "counter.jsonl:17", state, "counter")
    assert found.contract.startswith("claim sha256:")
    assert found.contract_version == "1.0.0"
    assert (found.size, found.digest) == (len(raw), digest_bytes(raw))
    assert found.time_ns > 0


def test_a_place_in_a_feed_is_cut_before_it_becomes_a_second_record(open_guard, ledger):
    put(open_guard(echo), b"{", offset="x" * 10_000)
    (found,) = quarantined(ledger)
    assert len(found.offset) == 200


def test_the_place_in_a_list_makes_no_group_of_its_own():
    reason = msgspec.convert(
        {"fault": "missing", "path": "/items/3/prices/12", "rule": "required", "expected": "", "found": ""},
        type=Reason,
    )
    assert reason_text(reason) == "/items/*/prices/*: missing (required)"


RAW = st.sampled_from(
    [b"{", b"{}", b'{"amount": 1}', b'{"claim_id": 7, "amount": "x"}', b'{"claim_id": "c", "amount": -1}']
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "put", "mend", "same", "discard"]), RAW, st.sampled_from(["a", "b"]), st.integers(0, 9)),
    max_size=25,
)  # fmt: skip


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS, at=st.integers(0, 25))
def test_the_counts_are_those_of_a_scan(open_guard, ledger, steps, at):
    guard = open_guard(echo)
    for number, (step, raw, source, which) in enumerate(steps):
        open_ones = [q.record for q in quarantined(ledger)]
        if step == "put":
            put(guard, raw, source=source)
        elif open_ones and step == "discard":
            discard(ledger, "claims", open_ones[which % len(open_ones)], by=OP, reason="a test")
        elif open_ones:
            replay(guard, open_ones[which % len(open_ones)], by=OP, fixed=GOOD if step == "mend" else None)
        if number == at:
            ledger.view(QuarantineView())  # folded in parts, at any place
    counts, first = collections.Counter(), {}
    for record in quarantined(ledger):
        for text in {reason_text(r) for r in record.reasons}:
            counts[record.source, text] += 1
            first.setdefault((record.source, text), record.record)
    groups = grouped(ledger, system="claims")
    assert {(g.source, g.reason): g.count for g in groups} == counts
    assert {(g.source, g.reason): g.example for g in groups} == first
    assert [g.count for g in groups] == sorted((g.count for g in groups), reverse=True)
    view = ledger.view(QuarantineView())
    for group in groups:
        assert group.group == group_id(group.source, group.reason)
        waiting = list(waiting_in(view, "claims", group.group))
        assert waiting[0] == (group.example, False)
        assert len(waiting) == group.count
    totals = totals_of(view, "claims")
    assert totals.records == collections.Counter(q.status for q in quarantined(ledger, status=None))
    assert totals.bytes == sum(q.size for q in quarantined(ledger))

"""A group of quarantined records is mended and sent through again at once, and each of them is decided once."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from guard.conftest import CLAIM

from plimsoll.contract import compile_contract, read_contract
from plimsoll.contract.patch import parse_patch
from plimsoll.errors import Conflict, InputError
from plimsoll.guard.quarantine import find_quarantined, grouped, quarantined, replay
from plimsoll.guard.quarantine_group import Fix, discard_group, mended, preview, replay_group
from plimsoll.guard.quarantine_records import DISCARDED, RUN, RUN_ENDED, Run
from plimsoll.guard.quarantine_turn import Turn
from plimsoll.guard.quarantine_view import QuarantineView, state_of
from plimsoll.guard.since import said_since
from plimsoll.ledger import Ledger, Release
from plimsoll.model.canonical import digest_bytes
from plimsoll.model.decision import DecisionRecord, Disposition

OP = "op@example.org"
TEXT = '[{"op": "test", "path": "/amount", "value": "x"}, {"op": "replace", "path": "/amount", "value": 7}]'
FIX = Fix(patch=parse_patch(TEXT.encode()), text=TEXT)
AS_IT_CAME = Fix()


def echo(record):
    return {"amount": record["amount"]}


def put(guard, raw, **more):
    answer = guard.decide("read", raw, **more)
    assert answer.disposition is Disposition.QUARANTINED
    return answer.record


def wrong(number, amount='"x"'):
    return b'{"claim_id": "c-%d", "amount": %s}' % (number, amount.encode())


def decisions(ledger):
    return [e for e in ledger.entries(kinds=("decision",)) if e.header.disposition != "quarantined"]


def only_group(ledger):
    (group,) = grouped(ledger, system="claims")
    return group.group


def test_each_is_mended_decided_and_closed_by_who_did_it(open_guard, ledger):
    guard = open_guard(echo)
    records = [put(guard, wrong(n), source="counter", offset=f"counter.jsonl:{n}") for n in range(7)]
    outcome = replay_group(guard, only_group(ledger), FIX, by=OP, batch=3)
    assert (outcome.waiting, outcome.ended, outcome.stopped) == (7, {"answered": 7}, "")
    closed = list(quarantined(ledger, status="fixed"))
    assert [q.record for q in closed] == records
    assert {(q.by, q.run) for q in closed} == {(OP, outcome.run)}
    assert not grouped(ledger)
    for was in closed:
        entry = ledger.get(was.became)
        kept = msgspec.json.decode(ledger.body(entry), type=DecisionRecord)
        assert entry.refs == (was.record, outcome.run)
        assert (kept.replay_of, kept.source, kept.offset) == (was.record, "counter", was.offset)
        assert msgspec.json.decode(kept.input_json)["amount"] == 7


def test_whoever_reads_the_record_again_is_told_what_became_of_it(open_guard, ledger):
    guard = open_guard(echo)
    mended, thrown = put(guard, wrong(1)), put(guard, b"{")
    assert said_since(ledger, mended) == ()
    groups = {g.example: g.group for g in grouped(ledger)}
    replay_group(guard, groups[mended], FIX, by=OP)
    discard_group(ledger, "claims", groups[thrown], by=OP, reason="cut")
    (closed,) = quarantined(ledger, status="fixed")
    (said,) = said_since(ledger, mended)
    assert (said.kind, said.entry) == ("quarantine.replayed", closed.became)
    assert [s.kind for s in said_since(ledger, thrown)] == ["quarantine.discarded"]


def test_what_was_done_is_on_record_before_the_first_decision_and_after_the_last(open_guard, ledger):
    guard = open_guard(echo)
    put(guard, wrong(1))
    outcome = replay_group(guard, only_group(ledger), FIX, by=OP)
    (began,) = ledger.entries(kinds=(RUN,))
    assert began.id == outcome.run
    assert began.sealed, "a patch may hold values of records"
    run = msgspec.json.decode(ledger.body(began), type=Run)
    assert (run.by, run.patch, run.waiting) == (OP, TEXT, 1)
    assert (run.contract_version, run.release) == ("1.0.0", guard.settings.release)
    assert run.contract == guard.checker_of("").label
    (ended,) = ledger.entries(kinds=(RUN_ENDED,))
    assert ended.refs == (began.id,)
    assert msgspec.json.decode(ledger.body(ended))["ended"] == {"answered": 1}
    in_view = b"".join(value for _, value in ledger.view(QuarantineView()).scan("u/"))
    assert TEXT.encode() not in in_view
    assert digest_bytes(TEXT.encode()).encode() in in_view


def test_twice_gives_one_decision_each(open_guard, ledger):
    guard = open_guard(echo)
    for n in range(5):
        put(guard, wrong(n))
    group = only_group(ledger)
    replay_group(guard, group, FIX, by=OP)
    with pytest.raises(InputError, match=f"no quarantined records wait in a group '{group}'"):
        replay_group(guard, group, FIX, by=OP)
    assert len(decisions(ledger)) == 5


def test_as_they_came_once_their_contract_has_changed(open_guard, ledger):
    put(open_guard(echo), wrong(1))
    lax = open_guard(echo, contract=CLAIM.replace("logicalType: number, required: true", "required: true"))
    assert replay_group(lax, only_group(ledger), AS_IT_CAME, by=OP).ended == {"answered": 1}
    assert [q.status for q in quarantined(ledger, status=None)] == ["replayed"], "it was not mended"


def test_what_would_break_as_before_is_counted_and_leaves_no_entry(open_guard, ledger):
    guard = open_guard(echo)
    put(guard, wrong(1))
    put(guard, b'{"claim_id": 7, "amount": "x"}')
    put(guard, b'{"claim_id": "c", "amount": "y"}')
    before = len(list(ledger.entries(kinds=("decision",))))
    group = next(g for g in grouped(ledger) if g.reason.startswith("/amount"))
    outcome = replay_group(guard, group.group, FIX, by=OP)
    assert (outcome.ended, outcome.still_broken, outcome.not_patched) == ({"answered": 1}, 1, 1)
    assert len(list(ledger.entries(kinds=("decision",)))) == before + 1
    assert len(list(quarantined(ledger))) == 2


def test_no_patch_applies_to_what_is_no_json(open_guard, ledger):
    guard = open_guard(echo)
    put(guard, b"{")
    assert replay_group(guard, only_group(ledger), FIX, by=OP).not_patched == 1
    assert len(list(quarantined(ledger))) == 1


def test_a_target_that_is_down_is_not_asked_about_all(open_guard, ledger):
    guard = open_guard(lambda _: 1 / 0)
    for n in range(130):
        put(guard, wrong(n))
    outcome = replay_group(guard, only_group(ledger), FIX, by=OP)
    assert outcome.ended == {"failed": 100}
    assert "100 in a row were failed" in outcome.stopped
    assert len(list(quarantined(ledger))) == 130
    again = replay_group(open_guard(echo), only_group(ledger), FIX, by=OP)
    assert again.ended == {"answered": 130}


def test_one_that_a_replay_had_decided_is_closed_and_not_decided_again(open_guard, ledger):
    guard = open_guard(echo)
    record = put(guard, wrong(1))
    put(guard, wrong(2))
    decided = guard.decide("read", wrong(1, "3"), key=f"replay:{record}:0", replay_of=record)  # and then it died
    group = only_group(ledger)
    assert discard_group(ledger, "claims", group, by=OP, reason="x") == 1, "what is decided is not discarded"
    outcome = replay_group(guard, group, FIX, by=OP)
    assert (outcome.already, outcome.ended) == (1, {})
    (closed,) = quarantined(ledger, status="fixed")
    assert (closed.became, closed.by) == (decided.record, OP)


def test_a_person_is_erased_with_what_became_of_their_record(open_guard, ledger):
    guard = open_guard(echo)
    put(guard, wrong(1), subject="ada")
    put(guard, wrong(2), subject="grace")
    group = only_group(ledger)
    ledger.erase("ada", by=OP, reason="asked for")
    outcome = replay_group(guard, group, FIX, by=OP)
    assert outcome.ended == {"answered": 1}
    (closed,) = quarantined(ledger, status="fixed")
    entry = ledger.get(closed.became)
    assert ledger.subject_of(entry) == "grace"
    ledger.erase("grace", by=OP, reason="asked for")
    with pytest.raises(Exception, match="erased"):
        ledger.body(entry)
    assert {q.status for q in quarantined(ledger, status=None)} == {"erased", "replayed"}


def test_a_group_is_discarded_in_parts_with_its_reason(open_guard, ledger):
    guard = open_guard(echo)
    records = [put(guard, wrong(n)) for n in range(7)]
    other = put(guard, b"{")
    group = next(g.group for g in grouped(ledger) if g.count == 7)
    assert discard_group(ledger, "claims", group, by=OP, reason=" a test of the sender ", batch=3) == 7
    found = {q.record: (q.status, q.by, q.why) for q in quarantined(ledger, status=None)}
    assert {found[r] for r in records} == {("discarded", OP, "a test of the sender")}
    assert found[other][0] == "new"
    assert [len(e.refs) for e in ledger.entries(kinds=(DISCARDED,))] == [3, 3, 1]
    with pytest.raises(InputError, match="is discarded already"):
        replay(guard, records[0], by=OP)


def test_no_group_is_discarded_without_a_reason(open_guard, ledger):
    put(open_guard(echo), wrong(1))
    with pytest.raises(InputError, match="for a reason"):
        discard_group(ledger, "claims", only_group(ledger), by=OP, reason=" ")


class TestPreview:
    def test_it_counts_all_shows_some_and_writes_nothing(self, open_guard, ledger):
        guard = open_guard(echo)
        for n in range(4):
            put(guard, wrong(n))
        put(guard, b'{"claim_id": 7, "amount": "x"}')
        put(guard, b'{"claim_id": "c", "amount": "y"}')
        group = next(g.group for g in grouped(ledger) if g.reason.startswith("/amount"))
        sizes = ledger.reader.sizes()
        seen = preview(ledger, "claims", group, FIX, guard.checker_of(""), samples=2)
        assert ledger.reader.sizes() == sizes
        assert (seen.waiting, seen.would_pass, seen.still_broken, seen.not_patched) == (6, 4, 1, 1)
        assert seen.reasons == {
            "/claim_id: wrong-type (type)": 1,
            "test /amount: another value is there": 1,
        }
        assert [(s.before, s.after) for s in seen.samples] == [
            (f'{{"claim_id": "c-{n}", "amount": "x"}}', f'{{"claim_id":"c-{n}","amount":7}}') for n in range(2)
        ]

    def test_it_says_what_the_replay_then_does(self, open_guard, ledger):
        guard = open_guard(echo)
        for n in range(4):
            put(guard, wrong(n, '"x"' if n % 2 else "-1"))
        group = next(g.group for g in grouped(ledger) if "type" in g.reason)
        seen = preview(ledger, "claims", group, FIX, guard.checker_of(""), samples=9)
        done = replay_group(guard, group, FIX, by=OP)
        assert (seen.would_pass, seen.still_broken, seen.not_patched) == (
            done.ended["answered"],
            done.still_broken,
            done.not_patched,
        )

    def test_under_another_contract(self, open_guard, ledger):
        put(open_guard(echo), wrong(1))
        lax = compile_contract(read_contract(CLAIM.replace("logicalType: number, ", ""), "lax.odcs.yaml"))
        assert preview(ledger, "claims", only_group(ledger), AS_IT_CAME, lax, samples=0).would_pass == 1


def test_whole_numbers_beyond_64_bits_survive_a_patch():
    big = 10**30
    kept = DecisionRecord(
        release="r", disposition=Disposition.QUARANTINED, input=msgspec.Raw(b'{"n": %d, "amount": "x"}' % big)
    )
    given, why = mended(kept, FIX)
    assert (given, why) == (b'{"n":%d,"amount":7}' % big, "")


class TestOneAtATime:
    def test_who_comes_second_is_told(self, open_guard, ledger):
        guard = open_guard(echo)
        put(guard, wrong(1))
        with (
            Turn(ledger, "claims"),
            pytest.raises(Conflict, match="somebody else"),
            Turn(ledger, "claims", wait_s=0.05),
        ):
            pass
        with Turn(ledger, "claims", wait_s=0):
            pass

    def test_of_two_systems_each_has_its_own(self, ledger):
        with Turn(ledger, "claims"), Turn(ledger, "other", wait_s=0):
            pass

    def test_the_turn_of_a_process_that_died_is_taken_over(self, tmp_path):
        script = (
            "import os, sys; from plimsoll.ledger import Ledger; from plimsoll.guard.quarantine_turn import Turn\n"
            "Turn(Ledger.open(sys.argv[1]), 'claims').__enter__(); os.kill(os.getpid(), 9)"
        )
        path = tmp_path / "ledger.db"
        assert subprocess.run([sys.executable, "-c", script, path], timeout=30, check=False).returncode == -9
        with Ledger.open(path) as ledger, Turn(ledger, "claims", wait_s=0) as turn:
            ledger.transact((), (turn.op,))

    def test_who_has_lost_it_records_what_was_asked_and_goes_no_further(self, open_guard, ledger):
        """The lease ran out in a call that took longer: the target was asked, so the decision is on record."""
        slept = []

        def robbed(record):
            if not slept:
                slept.append(1)
                held = ledger.reservation("quarantine.turn:claims", "turn")
                ledger.apply((Release(space=held.space, key=held.key, fence=held.fence),))
            return record["amount"]

        guard = open_guard(robbed)
        for n in range(4):
            put(guard, wrong(n))
        with pytest.raises(Conflict, match="meanwhile"):
            replay_group(guard, only_group(ledger), FIX, by=OP, batch=2)
        assert len(decisions(ledger)) == 2
        assert len(list(quarantined(ledger))) == 2


def test_folded_anew_it_is_the_same_whatever_order_the_streams_have(open_guard, tmp_path):
    """Streams are folded one after the other: a replay can be folded before what it replays."""
    path = tmp_path / "shared.db"
    with Ledger.open(path) as early, Ledger.open(path) as late:
        guard = open_guard(echo, ledger=early)
        put(guard, b"{")
        theirs = open_guard(echo, ledger=late)
        for n in range(6):
            put(theirs, wrong(n))
        late.view(QuarantineView())
        group = next(g.group for g in grouped(early) if g.count == 6)
        replay_group(guard, group, FIX, by=OP)
        discard_group(early, "claims", only_group(early), by=OP, reason="cut")
        before = dict(early.view(QuarantineView()).scan(""))
        early.rebuild(QuarantineView())
        assert dict(early.view(QuarantineView()).scan("")) == before
        assert {q.status for q in quarantined(early, status=None)} == {"fixed", "discarded"}
        for record in quarantined(early, status=None):
            assert state_of(early.view(QuarantineView()), record.record).record is not None
            assert find_quarantined(early, record.record)
        for each in (guard, theirs):  # before their ledgers: what changed at the source is still to be written
            each.close()

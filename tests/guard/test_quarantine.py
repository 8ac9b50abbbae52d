"""Quarantine: nothing that could not be processed is lost, and each record is decided once, whatever breaks off."""

from __future__ import annotations

import json
import threading
import time

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plimsoll.contract import compile_contract, read_contract
from plimsoll.errors import InputError, UsageError, VerificationFailed
from plimsoll.guard import Guard, GuardedType, GuardSettings, PythonTarget
from plimsoll.guard.quarantine import (
    DISCARDED,
    REPLAYED,
    Closed,
    QuarantineView,
    discard,
    find_quarantined,
    grouped,
    original_bytes,
    quarantined,
    replay,
)
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.decision import DecisionRecord, Disposition, Tier

GOOD = b'{"claim_id": "c-1", "amount": 12.5}'
BROKEN = b'{"claim_id": "c-1", "amo'
OP = "op@example.org"


def echo(record):
    return {"amount": record["amount"]}


def put(guard, raw=BROKEN, **more):
    answer = guard.decide("read", raw, **more)
    assert answer.disposition is Disposition.QUARANTINED
    return answer.record


def only(ledger, status="new"):
    (found,) = quarantined(ledger, status=status)
    return found


def decisions(ledger):
    return list(ledger.entries(kinds=("decision",)))


class TestWhatIsKept:
    @pytest.mark.parametrize(
        "raw",
        [
            BROKEN,
            b"",
            b"\xff\xfe\x00\x01",
            b"\x00" * 100,
            b'{"claim_id": "c", "amount": NaN}',
            b'{"claim_id": 7, "amount": 1}',
            b'{"amount":1.50,   "claim_id":7}',
            b'{"claim_id": "' + b"x" * (10 << 20) + b'"}',
            b"\xff" * (10 << 20),
            b"[" * 100_000,
        ],
        ids=["cut", "nothing", "no-text", "zeros", "nan", "type", "spaces", "10MB", "10MB-no-text", "deep"],
    )
    @pytest.mark.parametrize("seal", [True, False])
    def test_the_bytes_are_those_that_were_offered(self, open_guard, ledger, raw, seal):
        record = put(open_guard(echo, seal=seal), raw)
        found, kept = find_quarantined(ledger, record)
        assert original_bytes(kept) == raw
        assert found.reasons

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(raw=st.binary(max_size=80))
    def test_any_bytes_come_back_but_for_blanks_around_a_value(self, open_guard, ledger, raw):
        guard = open_guard(echo)
        answer = guard.decide("read", raw)
        assert answer.disposition is Disposition.QUARANTINED
        back = original_bytes(find_quarantined(ledger, answer.record)[1])
        assert back in {raw, raw.strip(b" \t\r\n")}

    def test_a_value_that_was_no_bytes_comes_back_as_its_json(self, open_guard, ledger):
        record = put(open_guard(echo), {"claim_id": 7, "amount": 1})
        assert json.loads(original_bytes(find_quarantined(ledger, record)[1])) == {"claim_id": 7, "amount": 1}


class TestLooking:
    def test_in_the_order_of_arrival_beyond_the_tenth(self, open_guard, ledger):
        guard = open_guard(echo)
        records = [put(guard) for _ in range(25)]
        assert [q.record for q in quarantined(ledger)] == records

    def test_grouped_by_source_and_by_each_rule_that_is_broken(self, open_guard, ledger):
        guard = open_guard(echo)
        for _ in range(3):
            put(guard, b"{", source="a")
        put(guard, b"{", source="b")
        both = put(guard, b'{"amount": "x"}', source="a")
        groups = grouped(ledger)
        assert (groups[0].source, groups[0].count) == ("a", 3)
        assert {g.reason.partition(":")[0] for g in groups if g.example == both} == {"/amount", "/claim_id"}
        assert sum(g.count for g in groups) == 6, "a record that breaks two rules stands in two groups"

    def test_by_status(self, open_guard, ledger):
        guard = open_guard(echo)
        first, second, third = (put(guard) for _ in range(3))
        replay(guard, first, by=OP, fixed=GOOD)
        discard(ledger, "claims", second, by=OP, reason="a test")
        assert [(q.record, q.status) for q in quarantined(ledger, status=None)] == [
            (first, "fixed"),
            (second, "discarded"),
            (third, "new"),
        ]
        assert only(ledger).record == third
        assert only(ledger, "fixed").by == OP

    @pytest.mark.parametrize("record", ["x", "", "0" * 32 + "-0", "é-1"])
    def test_one_that_is_not_there(self, open_guard, ledger, record):
        guard = open_guard(echo)
        for call in (
            lambda: find_quarantined(ledger, record),
            lambda: replay(guard, record, by=OP),
            lambda: discard(ledger, "claims", record, by=OP, reason="x"),
        ):
            with pytest.raises(InputError, match="is not a quarantined record"):
                call()

    def test_a_decision_that_was_answered_is_not_there(self, open_guard, ledger):
        answered = open_guard(echo).decide("read", GOOD).record
        with pytest.raises(InputError, match="is not a quarantined record"):
            find_quarantined(ledger, answered)


class TestReplaying:
    def test_a_mended_record_is_decided_and_points_back(self, open_guard, ledger, record_of):
        guard = open_guard(echo)
        record = put(guard, source="counter")
        answer = replay(guard, record, by=OP, fixed=GOOD)
        assert (answer.disposition, answer.output) == (Disposition.ANSWERED, {"amount": 12.5})
        kept, entry = record_of(answer)
        assert (kept.replay_of, entry.refs, kept.source) == (record, (record,), "counter")
        found = only(ledger, "fixed")
        assert (found.by, found.became) == (OP, answer.record)

    def test_as_it_came_once_its_contract_has_changed(self, open_guard):
        record = put(open_guard(echo), b'{"claim_id": 7, "amount": 1}')
        lax = open_guard(echo, contract=None)
        assert replay(lax, record, by=OP).disposition is Disposition.ANSWERED

    def test_one_that_is_quarantined_again_stays_open_and_the_same_bytes_come_out_the_same(self, open_guard, ledger):
        guard = open_guard(echo)
        record = put(guard)
        first = replay(guard, record, by=OP, fixed=b"{")
        count = len(decisions(ledger))
        again = replay(guard, record, by=OP, fixed=b"{")
        assert first.disposition is again.disposition is Disposition.QUARANTINED
        assert again.record == first.record
        assert len(decisions(ledger)) == count
        assert [q.record for q in quarantined(ledger)] == [record], "the attempts do not wait for anybody"
        assert only(ledger, "attempt").replay_of == record
        with pytest.raises(InputError, match="is an attempt to mend"):
            replay(guard, first.record, by=OP, fixed=GOOD)
        assert replay(guard, record, by=OP, fixed=GOOD).disposition is Disposition.ANSWERED

    def test_under_another_release_the_same_bytes_are_tried_again(self, open_guard):
        record = put(open_guard(echo))
        refused = replay(open_guard(echo), record, by=OP, fixed=b'{"claim_id": 7, "amount": 1}')
        guard = open_guard(echo, contract=None)
        guard.settings = msgspec.structs.replace(guard.settings, release="sha256:" + "b" * 64)
        answered = replay(guard, record, by=OP, fixed=b'{"claim_id": 7, "amount": 1}')
        assert (refused.disposition, answered.disposition) == (Disposition.QUARANTINED, Disposition.ANSWERED)

    def test_twice_gives_no_second_decision(self, open_guard, ledger):
        guard = open_guard(echo)
        record = put(guard)
        answer = replay(guard, record, by=OP, fixed=GOOD)
        with pytest.raises(InputError, match=f"{record} is fixed already, as {answer.record}"):
            replay(guard, record, by=OP, fixed=GOOD)
        assert len(decisions(ledger)) == 2

    @pytest.mark.parametrize("later", [GOOD, b'{"claim_id": "c-1", "amount": 99}'])
    @pytest.mark.parametrize("wait", [False, True])
    def test_a_crash_between_decision_and_closing_is_healed(self, open_guard, ledger, later, wait):
        """The process dies when the record is decided and not closed: the next replay closes it and decides nothing."""
        guard = open_guard(echo)
        record = put(guard)
        key = f"replay:{record}:0"
        decided = guard.decide("read", GOOD, key=key, replay_of=record)  # what `replay` does before it closes
        if wait:  # a day later its idempotency key is forgotten; the ledger is not
            ledger.apply([_release(ledger, key)])
        count = len(decisions(ledger))
        assert only(ledger).became == decided.record, "that it was decided shows at once"
        answer = replay(guard, record, by=OP, fixed=later)
        assert (answer.record, answer.output, answer.replayed) == (decided.record, {"amount": 12.5}, True)
        assert len(decisions(ledger)) == count
        assert only(ledger, "fixed").became == decided.record

    @pytest.mark.parametrize("target", [lambda _: 1 / 0, lambda _: float("nan"), lambda _: time.sleep(1)])
    def test_a_target_that_fails_leaves_the_record_open_for_another_try(self, open_guard, ledger, target):
        record = put(open_guard(echo))
        failing = open_guard(target, deadline_s=0.05)
        answer = replay(failing, record, by=OP, fixed=GOOD)
        assert answer.disposition is Disposition.FAILED
        assert only(ledger).record == record
        again = replay(open_guard(echo), record, by=OP, fixed=GOOD)
        assert again.disposition is Disposition.ANSWERED
        assert again.record != answer.record

    def test_a_type_that_is_declared_no_longer_leaves_it_open(self, open_guard, ledger):
        guard = open_guard(echo)
        record = put(guard)
        guard.settings = msgspec.structs.replace(guard.settings, types={})
        assert replay(guard, record, by=OP, fixed=GOOD).disposition is Disposition.REFUSED
        assert only(ledger).record == record

    def test_one_that_is_held_is_with_a_person_and_closed(self, open_guard, ledger):
        record = put(open_guard(echo))
        reviewed = open_guard(echo, tier=Tier.REVIEWED, review_below=0.9)
        assert replay(reviewed, record, by=OP, fixed=GOOD).disposition is Disposition.HELD
        assert only(ledger, "fixed").record == record

    def test_two_people_at_once_make_one_decision(self, open_guard, ledger):
        called = []

        def slow(record):
            called.append(record["amount"])
            time.sleep(0.2)
            return record["amount"]

        guard = open_guard(slow)
        record = put(guard)
        ended = []

        def one(amount):
            try:
                ended.append(
                    replay(guard, record, by=OP, fixed=json.dumps({"claim_id": "c", "amount": amount}).encode())
                )
            except (UsageError, InputError) as error:
                ended.append(error)

        threads = [threading.Thread(target=one, args=(n,)) for n in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(called) == 1
        assert sum(not isinstance(e, Exception) for e in ended) == 1
        assert only(ledger, "fixed").record == record

    def test_of_another_system_in_the_same_ledger_it_is_left_to_that_system(self, open_guard, ledger):
        record = put(open_guard(echo))
        guard = open_guard(echo)
        guard.settings = msgspec.structs.replace(guard.settings, system="other")
        with pytest.raises(InputError, match="is of the system 'claims', not of 'other'"):
            replay(guard, record, by=OP, fixed=GOOD)
        assert not list(quarantined(ledger, system="other"))
        assert grouped(ledger, system="other") == ()
        assert len(list(quarantined(ledger, system="claims"))) == 1


def test_what_a_load_test_quarantines_waits_for_nobody(open_guard, ledger):
    put(open_guard(echo, rehearsal=True))
    waiting = put(open_guard(echo))
    assert [q.record for q in quarantined(ledger)] == [waiting]
    assert only(ledger, "rehearsal").record != waiting


class TestDiscarding:
    def test_it_is_closed_with_its_reason(self, open_guard, ledger):
        record = put(open_guard(echo))
        entry = ledger.get(discard(ledger, "claims", record, by=OP, reason="sent twice"))
        assert msgspec.json.decode(ledger.body(entry), type=Closed) == Closed(record=record, by=OP, reason="sent twice")
        with pytest.raises(InputError, match="is discarded already"):
            discard(ledger, "claims", record, by=OP, reason="again")
        with pytest.raises(InputError, match="is discarded already"):
            replay(open_guard(echo), record, by=OP, fixed=GOOD)

    @pytest.mark.parametrize("reason", ["", "  ", "\n"])
    def test_not_without_a_reason(self, open_guard, ledger, reason):
        record = put(open_guard(echo))
        with pytest.raises(InputError, match="discarded for a reason"):
            discard(ledger, "claims", record, by=OP, reason=reason)
        assert only(ledger).record == record

    def test_two_who_close_at_once_close_it_once(self, open_guard, ledger):
        record = put(open_guard(echo))
        barrier, ended = threading.Barrier(4), []

        def one():
            barrier.wait()
            try:
                ended.append(discard(ledger, "claims", record, by=OP, reason="twice"))
            except InputError as error:
                ended.append(error)

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(isinstance(e, str) for e in ended) == 1
        assert len(list(ledger.entries(kinds=(DISCARDED,)))) == 1


class TestErasure:
    def test_an_erased_record_shows_that_it_was_and_nothing_else(self, open_guard, ledger):
        record = put(open_guard(echo), b'{"claim_id": 7, "amount": "secret"}', subject="claim-1", source="counter")
        assert only(ledger).reasons
        ledger.erase("claim-1", by=OP, reason="asked for")
        found = only(ledger, "erased")
        assert (found.record, found.reasons, found.source) == (record, (), "")
        assert not list(quarantined(ledger))
        with pytest.raises(VerificationFailed, match="erased"):
            find_quarantined(ledger, record)
        with pytest.raises(VerificationFailed, match="erased"):
            replay(open_guard(echo), record, by=OP, fixed=GOOD)
        with pytest.raises(InputError, match="is erased already"):
            discard(ledger, "claims", record, by=OP, reason="x")

    def test_erasing_the_subject_erases_what_became_of_its_record(self, open_guard, ledger):
        """The replay is about the same person, so it is under the same key."""
        guard = open_guard(echo)
        record = put(guard, subject="claim-1")
        answer = replay(guard, record, by=OP, fixed=GOOD)
        entry = ledger.get(answer.record)
        assert ledger.subject_of(entry) == "claim-1"
        ledger.erase("claim-1", by=OP, reason="asked for")
        with pytest.raises(VerificationFailed, match="erased"):
            ledger.body(entry)
        assert only(ledger, "replayed").became == answer.record, "that it was decided stays; what was mended does not"

    def test_of_others_nothing_is_touched(self, open_guard, ledger):
        guard = open_guard(echo)
        put(guard, subject="claim-1")
        mine = put(guard, subject="claim-2")
        ledger.erase("claim-1", by=OP, reason="asked for")
        assert only(ledger).record == mine
        assert only(ledger).reasons


class TestTheView:
    def test_folded_anew_it_is_the_same_whatever_order_the_streams_have(self, tmp_path):
        """A stream that was opened first is folded first, also where it closes what another one holds."""
        path = tmp_path / "shared.db"
        with Ledger.open(path) as early, Ledger.open(path) as late:
            early.append(Draft(kind="note", body=b""))
            with a_guard(late) as theirs, a_guard(early) as mine:
                first, second, third = (put(theirs) for _ in range(3))
                replay(mine, first, by=OP, fixed=GOOD)
                discard(early, "claims", second, by=OP, reason="x")
            before = [(q.record, q.status, q.became) for q in quarantined(early, status=None)]
            early.rebuild(QuarantineView())
            after = [(q.record, q.status, q.became) for q in quarantined(early, status=None)]
            assert after == before
            assert [status for _, status, _ in after] == ["fixed", "discarded", "new"]
            assert [record for record, _, _ in after] == [first, second, third]

    def test_of_two_closings_the_earlier_counts(self, open_guard, ledger):
        """Two closings can stand there from before they excluded each other; any order of folding gives one answer."""
        record = put(open_guard(echo))
        for kind, by in ((DISCARDED, "first@example.org"), (REPLAYED, "second@example.org")):
            ledger.append(Draft(kind=kind, system="claims", body=msgspec.json.encode(Closed(record=record, by=by))))
        assert (only(ledger, "discarded").by, list(quarantined(ledger))) == ("first@example.org", [])

    def test_decisions_that_were_never_quarantined_take_no_room(self, open_guard, ledger):
        guard = open_guard(echo)
        for _ in range(5):
            guard.decide("read", GOOD)
        assert list(ledger.view(QuarantineView()).scan("")) == []


def a_guard(ledger):
    contract = compile_contract(
        read_contract(
            """
apiVersion: v3.1.0
kind: DataContract
id: claim
name: claim
version: 1.0.0
status: active
schema:
  - name: claim
    logicalType: object
    properties:
      - {name: claim_id, logicalType: string}
      - {name: amount, logicalType: number, required: true}
""",
            "claim.odcs.yaml",
        )
    )
    kind = GuardedType(name="read", tier=Tier.AUTOMATIC, accountable=OP, review_below=None, next=OP)
    return Guard(
        GuardSettings(system="claims", release="sha256:" + "a" * 64, types={"read": kind}),
        ledger=ledger,
        target=PythonTarget(echo, "t"),
        inputs={},
        default_input=contract,
        output=None,
    )


def _release(ledger, key):
    from plimsoll.ledger import Release  # noqa: PLC0415 - a name that other modules use for another thing

    held = ledger.reservation("idempotency:claims", f"read:{key}")
    return Release(space=held.space, key=held.key, fence=held.fence)


def test_what_is_recorded_of_a_replay_says_who_asked(open_guard, ledger):
    guard = open_guard(echo)
    record = put(guard)
    replay(guard, record, by=OP, fixed=GOOD)
    (entry,) = ledger.entries(kinds=(REPLAYED,))
    closed = msgspec.json.decode(ledger.body(entry), type=Closed)
    assert (closed.record, closed.by) == (record, OP)
    assert entry.refs == (record, closed.became)
    kept = msgspec.json.decode(ledger.body(ledger.get(closed.became)), type=DecisionRecord)
    assert kept.replay_of == record

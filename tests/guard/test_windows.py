"""Records that are compared with those before them, through the guard: in one process, in several, across restarts."""

from __future__ import annotations

import os
import signal
import threading
import time

import msgspec
import pytest

from plimsoll.contract import compile_contract, read_contract
from plimsoll.contract.patch import parse_patch
from plimsoll.errors import StoreError
from plimsoll.guard import Guard, GuardedType, GuardSettings, PythonTarget
from plimsoll.guard.quarantine import grouped
from plimsoll.guard.quarantine_group import Fix, preview, replay_group
from plimsoll.guard.windows import Windows
from plimsoll.ledger import Ledger
from plimsoll.model.decision import Disposition, Fault, Tier

KEYED = """
apiVersion: v3.1.0
kind: DataContract
id: claim
version: 1.0.0
status: active
schema:
  - name: claim
    properties:
      - {name: claim_id, logicalType: string, primaryKey: true}
      - name: amount
        logicalType: number
        customProperties: [{property: plimsollCoerce, value: [number-from-string]}]
customProperties:
  - {property: plimsollWindow, value: {keys: 50, age: 1 day}}
"""
A = {"claim_id": "a", "amount": 1}


def answers(record):
    return record["amount"]


def settings_of(**more):
    kind = GuardedType(name="read", tier=Tier.AUTOMATIC, accountable="h@example.org", review_below=None, next="o@x.org")
    return GuardSettings(system="claims", release="sha256:" + "a" * 64, types={"read": kind}, **more)


def open_on(ledger, target=answers, **more):
    checker = compile_contract(read_contract(KEYED, "claim.odcs.yaml"))
    return Guard(
        settings_of(**more),
        ledger=ledger,
        target=PythonTarget(target, "test:target"),
        inputs={"fax": checker, "mail": checker},
        default_input=checker,
        output=None,
    )


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """Where several processes can keep one ledger."""
    return tmp_path / "ledger.db" if request.param == "sqlite" else request.getfixturevalue("database")


def test_a_record_that_comes_again_is_quarantined_with_its_own_reason_and_names_the_first(open_guard, ledger):
    guard = open_guard(answers, contract=KEYED)
    first = guard.decide("read", A)
    again = guard.decide("read", b'{"claim_id": "a", "amount": "1"}')
    assert (first.disposition, again.disposition) == (Disposition.ANSWERED, Disposition.QUARANTINED)
    (reason,) = again.broken
    assert (reason.fault, reason.path, reason.rule) == (Fault.DUPLICATE, "/claim_id", "primaryKey")
    assert reason.found == f"{first.record} has it, and says the same"
    assert [(g.reason, g.count) for g in grouped(ledger)] == [("/claim_id: duplicate (primaryKey)", 1)]


def test_an_idempotency_key_gives_the_answer_again_and_is_no_duplicate(open_guard):
    guard = open_guard(answers, contract=KEYED)
    assert guard.decide("read", A, key="k").output == guard.decide("read", A, key="k").output == 1


def test_a_preview_compares_each_with_those_before_it_and_with_each_other(open_guard, ledger):
    guard = open_guard(answers, contract=KEYED)
    guard.decide("read", A, source="fax")
    for claim in ("a", "b", "b"):
        guard.decide("read", {"claim_id": claim, "amount": None, "more": 1}, source="fax")
    (group,) = (g for g in grouped(ledger) if "more" in g.reason)
    checker = guard.checker_of("fax")
    windows = Windows({"fax": checker}, None, clock=time.time_ns)
    windows.fill(ledger, "claims")
    fix = Fix(patch=parse_patch(b'[{"op": "remove", "path": "/more"}]', "fix.json"))
    seen = preview(ledger, "claims", group.group, fix, checker, samples=0, windows=windows)
    assert (seen.would_pass, seen.reasons) == (1, {"/claim_id: duplicate (primaryKey)": 2})
    outcome = replay_group(guard, group.group, fix, by="op@example.org")
    assert (outcome.ended, outcome.still_broken) == ({"answered": 1}, 2)


def test_a_record_that_something_stood_in_for_takes_no_key_here_nor_after_a_restart(open_guard, ledger):
    stale = KEYED.replace("id: claim", "id: claim\nservers: [{server: fax, type: custom}]", 1).replace(
        "customProperties:\n  - {property: plimsollW",
        "slaProperties: [{property: latency, value: 1, unit: d, element: claim.at}]\ncustomProperties:\n"
        "  - {property: plimsollFallback, value: {owner: o@x.org, onStale: {use: default, value: {amount: 7}}}}\n"
        "  - {property: plimsollW",
    )
    stale = stale.replace("      - name: amount", "      - {name: at, logicalType: date}\n      - name: amount")
    guard = open_guard(answers, contracts=(stale.replace("primaryKey: true", "primaryKey: true, required: false"),))
    assert guard.decide("read", {"claim_id": "a", "amount": 1, "at": "2001-01-01"}, source="fax").output == 7
    assert guard._entrance.windows.held == 0
    again = Windows({"fax": guard.checker_of("fax")}, None, clock=time.time_ns)
    again.fill(ledger, "claims")
    assert again.held == 0


def test_what_was_not_answered_may_come_again(open_guard):
    broken = [True]

    def target(record):
        if broken:
            raise RuntimeError("down")
        return record["amount"]

    guard = open_guard(target, contract=KEYED)
    assert guard.decide("read", A).disposition is Disposition.FAILED
    broken.clear()
    assert guard.decide("read", A).disposition is Disposition.ANSWERED
    assert guard.decide("read", A).disposition is Disposition.QUARANTINED


def test_what_breaks_its_contract_takes_no_key_and_its_mended_replay_is_no_duplicate(open_guard):
    guard = open_guard(answers, contract=KEYED)
    bad = guard.decide("read", {"claim_id": "a", "amount": []})
    mended = guard.decide("read", A, replay_of=bad.record)
    assert (bad.disposition, mended.disposition) == (Disposition.QUARANTINED, Disposition.ANSWERED)


def test_a_record_that_could_not_be_written_was_not_decided(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.db")
    guard = open_on(ledger)
    guard.decide("read", A)
    ledger.close()
    with pytest.raises(StoreError):
        guard.decide("read", {"claim_id": "b", "amount": 1})
    assert guard._entrance.windows.held == 1
    guard.close()


def test_each_source_has_a_window_of_its_own_and_names_that_nobody_declared_share_one(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as ledger, open_on(ledger) as guard:
        taken = [guard.decide("read", A, source=s).disposition for s in ("fax", "mail", "", "fax", "made-up")]
        assert [t is Disposition.ANSWERED for t in taken] == [True, True, True, False, False]
        assert set(guard._entrance.windows._windows) == {("read", "fax"), ("read", "mail"), ("read", "")}


def test_of_many_threads_with_the_same_record_one_is_answered(open_guard):
    guard = open_guard(answers, contract=KEYED)
    found, ready = [], threading.Barrier(8)

    def ask():
        ready.wait()
        found.append(guard.decide("read", A).disposition)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [Disposition.ANSWERED] + [Disposition.QUARANTINED] * 7


@pytest.mark.parametrize("batched", [False, True])
def test_the_window_outlives_a_restart(place, batched):
    with Ledger.open(place) as ledger, open_on(ledger, batched=batched) as guard:
        first = guard.decide("read", b'{"claim_id": "a", "amount": "1"}', source="fax")
        guard.decide("read", {"claim_id": "b", "amount": []}, source="fax")
    with Ledger.open(place) as ledger, open_on(ledger, batched=batched) as guard:
        (reason,) = guard.decide("read", A, source="fax").broken
        assert reason.found == f"{first.record} has it, and says the same"
        assert guard.decide("read", {"claim_id": "b", "amount": 2}, source="fax").disposition is Disposition.ANSWERED


def test_what_was_measured_or_erased_is_not_remembered(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        with open_on(ledger, run="r-1") as measuring:
            assert measuring.decide("read", A).disposition is Disposition.ANSWERED
            assert measuring.decide("read", A).disposition is Disposition.QUARANTINED
        with open_on(ledger) as guard:
            assert guard.decide("read", A, subject="ann").disposition is Disposition.ANSWERED
        ledger.erase("ann", by="o@x.org", reason="asked")
        with open_on(ledger) as guard:
            assert guard.decide("read", A).disposition is Disposition.ANSWERED


def test_a_load_test_may_send_the_same_record_over_and_over(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as ledger, open_on(ledger, run="r-1", rehearsal=True) as guard:
        assert {guard.decide("read", A).disposition for _ in range(3)} == {Disposition.ANSWERED}


def test_a_shadow_copy_is_no_duplicate_and_takes_no_key(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as ledger, open_on(ledger) as guard:
        first = guard.decide("read", A)
        shadow = ledger.get(guard.shadow("read", A, of=first.record))
        assert msgspec.json.decode(ledger.body(shadow))["disposition"] == "answered"
        guard.shadow("read", {"claim_id": "b", "amount": 1}, of=first.record)
        assert guard.decide("read", {"claim_id": "b", "amount": 1}).disposition is Disposition.ANSWERED


def test_another_process_is_followed_and_what_two_take_at_once_is_counted_as_missed(place):
    with Ledger.open(place) as one, Ledger.open(place) as two, open_on(one) as here, open_on(two) as there:
        first = there.decide("read", A)
        until(lambda: here._entrance.windows.held == 1)
        assert here.decide("read", A).broken[0].found.startswith(first.record)
        there._entrance.windows._follower.close()  # it hears nothing for a while
        b = {"claim_id": "b", "amount": 1}
        assert here.decide("read", b).disposition is there.decide("read", b).disposition is Disposition.ANSWERED
        until(lambda: here._entrance.windows.missed == 1)
        assert {name: value for name, _, value in here.gauges()} == {
            "plimsoll_window_keys": 2,
            "plimsoll_window_missed": 1,
        }
        assert here.decide("read", b).disposition is Disposition.QUARANTINED


def test_a_forked_process_fills_its_windows_anew(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as ledger, open_on(ledger) as guard:
        guard.decide("read", A)
        pid = os.fork()
        if pid == 0:
            ended = guard.decide("read", A).disposition
            os._exit(0 if ended is Disposition.QUARANTINED else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_what_a_killed_process_had_answered_is_remembered_by_the_next(tmp_path):
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        ledger = Ledger.open(tmp_path / "ledger.db")
        guard = open_on(ledger)
        for i in range(1000):
            guard.decide("read", {"claim_id": str(i), "amount": i})
            os.write(tell, b".")
        os._exit(1)
    os.close(tell)
    answered = 0
    while answered < 20:
        answered += len(os.read(told, 20 - answered))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    answered += len(os.read(told, 1000))
    os.close(told)
    with Ledger.open(tmp_path / "ledger.db") as ledger, open_on(ledger) as guard:
        last = [{"claim_id": str(i), "amount": i} for i in range(answered - 20, answered)]
        assert {guard.decide("read", record).disposition for record in last} == {Disposition.QUARANTINED}
        fresh = {"claim_id": "1001", "amount": 1}
        assert guard.decide("read", fresh).disposition is Disposition.ANSWERED


def test_own_decisions_are_not_read_back(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as ledger, open_on(ledger) as guard:
        for i in range(20):
            guard.decide("read", {"claim_id": str(i), "amount": i})
        until(lambda: not guard._entrance.windows._own)


def test_without_a_rule_that_compares_nothing_is_followed_or_kept(open_guard):
    guard = open_guard(answers)
    assert guard._entrance.windows is None
    assert not Windows.needed({}, compile_contract(read_contract(KEYED.partition("customProperties:\n  -")[0], "c")))

"""A flood of broken records cannot fill the disk unseen: above a bound they go back to their sender, and that is said."""

from __future__ import annotations

import collections
import time

import msgspec
import pytest

from plimsoll.guard.quarantine import find_quarantined, grouped, quarantined, replay
from plimsoll.guard.quarantine_group import discard_group
from plimsoll.guard.quarantine_room import FULL, ROOM, Filling, QuarantineRoom
from plimsoll.guard.quarantine_view import QuarantineView, counts_of, totals_of
from plimsoll.ledger import Ledger
from plimsoll.model.canonical import digest_bytes
from plimsoll.model.decision import Disposition
from plimsoll.model.quarantine import MIB, QuarantineBound

GOOD = b'{"claim_id": "c-1", "amount": 12.5}'
OP = "op@example.org"
FEW = QuarantineBound(most_records=20)


def echo(record):
    return {"amount": record["amount"]}


def wrong(n, more=b""):
    return b'{"claim_id": "c-%d%s", "amount": "x"}' % (n, more)


def rested(guard):
    """The guard, once no look is under way and the last has seen all that was written."""
    guard.quarantine_room.close()
    guard.quarantine_room.begin_anew()
    guard.quarantine_room.look()
    return guard


def kinds(ledger, kind):
    return [msgspec.json.decode(ledger.body(e), type=Filling) for e in ledger.entries(kinds=(kind,))]


def test_above_the_bound_what_is_broken_is_shed_and_what_is_sound_is_answered(open_guard, ledger):
    guard = open_guard(echo, quarantine=FEW)
    answers = [guard.decide("read", wrong(n), source="counter") for n in range(60)]
    ended = collections.Counter(a.disposition.value for a in answers)
    assert sum(ended.values()) == 60
    assert set(ended) == {"quarantined", "shed"}
    # While it is looked at, a record can be counted twice for a moment, or the one under way not yet.
    assert 10 <= ended["quarantined"] <= 22
    last = answers[-1]
    assert (last.why, last.retry_after_s) == ("quarantine-full", 60.0)
    assert last.broken[0].path == "/amount", "its sender is told what is wrong with it all the same"
    assert guard.decide("read", GOOD).disposition is Disposition.ANSWERED
    for n in range(20):  # nothing is under way now, so this fills it exactly
        guard.decide("read", wrong(n))
        rested(guard)
    assert totals_of(ledger.view(QuarantineView()), "claims").waiting in {20, 21}
    (said,) = kinds(ledger, FULL)
    assert said.is_full
    assert said.most_records == 20
    assert "records are shed" in said.warning


def test_of_what_is_shed_the_digest_the_size_and_the_reasons_are_kept_and_nothing_else(open_guard, ledger, record_of):
    guard = open_guard(echo, quarantine=FEW, seal=False)
    sent = (
        (n, guard.decide("read", wrong(n, b"SECRET"), source="counter", offset=f"counter.jsonl:{n}"))
        for n in range(100)
    )
    shed, answer = next((n, answer) for n, answer in sent if answer.disposition is Disposition.SHED)
    kept, entry = record_of(answer)
    given = wrong(shed, b"SECRET")
    assert (kept.turned_away.size, kept.turned_away.digest) == (len(given), digest_bytes(given))
    assert (kept.input_json, kept.raw, kept.offset) == (None, "", f"counter.jsonl:{shed}")
    assert b"SECRET" not in ledger.body(entry)
    (count,) = counts_of(ledger.view(QuarantineView()), "claims", turned_away=True).values()
    waiting = totals_of(ledger.view(QuarantineView()), "claims").waiting
    assert (count.source, count.records + waiting) == ("counter", shed + 1)
    assert count.bytes > 0


def test_a_flood_of_large_records_grows_the_ledger_by_little(open_guard, ledger):
    guard = open_guard(echo, quarantine=QuarantineBound(most_mib=1), batched=True)
    large = b"x" * 100_000
    for n in range(30):
        guard.decide("read", wrong(n, large))
    rested(guard)
    before = sum(len(e.body) for e in ledger.entries())
    shed = [guard.decide("read", wrong(n, large)) for n in range(100)]
    ledger.flush()
    assert {a.disposition for a in shed} == {Disposition.SHED}
    assert (sum(len(e.body) for e in ledger.entries()) - before) / 100 < 1000
    assert totals_of(ledger.view(QuarantineView()), "claims").bytes < 2 * MIB


def test_there_is_room_again_once_somebody_has_made_some(open_guard, ledger):
    guard = open_guard(echo, quarantine=FEW)
    for n in range(40):
        guard.decide("read", wrong(n))
    rested(guard)
    discard_group(ledger, "claims", grouped(ledger)[0].group, by=OP, reason="a test of the sender")
    assert guard.decide("read", wrong(1)).disposition is Disposition.SHED, "it looks again within a second"
    until = time.monotonic() + 10
    while guard.decide("read", wrong(1)).disposition is Disposition.SHED and time.monotonic() < until:
        time.sleep(0.05)
    assert guard.decide("read", wrong(2)).disposition is Disposition.QUARANTINED
    rested(guard)
    assert len(kinds(ledger, FULL)) == 1
    (room,) = kinds(ledger, ROOM)
    assert (room.is_full, room.warning) == (False, "")


def test_what_waits_can_be_replayed_while_nothing_more_fits_in(open_guard, ledger):
    guard = open_guard(echo, quarantine=FEW)
    for n in range(40):
        guard.decide("read", wrong(n))
    record = next(quarantined(ledger)).record
    assert replay(guard, record, by=OP, fixed=b"{").disposition is Disposition.QUARANTINED, "the attempt is on record"
    assert replay(guard, record, by=OP, fixed=GOOD).disposition is Disposition.ANSWERED


def test_who_is_sent_away_may_come_again_under_the_same_key(open_guard, ledger):
    guard = open_guard(echo, quarantine=QuarantineBound(most_records=1))
    guard.decide("read", wrong(0))
    rested(guard)
    shed = guard.decide("read", wrong(1), key="k-1")
    assert shed.disposition is Disposition.SHED
    discard_group(ledger, "claims", grouped(ledger)[0].group, by=OP, reason="x")
    rested(guard)
    again = guard.decide("read", wrong(1), key="k-1")
    assert again.disposition is Disposition.QUARANTINED
    assert find_quarantined(ledger, again.record)[1].offered == wrong(1)


def test_all_guards_on_a_ledger_share_the_bound_and_say_it_once(open_guard, tmp_path):
    path = tmp_path / "shared.db"
    with Ledger.open(path) as one, Ledger.open(path) as two:
        mine, theirs = (open_guard(echo, ledger=each, quarantine=FEW) for each in (one, two))
        for n in range(20):
            while mine.decide("read", wrong(n)).disposition is Disposition.SHED:
                rested(mine)  # one that was written while it was looked at had been counted twice
        theirs.decide("read", wrong(20))  # the first one makes it look
        rested(theirs)
        rested(mine)
        assert theirs.decide("read", wrong(21)).disposition is Disposition.SHED
        assert len(kinds(one, FULL)) == 1
        mine.close()
        theirs.close()


def test_what_an_assessment_or_nobody_bounds_is_taken_in(open_guard):
    guard = open_guard(echo)
    assert guard.quarantine_room is None
    assert {guard.decide("read", wrong(n)).disposition for n in range(30)} == {Disposition.QUARANTINED}


@pytest.mark.parametrize(
    ("records", "size", "said"),
    [(10, 0, ""), (16, 0, "16 of 20 records"), (20, 0, "shed"), (1, int(0.9 * MIB), "0 of 1 MiB"), (1, MIB, "shed")],
)
def test_it_is_said_before_it_is_full(records, size, said):
    warning = Filling(records=records, bytes=size, most_records=20, most_bytes=MIB).warning
    assert bool(warning) is bool(said)
    assert said in warning


def test_a_ledger_that_cannot_be_asked_stops_nobody(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.db")
    ledger.close()
    room = QuarantineRoom(ledger, "claims", QuarantineBound(most_records=3))
    assert [room.takes(1) for _ in range(5)] == [True, True, True, False, False]
    room.close()

"""Sources in the guard: what is found of a record's source, what stands in for it, and who is told."""

import asyncio
import datetime as dt
import itertools
import json
import logging

import msgspec
import pytest

from plimsoll import Unavailable
from plimsoll.guard.arrivals import TROUBLE
from plimsoll.guard.quarantine import grouped, replay
from plimsoll.guard.quarantine_group import Fix, replay_group
from plimsoll.ledger import Ledger
from plimsoll.model.decision import Disposition, Verdict
from plimsoll.model.input_note import SourceState, SourceTrouble

GRACE_S = 65.0  # beyond a silence of an hour: a process leaves word of what has come every minute
GOOD = {"rate": 1.5}
BROKEN = {"rate": "a lot"}


def contract(source="bank", fallback="", levels="", more=""):
    custom = f"[{{property: plimsollFallback, value: {{owner: ops@example.org, {fallback}}}}}]" if fallback else "[]"
    return f"""
apiVersion: v3.1.0
kind: DataContract
id: {source}
name: {source}
version: 1.0.0
status: active
servers: [{{server: {source}, type: local, path: x, format: json}}]
schema:
  - name: rate
    logicalType: object
    properties:
      - {{name: rate, logicalType: number, required: true}}
      - {{name: at, logicalType: timestamp}}{more}
slaProperties: [{levels}]
customProperties: {custom}
"""


class Clock:
    def __init__(self):
        self.now_s = 1_800_000_000.0

    def __call__(self):
        return int(self.now_s * 1e9)

    def text(self, ago_s):
        return dt.datetime.fromtimestamp(self.now_s - ago_s, dt.UTC).isoformat()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def open_with(open_guard, clock):
    def make(*contracts, target=lambda record: record["rate"], **more):
        return open_guard(target, contracts=contracts, clock_ns=clock, **more)

    return make


def troubles(ledger):
    return [
        msgspec.json.decode(ledger.body(entry), type=SourceTrouble)
        for entry in sorted(ledger.entries(kinds=(TROUBLE,)), key=lambda e: e.time_ns)
    ]


# -- nothing is declared


def test_a_source_that_gave_nothing_and_for_which_nothing_stands_in_sheds_the_decision(open_with, record_of):
    asked = []
    answer = open_with(target=asked.append).decide("read", Unavailable("timed out"), source="bank", key="k")
    assert (answer.disposition, answer.why) == (Disposition.SHED, "source-unavailable")
    assert answer.input_note.why == ("timed out",)
    record, entry = record_of(answer)
    assert (record.input_note.found, record.verdict) == ((SourceState.UNAVAILABLE,), Verdict.NONE)
    assert entry.header.called is False
    assert not asked


def test_human_only_work_goes_to_people_whatever_its_source_does(open_with):
    guard = open_with(contract(fallback="onUnavailable: stop, onMalformed: {use: default, value: {rate: 1}}"))
    answer = guard.decide("deny", Unavailable(), source="bank")
    assert (answer.disposition, answer.why) == (Disposition.HELD, "human-only")
    assert guard.decide("deny", BROKEN, source="bank").disposition is Disposition.QUARANTINED


def test_what_a_caller_says_of_a_source_cannot_forge_a_line_of_a_log():
    assert Unavailable("down\n2026 INFO all is \u202ewell\x1b[2J").why == "down 2026 INFO all is  well [2J"
    assert len(Unavailable("x" * 10_000).why) == 300


def test_nothing_stands_in_for_a_broken_record_that_is_replayed_so_that_it_waits_to_be_mended(open_with, ledger):
    first = open_with(contract()).decide("read", BROKEN, source="bank")
    guard = open_with(contract(fallback="onMalformed: {use: default, value: {rate: 9}}"))
    assert guard.decide("read", BROKEN, source="bank").output == 9
    (group,) = grouped(ledger)
    assert replay_group(guard, group.group, Fix(), by="op@example.org").still_broken == 1
    assert replay(guard, first.record, by="op@example.org").disposition is Disposition.QUARANTINED
    mended = replay(guard, first.record, by="op@example.org", fixed=b'{"rate": 2}')
    assert (mended.disposition, mended.output) == (Disposition.ANSWERED, 2)


# -- unavailable


def test_the_last_good_record_stands_in_up_to_its_age(open_with, clock, record_of):
    guard = open_with(contract(fallback="onUnavailable: {use: lastGood, maxAge: 1 h}"))
    first = guard.decide("read", GOOD, source="bank")
    guard.decide("read", BROKEN, source="bank")
    clock.now_s += 3600
    answer = guard.decide("read", Unavailable("refused"), source="bank")
    assert (answer.disposition, answer.output) == (Disposition.ANSWERED, 1.5)
    note = record_of(answer)[0].input_note
    assert (note.use, note.record, note.age_s, note.owner) == ("lastGood", first.record, 3600.0, "ops@example.org")
    assert not bytes(note.value), "the value stands in the other record alone, so that erasing it erases it"
    clock.now_s += 1
    late = guard.decide("read", Unavailable("refused"), source="bank")
    assert (late.disposition, late.why) == (Disposition.HELD, "source-unavailable")
    assert "3601 s ago; 3600 s are allowed" in late.input_note.failed


def test_a_record_that_stood_in_is_never_the_last_good_one(open_with, clock):
    guard = open_with(contract(fallback="onUnavailable: {use: lastGood, maxAge: 1 h}"))
    first = guard.decide("read", GOOD, source="bank")
    for _ in range(3):
        clock.now_s += 1000
        answer = guard.decide("read", Unavailable(), source="bank")
    assert (answer.input_note.record, answer.input_note.age_s) == (first.record, 3000.0)


def test_a_record_about_one_subject_never_stands_in_for_another_one(open_with):
    guard = open_with(contract(fallback="onUnavailable: {use: lastGood, maxAge: 1 h}"))
    mine = guard.decide("read", GOOD, source="bank", subject="me")
    assert guard.decide("read", Unavailable(), source="bank", subject="me").input_note.record == mine.record
    for other in ("you", None):
        answer = guard.decide("read", Unavailable(), source="bank", subject=other)
        assert (answer.disposition, answer.why) == (Disposition.HELD, "source-unavailable")


def test_what_was_erased_stands_in_for_nothing(open_with, ledger):
    guard = open_with(contract(fallback="onUnavailable: {use: lastGood, maxAge: 1 h}"))
    guard.decide("read", GOOD, source="bank", subject="me")
    ledger.erase("me", by="dpo", reason="asked")
    answer = guard.decide("read", Unavailable(), source="bank", subject="me")
    assert answer.disposition is Disposition.HELD
    assert "cannot be read" in answer.input_note.failed


def test_the_last_good_record_is_known_to_a_guard_that_is_opened_later(open_with, ledger):
    declared = contract(fallback="onUnavailable: {use: lastGood, maxAge: 1 h}")
    guard = open_with(declared)
    first = guard.decide("read", GOOD, source="bank")
    guard.close()
    assert open_with(declared).decide("read", Unavailable(), source="bank").input_note.record == first.record


def test_a_declared_value_stands_in_and_is_in_the_record(open_with, record_of):
    guard = open_with(contract(fallback="onUnavailable: {use: default, value: {rate: 1}}"))
    answer = guard.decide("read", Unavailable(), source="bank")
    assert answer.output == 1
    assert json.loads(bytes(record_of(answer)[0].input_note.value)) == {"rate": 1}


def test_another_source_stands_in_while_it_is_well_itself(open_with, clock):
    guard = open_with(
        contract(fallback="onUnavailable: {use: otherSource, source: reserve}"),
        contract("reserve", levels="{property: frequency, value: 1, unit: h}"),
    )
    assert "no record of 'reserve'" in guard.decide("read", Unavailable(), source="bank").input_note.failed
    other = guard.decide("read", {"rate": 2}, source="reserve")
    answer = guard.decide("read", Unavailable(), source="bank")
    assert (answer.output, answer.input_note.of, answer.input_note.record) == (2, "reserve", other.record)
    clock.now_s += 3601
    answer = guard.decide("read", Unavailable(), source="bank")
    assert answer.disposition is Disposition.HELD
    assert "'reserve' is in trouble itself" in answer.input_note.failed


def test_what_another_source_gives_has_to_keep_the_contract_of_the_one_it_stands_in_for(open_with):
    guard = open_with(
        contract(fallback="onUnavailable: {use: otherSource, source: reserve}"),
        contract("reserve", more="\n      - {name: bid, logicalType: number}", fallback="onStale: hold"),
    )
    guard.decide("read", {"rate": 2, "bid": 1}, source="reserve")
    answer = guard.decide("read", Unavailable(), source="bank")
    assert answer.disposition is Disposition.HELD
    assert "breaks the contract" in answer.input_note.failed


@pytest.mark.parametrize(("use", "ends"), [("hold", Disposition.HELD), ("stop", Disposition.SHED)])
def test_a_person_takes_it_or_nobody(open_with, use, ends):
    asked = []
    answer = open_with(contract(fallback=f"onUnavailable: {use}"), target=asked.append).decide(
        "read", Unavailable(), source="bank"
    )
    assert (answer.disposition, answer.why, answer.input_note.use) == (ends, "source-unavailable", use)
    assert not asked


def test_in_batched_mode_the_last_good_record_is_found_before_it_is_on_the_disk(open_with):
    guard = open_with(contract(fallback="onUnavailable: {use: lastGood, maxAge: 1 h}"), batched=True)
    first = guard.decide("read", GOOD, source="bank")
    assert guard.decide("read", Unavailable(), source="bank").input_note.record == first.record


def test_it_is_the_same_from_an_event_loop(open_with):
    guard = open_with(contract(fallback="onUnavailable: {use: lastGood, maxAge: 1 h}"))

    async def both():
        first = await guard.adecide("read", GOOD, source="bank")
        return first, await guard.adecide("read", Unavailable(), source="bank")

    first, answer = asyncio.run(both())
    assert answer.input_note.record == first.record


# -- malformed


def test_without_a_declared_rate_each_broken_record_falls_back(open_with, record_of):
    guard = open_with(contract(fallback="onMalformed: {use: default, value: {rate: 1}}"))
    for given in (BROKEN, b'{"rate": 1', b"\xff"):
        answer = guard.decide("read", given, source="bank")
        assert (answer.disposition, answer.output) == (Disposition.ANSWERED, 1)
        record, _ = record_of(answer)
        assert record.verdict is Verdict.BROKEN
        assert record.broken
        assert record.input_json or record.raw_bytes, "what came is in the record, whatever stood in"


def test_with_a_declared_rate_a_broken_record_is_quarantined_until_the_source_is_malformed_altogether(
    open_with, ledger
):
    guard = open_with(contract(fallback="errorRate: 50%, onMalformed: hold"))
    ends = [guard.decide("read", BROKEN, source="bank").disposition for _ in range(12)]
    assert ends == [Disposition.QUARANTINED] * 10 + [Disposition.HELD] * 2
    good = guard.decide("read", GOOD, source="bank")
    assert (good.disposition, good.why) == (Disposition.HELD, "source-malformed"), "the source is not believed now"
    for _ in range(5):
        last = guard.decide("read", GOOD, source="bank")
    assert (last.disposition, last.input_note) == (Disposition.ANSWERED, None)
    began, ended = troubles(ledger)
    assert (began.state, began.began, began.owner, began.use) == ("malformed", True, "ops@example.org", "hold")
    assert "11 of the latest 11 records break the contract" in began.why
    assert (ended.began, ended.stood_in) == (False, 7)


def test_while_a_source_is_malformed_its_good_records_are_its_last_good_ones(open_with):
    guard = open_with(contract(fallback="errorRate: 50%, onMalformed: {use: lastGood, maxAge: 1 h}"))
    first = guard.decide("read", GOOD, source="bank")
    answers = [guard.decide("read", BROKEN, source="bank") for _ in range(11)]
    assert (answers[-1].output, answers[-1].input_note.record) == (1.5, first.record)
    good = guard.decide("read", {"rate": 3}, source="bank")
    assert (good.output, good.input_note.record) == (3, "")


def test_a_broken_record_for_which_nothing_can_stand_in_is_quarantined_as_ever(open_with):
    answer = open_with(contract(fallback="onMalformed: {use: lastGood, maxAge: 1 h}")).decide(
        "read", BROKEN, source="bank"
    )
    assert (answer.disposition, answer.why) == (Disposition.QUARANTINED, "contract")
    assert "no record of 'bank'" in answer.input_note.failed


# -- stale

LATENCY = "{property: latency, value: 1, unit: h, element: rate.at}"


def test_a_record_that_is_too_old_is_flagged_and_answered_where_nothing_else_is_declared(open_with, clock, record_of):
    answer = open_with(contract(levels=LATENCY)).decide("read", {"rate": 1, "at": clock.text(7200)}, source="bank")
    assert answer.disposition is Disposition.ANSWERED
    note = record_of(answer)[0].input_note
    assert (note.found, note.use) == ((SourceState.STALE,), "")
    assert "'at' is 2 h old; 60 min are allowed" in note.why[0]


@pytest.mark.parametrize(
    ("use", "ends", "output"),
    [
        ("hold", Disposition.HELD, None),
        ("stop", Disposition.SHED, None),
        ("{use: default, value: {rate: 1}}", Disposition.ANSWERED, 1),
        ("{use: lastGood, maxAge: 2 h}", Disposition.ANSWERED, 5),
    ],
)
def test_by_rule_a_record_that_is_too_old_is_held_or_fallen_back_from(open_with, clock, use, ends, output):
    guard = open_with(contract(levels=LATENCY, fallback=f"onStale: {use}"))
    guard.decide("read", {"rate": 5, "at": clock.text(0)}, source="bank")
    clock.now_s += 60
    answer = guard.decide("read", {"rate": 9, "at": clock.text(7200)}, source="bank")
    assert (answer.disposition, answer.output) == (ends, output)
    assert answer.input_note.found == (SourceState.STALE,)


# -- silent


def test_a_record_that_comes_after_a_silence_says_so_and_is_good(open_with, clock):
    guard = open_with(contract(levels="{property: frequency, value: 1, unit: h}"))
    assert guard.decide("read", GOOD, source="bank").input_note is None
    clock.now_s += 3601
    note = guard.decide("read", GOOD, source="bank").input_note
    assert note.found == (SourceState.SILENT,)
    assert "promised is every 60 min" in note.why[0]
    assert guard.decide("read", GOOD, source="bank").input_note is None


def test_a_source_that_falls_silent_is_recorded_once_by_all_processes_and_so_is_its_return(
    open_with, clock, ledger, tmp_path
):
    declared = contract(levels="{property: frequency, value: 1, unit: h}", fallback="onStale: hold")
    with Ledger.open(tmp_path / "ledger.db") as elsewhere:
        one, two = open_with(declared), open_with(declared, ledger=elsewhere)
        one.decide("read", GOOD, source="bank")
        clock.now_s += 3600 + GRACE_S + 1
        two.decide("read", GOOD, source="bank")
        for guard in (two, one):
            guard.look_at_sources()
        assert not troubles(ledger), "it came in the other process"
        clock.now_s += 3600 + GRACE_S + 1
        for guard in (one, two, one):
            guard.look_at_sources()
        assert [(t.state, t.began) for t in troubles(ledger)] == [("silent", True)]
        assert one.sources()[0].states == (SourceState.SILENT,)
        one.decide("read", GOOD, source="bank")
        for guard in (one, two):
            guard.look_at_sources()
        began, ended = troubles(ledger)
        assert (ended.began, ended.lasted_s) == (False, 3600 + GRACE_S + 1)
        assert began.owner == "ops@example.org"
        two.close()


# -- who is told


def test_a_trouble_that_comes_and_goes_is_told_of_once_a_minute(open_with, clock, ledger, caplog):
    guard = open_with(contract(fallback="onUnavailable: hold"))
    with caplog.at_level(logging.WARNING, "plimsoll.guard"):
        for _ in range(5):
            guard.decide("read", Unavailable("refused"), source="bank")
            clock.now_s += 1
            guard.decide("read", GOOD, source="bank")
        assert [t.began for t in troubles(ledger)] == [True, False]
        clock.now_s += 60
        guard.decide("read", Unavailable("refused"), source="bank")
    assert troubles(ledger)[-1].unsaid == 4
    assert "the source 'bank' is unavailable: refused; ops@example.org is told" in caplog.text


def test_the_beginning_of_a_trouble_is_written_with_the_decision_that_brought_it_to_light(open_with, ledger):
    guard = open_with(contract(fallback="onUnavailable: hold"))
    answer = guard.decide("read", Unavailable(), source="bank")
    stream, _, position = answer.record.rpartition("-")
    [entry] = ledger.entries(kinds=(TROUBLE,))
    assert (entry.stream, entry.seq) == (stream, int(position) + 1)


def test_sources_show_how_they_stand(open_with, clock):
    guard = open_with(contract(fallback="onUnavailable: hold"), contract("quiet"))
    assert [s.source for s in guard.sources()] == ["bank"], "of the other nothing is declared"
    guard.decide("read", GOOD, source="bank")
    guard.decide("read", Unavailable(), source="bank")
    [found] = guard.sources()
    assert (found.states, found.stood_in, found.last_ns) == ((SourceState.UNAVAILABLE,), 1, clock())


def test_a_copy_for_another_release_counts_for_nothing(open_with, ledger):
    guard = open_with(contract(fallback="onUnavailable: hold"))
    first = guard.decide("read", GOOD, source="bank")
    guard.shadow("read", Unavailable(), of=first.record, source="bank")
    assert not troubles(ledger)
    assert (guard.sources()[0].states, guard.sources()[0].stood_in) == ((), 0)


# -- two sources, one thing

PRECEDENCE = "[{{property: plimsollPrecedence, value: {{key: [claim], fields: [amount], within: 1 h{over}}}}}]"


def speaking(source, over="", coerce=""):
    text = contract(
        source,
        more=f"""
      - {{name: claim, logicalType: string}}
      - {{name: amount, logicalType: number{coerce}}}""",
    )
    return text.replace("customProperties: []", "customProperties: " + PRECEDENCE.format(over=over))


def claim(amount, number="C-1"):
    return {"rate": 1, "claim": number, "amount": amount}


@pytest.fixture
def open_two(open_with):
    def make(*, over="", **more):
        return open_with(speaking("scan", over=over), speaking("fax", **more), target=lambda record: record["amount"])

    return make


def test_two_sources_that_say_different_things_of_the_same_are_held_where_neither_goes_before(open_two, record_of):
    guard = open_two()
    assert guard.decide("read", claim(10), source="scan").input_note is None
    assert guard.decide("read", claim(10.0), source="fax").input_note is None, "1 and 1.0 are one number"
    assert guard.decide("read", claim(99, "C-2"), source="fax").input_note is None
    answer = guard.decide("read", claim(20), source="fax")
    assert (answer.disposition, answer.why) == (Disposition.HELD, "source-conflicting")
    note = record_of(answer)[0].input_note
    assert note.found == (SourceState.CONFLICTING,)
    assert note.why == ("'amount' differs from what 'scan' said of the same 0 s ago",)


def test_the_source_that_goes_before_is_believed_whichever_comes_first(open_two):
    guard = open_two(over=", over: [fax]")
    guard.decide("read", claim(20), source="fax")
    first = guard.decide("read", claim(10), source="scan")
    assert (first.output, first.input_note.use) == (10, "precedence")
    later = guard.decide("read", claim(30), source="fax")
    assert (later.output, later.input_note.use, later.input_note.record) == (10, "precedence", first.record)


def test_what_goes_before_is_mended_as_its_own_contract_says(open_with):
    mend = ", customProperties: [{property: plimsollCoerce, value: [decimal-comma]}]"
    guard = open_with(
        speaking("scan", over=", over: [fax]", coerce=mend), speaking("fax"), target=lambda record: record["amount"]
    )
    assert guard.decide("read", claim("10,5"), source="scan").output == 10.5
    assert guard.decide("read", claim(30), source="fax").output == 10.5


def test_what_was_said_longer_ago_than_declared_counts_no_more(open_two, clock):
    guard = open_two()
    guard.decide("read", claim(10), source="scan")
    clock.now_s += 3601
    assert guard.decide("read", claim(20), source="fax").input_note is None


def test_where_what_goes_before_cannot_be_read_a_person_has_it(open_two, ledger):
    guard = open_two(over=", over: [fax]")
    guard.decide("read", claim(10), source="scan", subject="me")
    ledger.erase("me", by="dpo", reason="asked")
    answer = guard.decide("read", claim(20), source="fax", subject="me")
    assert (answer.disposition, answer.why) == (Disposition.HELD, "source-conflicting")
    assert "cannot be read" in answer.input_note.failed


def test_records_without_a_whole_key_are_compared_with_nothing(open_two):
    guard = open_two()
    for source in ("scan", "fax"):
        assert guard.decide("read", {"rate": 1, "amount": len(source)}, source=source).input_note is None


def test_word_of_what_has_come_is_left_seldom_and_at_the_end(open_with, clock, ledger):
    guard = open_with(contract(levels="{property: frequency, value: 1, unit: h}"))
    fences = []
    for subject in ("me", "me", None, None):
        guard.decide("read", GOOD, source="bank", subject=subject)
        guard.look_at_sources()
        fences.append(ledger.reservation("source-came:claims", "bank").fence)
        clock.now_s += 29
    assert [later - former for former, later in itertools.pairwise(fences)] == [0, 1, 0]
    guard.close()
    assert ledger.reservation("source-came:claims", "bank").fence == fences[-1] + 1

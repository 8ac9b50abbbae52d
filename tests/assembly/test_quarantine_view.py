"""What waits in quarantine is a view of the ledger: dropped and folded again, it is the same."""

from __future__ import annotations

import contextlib

import pytest
from cli.tiny_system import CONTRACT
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.contract import compile_contract, read_contract
from plimsoll.errors import UsageError
from plimsoll.guard import Guard, GuardedType, GuardSettings, PythonTarget
from plimsoll.guard.quarantine import QuarantineView, discard, grouped, quarantined, replay
from plimsoll.ledger import Ledger
from plimsoll.model.decision import Disposition, Tier

RECORDS = st.sampled_from(
    [b'{"number": 1}', b'{"number": "x"}', b"{", b"{}", b'{"number": -1}', b'{"number": 1, "b": 2}']
)
SUBJECTS = st.sampled_from([None, "ada", "grace"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("decide"), RECORDS, SUBJECTS),
        st.tuples(st.just("replay"), st.integers(0, 20), RECORDS),
        st.tuples(st.just("discard"), st.integers(0, 20)),
        st.tuples(st.just("erase"), st.sampled_from(["ada", "grace"])),
    ),
    min_size=1,
    max_size=25,
)


def open_guard(ledger):
    kind = GuardedType(name="tell", tier=Tier.AUTOMATIC, accountable="head@example.org", review_below=None, next="ops")
    return Guard(
        GuardSettings(system="parity", release="sha256:" + "a" * 64, types={"tell": kind}),
        ledger=ledger,
        target=PythonTarget(lambda record: record["number"] % 2, "test:parity"),
        inputs={},
        default_input=compile_contract(read_contract(CONTRACT, "numbers.odcs.yaml")),
        output=None,
    )


def rows(ledger):
    return tuple(ledger.view(QuarantineView()).scan(""))


def take(step, guard, ledger):
    waiting = [q.record for q in quarantined(ledger)]
    match step:
        case ("decide", record, subject):
            guard.decide("tell", record, subject=subject, source="counter")
        case ("replay", at, record) if waiting:
            replay(guard, waiting[at % len(waiting)], by="ops@example.org", fixed=record)
        case ("discard", at) if waiting:
            discard(ledger, "parity", waiting[at % len(waiting)], by="ops@example.org", reason="sent twice")
        case ("erase", subject):
            with contextlib.suppress(UsageError):  # nobody of that name yet
                ledger.erase(subject, by="head@example.org", reason="asked for")


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_dropped_and_rebuilt_the_view_is_equal(tmp_path_factory, steps):
    with Ledger.open(tmp_path_factory.mktemp("quarantine") / "ledger.db") as ledger:
        with open_guard(ledger) as guard:
            for step in steps:
                take(step, guard, ledger)
        before, shown = rows(ledger), tuple(quarantined(ledger, status=None))
        ledger.drop(QuarantineView.name)
        assert rows(ledger) == before
        ledger.rebuild(QuarantineView())
        assert rows(ledger) == before
        assert tuple(quarantined(ledger, status=None)) == shown
        counted = sum(
            1 for e in ledger.entries(kinds=("decision",)) if e.header.disposition == Disposition.QUARANTINED.value
        )
        assert len(shown) == counted
        assert {group.source for group in grouped(ledger)} <= {"counter"}
    with Ledger.open(ledger.path, read_only=True) as readable:
        assert rows(readable) == before


def test_the_view_tells_who_closed_what_and_what_became_of_it(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as ledger, open_guard(ledger) as guard:
        mended, thrown, waiting = (guard.decide("tell", b'{"number": "x"}').record for _ in range(3))
        answer = replay(guard, mended, by="ops@example.org", fixed=b'{"number": 3}')
        discard(ledger, "parity", thrown, by="head@example.org", reason="sent twice")
        found = {q.record: q for q in quarantined(ledger, status=None)}
        assert [q.record for q in quarantined(ledger)] == [waiting]
        assert (found[mended].status, found[mended].by, found[mended].became) == (
            "fixed", "ops@example.org", answer.record,
        )  # fmt: skip
        assert (found[thrown].status, found[thrown].by) == ("discarded", "head@example.org")
        (group,) = grouped(ledger)
        assert (group.count, group.example) == (1, waiting)


def test_replaying_twice_gives_one_decision(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as ledger, open_guard(ledger) as guard:
        record = guard.decide("tell", b'{"number": "x"}').record
        replay(guard, record, by="ops@example.org", fixed=b'{"number": 3}')
        with pytest.raises(Exception, match="fixed already"):
            replay(guard, record, by="ops@example.org", fixed=b'{"number": 3}')
        assert sum(1 for _ in ledger.entries(kinds=("decision",))) == 2


def test_a_record_that_is_still_broken_stays_open(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as ledger, open_guard(ledger) as guard:
        record = guard.decide("tell", b'{"number": "x"}').record
        again = replay(guard, record, by="ops@example.org", fixed=b'{"number": "y"}')
        assert again.disposition is Disposition.QUARANTINED
        assert [q.record for q in quarantined(ledger)] == [record]  # the attempt does not wait beside it
        found = {q.record: q for q in quarantined(ledger, status=None)}
        assert (found[again.record].status, found[again.record].replay_of) == ("attempt", record)
        with pytest.raises(Exception, match=f"is an attempt to mend {record}"):
            replay(guard, again.record, by="ops@example.org", fixed=b'{"number": 1}')

"""What the guard tells the ledger of its sources: each change once, whichever process sees it, never in a measurement."""

from __future__ import annotations

import msgspec
import pytest

from plimsoll.contract import compile_contract, read_contract
from plimsoll.guard import Guard, GuardedType, GuardSettings, PythonTarget
from plimsoll.guard.source_changes import changes_of
from plimsoll.ledger import Ledger
from plimsoll.model.decision import Tier
from plimsoll.model.principal import Principal
from plimsoll.model.source_change import CHANGED, COUNTED, ChangeKind, SourceChange

CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: claim
version: 1.0.0
status: active
schema:
  - name: claim
    properties:
      - {name: claim_id, logicalType: string, required: true}
      - {name: channel, logicalType: string, enum: [{value: web}, {value: phone}]}
"""
OUTPUT = """
apiVersion: v3.2.0
kind: DataContract
id: reading
version: 1.0.0
status: active
schema: [{name: reading, properties: [{name: n, logicalType: integer}]}]
customProperties:
  - property: plimsollConsumers
    value:
      - {id: board-report, format: json, latencyTolerance: 1 day, onUnexpected: stops, owner: r@example.org,
         approver: x@example.org}
"""
GOOD = {"claim_id": "a", "channel": "web"}
NEW = {"claimId": "a", "channel": "web"}


def open_on(ledger, **more):
    kind = GuardedType(name="read", tier=Tier.AUTOMATIC, accountable="h@example.org", review_below=None, next="o@x.org")
    checker = compile_contract(read_contract(CONTRACT, "claim.odcs.yaml"))
    return Guard(
        GuardSettings(system="claims", release="sha256:" + "a" * 64, types={"read": kind}, **more),
        ledger=ledger,
        target=PythonTarget(lambda _: {"n": 1}, "test:target"),
        inputs={"fax": checker, "mail": checker},
        default_input=checker,
        output=compile_contract(read_contract(OUTPUT, "reading.odcs.yaml")),
    )


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """Where several processes can keep one ledger."""
    return tmp_path / "ledger.db" if request.param == "sqlite" else request.getfixturevalue("database")


def entries(ledger, kind=CHANGED):
    return [msgspec.json.decode(ledger.body(e), type=SourceChange) for e in ledger.entries(kinds=(kind,))]


def test_a_renamed_field_is_one_event_on_its_source_and_its_count_is_told_at_the_end(ledger):
    with open_on(ledger) as guard:
        for record in [GOOD] * 5 + [NEW] * 7:
            guard.decide("read", record, source="fax")
        (told,) = entries(ledger)
        assert (told.kind, told.source, told.what, told.likely) == (
            ChangeKind.UNKNOWN_FIELD, "fax", "claimId", "claim_id",
        )  # fmt: skip
        assert (told.seen, told.of) == (1, 6)
    (seen,) = changes_of(ledger, "claims")
    assert (seen.what, seen.seen, seen.of) == ("claimId", 7, 12)
    assert seen.share == pytest.approx(7 / 12)
    assert len(entries(ledger)) == 1


def test_what_was_told_before_a_restart_or_by_another_process_is_counted_and_not_told_again(place):
    with Ledger.open(place) as one, Ledger.open(place) as two, open_on(one) as here, open_on(two) as there:
        here.decide("read", NEW, source="fax")
        there.decide("read", NEW, source="fax")
        there.decide("read", NEW, source="mail")  # another source, another change
    with Ledger.open(place) as ledger:
        with open_on(ledger) as again:
            again.decide("read", NEW, source="fax")
        assert [(c.source, c.seen) for c in entries(ledger)] == [("fax", 1), ("mail", 1)]
        assert sorted((s.source, s.seen, s.of) for s in changes_of(ledger, "claims")) == [("fax", 3, 3), ("mail", 1, 1)]


def test_a_change_stands_with_its_decision_also_where_records_are_batched_and_is_sealed(ledger):
    with open_on(ledger, batched=True) as guard:
        guard.decide("read", {**GOOD, "channel": "fax"}, source="fax")
        ledger.flush()
        (entry,) = ledger.entries(kinds=(CHANGED,))
        assert entry.sealed
        assert entries(ledger)[0].examples == ('"fax"',)
        assert [e.kind for e in ledger.entries(kinds=("decision", CHANGED))] == ["decision", CHANGED]


def test_sources_and_consumers_that_nobody_declared_are_told_and_those_that_are_declared_are_not(ledger):
    with open_on(ledger) as guard:
        guard.decide("read", GOOD, source="pigeon", principal=Principal("token:board-report"))
        guard.decide("read", GOOD, source="pigeon", principal=Principal("board-report"))
        guard.decide("read", b"{cut", source="raven", principal=Principal("somebody"))
        guard.decide("read", GOOD)
        found = {(s.kind, s.source, s.what): (s.seen, s.of) for s in changes_of(ledger, "claims")}
    assert found == {
        (ChangeKind.UNDECLARED_SOURCE, "pigeon", "pigeon"): (1, 1),
        (ChangeKind.UNDECLARED_SOURCE, "raven", "raven"): (1, 1),
        (ChangeKind.UNDECLARED_CONSUMER, "", "somebody"): (1, 3),
    }


def test_who_makes_up_sources_makes_a_bounded_number_of_entries(ledger):
    with open_on(ledger, batched=True) as guard:
        for i in range(300):
            guard.decide("read", GOOD, source=f"made-up-{i}")
        ledger.flush()
        assert len(guard._admission.watching._watches) == 65
        assert len(entries(ledger)) == 64 + 64 + 1
        assert entries(ledger)[-1].kind is ChangeKind.MORE


def test_a_measurement_is_no_traffic(ledger):
    with open_on(ledger, run="r-1") as guard:
        guard.decide("read", NEW, source="pigeon")
        assert list(guard.gauges()) == []
    assert entries(ledger) == entries(ledger, COUNTED) == []


def test_a_shadow_copy_is_counted_once_with_its_decision(ledger):
    with open_on(ledger) as guard:
        first = guard.decide("read", NEW, source="fax")
        guard.shadow("read", NEW, of=first.record, source="fax")
        assert {(name, of): n for name, of, n in guard.gauges()} == {
            ("plimsoll_source_changes", "fax unknown-field"): 1,
            ("plimsoll_source_changed_records", "fax unknown-field"): 1,
        }


def test_what_is_replayed_was_counted_when_it_came(ledger):
    with open_on(ledger) as guard:
        first = guard.decide("read", NEW, source="fax")
        guard.decide("read", NEW, source="fax", replay_of=first.record)
        assert guard.draft_replay("read", b"{", replay_of=first.record, source="fax") is None
    assert [(seen.what, seen.seen, seen.of) for seen in changes_of(ledger, "claims")] == [("claimId", 1, 1)]

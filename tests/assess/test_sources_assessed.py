"""The contracts assessment beyond single records: sources are cut, consumers are tried, owners are looked for."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from assess.a_system import ECHO, OPS, System, lines, row

from plimsoll import Guard, Unavailable
from plimsoll.assembly.runs import recorded_runs
from plimsoll.contract import read_contract
from plimsoll.contract.arrivals import rule_of, too_old
from plimsoll.contract.redate import fresh, stale
from plimsoll.gate import render_report
from plimsoll.guard.arrivals import TROUBLE
from plimsoll.model.board import Standing
from plimsoll.model.decision import DecisionRecord, Disposition
from plimsoll.model.details import ContractsDetail, ReportDetails

SOURCE = """\
apiVersion: v3.1.0
kind: DataContract
id: {id}
name: {id}
version: 1.0.0
status: active
servers: [{{server: {id}, type: local, path: x, format: json}}]
schema:
  - name: number
    logicalType: object
    properties:
      - {{name: number, logicalType: integer, required: true}}
      - {{name: at, logicalType: timestamp{layout}}}
slaProperties: [{levels}]
customProperties: [{custom}]
"""
PARITY = """\
apiVersion: v3.1.0
kind: DataContract
id: parity
name: parity
version: 1.0.0
status: active
schema:
  - name: parity
    logicalType: object
    properties:
      - {{name: parity, logicalType: string, required: true{enum}}}
customProperties:
  - property: plimsollConsumers
    value:
      - {{id: board, format: {format}, latencyTolerance: {latency}, onUnexpected: {effect}, owner: ops@example.org,
         approver: head@example.org}}
"""
EVERY_USE = (
    "onUnavailable: {use: lastGood, maxAge: 1 h}, onMalformed: {use: default, value: {number: 4}}, onStale: hold, "
    "errorRate: 50%"
)
AGE = "{property: latency, value: 1, unit: h, element: number.at}"
CONDITIONS = [
    "contracts.fallback_exercised = 100%",
    "contracts.recovery_time <= 10s",
    "contracts.owned = 100%",
    "contracts.on_time_rate >= 50%",
    "contracts.consumers_served = 100%",
]


def source(fallback="", *, name="counter", levels=AGE, owner=OPS, layout=""):
    custom = f"{{property: plimsollFallback, value: {{owner: {owner}, {fallback}}}}}" if fallback else ""
    return SOURCE.format(id=name, levels=levels, custom=custom, layout=layout)


@pytest.fixture
def system(tmp_path):
    made = System(tmp_path / "parity")
    made.manifest["threshold"]["conditions"] += CONDITIONS
    made.write("feed/counter.jsonl", lines({"number": n, "at": "2020-01-01T00:00:00Z"} for n in range(20)))
    made.write("numbers.odcs.yaml", source(EVERY_USE))
    return made


def assess(system):
    """Run the assessment; the board, what it left to be drawn, and the ledger's decisions by id."""
    board = system.check("contracts")
    with system.project().open_ledger(read_only=True) as ledger:
        ended = [r for r in recorded_runs(ledger, "parity") if r.started.assessment == "contracts"][-1].ended
        decisions = {
            entry.id: (entry.system, msgspec.json.decode(ledger.body(entry), type=DecisionRecord))
            for entry in ledger.entries(kinds=("decision",))
        }
        troubles = {entry.system for entry in ledger.entries(kinds=(TROUBLE,))}
    return board, msgspec.json.decode(ended.detail, type=ContractsDetail), decisions, troubles


def test_every_declared_fallback_is_exercised_by_cutting_its_source(system):
    board, detail, decisions, troubles = assess(system)
    assert {(c.trouble, c.use): (c.holds, c.not_exercised) for c in detail.cuts} == {
        ("onUnavailable", "lastGood"): (True, ""),
        ("onMalformed", "default"): (True, ""),
        ("onStale", "hold"): (True, ""),
    }
    for cut in detail.cuts:
        assert len(cut.rounds) == 3
        for round_ in cut.rounds:
            assert round_.as_declared == len(round_.decisions) == 5
            assert round_.recovery_s > 0
            taken = [decisions[record] for record in round_.decisions]
            assert {where for where, _ in taken} == {f"parity/staging/{next(iter({d.run for _, d in taken}))}"}
            assert {d.input_note.use for _, d in taken} == {cut.use}
            assert all(d.rehearsal for _, d in taken), "what was cut on purpose waits for nobody in quarantine"
    by_trouble = {c.trouble: c for c in detail.cuts}
    assert by_trouble["onMalformed"].rounds[0].recovered_after == 6, "3 / 50% records in a row, and one as before"
    assert by_trouble["onUnavailable"].rounds[0].recovered_after == 1
    assert "number: integer" in by_trouble["onMalformed"].rounds[0].value
    assert row(board, "contracts.fallback_exercised").standing is Standing.MET
    assert row(board, "contracts.recovery_time").standing is Standing.MET
    assert "parity" not in troubles, "nobody is told of what was cut on purpose"


def test_a_target_that_fails_on_what_stands_in_is_no_fallback_that_holds(system):
    system.write(f"{system.module}.py", ECHO.replace("return", "assert record['number'] != 4; return"))
    board, detail, *_ = assess(system)
    [malformed] = [c for c in detail.cuts if c.trouble == "onMalformed"]
    assert "on what stood in it was failed" in malformed.rounds[0].why[0]
    found = row(board, "contracts.fallback_exercised")
    assert found.standing is Standing.NOT_MET
    assert "counter onMalformed" in str(found)


def test_what_cannot_be_exercised_is_not_measured_and_says_why(system):
    system.write("numbers.odcs.yaml", source(EVERY_USE, levels=""))
    board, detail, *_ = assess(system)
    [stale_] = [c for c in detail.cuts if c.trouble == "onStale"]
    assert "no level names a date" in stale_.not_exercised
    assert all(c.holds for c in detail.cuts if c is not stale_)
    assert row(board, "contracts.fallback_exercised").standing is Standing.NOT_MEASURED
    assert row(board, "contracts.recovery_time").standing is Standing.NOT_MEASURED


def test_a_source_of_which_the_feed_has_no_good_record_cannot_be_cut(system):
    system.change("data", "inputs", to=["numbers.odcs.yaml", "other.odcs.yaml"])
    system.write("other.odcs.yaml", source("onUnavailable: {use: otherSource, source: counter}", name="other"))
    board, detail, *_ = assess(system)
    assert "no record of 'other'" in next(c for c in detail.cuts if c.source == "other").not_exercised
    assert row(board, "contracts.fallback_exercised").standing is Standing.NOT_MEASURED
    system.write("feed/other.jsonl", lines([{"number": 1, "at": "2020-01-01T00:00:00Z"}]))
    board, detail, *_ = assess(system)
    assert next(c for c in detail.cuts if c.source == "other").holds
    assert row(board, "contracts.fallback_exercised").standing is Standing.MET


def test_a_source_for_which_nothing_stands_in_counts_as_not_exercised(system):
    system.write("numbers.odcs.yaml", source())
    board, detail, *_ = assess(system)
    assert not detail.cuts
    found = row(board, "contracts.fallback_exercised")
    assert (found.standing, found.estimate) == (Standing.NOT_MET, 0.0)
    assert "nothing is declared to stand in for it" in detail.terms[0].findings


def test_an_owner_without_a_working_contact_is_a_finding_until_somebody_is_there(system):
    system.write("numbers.odcs.yaml", source(EVERY_USE, owner="nobody@example.org"))
    board, detail, *_ = assess(system)
    assert "'nobody@example.org' is nobody whom the manifest names" in detail.terms[0].findings[0]
    assert row(board, "contracts.owned").standing is Standing.NOT_MET
    system.change("owners", "operations", "members", to=["nobody@example.org"])
    board, detail, *_ = assess(system)
    assert "nobody@example.org" not in str(detail.terms[0].findings)
    assert row(board, "contracts.owned").standing is Standing.MET, "evidence on other people does not count any more"


def test_what_came_on_time_is_counted_over_decisions_in_earnest(system):
    board, detail, *_ = assess(system)
    assert row(board, "contracts.on_time_rate").standing is Standing.NOT_MEASURED
    assert [(level.standing, level.said) for level in detail.terms[0].levels] == [
        ("not measured", "no record of it has come in earnest")
    ]
    now = dt.datetime.now(dt.UTC).isoformat()
    system.project()
    with Guard.open(system.folder) as guard:
        ends = [
            guard.decide("tell", {"number": 1, "at": at}, source="counter")
            for at in [now] * 30 + ["2020-01-01T00:00:00Z"]
        ]
        ends.append(guard.decide("tell", Unavailable(), source="counter"))
    assert [e.disposition for e in ends[-2:]] == [Disposition.HELD, Disposition.ANSWERED]
    board, detail, *_ = assess(system)
    found = row(board, "contracts.on_time_rate")
    assert (found.standing, round(found.estimate, 4)) == (Standing.MET, round(30 / 31, 4))
    assert detail.terms[0].levels[0].standing == "broken"
    assert "1 of 31 records came too old" in detail.terms[0].levels[0].said


def test_every_board_says_which_sources_are_in_trouble(system):
    board, *_ = assess(system)
    assert not [note for note in board.notes if "the source" in note], "not what was cut on purpose"
    with Guard.open(system.folder) as guard:
        guard.decide("tell", Unavailable(), source="counter")
    [note] = [note for note in system.gate().notes if "the source" in note]
    assert "the source 'counter' is unavailable since 20" in note
    assert "'lastGood' stands in; ops@example.org was told" in note
    with Guard.open(system.folder) as guard:
        guard.decide("tell", Unavailable(), source="counter")
        guard.decide("tell", {"number": 1, "at": dt.datetime.now(dt.UTC).isoformat()}, source="counter")
    assert not [note for note in system.gate().notes if "the source" in note]


@pytest.mark.parametrize(
    ("given", "standing", "said"),
    [
        ({}, Standing.MET, ""),
        ({"format": "csv"}, Standing.MET, ""),
        ({"format": "text"}, Standing.NOT_MET, "an answer is no text"),
        ({"latency": "1 ms"}, Standing.NOT_MET, "it bears 0.001 s"),
        (
            {"enum": ""},
            Standing.NOT_MET,
            "'parity' of a new text reaches it, and what that does there is declared: misleads",
        ),
        ({"enum": "", "effect": "drops"}, Standing.MET, ""),
        ({"format": "edifact"}, Standing.NOT_MEASURED, "what 'edifact' looks like is not known here"),
    ],
)
def test_each_consumer_gets_its_format_in_time_and_nothing_that_misleads_it(system, given, standing, said):
    enum = ", customProperties: [{property: enum, value: [odd, even]}]"
    values = {"format": "json", "latency": "10 s", "effect": "misleads", "enum": enum} | given
    system.write("parity.odcs.yaml", PARITY.format(**values))
    system.change("data", "outputs", to=["parity.odcs.yaml"])
    if "latency" in given:
        system.write(
            f"{system.module}.py", ECHO.replace("    return", "    import time; time.sleep(0.002)\n    return")
        )
    system.write("numbers.odcs.yaml", source())
    board, detail, *_ = assess(system)
    [consumer] = detail.consumers
    assert row(board, "contracts.consumers_served").standing is standing
    assert said in "; ".join((*consumer.why, *consumer.not_measured))
    assert consumer.unexpected >= 4
    if given.get("enum") != "":
        assert consumer.reached == 0


def test_the_report_shows_what_was_cut_who_was_tried_and_what_is_missing(system):
    system.write("parity.odcs.yaml", PARITY.format(format="csv", latency="10 s", effect="misleads", enum=""))
    system.change("data", "outputs", to=["parity.odcs.yaml"])
    system.write("numbers.odcs.yaml", source(EVERY_USE, owner="a&b@example.org"))
    board, detail, *_ = assess(system)
    text = render_report(board, ReportDetails(contracts=detail))
    for said in (
        "Fallbacks, exercised by cutting the source",
        "15 of 15",
        "it took over and let go",
        "of a new text reaches it",
        "it misleads",
        "a&amp;b@example.org",
        "it promises no pace, so nobody notices when it falls silent",
    ):
        assert said in text
    assert "a&b@" not in text


@pytest.mark.parametrize("layout", ["", ", logicalTypeOptions: {format: dd.MM.yyyy HH:mm}"])
def test_a_sample_is_dated_as_old_as_it_is_needed_in_its_own_form(layout):
    contract = read_contract(source(layout=layout), "c.odcs.yaml")
    rule, now = rule_of(contract), 1_800_000_000 * 10**9
    was = "2020-01-01T00:00:00Z" if not layout else "01.01.2020 00:00"
    new, old = (make(rule, {"number": 1, "at": was}, now) for make in (fresh, stale))
    assert len(new["at"]) == len(old["at"]) == len(was)
    assert too_old(rule, new, now) == ""
    assert "old; 60 min are allowed" in too_old(rule, old, now)

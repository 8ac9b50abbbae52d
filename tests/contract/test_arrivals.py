"""What sources promise, held against records as they come. Times are set; nothing waits."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.contract import read_contract
from plimsoll.contract.arrivals import Share, Standing, absent, arrived, rules_of, silent_for, span, too_old
from plimsoll.errors import InvalidFile
from plimsoll.model.input_note import SourceState

NOON = int(dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC).timestamp()) * 10**9
HOUR = 3600 * 10**9


def contract(levels="", custom="", servers="[{server: bank, type: local, path: x, format: json}]"):
    return read_contract(
        f"""
apiVersion: v3.1.0
kind: DataContract
id: rate
name: rate
version: 1.0.0
status: active
servers: {servers}
schema:
  - name: rate
    logicalType: object
    properties:
      - {{name: rate, logicalType: number, required: true}}
      - {{name: at, logicalType: timestamp}}
      - {{name: day, logicalType: date, logicalTypeOptions: {{format: dd.MM.yyyy}}}}
      - {{name: note, logicalType: string}}
slaProperties: [{levels}]
customProperties: [{custom}]
""",
        "rate.odcs.yaml",
    )


def rule(levels="", custom=""):
    return rules_of(contract(levels, custom))["bank"]


MALFORMED = "{property: plimsollFallback, value: {owner: ops@example.org, errorRate: 5%, onMalformed: hold}}"


def feed(broken, of=MALFORMED, standing=None):
    """Let records come, each broken or not; the standing, and what changed at which of them."""
    held, standing, seen = rule("", of), standing or Standing(), []
    for number, is_broken in enumerate(broken, 1):
        standing, changes = arrived(standing, held, NOON + number, broken=is_broken, old="")
        seen += [(number, change.state, change.began) for change in changes]
    return standing, seen


def test_a_contract_that_promises_nothing_of_the_kind_has_no_rule():
    assert rules_of(contract()) == {}
    assert rules_of(contract("{property: retention, value: 3, unit: y}")) == {}


def test_every_source_of_a_contract_has_its_rule():
    two = "[{server: a, type: local, path: x, format: json}, {server: b, type: local, path: y, format: json}]"
    assert sorted(rules_of(contract("{property: frequency, value: 1, unit: h}", servers=two))) == ["a", "b"]


@pytest.mark.parametrize(
    ("levels", "seconds", "said"),
    [
        ("{property: frequency, value: 4, unit: h}", 14400, "every 4 h"),
        (
            "{property: fy, value: 4, unit: h}, {property: ly, value: 30, unit: min}",
            16200,
            "every 4 h, 30 min late at most",
        ),
        ("{property: freshness, value: 1, unit: d}, {property: frequency, value: 2, unit: d}", 86400, "within 24 h"),
    ],
)
def test_frequency_latency_and_freshness_without_a_field_say_how_long_a_source_may_be_silent(levels, seconds, said):
    found = rule(levels)
    assert (found.silence_s, found.silence) == (seconds, said)
    assert silent_for(NOON, found, NOON + seconds * 10**9) == ""
    assert said in silent_for(NOON, found, NOON + (seconds + 1) * 10**9)
    assert silent_for(0, found, NOON) == "", "of a source that has never sent anything nobody can tell"


def test_what_nothing_can_be_held_against_is_named_with_its_line():
    levels = (
        "{property: latency, value: 1, unit: h, element: rate.note}, {property: latency, value: 1, unit: m, "
        "element: rate.at}, {property: frequency, value: 1, unit: h}"
    )
    left = rule(levels).not_measured
    assert len(left) == 2
    assert "'rate.note' is no date or timestamp" in left[0]
    assert "not understood" in left[1]
    assert all(text.startswith("line ") for text in left)


OLD = rule("{property: latency, value: 2, unit: h, element: rate.at}")


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-11-25T11:00:00Z", ""),
        ("2026-11-25T10:00:00Z", ""),
        ("2026-11-25T12:04:00Z", ""),
        ("2026-11-25T09:59:59Z", "'at' is 2 h old; 2 h are allowed"),
        ("2026-11-25T13:00:00+03:00", ""),
        ("2026-11-25T12:06:00Z", "dated ahead of now"),
        (None, "does not say of when it is"),
        (7, "does not say of when it is"),
    ],
)
def test_a_record_is_too_old_by_the_field_that_the_level_names(at, said):
    found = too_old(OLD, {"rate": 1, "at": at}, NOON)
    assert found.startswith("'at'") if said else not found
    assert said in found


def test_a_date_counts_from_the_end_of_its_day_and_in_its_own_format():
    daily = rule("{property: freshness, value: 1, unit: d, element: day}")
    assert too_old(daily, {"day": "24.11.2026"}, NOON) == ""
    assert "36 h old" in too_old(daily, {"day": "23.11.2026"}, NOON)


def test_a_record_without_a_value_at_the_field_is_not_shown_in_the_reason():
    said = too_old(OLD, {"at": "my secret"}, NOON)
    assert "secret" not in said


def test_more_than_ten_broken_records_above_the_declared_share_make_a_source_malformed():
    standing, seen = feed([True] * 10)
    assert not seen
    standing, seen = feed([True], standing=standing)
    assert seen == [(1, SourceState.MALFORMED, True)]
    assert SourceState.MALFORMED in standing.states


def test_a_source_is_well_again_after_so_many_records_in_a_row_as_the_share_would_hardly_give():
    bad, _ = feed([True] * 11)
    still, seen = feed([False] * 59, standing=bad)
    assert not seen
    assert feed([False], standing=still)[1] == [(1, SourceState.MALFORMED, False)]


def test_below_the_declared_share_a_source_is_never_malformed():
    assert not feed(([True] + [False] * 24) * 100)[1]  # 4%, evenly


@given(st.lists(st.booleans(), max_size=600), st.sampled_from([0.001, 0.03, 0.05, 0.3, 0.5, 0.9]))
@settings(max_examples=40)
def test_beginnings_and_ends_alternate_and_a_beginning_rests_on_more_broken_records_than_declared(broken, rate):
    share = Share.of_rate(rate)
    _, seen = feed(broken, MALFORMED.replace("5%", f"{rate * 100:g}%"))
    assert [began for _, _, began in seen] == [n % 2 == 0 for n in range(len(seen))]
    last = 0
    for number, _, began in seen:
        if began:
            latest = broken[max(last, number - share.of) : number]
            assert sum(latest) > share.most
            assert sum(latest) > rate * share.of - 1e-9
        last = number


def test_a_source_that_gave_nothing_is_available_again_with_its_next_record():
    held = rule("", MALFORMED)
    standing, changes = absent(Standing(), "timed out")
    assert [(c.state, c.began, c.why) for c in changes] == [(SourceState.UNAVAILABLE, True, "timed out")]
    standing, changes = absent(standing, "timed out")
    assert not changes
    standing, changes = arrived(standing, held, NOON, broken=True, old="")
    assert [(c.state, c.began) for c in changes] == [(SourceState.UNAVAILABLE, False)]
    assert standing.last_ns == NOON


def test_a_broken_record_says_nothing_of_its_age():
    standing, changes = arrived(Standing(), OLD, NOON, broken=False, old="old")
    assert [(c.state, c.began) for c in changes] == [(SourceState.STALE, True)]
    standing, changes = arrived(standing, OLD, NOON, broken=True, old="")
    assert not changes
    _, changes = arrived(standing, OLD, NOON, broken=False, old="")
    assert [(c.state, c.began) for c in changes] == [(SourceState.STALE, False)]


def test_durations_are_written_for_people():
    assert [span(s) for s in (0.25, 90, 7200, 86400, 172800)] == ["0.25 s", "90 s", "2 h", "24 h", "2 days"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{fields: [rate], within: 1 h}", "has no 'key'"),
        ("{key: [note], within: 1 h}", "has no 'fields'"),
        ("{key: [note], fields: [rate]}", "has no 'within'"),
        ("{key: [note], fields: [note], within: 1 h}", "'note' names the thing"),
        ("{key: [nota], fields: [rate], within: 1 h}", "nota"),
        ("{key: [note], fields: [rate], within: 1 h, over: [bank]}", "'bank' is this source itself"),
        ("{key: [note], fields: [rate], within: 1 h, ower: [x]}", "ower"),
    ],
)
def test_a_precedence_that_says_too_little_or_too_much_is_refused_with_its_line(value, said):
    with pytest.raises(InvalidFile) as caught:
        contract(custom=f"{{property: plimsollPrecedence, value: {value}}}")
    assert any(said in p.message for p in caught.value.problems)
    assert all(p.where.line == 18 for p in caught.value.problems)

"""What a contract says beyond single records, as values with their lines."""

from __future__ import annotations

import pytest

from plimsoll.contract import read_contract
from plimsoll.contract.around import seconds_of
from plimsoll.contract.terms import Effect, Operator, Trouble, Use
from plimsoll.errors import InvalidFile

HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\n"  # five lines

FULL = (
    HEAD
    + """\
servers:
- {server: claims-host, type: postgres, host: db, port: 5432, database: d, schema: s, environment: prod}
slaDefaultElement: claim.at
slaProperties:
- {property: Latency, value: 4, unit: h, element: 'claim.at, claim.id', driver: regulatory}
- {property: fy, value: 1, unit: d}
- {property: retention, value: P3Y}
- {property: availability, value: 99.5, unit: percent}
- {property: errorRate, value: 0.02}
- {property: throughput, value: 50, unit: records/s}
- {property: timeToDetect, value: 15, unit: min}
- {property: timeToNotify, value: 1, unit: m}
- {property: timeToRepiar, value: 1, unit: h}
- {property: generalAvailability, value: 2022-05-12}
team: {members: [{username: ann, name: Ann, role: owner, dateIn: 2026-01-01}]}
roles: [{role: reader, access: read, firstLevelApprovers: bo, secondLevelApprovers: cy}]
support: [{channel: '#help', tool: slack, url: 'https://x', scope: issues}]
schema:
- name: claim
  relationships: [{from: [claim.a, claim.b], to: [x.a, x.b]}]
  quality:
  - {metric: rowCount, mustBeBetween: [1, 9], severity: warning}
  - {metric: duplicateValues, arguments: {properties: [a, b]}, mustBe: 0}
  properties:
  - {name: b, logicalType: string, primaryKey: true, primaryKeyPosition: 2}
  - {name: a, logicalType: string, primaryKey: true, primaryKeyPosition: 1, relationships: [{to: other.a}]}
  - name: id
    logicalType: string
    unique: true
    quality:
    - {metric: nullValues, mustBe: 0}
    - {metric: missingValues, mustBeLessThan: 5, unit: percent, dimension: completeness}
    - {type: sql, query: 'SELECT count(*) FROM claim', mustBeGreaterThan: 0}
  - {name: amount, logicalType: number, customProperties: [{property: unit, value: EUR}]}
  - {name: at, logicalType: timestamp}
  - name: parts
    logicalType: array
    items: {logicalType: object, properties: [{name: n, logicalType: integer, unique: true}]}
customProperties:
- property: plimsollFallback
  value:
    owner: ops@example.org
    errorRate: 5%
    onUnavailable: {use: lastGood, maxAge: 4 h}
    onMalformed: hold
    onStale: {use: otherSource, source: archive}
- property: plimsollConsumers
  value:
  - id: board-report
    format: csv
    latencyTolerance: 1 day
    onUnexpected: misleads
    owner: board@example.org
    approver: head@example.org
    fields: [amount, 'parts[].n']
- {property: plimsollModifiers, value: [dba@example.org]}
- {property: plimsollLineage, value: [{source: core-banking, via: nightly job, owner: it@example.org}]}
"""
)


def test_rules_over_all_records_are_values_with_their_lines():
    terms = read_contract(FULL, "c.yaml").terms
    assert [
        (q.field, q.metric or q.kind, q.operator, q.limit, q.percent, q.advice, q.per_record) for q in terms.qualities
    ] == [
        ("claim", "rowCount", Operator.BETWEEN, (1, 9), False, True, False),
        ("claim", "duplicateValues", Operator.MUST_BE, 0, False, False, False),
        ("claim.id", "nullValues", Operator.MUST_BE, 0, False, False, True),
        ("claim.id", "missingValues", Operator.LESS, 5, True, False, False),
        ("claim.id", "sql", Operator.GREATER, 0, False, False, False),
    ]
    assert terms.qualities[1].arguments == {"properties": ["a", "b"]}
    assert terms.qualities[4].query == "SELECT count(*) FROM claim"
    assert [(u.fields, u.primary) for u in terms.unique] == [
        (("claim.id",), False),
        (("claim.parts[].n",), False),
        (("claim.a", "claim.b"), True),
    ]
    assert [(r.fields, r.to) for r in terms.references] == [
        (("claim.a", "claim.b"), ("x.a", "x.b")),
        (("claim.a",), ("other.a",)),
    ]
    lines = FULL.splitlines()
    assert all("metric" in lines[q.line - 1] or "sql" in lines[q.line - 1] for q in terms.qualities)
    assert next(f for f in read_contract(FULL, "c.yaml").record.fields if f.name == "amount").unit == "EUR"


def test_promises_about_the_delivery_are_values_in_one_unit():
    contract = read_contract(FULL, "c.yaml")
    levels = {level.property: level for level in contract.terms.levels}
    assert {name: level.seconds for name, level in levels.items() if level.seconds} == {
        "latency": 14_400.0,
        "frequency": 86_400.0,
        "retention": 3 * 365.2425 * 86_400,
        "timeToDetect": 900.0,
    }
    assert (levels["availability"].ratio, levels["errorRate"].ratio) == (0.995, 0.02)
    assert (levels["latency"].fields, levels["frequency"].fields) == (("claim.at", "claim.id"), ("claim.at",))
    assert levels["generalAvailability"].value == "2022-05-12"
    assert [(w.where.line, w.code) for w in contract.warnings] == [(17, "contract.sla"), (18, "contract.word")]
    assert contract.warnings[1].fix == "did you mean 'timeToRepair'?"


@pytest.mark.parametrize(
    ("value", "unit", "seconds"),
    [(1, "y", 31_556_952.0), (2, "weeks", 1_209_600.0), ("90", "s", 90.0), ("4 h", "", 14_400.0), ("4 h", "h", None),
     (True, "h", None), (-1, "h", None), (1, "", None), (1, "fortnight", None), ("soon", "", None), ("PT1H30M", "", 5_400.0),
     ("P1M", "", 2_629_746.0), (None, "h", None)],
)  # fmt: skip
def test_a_duration_means_one_thing_or_nothing(value, unit, seconds):
    assert seconds_of(value, unit) == seconds


def test_people_and_places_are_values():
    terms = read_contract(FULL, "c.yaml").terms
    assert (terms.servers[0].name, terms.servers[0].settings["port"], terms.servers[0].environment) == (
        "claims-host",
        5432,
        "prod",
    )
    assert (terms.members[0].username, terms.members[0].role, terms.members[0].since) == ("ann", "owner", "2026-01-01")
    assert terms.roles[0].approvers == ("bo", "cy")
    assert (terms.support[0].channel, terms.support[0].scope) == ("#help", "issues")


def test_what_the_standard_lacks_is_read_into_values():
    terms = read_contract(FULL, "c.yaml").terms
    assert (terms.fallback.owner, terms.fallback.error_rate) == ("ops@example.org", 0.05)
    assert {t: (s.use, s.max_age_s, s.source) for t, s in terms.fallback.steps.items()} == {
        Trouble.UNAVAILABLE: (Use.LAST_GOOD, 14_400.0, ""),
        Trouble.MALFORMED: (Use.HOLD, None, ""),
        Trouble.STALE: (Use.OTHER_SOURCE, None, "archive"),
    }
    (consumer,) = terms.consumers
    assert (consumer.id, consumer.format, consumer.latency_s) == ("board-report", "csv", 86_400.0)
    assert (consumer.on_unexpected, consumer.owner, consumer.approver) == (
        Effect.MISLEADS,
        "board@example.org",
        "head@example.org",
    )
    assert consumer.fields == ("amount", "parts[].n")
    assert terms.modifiers == ("dba@example.org",)
    assert (terms.lineage[0].source, terms.lineage[0].via) == ("core-banking", "nightly job")


FAULTS = """\
servers: [{server: me, type: custom}]
schema: [{name: t, properties: [{name: amount, logicalType: number}]}]
customProperties:
- property: plimsollFallback
  value:
    owner: TBD
    errorRate: 200%
    onUnavailable: {use: lastGood}
    onMalformed: holdd
    onStale:
      use: otherSource
      source: me
      maxAge: 4 h
    onFire: stop
- property: plimsollConsumers
  value:
  - id: a
    format: csv
    latencyTolerance: 4
    onUnexpected: crash
    owner: x@y@z
    fields: [amout]
  - {id: a, format: csv, latencyTolerance: 5%, onUnexpected: stops, owner: o@example.org, approver: a@example.org}
- {property: plimsollModifiers, value: []}
- {property: plimsollLineage, value: [{via: x}, 7]}
- {property: plimsollFallback, value: {owner: o@example.org, onStale: stop}}
"""


def test_every_fault_in_them_is_named_at_its_line():
    with pytest.raises(InvalidFile) as caught:
        read_contract(HEAD + FAULTS, "c.yaml")
    found = [(p.where.line - 5, p.message) for p in caught.value.problems]
    for line, words in [
        (6, "'TBD' is no answer"),
        (7, "above 100%"),
        (8, "'lastGood' needs 'maxAge'"),
        (9, "'holdd' is not a word for 'use'"),
        (12, "is the one that is in trouble"),
        (13, "'maxAge' means nothing with 'otherSource'"),
        (14, "'onFire' is not a key of plimsollFallback"),
        (17, "a consumer has no 'approver'"),
        (19, "a text such as 4 h is asked for"),
        (20, "'crash' is not a word for 'onUnexpected'"),
        (21, "is not one address"),
        (22, "'amout' is not a field of the contract"),
        (23, "is already on line"),
        (23, "is not a duration"),
        (24, "the list is empty"),
        (25, "an upstream source has no 'source'"),
        (25, "'x' is no answer"),
        (25, "an upstream source (a group of keys) is asked for"),
        (26, "'plimsollFallback' is already on line 11"),
    ]:  # fmt: skip
        assert any(at == line and words in said for at, said in found), (line, words, found)
    assert len(found) == 19

"""Reading ODCS documents: what is understood, every problem with its place, and what is listed as not enforced."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.contract import compile_contract, read_contract, read_contract_bytes
from plimsoll.errors import InvalidFile

HEAD = "apiVersion: {0}\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\n"  # five lines


def problems(text: str):
    with pytest.raises(InvalidFile) as caught:
        read_contract(text, "c.yaml")
    return caught.value.problems


def only(text: str):
    (problem,) = problems(text)
    return problem


def with_field(field: str, version: str = "v3.1.0") -> str:
    """A contract with one property; it begins on line 8, column 5."""
    return HEAD.format(version) + f"schema:\n- name: r\n  properties: \n  - {field}\n"


EVERYTHING = """\
apiVersion: v3.2.0
kind: DataContract
id: everything
name: Everything at once
version: 2.1.0
status: active
tenant: Acme
domain: claims
tags: [a, b]
context: Read with care.
description: {purpose: All of it., usage: "", authoritativeDefinitions: [{url: 'https://a.org', type: tutorial}]}
servers:
- {server: legacy-a, type: sftp, location: 'sftp://a', format: json}
- {server: legacy-b, type: custom, roles: [{role: reader}]}
schema:
- name: claim
  id: claim_obj
  physicalName: t_claim
  physicalType: table
  businessName: Claim
  dataGranularityDescription: one row, one claim
  deprecated: false
  synonyms: [{synonym: case, locale: en}]
  relationships:
  - {type: foreignKey, from: [claim.a, claim.b], to: [x.a, x.b]}
  quality:
  - {metric: rowCount, mustBeBetween: [1, 9]}
  - {metric: duplicateValues, arguments: {properties: [id, state]}, mustBe: 0}
  - {type: sql, query: SELECT 1, mustBeGreaterThan: 0}
  - {type: text, description: complete}
  - {type: custom, engine: soda, implementation: 'x: y'}
  customProperties: [{property: owner, value: [x, y], vendor: acme}]
  properties:
  - name: id
    logicalType: string
    required: true
    unique: true
    primaryKey: true
    primaryKeyPosition: 1
    examples: [CLM-1]
    logicalTypeOptions: {pattern: '^CLM-[0-9]+$'}
    relationships: [{to: other.id}]
    customProperties:
    - {property: plimsollAliases, value: [claimId]}
    - {property: plimsollCoerce, value: [trim]}
  - name: state
    logicalType: string
    enum: [{value: new, label: New}, {value: done}]
    quality:
    - {metric: invalidValues, arguments: {validValues: [new, done]}, mustBeLessThan: 5, unit: percent}
    - {metric: nullValues, mustBe: 0, severity: warning}
    - {metric: duplicateValues, mustBe: 0}
  - {name: iban, logicalType: string, classification: personal, logicalTypeOptions: {format: iban}}
  - {name: pin, logicalType: string, logicalTypeOptions: {format: password}}
  - {name: day, logicalType: date, logicalTypeOptions: {format: 'EEE d MMM', minimum: '2020-01-01'}}
  - {name: at, logicalType: timestamp, logicalTypeOptions: {minimum: '2020-01-01T00:00:00', defaultTimezone: Europe/Zurich}}
  - {name: total, logicalType: number, semanticType: measure, required: true, transformLogic: SUM(x)}
  - {name: raw, physicalType: BLOB}
  - {name: counts, logicalType: map, map: {key: {logicalType: number}, value: {logicalType: integer}}}
  - {name: vec, logicalType: vector, logicalTypeOptions: {dimensions: 3, normalized: true, distanceMetric: cosine}}
  - name: parts
    logicalType: array
    items: {logicalType: object, properties: [{name: n, logicalType: integer, unique: true, criticalDataElement: true}]}
- name: second
  properties: [{name: a, logicalType: string}]
slaProperties:
- {property: latency, value: 4, unit: h, element: claim.at}
- {property: frequency, value: 1, unit: d}
support: [{channel: '#help', url: 'https://a.org'}]
price: {priceAmount: 9.95, priceCurrency: USD}
team: {name: t, members: [{username: ann, role: owner, dateIn: 2026-01-01}]}
roles: [{role: reader, access: read}]
customProperties: [{property: cluster, value: {a: 1}}]
contractCreatedTs: 2026-01-01T00:00:00Z
"""


def test_a_contract_that_uses_everything_lists_each_rule_that_is_not_enforced_with_its_line():
    contract = read_contract(EVERYTHING, "all.yaml")
    found = [(u.line, u.rule, u.field) for u in contract.unenforced]
    lines = EVERYTHING.splitlines()
    assert [rule for _, rule, _ in found] == [
        "relationships",
        "quality.rowCount",
        "quality.duplicateValues",
        "quality.sql",
        "quality.text",
        "quality.custom",
        "unique",
        "primaryKey",
        "relationships",
        "quality.invalidValues",
        "quality.nullValues",
        "quality.duplicateValues",
        "logicalTypeOptions.format",
        "logicalTypeOptions.format",
        "logicalTypeOptions.minimum",
        "logicalTypeOptions.minimum",
        "semanticType",
        "physicalType",
        "map.key",
        "logicalTypeOptions.normalized",
        "unique",
        "schema",
        "slaProperties.latency",
        "slaProperties.frequency",
    ]
    for line, rule, _field in found:
        word = {"schema": "second", "map.key": "key"}.get(rule, rule.split(".")[-1] if "." in rule else rule)
        assert word in lines[line - 1] or "relationships" in rule, (line, rule)
    assert [f for _, _, f in found][6:9] == ["claim.id"] * 3
    assert ("unique", "claim.parts[].n") in [(r, f) for _, r, f in found]
    assert all(u.column and u.why for u in contract.unenforced)


def test_rules_that_only_the_delivery_can_break_are_told_from_those_that_a_record_can():
    delivery = {u.rule for u in read_contract(EVERYTHING, "all.yaml").unenforced if not u.of_records}
    assert delivery == {
        "quality.rowCount",
        "quality.invalidValues",
        "quality.nullValues",
        "semanticType",
        "schema",
        "slaProperties.latency",
        "slaProperties.frequency",
    }


def test_what_can_be_enforced_beside_it_is():
    checker = compile_contract(read_contract(EVERYTHING, "all.yaml"))
    record = {"claimId": " CLM-1 ", "state": "new", "at": "2019-01-01T00:00:00", "vec": [1, 2, 3], "counts": {"x": 1}}
    checked = checker.check(record)
    assert checked.reasons == ()
    assert checked.coerced == ("/id",)
    assert [r.path for r in checker.check({"id": "x", "state": "old", "vec": [1]}).reasons] == ["/id", "/state", "/vec"]


def test_the_contract_keeps_who_it_is_where_it_comes_from_and_all_of_its_document():
    contract = read_contract(EVERYTHING, "all.yaml")
    assert (contract.id, contract.name, contract.version) == ("everything", "Everything at once", "2.1.0")
    assert (contract.api_version, contract.status, contract.file) == ("v3.2.0", "active", "all.yaml")
    assert contract.sources == ("legacy-a", "legacy-b")
    assert contract.digest == "sha256:" + hashlib.sha256(EVERYTHING.encode()).hexdigest()
    assert contract.document["team"]["members"][0]["dateIn"] == "2026-01-01"  # an unquoted date stays text
    assert contract.document["schema"][0]["customProperties"] == [
        {"property": "owner", "value": ["x", "y"], "vendor": "acme"}
    ]
    assert [o.name for o in contract.objects] == ["claim", "second"]


def test_the_digest_of_bytes_is_theirs_whatever_the_line_breaks():
    raw = EVERYTHING.replace("\n", "\r\n").encode()
    contract = read_contract_bytes(raw, "all.yaml")
    assert contract.digest == "sha256:" + hashlib.sha256(raw).hexdigest()
    assert len(contract.unenforced) == len(read_contract(EVERYTHING, "all.yaml").unenforced)


def test_every_problem_is_found_in_one_pass_with_line_column_what_is_allowed_and_the_nearest_word():
    text = """\
apiVersion: v3.1.0
kind: DataContrct
id: c
version: 1.0
status: active
shcema: []
schema:
- name: r
  properties:
  - name: a
    logicaltype: string
    required: yes
  - logicalType: strin
  - name: b
    logicalType: string
    logicalTypeOptions: {minLenght: 3, pattern: '(', maxLength: -1}
  - name: b
    quality:
    - {metric: rowCuont, mustBe: 0}
    - {type: sql, mustBe: 0, mustNotBe: 1}
    customProperties:
    - {property: plimsollCoerce, value: [trimm]}
"""
    found = [(p.where.line, p.where.column, p.code.removeprefix("contract."), p.fix) for p in problems(text)]
    assert found == [
        (2, 7, "word", "did you mean 'DataContract'?"),
        (4, 10, "wrong-type", "put it in quotes"),
        (6, 1, "unknown-key", "did you mean 'schema'?"),
        (11, 5, "unknown-key", "did you mean 'logicalType'?"),
        (12, 15, "wrong-type", "write true"),
        (13, 5, "missing", "write 'name: …'"),
        (13, 18, "word", "did you mean 'string'?"),
        (16, 26, "unknown-key", "did you mean 'minLength'?"),
        (16, 49, "pattern", "balance its brackets; inside […] put '-' last, and write '\\\\' for one backslash"),
        (16, 65, "wrong-type", ""),
        (17, 11, "duplicate", "keep one of the two"),
        (19, 16, "word", "did you mean 'rowCount'?"),
        (20, 7, "missing", "write 'query: …'"),
        (20, 7, "operator", "keep one of them"),
        (22, 42, "coercion", "did you mean 'trim'?"),
    ]
    messages = "\n".join(str(p) for p in problems(text))
    assert "'yes' is a text; true or false is asked for" in messages
    assert "allowed: nullValues, missingValues, invalidValues, duplicateValues, rowCount" in messages


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("- a\n", 1, "a contract"),
        ("just text\n", 1, "a contract"),
        ("kind: DataContract\n", 1, "has no 'apiVersion'"),
        (HEAD.format("v3.1.0") + "name:\n", 6, "has nothing behind it"),
        (HEAD.format("v3.9.0"), 1, "'v3.9.0' is not a version that is read"),
        (HEAD.format("3.1.0"), 1, "'3.1.0' is not a version"),
        ("dataContractSpecification: 1.2.1\nid: x\n", 1, "Data Contract Specification"),
        (HEAD.format("v3.1.0").replace("status: active\n", ""), 1, "has no 'status'"),
        (HEAD.format("v3.1.0").replace("id: c", "id: ''"), 3, "the text is empty"),
        (HEAD.format("v3.1.0") + "schema: {}\n", 6, "a list is asked for"),
        (HEAD.format("v3.1.0") + "schema: [1]\n", 6, "an object"),
        (HEAD.format("v3.1.0") + "servers: [{server: a, type: postgre}]\n", 6, "'postgre' is not allowed here"),
        (HEAD.format("v3.1.0") + "servers: [{type: custom}]\n", 6, "has no 'server'"),
        (HEAD.format("v3.1.0") + "slaProperties: [{property: latency}]\n", 6, "has no 'value'"),
        (HEAD.format("v3.1.0") + "slaProperties: [{property: x, value: 1, element2: y}]\n", 6, "is not a key"),
        (HEAD.format("v3.1.0") + "team: {members: [{name: x}]}\n", 6, "has no 'username'"),
        (HEAD.format("v3.1.0") + "tags: [1]\n", 6, "a text is asked for"),
        (HEAD.format("v3.1.0") + "customProperties: [{property: a}]\n", 6, "has no 'value'"),
        (
            HEAD.format("v3.1.0") + "customProperties: [{property: plimsollRecord, value: x}]\n",
            6,
            "is not a schema object",
        ),
        (
            HEAD.format("v3.1.0") + "customProperties: [{property: plimsollRecrod, value: x}]\n",
            6,
            "is not a custom property",
        ),
        (
            HEAD.format("v3.1.0") + "customProperties: [{property: plimsollCoerce, value: trim}]\n",
            6,
            "no meaning at the contract",
        ),
        (with_field("{name: a, enum: [{value: 1}]}"), 9, "'enum' is known from v3.2.0 on"),
        (with_field("{name: a, logicalType: map}"), 9, "logicalType 'map' is known from v3.2.0"),
        (with_field("{name: a, logicalType: timestamp}", "v3.0.2"), 9, "known from v3.1.0"),
        (with_field("{name: a, logicalType: map}", "v3.2.0"), 9, "a map has no 'map'"),
        (with_field("{name: a, logicalType: map, map: {value: {logicalType: string}}}", "v3.2.0"), 9, "has no 'key'"),
        (with_field("{name: a, logicalType: vector}", "v3.2.0"), 9, "dimensions"),
        (with_field("{name: a, enum: []}", "v3.2.0"), 9, "at least one value"),
        (with_field("{name: a, enum: [{label: x}]}", "v3.2.0"), 9, "has no 'value'"),
        (with_field("{name: a, enum: [{value: x}, {value: x}]}", "v3.2.0"), 9, "listed twice"),
        (with_field("{name: a, deprecated: 1}", "v3.2.0"), 9, "true or false"),
        (with_field("{name: a, id: 'a b'}"), 9, "cannot be an id"),
        (with_field("{name: a, synonyms: [{locale: en}]}", "v3.2.0"), 9, "has no 'synonym'"),
        (with_field("{name: a, relationships: [{from: x.y, to: z.w}]}"), 9, "'from' is not a key"),
        (
            with_field("{name: a, logicalType: string, properties: [{name: b}]}"),
            9,
            "'properties' is for logicalType object",
        ),
        (with_field("{name: a, logicalType: string, items: {}}"), 9, "'items' is for logicalType array"),
        (
            with_field("{name: a, logicalType: string, logicalTypeOptions: {minLength: 3, maxLength: 2}}"),
            9,
            "no value can be both",
        ),
        (
            with_field("{name: a, logicalType: integer, logicalTypeOptions: {minimum: 3, maximum: 2}}"),
            9,
            "no value can be both",
        ),
        (
            with_field(
                "{name: a, logicalType: date, logicalTypeOptions: {minimum: '2025-01-01', maximum: '2024-01-01'}}"
            ),
            9,
            "no value can be both",
        ),
        (with_field("{name: a, logicalType: date, logicalTypeOptions: {minimum: tomorrow}}"), 9, "is not such a date"),
        (with_field("{name: a, logicalType: integer, logicalTypeOptions: {minimum: '3'}}"), 9, "a number is asked for"),
        (
            with_field("{name: a, logicalType: integer, logicalTypeOptions: {exclusiveMinimum: true}}"),
            9,
            "a number is asked for",
        ),
        (
            with_field("{name: a, logicalType: integer, logicalTypeOptions: {format: i23}}"),
            9,
            "'i23' is not a format of integer",
        ),
        (with_field("{name: a, logicalType: integer, logicalTypeOptions: {multipleOf: 0}}"), 9, "above 0"),
        (
            with_field("{name: a, logicalType: string, logicalTypeOptions: {pattern: '(?=x)y'}}"),
            9,
            "looks ahead, behind or back",
        ),
        (
            with_field("{name: a, logicalType: string, logicalTypeOptions: {pattern: '(a)\\1'}}"),
            9,
            "looks ahead, behind or back",
        ),
        (
            with_field("{name: a, logicalType: string, logicalTypeOptions: {pattern: '[\\w-.]'}}"),
            9,
            "not a regular expression",
        ),
        (
            with_field("{name: a, logicalType: string, logicalTypeOptions: {pattern: '((a{900}){900}){900}'}}"),
            9,
            "too large",
        ),
        (
            with_field("{name: a, logicalType: integer, customProperties: [{property: enum, value: [x]}]}"),
            9,
            "'x' is a text, the field is integer",
        ),
        (
            with_field("{name: a, logicalType: string, customProperties: [{property: enum, value: a b}]}"),
            9,
            "not a list of allowed values",
        ),
        (with_field("{name: a, quality: [{metric: invalidValues, mustBe: 0}]}"), 9, "which values are valid"),
        (with_field("{name: a, quality: [{metric: nullValues}]}"), 9, "says nothing of what must hold"),
        (with_field("{name: a, quality: [{metric: rowCount, mustBeBetween: [3, 1]}]}"), 9, "the smaller first"),
        (with_field("{name: a, quality: [{rule: nullValues, mustBe: 0}]}"), 9, "has no 'metric'"),
        (with_field("{name: a, quality: [{type: custom, engine: soda}]}"), 9, "has no 'implementation'"),
        (
            with_field("{name: a, quality: [{metric: nullValues, mustBe: 0, dimension: accurate}]}"),
            9,
            "'accurate' is not allowed",
        ),
        (
            with_field("{name: a, quality: [{metric: nullValues, mustBe: 0, element: x}]}"),
            9,
            "is not a key of a quality",
        ),
        (
            with_field(
                "{name: a, logicalType: boolean, customProperties: [{property: plimsollCoerce, value: [trim]}]}"
            ),
            9,
            "this field is boolean",
        ),
        (
            with_field("{name: a, customProperties: [{property: plimsollUnknownFields, value: maybe}]}"),
            9,
            "neither refuse nor allow",
        ),
        (with_field("{name: a, customProperties: [{property: plimsollAliases, value: [a]}]}"), 9, "is taken on line 9"),
    ],
)
def test_a_problem_is_named_at_its_line(text, line, words):
    found = [p for p in problems(text) if words in p.message]
    assert [p.where.line for p in found] == [line], [str(p) for p in problems(text)]


def test_syntax_errors_are_problems_of_the_file():
    assert only("a: [1\n").code == "yaml.syntax"
    assert only("a: 1\na: 2\n").code == "yaml.duplicate-key"


def test_before_3_1_flags_make_bounds_exclusive():
    field = "{name: a, logicalType: integer, logicalTypeOptions: {minimum: 3, exclusiveMinimum: true, maximum: 5, exclusiveMaximum: false}}"
    check = compile_contract(read_contract(with_field(field, "v3.0.2"), "c.yaml")).check
    assert [bool(check({"a": n}).reasons) for n in (3, 4, 5, 6)] == [True, False, False, True]
    dates = "{name: a, logicalType: date, logicalTypeOptions: {minimum: '2024-01-01', exclusiveMinimum: true}}"
    check = compile_contract(read_contract(with_field(dates, "v3.0.2"), "c.yaml")).check
    assert [bool(check({"a": d}).reasons) for d in ("2024-01-01", "2024-01-02")] == [True, False]


def test_older_forms_stay_readable():
    text = HEAD.format("v3.0.1") + (
        "team: [{username: a, role: x, anything: 1}]\nsupport: [{channel: a, url: b}]\n"
        "schema:\n- name: r\n  properties:\n  - name: a\n    logicalType: string\n"
        "    quality: [{type: library, rule: validValues, validValues: [x, y], whatever: 1}]\n    customProperties: [{property: some}]\n"
    )
    contract = read_contract(text, "c.yaml")
    assert contract.unenforced == ()
    assert compile_contract(contract).check({"a": "z"}).reasons


def test_what_the_parts_imply_is_the_type():
    text = with_field("{name: a, items: {properties: [{name: b, logicalType: integer}]}}")
    check = compile_contract(read_contract(text, "c.yaml")).check
    assert not check({"a": [{"b": 1}, None]}).reasons
    assert [r.path for r in check({"a": [{"b": "x"}]}).reasons] == ["/a/0/b"]
    assert [r.path for r in check({"a": {}}).reasons] == ["/a"]


def test_a_field_without_a_type_may_hold_anything_but_is_still_required():
    check = compile_contract(read_contract(with_field("{name: a, required: true}"), "c.yaml")).check
    for value in (1, "x", [], {}, False):
        assert not check({"a": value}).reasons
    assert [r.fault for r in check({"a": None}).reasons] == ["missing"]
    assert [r.fault for r in check({}).reasons] == ["missing"]


TREE = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.sampled_from(["", "string", "x", "v3.1.0", "date", "[", "mustBe"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["name", "logicalType", "logicalTypeOptions", "properties", "items", "map", "key", "value", "quality", "metric", "arguments",
             "validValues", "mustBe", "mustBeBetween", "customProperties", "property", "enum", "pattern", "format", "minimum", "maximum",
             "exclusiveMinimum", "minLength", "required", "relationships", "classification", "type", "rule", "plimsollCoerce",
             "plimsollAliases", "plimsollUnknownFields", "plimsollRecord", "timezone", "dimensions", "elementType", "semanticType"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@given(
    TREE,
    st.sampled_from(["v3.0.2", "v3.1.0", "v3.2.0", "x"]),
    st.sampled_from(["schema", "servers", "slaProperties", "customProperties", "team"]),
)
@settings(deadline=None, max_examples=400)
def test_whatever_stands_in_a_contract_gives_a_contract_or_problems(tree, version, key):
    part = [{"name": "r", "properties": [tree]}] if key == "schema" else tree
    text = HEAD.format(version) + f"{key}: {json.dumps(part)}\n"
    try:
        contract = read_contract(text, "c.yaml")
    except InvalidFile as why:
        unplaced = [p for p in why.problems if not p.where or not p.where.line]
    else:
        unplaced = []
        compile_contract(contract).check({"a": 1})
    assert unplaced == []


@pytest.mark.parametrize(("more", "said"), [("", ["contract.reference"]), (", nosuch", ["contract.reference"] * 2)])
def test_records_are_not_compared_by_a_field_that_is_none(more, said):
    text = f"""
apiVersion: v3.1.0
kind: DataContract
id: claims
version: 1.0.0
status: active
schema:
- name: claim
  quality:
  - {{metric: duplicateValues, arguments: {{properties: [a, aa{more}]}}, mustBe: 0}}
  properties:
  - {{name: a, logicalType: string}}
"""
    assert [p.code for p in problems(text)] == said
    read_contract(text + "customProperties: [{property: plimsollUnknownFields, value: allow}]\n", "c.yaml")

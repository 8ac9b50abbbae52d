"""Our reading of the standard against its own JSON Schemas: the same documents, mutated at every place.

The schemas under ``standard/`` are those of ODCS 3.0.2, 3.1.0 and 3.2.0 (Apache-2.0, see NOTICE). They are the oracle
here and are not shipped: what is shipped are tables with messages, lines and the nearest allowed word.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.contract import read_contract
from plimsoll.contract.odcs_servers import SERVER_TYPES
from plimsoll.contract.write import write_document
from plimsoll.errors import InvalidFile
from plimsoll.model import yaml_source

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=12
) | st.sampled_from(
    [
        "2026-01-01",
        "true",
        "No",
        "1e3",
        "007",
        "1_000",
        ".inf",
        "~",
        "",
        "0x1f",
        "- a",
        "a: b",
        "#",
        "a\nb\n",
        " x",
        "x ",
        "1:30",
    ]
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip

SCHEMAS = Path(__file__).parent / "standard"
ORACLES = {
    minor: jsonschema_rs.validator_for(json.loads((SCHEMAS / f"odcs-{version}.schema.json").read_text()))
    for minor, version in enumerate(("3.0.2", "3.1.0", "3.2.0"))
}


def base(minor: int) -> dict:
    """A document that uses what its version has."""
    link = [{"url": "https://example.org/a", "type": "tutorial"}]
    custom = [{"property": "cost", "value": {"a": [1]}}]
    library = {"rule": "nullValues", "mustBe": 0} if minor == 0 else {"metric": "nullValues", "mustBe": 0}
    quality = [
        {**library, "type": "library", "dimension": "completeness", "severity": "error", "unit": "rows"},
        {"type": "sql", "query": "SELECT 1", "mustBeBetween": [1, 5]},
        {"type": "custom", "engine": "soda", "implementation": "x: y"},
        {"type": "text", "description": "good", "schedule": "0 20 * * *", "scheduler": "cron"},
    ]
    prop = {
        "name": "a",
        "logicalType": "string",
        "physicalType": "varchar",
        "physicalName": "A",
        "businessName": "A",
        "description": "d",
        "required": True,
        "unique": True,
        "primaryKey": True,
        "primaryKeyPosition": 1,
        "partitioned": False,
        "partitionKeyPosition": -1,
        "classification": "public",
        "encryptedName": "e",
        "transformSourceObjects": ["s"],
        "transformLogic": "l",
        "transformDescription": "t",
        "examples": ["x", 1],
        "criticalDataElement": True,
        "tags": ["t"],
        "authoritativeDefinitions": link,
        "customProperties": custom,
        "quality": quality,
        "logicalTypeOptions": {"minLength": 1, "maxLength": 5, "pattern": "^x", "format": "email"},
    }
    number = {
        "name": "n",
        "logicalType": "number",
        "logicalTypeOptions": {"minimum": 1, "maximum": 5.5, "multipleOf": 0.5},
    }
    whole = {"name": "i", "logicalType": "integer", "logicalTypeOptions": {"minimum": 1, "format": "i32"}}
    day = {"name": "d", "logicalType": "date", "logicalTypeOptions": {"minimum": "2020-01-01", "format": "yyyy-MM-dd"}}
    many = {
        "name": "l",
        "logicalType": "array",
        "logicalTypeOptions": {"minItems": 0, "maxItems": 5, "uniqueItems": True},
        "items": {"logicalType": "string"},
    }
    nested = {
        "name": "o",
        "logicalType": "object",
        "logicalTypeOptions": {"minProperties": 0, "maxProperties": 4, "required": ["x"]},
        "properties": [{"name": "x", "logicalType": "boolean"}],
    }
    obj = {
        "name": "t",
        "physicalName": "T",
        "physicalType": "table",
        "logicalType": "object",
        "businessName": "B",
        "description": "d",
        "dataGranularityDescription": "g",
        "tags": ["x"],
        "authoritativeDefinitions": link,
        "customProperties": custom,
        "quality": [{"type": "text", "description": "x"}],
        "properties": [prop, number, whole, day, many, nested],
    }
    role = {"role": "r", "description": "d", "access": "read", "firstLevelApprovers": "a", "secondLevelApprovers": "b"}
    servers = [
        {"server": "s1", "type": "postgres", "host": "h", "port": 1, "database": "d", "schema": "s", "roles": [role]},
        {
            "server": "s2",
            "type": "s3",
            "location": "s3://b",
            "format": "json",
            "delimiter": "array",
            "endpointUrl": "https://e",
        },
        {"server": "s3", "type": "local", "path": "p", "format": "csv", "environment": "prod", "description": "d"},
        {"server": "s4", "type": "athena", "stagingDir": "s3://x", "schema": "s", "catalog": "c", "regionName": "r"},
        {"server": "s5", "type": "sftp", "location": "sftp://h/x", "format": "csv"},
        {"server": "s6", "type": "custom", "customProperties": custom},
    ]
    members = [
        {
            "username": "u",
            "name": "n",
            "role": "o",
            "dateIn": "2020-01-01",
            "dateOut": "2021-01-01",
            "replacedByUsername": "v",
        }
    ]
    document = {
        "apiVersion": ("v3.0.2", "v3.1.0", "v3.2.0")[minor],
        "kind": "DataContract",
        "id": "i",
        "version": "1.0.0",
        "status": "active",
        "name": "n",
        "tenant": "t",
        "dataProduct": "p",
        "domain": "d",
        "tags": ["a"],
        "description": {
            "usage": "u",
            "purpose": "p",
            "limitations": "l",
            "authoritativeDefinitions": link,
            "customProperties": custom,
        },
        "servers": servers,
        "schema": [obj],
        "support": [
            {
                "channel": "c",
                "url": "https://x",
                "description": "d",
                "tool": "t",
                "scope": "s",
                "invitationUrl": "https://i",
            }
        ],
        "price": {"priceAmount": 1.5, "priceCurrency": "EUR", "priceUnit": "GB"},
        "team": members if minor == 0 else {"name": "t", "description": "d", "members": members, "tags": ["x"]},
        "roles": [{**role, "customProperties": custom}],
        "slaProperties": [
            {"property": "latency", "value": 4, "valueExt": 5, "unit": "h", "element": "t.a", "driver": "regulatory"}
        ],
        "slaDefaultElement": "t.a",
        "authoritativeDefinitions": link,
        "customProperties": custom,
        "contractCreatedTs": "2022-11-15T02:59:43+00:00",
    }
    if minor >= 1:
        prop["relationships"] = [{"type": "foreignKey", "to": "x.y", "customProperties": custom}]
        prop["id"] = "a_1"
        obj["relationships"] = [{"from": ["t.a", "t.n"], "to": ["x.a", "x.b"], "type": "foreignKey"}]
        obj["properties"] += [
            {
                "name": "at",
                "logicalType": "timestamp",
                "logicalTypeOptions": {"timezone": True, "defaultTimezone": "Etc/UTC"},
            },
            {"name": "clock", "logicalType": "time", "logicalTypeOptions": {"maximum": "12:00:00"}},
        ]
    if minor >= 2:
        prop |= {
            "enum": [{"value": "xa", "label": "A", "id": "e", "tags": ["t"]}, {"value": None}],
            "deprecated": False,
            "synonyms": [{"synonym": "s", "locale": "en", "status": "x", "source": "y"}],
            "semanticType": "dimension",
        }
        obj["context"] = {
            "instructions": "i",
            "verifiedStatements": [{"question": "q"}],
            "constraints": [{"constraint": "c"}],
        }
        document["context"] = "read with care"
        custom[0]["vendor"] = "v"
        obj["properties"] += [
            {
                "name": "m",
                "logicalType": "map",
                "map": {"key": {"logicalType": "string"}, "value": {"logicalType": "integer"}},
            },
            {
                "name": "v",
                "logicalType": "vector",
                "logicalTypeOptions": {"dimensions": 3, "elementType": "float32", "distanceMetric": "cosine"},
            },
        ]
        document["servers"].append({"server": "s7", "type": "teradata", "host": "h", "port": "${PORT}"})
    return document


def words_in(schema) -> set[str]:
    """Every word that a schema lists somewhere."""
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []
    own = schema.get("enum", []) if isinstance(schema, dict) else []
    return {w for w in own if isinstance(w, str)}.union(*map(words_in, parts))


WORDED = {
    "logicalType",
    "type",
    "dimension",
    "metric",
    "semanticType",
    "format",
    "elementType",
    "distanceMetric",
    "kind",
}
WORDS = sorted(set().union(*(words_in(json.loads(f.read_text())) for f in SCHEMAS.glob("*.json"))))


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from places(item, (*path, i))


def changed(document, path, how):
    """A copy with one change at a place."""
    made = copy.deepcopy(document)
    holder = made
    for step in path[:-1]:
        holder = holder[step]
    how(holder, path[-1])
    return made


def mutations(document):
    for path in places(document):
        if not path or path == ("apiVersion",):
            continue
        yield path, "removed", changed(document, path, lambda h, k: h.pop(k))
        for value in (None, True, 7, -1, 1.5, "x", "", [], {}, [1], ["a"], {"nonsense": 1}):
            yield path, value, changed(document, path, lambda h, k, v=value: h.__setitem__(k, v))
        for word in WORDS if path[-1] in WORDED and path[0] != "servers" else ():  # they have a test of their own
            yield path, word, changed(document, path, lambda h, k, v=word: h.__setitem__(k, v))
        inside = document
        for step in path:
            inside = inside[step]
        if isinstance(inside, dict):
            yield path, "an unknown key", changed(document, path, lambda h, k: h[k].__setitem__("nonsense", 1))
        if isinstance(inside, list):
            yield path, "an item twice", changed(document, path, lambda h, k: h[k].append(h[k][0]) if h[k] else None)


def ours(document) -> list[str]:
    try:
        read_contract(json.dumps(document), "c.yaml")
    except InvalidFile as why:
        return [str(p) for p in why.problems]
    return []


# Where we are laxer than the schemas: the place, and what was done there.
LAXER = (
    ("servers.#", "an unknown key"),  # tools write more than the schema knows, and it changes no check: a warning
    (
        "logicalType",
        "removed",
    ),  # the schemas' conditions hold for every type when none is given; what is meant is plain
)
# Where we are stricter, by what we say: the schemas cannot tell, and no record could be judged.
STRICTER = (
    "the text is empty",
    "no value can be both",
    "is not such a date or time",
    "this quality rule has no 'metric'",
    "says nothing of what must hold",
    "takes two numbers, the smaller first",
    "'from' has",
    "is already on line",
    "the field is string",
    "the field is boolean",
    "is listed twice",
    "is not an option of boolean",
    "does not say which values are valid",
)


@pytest.mark.parametrize("minor", [0, 1, 2])
def test_every_thirty_first_change_of_a_document_gets_the_verdict_of_its_own_versions_schema(minor):
    compare(minor, list(mutations(base(minor)))[::31], at_least=150)


@pytest.mark.slow
@pytest.mark.parametrize("minor", [0, 1, 2])
def test_every_change_of_a_document_gets_the_verdict_of_its_own_versions_schema(minor):
    compare(minor, list(mutations(base(minor))), at_least=5000)


def compare(minor, cases, at_least):
    assert ours(base(minor)) == []
    assert ORACLES[minor].is_valid(base(minor))
    disagreed = []
    for path, what, document in cases:
        found, valid = ours(document), ORACLES[minor].is_valid(document)
        place = ".".join("#" if isinstance(step, int) else step for step in path)
        if not valid and not found and not any(place.endswith(at) and what == said for at, said in LAXER):
            disagreed.append((place, what, "the schema refuses it, we do not"))
        if valid and found and not all(any(words in said for words in STRICTER) for said in found):
            disagreed.append((place, what, found))
    assert len(cases) > at_least
    assert disagreed == []


@pytest.mark.parametrize("minor", [0, 1, 2])
def test_every_type_of_server_needs_and_takes_what_its_versions_schema_says(minor):
    disagreed, known = [], 0
    for kind, (_since, keys) in SERVER_TYPES.items():
        whole = {"server": "s", "type": kind, **{k.name: "sftp://h/x" for k in keys if k.since <= minor}}
        whole |= {"port": 1} if "port" in whole else {}
        whole |= {"format": "json"} if "format" in whole else {}
        whole |= {"delimiter": "array"} if "delimiter" in whole else {}
        variants = [
            whole,
            *({k: v for k, v in whole.items() if k != left} for left in whole if left not in {"server", "type"}),
        ]
        variants += [{**whole, key: 1.5} for key in whole]
        for server in variants:
            document = {**base(minor), "servers": [server]}
            known += not ours(document)
            agrees = ORACLES[minor].is_valid(document) is not bool(ours(document))
            if not agrees and (kind, minor) != ("duckdb", 0):  # of which 3.0.2 asks for a whole number as schema
                disagreed.append((server, ours(document)))
    assert disagreed == []
    assert known > 60


HEAD = "version: 1.0.0\napiVersion: v3.2.0\nkind: DataContract\nid: i\nstatus: active\n"  # five lines
PROPERTY = "schema:\n- name: t\n  properties:\n  - name: a\n    "  # its own keys begin on line 10


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEAD + "unknownRootField: x\n", 6),
        (HEAD.replace("v3.2.0", "v4.0.0"), 2),
        (HEAD.replace("DataContract", "Contract"), 3),
        ("apiVersion: v3.2.0\nkind: DataContract\nstatus: active\n", 1),  # no id, no version
        (HEAD + "servers:\n- server: s\n  type: nonsense\n", 8),
        (HEAD + "servers:\n- environment: prod\n", 7),
        *((HEAD + f"servers:\n- server: s\n  type: {t}\n  {k}: x\n", 7) for t, k in (
            ("athena", "regionName"), ("btrieve", "database"), ("exasol", "schema"), ("fastobjects", "host"),
            ("hana", "database"), ("iceberg", "catalog"), ("ingres", "database"), ("teradata", "database"),
            ("vectorwise", "host"), ("versant", "host"), ("zen", "host"), ("poet", "host"),
        )),
        (HEAD + "servers:\n- server: s\n  type: s3\n  location: s3://x\n  encoding: 8\n", 10),
        (HEAD + PROPERTY + "deprecated: 'yes'\n", 10),
        (HEAD + PROPERTY + "enum:\n    - value: x\n    - value: x\n", 12),
        (HEAD + PROPERTY + "enum: []\n", 10),
        (HEAD + PROPERTY + "enum:\n    - label: x\n", 11),
        (HEAD + PROPERTY + "quality:\n    - metric: nullValues\n      mustBe: 0\n      dimension: nonsense\n", 13),
        (HEAD + PROPERTY + "quality:\n    - metric: nonsense\n      mustBe: 0\n", 11),
        (HEAD + PROPERTY + "quality:\n    - type: nonsense\n", 11),
        (HEAD + PROPERTY + "quality:\n    - type: custom\n      engine: x\n", 11),
        (HEAD + PROPERTY + "quality:\n    - metric: nullValues\n      mustBe: 0\n      element: x\n", 13),
        (HEAD + PROPERTY + "quality:\n    - type: library\n      mustBe: 0\n", 11),
        (HEAD + PROPERTY + "quality:\n    - metric: nullValues\n      mustBe: 0\n      mustNotBe: 1\n", 11),
        (HEAD + PROPERTY + "quality:\n    - metric: rowCount\n      mustBeBetween: [1]\n", 12),
        (HEAD + PROPERTY + "quality:\n    - type: sql\n      mustBe: 0\n", 11),
        (HEAD + PROPERTY + "logicalType: map\n", 9),
        (HEAD + PROPERTY + "logicalType: map\n    map:\n      value: {logicalType: string}\n", 12),
        (HEAD + PROPERTY + "logicalType: map\n    map:\n      key: {logicalType: string}\n", 12),
        (HEAD + PROPERTY + "logicalType: vector\n", 9),
        (HEAD + PROPERTY + "logicalType: nonsense\n", 10),
        (HEAD + PROPERTY + "relationships:\n    - from: t.b\n      to: x.a\n", 11),
        (HEAD + PROPERTY + "synonyms:\n    - locale: en\n", 11),
        (HEAD + PROPERTY + "customProperties:\n    - {property: x, value: 1, vendor: 7}\n", 11),
        (HEAD + PROPERTY + "primaryKeyPosition: ${POSITION}\n", 10),
        (HEAD + "schema:\n- name: t\n  relationships:\n  - type: foreignKey\n", 9),
        (HEAD + "schema:\n- name: t\n  properties:\n  - logicalType: string\n", 9),
        (HEAD + "schema:\n- id: a.b\n  name: t\n", 7),
        (HEAD + "slaProperties:\n- property: latency\n", 7),
        (HEAD + "slaProperties:\n- property: latency\n  value: 1\n  authoritativeDefinitions:\n  - url: x\n", 10),
    ],
)  # fmt: skip
def test_what_the_standard_says_must_be_refused_is_refused_at_its_line(text, line):
    with pytest.raises(InvalidFile) as caught:
        read_contract(text, "c.yaml")
    assert line in {p.where.line for p in caught.value.problems}, str(caught.value)
    document = yaml_source.load(text, "c.yaml").data
    assert not ORACLES[2].is_valid(document), "the oracle takes it: the case is not one of the standard's"


BEFORE_3 = """\
apiVersion: v2.2.2
kind: DataContract
uuid: p-53581432
version: 1.0.0
status: current
quantumName: payments
datasetDomain: seller
userConsumptionMode: Analytical
productDl: dl@example.org
username: someone
dataset:
- table: tbl
  priorTableName: old
  dataGranularity: one row a payment
  columns:
  - column: ref
    logicalType: date
    isNullable: false
    isUnique: true
    sampleValues: ['2022-10-03']
    clusterStatus: false
    criticalDataElementStatus: true
  - column: kind
    logicalType: string
    isNullable: true
  quality:
  - {description: counted, toolName: Elevate, implementation: 'x', scheduleCronExpression: 0 20 * * *}
stakeholders:
- username: ann
  dateIn: 2022-08-02
slaDefaultColumn: tbl.ref
slaProperties:
- {property: latency, value: 4, unit: d, column: tbl.ref}
"""


def test_names_of_before_3_0_are_read_with_a_warning_that_says_the_new_one():
    contract = read_contract(BEFORE_3, "old.yaml")
    assert (contract.id, contract.api_version) == ("p-53581432", "v2.2.2")
    assert [(f.name, f.required) for f in contract.record.fields] == [("ref", True), ("kind", False)]
    assert contract.document["dataset"][0]["columns"][1]["isNullable"] is True  # the document stays as it was written
    said = {(w.where.line, w.code, w.fix) for w in contract.warnings}
    assert (3, "contract.former-name", "write 'id'") in said
    assert (18, "contract.former-name", "write 'required: true', which is its opposite") in said
    assert (9, "contract.former-name", "write it under 'support'") in said
    assert sorted({line for line, _, _ in said}) == [
        1,
        3,
        6,
        7,
        8,
        9,
        10,
        11,
        12,
        13,
        14,
        15,
        16,
        18,
        19,
        20,
        21,
        22,
        23,
        25,
        27,
        28,
        31,
        33,
    ]
    assert "quality.custom" in {u.rule for u in contract.unenforced}


def test_former_names_in_a_file_of_today_are_read_too_unless_the_new_one_is_there():
    text = HEAD + "schema:\n- name: t\n  columns:\n  - name: a\n    isUnique: true\n"
    assert [str(w.where) for w in read_contract(text, "c.yaml").warnings] == ["c.yaml:8:3", "c.yaml:10:5"]
    with pytest.raises(InvalidFile, match="'isUnique' is not a key of a property"):
        read_contract(text + "    unique: true\n", "c.yaml")


def test_a_key_of_a_server_that_the_standard_does_not_know_is_a_warning():
    text = HEAD + "servers:\n- {server: s, type: local, path: x, format: json, delimiter: array, pathh: y}\n"
    warned = read_contract(text, "c.yaml").warnings
    assert [w.fix for w in warned] == ["move it to customProperties", "did you mean 'path'?"]


def test_a_contract_written_back_is_the_same_and_its_unquoted_dates_stay_what_they_are():
    text = BEFORE_3 + "contractCreatedTs: 2022-11-15T02:59:43+00:00\nname: 1e3 ways\ntags: [yes, '007', 1:30]\n"
    contract = read_contract(text, "old.yaml")
    written = write_document(contract.document)
    assert "dateIn: '2022-08-02'" in written  # in quotes, so that other readers keep it a text too
    again = yaml_source.load(written, "again.yaml").data
    assert again == contract.document
    assert list(again) == list(contract.document)


@given(TREES)
@settings(deadline=None, max_examples=200)
def test_whatever_was_read_is_written_back_without_loss(tree):
    again = yaml_source.load(write_document({"a": tree}), "x.yaml").data["a"]
    assert repr(again) == repr(tree)  # kinds too: 1 is not 1.0, and not True

"""JSON Schemas and Pydantic models taken in as contracts, and back: one meaning, checked on the same records."""

from __future__ import annotations

import json
import re

import jsonschema_rs
import msgspec
import pydantic
import pytest
from contract.random_fields import FIELDS, NAMES, SCALARS, SMALL, VALUES
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plimsoll.contract import compile_contract, contract_of_model, read_contract, read_contract_bytes
from plimsoll.contract.patterns import ENGINE
from plimsoll.contract.rules import Field, LogicalType
from plimsoll.contract.schema import DRAFT, Formats, to_schema
from plimsoll.errors import InvalidFile, UsageError


def keywords(**options):
    return st.fixed_dictionaries({}, optional=options)


BOUNDS = {k: st.integers(-3, 8) | st.just(0.5) for k in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")}
LEAVES = st.one_of(
    keywords(minLength=SMALL, maxLength=SMALL, pattern=st.sampled_from(["^a", "b$", "[0-9]"]), format=st.sampled_from(["date", "email", "uuid"])).map(lambda k: {"type": "string", **k}),
    keywords(**BOUNDS, multipleOf=st.sampled_from([1, 2, 0.5])).map(lambda k: {"type": "integer", **k}),
    keywords(**BOUNDS).map(lambda k: {"type": "number", **k}),
    st.just({"type": "boolean"}),
    st.just({}),
    st.lists(SCALARS, min_size=1, max_size=4).map(lambda values: {"enum": values}),
    SCALARS.map(lambda value: {"const": value}),
    st.lists(st.sampled_from(["", "a", 1]), min_size=1, max_size=2).map(lambda v: {"type": "string", "not": {"enum": v}}),
    st.just({"$ref": "#/$defs/kept"}),
)  # fmt: skip


def nested(inner):
    named = st.dictionaries(NAMES, inner, max_size=3)
    objects = st.builds(
        lambda properties, needed, closed, more: {
            "type": "object",
            "properties": properties,
            "required": sorted(set(needed)),
            **({"additionalProperties": False} if closed else {}),
            **more,
        },
        named,
        st.lists(NAMES, max_size=2),
        st.booleans(),
        keywords(minProperties=SMALL, maxProperties=SMALL),
    )
    maps = st.builds(
        lambda value, key: {"type": "object", "additionalProperties": value, **key},
        inner,
        st.sampled_from(
            [{}, {"propertyNames": {"pattern": "^[a-c]"}}, {"propertyNames": {"type": "string", "maxLength": 1}}]
        ),
    )
    lists = st.builds(
        lambda items, more: {"type": "array", "items": items, **more},
        inner,
        keywords(minItems=SMALL, maxItems=SMALL, uniqueItems=st.booleans()),
    )
    maybe = inner.map(lambda schema: {"anyOf": [schema, {"type": "null"}]})
    both = st.builds(lambda schema, n: {"allOf": [schema, {"minLength": n}]}, inner, SMALL)
    typed = inner.map(lambda s: {**s, "type": [s["type"], "null"]} if isinstance(s.get("type"), str) else s)
    return objects | maps | lists | maybe | both | typed


SCHEMAS = st.recursive(LEAVES, nested, max_leaves=8)
ROOTS = st.builds(
    lambda properties, needed: {
        "$schema": DRAFT,
        "$defs": {"kept": {"type": "string", "maxLength": 2}},
        "type": "object",
        "properties": properties,
        "required": sorted(set(needed)),
    },
    st.dictionaries(NAMES, SCHEMAS, max_size=3),
    st.lists(NAMES, max_size=2),
)


def oracle(schema):
    return jsonschema_rs.validator_for(schema, validate_formats=True, pattern_options=ENGINE)


@given(ROOTS, st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=6, max_size=12))
@settings(deadline=None, max_examples=100)
def test_a_schema_taken_in_means_the_same_on_every_record(schema, records):
    contract = read_contract(json.dumps(schema), "s.json")
    assert contract.unenforced == ()
    check, truth = compile_contract(contract).check, oracle(schema)
    for record in records:
        reasons = check(record).reasons
        assert (not reasons) == truth.is_valid(record), (record, reasons)


# -- from rules to JSON Schema and back


@given(
    st.dictionaries(NAMES, FIELDS, min_size=1, max_size=3),
    st.booleans(),
    st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=6, max_size=12),
)
@settings(deadline=None, max_examples=100)
def test_rules_written_as_json_schema_and_read_again_mean_the_same(fields, closed, records):
    made = tuple(msgspec.structs.replace(f, name=n) for n, f in fields.items())
    record = Field(name="r", line=1, column=1, type=LogicalType.OBJECT, required=True, fields=made, closed=closed)
    formats = Formats()
    schema = {"$schema": DRAFT, **to_schema(record, formats)}
    assume(not formats.by_name)  # formats of ours have no word in JSON Schema
    again = read_contract(json.dumps(schema), "s.json")
    assert again.unenforced == ()
    first, second = oracle(schema), compile_contract(again)
    for value in records:
        assert first.is_valid(value) == (not second.check(value).reasons), value
    twice = {"$schema": DRAFT, **to_schema(again.record, Formats())}
    assert canonical(twice) == canonical(schema)  # nothing is lost on the way, and nothing added


def canonical(schema):
    """Without what is said twice in one form and once in the other."""
    if isinstance(schema, list):
        return sorted((canonical(s) for s in schema), key=repr)
    if isinstance(schema, dict):
        made = {k: canonical(v) for k, v in schema.items()}
        if isinstance(made.get("properties"), dict):  # true and {} say the same of a field: nothing
            made["properties"] = {n: s for n, s in made["properties"].items() if s not in (True, {})}
        return {k: v for k, v in made.items() if v not in ([], {}) and (k, v) != ("additionalProperties", True)}
    return schema


# -- what is listed, and what is refused


@pytest.mark.parametrize(
    ("part", "rule"),
    [
        ({"if": {}, "then": {}}, ["if", "then"]),
        ({"patternProperties": {"^x": {}}}, ["patternProperties"]),
        ({"dependentRequired": {"a": ["b"]}}, ["dependentRequired"]),
        ({"properties": {"a": {"type": "array", "prefixItems": [{}]}}}, ["prefixItems"]),
        ({"properties": {"a": {"type": "array", "contains": {}}}}, ["contains"]),
        ({"properties": {"a": {"type": ["string", "integer"]}}}, ["type"]),
        ({"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}}, ["anyOf"]),
        ({"properties": {"a": {"oneOf": [{}, {}, {}]}}}, ["oneOf"]),
        ({"properties": {"a": {"not": {"type": "string"}}}}, ["not"]),
        ({"properties": {"a": {"enum": [[1]]}}}, ["enum"]),
        ({"properties": {"a": {"format": "int32"}}}, ["format"]),
        ({"properties": {"a": False}}, ["false"]),
        ({"properties": {"a": {}}, "additionalProperties": {"type": "string"}}, ["additionalProperties"]),
        ({"properties": {"a": {"$ref": "other.json#/x"}}}, ["$ref"]),
        ({"properties": {"a": {"$ref": "#"}}}, ["$ref"]),
        ({"unevaluatedProperties": False}, ["unevaluatedProperties"]),
    ],
)
def test_a_keyword_that_is_not_enforced_is_listed_with_its_line(part, rule):
    text = json.dumps({"$schema": DRAFT, "type": "object", **part}, indent=1)
    contract = read_contract(text, "s.json")
    assert [u.rule for u in contract.unenforced] == rule
    for u in contract.unenforced:
        assert f'"{u.rule}"' in text.splitlines()[u.line - 1] or u.rule == "false"
        assert u.of_records
    compile_contract(contract).check({"a": 1})


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"type": "strng"}, "did you mean 'string'"),
        ({"pattern": "("}, "is not a regular expression"),
        ({"minLength": -1}, "a whole number of 0 or more"),
        ({"exclusiveMinimum": True}, "is a number since draft-06"),
        ({"multipleOf": 0}, "above 0"),
        ({"enum": []}, "at least one value"),
        ({"$ref": "#/$defs/none"}, "is nowhere in this file"),
        ({"allOf": [{"type": "string"}, {"type": "object"}]}, "no value can be both"),
        ({"uniqueItems": "yes"}, "true or false"),
        (7, "a schema"),
    ],
)
def test_what_cannot_be_meant_is_a_problem_at_its_line(field, words):
    text = json.dumps({"$schema": DRAFT, "type": "object", "properties": {"a": field}}, indent=1)
    with pytest.raises(InvalidFile, match=re.escape(words)) as caught:
        read_contract(text, "s.json")
    assert all(p.where.line >= 4 for p in caught.value.problems)


def test_a_keyword_one_letter_off_is_a_warning_and_a_schema_of_itself_ends():
    text = json.dumps({"$schema": DRAFT, "type": "object", "properties": {"a": {"type": "string", "minLenght": 3}}})
    assert [w.fix for w in read_contract(text, "s.json").warnings] == ["did you mean 'minLength'?"]
    tree = {"type": "object", "properties": {n: {"type": "array", "items": {"$ref": "#/$defs/t"}} for n in "abcdef"}}
    contract = read_contract(json.dumps({"$schema": DRAFT, "$ref": "#/$defs/t", "$defs": {"t": tree}}), "s.json")
    assert {u.rule for u in contract.unenforced} == {"$ref"}
    assert len(contract.unenforced) == 6
    wide = {
        f"d{i}": {"type": "object", "properties": {n: {"$ref": f"#/$defs/d{i + 1}"} for n in "ab"}} for i in range(20)
    }
    bomb = json.dumps({"$schema": DRAFT, "$ref": "#/$defs/d0", "$defs": {**wide, "d20": {}}})
    with pytest.raises(InvalidFile, match="come together"):
        read_contract(bomb, "s.json")


def test_a_list_of_records_is_a_contract_for_each():
    text = json.dumps(
        {
            "type": "array",
            "title": "Claims",
            "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
        }
    )
    contract = read_contract(text, "claims.schema.json")
    assert (contract.id, contract.name, contract.standard) == ("claims", "Claims", "json-schema")
    assert [r.path for r in compile_contract(contract).check({"id": 1}).reasons] == ["/id"]


class Part(pydantic.BaseModel):
    n: int = pydantic.Field(ge=0, le=9)
    note: str | None = None


class Claim(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    id: str = pydantic.Field(pattern="^CLM-")
    amount: float = pydantic.Field(gt=0)
    parts: list[Part] = []
    tags: dict[str, int] = {}


@pytest.mark.parametrize(
    ("record", "paths"),
    [
        ({"id": "CLM-1", "amount": 1.5}, []),
        ({"id": "CLM-1", "amount": 1.5, "parts": [{"n": 3, "note": None}], "tags": {"x": 1}}, []),
        ({"id": "1", "amount": 0, "parts": [{"n": 10}, {}], "tags": {"x": "y"}, "more": 1},
         ["/id", "/amount", "/parts/0/n", "/parts/1/n", "/tags/x", "/more"]),
        ({"amount": 1, "id": None}, ["/id"]),
    ],
)  # fmt: skip
def test_a_pydantic_model_is_a_contract_that_agrees_with_the_model(record, paths):
    contract = contract_of_model(Claim)
    assert (contract.standard, contract.name, contract.unenforced) == ("pydantic", "Claim", ())
    assert [r.path for r in compile_contract(contract).check(record).reasons] == paths
    try:
        Claim.model_validate(record, strict=True)
    except pydantic.ValidationError:
        assert paths
    else:
        assert not paths


def test_what_is_no_model_is_refused():
    with pytest.raises(UsageError, match="no Pydantic model"):
        contract_of_model(dict)


def test_json_that_writes_a_character_as_two_escapes_is_read():
    text = '{"type": "object", "properties": {"\\ud83d\\ude00": {"const": "a\\\\\\\\ud83d"}}}'
    contract = read_contract_bytes(text.encode(), "s.json")
    assert [f.name for f in contract.record.fields] == ["\U0001f600"]
    assert (
        compile_contract(contract).check({"\U0001f600": json.loads(text)["properties"]["\U0001f600"]["const"]}).reasons
        == ()
    )
    assert contract.digest == read_contract(text, "s.json").digest

"""Records against a contract: what is valid, every reason why one is not, and what reasons never show."""

from __future__ import annotations

import copy
import json
import re
import time
from datetime import date

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.contract import compile_contract, read_contract
from plimsoll.contract.reasons import MAX_REASONS
from plimsoll.errors import UsageError
from plimsoll.model.decision import Fault

HEAD = "apiVersion: {version}\nkind: DataContract\nid: claims\nname: Claims\nversion: 1.0.0\nstatus: active\n"


def checker(fields: str, *, version: str = "v3.1.0", object_extra: str = "", **given):
    text = HEAD.format(version=version) + f"schema:\n- name: claim\n{object_extra}  properties:\n{fields}"
    return compile_contract(read_contract(text, "claims.odcs.yaml"), **given)


def one(fields: str, value, **given):
    """The single reason of a record with the field ``f``."""
    (reason,) = checker(fields, **given).check({"f": value}).reasons
    return reason


def valid(fields: str, value, **given) -> bool:
    return not checker(fields, **given).check({"f": value}).reasons


CLAIM = """
  - {name: id, logicalType: string, required: true, logicalTypeOptions: {pattern: '^CLM-[0-9]+$', maxLength: 10}}
  - {name: amount, logicalType: number, required: true, logicalTypeOptions: {minimum: 0, exclusiveMaximum: 1000}}
  - {name: opened, logicalType: date}
  - name: holder
    logicalType: object
    classification: personal
    properties:
    - {name: name, logicalType: string, required: true}
    - {name: age, logicalType: integer}
  - name: scan
    logicalType: array
    logicalTypeOptions: {minItems: 2, uniqueItems: true}
    items: {logicalType: integer, required: true}
"""
GOOD = {"id": "CLM-1", "amount": 12.5, "opened": "2026-01-02", "holder": {"name": "Ann", "age": 40}, "scan": [1, 2]}


def test_a_record_that_keeps_its_contract_comes_back_as_it_is():
    checked = checker(CLAIM).check(GOOD)
    assert checked.value is GOOD
    assert checked.reasons == checked.coerced == ()


def test_every_reason_is_told_at_once_in_the_order_of_the_contract():
    record = {"scan": [1, "x", None, 1], "holder": {"age": 4.5}, "opened": "2026-02-30", "amount": 1000, "extra": 1}
    found = [(r.path, r.fault, r.rule) for r in checker(CLAIM).check(record).reasons]
    assert found == [
        ("/id", Fault.MISSING, "required"),
        ("/amount", Fault.RULE_BROKEN, "exclusiveMaximum"),
        ("/opened", Fault.RULE_BROKEN, "format"),
        ("/holder/name", Fault.MISSING, "required"),
        ("/holder/age", Fault.WRONG_TYPE, "type"),
        ("/scan", Fault.RULE_BROKEN, "uniqueItems"),
        ("/scan/1", Fault.WRONG_TYPE, "type"),
        ("/scan/2", Fault.MISSING, "required"),
        ("/extra", Fault.UNKNOWN_FIELD, "unknown-field"),
    ]


def test_reasons_say_what_is_expected_and_what_was_found():
    reasons = {
        r.path: (r.expected, r.found) for r in checker(CLAIM).check({"id": "x", "amount": "12,5", "ammount": 1}).reasons
    }
    assert reasons == {
        "/id": ("a text that matches ^CLM-[0-9]+$", '"x"'),
        "/amount": ("a number", '"12,5"'),
        "/ammount": ("no such field; the nearest that is declared is 'amount'", "a whole number"),
    }


def test_what_is_required_must_be_there_and_not_null_and_what_is_not_may_be_either():
    field = "  - {name: f, logicalType: string, required: %s}\n"
    assert one(field % "true", None).fault == Fault.MISSING
    assert [r.found for r in checker(field % "true").check({}).reasons] == ["nothing"]
    assert valid(field % "false", None)
    assert not checker(field % "false").check({}).reasons
    assert valid("  - {name: f, logicalType: string, required: true}\n", "")


def test_whatever_is_no_object_breaks_the_contract_as_a_whole():
    for value in (None, 1, "x", [], [{}], True):
        (reason,) = checker("  - {name: f, logicalType: string}\n").check(value).reasons
        assert reason.path == ""
        assert reason.fault == (Fault.MISSING if value is None else Fault.WRONG_TYPE)


@pytest.mark.parametrize(
    ("logical", "good", "bad"),
    [
        ("string", ["", "x"], [1, True, [], {}]),
        ("integer", [0, -1, 1.0, 2**70], [1.5, "1", True, []]),
        ("number", [0, 1.5, 2**70], ["1", True, []]),
        ("boolean", [True, False], [0, 1, "true"]),
        ("object", [{}, {"a": 1}], [[], "x"]),
        ("array", [[], [1, "x"]], [{}, "x"]),
        ("date", ["2024-02-29"], [20240229, ["2024-02-29"]]),
    ],
)
def test_logical_types_take_their_kind_of_value(logical, good, bad):
    field = f"  - {{name: f, logicalType: {logical}, required: true}}\n"
    assert [v for v in good if not valid(field, v)] == []
    assert {one(field, v).fault for v in bad} == {Fault.WRONG_TYPE}


def test_a_whole_number_written_with_a_point_is_one_and_stays_what_it_was():
    checked = checker("  - {name: f, logicalType: integer}\n").check({"f": 1.0})
    assert not checked.reasons
    assert isinstance(checked.value["f"], float)


@pytest.mark.parametrize(
    ("options", "good", "bad"),
    [
        ("logicalType: string, logicalTypeOptions: {minLength: 2, maxLength: 3}", ["ab", "😀😀😀"], ["a", "abcd"]),
        ("logicalType: string, logicalTypeOptions: {pattern: 'b+'}", ["abc"], ["ac", ""]),
        ("logicalType: string, logicalTypeOptions: {pattern: '^[0-9]$'}", ["1"], ["1\n", "٣", "12"]),
        ("logicalType: string, logicalTypeOptions: {format: uuid}", ["12374430-dc44-4f75-874b-86c0ea26aeea"], ["1237"]),
        ("logicalType: string, logicalTypeOptions: {format: email}", ["a@b.org"], ["a.b.org"]),
        ("logicalType: string, logicalTypeOptions: {format: uri}", ["https://a.org/b"], ["a b"]),
        ("logicalType: string, logicalTypeOptions: {format: ipv4}", ["10.0.0.1"], ["10.0.0.256"]),
        ("logicalType: string, logicalTypeOptions: {format: date-time}", ["2024-01-01T00:00:00Z"], ["2024-01-01"]),
        ("logicalType: string, logicalTypeOptions: {format: byte}", ["aGk="], ["aGk", "a?"]),
        ("logicalType: integer, logicalTypeOptions: {multipleOf: 5}", [0, 10, -5], [3]),
        ("logicalType: number, logicalTypeOptions: {multipleOf: 0.01}", [0.07, 19.99], [1.005]),
        ("logicalType: integer, logicalTypeOptions: {format: u8}", [0, 255], [-1, 256]),
        ("logicalType: integer, logicalTypeOptions: {format: i32, minimum: 5}", [5], [4, 2**31]),
        ("logicalType: number, logicalTypeOptions: {format: f32}", [3e38], [4e38]),
        ("logicalType: number, logicalTypeOptions: {exclusiveMinimum: 0, maximum: 1}", [0.1, 1], [0, 1.1]),
        ("logicalType: array, logicalTypeOptions: {minItems: 1, maxItems: 2}", [[1], [1, 2]], [[], [1, 2, 3]]),
        (
            "logicalType: array, logicalTypeOptions: {uniqueItems: true}",
            [[1, True, "1"]],
            [[1, 1.0], [{"a": 1}, {"a": 1}]],
        ),
        (
            "logicalType: object, logicalTypeOptions: {minProperties: 1, maxProperties: 1}",
            [{"a": 1}],
            [{}, {"a": 1, "b": 2}],
        ),
        ("logicalType: object, logicalTypeOptions: {required: [a]}", [{"a": None}], [{"b": 1}]),
        ("logicalType: date", ["2024-02-29"], ["2023-02-29", "29.02.2024", "2024-02-29T00:00:00Z", ""]),
        ("logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy}", ["29.02.2024"], ["29.02.2023", "2024-02-29"]),
        (
            "logicalType: date, logicalTypeOptions: {minimum: '2024-01-01', exclusiveMaximum: '2025-01-01'}",
            ["2024-01-01", "2024-12-31"],
            ["2023-12-31", "2025-01-01"],
        ),
        (
            "logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy, minimum: 01.03.2024}",
            ["01.03.2024", "15.01.2025"],
            ["29.02.2024"],
        ),
        (
            "logicalType: timestamp",
            ["2024-01-01T10:00:00Z", "2024-01-01T10:00:00", "2024-01-01T10:00:00.123+02:00"],
            ["2024-01-01", "2024-01-01 10:00:00", "2024-13-01T10:00:00"],
        ),
        (
            "logicalType: timestamp, logicalTypeOptions: {timezone: true}",
            ["2024-01-01T10:00:00Z"],
            ["2024-01-01T10:00:00"],
        ),
        (
            "logicalType: timestamp, logicalTypeOptions: {timezone: false}",
            ["2024-01-01T10:00:00"],
            ["2024-01-01T10:00:00Z"],
        ),
        (
            "logicalType: timestamp, logicalTypeOptions: {maximum: '2024-01-01T00:00:00Z'}",
            ["2024-01-01T00:30:00+01:00"],
            ["2024-01-01T00:00:01Z"],
        ),
        ("logicalType: time", ["10:00:00", "10:00:00Z"], ["25:00:00", "10"]),
        ("logicalType: time, logicalTypeOptions: {format: 'HH:mm', minimum: '08:00'}", ["08:00"], ["07:59"]),
    ],
)
def test_each_option_of_the_standard_is_enforced(options, good, bad):
    field = f"  - {{name: f, {options}}}\n"
    assert not checker(field).contract.unenforced
    assert [v for v in good if not valid(field, v)] == []
    assert [one(field, v).fault for v in bad if one(field, v).path == "/f"] in (
        [Fault.RULE_BROKEN] * len(bad),
        [],  # what is missing in an object stands below it
    )
    assert valid(field, None)


@pytest.mark.parametrize(
    "field",
    [
        "  - {name: f, logicalType: string, quality: [{metric: invalidValues, arguments: {validValues: [a, b]}, mustBe: 0}]}\n",
        "  - {name: f, logicalType: string, quality: [{metric: invalidValues, arguments: {validValues: [a, b]}, mustBeLessThan: 1}]}\n",
        "  - {name: f, logicalType: string, customProperties: [{property: enum, value: [a, b]}]}\n",
        '  - {name: f, logicalType: string, customProperties: [{property: enum, value: \'["a", "b"]\'}]}\n',
    ],
)
def test_an_enumeration_is_enforced_wherever_it_is_written(field):
    assert not checker(field).contract.unenforced
    assert valid(field, "a")
    assert valid(field, None)
    reason = one(field, "c")
    assert (reason.rule, reason.expected, reason.found) == ("enum", 'one of "a", "b"', '"c"')
    assert one(field.replace("logicalType: string", "logicalType: string, required: true"), None).fault == Fault.MISSING


def test_an_enumeration_of_the_newest_version_is_enforced():
    field = "  - {name: f, logicalType: integer, enum: [{value: 1, label: one}, {value: 2}]}\n"
    assert valid(field, 2, version="v3.2.0")
    assert one(field, 3, version="v3.2.0").rule == "enum"


def test_library_metrics_that_tolerate_nothing_hold_for_each_record():
    nulls = "  - {name: f, logicalType: string, quality: [{metric: nullValues, mustBe: 0}]}\n"
    assert one(nulls, None).rule == "required"
    missing = "  - {name: f, logicalType: string, quality: [{metric: missingValues, arguments: {missingValues: ['', N/A]}, mustBe: 0}]}\n"
    assert (one(missing, "N/A").fault, one(missing, "N/A").rule) == (Fault.MISSING, "missingValues")
    assert valid(missing, None)
    assert one(missing.replace("['',", "[null, '',"), None).fault == Fault.MISSING
    pattern = "  - {name: f, logicalType: string, quality: [{metric: invalidValues, arguments: {pattern: '^a'}, mustBe: 0}]}\n"
    assert one(pattern, "b").rule == "pattern"


def test_maps_are_checked_by_key_and_value():
    field = """
  - name: f
    logicalType: map
    map:
      key: {logicalType: string, logicalTypeOptions: {pattern: '^[a-z]$'}}
      value: {logicalType: integer, required: true}
"""
    reasons = checker(field, version="v3.2.0").check({"f": {"a": 1, "B": 2, "c": "x", "d": None}}).reasons
    assert [(r.path, r.rule) for r in reasons] == [("/f/B", "pattern"), ("/f/c", "type"), ("/f/d", "required")]
    whole = field.replace("logicalType: string, logicalTypeOptions: {pattern: '^[a-z]$'}", "logicalType: integer")
    assert [r.path for r in checker(whole, version="v3.2.0").check({"f": {"-1": 1, "x": 2}}).reasons] == ["/f/x"]


def test_vectors_have_their_dimensions_and_elements():
    field = "  - {name: f, logicalType: vector, logicalTypeOptions: {dimensions: 2, elementType: uint8}}\n"
    assert valid(field, [0, 255], version="v3.2.0")
    assert one(field, [1, 2, 3], version="v3.2.0").rule == "maxItems"
    assert one(field, [1, 256], version="v3.2.0").path == "/f/1"
    assert one(field, [1, 0.5], version="v3.2.0").fault == Fault.WRONG_TYPE


# -- unknown fields


def test_a_field_that_the_contract_does_not_name_is_refused_by_default_and_its_value_not_shown():
    (reason,) = checker(CLAIM).check({**GOOD, "ssn": "078-05-1120"}).reasons
    assert (reason.path, reason.fault) == ("/ssn", Fault.UNKNOWN_FIELD)
    assert "078" not in reason.found + reason.expected


def test_unknown_fields_can_be_let_through_for_the_whole_contract_an_object_or_a_field():
    record = {"f": {"a": 1, "x": 1}, "y": 1}
    inner = "  - name: f\n    logicalType: object\n    properties: [{name: a, logicalType: integer}]\n"
    allow = "customProperties: [{property: plimsollUnknownFields, value: allow}]\n"
    refuse = allow.replace("allow", "refuse")
    assert [r.path for r in checker(inner).check(record).reasons] == ["/f/x", "/y"]
    assert [r.path for r in checker(inner, object_extra="  " + allow).check(record).reasons] == []
    assert [r.path for r in checker(inner + "    " + allow).check(record).reasons] == ["/y"]
    assert [r.path for r in checker(inner + "    " + refuse, object_extra="  " + allow).check(record).reasons] == [
        "/f/x"
    ]


def test_an_object_that_names_no_fields_is_open():
    assert valid("  - {name: f, logicalType: object}\n", {"anything": 1})


# -- what reasons never show

SECRETS = {
    "own": "  - {name: f, logicalType: integer, classification: %s}\n",
    "of the parent": "  - {name: f, logicalType: object, classification: %s, properties: [{name: g, logicalType: integer}]}\n",
    "of the list": "  - {name: f, logicalType: array, classification: %s, items: {logicalType: integer}}\n",
    "of a child": "  - {name: f, logicalType: object, properties: [{name: g, classification: %s, logicalType: integer}]}\n",
}
BROKEN = {
    "own": "4711-secret",
    "of the parent": {"g": "4711-secret"},
    "of the list": ["4711-secret"],
    "of a child": "4711-secret",
}


@pytest.mark.parametrize("where", SECRETS)
@pytest.mark.parametrize("classification", ["personal", "restricted", "Confidential", "'5'", "special"])
def test_values_of_classified_fields_are_masked(where, classification):
    reason = one(SECRETS[where] % classification, BROKEN[where])
    assert "4711" not in repr(reason)
    assert "hidden" in reason.found
    assert "a text" in reason.found


@pytest.mark.parametrize("classification", ["public", "internal", "PUBLIC"])
def test_values_of_open_fields_are_shown(classification):
    assert one(SECRETS["own"] % classification, "4711-secret").found == '"4711-secret"'


def test_what_stands_in_something_classified_cannot_declare_itself_open():
    field = "  - {name: f, logicalType: object, classification: personal, properties: [{name: g, classification: public, logicalType: integer}]}\n"
    assert "4711" not in one(field, {"g": "4711"}).found


@pytest.mark.parametrize("where", ["of the map", "of the key", "of the record"])
def test_a_name_in_a_classified_map_is_a_value_and_its_path_holds_its_number(where):
    at = {"of the map": "  classification: personal\n  ", "of the key": ""}.get(where, "")
    key = ", classification: personal" if where == "of the key" else ""
    field = f"""
  - name: f
  {at}  logicalType: map
    map:
      key: {{logicalType: string, logicalTypeOptions: {{pattern: '@'}}{key}}}
      value: {{logicalType: integer}}
"""
    given = {"classification": "personal"} if where == "of the record" else {}
    found = (
        checker(field, version="v3.2.0", **given).check({"f": {"ann@x.org": 1, "bob@x.org": "x", "carl": 1}}).reasons
    )
    assert [(r.path, r.rule) for r in found] == [("/f/#2", "type"), ("/f/#3", "pattern")]
    assert "bob" not in repr(found)
    assert "carl" not in repr(found)


def test_a_manifest_can_classify_all_of_a_record():
    field = "  - {name: f, logicalType: integer}\n"
    assert "4711" in one(field, "4711").found
    assert "4711" not in one(field, "4711", classification="personal").found
    assert "4711" in one(field, "4711", classification="internal").found


def test_a_password_is_classified_without_being_said_so():
    assert (
        "4711"
        not in one(
            "  - {name: f, logicalType: string, logicalTypeOptions: {format: password, maxLength: 2}}\n", "4711"
        ).found
    )


def test_long_values_names_and_lists_are_cut():
    assert len(one("  - {name: f, logicalType: integer}\n", "x" * 1_000_000).found) <= 80
    (reason,) = checker(CLAIM).check({**GOOD, "n" * 1_000_000: 1}).reasons
    assert len(reason.path) <= 130
    many = ", ".join(f"v{i}" for i in range(500))
    assert one(
        f"  - {{name: f, logicalType: string, customProperties: [{{property: enum, value: [{many}]}}]}}\n", "x"
    ).expected.endswith("and 488 more")


@pytest.mark.alone
def test_a_record_with_endless_faults_gives_a_bounded_list_that_says_so_in_bounded_time():
    required = "".join(f"  - {{name: f{i}, logicalType: string, required: true}}\n" for i in range(100))
    check = checker(
        required + "  - {name: big, logicalType: array, items: {logicalType: integer, required: true}}\n"
    ).check
    for record in ({"big": ["x"] * 150_000}, {"big": list(range(150_000))}, {f"k{i}": 1 for i in range(50_000)}):
        start = time.perf_counter()
        reasons = check(record).reasons
        assert time.perf_counter() - start < 2.0  # the library's own list of errors takes up to seven seconds
        assert 100 <= len(reasons) <= MAX_REASONS + 1
    assert reasons[-1].rule == "more"


def test_pointers_are_escaped():
    field = "  - {name: a/b~c, logicalType: object, properties: [{name: 'd ', logicalType: integer}]}\n"
    (reason,) = checker(field).check({"a/b~c": {"d ": "x"}}).reasons
    assert reason.path == "/a~1b~0c/d "


# -- whatever it is given

FOREIGN = st.one_of(
    st.binary(),
    st.dates(),
    st.decimals(),
    st.just(object()),
    st.just("\ud800"),
    st.sets(st.integers()),
    st.tuples(st.integers()),
    st.dictionaries(st.integers(), st.integers(), min_size=1),
    st.floats(),
)
ANYTHING = st.recursive(
    FOREIGN | st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "holder", "scan", "name", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(ANYTHING)
@settings(deadline=None, max_examples=300)
def test_check_never_raises_and_never_changes_its_input(value):
    before = repr(value)
    checked = checker(CLAIM).check(value)
    assert all(r.expected and r.found for r in checked.reasons)
    assert repr(value) == before


def test_what_json_has_no_form_for_is_named_by_its_place():
    for bad in (b"x", date(2026, 1, 1), {1: 2}, {1, 2}, "\ud800"):
        (reason,) = (
            checker("  - {name: f, logicalType: array, items: {logicalType: integer}}\n").check({"f": [1, bad]}).reasons
        )
        assert reason.path.startswith("/f/1")
        assert (reason.fault, reason.rule) == (Fault.WRONG_TYPE, "json")


def test_a_deep_value_is_checked_or_refused_but_does_not_fall_over():
    deep = []
    for _ in range(50_000):
        deep = [deep]
    checker("  - {name: f, logicalType: string}\n").check({"f": deep})
    while deep:
        deep = deep[0]


# -- against an independent implementation

TYPES = ("string", "integer", "number", "boolean", "date")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-20, 20)
    | st.sampled_from([0.5, 1.0, -3.0, 10.25])
    | st.sampled_from(["", "a", "bcd", "2024-02-29", "2023-02-29", "abcdefgh"])
)


@st.composite
def designs(draw):
    names = draw(st.lists(st.sampled_from(["a", "b", "c", "d/e"]), unique=True, min_size=1))
    fields = []
    for name in names:
        logical = draw(st.sampled_from(TYPES))
        options = {}
        if logical == "string" and draw(st.booleans()):
            options = {"minLength": draw(st.integers(0, 2)), "maxLength": draw(st.integers(2, 4)), "pattern": "a|b|2"}
        if logical in {"integer", "number"} and draw(st.booleans()):
            options = {"minimum": draw(st.integers(-10, 0)), "exclusiveMaximum": draw(st.integers(1, 10))}
        enum = draw(st.booleans()) and logical == "string"
        fields.append(
            {
                "name": name,
                "logicalType": logical,
                "required": draw(st.booleans()),
                "logicalTypeOptions": options,
                "enum": enum,
            }
        )
    return fields, draw(st.booleans())


def naive(fields, is_open, record):
    """What is wrong, in plain Python."""
    found = set()
    known = {f["name"] for f in fields}
    for field in fields:
        path = "/" + field["name"].replace("/", "~1")
        value = record.get(field["name"])
        if value is None:
            if field["required"]:
                found.add((path, "missing", "required"))
            continue
        logical, options = field["logicalType"], field["logicalTypeOptions"]
        right = (
            {
                "string": isinstance(value, str),
                "date": isinstance(value, str),
                "boolean": isinstance(value, bool),
                "integer": isinstance(value, int | float) and not isinstance(value, bool) and value == int(value),
                "number": isinstance(value, int | float) and not isinstance(value, bool),
            }[logical]
            if not isinstance(value, list | dict)
            else False
        )
        if not right:
            found.add((path, "wrong-type", "type"))
            continue
        broken = []
        if logical == "date":
            broken += [] if re.fullmatch(r"\d{4}-\d\d-\d\d", value) and value != "2023-02-29" else ["format"]
        if "minLength" in options:
            broken += ["minLength"] if len(value) < options["minLength"] else []
            broken += ["maxLength"] if len(value) > options["maxLength"] else []
            broken += ["pattern"] if not re.search(options["pattern"], value) else []
        if "minimum" in options:
            broken += ["minimum"] if value < options["minimum"] else []
            broken += ["exclusiveMaximum"] if value >= options["exclusiveMaximum"] else []
        broken += ["enum"] if field["enum"] and value not in {"a", "bcd"} else []
        found |= {(path, "rule-broken", rule) for rule in broken}
    if not is_open:
        found |= {("/" + n.replace("/", "~1"), "unknown-field", "unknown-field") for n in record if n not in known}
    return found


@given(
    designs(),
    st.lists(
        st.dictionaries(st.sampled_from(["a", "b", "c", "d/e", "z"]), SCALARS | st.just([]) | st.just({})),
        min_size=1,
        max_size=8,
    ),
)
@settings(deadline=None, max_examples=300)
def test_an_independent_implementation_finds_the_same_reasons(design, records):
    fields, is_open = design
    written = [
        {k: v for k, v in f.items() if k != "enum" and v not in ({}, None)}
        | (
            {"quality": [{"metric": "invalidValues", "arguments": {"validValues": ["a", "bcd"]}, "mustBe": 0}]}
            if f["enum"]
            else {}
        )
        for f in fields
    ]
    extra = "  customProperties: [{property: plimsollUnknownFields, value: allow}]\n" if is_open else ""
    text = HEAD.format(version="v3.1.0") + f"schema:\n- name: r\n{extra}  properties: {json.dumps(written)}\n"
    check = compile_contract(read_contract(text, "r.yaml")).check
    for record in records:
        reasons = check(record).reasons
        assert {(r.path, r.fault.value, r.rule) for r in reasons} == naive(fields, is_open, record)
        assert len({(r.path, r.rule) for r in reasons}) == len(reasons)


MOMENTS = st.from_regex(
    r"\A[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.][0-9]{0,8})?(Z|[+]01:00)?\n?\Z"
) | st.datetimes().map(lambda at: at.isoformat())


@given(MOMENTS)
@settings(deadline=None)
def test_the_quick_check_of_timestamps_takes_none_that_the_contract_refuses(text):
    check = checker("  - {name: f, logicalType: timestamp}\n")
    assert check._is_surely is not None
    if check._is_surely({"f": text}):
        assert check._is_valid({"f": text})
    assert bool(check.check({"f": text}).reasons) is not check._is_valid({"f": text})


def test_the_quick_check_takes_what_most_timestamps_look_like_and_nothing_stands_in_for_other_formats():
    check = checker("  - {name: f, logicalType: timestamp}\n")
    assert all(check._is_surely({"f": f"2026-11-25T21:50:00{rest}"}) for rest in ("", ".5", ".123456", "Z", "+01:00"))
    other = checker("  - {name: f, logicalType: timestamp, logicalTypeOptions: {format: 'dd.MM.yyyy HH:mm'}}\n")
    assert other._is_surely is None
    assert other.check({"f": "31.12.2026 10:00"}).reasons == ()


@given(
    st.recursive(
        SCALARS,
        lambda i: (
            st.lists(i, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "amount", "opened", "holder", "scan", "name", "age"]), i, max_size=6
            )
        ),
        max_leaves=12,
    )
)
@settings(deadline=None, max_examples=400)
def test_there_are_reasons_exactly_when_the_json_schema_is_broken(record):
    check = checker(CLAIM)
    plain = jsonschema_rs.validator_for(check.schema, validate_formats=True)  # only formats that every library knows
    assert bool(check.check(record).reasons) is not plain.is_valid(record)


def test_one_checker_serves_many_records_without_remembering_any():
    check = checker(CLAIM).check
    bad = check({"id": 1}).reasons
    assert not check(copy.deepcopy(GOOD)).reasons
    assert check({"id": 1}).reasons == bad


# -- which object, which label


def test_records_are_checked_against_the_object_that_the_contract_or_the_caller_chooses():
    text = HEAD.format(version="v3.1.0") + (
        "schema:\n- name: one\n  properties: [{name: a, logicalType: string, required: true}]\n"
        "- name: two\n  properties: [{name: b, logicalType: string, required: true}]\n"
    )
    contract = read_contract(text, "two.yaml")
    assert [(u.rule, u.field) for u in contract.unenforced] == [("schema", "two")]
    assert [r.path for r in compile_contract(contract).check({}).reasons] == ["/a"]
    assert [r.path for r in compile_contract(contract, record="two").check({}).reasons] == ["/b"]
    chosen = read_contract(text + "customProperties: [{property: plimsollRecord, value: two}]\n", "two.yaml")
    assert [r.path for r in compile_contract(chosen).check({}).reasons] == ["/b"]
    with pytest.raises(UsageError, match="'three'; it has one, two"):
        compile_contract(contract, record="three")


def test_a_contract_without_a_schema_checks_nothing_and_says_so():
    contract = read_contract(HEAD.format(version="v3.1.0"), "none.yaml")
    assert [u.rule for u in contract.unenforced] == ["schema"]
    assert not compile_contract(contract).check({"anything": 1}).reasons


def test_a_checker_is_labelled_with_id_and_digest():
    check = checker(CLAIM)
    assert check.label == f"claims {check.contract.digest}"
    assert re.fullmatch(r"claims sha256:[0-9a-f]{64}", check.label)

"""The same rules on the same random rows: SQL over Parquet says what the record check says, rule by rule."""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plimsoll.assess.tables.marks import Marks
from plimsoll.assess.tables.parquet import ParquetCheck
from plimsoll.assess.tables.tally import Tally
from plimsoll.contract.check import Checker
from plimsoll.contract.rules import Contract, Field, LogicalType, Rule, RuleName
from plimsoll.contract.sql_text import identifier, matches, means_the_same, text
from plimsoll.contract.table_values import place_of
from plimsoll.engine.duckdb import Database
from plimsoll.engine.parquet import read_parquet

R, T = RuleName, LogicalType


def rule(name, value):
    return Rule(name=name, value=value, line=1, column=1)


LIMITS = st.integers(-4, 9) | st.sampled_from([0.5, 2.0, -1.5, 0.1, 2**53 + 1, -(2**63), 2**64, 2**130, 1e300])
WORDS = st.sampled_from(["", "a", "ab", "abc", "é", "a\nb", "A1", "2026-01-02", "x@y.org", "2026-01-02T03:04:05Z", "7"])
LISTED = st.lists(st.sampled_from([1, 2, 2.0, 0.5, "a", "ab", "", True, 2**53 + 1]), min_size=1, max_size=4)
PATTERNS = st.sampled_from(["^a", "b$", "^[a-z]+$", "^A[0-9]{1,2}$", "a.b", r"\d", r"^\w$", "[^a]", "(a|b)c?$", "^$"])
OF_TEXT = [(R.PATTERN, PATTERNS), (R.MIN_LENGTH, st.integers(0, 3)), (R.MAX_LENGTH, st.integers(0, 3)),
           (R.ENUM, LISTED), (R.MISSING_VALUES, LISTED), (R.FORMAT, st.just("email"))]  # fmt: skip
OF_NUMBER = [*((name, LIMITS) for name in (R.MINIMUM, R.MAXIMUM, R.EXCLUSIVE_MINIMUM, R.EXCLUSIVE_MAXIMUM)),
             (R.ENUM, LISTED), (R.MISSING_VALUES, LISTED), (R.MULTIPLE_OF, st.sampled_from([1, 2, 3, 0.5]))]  # fmt: skip
DAYS = st.sampled_from(["2026-01-02", "2026-06-01", "1999-12-31"])
OF_DATE = [(R.MINIMUM, DAYS), (R.MAXIMUM, DAYS), (R.EXCLUSIVE_MAXIMUM, DAYS)]
OF_TIME = [*OF_DATE, (R.TIMEZONE, st.booleans())]
RULES = {
    T.STRING: OF_TEXT, T.NUMBER: OF_NUMBER, T.INTEGER: OF_NUMBER, T.DATE: OF_DATE, T.TIMESTAMP: OF_TIME,
    T.BOOLEAN: [(R.ENUM, LISTED)], T.ARRAY: [(R.MAX_ITEMS, st.integers(0, 2))], T.MAP: [], T.TIME: [], None: [(R.ENUM, LISTED)],
}  # fmt: skip
COLUMNS = {
    "VARCHAR": WORDS,
    "BIGINT": st.integers(-4, 9) | st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, -(2**63)]),
    "HUGEINT": st.sampled_from([0, 5, 2**64, 2**64 + 1, 2**126]),
    "UHUGEINT": st.sampled_from([0, 5, 2**127]),
    "DOUBLE": st.sampled_from([0.0, -0.0, 0.1, 0.5, 2.0, 5.0, 1e300, 9007199254740992.0, math.nan, math.inf, -math.inf]),
    "FLOAT": st.sampled_from([0.0, 0.1, 0.5, 2.0, math.nan]),
    "DECIMAL(9,2)": st.sampled_from([Decimal("0.10"), Decimal("0.50"), Decimal("2.00"), Decimal("-1.50"), Decimal("9.99")]),
    "DECIMAL(38,4)": st.sampled_from([Decimal("0.1000"), Decimal(2), Decimal(2**53 + 1), Decimal("-1.5001")]),
    "BOOLEAN": st.booleans(),
    "DATE": st.sampled_from(["2026-01-02", "1999-12-31", "2027-05-05"]),
    "TIMESTAMP": st.sampled_from(["2026-01-02 00:00:00", "2026-01-02 03:04:05.25", "1999-12-31 23:00:00"]),
    "TIMESTAMPTZ": st.sampled_from(["2026-01-02 00:00:00+00", "2026-01-02 03:04:05+02", "1999-12-31 23:00:00-05"]),
    "TIME": st.sampled_from(["03:04:05", "23:59:59.5"]),
    "JSON": st.sampled_from(['{"a":1}', '"a"', "1", "null", "[]"]),
    "UUID": st.just("00000000-0000-0000-0000-000000000001"),
    "BLOB": st.sampled_from(["ab", "a"]),
    "TIMESTAMP_NS": st.just("2026-01-02 03:04:05.123456789"),
    "TIMETZ": st.just("03:04:05+02"),
    "INTERVAL": st.just("1 day"),
    "UTINYINT": st.integers(0, 9),
    "ENUM('a', 'ab')": st.sampled_from(["a", "ab"]),
    "VARCHAR[2]": st.just("[a, b]"),
    "STRUCT(x BIGINT)": st.sampled_from(["{'x': 1}", "{'x': null}"]),
    "BIGINT[]": st.sampled_from(["[]", "[1]", "[1, 2, 3]", "[1, null]"]),
    "MAP(VARCHAR, BIGINT)": st.sampled_from(["{}", "{a=1}", "{a=NULL}"]),
}  # fmt: skip
CELLS = {kind: st.lists(st.none() | values, min_size=5, max_size=5) for kind, values in COLUMNS.items()}
# What a type is most often stored as, so that its own rules are what is tried.
OWN = {
    T.STRING: ["VARCHAR"], T.NUMBER: ["DOUBLE", "DECIMAL(9,2)", "DECIMAL(38,4)", "FLOAT", "BIGINT"], T.INTEGER: ["BIGINT", "DOUBLE", "HUGEINT"],
    T.DATE: ["DATE", "VARCHAR"], T.TIMESTAMP: ["TIMESTAMP", "TIMESTAMPTZ", "VARCHAR"], T.BOOLEAN: ["BOOLEAN"],
    T.ARRAY: ["BIGINT[]"], T.MAP: ["MAP(VARCHAR, BIGINT)"], T.TIME: ["TIME"], None: ["VARCHAR"],
}  # fmt: skip


@st.composite
def fields(draw, name):
    type_ = draw(st.sampled_from([*RULES, T.NUMBER, T.INTEGER, T.STRING]))
    kind = draw(st.sampled_from(OWN[type_]) | st.sampled_from(OWN[type_]) | st.sampled_from(list(COLUMNS)))
    options = RULES[type_]
    named = draw(st.lists(st.sampled_from(options), max_size=3, unique_by=lambda o: o[0])) if options else []
    rules = tuple(rule(n, tuple(draw(v)) if n in {R.ENUM, R.MISSING_VALUES} else draw(v)) for n, v in named)
    if draw(st.booleans()):
        rules = (*rules, rule(R.NOT_NULL, True))
    items = Field(name="", line=1, column=1, type=T.INTEGER, required=True) if type_ is T.ARRAY else None
    value = Field(name="", line=1, column=1, type=T.INTEGER) if type_ is T.MAP else None
    field = Field(
        name=name, line=1, column=1, type=type_, required=draw(st.booleans()), rules=rules, items=items, value=value
    )
    cells = draw(CELLS[kind])
    if type_ not in {T.NUMBER, T.INTEGER}:  # the record check is given NaN as a text, and takes it for one
        cells = [0.5 if isinstance(c, float) and not math.isfinite(c) else c for c in cells]
    return field, kind, cells


@st.composite
def tables(draw):
    made = [draw(fields(name)) for name in ("a", "b c", 'd"e')]
    inner = [draw(fields("n")) for _ in range(1)]
    return made, inner[0], draw(st.lists(st.booleans(), min_size=5, max_size=5))


@pytest.fixture(scope="module")
def database():
    with Database() as opened:
        yield opened


def literal(value, kind):
    return f"CAST({'NULL' if value is None else text(str(value))} AS {kind})"


def write(database, path, made, inner, there):
    """Five rows: three columns, and a struct of one field that is null where ``there`` is false."""
    field, kind, cells = inner
    rows = []
    for at in range(5):
        row = [f"{literal(c[at], k)} AS {identifier(f.name)}" for f, k, c in made]
        struct = f"struct_pack({identifier(field.name)} := {literal(cells[at], kind)})"
        row.append(f"CASE WHEN {str(there[at]).lower()} THEN {struct} END AS o")
        rows.append("SELECT " + ", ".join(row))
    database.run(f"COPY ({' UNION ALL '.join(rows)}) TO {text(str(path))} (FORMAT parquet)")


def checked(database, path, record):
    """What SQL says, rule by rule, and how many rows it marks."""
    for table in [name for (name,) in database.rows("SELECT table_name FROM duckdb_tables()")]:
        database.run(f"DROP TABLE {identifier(table)}")
    tally = Tally()
    contract = Contract(id="c", name="c", version="1", digest="", file="", objects=(record,), record=record)
    check = ParquetCheck(database, contract, record, tally, Marks(database))
    check.run([path], frozenset())
    assert tally.faults() == ()
    return check.broken_rows(), Counter(
        {(r.rule, r.field): r.failed for r in tally.rules() if r.failed and r.rule != "presence"}
    )


def expected(path, record):
    """What the record check says of each row, rule by rule, and how many rows break something."""
    checker = Checker(Contract(id="c", name="c", version="1", digest="", file="", record=record))
    found, rows = Counter(), 0
    for row in read_parquet([path]):
        broken = {(r.rule, place_of(record, record.name, r.path)[0]) for r in checker.check(row).reasons}
        found.update(broken)
        rows += bool(broken)
    return rows, found


@settings(max_examples=35, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(table=tables())
def test_sql_and_the_record_check_count_the_same(table, database, tmp_path_factory):
    made, inner, there = table
    path = tmp_path_factory.mktemp("t") / "t.parquet"
    write(database, path, made, inner, there)
    nested = Field(name="o", line=1, column=1, type=T.OBJECT, fields=(inner[0],))
    record = Field(name="t", line=1, column=1, type=T.OBJECT, fields=(*(f for f, _, _ in made), nested))
    assert checked(database, path, record) == expected(path, record)


@settings(max_examples=300)
@given(
    pattern=st.text(alphabet="ab[]()^$|?*+{}0-9,\\d.", max_size=7)
    | st.lists(st.sampled_from(["a", "[ab]", "[a-c]", r"\d", "0", "[0-9]{2}", "a{3}", "-"]), max_size=3)
    .map("".join)
    .map("^{}$".format),
    words=st.lists(st.text(alphabet="ab0\né-", max_size=4), min_size=4, max_size=4),
)
def test_a_pattern_said_to_mean_the_same_does(pattern, words, database):
    if not means_the_same(pattern):
        return
    field = Field(name="a", line=1, column=1, type=T.STRING, rules=(rule(R.PATTERN, pattern),))
    try:
        checker = Checker(Contract(id="c", name="c", version="1", digest="", file="", record=field))
    except ValueError:
        return  # no contract is read with it
    said = database.row(f"SELECT {', '.join(matches(text(w), pattern) for w in words)}")
    assert list(said) == [not checker.check(w).reasons for w in words]

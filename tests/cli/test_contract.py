"""`plimsoll contract`: lint with every problem at its line, and a comparison whose exit code CI can use."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.tiny_system import CONTRACT, plimsoll

MODEL = """\
import pydantic


class Number(pydantic.BaseModel):
    number: int = pydantic.Field(ge=0)
"""
CONSUMER = """\
customProperties:
- property: plimsollConsumers
  value:
  - {id: report, format: csv, latencyTolerance: 1 day, onUnexpected: misleads, owner: r@example.org,
     approver: x@example.org, fields: [number]}
"""


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_right_contract_is_told_with_what_is_not_enforced(tmp_path):
    text = CONTRACT.replace("required: true", "required: true, unique: true").replace(
        "status: active", "status: active\nquantumName: q"
    )
    ran = plimsoll("contract", "lint", write(tmp_path, "c.yaml", text))
    assert (ran.code, ran.stderr) == (0, "")
    assert "c.yaml: no problem. odcs v3.1.0; id 'numbers', version 1.0.0; sha256:" in ran.stdout
    assert "warning: " in ran.stdout
    assert "'quantumName' is the name of before v3.0; it is read as 'dataProduct'" in ran.stdout
    assert "  | ^" in ran.stdout
    assert "* " in ran.stdout
    assert "c.yaml:14:62: unique (number.number): it compares records with each other" in ran.stdout


def test_problems_of_every_file_are_told_and_the_exit_code_is_2(tmp_path):
    bad = write(tmp_path, "bad.yaml", CONTRACT.replace("integer", "integr").replace("kind: DataContract\n", ""))
    good, gone, folder = write(tmp_path, "good.yaml", CONTRACT), str(tmp_path / "gone.yaml"), str(tmp_path)
    ran = plimsoll("contract", "lint", bad, good, gone, folder)
    assert ran.code == 2
    assert "bad.yaml:12:37: 'integr' is not a logicalType" in ran.stdout
    assert "fix: did you mean 'integer'?" in ran.stdout
    assert "good.yaml: no problem" in ran.stdout
    assert "cannot be read: No such file or directory" in ran.stdout
    assert "is a folder" in ran.stdout
    assert ran.stdout.endswith("4 contracts, 3 with problems\n")

    as_json = plimsoll("contract", "lint", bad, good, "--json")
    assert as_json.code == 2
    assert as_json.envelope["ok"] is False
    assert [(c["ok"], c["standard"]) for c in as_json.data["contracts"]] == [(False, ""), (True, "odcs")]
    where = [p["where"] for p in as_json.envelope["problems"]]
    assert [(w["file"], w["line"], w["column"]) for w in where] == [(bad, 1, 1), (bad, 12, 37)]
    assert as_json.data["contracts"][0]["problems"] == as_json.envelope["problems"]


def test_a_json_schema_and_a_model_are_contracts_too(tmp_path):
    schema = write(
        tmp_path, "s.json", '{"type": "object", "properties": {"a": {"type": "string"}},\n "if": {"required": ["a"]}}'
    )
    write(tmp_path, "shop_models.py", MODEL)
    ran = plimsoll("contract", "lint", schema, "shop_models:Number", cwd=tmp_path)
    assert (ran.code, ran.stderr) == (0, "")
    assert "s.json: no problem. json-schema" in ran.stdout
    assert "s.json:2:2: if: what holds under a condition is not checked" in ran.stdout
    assert "shop_models:Number: no problem. pydantic" in ran.stdout
    assert "no module 'nothing_there'" in plimsoll("contract", "lint", "nothing_there:Model", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("change", "breaks", "code"),
    [
        (("minimum: 0", "minimum: 0"), "both", 0),
        (("minimum: 0", "minimum: 1"), "both", 3),
        (("minimum: 0", "minimum: 1"), "consumers", 0),
        (("minimum: 0", "minimum: 1"), "sources", 3),
        (("required: true", "required: false"), "sources", 0),
        (("required: true", "required: false"), "consumers", 3),
        (("integer", "integr"), "both", 2),
    ],
)
def test_the_exit_code_of_a_comparison_says_whether_it_breaks_whom_one_asks_about(tmp_path, change, breaks, code):
    old = write(tmp_path, "old.yaml", CONTRACT + CONSUMER)
    new = write(tmp_path, "new.yaml", (CONTRACT + CONSUMER).replace(*change))
    ran = plimsoll("contract", "diff", old, new, "--breaks", breaks)
    assert ran.code == code
    if code == 2:
        assert "'integr' is not a logicalType" in ran.stderr


def test_a_comparison_names_changes_with_both_lines_and_each_consumer(tmp_path):
    old = write(tmp_path, "old.yaml", CONTRACT + CONSUMER)
    new = write(tmp_path, "new.yaml", (CONTRACT + CONSUMER).replace("required: true", "required: false"))
    ran = plimsoll("contract", "diff", old, new)
    assert (
        "breaks consumers     number.number: became optional: it was required and may be missing, or null" in ran.stdout
    )
    assert f"{old}:13 → {new}:13" in ran.stdout
    assert (
        "consumer report: broken by 1 change (number.number); an unexpected value gives a wrong result there"
        in ran.stdout
    )
    assert "it needs the approval of x@example.org; its owner is r@example.org" in ran.stdout
    assert ran.stderr == "It breaks consumers.\n"
    data = plimsoll("contract", "diff", old, new, "--json").data
    assert (data["breaks_sources"], data["breaks_consumers"]) == (False, True)
    assert data["consumers"] == [
        {"id": "report", "owner": "r@example.org", "approver": "x@example.org", "effect": "misleads", "changes": [0]}
    ]
    assert plimsoll("contract", "diff", old, old).stdout.startswith("Nothing changed.\n")


def test_a_contract_is_inferred_from_files_to_stdout_or_a_file_that_is_not_there_yet(tmp_path):
    feed = write(tmp_path, "numbers.jsonl", "".join(f'{{"number": {i}}}\n' for i in range(30)) + "cut\n")
    ran = plimsoll("contract", "infer", feed)
    assert ran.code == 0
    assert "logicalType: integer  # seen in 30 of 30 rows" in ran.stdout
    assert "1 line is no record:" in ran.stderr
    assert "numbers.jsonl:31: " in ran.stderr
    target = tmp_path / "numbers.odcs.yaml"
    assert plimsoll("contract", "infer", feed, "--output", target).stdout == f"Wrote {target}\n"
    assert target.read_text() == ran.stdout
    assert plimsoll("contract", "lint", target).code == 0
    again = plimsoll("contract", "infer", feed, "--output", target)
    assert (again.code, "is there already" in again.stderr) == (2, True)
    data = plimsoll("contract", "infer", feed, "--name", "My Numbers", "--json").data
    assert (data["records"], data["skipped"], data["more"]) == (30, 1, False)
    assert "id: my-numbers" in data["contract"]
    gone = plimsoll("contract", "infer", tmp_path / "gone.jsonl")
    assert (gone.code, "cannot be read" in gone.stderr) == (2, True)


def test_check_says_which_names_of_a_contract_are_former_ones(tiny):
    tiny.change("numbers.odcs.yaml", "status: active", "status: active\nquantumName: q")
    ran = tiny.run("check", "--only", "organisation")
    assert (
        "warning: numbers.odcs.yaml:7:1: 'quantumName' is the name of before v3.0; it is read as 'dataProduct'"
        in ran.stderr
    )


def test_what_the_traffic_of_a_system_has_shown_is_listed_once_with_how_often(tiny):
    assert tiny.run("contract", "changes").stdout == "Nothing has come that no contract knows.\n"
    records = ["[]", '{"number": 1}', '{"Number": 2}', '{"Number": 4}', '{"number": "five"}']
    for source in ("counter", "abacus"):
        tiny.run("decide", "tell-parity", "--source", source, stdin="\n".join(records).encode())
    ran = tiny.run("contract", "changes")
    assert (ran.code, ran.stderr) == (0, "")
    lines = [line[22:] for line in ran.stdout.splitlines()]
    assert "counter              the field 'Number' is new" in lines
    assert "abacus               no contract names this source" in lines
    assert "counter              the record itself holds another kind of value" in lines
    assert "in 2 of 5 records (40.0%)" in lines
    assert "such as a whole number" in lines
    assert any(
        line.startswith("most likely 'number' under a new name: 'number' is gone from 2 of 2 rec") for line in lines
    )

    told = tiny.run("contract", "changes", "--json").data["changes"]
    assert sorted((c["source"], c["kind"], c["what"], c["seen"], c["of"]) for c in told) == [
        ("abacus", "other-type", "", 1, 5),
        ("abacus", "other-type", "number", 1, 5),
        ("abacus", "undeclared-source", "abacus", 5, 5),
        ("abacus", "unknown-field", "Number", 2, 5),
        ("counter", "other-type", "", 1, 5),
        ("counter", "other-type", "number", 1, 5),
        ("counter", "unknown-field", "Number", 2, 5),
    ]

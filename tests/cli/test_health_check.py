"""`plimsoll health-check` as it is typed: exit codes, what it prints, and what it does not need."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from assess import streams
from cli.tiny_system import environment, lines, plimsoll

LISTING = "import sys; print('\\n--modules--'); print('\\n'.join(sorted(sys.modules)))"
PAGE = """\
health: 1
work:
  - {role: Counters, agrees: head@example.org, change: They count the odd ones alone.}
sources:
  counter:
    system: Counter
    since: 2020-01-01
    documentation: complete
    owner: {name: Head, contact: head@example.org}
    lead_time: 3 days
"""


@pytest.fixture
def prepared(tmp_path):
    file = tmp_path / "pilot.jsonl"
    file.write_text("\n".join(streams.prepared()))
    return file


def test_a_prepared_sample_is_no_go_with_its_reasons_and_what_to_do(prepared):
    ran = plimsoll("health-check", prepared)
    assert ran.code == 3
    assert ran.stdout.startswith("NO-GO: 'Live or theatre?' is answered with no")
    for said in ("1  Live or theatre?  ✕ no", "2  Is this real data?", "3  Whose work changes?", "4  What has to be",
                 "What to do next", "Nothing was recorded"):  # fmt: skip
        assert said in ran.stdout, ran


def test_what_is_only_unclear_is_no_go_with_a_code_of_its_own(tmp_path):
    file = tmp_path / "few.jsonl"
    file.write_text(lines({"id": n * 3, "kind": "a"} for n in range(60)))
    assert plimsoll("health-check", file).code == 4


def test_the_envelope_holds_the_check_and_each_reason_as_a_problem(prepared, tmp_path):
    ran = plimsoll("health-check", prepared, "--json", "--report", tmp_path / "page.html")
    check = ran.data["check"]
    assert (ran.code, ran.envelope["ok"], check["go"]) == (3, False, False)
    assert [q["answer"] for q in check["questions"]] == ["no", "unclear", "unclear", "unclear"]
    assert {p["code"] for p in ran.problems} >= {"health.signs", "health.undocumented", "health.nobody"}
    assert ran.data["report"] == str(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_the_plain_install_is_enough(prepared):
    """Without NumPy, DuckDB, scikit-learn, or the driver of a database."""
    code = (
        "import sys; from plimsoll.cli.main import main\n"
        f"code = main(['health-check', {str(prepared)!r}, '--report', {str(prepared) + '.html'!r}])\n"
        f"assert code == 3\n{LISTING}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.partition("--modules--")[2].split()) | set(done.stdout.partition("--modules--")[2].split())
    assert "plimsoll.assess.health.page" in loaded
    assert not loaded & {"numpy", "duckdb", "sklearn", "pandas", "polars", "psycopg", "onnxruntime"}


def test_the_whole_way_with_a_manifest_to_a_board(tiny):
    key = tiny.folder / "head.key"
    assert tiny.run("keys", "new", key).code == 0
    entry = tiny.run("keys", "show", key, "--for", "head@example.org", "--role", "owner").stdout
    tiny.write("health.yaml", PAGE)
    tiny.write("trust.yaml", f"plimsoll-trust: 1\nkeys:\n{entry}")
    look = ("health-check", "feed/counter.jsonl", "--manifest", "plimsoll.yaml", "--trust", "trust.yaml", "--json")

    def answers(ran):
        return {q["asked"]: q["answer"] for q in ran.data["check"]["questions"]}

    assert answers(tiny.run(*look))["Whose work changes?"] == "unclear"
    signed = tiny.run(
        "health-check", "--manifest", "plimsoll.yaml", "--agree", "--as", "head@example.org", "--key", key
    )
    assert (signed.code, "agrees for Counters" in signed.stdout) == (0, True)
    ran = tiny.run(*look)
    assert answers(ran)["Whose work changes?"] == "yes"
    assert answers(ran)["What has to be connected?"] == "yes"
    assert list((tiny.folder / ".plimsoll" / "reports").glob("health-*.html"))
    board = tiny.run("gate", "--json").data["board"]
    assert any(note.startswith("health check of 20") and "no-go because" in note for note in board["notes"])
    assert tiny.run("ledger", "verify").code == 0
    assert tiny.run("health-check", "--manifest", "plimsoll.yaml", "--refuse", "not asked", "--as", "head@example.org", "--key", key).code == 0  # fmt: skip
    assert answers(tiny.run(*look))["Whose work changes?"] == "no"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "there is nothing to look at"),
        (("nowhere.jsonl",), "cannot be read"),
        (("--agree",), "a signature needs a manifest"),
        (("x.jsonl", "--page", "nowhere.yaml"), "the health page"),
        (("x.jsonl", "--contract", "nowhere.yaml"), "the contract"),
        (("x.jsonl", "--work", "nobody"), "names no role"),
        (("x.jsonl", "--report", "/proc/none/page.html"), "cannot be written"),
    ],
)
def test_what_is_wrong_with_the_call_is_said(tmp_path, arguments, said):
    (tmp_path / "x.jsonl").write_text(json.dumps({"a": 1}))
    ran = plimsoll("health-check", *arguments, cwd=tmp_path)
    assert ran.code == 2
    assert said in ran.stderr


def test_names_that_would_steer_the_terminal_do_not(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_text(lines({"a\x1b[31m": n, "mail": f"x{n}@mail.test"} for n in range(60)))
    assert "\x1b" not in plimsoll("health-check", file).stdout

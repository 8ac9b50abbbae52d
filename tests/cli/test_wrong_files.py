"""Files that are missing, wrong or empty: what is wrong, where, and what to do; never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.tiny_system import CONTRACT, MANIFEST, TinySystem, lines, plimsoll

from plimsoll.assembly.project import Project
from plimsoll.guard.quarantine import find_quarantined, original_bytes

THIRTY_FAULTS = Path(__file__).parents[1] / "model" / "thirty_faults.yaml"


def test_every_fault_of_a_manifest_is_told_in_one_pass_with_its_line_and_a_caret():
    ran = plimsoll("check", THIRTY_FAULTS)
    assert ran.code == 2
    assert ran.stdout == ""
    assert ran.stderr.count(" | ^") + ran.stderr.count("| ") >= 30
    problems = plimsoll("check", THIRTY_FAULTS, "--json").problems
    assert len(problems) >= 30
    assert f"plimsoll: {len(problems)} problems" in ran.stderr
    for problem in problems:
        assert problem["code"].split(".")[0] in {"manifest", "yaml"}
        assert problem["fix"]
        assert problem["where"]["file"] == str(THIRTY_FAULTS)
        assert problem["where"]["line"] > 0
        assert f"{THIRTY_FAULTS}:{problem['where']['line']}:" in ran.stderr


def test_a_slip_is_shown_where_it_stands_with_the_nearest_word(tiny):
    tiny.change("plimsoll.yaml", "tier: automatic", "teir: automatic")
    ran = tiny.run("check")
    assert ran.code == 2
    line = MANIFEST.splitlines().index("    tier: automatic") + 1
    assert f"plimsoll.yaml:{line}:5: 'teir' is not a key" in ran.stderr
    assert f"  {line} |     teir: automatic\n     |     ^\n" in ran.stderr
    assert "did you mean 'tier'?" in ran.stderr


def test_a_fault_in_a_contract_is_shown_in_the_contract(tiny):
    tiny.write("numbers.odcs.yaml", CONTRACT.replace("logicalType: integer", "logicalType: intger"))
    ran = tiny.run("decide", "tell-parity")
    assert ran.code == 2
    assert "numbers.odcs.yaml:13:" in ran.stderr
    assert "intger" in ran.stderr
    assert "^" in ran.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("plimsoll.yaml", b"", "the file is empty"),
        ("plimsoll.yaml", b"\xff\xfe\x00", "is not UTF-8"),
        ("plimsoll.yaml", b"a: [1", "plimsoll.yaml:2:1"),
        ("plimsoll.yaml", b"[" * 10_000, "levels deep"),
        ("plimsoll.yaml", b"just a word", "plimsoll.yaml:1:1"),
        ("numbers.odcs.yaml", b"", "the file is empty"),
        ("numbers.odcs.yaml", b"\xff", "is not UTF-8"),
        ("golden.jsonl", b"", "the golden set holds no case"),
        ("golden.jsonl", b'{"input": {"number": 1}}\n', "golden.jsonl:1: this line is no case"),
        ("golden.jsonl", b'\xff\xfe\n{"input": \n', "golden.jsonl:2: this line is no case"),
        ("golden.jsonl", b'{"input": 1, "expected": 1, "type": "tell-party"}\n', "'tell-party' is not a decision type"),
        ("feed/counter.jsonl", b"", "holds no record"),
        ("feed/counter.jsonl", b"\n \n\n", "holds no record"),
    ],
)
def test_a_file_that_holds_something_else_is_named(tiny, name, content, said):
    tiny.write(name, content)
    ran = tiny.run("check", "--only", "evaluation", "--only", "contracts")
    assert ran.code == 2, ran
    assert said in ran.stderr
    assert name.split("/")[0] in ran.stderr


@pytest.mark.parametrize("name", ["plimsoll.yaml", "numbers.odcs.yaml", "golden.jsonl", "feed", "parity.py"])
def test_a_file_that_is_not_there_is_named(tiny, name):
    (tiny.folder / name).rename(tiny.folder / "elsewhere")
    ran = tiny.run("check", "--json")
    assert ran.code == 2, ran
    assert name.removesuffix(".py") in ran.problems[0]["message"]
    assert ran.problems[0]["fix"]


@pytest.mark.parametrize("name", ["plimsoll.yaml", "numbers.odcs.yaml", "golden.jsonl", "feed/counter.jsonl"])
def test_a_folder_in_the_place_of_a_file_is_named(tiny, name):
    (tiny.folder / name).unlink()
    (tiny.folder / name).mkdir()
    ran = tiny.run("check")
    assert ran.code == 2, ran
    assert name.split("/")[-1] in ran.stderr or "plimsoll.yaml" in ran.stderr


def test_a_file_in_the_place_of_the_feed_is_named(tiny):
    tiny.change("plimsoll.yaml", "feed: feed}", "feed: golden.jsonl}")
    ran = tiny.run("assess", "contracts")
    assert ran.code == 2
    assert "golden.jsonl" in ran.stderr


def test_an_artifact_that_is_not_there_is_named(tiny):
    tiny.change("plimsoll.yaml", "python: parity:predict", "python: parity:predict\n  artifacts: [weights.npz]")
    ran = tiny.run("check")
    assert ran.code == 2
    assert "weights.npz" in ran.stderr


def test_no_line_of_a_sample_is_printed_since_it_may_be_personal(tiny):
    tiny.write("golden.jsonl", '{"input": {"number": 1, "name": "Erika Mustermann"}}\n')
    ran = tiny.run("check")
    assert ran.code == 2
    assert "golden.jsonl:1" in ran.stderr
    assert "Mustermann" not in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("threshold", "sign", "--key", "KEY"),
        ("accept", "--as", "head@example.org", "--key", "KEY"),
        ("gate", "--attest", "out.json", "--key", "KEY"),
        ("keys", "show", "KEY"),
    ],
)
def test_a_key_that_is_none_is_named(prepared, arguments):
    key = {"threshold": "nowhere.key", "accept": "plimsoll.yaml", "gate": "feed", "keys": "noise"}[arguments[0]]
    ran = prepared.run(*[key if a == "KEY" else a for a in arguments], "--json")
    assert ran.code == 2, ran
    assert ran.problems[0]["where"]["file"] == key
    assert "plimsoll keys new" in ran.problems[0]["fix"]


def test_a_key_is_never_overwritten(tiny):
    assert tiny.run("keys", "new", "coo.key").code == 0
    before = (tiny.folder / "coo.key").read_bytes()
    again = tiny.run("keys", "new", "coo.key")
    assert again.code == 2
    assert "never overwritten" in again.stderr
    assert (tiny.folder / "coo.key").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gate", "--trust", "nowhere.yaml"), "cannot be read"),
        (("gate", "--trust", "plimsoll.yaml"), "plimsoll-trust"),
        (("gate", "--trust", "noise"), "is not UTF-8"),
        (("verify", "nowhere.json", "--subject", "x", "--trust", "trust.yaml"), "the attestation 'nowhere.json'"),
        (("verify", "nowhere.json", "--subject", "x"), "no trusted keys are named"),
        (("verify", "nowhere.json", "--subject", "x", "--trust", "noise"), "is not UTF-8"),
        (("ledger", "check", "nowhere.json", "--trust", "trust.yaml"), "'nowhere.json'"),
        (("ledger", "check", "nowhere.json"), "no ledger key is trusted"),
        (("ledger", "verify", "--ledger", "nowhere.db"), "there is no ledger 'nowhere.db'"),
        (("ledger", "verify", "--witness", "nowhere.txt"), "nowhere.txt"),
        (("ledger", "prove", "nothing"), "'nothing'"),
        (("ledger", "erase", "nobody", "--by", "head@example.org", "--reason", "why"), "nothing is kept"),
        (("ledger", "erase", "nobody", "--by", "stranger", "--reason", "why"), "'stranger' is not named"),
        (("quarantine", "show", "nothing"), "is not a quarantined record"),
        (("quarantine", "replay", "nothing", "--by", "ops@example.org"), "is not a quarantined record"),
        (("quarantine", "replay", "nothing", "--by", "ops@example.com"), "did you mean ops@example.org?"),
        (("quarantine", "replay", "nothing", "--by", "ops@example.org", "--fixed", "nowhere"), "mended record"),
        (("quarantine", "discard", "nothing", "--by", "ops@example.org", "--reason", "why"), "is not a quarantined"),
        (("control", "stop", "--by", "ops@example.org", "--reason", " "), "has a reason"),
        (("control", "stop", "--type", "tell-party", "--by", "ops@example.org", "--reason", "x"), "tell-parity"),
        (("decide", "tell-party"), "did you mean 'tell-parity'?"),
        (("decide", "tell-parity", "nowhere.jsonl"), "nowhere.jsonl' cannot be read"),
        (("decide", "tell-parity", "feed"), "feed' cannot be read"),
        (("check", "--only", "evalution"), "'evaluation'"),
        (("check", "--report", "/proc/no/report.html", "--only", "accountability"), "the report"),
        (("gate", "--attest", "/proc/no/out.json", "--key", "trust.key"), "the attestation"),
        (("gate", "--attest", "out.json"), "--attest needs the gate's key"),
        (("accept", "--as", "stranger@example.org", "--key", "trust.key"), "is not named as an owner or operator"),
        (("assess", "stability", "--url", "nonsense"), "nonsense"),
        (("assess", "stability", "--ca", "ca.pem"), "--ca says whom to trust at an address, and there is none"),
        (("assess", "stability", "--url", "http://127.0.0.1:1/", "--ca", "ca.pem"), "would verify nothing"),
        (
            ("assess", "stability", "--url", "https://127.0.0.1:1/", "--ca", "nowhere.pem"),
            "nowhere.pem' cannot be read",
        ),
        (("assess", "stability", "--url", "https://127.0.0.1:1/", "--ca", "noise"), "it holds no certificate"),
        (("demo", "--example", "nowhere"), "the example is not at nowhere"),
        (("demo", "--state", "."), "no demonstration made it"),
    ],
)
def test_whatever_else_is_wrong_is_said_with_exit_code_2(prepared, arguments, said):
    ran = prepared.run(*arguments)
    assert ran.code == 2, ran
    assert said in ran.stderr
    assert "fix: " in ran.stderr
    assert not (prepared.folder / "out.json").exists()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """One system for all that leaves it as it is: a decision recorded, a trust file, a key, and noise."""
    tiny = TinySystem(tmp_path_factory.mktemp("prepared") / "parity")
    tiny.write("noise", b"\xff\xfe\x80")
    assert tiny.run("keys", "new", "trust.key").code == 0
    entry = tiny.run("keys", "show", "trust.key", "--for", "pipeline", "--role", "gate", "--role", "ledger").stdout
    tiny.write("trust.yaml", "plimsoll-trust: 1\nkeys:\n" + entry)
    assert tiny.decide({"number": 1}).code == 0
    return tiny


def test_nothing_is_written_where_nothing_was_recorded(tiny):
    for arguments in (
        ("ledger", "show"), ("ledger", "verify"), ("ledger", "prove", "x"), ("quarantine", "show", "x"),
        ("quarantine", "replay", "x", "--by", "ops@example.org"), ("threshold", "show"), ("quarantine", "list"),
        ("ledger", "erase", "x", "--by", "ops@example.org", "--reason", "x"), ("keys", "show", "golden.jsonl"),
    ):  # fmt: skip
        ran = tiny.run(*arguments)
        assert ran.code == (0 if arguments[0] == "threshold" or arguments[1] == "list" else 2), ran
        assert not (tiny.folder / ".plimsoll").exists(), f"{arguments} made a ledger"


def test_malformed_records_are_quarantined_with_their_bytes_and_decisions_go_on(tiny):
    bad = [
        b'{"number": 1',
        b"\xff\xfe{}",
        b'{"number": NaN}',
        b"[" * 5000 + b"]" * 5000,
        b'{"number": 1, "number": 2}',
        b'{"number": 1, "more": 2}',
        b'{"number": "' + b"9" * 2_000_000 + b'"}',
        b"\x00\x01\x02",
        b"null",
    ]
    ran = tiny.run("decide", "tell-parity", stdin=b"\n".join([*bad, b'{"number": 7}']) + b"\n")
    assert ran.code == 0
    ended = [answer["disposition"] for answer in ran.lines]
    assert ended == ["quarantined"] * len(bad) + ["answered"]
    with Project(tiny.manifest).open_ledger(read_only=True) as ledger:
        for raw, answer in zip(bad, ran.lines, strict=False):
            assert answer["broken"]
            _, kept = find_quarantined(ledger, answer["record"])
            assert original_bytes(kept) == raw
    shown = tiny.run("quarantine", "show", ran.lines[1]["record"])
    assert "2 bytes" not in shown.stdout
    assert "4 bytes:\n\\xff\\xfe{}" in shown.stdout
    assert tiny.run("ledger", "verify").code == 0


def test_empty_input_is_no_error(tiny):
    ran = tiny.run("decide", "tell-parity", stdin=b"\n\n")
    assert (ran.code, ran.stdout) == (0, "")
    assert tiny.run("decide", "tell-parity", "--json", stdin=b"").data == []


def test_records_of_other_lines_are_taken_as_they_come(tiny):
    ran = tiny.run("decide", "tell-parity", stdin=lines([{"number": 1}]).encode().replace(b"\n", b"\r\n"))
    assert ran.lines[0]["output"] == {"parity": "odd"}
    unended = tiny.run("decide", "tell-parity", stdin=b'{"number": 2}')
    assert unended.lines[0]["output"] == {"parity": "even"}

"""From real keys to READY without DEMONSTRATION, and every way in which that verdict ends."""

from __future__ import annotations

import pytest
from cli.tiny_system import OPERATOR, lines


@pytest.fixture
def ready(let_through, tmp_path):
    """A copy, to be changed."""
    return let_through.copy_to(tmp_path / "copy")


def board_of(system, *more):
    ran = system.run("gate", "--trust", system.trust, "--json", *more)
    return ran.code, ran.data["board"]


def rows(board):
    return {row["metric"]: row for row in board["rows"]}


def test_a_real_system_is_ready_and_says_nothing_of_a_demonstration(ready):
    ran = ready.run("gate", "--trust", ready.trust)
    assert ran.code == 0, ran
    assert ran.stdout.startswith("READY")
    assert "DEMONSTRATION" not in ran.stdout
    assert "DRAFT" not in ran.stdout
    _, board = board_of(ready)
    assert (board["outcome"], board["draft"], board["demonstration"]) == ("ready", False, False)
    assert {row["standing"] for row in board["rows"]} == {"met"}


def test_its_attestation_verifies_for_this_release_and_no_other(ready):
    attested = ready.run(
        "gate", "--trust", ready.trust, "--attest", "out.json", "--key", ready.key("pipeline"), "--json"
    )
    assert attested.code == 0, attested
    release = attested.data["board"]["release"]
    checked = ready.run("verify", "out.json", "--subject", release, "--trust", ready.trust)
    assert checked.code == 0, checked
    assert release in checked.stdout
    other = ready.run("verify", "out.json", "--subject", "sha256:" + "0" * 64, "--trust", ready.trust)
    assert other.code == 5, other
    raw = (ready.folder / "out.json").read_bytes()
    ready.write("altered.json", raw.replace(b'"payload":"eyJ', b'"payload":"eyK', 1))
    altered = ready.run("verify", "altered.json", "--subject", release, "--trust", ready.trust, "--json")
    assert altered.code == 5
    assert altered.problems[0]["code"].startswith("verification")
    stranger = ready.run("keys", "new", "stranger.key")
    assert stranger.code == 0
    entry = ready.run("keys", "show", "stranger.key", "--for", "pipeline", "--role", "gate").stdout
    elsewhere = ready.write("other-trust.yaml", "plimsoll-trust: 1\nkeys:\n" + entry)
    assert ready.run("verify", "out.json", "--subject", release, "--trust", elsewhere).code == 5


def test_nobody_who_pins_no_key_is_told_ready(ready):
    ran = ready.run("gate", "--json")
    assert ran.code in {3, 4}
    assert ran.data["board"]["draft"] is True
    attested = ready.run("gate", "--attest", "out.json", "--key", ready.key("pipeline"), "--json")
    release = attested.data["board"]["release"]
    assert ready.run("verify", "out.json", "--subject", release, "--trust", ready.trust).code == 5


def test_a_changed_source_is_another_release_that_was_never_measured(ready):
    _, before = board_of(ready)
    ready.change("parity.py", "def predict", "# a word more\ndef predict")
    code, board = board_of(ready)
    assert code == 4
    assert board["release"] != before["release"]
    assert board["threshold"] == before["threshold"]
    assert {row["standing"] for row in board["rows"]} == {"not measured"}


def test_a_lowered_peak_is_another_release(ready):
    _, before = board_of(ready)
    ready.change("plimsoll.yaml", "peak: 100/s", "peak: 10/s")
    code, board = board_of(ready)
    assert code == 4
    assert board["release"] != before["release"]
    assert {row["standing"] for row in board["rows"]} == {"not measured"}


def test_a_changed_contract_is_another_release(ready):
    _, before = board_of(ready)
    ready.change("numbers.odcs.yaml", "minimum: 0", "minimum: 1")
    code, board = board_of(ready)
    assert code == 4
    assert board["release"] != before["release"]


def test_mending_an_address_keeps_the_release_and_asks_people_again(ready):
    _, before = board_of(ready)
    ready.change("plimsoll.yaml", "name: Head,", "name: Head of Numbers,")
    code, board = board_of(ready)
    assert board["release"] == before["release"]
    assert rows(board)["evaluation.accuracy"]["standing"] == "met"
    assert code in {0, 4}


def test_another_threshold_is_a_draft_until_it_is_signed(ready):
    ready.change("plimsoll.yaml", "contracts.valid_rate >= 90%", "contracts.valid_rate >= 80%")
    code, board = board_of(ready)
    assert code == 4
    assert board["draft"] is True


def test_the_record_of_it_all_verifies_against_the_pinned_key(ready):
    ran = ready.run("ledger", "verify", "--trust", ready.trust, "--json")
    assert ran.code == 0, ran
    assert "pinned in" in ran.data["keys"]
    decision = next(e["id"] for e in ready.run("ledger", "show", "--json", "--newest", "2000").data if e["type"])
    assert ready.run("ledger", "prove", decision, "--out", "proof.json", "--disclose").code == 0
    proved = ready.run("ledger", "check", "proof.json", "--trust", ready.trust)
    assert proved.code == 0, proved
    assert '"disposition"' in proved.stdout
    proof = (ready.folder / "proof.json").read_text()
    ready.write("forged.json", proof.replace('"kind": "decision"', '"kind": "decisiom"'))
    assert ready.run("ledger", "check", "forged.json", "--trust", ready.trust).code == 5


def test_an_operator_who_has_replayed_nothing_cannot_accept(tiny):
    assert tiny.run("keys", "new", "night.key").code == 0
    ran = tiny.run("accept", "--as", OPERATOR, "--key", "night.key")
    assert ran.code == 3, ran
    assert "quarantine replay" in ran.stderr


def test_a_file_that_the_release_does_not_cover_keeps_evidence_from_binding(tiny):
    tiny.write("table.txt", "odd\n")
    tiny.write(
        "parity.py",
        "from pathlib import Path\n\n\ndef predict(record):\n"
        "    odd = Path(__file__).with_name('table.txt').read_text().strip()\n"
        "    return {'parity': odd if record['number'] % 2 else 'even'}\n",
    )
    ran = tiny.run("check", "--only", "evaluation", "--json")
    row = rows(ran.data["board"])["evaluation.accuracy"]
    assert row["standing"] != "met", row
    assert "table.txt" in row["why"] + row["next"], row
    tiny.change("plimsoll.yaml", "python: parity:predict", "python: parity:predict\n  artifacts: [table.txt]")
    covered = tiny.run("check", "--only", "evaluation", "--json").data["board"]
    assert rows(covered)["evaluation.accuracy"]["standing"] == "met"
    tiny.write("table.txt", "Odd\n")
    changed = tiny.run("gate", "--json").data["board"]
    assert changed["release"] != covered["release"]


def test_a_worse_target_is_refused_with_figures(tiny):
    tiny.change("parity.py", 'if record["number"] % 2', 'if record["number"] % 2 and record["number"] % 7')
    ran = tiny.run("check", "--only", "evaluation")
    assert ran.code == 3
    assert "93%" in ran.stdout  # of 100 numbers 7 are odd and divisible by seven


def test_few_cases_are_insufficient_and_say_how_many_it_takes(tiny):
    tiny.write(
        "golden.jsonl",
        lines({"input": {"number": n}, "expected": {"parity": "odd" if n % 2 else "even"}} for n in range(30)),
    )
    ran = tiny.run("check", "--only", "evaluation", "--json")
    row = rows(ran.data["board"])["evaluation.accuracy"]
    assert ran.code == 4
    assert row["standing"] == "insufficient"
    assert "59" in row["needed"]  # 0.95 ** 59 < 0.05: the smallest set without an error that shows 95%

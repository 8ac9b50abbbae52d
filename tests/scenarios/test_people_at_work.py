"""What people do with a running system: mend a record, stop it, take that back, forget somebody."""

from __future__ import annotations

import time

import pytest
from cli.tiny_system import OPERATOR, TinySystem

from plimsoll import Guard
from plimsoll.model.decision import Disposition


def test_a_record_is_found_shown_mended_replayed_and_the_operator_accepts(tiny):
    first, second = tiny.decide({"number": "seven"}, {"number": 8, "colour": "red"}).lines
    listed = tiny.run("quarantine", "list")
    assert "2 records wait." in listed.stdout
    assert "/number: wrong-type" in listed.stdout
    assert "--records" in listed.stderr  # what to do next
    records = tiny.run("quarantine", "list", "--records")
    assert first["record"] in records.stdout
    assert second["record"] in records.stdout

    shown = tiny.run("quarantine", "show", first["record"])
    assert "expected a whole number" in shown.stdout
    assert '{"number": "seven"}' in shown.stdout

    still = tiny.write("still.json", '{"number": "7"}\n')
    again = tiny.run("quarantine", "replay", first["record"], "--fixed", still, "--by", OPERATOR)
    assert again.code == 3, again  # it still waits
    mended = tiny.write("mended.json", '{"number": 7}\n')
    replayed = tiny.run("quarantine", "replay", first["record"], "--fixed", mended, "--by", OPERATOR, "--json")
    assert replayed.code == 0, replayed
    assert replayed.data["output"] == {"parity": "odd"}
    twice = tiny.run("quarantine", "replay", first["record"], "--fixed", mended, "--by", OPERATOR)
    assert twice.code == 2
    assert "fixed already" in twice.stderr

    thrown = tiny.run("quarantine", "discard", second["record"], "--by", OPERATOR, "--reason", "a test of the sender")
    assert thrown.code == 0
    assert "Nothing waits" in tiny.run("quarantine", "list").stdout
    closed = {r["record"]: r for r in tiny.run("quarantine", "list", "--all", "--json").data["records"]}
    assert (closed[first["record"]]["status"], closed[first["record"]]["became"]) == (
        "fixed",
        replayed.data["record"],
    )
    assert closed[second["record"]]["status"] == "discarded"

    assert tiny.run("keys", "new", "night.key").code == 0
    accepted = tiny.run("accept", "--as", OPERATOR, "--key", "night.key")
    assert accepted.code == 0, accepted
    assert "as operator" in accepted.stdout
    entry = tiny.run("keys", "show", "night.key", "--for", OPERATOR, "--role", "operator").stdout
    tiny.write("trust.yaml", "plimsoll-trust: 1\nkeys:\n" + entry + tiny.run("keys", "ledger").stdout)
    ran = tiny.run("check", "--only", "organisation", "--trust", "trust.yaml", "--json")
    (row,) = (r for r in ran.data["board"]["rows"] if r["metric"] == "organisation.accepted")
    assert row["counts"] == "census of 5"
    assert row["estimate"] == pytest.approx(0.2)
    assert OPERATOR not in row["why"]
    assert ran.data["board"]["demonstration"] is False


def test_a_stop_from_another_process_takes_effect_in_a_running_guard_and_is_taken_back(tiny):
    with Guard.open(tiny.manifest) as guard:
        assert ask(guard).disposition is Disposition.ANSWERED
        by = ("--type", "tell-parity", "--by", OPERATOR)
        assert tiny.run("control", "stop", *by, "--reason", "smoke in the server room").code == 0
        held = wait_until(guard, Disposition.HELD)
        assert "smoke in the server room" in held.why
        assert OPERATOR in held.why
        assert held.output is None
        refused = tiny.run("control", "resume", *by, "--reason", "it was the coffee machine")
        assert (refused.code, "ops@example.org" in refused.stderr) == (3, True), refused
        assert ask(guard).disposition is Disposition.HELD, "whoever may not resume leaves it stopped"
        by = ("--type", "tell-parity", "--by", "ops@example.org")
        assert tiny.run("control", "resume", *by, "--reason", "it was the coffee machine").code == 0
        wait_until(guard, Disposition.ANSWERED)
    assert tiny.run("ledger", "verify").code == 0


def ask(guard):
    return guard.decide("tell-parity", {"number": 7})


def wait_until(guard, wanted):
    """A guard is in step within a second; a busy machine is given some more."""
    until = time.monotonic() + 10
    while (answer := ask(guard)).disposition is not wanted:
        assert time.monotonic() < until, f"still {answer.disposition}"
        time.sleep(0.02)
    return answer


def test_a_person_is_forgotten_and_the_record_still_holds(tiny: TinySystem):
    (about_ada,) = tiny.run("decide", "tell-parity", "--subject", "ada@example.org", stdin=b'{"number": 1}\n').lines
    (broken,) = tiny.run("decide", "tell-parity", "--subject", "ada@example.org", stdin=b'{"number": "x"}\n').lines
    others = tiny.decide({"number": 2}, {"number": 3}).lines
    assert tiny.run("ledger", "prove", about_ada["record"], "--out", "before.json").code == 0

    erased = tiny.run(
        "ledger", "erase", "ada@example.org", "--by", "head@example.org", "--reason", "asked for on 3 May"
    )
    assert erased.code == 0, erased
    assert "ada" not in erased.stdout
    shown = tiny.run("ledger", "show", about_ada["record"], "--json").data
    assert (shown["erased"], shown["body"]) == (True, None)
    assert shown["header"]["disposition"] == "answered"  # that it was decided stays
    assert tiny.run("ledger", "show", others[0]["record"], "--json").data["erased"] is False
    assert b"ada@example.org" not in tiny.ledger.read_bytes()

    assert tiny.run("ledger", "verify").code == 0
    server = tiny.run("keys", "show", ".plimsoll/ledger.key", "--for", "server", "--role", "ledger").stdout
    tiny.write("trust.yaml", "plimsoll-trust: 1\nkeys:\n" + server)
    assert tiny.run("ledger", "check", "before.json", "--trust", "trust.yaml").code == 0  # proofs stay valid
    assert tiny.run("ledger", "prove", about_ada["record"], "--out", "after.json").code == 0
    disclosed = tiny.run("ledger", "prove", about_ada["record"], "--disclose")
    assert disclosed.code == 5
    assert "erased" in disclosed.stderr

    gone = tiny.run("quarantine", "show", broken["record"])
    assert gone.code == 5
    assert "erased" in gone.stderr
    assert "Nothing waits" in tiny.run("quarantine", "list").stdout
    assert tiny.run("quarantine", "replay", broken["record"], "--by", OPERATOR).code in {2, 5}

    ran = tiny.run("check", "--only", "accountability", "--json")
    (row,) = (r for r in ran.data["board"]["rows"] if r["metric"] == "accountability.complete")
    assert row["standing"] == "met", row  # the rest is reconstructed
    again = tiny.run("ledger", "erase", "ada@example.org", "--by", "head@example.org", "--reason", "again")
    assert again.code == 2

"""How the line was moved, as a person and as a program read it."""

from __future__ import annotations

import re

SETTER = "coo@example.org"


def sign(tiny):
    assert tiny.run("threshold", "sign", "--key", "coo.key").code == 0


def pin(tiny):
    assert tiny.run("keys", "new", "coo.key").code == 0
    entry = tiny.run("keys", "show", "coo.key", "--for", SETTER, "--role", "setter").stdout
    tiny.write("trust.yaml", "plimsoll-trust: 1\nkeys:\n" + entry)


def told(tiny, *more):
    ran = tiny.run("threshold", "history", "--trust", "trust.yaml", *more)
    assert ran.code == 0, ran
    return ran


def test_before_anybody_signs_there_is_the_manifest_alone(tiny):
    ran = tiny.run("threshold", "history")
    assert ran.code == 0
    assert ran.stdout.startswith(
        "Threshold of parity: 0 signatures, oldest first\n  not signed, set by coo@example.org, "
    )
    assert "a DRAFT, which nothing can pass" in ran.stdout


def test_each_line_says_what_it_changed_and_from_when(tiny):
    pin(tiny)
    sign(tiny)
    tiny.change("plimsoll.yaml", "accuracy >= 95%", "accuracy >= 90%")
    tiny.change("plimsoll.yaml", "answered_share >= 90%", "answered_share >= 91%")
    sign(tiny)
    tiny.change("plimsoll.yaml", "set_by: coo@example.org", "set_by: coo@example.org\n  confidence: 90%")
    text = told(tiny).stdout
    moment = r"20\d\d-\d\d-\d\d \d\d:\d\d UTC"
    for pattern in (
        r"Threshold of parity: 2 signatures, oldest first",
        rf"  signed {moment}, set by coo@example.org, sha256:[0-9a-f]{{12}}\n    the first: it counts at once",
        rf"    loosened: evaluation.accuracy >= 95% to evaluation.accuracy >= 90%, from {moment} on",
        r"    tightened: evaluation.answered_share >= 90% to evaluation.answered_share >= 91%, at once",
        rf"    witnessed {moment}",
        r"  not signed, set by coo@example.org, sha256:[0-9a-f]{12}, as the manifest holds it",
        r"    loosened: confidence 95% to 90%, once somebody signs it",
    ):
        assert re.search(pattern, text), (pattern, text)


def test_a_program_reads_the_same(tiny):
    pin(tiny)
    sign(tiny)
    tiny.change("plimsoll.yaml", "    - evaluation.accuracy >= 95%\n", "    - stability.error_rate <= 1%\n")
    sign(tiny)
    data = told(tiny, "--json").data
    first, second = data["lines"]
    assert data["system"] == "parity"
    assert (first["first"], first["current"], first["counts_from"], first["changes"]) == (True, False, None, [])
    assert second["current"] is True
    assert second["signed_at"].endswith("Z")
    assert second["counts_from"] > second["witnessed_at"]
    assert [(c["what"], c["was"], c["now"], c["looser"]) for c in second["changes"]] == [
        ("evaluation.accuracy", "evaluation.accuracy >= 95%", "", True),
        ("stability.error_rate", "", "stability.error_rate <= 1%", False),
    ]


def test_without_a_trust_file_no_signature_is_believed(tiny):
    pin(tiny)
    sign(tiny)
    text = tiny.run("threshold", "history").stdout
    assert "does not count: trust.yaml pins no key that may set a threshold at this time" in text


def test_a_gate_holds_the_stricter_line_until_then(tiny):
    pin(tiny)
    sign(tiny)
    tiny.change("plimsoll.yaml", "accuracy >= 95%", "accuracy >= 90%")
    sign(tiny)
    board = tiny.run("gate", "--trust", "trust.yaml", "--json").data["board"]
    assert board["draft"] is False
    assert board["earlier"] == ["evaluation.accuracy >= 95%"]
    assert any("still counts, until 20" in note for note in board["notes"])

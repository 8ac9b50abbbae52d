"""An operator finds a group of broken records, tries a fix on it, and sends all of it through again."""

from __future__ import annotations

import json

from cli.tiny_system import OPERATOR

FIX = '[{"op": "test", "path": "/number", "value": "seven"}, {"op": "replace", "path": "/number", "value": 7}]'


def test_a_group_is_previewed_mended_replayed_and_another_discarded(tiny):
    lines = [{"number": "seven"}] * 3 + [{"number": "eight"}, {}, {"number": 1}]
    feed = tiny.write("counter.jsonl", "\n".join(json.dumps(line) for line in lines) + "\n")
    tiny.run("decide", "tell-parity", feed, "--source", "counter")
    listed = tiny.run("quarantine", "list", "--json").data
    assert listed["open"] == 5
    wrong, missing = listed["groups"]
    assert (wrong["source"], wrong["count"], wrong["owner"]) == ("counter", 4, "ops@example.org")
    shown = tiny.run("quarantine", "show", wrong["example"])
    for said in (
        "counter.jsonl:1",
        "numbers 1.0.0 sha256:",
        "owner     ops@example.org",
        "state     parsed",
        "encrypted",
    ):
        assert said in shown.stdout
    assert wrong["group"] in tiny.run("quarantine", "list").stdout

    fix = tiny.write("fix.json", FIX)
    seen = tiny.run("quarantine", "replay", wrong["group"], "--patch", fix, "--preview", "1")
    assert seen.code == 3, "one of them would not pass"
    assert '- {"number": "seven"}' in seen.stdout
    assert '+ {"number":7}' in seen.stdout
    assert "3 of 4 would pass; nothing was sent" in seen.stdout
    assert "test /number: another value is there" in seen.stdout

    by = ("--by", OPERATOR)
    unnamed = tiny.run("quarantine", "replay", wrong["group"], "--patch", fix, *by)
    assert unnamed.code == 2
    assert "--contract numbers@1.0.0" in unnamed.stderr
    other = tiny.run("quarantine", "replay", wrong["group"], "--patch", fix, "--contract", "numbers@2.0.0", *by)
    assert "held against numbers@1.0.0 here, not against numbers@2.0.0" in other.stderr
    named = ("quarantine", "replay", wrong["group"], "--patch", fix, "--contract", "numbers@1.0.0", *by)
    done = tiny.run(*named, "--json")
    assert done.code == 3
    assert (done.data["ended"], done.data["not_patched"]) == ({"answered": 3}, 1)
    again = tiny.run(*named)
    assert "of 1 that waited: 1 not mended by the patch" in again.stdout

    closed = [r for r in tiny.run("quarantine", "list", "--all", "--json").data["records"] if r["status"] == "fixed"]
    assert {(r["by"], r["run"]) for r in closed} == {(OPERATOR, done.data["run"])}
    run = tiny.run("ledger", "show", done.data["run"], "--json").data["body"]
    assert (run["by"], run["patch"], run["contract_version"]) == (OPERATOR, FIX, "1.0.0")

    thrown = tiny.run("quarantine", "discard", missing["group"], *by, "--reason", "a test of the sender")
    assert "1 record is discarded" in thrown.stdout
    single = tiny.run("quarantine", "list", "--json").data["groups"][0]["example"]
    bare = tiny.write("bare.json", '[{"op": "replace", "path": "/number", "value": 8}]')
    assert tiny.run("quarantine", "replay", single, "--patch", bare, *by).code == 0
    after = tiny.run("quarantine", "list", "--json").data
    assert (after["open"], after["statuses"]) == (0, {"discarded": 1, "fixed": 4})
    assert tiny.run("ledger", "verify").code == 0


def test_what_does_not_go_together_is_said(tiny):
    tiny.decide({"number": "seven"})
    (group,) = tiny.run("quarantine", "list", "--json").data["groups"]
    fix = tiny.write("fix.json", '[{"op": "remove", "path": "/other"}]')
    by = ("--by", OPERATOR)
    for said, *command in (
        ("--fixed is one record", "replay", group["group"], "--fixed", fix, *by),
        ("are of a group", "replay", group["example"], "--preview"),
        ("done by somebody", "replay", group["group"], "--contract", "numbers@1.0.0"),
        ("does not apply", "replay", group["example"], "--patch", fix, *by),
        ("no quarantined records wait in a group", "replay", "abcdef0123", "--preview"),
        ("no quarantined records wait in a group", "discard", "abcdef0123", *by, "--reason", "x"),
    ):
        ran = tiny.run("quarantine", *command)
        assert ran.code == 2, ran
        assert said in ran.stderr


def test_a_quarantine_that_is_full_says_so_wherever_one_looks(tiny):
    manifest = tiny.folder / "plimsoll.yaml"
    manifest.write_text(manifest.read_text() + "quarantine: {most_records: 3}\n")
    for _ in range(3):  # each command looks at what waits when it begins
        tiny.decide({"number": "seven"}, {"number": "eight"})
    listed = tiny.run("quarantine", "list", "--json").data
    assert (listed["full"], listed["most_records"]) == (True, 3)
    assert listed["open"] + listed["turned_away"] == 6
    assert listed["turned_away"] > 0
    shown = tiny.run("quarantine", "list").stdout
    assert "FULL: " in shown
    assert "are shed, and their content is not kept" in shown
    assert f"{listed['turned_away']} broken records" in shown
    assert "quarantine.full" in tiny.run("ledger", "show").stdout

"""Somebody who can write the ledger's file wants a verdict. Every way they may take ends `check` and `gate` with 5."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3

import pytest
from cli.tiny_system import lines
from ledger.forgery import SHIFT, fit_head, sign_again

from plimsoll.assembly.project import LedgerSigner
from plimsoll.attest import read_private
from plimsoll.ledger import verify_ledger


@pytest.fixture
def system(let_through, tmp_path):
    """A system that is READY, to be attacked."""
    return let_through.copy_to(tmp_path / "copy")


@contextlib.contextmanager
def spoilt(system):
    """A connection that keeps no rule."""
    with contextlib.closing(sqlite3.connect(system.ledger)) as con, con:
        con.execute("PRAGMA ignore_check_constraints=ON")
        yield con


def newest(con, kind):
    """Key and id of the newest entry of a kind."""
    (key,) = con.execute("SELECT max(id) FROM entries WHERE kind=?", (kind,)).fetchone()
    (stream,) = con.execute("SELECT id FROM streams WHERE number=?", (key >> SHIFT,)).fetchone()
    return key, f"{stream}-{key & (1 << SHIFT) - 1}"


def origin_of(system):
    with contextlib.closing(sqlite3.connect(system.ledger)) as con:
        return con.execute("SELECT value FROM meta WHERE key='origin'").fetchone()[0]


# ── the attacks; each gives what the refusal must name ──


def alter_a_byte(system):
    """Of a decision, in the file itself."""
    with spoilt(system) as con:
        key, entry = newest(con, "decision")
        (body,) = con.execute("SELECT body FROM entries WHERE id=?", (key,)).fetchone()
    raw = bytearray(system.ledger.read_bytes())
    raw[raw.index(body[:48]) + 24] ^= 1
    system.ledger.write_bytes(raw)
    return entry


def alter_a_header_field(system):
    """An answered decision is said to have been held."""
    with spoilt(system) as con:
        key, entry = newest(con, "decision")
        con.execute("UPDATE entries SET disposition='held' WHERE id=?", (key,))
    return entry


def cut_the_tail(system):
    """The newest verdict and all behind it, with hashes that fit what is left."""
    with spoilt(system) as con:
        key, entry = newest(con, "verdict")
        con.execute("DELETE FROM entries WHERE id>=? AND id<?", (key, (key >> SHIFT) + 1 << SHIFT))
        fit_head(con, key >> SHIFT)
    return f"{entry}: an entry was cut off the end"


def roll_back(system):
    """An earlier copy of the file is put in its place, with the key and all; the witness is not touched."""
    earlier = system.ledger.with_suffix(".earlier")
    shutil.copy(system.ledger, earlier)
    assert system.run("gate", "--trust", system.trust).code == 0
    earlier.replace(system.ledger)
    assert verify_ledger(system.ledger, trusted_keys=[signer_of(system).public]).ok, "it agrees with itself"
    return "cut off the end (only the witness can tell"


def replace_it(system):
    """By a ledger that was made elsewhere, by the same code, under the same key, on easier cases."""
    other = system.folder / "other"
    other.mkdir()
    shutil.copy(system.key("server"), other / "ledger.key")
    assert system.run("assess", "evaluation", "--state", other, "--trust", system.trust).code == 0
    before = origin_of(system)
    shutil.copy(other / "ledger.db", system.ledger)
    return before


def rewrite_with_the_stolen_key(system):
    """A figure, every hash above it, and every signed checkpoint."""
    with spoilt(system) as con:
        key, _ = newest(con, "evidence")
        (body,) = con.execute("SELECT body FROM entries WHERE id=?", (key,)).fetchone()
        con.execute("UPDATE entries SET body=? WHERE id=?", (body.replace(b'"finding":"', b'"finding":"Better. '), key))
        fit_head(con, key >> SHIFT)
        sign_again(con, signer_of(system))
    assert verify_ledger(system.ledger, trusted_keys=[signer_of(system).public]).ok, "it agrees with itself"
    return "only the witness can tell"


def delete_it(system):
    """And hope that a new one is begun."""
    before = origin_of(system)
    system.ledger.unlink()
    return before


def begin_it_anew(system):
    """Delete it, and let a guard begin a new one under the same key."""
    before = delete_it(system)
    assert system.decide({"number": 7}).code == 0
    assert origin_of(system) != before
    return before


ATTACKS = (
    alter_a_byte,
    alter_a_header_field,
    cut_the_tail,
    roll_back,
    replace_it,
    rewrite_with_the_stolen_key,
    delete_it,
    begin_it_anew,
)


def signer_of(system):
    return LedgerSigner("parity/ledger", read_private(system.folder / ".plimsoll" / "ledger.key"))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_no_attack_on_the_ledger_is_given_a_verdict(system, attack):
    named = attack(system)
    before = system.ledger.read_bytes() if system.ledger.exists() else None
    attest = ("--attest", "out.json", "--key", system.key("pipeline"))
    for command in (("gate", *attest), ("check", "--only", "evaluation"), ("assess", "organisation")):
        ran = system.run(*command, "--trust", system.trust, "--json")
        assert ran.code == 5, ran
        [problem] = ran.problems
        assert problem["code"] == "verification.record"
        assert named in problem["message"], problem
        assert problem["fix"]
        assert ran.data is None
    assert not (system.folder / "out.json").exists()
    assert (system.ledger.read_bytes() if system.ledger.exists() else None) == before, "nothing is written to it"
    said = system.run("gate", "--trust", system.trust)
    assert said.code == 5
    assert said.stdout == "", "no board is shown"
    assert named in said.stderr.replace("\n", " ")
    verified = system.run("ledger", "verify", "--trust", system.trust, "--json")
    assert verified.code == 5, verified


def test_nobody_is_given_one_without_a_trust_file_either(system):
    alter_a_byte(system)
    for command in (("gate",), ("check", "--only", "evaluation")):
        ran = system.run(*command, "--json")
        assert (ran.code, ran.problems[0]["code"]) == (5, "verification.record"), ran


def test_the_whole_folder_set_back_is_told_by_a_witness_that_lies_elsewhere(system):
    earlier = system.folder.parent / "earlier"
    shutil.copytree(system.folder / ".plimsoll", earlier)
    assert system.run("gate", "--trust", system.trust).code == 0
    elsewhere = system.folder.parent / "elsewhere.txt"
    shutil.copy(system.folder / ".plimsoll" / "witness.txt", elsewhere)
    shutil.rmtree(system.folder / ".plimsoll")
    earlier.rename(system.folder / ".plimsoll")
    for command in (("gate",), ("check", "--only", "evaluation")):
        ran = system.run(*command, "--trust", system.trust, "--witness", elsewhere, "--json")
        assert ran.code == 5, ran
        assert "only the witness can tell" in ran.problems[0]["message"]


def test_a_ledger_signed_with_another_key_than_the_pinned_one_is_refused_with_the_way_on(system):
    (system.folder / ".plimsoll" / "ledger.key").unlink()
    assert system.run("keys", "new", ".plimsoll/ledger.key").code == 0
    for command in (("gate",), ("check", "--only", "evaluation")):
        ran = system.run(*command, "--trust", system.trust, "--json")
        assert ran.code == 5, ran
        assert "pins another for it: server" in ran.problems[0]["message"]
        assert "plimsoll keys ledger" in ran.problems[0]["fix"]


def test_whoever_begins_a_new_ledger_on_purpose_says_so_and_every_board_says_it(system):
    before = delete_it(system)
    refused = system.run("check", "--only", "evaluation", "--trust", system.trust)
    assert refused.code == 5
    assert "plimsoll ledger begin" in refused.stderr
    begun = system.run("ledger", "begin", "--by", "head@example.org", "--reason", "the disk was lost", "--json")
    assert begun.code == 0, begun
    ran = system.run("check", "--only", "evaluation", "--trust", system.trust)
    assert ran.code == 4, ran
    assert "begun anew, said head@example.org" in ran.stdout
    assert before in ran.stdout.replace("\n    ", " ")
    kept = begun.data["kept_in"]
    assert system.run("ledger", "verify", "--trust", system.trust).code == 0
    elsewhere = system.run("ledger", "verify", "--trust", system.trust, "--witness", kept)
    assert elsewhere.code == 5, "the old notes still tell what was"
    assert before in elsewhere.stdout


def test_the_first_check_says_in_plain_words_what_is_not_yet_for_real(tiny):
    ran = tiny.run("check", "--only", "evaluation")
    assert ran.code == 4, ran
    head = ran.stdout.partition("\n\n")[0]
    assert "DRAFT: nobody whose key is pinned has signed this threshold." in head
    said = "DEMONSTRATION: nobody has pinned the key that signs the ledger; `plimsoll keys ledger` prints its entry for trust.yaml."
    assert said in " ".join(head.split())


def test_the_line_that_keys_ledger_prints_can_be_pasted(tiny):
    assert tiny.run("check", "--only", "evaluation").code == 4
    trust = tiny.write("trust.yaml", "plimsoll-trust: 1\nkeys:\n")
    printed = tiny.run("keys", "ledger")
    assert printed.code == 0, printed
    assert printed.stdout.startswith('  - name: "parity ledger"\n    roles: [ledger]\n    key: ed25519:')
    trust.write_text(trust.read_text() + printed.stdout)
    board = tiny.run("gate", "--trust", trust, "--json").data["board"]
    assert (board["demonstration"], board["simulated"]) == (False, [])
    again = tiny.run("keys", "ledger", "--trust", trust)
    assert (again.code, again.stdout) == (0, ""), "so that it may be appended twice"
    assert "already" in again.stderr
    verified = tiny.run("ledger", "verify", "--trust", trust, "--json")
    assert verified.data["keys"] == f"pinned in {trust}"


def test_an_attestation_under_a_key_that_nobody_pinned_is_a_demonstration_to_who_deploys(system):
    """Everything else is in earnest: READY, and still nothing goes live on it."""
    text = system.trust.read_text()
    at = text.index('  - name: "server"')
    unpinned = system.write("unpinned.yaml", text[:at])
    ran = system.run("gate", "--trust", unpinned, "--attest", "out.json", "--key", system.key("pipeline"), "--json")
    assert ran.code == 0, ran
    assert ran.data["board"]["demonstration"] is True
    release = ran.data["board"]["release"]
    refused = system.run("verify", "out.json", "--subject", release, "--trust", system.trust, "--json")
    assert (refused.code, refused.problems[0]["code"]) == (5, "verification.simulated"), refused
    allowed = system.run("verify", "out.json", "--subject", release, "--trust", system.trust, "--allow-simulated")
    assert allowed.code == 0, allowed


def test_a_guard_goes_on_while_no_verdict_is_given(system):
    """Who measures is refused; who decides is recorded: the answer to an altered record is not a system that is down."""
    alter_a_byte(system)
    ran = system.run("decide", "tell-parity", stdin=lines([{"number": 8}]).encode())
    assert ran.code == 0, ran

"""The record under a verdict: whose key counts, what the witness has seen, and what stood here before."""

from __future__ import annotations

import base64
import shutil
import time

import msgspec
import pytest
from assess.a_system import HEAD, System, row

from plimsoll.assembly.checking import check, gate
from plimsoll.assembly.integrity import verify_record
from plimsoll.assembly.pinning import ledger_key
from plimsoll.assembly.succession import begin_anew
from plimsoll.attest import Role, generate, read_trust, save_private, trust_entry, verify_attestation
from plimsoll.errors import InputError, StoreError, VerificationFailed
from plimsoll.ledger import Draft
from plimsoll.model.board import Outcome, Standing

UNPINNED = "nobody has pinned the key that signs the ledger; `plimsoll keys ledger` prints its entry for trust.yaml"


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A system for which all was done in earnest, and its trust.yaml."""
    system = System(tmp_path_factory.mktemp("ready") / "s")
    board, trust = system.made_ready()
    assert (board.outcome, board.draft, board.demonstration) == (Outcome.READY, False, False)
    return system, trust


@pytest.fixture
def system(ready, tmp_path):
    mine = ready[0].beside(tmp_path / "state")
    mine.keys = ready[0].keys
    return mine


@pytest.fixture
def trust(ready):
    return ready[1]


def pinning(tmp_path, trust, *keys, **more):
    """The same trust file with other keys for the ledger."""
    lines = trust.read_text().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if '"ledger"' in line)
    others = [trust_entry(f"ledger {n}", [Role.LEDGER], key, **more) for n, key in enumerate(keys)]
    path = tmp_path / "trust.yaml"
    path.write_text("".join([*lines[:at], *others, *lines[at + 3 :]]))
    return path


def remove_ledger(system):
    for file in system.ledger.parent.glob("ledger.db*"):
        file.unlink()


class TestTheKey:
    def test_that_nobody_has_pinned_makes_a_demonstration_and_the_board_says_how_to_pin_it(
        self, system, trust, tmp_path
    ):
        board = system.gate(pinning(tmp_path, trust))
        assert (board.outcome, board.draft, board.demonstration) == (Outcome.READY, False, True)
        assert board.simulated == (UNPINNED,)

    def test_whose_time_is_over_is_pinned_by_nobody(self, system, trust, tmp_path):
        path = pinning(tmp_path, trust, system.project().ledger_key.public)
        assert not system.gate(path).demonstration
        path.write_text(path.read_text().replace("    roles: [ledger]", "    until: 2020-01-01\n    roles: [ledger]"))
        assert system.gate(path).simulated == (UNPINNED,)

    def test_that_is_pinned_for_something_else_is_pinned_by_nobody(self, system, trust, tmp_path):
        path = pinning(tmp_path, trust, system.project().ledger_key.public)
        path.write_text(path.read_text().replace("roles: [ledger]", "roles: [gate]"))
        assert system.gate(path).simulated == (UNPINNED,)

    def test_that_is_pinned_as_made_on_the_spot_makes_a_demonstration(self, system, trust, tmp_path):
        board = system.gate(pinning(tmp_path, trust, system.project().ledger_key.public, simulated=True))
        assert board.demonstration
        assert board.simulated == ("the key that signs the ledger is pinned as one made on the spot",)

    def test_an_attestation_on_it_is_refused_until_it_is_pinned(self, system, trust, tmp_path):
        key = generate()
        save_private(key, tmp_path / "gate.key")
        for path, passes in ((pinning(tmp_path, trust), False), (trust, True)):
            file = tmp_path / "a.json"
            project = system.project()
            gate(project, trust_file=path, attest=file, key_file=tmp_path / "gate.key")
            pinned = read_trust(trust.read_text() + trust_entry("ci", [Role.GATE], key.public))
            verify = {"subject": project.release.digest, "trust": pinned, "now_ns": time.time_ns()}
            if passes:
                assert not verify_attestation(file.read_bytes(), **verify).simulated
            else:
                with pytest.raises(VerificationFailed) as caught:
                    verify_attestation(file.read_bytes(), **verify)
                assert caught.value.code == "verification.simulated"
                assert verify_attestation(file.read_bytes(), allow_simulated=True, **verify).simulated

    @pytest.mark.parametrize("give", [lambda s, t: s.gate(t), lambda s, t: s.check("evaluation", trust=t)])
    def test_another_than_the_pinned_one_gives_no_verdict(self, system, trust, tmp_path, give):
        """Whoever starts over in a folder of their own has a ledger key of their own, too."""
        with pytest.raises(
            VerificationFailed, match=r"is signed with ed25519:.* pins another for it: ledger 0"
        ) as caught:
            give(system, pinning(tmp_path, trust, generate().public))
        assert caught.value.code == "verification.record"
        assert "`plimsoll keys ledger`" in caught.value.fix

    def test_that_is_put_in_the_pinned_ones_place_is_told_by_the_notes(self, system, trust, tmp_path):
        """The old key signed what is there; the new one, pinned and in its place, did not."""
        stranger = generate()
        system.project().ledger_key_path.unlink()
        save_private(stranger, system.project().ledger_key_path)
        with pytest.raises(VerificationFailed, match="no trusted key signed this note") as caught:
            system.gate(pinning(tmp_path, trust, stranger.public))
        assert "`plimsoll keys ledger`" in caught.value.fix

    def test_can_be_changed_while_both_are_pinned(self, system, trust, tmp_path):
        old, new = system.project().ledger_key.public, generate()
        system.project().ledger_key_path.unlink()
        save_private(new, system.project().ledger_key_path)
        both = pinning(tmp_path, trust, old, new.public)
        assert not system.gate(both).demonstration
        assert not system.gate(both).demonstration

    def test_that_is_gone_is_said_and_no_other_is_made(self, system, trust):
        for path in (trust, None):
            system.project().ledger_key_path.unlink(missing_ok=True)
            with pytest.raises(VerificationFailed, match=r"the key that signs the ledger, '.*ledger.key', is gone"):
                system.gate(path)
            with pytest.raises(InputError, match="is gone"):
                ledger_key(system.project(), None, now_ns=0)
            assert not system.project().ledger_key_path.exists()

    def test_is_known_before_the_first_measurement(self, tmp_path):
        """Keys first: print, pin, measure."""
        system = System(tmp_path / "s")
        found = ledger_key(system.project(), None, now_ns=0)
        assert (found.made, found.pinned_in) == (True, "")
        trust = tmp_path / "trust.yaml"
        trust.write_text("plimsoll-trust: 1\nkeys:\n" + found.entry)
        assert system.check("evaluation", trust=trust).simulated == ()
        again = ledger_key(system.project(), read_trust(trust.read_text(), str(trust)), now_ns=time.time_ns())
        assert (again.made, again.pinned_in, again.key) == (False, str(trust), found.key)

    def test_where_the_pinned_one_is_not_there_nothing_is_begun(self, tmp_path):
        system = System(tmp_path / "s")
        trust = tmp_path / "trust.yaml"
        trust.write_text("plimsoll-trust: 1\nkeys:\n" + trust_entry("ledger", [Role.LEDGER], generate().public))
        with pytest.raises(VerificationFailed, match=r"the key '.*' is not there, and .* pins another for it"):
            system.check("evaluation", trust=trust)
        assert not system.ledger.exists()
        assert not system.project().ledger_key_path.exists()


class TestALedgerInThePlaceOfAnother:
    def test_one_that_is_gone_is_not_silently_begun_anew(self, system, trust):
        remove_ledger(system)
        for give in (lambda: system.gate(trust), lambda: system.check("evaluation", trust=trust)):
            with pytest.raises(
                VerificationFailed, match=r"ledger.db' is gone: the witness keeps checkpoints of"
            ) as caught:
                give()
            assert "`plimsoll ledger begin`" in caught.value.fix
            assert not system.ledger.exists()

    def test_one_that_was_begun_anew_gives_no_verdict_and_both_are_named(self, system, trust):
        """By a guard, say, that was started on an empty disk, under the same key."""
        old = verify_record(system.project(), read_trust(trust.read_text()), now_ns=time.time_ns()).report.origin
        remove_ledger(system)
        with system.project().open_ledger() as ledger:
            ledger.append(Draft(kind="note", body=b""))
            ledger.checkpoint()
            new = ledger.reader.meta("origin")
        for give in (lambda: system.gate(trust), lambda: system.check("evaluation", trust=trust)):
            with pytest.raises(VerificationFailed, match="the witness keeps checkpoints of another ledger") as caught:
                give()
            assert old in caught.value.message
            assert new in caught.value.message
            assert caught.value.message.count("(begun 2") == 2
            assert "`plimsoll ledger begin`" in caught.value.fix

    def test_one_that_has_published_nothing_yet_gives_none_either(self, system, trust):
        remove_ledger(system)
        ledger = system.project().open_ledger()
        ledger.append(Draft(kind="note", body=b""))
        ledger.abandon()
        with pytest.raises(VerificationFailed, match=r"no checkpoint of this ledger, which has published none yet"):
            system.gate(trust)

    @pytest.mark.parametrize("begun", [True, False])
    def test_the_way_on_is_open_and_leaves_its_trace(self, system, trust, begun):
        """Whether a guard has begun it already, or it is begun with this."""
        project = system.project()
        kept = project.witness_path.read_bytes()
        remove_ledger(system)
        if begun:
            system.project().open_ledger().close()
            with project.open_ledger() as ledger:
                ledger.append(Draft(kind="note", body=b""))
        grown = project.witness_path.read_bytes()
        assert grown.startswith(kept)
        _, aside = begin_anew(project, by=HEAD, reason="the disk was lost")
        assert aside.read_bytes().startswith(grown)
        for _ in range(2):
            board = system.gate(trust)
            [said] = [note for note in board.notes if "begun anew" in note]
            assert said.startswith(f"this ledger was begun anew, said {HEAD} on 2")
            assert "the disk was lost" in said
            assert "plimsoll.local/" in said
        assert {r.standing for r in board.rows} == {Standing.NOT_MEASURED}
        assert project.witness_path.exists()
        with project.open_ledger(read_only=True) as ledger:
            origin = ledger.reader.meta("origin")
        texts = project.witness_path.read_text().split("\n\n")
        assert {text.splitlines()[0] for text in texts if text.startswith("plimsoll.local/")} == {origin}

    def test_the_trace_is_on_every_attestation(self, system, trust, tmp_path):
        remove_ledger(system)
        begin_anew(system.project(), by=HEAD, reason="the disk was lost")
        save_private(generate(), tmp_path / "gate.key")
        gate(system.project(), trust_file=trust, attest=tmp_path / "a.json", key_file=tmp_path / "gate.key")
        payload = base64.b64decode(msgspec.json.decode((tmp_path / "a.json").read_bytes())["payload"])
        [said] = [
            n for n in msgspec.json.decode(payload)["predicate"]["urn:plimsoll:attestation:v1"]["notes"] if HEAD in n
        ]
        assert "begun anew" in said

    @pytest.mark.parametrize(
        ("by", "reason", "said"),
        [("nobody@example.org", "lost", "is not named in"), (HEAD, "  ", "begun anew for a reason")],
    )
    def test_nobody_begins_one_without_a_name_and_a_reason(self, system, by, reason, said):
        before = system.project().witness_path.read_bytes()
        with pytest.raises(InputError, match=said):
            begin_anew(system.project(), by=by, reason=reason)
        assert system.project().witness_path.read_bytes() == before

    def test_where_no_other_was_seen_there_is_nothing_to_begin(self, system):
        with pytest.raises(InputError, match="keeps notes of this ledger alone"):
            begin_anew(system.project(), by=HEAD, reason="why not")
        system.project().witness_path.unlink()
        with pytest.raises(InputError, match="no other ledger was seen here"):
            begin_anew(system.project(), by=HEAD, reason="why not")

    def test_old_notes_are_never_written_over(self, system):
        fixed = 1_800_000_000 * 10**9
        remove_ledger(system)
        _, first = begin_anew(system.project(), by=HEAD, reason="lost", clock_ns=lambda: fixed)
        kept = first.read_bytes()
        remove_ledger(system)
        with pytest.raises(StoreError, match="cannot be renamed"):
            begin_anew(system.project(), by=HEAD, reason="lost again", clock_ns=lambda: fixed)
        assert first.read_bytes() == kept


class TestTheWitness:
    def test_of_somebody_else_is_asked_in_the_place_of_ours(self, system, trust, tmp_path):
        """The whole state folder is set back, witness and all: only what lies elsewhere tells."""
        earlier = tmp_path / "earlier"
        shutil.copytree(system.state, earlier)
        system.gate(trust)
        elsewhere = tmp_path / "elsewhere.txt"
        shutil.copy(system.project().witness_path, elsewhere)
        shutil.rmtree(system.state)
        shutil.copytree(earlier, system.state)
        for give in (gate, lambda *a, **k: check(*a, only=("evaluation",), write=False, **k)):
            with pytest.raises(VerificationFailed, match="only the witness can tell"):
                give(system.project(), trust_file=trust, witness=elsewhere)
        assert not system.gate(trust).demonstration, "that is its limit: without the one elsewhere nobody can tell"

    def test_that_is_named_and_is_not_there_is_said(self, system, trust, tmp_path):
        with pytest.raises(InputError, match="the witness file cannot be read"):
            gate(system.project(), trust_file=trust, witness=tmp_path / "none.txt")


def test_the_figures_of_a_first_check_are_measured_and_the_board_says_what_is_simulated(tmp_path):
    """What a first-time user sees: nothing but the key is simulated, and the verdict that is written down says so."""
    system = System(tmp_path / "s")
    board = system.check("evaluation")
    assert (board.draft, board.demonstration, board.simulated) == (True, True, (UNPINNED,))
    assert row(board, "evaluation.accuracy").provenance == "measured"
    with system.project().open_ledger(read_only=True) as ledger:
        [verdict] = ledger.entries(kinds=("verdict",))
        assert msgspec.json.decode(ledger.body(verdict))["simulated"] == [UNPINNED]

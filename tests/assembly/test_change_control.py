"""The line over time, end to end: real signatures, a real witness, and a gate whose clock can be set ahead."""

from __future__ import annotations

import base64
import time

import msgspec
import pytest
from assess.a_system import COO, HEAD, System, cases, row

from plimsoll.assembly.checking import gate
from plimsoll.assembly.signed_lines import told_history
from plimsoll.assembly.signing import SIGNED
from plimsoll.attest import Role, generate, read_trust, save_private, sign_threshold, trust_entry, verify_attestation
from plimsoll.errors import VerificationFailed
from plimsoll.ledger import Draft, FileWitness
from plimsoll.model.board import Outcome, Standing
from plimsoll.model.quantity import Quantity

DAY = 86_400 * 10**9
STRICT, LOOSE = "evaluation.accuracy >= 95%", "evaluation.accuracy >= 80%"


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A system for which all was done in earnest, under a line of 95%."""
    system = System(tmp_path_factory.mktemp("line") / "s")
    system.made_ready()
    return system


@pytest.fixture
def system(ready, tmp_path):
    mine = ready.beside(tmp_path / "state")
    mine.keys = ready.keys
    mine.trust()
    return mine


def set_condition(system, text, instead_of=STRICT):
    before = system.manifest["threshold"]["conditions"]
    after = [text if condition == instead_of else condition for condition in before]
    assert after != before
    system.change("threshold", "conditions", to=[c for c in after if c])


def loosened(system):
    set_condition(system, LOOSE)
    system.sign()


def after(days):
    return lambda: time.time_ns() + round(days * DAY)


def later(system, days, trust=None):
    return system.gate(trust or system.trust(), clock_ns=after(days))


def notes(board):
    """What the board says of the line; it says of every system whether a health check was made."""
    return tuple(note for note in board.notes if not note.startswith("health check"))


def lines_of(board):
    return [r.condition for r in board.rows]


def pinned_setters(system, *setters):
    """A trust file in which these may set, and everybody still accepts."""
    text = system.trust().read_text().replace("roles: [owner, setter]", "roles: [owner]")
    for who in setters:
        entry = f'  - contact: "{who}"\n    roles: [owner'
        assert entry in text
        text = text.replace(entry, f"{entry}, setter")
    path = system.folder.parent / f"setters-{len(setters)}.yaml"
    path.write_text(text)
    return path


class TestTightened:
    def test_it_counts_at_once(self, system):
        set_condition(system, "evaluation.accuracy >= 97%")
        system.sign()
        board = system.gate(system.trust())
        assert (board.draft, board.earlier, notes(board)) == (False, (), ())
        assert row(board, "evaluation.accuracy").condition == "evaluation.accuracy >= 97%"

    def test_evidence_stays_what_it_was(self, system):
        set_condition(system, "evaluation.accuracy >= 96%")
        system.sign()
        assert row(system.gate(system.trust()), "evaluation.accuracy").standing is Standing.MET


class TestLoosened:
    def test_the_stricter_line_is_judged_until_the_cooling_off_is_over_and_the_board_says_until_when(self, system):
        loosened(system)
        board = system.gate(system.trust())
        assert row(board, "evaluation.accuracy").condition == STRICT
        assert board.earlier == (STRICT,)
        (note,) = notes(board)
        assert note.startswith(f"{STRICT} still counts, until 20")
        assert f"{COO} put {LOOSE} instead, signed 20" in note
        assert not board.draft
        assert lines_of(later(system, 6.9)) == lines_of(board)

    def test_what_only_the_looser_line_would_let_through_waits(self, tmp_path):
        system = System(tmp_path / "s")
        system.write("golden.jsonl", cases(200, wrong=20))
        system.sign()
        system.check("evaluation", trust=system.trust())
        loosened(system)
        assert row(system.gate(system.trust()), "evaluation.accuracy").standing is Standing.NOT_MET
        assert system.gate(system.trust()).outcome is Outcome.NOT_READY

    def test_then_it_counts_on_newer_evidence_alone_and_stays_on_the_board(self, system):
        loosened(system)
        board = later(system, 7.1)
        found = row(board, "evaluation.accuracy")
        assert (found.condition, found.standing) == (LOOSE, Standing.NOT_MEASURED)
        assert found.why.startswith("It was measured before the line was loosened; only evidence newer than 20")
        (note,) = notes(board)
        assert note.startswith(f"{STRICT} was loosened: {COO} put {LOOSE} instead, signed 20")
        assert "verdicts given before are void" in note
        system.check("evaluation", trust=system.trust())
        board = later(system, 7.1)
        assert row(board, "evaluation.accuracy").standing is Standing.MET
        assert board.outcome is Outcome.READY
        assert notes(board) == (note,)

    def test_a_condition_that_was_taken_out_is_judged_and_measured_until_then(self, system):
        set_condition(system, "", instead_of="evaluation.answered_share >= 90%")
        set_condition(system, "", instead_of=STRICT)
        system.change("threshold", "conditions", to=[*system.manifest["threshold"]["conditions"], "stability.error_rate <= 50%"])  # fmt: skip
        system.sign()
        board = system.gate(system.trust())
        assert lines_of(board)[-2:] == [STRICT, "evaluation.answered_share >= 90%"]
        system.change("load", "peak", to="101/s")  # another release: nothing is measured for it
        system.change("samples", "feed", to=None)
        board = system.check(trust=system.trust())
        assert row(board, "evaluation.accuracy").standing is Standing.MET, (
            "`check` measures what an earlier line asks for"
        )
        assert lines_of(later(system, 7.1))[-1] == "stability.error_rate <= 50%"

    @pytest.mark.parametrize(
        ("name", "to"),
        [("confidence", "60%"), ("max_age", "300 days"), ("load_window", "100ms"), ("cooling_off", "1 s")],
    )
    def test_a_setting_waits_too(self, system, name, to):
        was = str(getattr(system.project().manifest.threshold, name))
        system.change("threshold", name, to=to)
        system.sign()
        board = system.gate(system.trust())
        (note,) = notes(board)
        assert note.startswith(f"{name} {was} still counts, until 20")
        assert row(board, "evaluation.accuracy").why.startswith("With 95% confidence")
        if name == "max_age":
            assert row(later(system, 6.99), "evaluation.accuracy").standing is Standing.MET
        assert f"{name} {was} was loosened" in notes(later(system, 7.1))[0]

    def test_a_shortened_cooling_off_does_not_hurry_what_is_loosened_next(self, system):
        system.change("threshold", "cooling_off", to="1 s")
        system.sign()
        loosened(system)
        assert row(later(system, 6.9), "evaluation.accuracy").condition == STRICT
        assert row(later(system, 7.1), "evaluation.accuracy").condition == LOOSE

    def test_while_no_witness_holds_it_it_does_not_count_at_all(self, system):
        loosened(system)
        witness = system.project().witness_path
        board = system.judged_behind_the_look(system.trust(), witness.unlink, now_ns=after(20)())
        assert row(board, "evaluation.accuracy").condition == STRICT
        (note,) = notes(board)
        assert note.endswith("it counts 7 days after a witness holds it, and none does yet")

    def test_a_witness_of_another_ledger_does_not_help(self, system, tmp_path):
        loosened(system)
        other = System(tmp_path / "other")
        other.change("system", to="parity")
        other.sign()
        foreign, witness = other.project().witness_path.read_text(), system.project().witness_path
        board = system.judged_behind_the_look(system.trust(), lambda: witness.write_text(foreign), now_ns=after(20)())
        assert row(board, "evaluation.accuracy").condition == STRICT
        assert notes(board)[0].endswith("it counts 7 days after a witness holds it, and none does yet")
        with pytest.raises(VerificationFailed, match="the witness keeps no checkpoint of this ledger"):
            later(system, 20)

    def test_unsigned_it_is_a_draft_that_is_judged_by_the_stricter_line(self, system):
        set_condition(system, LOOSE)
        board = later(system, 20)
        assert board.draft
        assert row(board, "evaluation.accuracy").condition == STRICT
        assert notes(board)[1] == f"{STRICT} still counts: the manifest holds {LOOSE}, which nobody has signed since"

    def test_to_go_back_to_a_looser_line_that_was_signed_before_needs_a_new_signature(self, system):
        """Its old signature still holds, so it is no draft; without change control it would count at once."""
        set_condition(system, "evaluation.accuracy >= 97%")
        system.sign()
        set_condition(system, STRICT, instead_of="evaluation.accuracy >= 97%")
        board = later(system, 20)
        assert not board.draft
        assert row(board, "evaluation.accuracy").condition == "evaluation.accuracy >= 97%"
        assert "nobody has signed since" in notes(board)[0]
        system.sign()
        assert row(later(system, 7.1), "evaluation.accuracy").condition == STRICT


class TestWhoseLineCounts:
    def test_a_line_of_nobody_who_is_pinned_neither_binds_nor_relieves(self, system):
        set_condition(system, "evaluation.accuracy >= 99.9%")
        project = system.project()
        raw = sign_threshold(project.manifest.threshold, system="parity", key=generate(), now_ns=time.time_ns())
        with project.open_ledger() as ledger:
            ledger.append(Draft(kind=SIGNED, system="parity", body=raw))
            ledger.append(Draft(kind=SIGNED, system="parity", body=b"{"))
        set_condition(system, STRICT, instead_of="evaluation.accuracy >= 99.9%")
        board = system.gate(system.trust())
        assert (row(board, "evaluation.accuracy").condition, notes(board)) == (STRICT, ())

    def test_of_another_system_it_does_not_bind(self, system):
        set_condition(system, "evaluation.accuracy >= 99.9%")
        project = system.project()
        raw = sign_threshold(project.manifest.threshold, system="other", key=system.key(COO), now_ns=time.time_ns())
        with project.open_ledger() as ledger:
            ledger.append(Draft(kind=SIGNED, system="parity", body=raw))
        set_condition(system, STRICT, instead_of="evaluation.accuracy >= 99.9%")
        assert notes(system.gate(system.trust())) == ()

    def test_a_key_that_was_taken_out_since_does_not_take_its_line_along(self, system):
        """A verdict has counted on it; else to unpin the old setter would be a way to loosen at once."""
        for path in (("owners", "leader", "contact"), ("threshold", "set_by")):
            system.change(*path, to=HEAD)
        set_condition(system, LOOSE)
        system.sign(HEAD)
        trust = pinned_setters(system, HEAD)
        board = system.gate(trust)
        assert not board.draft
        assert row(board, "evaluation.accuracy").condition == STRICT
        assert any(f"what {COO} has set still counts, until 20" in note for note in notes(board))
        assert row(later(system, 7.1, trust), "evaluation.accuracy").condition == LOOSE

    def test_one_that_no_verdict_ever_counted_on_goes_with_its_key(self, tmp_path):
        system = System(tmp_path / "s")
        system.sign()
        for path in (("owners", "leader", "contact"), ("threshold", "set_by")):
            system.change(*path, to=HEAD)
        set_condition(system, LOOSE)
        system.sign(HEAD)
        board = system.gate(pinned_setters(system, HEAD))
        assert row(board, "evaluation.accuracy").condition == LOOSE

    def test_a_key_whose_time_is_over_since_does_not_take_its_line_along(self, tmp_path):
        system = System(tmp_path / "s")
        system.sign()
        today = time.strftime("%Y-%m-%d", time.gmtime())
        new = generate()
        text = system.trust(coo=today).read_text() + trust_entry(COO, [Role.OWNER, Role.SETTER], new.public)
        trust = tmp_path / "rotated.yaml"
        trust.write_text(text)
        set_condition(system, LOOSE)
        system.keys[COO] = new
        system.sign()
        board = later(system, 2, trust)
        assert not board.draft
        assert row(board, "evaluation.accuracy").condition == STRICT

    def test_a_simulated_line_neither_binds_nor_relieves_a_real_one(self, system):
        set_condition(system, LOOSE)
        system.sign(simulated=True)
        set_condition(system, STRICT, instead_of=LOOSE)
        assert notes(system.gate(system.trust())) == ()
        set_condition(system, LOOSE)
        system.sign()
        assert row(later(system, 6.9), "evaluation.accuracy").condition == STRICT

    def test_another_setter_is_on_the_board_and_eases_nothing_at_once(self, system):
        for path in (("owners", "leader", "contact"), ("threshold", "set_by")):
            system.change(*path, to=HEAD)
        system.sign(HEAD)
        trust = pinned_setters(system, COO, HEAD)
        (note,) = notes(system.gate(trust))
        assert note.startswith(f"what {COO} has set still counts, until 20")
        assert f"{HEAD} put {HEAD} in that place instead, signed 20" in note

    def test_another_setter_without_the_trust_files_role_is_none(self, system):
        for path in (("owners", "leader", "contact"), ("threshold", "set_by")):
            system.change(*path, to=HEAD)
        system.sign(HEAD)
        board = system.gate(system.trust())
        assert board.draft


class TestTheAttestation:
    @pytest.fixture
    def attested(self, system, tmp_path):
        key = generate()
        save_private(key, tmp_path / "gate.key")

        def attest(days=0.0):
            file = tmp_path / "a.json"
            board = gate(
                system.project(),
                trust_file=system.trust(),
                attest=file,
                key_file=tmp_path / "gate.key",
                clock_ns=after(days),
            ).board
            text = system.trust().read_text() + f"  - name: ci\n    roles: [gate]\n    key: {key.public.line}\n"
            return verify_attestation(
                file.read_bytes(), subject=board.release, trust=read_trust(text), now_ns=after(days)()
            )

        return attest

    def test_while_it_waits_it_shows_the_stricter_line_and_verifies(self, system, attested):
        loosened(system)
        verified = attested()
        assert verified.conditions[0].condition == STRICT
        assert verified.threshold == system.project().manifest.threshold.digest, "signed is the new one"
        assert any("still counts" in note for note in verified.notes)

    def test_it_is_valid_for_no_longer_than_the_stricter_age_allows(self, system, attested):
        before = attested()
        system.change("threshold", "max_age", to="300 days")
        system.sign()
        assert attested().valid_until_ns - before.valid_until_ns < DAY

    def test_afterwards_it_shows_the_looser_line_and_what_was_loosened(self, system, attested):
        loosened(system)
        system.check("evaluation", trust=system.trust())
        verified = attested(7.1)
        assert verified.conditions[0].condition == LOOSE
        assert any("was loosened" in note for note in verified.notes)


class TestTheHistory:
    def past(self, system, trust="", **more):
        file = system.trust() if trust == "" else trust
        return told_history(system.project(), file, now_ns=time.time_ns(), **more)

    def test_of_a_system_that_nobody_signed_for_is_the_manifest(self, tmp_path):
        (line,) = self.past(System(tmp_path / "s"))
        assert (line.entry, line.signed_ns, line.current, line.first, line.changes) == ("", None, True, True, ())

    def test_who_when_from_and_to_and_from_when_it_counts(self, system):
        loosened(system)
        first, second = self.past(system)
        assert (first.first, first.current, first.changes) == (True, False, ())
        (change,) = second.changes
        assert (change.was, change.now, change.looser) == (STRICT, LOOSE, True)
        assert (second.set_by, second.current) == (COO, True)
        assert second.counts_from_ns == second.witnessed_ns + 7 * DAY
        assert abs(second.witnessed_ns - time.time_ns()) < 60 * 10**9

    def test_an_unsigned_manifest_stands_at_its_end(self, system):
        set_condition(system, LOOSE)
        first, last = self.past(system)
        assert (first.current, last.current, last.entry, last.counts_from_ns) == (False, True, "", None)
        assert last.changes[0].looser

    def test_what_does_not_count_stands_there_and_changes_nothing(self, system):
        system.sign(simulated=True)
        raw = sign_threshold(
            system.project().manifest.threshold, system="parity", key=generate(), now_ns=time.time_ns()
        )
        with system.project().open_ledger() as ledger:
            ledger.append(Draft(kind=SIGNED, system="parity", body=raw))
        _, simulated, stranger = self.past(system)
        assert simulated.why == "it is simulated"
        assert "signed by nobody who is pinned for it" in stranger.why
        assert (simulated.changes, stranger.changes) == ((), ())

    def test_without_a_trust_file_those_count_that_a_verdict_has_counted_on(self, system):
        assert [line.why for line in self.past(system, None)] == [""]
        set_condition(system, LOOSE)
        system.sign()
        assert "pins no key that may set a threshold" in self.past(system, None)[1].why

    def test_a_threshold_of_another_version_is_left_out(self, system):
        project = system.project()
        with project.open_ledger() as ledger:
            (entry,) = ledger.find(SIGNED)
            raw = sign_threshold(
                msgspec.structs.replace(project.manifest.threshold, cooling_off=Quantity(1, "days")),
                system="parity",
                key=system.key(COO),
                now_ns=time.time_ns(),
            )
            envelope = msgspec.json.decode(raw)
            body = base64.b64decode(envelope["payload"]).replace(b"evaluation.accuracy", b"evaluation.sympathy")
            envelope["payload"] = base64.b64encode(body).decode()
            ledger.append(Draft(kind=SIGNED, system="parity", body=msgspec.json.encode(envelope)))
        assert [line.entry for line in self.past(system)] == [entry.id]

    def test_the_witness_is_read_and_not_the_state_of_it(self, system):
        loosened(system)
        witness = FileWitness(system.project().witness_path)
        assert witness.latest is not None
        system.project().witness_path.write_text("")
        assert self.past(system)[1].witnessed_ns is None

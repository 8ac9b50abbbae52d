"""From the ledger to a board: whose signature counts, which evidence, what is unfinished, and what is not covered."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import sqlite3
import time
from pathlib import Path

import msgspec
import pytest
from assess.a_system import BUILDER, COO, HEAD, NIGHT, OPS, System, cases, lines, row

from plimsoll.assembly.checking import check, gate
from plimsoll.assembly.project import Project
from plimsoll.assembly.signing import SIGNED
from plimsoll.assess.run import About, Run
from plimsoll.attest import (
    generate,
    read_trust,
    save_private,
    sign_threshold,
    verify_attestation,
)
from plimsoll.errors import TargetError, UsageError, VerificationFailed
from plimsoll.ledger import Draft
from plimsoll.model.board import Outcome, Standing
from plimsoll.model.canonical import canonical
from plimsoll.model.evidence import Draw, Evidence, Proportion

DAY = 86_400 * 10**9


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A system for which all was done in earnest, but that nobody has signed the threshold; and trust.yaml."""
    system = System(tmp_path_factory.mktemp("made") / "s")
    trust = system.trust()
    system.check("contracts", trust=trust)
    system.replay_one()
    system.accept()
    system.check(trust=trust)
    return system, trust


@pytest.fixture(scope="module")
def ready(made, tmp_path_factory):
    """The same with the setter's signature."""
    unsigned, trust = made
    system = copy_of(unsigned, tmp_path_factory.mktemp("ready") / "state")
    system.sign()
    return system, system.gate(trust), trust


@pytest.fixture
def system(ready, tmp_path):
    """The signed one, with a record of its own."""
    return copy_of(ready[0], tmp_path / "state")


@pytest.fixture
def unsigned(made, tmp_path):
    """The unsigned one, with a record of its own."""
    return copy_of(made[0], tmp_path / "unsigned")


def copy_of(system, state):
    mine = system.beside(state)
    mine.keys = system.keys
    return mine


@pytest.fixture
def trust(ready):
    return ready[2]


def put_threshold(system, key, *, threshold=None, name="parity", **more):
    threshold = threshold or system.project().manifest.threshold
    more.setdefault("now_ns", time.time_ns())
    raw = sign_threshold(threshold, system=name, key=key, **more)
    with system.project().open_ledger() as ledger:
        return ledger.append(Draft(kind=SIGNED, system="parity", body=raw))


def test_what_was_done_in_earnest_is_ready_and_no_draft(ready):
    _, board, _ = ready
    assert board.outcome is Outcome.READY, [(r.condition, r.standing, r.why) for r in board.rows]
    assert (board.draft, board.demonstration, board.unfinished) == (False, False, ())
    assert board.notes == ("health check: none was made",)
    assert {r.provenance for r in board.rows} == {"measured"}


def loosen(system):
    rest = system.manifest["threshold"]["conditions"][1:]
    system.change("threshold", "conditions", to=["evaluation.accuracy >= 80%", *rest])


class TestTheSignature:
    def draft(self, system, trust):
        board = system.gate(trust)
        assert board.draft
        note, *loosened = (n for n in board.notes if not n.startswith("health check"))
        assert all("still counts" in text and "nobody has signed since" in text for text in loosened)
        return note

    def test_without_one_it_is_a_draft(self, unsigned, trust):
        assert self.draft(unsigned, trust) == f"the threshold is not signed: a DRAFT, until {COO} signs it"

    def test_without_a_trust_file_nobodys_counts(self, system):
        assert "pins no key that may set a threshold" in self.draft(system, None)

    def test_of_a_key_that_nobody_pinned(self, unsigned, trust):
        put_threshold(unsigned, generate())
        assert "signed by nobody who is pinned for it" in self.draft(unsigned, trust)

    def test_of_another_person(self, unsigned, trust):
        put_threshold(unsigned, unsigned.key(HEAD))
        assert "signed by nobody who is pinned for it" in self.draft(unsigned, trust)

    def test_of_another_setter_than_the_threshold_names(self, unsigned):
        text = unsigned.trust().read_text().replace("roles: [owner]", "roles: [owner, setter]")
        trust = Path(unsigned.trust())
        trust.write_text(text)
        put_threshold(unsigned, unsigned.key(BUILDER))
        try:
            said = self.draft(unsigned, trust)
        finally:
            unsigned.trust()
        assert f"the threshold says it is set by {COO}, and is signed by {BUILDER}" in said

    def test_of_another_system(self, unsigned, trust):
        put_threshold(unsigned, unsigned.key(COO), name="other")
        assert "is that of 'other', not of 'parity'" in self.draft(unsigned, trust)

    def test_in_the_future(self, unsigned, trust):
        put_threshold(unsigned, unsigned.key(COO), now_ns=time.time_ns() + DAY)
        assert "still to come" in self.draft(unsigned, trust)

    def test_of_a_key_whose_time_is_over(self, system):
        trust = system.trust(coo="2020-01-01")
        try:
            assert "pins no key that may set a threshold at this time" in self.draft(system, trust)
        finally:
            system.trust()

    @pytest.mark.parametrize("raw", [b"", b"{}", b"\xff", b'{"payloadType": "x", "payload": "", "signatures": []}'])
    def test_that_is_none(self, unsigned, trust, raw):
        with unsigned.project().open_ledger() as ledger:
            ledger.append(Draft(kind=SIGNED, system="parity", body=raw))
        assert self.draft(unsigned, trust).startswith("the threshold's signature does not count: ")

    @pytest.mark.parametrize(
        "change",
        [
            loosen,
            lambda s: s.change("threshold", "confidence", to="80%"),
            lambda s: s.change("threshold", "max_age", to="300 days"),
            lambda s: s.change("threshold", "cooling_off", to="1 s"),
            lambda s: s.change("threshold", "conditions", to=s.manifest["threshold"]["conditions"][1:]),
        ],
        ids=["loosened", "confidence", "age", "cooling-off", "left-out"],
    )
    def test_a_threshold_that_is_edited_after_it_was_signed_is_a_draft_again(self, system, trust, change):
        change(system)
        assert "the conditions were changed after the signature" in self.draft(system, trust)

    def test_whom_to_consult_and_in_which_order_conditions_stand_needs_no_new_signature(self, system, trust):
        system.change("threshold", "consulted", to=[OPS])
        system.change("threshold", "conditions", to=list(reversed(system.manifest["threshold"]["conditions"])))
        assert not system.gate(trust).draft

    def test_the_newest_that_holds_counts_and_a_bad_one_after_it_takes_nothing_away(self, system, trust):
        good = put_threshold(system, system.key(COO))
        put_threshold(system, generate())
        board = system.gate(trust)
        assert (board.signed, board.draft) == (good, False)

    def test_when_none_holds_the_newest_is_explained(self, unsigned, trust):
        put_threshold(unsigned, unsigned.key(COO), name="other")
        put_threshold(unsigned, generate())
        assert "signed by nobody" in self.draft(unsigned, trust)

    def test_of_several_processes_the_newest_in_time(self, system, trust):
        with system.project().open_ledger() as first:
            first.append(Draft(kind="note", body=b""))
            threshold = system.project().manifest.threshold
            later = sign_threshold(threshold, system="parity", key=system.key(COO), now_ns=time.time_ns())
            with system.project().open_ledger() as second:
                second.append(Draft(kind=SIGNED, system="parity", body=later))
            newest = first.append(Draft(kind=SIGNED, system="parity", body=later))
        assert system.gate(trust).signed == newest

    def test_a_signature_made_on_the_spot_makes_a_demonstration(self, system):
        trust = system.trust(simulated=[COO])
        try:
            assert system.gate(trust).demonstration
        finally:
            system.trust()

    def test_a_signature_that_says_so_itself_makes_a_demonstration(self, system, trust):
        put_threshold(system, system.key(COO), simulated=True)
        assert system.gate(trust).demonstration


class TestTheEvidence:
    def test_carried_in_from_another_record_it_does_not_count(self, ready, tmp_path, trust):
        """The same release, measured elsewhere: its entries are copied into an empty ledger, as they are.

        By somebody who holds the ledger's key, so that nothing but the missing runs tells.
        """
        made, board, _ = ready
        with made.project().open_ledger() as ledger:
            copied = [(e.kind, ledger.body(e), e.refs) for e in ledger.entries(kinds=("evidence",))]
        empty = made.beside(tmp_path / "state")
        for file in empty.state.iterdir():
            if file.name != "ledger.key":
                file.unlink() if file.is_file() else shutil.rmtree(file)
        with empty.project().open_ledger() as ledger:
            for kind, body, refs in copied:
                ledger.append(Draft(kind=kind, system="parity", body=body, refs=refs))
        after = empty.gate(trust)
        assert {r.standing for r in after.rows} == {Standing.NOT_MEASURED}
        assert any("evidence that no run of this ledger left does not count" in note for note in after.notes)
        assert board.outcome is Outcome.READY

    @pytest.mark.parametrize("about", ["another-assessment", "another-release", "another-protocol", "a-broken-run"])
    def test_that_claims_another_run_does_not_count(self, system, trust, about):
        project = system.project()
        manifest = project.manifest
        release = "sha256:" + "0" * 64 if about == "another-release" else project.release.digest
        meant = About(
            system="parity", release=release, threshold=manifest.threshold.digest, people=manifest.people_digest
        )
        assessment = "contracts" if about == "another-assessment" else "evaluation"
        with project.open_ledger() as ledger:
            run = Run(ledger, meant, assessment=assessment, protocol={})
            with contextlib.suppress(ValueError), run:
                if about == "a-broken-run":
                    raise ValueError("boom")
            forged = Evidence(
                metric="evaluation.accuracy",
                release=project.release.digest,
                run=run.id,
                protocol="sha256:" + "1" * 64 if about == "another-protocol" else run.protocol,
                sample=Proportion(hits=0, total=1000),  # against the system, so that it would show
                draw=Draw.FIXED,
            )
            ledger.append(Draft(kind="evidence", system="parity", body=canonical(forged), refs=(run.id,)))
        board = system.gate(trust)
        assert row(board, "evaluation.accuracy").standing is Standing.MET
        assert any("does not count" in note for note in board.notes)

    def test_that_is_altered_behind_the_verification_does_not_count_and_is_named(self, system, trust):
        board = system.judged_behind_the_look(trust, lambda: system.alter("evidence"))
        assert {r.standing for r in board.rows} == {Standing.NOT_MEASURED}
        assert any("does not count" in note for note in board.notes)

    @pytest.mark.parametrize("kind", ["assessment.started", "assessment.ended"])
    def test_a_run_that_is_altered_behind_the_verification_is_said_plainly(self, system, trust, kind):
        with pytest.raises(VerificationFailed, match="the entry is not what was written there") as caught:
            system.judged_behind_the_look(trust, lambda: system.alter(kind))
        assert "plimsoll ledger verify" in caught.value.fix

    def test_a_figure_that_was_mended_in_the_file_gives_no_verdict(self, tmp_path):
        """170 of 200 becomes 200 of 200 by one UPDATE; the stored hash is not that of the entry any more."""
        system = System(tmp_path / "s")
        system.write("golden.jsonl", cases(200, wrong=30))
        assert row(system.check("evaluation"), "evaluation.accuracy").standing is Standing.NOT_MET
        with contextlib.closing(sqlite3.connect(system.ledger)) as con, con:
            found = con.execute("SELECT id, body FROM entries WHERE kind='evidence'").fetchall()
            better = [(body.replace(b'"hits":170', b'"hits":200'), key) for key, body in found]
            assert [body for body, _ in better] != [body for _, body in found]
            con.executemany("UPDATE entries SET body=? WHERE id=?", better)
        with pytest.raises(VerificationFailed, match="is not what was recorded"):
            system.gate()

    def test_of_another_system_in_the_same_ledger_does_not_count(self, system, trust):
        system.change("system", to="another")
        assert {r.standing for r in system.gate(trust).rows} == {Standing.NOT_MEASURED}

    def test_an_unfinished_run_is_named_until_the_release_is_another(self, system, trust):
        project = system.project()
        about = About(system="parity", release=project.release.digest, threshold="t", people="p")
        with project.open_ledger() as ledger:
            run = Run(ledger, about, assessment="stability", protocol={})
            run.__enter__()
        assert system.gate(trust).unfinished == (f"stability ({run.id})",)
        system.change("load", "peak", to="101/s")
        assert system.gate(trust).unfinished == ()

    def test_it_grows_old(self, system, trust):
        later = system.gate(trust, clock_ns=lambda: time.time_ns() + 31 * DAY)
        assert {r.standing for r in later.rows} == {Standing.STALE}

    def test_a_clock_that_is_set_back_makes_nothing_fresh_for_who_verifies(self, system, trust, tmp_path):
        """The gate believes its machine; the deploy step has a clock of its own, and the attestation has run out."""
        gate_key = generate()
        save_private(gate_key, tmp_path / "gate.key")
        file = tmp_path / "a.json"
        project = system.project()
        gate(project, trust_file=trust, attest=file, key_file=tmp_path / "gate.key")
        pinned = read_trust(trust.read_text() + f"  - name: ci\n    roles: [gate]\n    key: {gate_key.public.line}\n")
        fine = {"subject": project.release.digest, "trust": pinned}
        assert verify_attestation(file.read_bytes(), now_ns=time.time_ns(), **fine)
        with pytest.raises(VerificationFailed, match="the evidence under it has gone stale"):
            verify_attestation(file.read_bytes(), now_ns=time.time_ns() + 31 * DAY, **fine)


class TestTheNotes:
    def test_one_person_in_all_roles_is_shown(self, tmp_path):
        system = System(tmp_path / "s")
        for role in ("business", "technical", "operations", "leader"):
            system.change("owners", role, to={"name": "Only One", "contact": COO})
        system.change("owners", "single", to=COO)
        system.change("decisions", "tell", "accountable", to=COO)
        system.change("may", to={"override": [COO], "retrain": [COO], "decommission": [COO]})
        system.change("threshold", "consulted", to=None)
        assert f"{COO} alone stands for business, technical, operations and leader" in system.gate().notes

    def test_a_leader_who_builds_it_is_shown(self, system, trust):
        system.change("owners", "technical", "members", to=[COO])
        assert f"{COO} sets the threshold and is of those who build to it" in system.gate(trust).notes

    def test_a_sample_that_nobody_named_is_shown(self, system, trust):
        system.change("samples", "golden", to=None)
        assert "evaluation cannot be measured: the manifest names no samples.golden" in system.gate(trust).notes


SECRET = """
from pathlib import Path
def predict(record):
    {condition}(Path(__file__).parent / "secret.txt").read_text()
    return {{"parity": "odd" if record["number"] % 2 else "even"}}
"""


class TestWhatIsNotCovered:
    def board(self, tmp_path, target, *only, **more):
        system = System(tmp_path / "s", target)
        system.write("secret.txt", "42")
        return system, system.check(*only, **more)

    def test_a_file_the_target_opens_in_process_unbinds_the_evidence_and_is_named(self, tmp_path):
        _, board = self.board(tmp_path, SECRET.format(condition=""), "evaluation", "contracts")
        for metric in ("evaluation.accuracy", "contracts.valid_rate", "contracts.lost_records"):
            assert row(board, metric).standing is Standing.NOT_MEASURED
            assert row(board, metric).why == "Opened files not covered by the release: secret.txt."
            assert "Declare them under target.artifacts" in row(board, metric).next

    def test_a_file_that_is_read_when_the_target_is_imported_too(self, tmp_path):
        target = SECRET.format(condition="") + "DATA = (Path(__file__).parent / 'secret.txt').read_text()\n"
        _, board = self.board(tmp_path, target.replace("    (Path", "    # (Path"), "evaluation")
        assert "secret.txt" in row(board, "evaluation.accuracy").why

    def test_the_golden_set_itself_is_no_source_of_answers(self, tmp_path):
        target = """
        import json
        from pathlib import Path
        CASES = map(json.loads, (Path(__file__).parent / "golden.jsonl").read_text().splitlines())
        KNOWN = {case["input"]["number"]: case["expected"] for case in CASES}
        def predict(record):
            return KNOWN.get(record["number"], {"parity": "?"})
        """
        _, board = self.board(tmp_path, target, "evaluation")
        assert row(board, "evaluation.accuracy").standing is Standing.NOT_MEASURED
        assert "golden.jsonl" in row(board, "evaluation.accuracy").why

    def test_once_it_is_declared_it_is_another_release_whose_evidence_binds(self, tmp_path):
        system, _ = self.board(tmp_path, SECRET.format(condition=""), "evaluation")
        system.change("target", "artifacts", to=["secret.txt"])
        assert row(system.check("evaluation"), "evaluation.accuracy").standing is Standing.MET

    def test_a_source_that_is_swapped_while_it_is_measured_unbinds_the_evidence(self, tmp_path):
        target = """
        from pathlib import Path
        def predict(record):
            if record["number"] == 50:
                Path(__file__).write_text(Path(__file__).read_text() + "# swapped\\n")
            return {"parity": "odd" if record["number"] % 2 else "even"}
        """
        system = System(tmp_path / "s", target)
        project = system.project()
        board = check(project, only=("evaluation",), write=False).board
        assert row(board, "evaluation.accuracy").standing is Standing.NOT_MEASURED
        assert "(changed while it was measured)" in row(board, "evaluation.accuracy").why

    def test_a_file_that_only_the_process_under_load_opens_is_named_too(self, tmp_path):
        system = System(tmp_path / "s", SECRET.format(condition="import sys; 'load_host' in sys.argv[0] and "))
        system.write("secret.txt", "42")
        system.change("load", "peak", to="600/s")
        system.change("threshold", "conditions", to=[*system.manifest["threshold"]["conditions"], "stability.error_rate <= 50%"])  # fmt: skip
        system.check("stability")
        with system.project().open_ledger() as ledger:
            given = [msgspec.json.decode(ledger.body(e), type=Evidence) for e in ledger.entries(kinds=("evidence",))]
        assert {(e.binds, e.uncovered) for e in given} == {(False, ("secret.txt",))}
        again = row(system.check("evaluation"), "evaluation.accuracy")
        assert "secret.txt" in again.why, "for this release it is known from now on"

    def test_what_is_driven_must_be_what_the_evidence_names(self, tmp_path):
        """Two processes read the files; between them, somebody puts better weights in place."""
        system = System(tmp_path / "s", SECRET.format(condition=""))
        system.write("secret.txt", "42")
        system.change("target", "artifacts", to=["secret.txt"])
        system.change("threshold", "conditions", to=[*system.manifest["threshold"]["conditions"], "stability.error_rate <= 50%"])  # fmt: skip
        project = system.project()
        _ = project.release
        system.write("secret.txt", "43")
        with pytest.raises(TargetError, match="changed after the measurement had begun"):
            check(project, only=("stability",), write=False)
        assert [name.split()[0] for name in gate(system.project()).board.unfinished] in ([], ["stability"])


def test_a_golden_set_on_which_nothing_is_answered_gives_no_verdict(tmp_path):
    system = System(tmp_path / "s", "def predict(record):\n    raise RuntimeError('not today')\n")
    board = system.check("evaluation")
    assert row(board, "evaluation.accuracy").standing is Standing.NOT_MEASURED
    assert "not one case was counted" in row(board, "evaluation.accuracy").why
    assert row(board, "evaluation.answered_share").standing is Standing.NOT_MET
    assert board.outcome is Outcome.NOT_READY


def test_an_attestation_needs_the_gates_key(system, trust, tmp_path):
    with pytest.raises(UsageError, match="--attest needs the gate's key"):
        gate(system.project(), trust_file=trust, attest=tmp_path / "a.json")


@pytest.mark.parametrize("kind", ["decision", "evidence", "quarantine.replayed"])
def test_no_verdict_is_given_on_a_record_that_was_altered(system, trust, tmp_path, kind):
    """Any entry at all, also one that no condition rests on; and nothing more is written to such a record."""
    save_private(generate(), tmp_path / "gate.key")
    more = {"trust_file": trust, "attest": tmp_path / "a.json", "key_file": tmp_path / "gate.key"}
    gate(system.project(), **more)
    (tmp_path / "a.json").unlink()
    with contextlib.closing(sqlite3.connect(system.ledger)) as con, con:
        found = con.execute("SELECT max(id) FROM entries WHERE kind=?", (kind,)).fetchone()[0]
        con.execute("UPDATE entries SET time_ns=time_ns+1 WHERE id=?", (found,))
        (stream,) = con.execute("SELECT id FROM streams WHERE number=?", (found >> 40,)).fetchone()
    before = system.ledger.read_bytes()
    for give in (
        lambda: gate(system.project(), **more),
        lambda: system.gate(trust),
        lambda: system.check("evaluation", trust=trust),
    ):
        with pytest.raises(VerificationFailed, match="the record under this verdict does not hold") as caught:
            give()
        assert f"{stream}-{found & (1 << 40) - 1}:" in caught.value.message
        assert caught.value.code == "verification.record"
        assert "restore a copy that verifies" in caught.value.fix
    assert not (tmp_path / "a.json").exists()
    assert system.ledger.read_bytes() == before


def test_what_is_altered_while_it_is_measured_is_noticed_before_it_is_judged(tmp_path):
    """The target itself rewrites an entry that was whole when the check began."""
    target = """
    import contextlib, sqlite3
    from pathlib import Path
    LEDGER = Path(__file__).parent / ".plimsoll" / "ledger.db"
    def predict(record):
        if record["number"] == 50 and (Path(__file__).parent / "armed").exists():
            with contextlib.closing(sqlite3.connect(LEDGER)) as con, con:
                con.execute("UPDATE entries SET time_ns=time_ns-1 WHERE kind='evidence'")
        return {"parity": "odd" if record["number"] % 2 else "even"}
    """
    system = System(tmp_path / "s", target)
    system.check("evaluation")
    system.write("armed", b"")
    with pytest.raises(VerificationFailed, match="the record under this verdict does not hold"):
        system.check("evaluation")
    with system.project().open_ledger(read_only=True) as ledger:
        assert len(list(ledger.entries(kinds=("verdict",)))) == 1


def test_a_verdict_is_written_down_with_a_checkpoint(system, trust):
    board = system.gate(trust)
    with system.project().open_ledger(read_only=True) as ledger:
        verdicts = list(ledger.entries(kinds=("verdict",)))
        newest = msgspec.json.decode(ledger.body(verdicts[-1]))
    assert newest["outcome"] == board.outcome.value
    assert dt.datetime.fromtimestamp(newest["time_ns"] / 1e9, tz=dt.UTC).year >= 2024


def test_the_board_says_the_same_twice(system, trust):
    first, second = system.gate(trust), system.gate(trust)
    same = [(r.condition, r.standing, r.estimate, r.bound) for r in first.rows]
    assert [(r.condition, r.standing, r.estimate, r.bound) for r in second.rows] == same


def test_an_operator_who_left_no_longer_accepts_for_the_next_release(system, trust):
    system.write("golden.jsonl", cases())
    system.change("load", "peak", to="102/s")
    board = system.check("organisation", trust=trust)
    accepted = row(board, "organisation.accepted")
    assert accepted.estimate == 0.0
    assert NIGHT in accepted.why or "and 2 more" in accepted.why
    assert Project(system.folder / "plimsoll.yaml").release.digest != ""


class TestWhatTheFiguresDoNotSpeakOf:
    def test_a_decision_type_without_a_case(self, tmp_path):
        """Otherwise a type that is bad could be left out of the golden set, and go live with the others."""
        system = System(tmp_path / "s")
        system.change("decisions", "guess", to=dict(system.manifest["decisions"]["tell"]))
        system.write("golden.jsonl", lines({"type": "tell", "input": {"number": n}, "expected": {"parity": "odd" if n % 2 else "even"}} for n in range(60)))  # fmt: skip
        said = "the golden set has no case of 'guess', so evaluation says nothing of it"
        assert said in system.check("evaluation").notes

    def test_a_declared_source_that_the_feed_is_silent_of(self, tmp_path):
        """Otherwise the one source that is always broken could be taken out of the folder."""
        system = System(tmp_path / "s")
        text = (system.folder / "numbers.odcs.yaml").read_text()
        system.write("messy.odcs.yaml", text.replace("counter", "messy").replace("id: numbers", "id: messy"))
        system.change("data", "inputs", to=["numbers.odcs.yaml", "messy.odcs.yaml"])
        assert "the feed holds no record of the declared sources: messy" in system.check("contracts").notes
        system.write("feed/messy.jsonl", lines([{"number": 1}]))
        assert not [n for n in system.check("contracts").notes if "declared sources" in n]

    @pytest.mark.parametrize("assessment", ["evaluation", "contracts"])
    def test_another_sample_than_that_of_the_release_before(self, tmp_path, assessment):
        """One comment in the source makes another release, for which what was measured before counts for nothing."""
        system = System(tmp_path / "s")
        before = system.check("evaluation", "contracts")
        system.change("load", "peak", to="101/s")
        assert not [n for n in system.check("evaluation", "contracts").notes if "is another than" in n]
        system.write("golden.jsonl" if assessment == "evaluation" else "feed/counter.jsonl", cases(60) if assessment == "evaluation" else lines({"number": n} for n in range(60)))  # fmt: skip
        system.change("load", "peak", to="102/s")
        said = [n for n in system.check("evaluation", "contracts").notes if "is another than" in n]
        sample = {"evaluation": "the golden set", "contracts": "the feed"}[assessment]
        assert len(said) == 1
        assert said[0].startswith(f"{sample} is another than that of the release before, sha256:")
        assert before.release[:19] not in said[0]

"""Who has accepted, and what the map lacks, as it is when the verdict is given and not as it was once assessed."""

from __future__ import annotations

import time

import msgspec
import pytest
from assess.a_system import COO, HEAD, NIGHT, OPS, System, row

from plimsoll.assembly.checking import gate
from plimsoll.assess.organisation import ACCEPTED
from plimsoll.attest import generate, read_trust, save_private, verify_attestation
from plimsoll.errors import VerificationFailed
from plimsoll.ledger import Draft
from plimsoll.model.board import Outcome, Standing

DAY = 86_400 * 10**9


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A system for which all was done in earnest."""
    system = System(tmp_path_factory.mktemp("standing") / "s")
    system.made_ready()
    return system


@pytest.fixture
def system(ready, tmp_path):
    mine = ready.beside(tmp_path / "state")
    mine.keys = ready.keys
    mine.trust()
    return mine


def accepted(system, trust, **more):
    return row(system.gate(trust, **more), "organisation.accepted")


def complete(system):
    return row(system.gate(system.trust()), "accountability.complete")


class TestAcceptances:
    def test_while_nothing_changes_the_figure_is_what_was_assessed(self, system):
        found = accepted(system, system.trust())
        assert (found.standing, found.counts, found.why) == (Standing.MET, "census of 5", "Every case was looked at.")

    def test_a_key_that_was_taken_out_of_the_trust_file_shows_at_once(self, system):
        board = system.gate(system.trust(without=[HEAD]))
        found = row(board, "organisation.accepted")
        assert board.outcome is Outcome.NOT_READY
        assert (found.standing, found.estimate, found.gap) == (Standing.NOT_MET, 0.8, "1 of 5 missing")
        assert f"pins no key of {HEAD} as owner at this time" in found.why
        assert (
            "Looked at again for this verdict. When it was last assessed: 5 of 5 named owners and operators"
            in found.why
        )
        assert accepted(system, system.trust()).standing is Standing.MET, "and is forgiven as soon as it is back"

    def test_a_key_whose_time_is_over_shows_at_once(self, system):
        now = time.strftime("%Y-%m-%d", time.gmtime())
        trust = system.trust(night_shift=now)
        assert accepted(system, trust).standing is Standing.MET, "the last day still counts"
        tomorrow = accepted(system, trust, clock_ns=lambda: time.time_ns() + DAY)
        assert (tomorrow.standing, tomorrow.estimate) == (Standing.NOT_MET, 0.8)
        assert NIGHT in tomorrow.why

    def test_without_a_trust_file_nobody_has_accepted(self, system):
        assert accepted(system, None).estimate == 0.0

    def test_another_person_shows_at_once_and_counts_once_they_have_signed(self, system):
        system.change("owners", "operations", "members", to=["day-shift@example.org"])
        found = accepted(system, system.trust())
        assert (found.standing, found.estimate) == (Standing.NOT_MET, 0.8)
        assert "day-shift@example.org: " in found.why
        system.change("owners", "operations", "members", to=[NIGHT])
        assert accepted(system, system.trust()).standing is Standing.MET

    def test_one_person_more_shows_at_once(self, system):
        system.change("owners", "operations", "members", to=[NIGHT, "day-shift@example.org"])
        found = accepted(system, system.trust())
        assert (found.standing, found.gap) == (Standing.NOT_MET, "1 of 6 missing")

    def test_what_is_better_by_now_counts_once_it_is_assessed(self, system):
        system.check("organisation", trust=system.trust(without=[HEAD]))
        found = accepted(system, system.trust())
        assert (found.standing, found.estimate) == (Standing.NOT_MET, 0.8)
        assert row(system.check("organisation", trust=system.trust()), "organisation.accepted").standing is Standing.MET

    def test_a_key_that_is_called_simulated_by_now_makes_a_demonstration(self, system):
        assert not system.gate(system.trust()).demonstration
        board = system.gate(system.trust(simulated=[NIGHT]))
        assert board.demonstration
        assert row(board, "organisation.accepted").provenance == "simulated"

    def test_what_was_never_assessed_is_not_measured_whoever_has_accepted(self, tmp_path):
        system = System(tmp_path / "s")
        system.accept(HEAD)
        assert accepted(system, system.trust()).standing is Standing.NOT_MEASURED

    def test_a_replay_that_was_altered_behind_the_verification_shows_nothing_of_an_operator(self, system):
        board = system.judged_behind_the_look(system.trust(), lambda: system.alter("quarantine.replayed"))
        found = row(board, "organisation.accepted")
        assert found.standing is Standing.NOT_MET
        assert f"{NIGHT}: accepted without having found and replayed a quarantined record" in found.why

    def test_an_acceptance_that_was_altered_behind_the_verification_is_nobodys(self, system):
        board = system.judged_behind_the_look(system.trust(), lambda: system.alter(ACCEPTED))
        found = row(board, "organisation.accepted")
        assert (found.standing, found.estimate) == (Standing.NOT_MET, 0.0)

    @pytest.mark.parametrize("kind", [ACCEPTED, "quarantine.replayed"])
    def test_one_that_was_altered_before_it_gives_no_verdict_at_all(self, system, kind):
        system.alter(kind)
        with pytest.raises(VerificationFailed, match="is not what was recorded"):
            system.gate(system.trust())

    def test_of_another_release_it_is_left_alone(self, system):
        system.change("load", "peak", to="101/s")
        assert accepted(system, system.trust()).standing is Standing.NOT_MEASURED

    def test_the_attestation_says_it_and_is_refused(self, system, tmp_path):
        key = generate()
        save_private(key, tmp_path / "gate.key")
        pinned = f"  - name: ci\n    roles: [gate]\n    key: {key.public.line}\n"
        more = {"attest": tmp_path / "a.json", "key_file": tmp_path / "gate.key"}
        subject = system.project().release.digest

        def verify(text):
            return verify_attestation(
                (tmp_path / "a.json").read_bytes(), subject=subject, trust=read_trust(text), now_ns=time.time_ns()
            )

        trust = system.trust()
        whole = trust.read_text() + pinned
        gate(system.project(), trust_file=trust, **more)
        assert verify(whole)
        without = system.trust(without=[HEAD])
        gate(system.project(), trust_file=without, **more)
        with pytest.raises(VerificationFailed, match=r"organisation\.accepted = 100% is not met"):
            verify(whole)

    def test_the_report_draws_them_as_they_are_now(self, system, tmp_path):
        gate(system.project(), trust_file=system.trust(without=[HEAD]), report=tmp_path / "r.html")
        words = (tmp_path / "r.html").read_text()
        assert f"pins no key of {HEAD} as owner at this time" in words


class TestTheMap:
    @pytest.mark.parametrize(
        ("path", "said"),
        [
            (("decisions", "tell", "review_of_this_entry"), "tell: no date to look at this entry again"),
            (("may", "override"), "tell: who may override, retrain and decommission is not said"),
        ],
    )
    def test_what_it_lacks_by_now_shows_at_once(self, system, path, said):
        assert complete(system).standing is Standing.MET
        release = system.project().release.digest
        system.change(*path, to=None)
        assert system.project().release.digest == release
        found = complete(system)
        assert found.standing is Standing.NOT_MET
        assert said in found.why
        assert (
            "When it was last assessed: 1 of 1 decision types have a complete entry; 200 of 200 decisions looked at"
            in found.why
        )

    def test_a_map_that_was_mended_counts_once_it_is_assessed(self, system):
        entry = dict(system.manifest["decisions"]["tell"])
        system.change("decisions", "tell", "review_of_this_entry", to=None)
        system.check("accountability", trust=system.trust())
        system.change("decisions", "tell", to=entry)
        found = complete(system)
        assert (found.standing, found.gap) == (Standing.NOT_MET, "1 of 201 missing")

    def test_what_another_person_stands_for_is_looked_at_with_those_who_are_named(self, system):
        system.change("decisions", "tell", "accountable", to=OPS)
        assert complete(system).standing is Standing.MET, "the map is whole, and everybody in it is real"

    def test_a_run_of_another_version_is_left_as_it_is(self, system):
        """Its detail does not say how much of the figure was the map; then the people digest decides, as before."""
        measured = system.project().release.digest.encode()
        system.change("load", "peak", to="101/s")  # of this release there is no other run
        project = system.project()
        now = project.release.digest.encode()
        assert complete(system).standing is Standing.NOT_MEASURED
        with project.open_ledger() as ledger:
            entries = list(ledger.entries(kinds=("assessment.started", "assessment.ended", "evidence")))
            ended = next(e for e in reversed(entries) if e.kind == "assessment.ended" and b"sampled" in ledger.body(e))
            started = ledger.get(ended.refs[0])
            evidence = next(e for e in entries if e.kind == "evidence" and e.refs == ended.refs)
            begun = ledger.body(started).replace(measured, now)
            again = ledger.append(Draft(kind="assessment.started", system="parity", body=begun))
            for entry in (evidence, ended):
                body = msgspec.json.decode(ledger.body(entry).replace(measured, now)) | {"run": again}
                body |= {"detail": {"rows": "of another kind"}} if entry is ended else {}
                ledger.append(Draft(kind=entry.kind, system="parity", body=msgspec.json.encode(body), refs=(again,)))
        assert complete(system).standing is Standing.MET
        system.change("decisions", "tell", "accountable", to=COO)
        found = complete(system)
        assert found.standing is Standing.NOT_MEASURED
        assert "Other people are named now" in found.why

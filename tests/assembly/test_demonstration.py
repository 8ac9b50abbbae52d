"""Persons played by a script: what they sign can never pass for real, whatever a trust file says."""

from __future__ import annotations

import time

import pytest
from assess.a_system import BUILDER, COO, HEAD, NIGHT, OPS, System, lines, row

from plimsoll.assembly.checking import check, gate
from plimsoll.assembly.demonstration import GATE, LEDGER, Cast
from plimsoll.assembly.signing import accept, sign_threshold
from plimsoll.attest import Role, read_trust, trust_entry, verify_attestation
from plimsoll.errors import VerificationFailed
from plimsoll.guard.quarantine import quarantined
from plimsoll.model.board import Outcome, Standing
from plimsoll.model.evidence import Provenance

PERSONS = [HEAD, BUILDER, OPS, COO, NIGHT]
CUT = [b'{"number": 1', b'{"number": 12, "no']
WHOLE = [b'{"number": 14}', b'{"number": 12, "note": "whole"}']


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A demonstration whose cast has played once."""
    system = System(tmp_path_factory.mktemp("stage") / "s")
    system.change("demonstration", to={"persons": PERSONS, "resent": "resent.jsonl"})
    system.write("resent.jsonl", b"\n".join(WHOLE) + b"\n")
    system.write("feed/counter.jsonl", lines({"number": n} for n in range(200)) + b"\n".join(CUT) + b"\n")
    system.check()
    return system


@pytest.fixture
def system(stage, tmp_path):
    return stage.beside(tmp_path / "state")


def pinned(system, *, simulated):
    """A trust file of the organisation that pins the cast's keys, as if they were those of people.

    The ledger's is pinned in earnest: what is left of the demonstration is the cast's doing.
    """
    cast = Cast(system.project())
    text = "plimsoll-trust: 1\nkeys:\n"
    for who in PERSONS:
        roles = {COO: [Role.OWNER, Role.SETTER], NIGHT: [Role.OPERATOR]}.get(who, [Role.OWNER])
        text += trust_entry(who, roles, cast.key(who).public, simulated=simulated)
    text += trust_entry(GATE, [Role.GATE], cast.key(GATE).public, simulated=simulated)
    text += trust_entry("ledger", [Role.LEDGER], system.project().ledger_key.public)
    path = system.folder.parent / "trust.yaml"
    path.write_text(text)
    return path


def test_a_demonstration_is_ready_and_says_what_it_is(system):
    board = system.gate()
    assert board.outcome is Outcome.READY, [(r.condition, r.why) for r in board.rows]
    assert (board.demonstration, board.draft) == (True, False)
    assert board.simulated == ("the manifest lets a script play persons, with keys made on the spot",)
    assert row(board, "organisation.accepted").provenance == Provenance.SIMULATED.value
    assert row(board, "evaluation.accuracy").provenance == "measured"


@pytest.mark.parametrize("simulated", [True, False])
def test_whatever_a_trust_file_says_of_the_casts_keys_it_stays_one(system, simulated):
    board = system.gate(pinned(system, simulated=simulated))
    assert (board.demonstration, board.draft) == (True, False)


def test_a_trust_file_that_does_not_pin_the_cast_speaks_alone(system):
    board = system.check("organisation", trust=system.trust())
    assert board.draft
    assert row(board, "organisation.accepted").estimate == 0.0
    assert board.demonstration


def test_without_the_block_what_the_cast_signed_is_still_simulated(system):
    """Taking `demonstration:` out of the manifest is no new release; the marks are inside what was signed."""
    release = system.project().release.digest
    trust = pinned(system, simulated=False)
    system.change("demonstration", to=None)
    board = system.gate(trust)
    assert board.release == release
    assert (board.demonstration, board.draft) == (True, False)
    board = system.check("organisation", trust=trust)
    assert row(board, "organisation.accepted").provenance == Provenance.SIMULATED.value


def test_without_the_block_and_without_a_trust_file_nobody_is_believed(system):
    system.change("demonstration", to=None)
    board = system.check("organisation")
    assert board.draft
    assert row(board, "organisation.accepted").standing is Standing.NOT_MET


def test_even_what_is_signed_by_hand_with_the_casts_keys_is_one_while_the_manifest_says_so(system):
    """Nothing signed here says that it is simulated, and nothing pinned; the manifest alone does."""
    project = system.project()
    cast = Cast(project)
    trust = pinned(system, simulated=False)
    sign_threshold(project, cast.key(COO))
    for who in PERSONS:
        accept(project, who, cast.key(who))
    system.change("demonstration", to={"persons": [HEAD]})  # a cast that would play nobody who matters
    board = check(system.project(), trust_file=trust, write=False).board
    assert board.demonstration


def test_its_attestation_is_refused_without_a_word_that_allows_it(system, tmp_path):
    file = tmp_path / "a.json"
    project = system.project()
    board = gate(project, attest=file).board
    for simulated in (True, False):
        trust = read_trust(pinned(system, simulated=simulated).read_text())
        with pytest.raises(VerificationFailed, match="DEMONSTRATION"):
            verify_attestation(file.read_bytes(), subject=board.release, trust=trust, now_ns=time.time_ns())
        assert verify_attestation(
            file.read_bytes(), subject=board.release, trust=trust, now_ns=time.time_ns(), allow_simulated=True
        )


def test_its_trust_file_is_written_beside_the_record_and_marks_every_key(system):
    system.gate()
    text = (system.state / "trust.demonstration.yaml").read_text()
    keys = read_trust(text).keys
    assert {k.who for k in keys} == {*PERSONS, GATE, LEDGER}
    assert all(k.simulated for k in keys)


def test_the_operator_found_a_cut_record_and_replayed_what_its_source_sent_again(stage):
    with stage.project().open_ledger() as ledger:
        closed = [q for q in quarantined(ledger, status="fixed") if q.by == NIGHT]
        assert closed
        became = ledger.get(closed[0].became)
        assert became.refs == (closed[0].record,)
        assert became.header.disposition == "answered"


def test_it_can_be_checked_again_and_again(system):
    """The records that were sent again are two; the operator needs one, and not one more for each check."""
    for _ in range(4):
        board = system.check("contracts", "organisation")
        assert row(board, "organisation.accepted").standing is Standing.MET


def test_another_release_is_accepted_by_the_same_cast(system):
    for peak in ("101/s", "102/s", "103/s"):
        system.change("load", "peak", to=peak)
        assert row(system.check("organisation"), "organisation.accepted").standing is Standing.MET


def test_without_anything_sent_again_the_operator_does_not_accept(stage, tmp_path):
    system = System(tmp_path / "s")
    system.change("demonstration", to={"persons": PERSONS})
    accepted = row(system.check("contracts", "organisation"), "organisation.accepted")
    assert accepted.standing is Standing.NOT_MET
    assert accepted.estimate == 0.8
    assert NIGHT in accepted.why


def test_who_is_not_played_has_to_accept_in_earnest(stage, tmp_path):
    system = System(tmp_path / "s")
    system.change("demonstration", to={"persons": [HEAD]})
    accepted = row(system.check("organisation"), "organisation.accepted")
    assert accepted.estimate == 0.2
    board = system.gate()
    assert board.draft, "the setter is not played, so nobody has signed"


def test_keys_of_persons_whose_names_differ_only_in_signs_are_not_the_same(tmp_path):
    """A key's file is named after its person, and a file name holds fewer signs than an address."""
    system = System(tmp_path / "s")
    twins = ["a+b@example.org", "a_b@example.org"]
    system.change("owners", "technical", "members", to=twins)
    system.change("demonstration", to={"persons": twins})
    cast = Cast(system.project())
    assert cast.key(twins[0]).public != cast.key(twins[1]).public

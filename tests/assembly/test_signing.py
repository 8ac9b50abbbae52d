"""Thresholds and acceptances: who may sign what, and when."""

from __future__ import annotations

import threading

import pytest
from cli.tiny_system import OPERATOR, PEOPLE

from plimsoll.assembly.project import Project, own_key
from plimsoll.assembly.record import erase_subject, existing_ledger, newest_entries, show_entry
from plimsoll.assembly.signing import accept, sign_threshold, threshold_history
from plimsoll.assembly.steering import contacts, steer
from plimsoll.attest import generate
from plimsoll.errors import InputError, NotAllowed, NotReady, UsageError
from plimsoll.model.control import Action


@pytest.fixture
def project(tiny) -> Project:
    return Project(tiny.manifest)


def test_a_signature_is_of_the_threshold_as_it_is_now(tiny, project):
    assert threshold_history(project) == ()
    first = sign_threshold(project, generate(), clock_ns=lambda: 10**18)
    tiny.change("plimsoll.yaml", "evaluation.accuracy >= 95%", "evaluation.accuracy >= 96%")
    tightened = Project(tiny.manifest)
    second = sign_threshold(tightened, generate(), clock_ns=lambda: 2 * 10**18)
    earlier, current = threshold_history(tightened)
    assert (earlier.entry, earlier.current) == (first, False)
    assert (current.entry, current.current) == (second, True)
    assert current.set_by == "coo@example.org"


@pytest.mark.parametrize("contact", PEOPLE.values())
def test_an_owner_accepts_in_every_role_that_the_manifest_names(project, contact):
    accepted = accept(project, contact, generate())
    assert accepted.contact == contact
    assert accepted.release == project.release.digest
    assert not accepted.simulated


def test_an_operator_replays_a_record_first(project):
    with pytest.raises(NotReady, match="has not replayed a quarantined record") as caught:
        accept(project, OPERATOR, generate())
    assert "plimsoll quarantine replay" in caught.value.fix


def test_nobody_else_can_accept(project):
    with pytest.raises(InputError, match="is not named") as caught:
        accept(project, "haed@example.org", generate())
    assert "did you mean head@example.org?" in caught.value.fix


def test_only_people_of_the_manifest_steer_it_and_for_a_reason(project):
    assert set(contacts(project)) == {*PEOPLE.values(), OPERATOR}
    assert steer(project, Action.STOP, type_="tell-parity", by=OPERATOR, reason="smoke")
    with pytest.raises(InputError, match="is not named"):
        steer(project, Action.STOP, type_="", by="stranger@example.org", reason="smoke")
    with pytest.raises(InputError, match="is not a decision type"):
        steer(project, Action.STOP, type_="tell-party", by=OPERATOR, reason="smoke")
    with pytest.raises(InputError, match="has a reason"):
        steer(project, Action.STOP, type_="", by=OPERATOR, reason=" \n")


@pytest.mark.parametrize("who", [*PEOPLE.values(), OPERATOR])
def test_anybody_named_may_stop_and_only_who_may_override_takes_it_back(project, who):
    """A stop fails safe; to let the AI decide again does not."""
    assert steer(project, Action.STOP, type_="", by=who, reason="smoke")
    if who == PEOPLE["operations"]:
        assert steer(project, Action.RESUME, type_="", by=who, reason="a coffee machine")
        return
    before = newest_entries(project, 99)
    with pytest.raises(NotAllowed, match=f"{who} may stop parity, and may not take a stop back") as caught:
        steer(project, Action.RESUME, type_="", by=who, reason="a coffee machine")
    assert caught.value.exit_code == 3
    assert caught.value.fix == "those who may, by may.override: ops@example.org"
    assert newest_entries(project, 99) == before, "what is refused is not recorded as done"


def test_where_nobody_is_named_to_override_operations_and_who_holds_the_decision_may_resume(tiny):
    tiny.change("plimsoll.yaml", "override: [ops@example.org], ", "")
    project = Project(tiny.manifest)
    for who in (PEOPLE["operations"], OPERATOR, "head@example.org"):
        assert steer(project, Action.RESUME, type_="", by=who, reason="mended")
    for who in (PEOPLE["technical"], PEOPLE["leader"]):
        with pytest.raises(NotAllowed) as caught:
            steer(project, Action.RESUME, type_="", by=who, reason="mended")
        assert "ops@example.org, night-shift@example.org, head@example.org" in caught.value.fix


def test_the_record_is_read_and_never_made_by_reading(project):
    for ask in (
        lambda: show_entry(project, "x"),
        lambda: newest_entries(project, 5),
        lambda: erase_subject(project, "ada", by="head@example.org", reason="asked for"),
        lambda: existing_ledger(project, read_only=True),
    ):
        with pytest.raises(InputError, match="there is no ledger"):
            ask()
    assert not project.state.exists()


def test_an_erasure_names_a_person_and_a_reason(project):
    steer(project, Action.STOP, type_="", by=OPERATOR, reason="smoke")
    with pytest.raises(UsageError, match="nothing is kept"):
        erase_subject(project, "ada", by="head@example.org", reason="asked for")
    with pytest.raises(InputError, match="has a reason"):
        erase_subject(project, "ada", by="head@example.org", reason=" ")
    assert newest_entries(project, 5)[0].kind == "control"


def test_whoever_comes_first_makes_the_key_and_all_have_the_same(tmp_path):
    found = []
    start = threading.Barrier(8)

    def ask():
        start.wait()
        found.append(own_key(tmp_path / "state" / "ledger.key").public.key_id)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [p.name for p in (tmp_path / "state").iterdir()] == ["ledger.key"]
    assert (tmp_path / "state" / "ledger.key").stat().st_mode & 0o777 == 0o600

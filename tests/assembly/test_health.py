"""The health check in the ledger: who signed, what is recorded, and what every later board says of it."""

from __future__ import annotations

import json
import time

import msgspec
import pytest
from assess.a_system import HEAD, NIGHT, OPS, System

from plimsoll.assembly.health import AGREED, Given, agree, check_files, read_page
from plimsoll.assembly.health_notes import CHECKED
from plimsoll.attest import generate, read_trust, sign_agreement
from plimsoll.errors import InputError
from plimsoll.ledger import Draft
from plimsoll.model.health import Answer, Asked, HealthRecorded, Standing
from plimsoll.model.health_page import ChangedWork, HealthPage
from plimsoll.model.metrics import METRICS
from plimsoll.model.threshold import Condition

WORK = ChangedWork(role="Counters", agrees=OPS, change="They count the odd ones alone.")
PAGE = HealthPage(health=1, work=(WORK,))


@pytest.fixture
def system(tmp_path):
    return System(tmp_path / "s")


def checked(system, page=PAGE, *, trust=True, **more):
    given = Given(files=(system.folder / "feed" / "counter.jsonl",), page=page)
    pinned = read_trust(system.trust().read_text()) if trust else None
    return check_files(given, project=system.project(), trust=pinned, **more)


def signs(system, who=OPS, page=PAGE, **more):
    return agree(system.project(), page, who, system.key(who), **more)


def standing(system, **more):
    (found,) = checked(system, **more).agreements
    return found


def notes(system, **more):
    return [n for n in system.gate(system.trust(), **more).notes if n.startswith("health check")]


def put(system, kind, raw):
    with system.project().open_ledger() as ledger:
        ledger.append(Draft(kind=kind, system="parity", body=raw))


class TestAgreement:
    def test_it_counts_when_a_pinned_key_of_that_person_signed_these_words(self, system):
        assert standing(system).standing is Standing.UNSIGNED
        signs(system)
        found = standing(system)
        assert (found.standing, found.simulated) == (Standing.AGREED, False)
        question = checked(system).questions[2]
        assert (question.asked, question.answer) == (Asked.WORK, Answer.YES)

    def test_other_words_are_another_question(self, system):
        signs(system)
        changed = HealthPage(health=1, work=(msgspec.structs.replace(WORK, change="They count nothing."),))
        found = standing(system, page=changed)
        assert found.standing is Standing.VOID
        assert "other words" in found.why

    def test_without_a_trust_file_nobody_has_agreed(self, system):
        signs(system)
        assert standing(system, trust=False).standing is Standing.VOID

    def test_a_refusal_counts_until_the_person_signs_again(self, system):
        signs(system, refused="the counters were not asked")
        found = standing(system)
        assert (found.standing, found.why) == (Standing.REFUSED, "the counters were not asked")
        assert checked(system).questions[2].answer is Answer.NO
        signs(system)
        assert standing(system).standing is Standing.AGREED
        signs(system, refused="no longer")
        assert standing(system).standing is Standing.REFUSED

    def test_a_forged_one_does_not_count_and_does_not_hide_an_older_one_that_does(self, system):
        signs(system)
        forged = sign_agreement(WORK, system="parity", key=generate(), now_ns=time.time_ns(), refused="forged")
        foreign = sign_agreement(WORK, system="other", key=system.key(OPS), now_ns=time.time_ns(), refused="foreign")
        later = sign_agreement(
            WORK, system="parity", key=system.key(OPS), now_ns=time.time_ns() + 10**13, refused="later"
        )
        for raw in (forged, foreign, later, b"{", b'{"payload": "e30=", "payloadType": "x", "signatures": []}'):
            put(system, AGREED, raw)
        assert standing(system).standing is Standing.AGREED

    def test_a_simulated_key_makes_the_whole_check_a_demonstration(self, system):
        signs(system)
        pinned = read_trust(system.trust(simulated=[OPS]).read_text())
        given = Given(files=(system.folder / "feed" / "counter.jsonl",), page=PAGE)
        check = check_files(given, project=system.project(), trust=pinned)
        assert (check.agreements[0].simulated, check.demonstration) == (True, True)

    def test_only_who_is_named_can_sign(self, system):
        for who, said in ((NIGHT, "named are"), ("op@example.org", f"did you mean {OPS}")):
            with pytest.raises(InputError, match="not named") as caught:
                signs(system, who=who)
            assert said in caught.value.fix
        with pytest.raises(InputError, match="not named"):
            agree(system.project(), None, OPS, generate())

    def test_flags_name_roles_as_a_page_does(self, system):
        page = read_page(None, ["Head counters=" + HEAD])
        signs(system, HEAD, page)
        assert standing(system, page=page).standing is Standing.AGREED
        with pytest.raises(InputError, match="names no role"):
            read_page(None, ["nobody"])


class TestRecorded:
    def test_the_outcome_is_an_entry_without_anything_of_the_data(self, system):
        secret = "ann@mail.test"
        system.write("feed/counter.jsonl", "\n".join(json.dumps({"number": n, "mail": secret}) for n in range(60)))
        signs(system)
        check = checked(system)
        with system.project().open_ledger(read_only=True) as ledger:
            (entry,) = ledger.entries(kinds=(CHECKED,))
            raw = ledger.body(entry)
        body = msgspec.json.decode(raw, type=HealthRecorded)
        assert secret.encode() not in raw
        assert (body.go, body.sentence) == (check.go, check.sentence)
        assert body.answers == {q.asked.value: q.answer for q in check.questions}
        assert body.sources[0].digest == check.sources[0].digest
        assert body.page.startswith("sha256:")
        assert body.agreements == entry.refs
        assert len(entry.refs) == 1

    def test_without_a_manifest_nothing_is_written(self, system, tmp_path):
        before = sorted(p for p in tmp_path.rglob("*") if p.is_file())
        check_files(Given(files=(system.folder / "feed" / "counter.jsonl",), page=PAGE))
        assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == before


class TestOnTheBoard:
    def test_a_board_says_that_none_was_made(self, system):
        assert notes(system) == ["health check: none was made"]

    def test_every_later_board_says_what_the_check_found_and_that_it_came_before_the_commitment(self, system):
        check = checked(system)
        assert not check.go
        (note,) = notes(system)
        assert note.startswith("health check of 20")
        assert ": no-go because " in note
        system.sign()
        (note,) = notes(system)
        assert ", before the threshold was first signed: no-go because " in note

    def test_a_check_that_was_made_afterwards_cannot_pass_for_one_before(self, system):
        system.sign()
        checked(system)
        first, second = notes(system)
        assert first == "health check: none was made before the threshold was first signed"
        assert ", after the threshold was first signed: no-go" in second

    def test_a_later_check_does_not_hide_the_one_before_nor_how_many_there_were(self, system):
        checked(system)
        system.sign()
        checked(system)
        before, after, count = notes(system)
        assert ", before the threshold" in before
        assert ", after the threshold" in after
        assert count == "health check: 2 were made, 2 of them a no-go"

    def test_it_satisfies_no_condition(self, system):
        """There is no metric that it gives, so no threshold can rest on it; and a board is the same with and without."""
        assert not [m.name for m in METRICS.values() if "health" in m.name or "health" in m.assessment]
        with pytest.raises(ValueError, match="health"):
            Condition.parse("health.go = 100%")
        before = system.gate(system.trust())
        checked(system)
        after = system.gate(system.trust())
        assert [(r.condition, r.standing) for r in after.rows] == [(r.condition, r.standing) for r in before.rows]
        assert after.outcome is before.outcome

    def test_an_altered_entry_is_not_believed(self, system):
        checked(system)
        trust = system.trust()
        board = system.judged_behind_the_look(trust, lambda: system.alter(CHECKED))
        assert any("its entry cannot be read" in note for note in board.notes)

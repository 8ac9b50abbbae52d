"""What the calls of a drill amount to: how long, at what cost, to what. Pure; the drill itself is in the scenarios."""

from __future__ import annotations

import msgspec
import pytest

from plimsoll.assess.drill import PEOPLE, Asked, Behaviour, Rollback, judge_rollback, said_of
from plimsoll.guard.fleet import OPENING
from plimsoll.model.decision import Disposition
from plimsoll.model.details import DrillDetail

OLD, NEW = "sha256:old", "sha256:new"
AT = 1_000_000_000_000  # when the order was written
MS = 1_000_000


def call(began_ms, by, *, number=0, lasts_ms=1, ending=Disposition.ANSWERED, why="", outcome=None) -> Asked:
    began = AT + int(began_ms * MS)
    return Asked(number, began, began + int(lasts_ms * MS), by, ending, why, outcome or f"{by}:{number}")


def stream(*spans, every_ms=10) -> list[Asked]:
    """Calls of one process: spans of (from, until, by)."""
    return [
        call(start + n * every_ms, by, number=n % 4)
        for start, end, by in spans
        for n in range(int((end - start) / every_ms))
    ]


def seen(*traffic, back=OLD, after=None, **more) -> Rollback:
    asked = [[call(5000, back, number=n) for n in range(4)] for _ in traffic] if after is None else after
    return Rollback(gone=NEW, back=back, ordered_ns=AT, waited_s=2.0, traffic=traffic, after=asked, **more)


def judged(rollback, before=None, own=None):
    known = Behaviour([call(-9000, rollback.back, number=n) for n in range(4)]) if before is None else before
    return judge_rollback(rollback, known, Behaviour() if own is None else own)


def test_the_slowest_process_counts_and_a_process_has_followed_when_every_call_that_begins_does():
    quick = stream((-500, 20, NEW), (20, 1000, OLD))
    slow = stream((-500, 300, NEW), (300, 350, OLD), (350, 400, NEW), (400, 1000, OLD))
    found = judged(seen(quick, slow))
    assert found.seconds == pytest.approx(0.4)
    assert found.why == ()
    assert (found.failed, found.differing, found.compared) == (0, 0, 8)


def test_a_process_that_does_not_follow_fails_the_round():
    found = judged(seen(stream((-500, 20, NEW), (20, 1000, OLD)), stream((-500, 1000, NEW))))
    assert found.seconds is None
    assert found.why == ("1 of 2 processes had not followed after 2.0 s",)


def test_a_process_that_goes_back_to_the_new_release_at_the_end_has_not_followed():
    found = judged(seen(stream((-500, 20, NEW), (20, 900, OLD), (900, 1000, NEW))))
    assert found.seconds is None


def test_a_process_without_a_call_after_the_order_has_not_followed():
    assert judged(seen(stream((-500, -10, NEW)))).seconds is None
    assert judged(seen()).seconds is None


def test_a_call_under_way_ends_on_the_release_it_began_with_and_is_counted():
    found = judged(seen([call(-50, NEW, lasts_ms=400), *stream((10, 1000, OLD))]))
    assert (found.in_flight, found.calls, found.failed) == (1, 100, 0)
    assert found.why == ()


@pytest.mark.parametrize(
    "lost",
    [
        call(50, OLD, ending=Disposition.FAILED, why="target-error"),
        call(50, OLD, ending=Disposition.SHED, why="no-room"),
        call(50, NEW, ending=Disposition.HELD, why=OPENING),
    ],
    ids=["failed", "shed", "not open"],
)
def test_a_call_that_is_lost_as_none_was_before_fails_the_round(lost):
    found = judged(seen([*stream((-500, 0, NEW)), lost, *stream((60, 1000, OLD))]))
    assert found.failed == 1
    assert any("1 call failed because of it" in why for why in found.why)


def test_a_call_that_is_lost_as_the_same_release_lost_calls_before_is_not_held_against_the_rollback():
    """A target that fails now and then does so after a rollback, too."""
    lost = call(50, OLD, number=3, ending=Disposition.FAILED, why="target-error")
    before = Behaviour([*(call(-9000, OLD, number=n) for n in range(4)), msgspec.structs.replace(lost, input=2)])
    found = judged(seen([*stream((-500, 0, NEW)), lost, *stream((60, 1000, OLD))]), before=before)
    assert found.failed == 0
    as_new = judged(seen([*stream((-500, 0, NEW)), lost, *stream((60, 1000, OLD))]), own=Behaviour([lost]))
    assert as_new.failed == 1, "the release that was gone back from is another one"


def test_a_restored_release_that_answers_otherwise_fails_the_round():
    after = [[call(5000, OLD, number=n, outcome="another" if n == 2 else None) for n in range(4)]]
    found = judged(seen(stream((-500, 0, NEW), (0, 1000, OLD)), after=after))
    assert (found.differing, found.compared) == (1, 4)
    assert "1 of 4 answers to sample inputs differ from before: the restored release gave them" in found.why


def test_an_answer_by_another_release_afterwards_fails_the_round_though_it_is_the_same():
    after = [[call(5000, NEW, number=n, outcome=f"{OLD}:{n}") for n in range(4)]]
    found = judged(seen(stream((-500, 0, NEW), (0, 1000, OLD)), after=after))
    assert found.differing == 4
    assert "another release gave them" in found.why[-1]


def test_an_input_that_is_answered_now_so_now_otherwise_is_compared_by_how_it_ended():
    known = [call(-9000, OLD, number=n) for n in range(4)]
    before = Behaviour([*known, call(-9000, OLD, number=1, outcome="as it likes")])
    assert before.varying == 1
    other = [[call(5000, OLD, number=1, outcome="something else")]]
    assert judged(seen(stream((0, 1000, OLD)), after=other), before=before).why == ()
    held = [[call(5000, OLD, number=1, ending=Disposition.HELD, outcome="something else")]]
    assert judged(seen(stream((0, 1000, OLD)), after=held), before=before).differing == 1


def test_a_round_in_which_nothing_could_be_compared_does_not_count():
    assert "no answer after it could be held against one before" in judged(seen(stream((0, 1000, OLD)), after=[[]])).why


def test_going_back_to_people_counts_as_any_other_way_back():
    found = judged(seen(stream((-500, 30, NEW), (30, 1000, PEOPLE)), back=PEOPLE))
    assert (found.seconds, found.why) == (pytest.approx(0.03), ())
    assert judged(seen(stream((-500, 1000, NEW)), back=PEOPLE)).seconds is None


def test_a_process_that_ended_meanwhile_fails_the_round():
    found = judged(seen(stream((-500, 0, NEW), (0, 1000, OLD)), ended=("exit code -9",)))
    assert found.seconds is None
    assert found.why == ("a process ended: exit code -9",)


def test_a_drill_is_told_in_one_sentence():
    round_ = judged(seen(stream((-500, 0, NEW), (0, 1000, OLD))))
    detail = DrillDetail(rounds=(round_,) * 3, back=PEOPLE, processes=2, rate_per_s=100, inputs=4)
    assert said_of(detail).startswith("3 of 3 rollbacks to people were followed by all of 2 processes under 100 calls")

"""Tiers and controls are functions of values: what they say can be written as a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.model.control import Action, Control
from plimsoll.model.decision import Tier
from plimsoll.policy import Obeyed, obey, why_held


@pytest.mark.parametrize(
    ("tier", "confidence", "below", "held"),
    [
        (Tier.AUTOMATIC, None, None, False),
        (Tier.AUTOMATIC, 0.0, 0.9, False),
        (Tier.REVIEWED, 0.95, 0.9, False),
        (Tier.REVIEWED, 0.9, 0.9, False),
        (Tier.REVIEWED, 0.8999, 0.9, True),
        (Tier.REVIEWED, None, 0.9, True),
        (Tier.REVIEWED, 1.0, None, True),
    ],
)
def test_a_reviewed_answer_is_held_below_its_confidence_and_when_it_has_none(tier, confidence, below, held):
    assert bool(why_held(tier, confidence, below)) is held


def stop(type_="", reason="looks wrong"):
    return Control(action=Action.STOP, by="op@example.org", reason=reason, type=type_)


def resume(type_=""):
    return Control(action=Action.RESUME, by="op@example.org", reason="mended", type=type_)


def test_a_stop_of_everything_stops_every_type_and_says_who_and_why():
    state = obey(Obeyed(), stop())
    assert state.stop_reason("any") == "looks wrong (stopped by op@example.org)"


def test_a_resume_takes_back_the_stop_of_its_own_scope_alone():
    state = obey(obey(Obeyed(), stop()), stop("read"))
    assert obey(state, resume()).stop_reason("read")
    assert not obey(state, resume()).stop_reason("other")
    assert obey(state, resume("read")).stop_reason("read"), "everything is still stopped"


@given(st.lists(st.sampled_from([stop(), stop("a"), resume(), resume("a")])))
def test_the_last_word_on_a_scope_counts(controls):
    state = Obeyed()
    for control in controls:
        state = obey(state, control)
    last = {c.type: c.action for c in controls}
    stopped = Action.STOP in {last.get(""), last.get("a")}
    assert bool(state.stop_reason("a")) is stopped

"""The printed page and the answered question say what is enforced."""

from __future__ import annotations

import itertools
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from policy.a_page import KEY, NOW_NS, PLACES, C, example, granted, page
from policy.test_egress_properties import DESTINATION, pages

from plimsoll.model.egress import EgressVerdict
from plimsoll.model.field_classes import FieldClasses as Fc
from plimsoll.model.governance import Ruling
from plimsoll.policy import Gatekeeper
from plimsoll.policy.page import ExceptionState, decide_question, exception_line, list_exceptions, page_text

N = Ruling.NEEDS_APPROVAL


def sent(governance, c, destination, system):
    gatekeeper = Gatekeeper(governance, system=system, classes=Fc(fields={"x": Fc(word=c.value)}), default=C.SPECIAL)
    return gatekeeper.admit(destination, {"x": "Xylophone"}, now_ns=NOW_NS, key=KEY)


def lines_of(text: str) -> dict[tuple[str, str], str]:
    """What the printed page says of each class and destination."""
    found, c = {}, ""
    for line in text.splitlines():
        if match := re.match(r"   (\w+) \(", line):
            c = match[1]
        elif match := re.match(r"      ([\w-]+): (.*)", line):
            found[c, match[1]] = match[2]
    return found


@given(governance=pages())
@settings(max_examples=60)
def test_every_line_of_the_page_is_what_happens_to_a_record(governance):
    said = lines_of(page_text(governance, now_ns=NOW_NS))
    assert len(said) == len(C) * len(PLACES)
    for c, place in itertools.product(C, PLACES):
        admitted = sent(governance, c, DESTINATION[place], "a-system-without-exceptions")
        went = {
            "may go": admitted.outgoing == {"x": "Xylophone"},
            "needs an approval": admitted.verdict is EgressVerdict.REFUSED and "approval" in admitted.why,
            "may not go": admitted.verdict is EgressVerdict.REFUSED and "may not go" in admitted.why,
            "goes as pseudonyms, never in clear": admitted.note.pseudonymised == ("/x",),
            "is taken out, the rest may go": admitted.outgoing == {"x": "[redacted]"},
        }
        assert went[said[c.value, place]], (c, place, said[c.value, place], admitted)


@given(governance=pages(), c=st.sampled_from(C), place=st.sampled_from(PLACES), system=st.sampled_from(["s", "other"]))
def test_an_answered_question_is_what_happens_to_a_record(governance, c, place, system):
    admitted = sent(governance, c, DESTINATION[place], system)
    for to in (place, DESTINATION[place]):
        decided = decide_question(governance, data=c, to=to, system=system, now_ns=NOW_NS)
        assert decided.allowed is (admitted.verdict is not EgressVerdict.REFUSED)
        if not decided.allowed:
            assert (decided.rule, decided.why) == (admitted.note.rule, admitted.why)


def test_an_unknown_host_gets_no():
    decided = decide_question(example(), data=C.PUBLIC, to="evil.test", system="x", now_ns=NOW_NS)
    assert (decided.allowed, decided.place) == (False, "unknown")
    assert not decide_question(None, data=C.INTERNAL, to="evil.test", system="x", now_ns=NOW_NS).allowed
    assert decide_question(None, data=C.INTERNAL, to="in-process", system="x", now_ns=NOW_NS).allowed


def test_exceptions_are_listed_with_their_state():
    governance = page(
        {C.PERSONAL: {"there": N}},
        granted=[
            granted(C.PERSONAL, "there", "2026-01-01", "2026-02-01"),
            granted(C.PERSONAL, "there", "2027-01-01", "2027-02-01"),
            granted(C.PERSONAL, "there", "2026-11-20", "2026-11-25"),
            granted(C.PUBLIC, "there", "2026-11-20", "2026-11-26"),
        ],
    )
    listed = list_exceptions(governance, now_ns=NOW_NS)
    assert [(e.state, e.days_left, e.needed) for e in listed] == [
        (ExceptionState.CURRENT, 0, True),
        (ExceptionState.CURRENT, 1, False),
        (ExceptionState.NOT_YET, 0, True),
        (ExceptionState.ENDED, 0, True),
    ]
    assert "it changes nothing" in exception_line(listed[1])


def test_the_page_names_an_owner_for_each_question_and_who_approves():
    text = page_text(example(), now_ns=NOW_NS)
    for line in (
        "1. May this data go there?\n   Data protection officer answers for it: dpo@example.org",
        "2. Does this use need a person?\n   Head of claims answers for it: head-of-claims@example.org",
        "3. Who approves an exception?\n   Chief risk officer answers for it: cro@example.org",
        "cro@example.org, for 90 days at most.",
        "unknown: every other host; nothing may go there",
    ):
        assert line in text

"""The governance page in plain words, from the same rulings that are enforced."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from plimsoll.model.governance import IN_PROCESS, Governance, GrantedException, Undeclared
from plimsoll.model.manifest import Classification
from plimsoll.policy.rulings import Effect, Places, Ruled, ends_ns, is_current, rule_on, starts_ns

_MEANS: Final[Mapping[Classification, str]] = {
    Classification.PUBLIC: "anybody may see it",
    Classification.INTERNAL: "anybody here may see it",
    Classification.CONFIDENTIAL: "those who need it may see it",
    Classification.PERSONAL: "it is about a person",
    Classification.SPECIAL: "health, faith, origin and what else the law protects most",
}
_NOBODY: Final = "\0"  # no system is called so: what holds without any exception
_EFFECT: Final[Mapping[Effect, str]] = {
    Effect.KEEP: "may go",
    Effect.PSEUDONYMISE: "goes as pseudonyms, never in clear",
    Effect.REDACT: "is taken out, the rest may go",
}


class ExceptionState(enum.StrEnum):
    """Whether an exception counts."""

    CURRENT = "current"
    ENDED = "ended"
    NOT_YET = "not yet"


class ListedException(msgspec.Struct, frozen=True, kw_only=True):
    """One exception, and whether it counts now."""

    state: ExceptionState
    system: str
    data: Classification
    to: str
    reason: str
    approved_by: str
    approved: str
    until: str
    days_left: int  # whole days after today on which it still counts; 0 when it is not current
    needed: bool  # whether the page asks for an approval there; False: it changes nothing


class DecidedQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to: may this data go there?"""

    data: Classification
    to: str  # as asked
    place: str  # the destination on the page
    system: str
    allowed: bool
    effect: str  # "keep", "pseudonymise", "redact", "refuse"
    rule: str
    why: str
    review: str  # when a person must look at the answer: by which rule; "" when nobody has to
    ask: str  # who answers for the question


def decide_question(
    governance: Governance | None, *, data: Classification, to: str, system: str, now_ns: int
) -> DecidedQuestion:
    """Answer one question, as the guard would for a record of nothing but this class.

    Args:
        governance: the page; None: there is none.
        data: the class.
        to: a host, or a destination of the page by name.
        system: whose exceptions count.
        now_ns: UTC nanoseconds since the epoch.
    """
    named = governance is not None and to in governance.places
    place = to if named or to == IN_PROCESS else Places(governance).of(to)
    ruled = rule_on(governance, data=data, place=place, system=system, now_ns=now_ns)
    reviewed = governance is not None and data in governance.review.data
    return DecidedQuestion(
        data=data,
        to=to,
        place=place,
        system=system,
        allowed=ruled.effect is not Effect.REFUSE,
        effect=ruled.effect.name.casefold(),
        rule=ruled.rule,
        why=ruled.why,
        review=f"review.data: {data.value}" if reviewed else "",
        ask="" if governance is None else governance.owners.data.contact,
    )


def list_exceptions(governance: Governance, *, now_ns: int) -> tuple[ListedException, ...]:
    """Every exception of the page: those that count first, then those to come, then those that have ended."""
    listed = [_listed(governance, granted, now_ns) for granted in governance.exceptions.granted]
    order = {ExceptionState.CURRENT: 0, ExceptionState.NOT_YET: 1, ExceptionState.ENDED: 2}
    return tuple(sorted(listed, key=lambda e: (order[e.state], e.until, e.system)))


def _listed(governance: Governance, granted: GrantedException, now_ns: int) -> ListedException:
    current = is_current(granted, now_ns)
    state = ExceptionState.ENDED
    if current:
        state = ExceptionState.CURRENT
    elif now_ns < starts_ns(granted):
        state = ExceptionState.NOT_YET
    without = rule_on(governance, data=granted.data, place=granted.to, system=_NOBODY, now_ns=now_ns)
    return ListedException(
        state=state,
        system=granted.system,
        data=granted.data,
        to=granted.to,
        reason=granted.reason,
        approved_by=granted.approved_by,
        approved=granted.approved.isoformat(),
        until=granted.until.isoformat(),
        days_left=(ends_ns(granted) - now_ns - 1) // (86_400 * 10**9) if current else 0,
        needed=without.effect is Effect.REFUSE,
    )


def page_text(governance: Governance, *, now_ns: int) -> str:
    """The page as a person reads it: three questions, each with its owner and its answer."""
    return "\n".join(_lines(governance, now_ns)) + "\n"


def _lines(governance: Governance, now_ns: int) -> Iterator[str]:
    owners = governance.owners
    yield f"AI governance of {governance.organisation}"
    yield ""
    yield "1. May this data go there?"
    yield f"   {owners.data.name} answers for it: {owners.data.contact}"
    yield ""
    yield "   in-process: it stays in this machine's own processes"
    for name, place in governance.destinations.items():
        yield f"   {name}: {', '.join(place.hosts)}" + (f" — {place.purpose}" if place.purpose else "")
    yield "   unknown: every other host; nothing may go there"
    yield ""
    for data in Classification:
        yield f"   {data.value} ({_MEANS[data]})"
        for place_name in governance.places:
            yield f"      {place_name}: {_said(governance, data, place_name, now_ns)}"
    yield ""
    if governance.undeclared is Undeclared.AS_PERSONAL:
        yield "   Personal data found where a contract declares none is treated as personal."
    else:
        yield "   Personal data found where a contract declares none is reported, and goes where its field may go."
    for word, data in governance.words.items():
        yield f"   In contracts, {word} means {data.value}."
    yield "   Any other word of a contract means special."
    yield ""
    yield "2. Does this use need a person?"
    yield f"   {owners.review.name} answers for it: {owners.review.contact}"
    yield ""
    yield from _review_lines(governance)
    yield ""
    yield "3. Who approves an exception?"
    yield f"   {owners.exceptions.name} answers for it: {owners.exceptions.contact}"
    yield ""
    yield f"   {', '.join(governance.exceptions.approvers)}, for {governance.exceptions.longest} at most."
    yield "   What is forbidden has no exceptions."
    for listed in list_exceptions(governance, now_ns=now_ns):
        yield f"   {exception_line(listed)}"
    if not governance.exceptions.granted:
        yield "   There are none."


def _said(governance: Governance, data: Classification, place: str, now_ns: int) -> str:
    ruled: Ruled = rule_on(governance, data=data, place=place, system=_NOBODY, now_ns=now_ns)
    if ruled.effect is not Effect.REFUSE:
        return _EFFECT[ruled.effect]
    return "needs an approval" if ruled.rule.endswith("needs-approval") else "may not go"


def _review_lines(governance: Governance) -> Iterator[str]:
    review = governance.review
    if review.data:
        yield f"   A person looks at every answer to a record with {_list(d.value for d in review.data)} data."
    if review.consequence:
        yield f"   A person looks at every answer with a {_list(c.value for c in review.consequence)} consequence."
    if not review.data and not review.consequence:
        yield "   The tier of each decision type says so, in the manifest of its system."


def _list(words: Iterator[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def exception_line(listed: ListedException) -> str:
    """One exception in a line."""
    ends = {
        ExceptionState.CURRENT: f"until {listed.until}",
        ExceptionState.ENDED: f"ended on {listed.until}",
        ExceptionState.NOT_YET: f"from {listed.approved} until {listed.until}",
    }
    idle = "" if listed.needed else " (the page asks for none: it changes nothing)"
    return (
        f"{listed.system}: {listed.data.value} to {listed.to}, {ends[listed.state]}, "
        f"approved by {listed.approved_by}: {listed.reason}{idle}"
    )

"""May an answer leave, given what it rests on and who asked?

What the guard does with it, after the output contract and before the tier::

    ruling = rule_on_sources(result.sources, knowledge=manifest.knowledge, principal=principal, now_ns=time.time_ns())
    if ruling.verdict is SourcesVerdict.REFUSE:
        ...                          # disposition `refused`, why=ruling.why: the caller may not see what it rests on
    if ruling.verdict is SourcesVerdict.HOLD:
        ...                          # disposition `held`, why=ruling.why
    record_of_decision.cited = ruling.cited      # per source: what was found; no quote, no value

An answer whose source is closed to the caller is refused whole: what of it came from there, nobody can say. Neither the
answer nor the names and quotes of its sources may be shown to that caller; ``ruling.why`` may, it names the declared
knowledge alone.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from plimsoll.model.canonical import canonical
from plimsoll.model.cited import Cited, SourceFinding
from plimsoll.model.knowledge import OPEN, Knowledge, OnTrouble, Source, max_age_s
from plimsoll.model.principal import Principal

AHEAD_S: Final = 300.0  # a document may be dated so far ahead of our clock; two machines never agree


class SourcesVerdict(enum.StrEnum):
    """What happens to the answer; the later one is the stricter."""

    DELIVER = "deliver"
    HOLD = "hold"  # a person takes it
    REFUSE = "refuse"  # it rests on what the caller may not see


class SourcesRuling(msgspec.Struct, frozen=True, kw_only=True):
    """What follows for the answer, and from which sources."""

    verdict: SourcesVerdict
    why: str = ""  # "" where it may leave
    cited: tuple[Cited, ...] = ()


class _Read(msgspec.Struct, kw_only=True):
    """One source on its way."""

    source: Source
    declared: Knowledge | None
    findings: dict[SourceFinding, str] = {}
    disputed: list[str] = []


def rule_on_sources(
    sources: Sequence[Any],
    *,
    knowledge: Mapping[str, Knowledge],
    principal: Principal | None,
    now_ns: int,
) -> SourcesRuling:
    """Look at every source of an answer.

    Args:
        sources: of a `Result`: texts (a name alone), `Source` values, or objects with the same keys. What is none of
            these is a source that nobody can check.
        knowledge: what the manifest declares. Where it declares nothing, sources are free text: nothing is held, and
            only labels that a source itself carries are checked.
        principal: who asked; None: nobody knows, and everything but what is open to all is closed.
        now_ns: UTC nanoseconds since the epoch.

    Returns:
        The strictest of what follows from each source. Never raises: a source that cannot be looked at is unreadable.
    """
    try:
        return _ruled(sources, knowledge, principal, now_ns)
    except Exception as why:  # noqa: BLE001 - a target can return anything; an answer that was not checked stays here
        said = f"its sources could not be checked ({type(why).__name__})"
        return SourcesRuling(verdict=SourcesVerdict.REFUSE, why=said)


def _ruled(
    sources: Sequence[Any], knowledge: Mapping[str, Knowledge], principal: Principal | None, now_ns: int
) -> SourcesRuling:
    labels = frozenset({OPEN}) if principal is None else principal.labels | {OPEN}
    read = [_read(source, knowledge) for source in sources]
    for each in read:
        _check(each, labels, now_ns, declares=bool(knowledge))
    _compare(read)
    verdict, why = SourcesVerdict.DELIVER, ""
    for each in read:
        for finding, said in each.findings.items():
            follows = _follows(finding, each.declared, declares=bool(knowledge))
            if _STRICTNESS[follows] > _STRICTNESS[verdict]:
                verdict, why = follows, f"{_named(each)} {said}"
    return SourcesRuling(verdict=verdict, why=why, cited=tuple(_cited(each) for each in read))


_STRICTNESS: Final = {SourcesVerdict.DELIVER: 0, SourcesVerdict.HOLD: 1, SourcesVerdict.REFUSE: 2}


def _read(given: Any, knowledge: Mapping[str, Knowledge]) -> _Read:
    try:
        source = _source(given)
    except (msgspec.ValidationError, TypeError, ValueError):
        said = "is neither a text nor a source with a name"
        return _Read(source=Source(name=""), declared=None, findings={SourceFinding.UNREADABLE: said})
    return _Read(source=source, declared=knowledge.get(source.name))


def _source(given: Any) -> Source:
    if isinstance(given, str):
        return Source(name=given)
    if isinstance(given, Source):  # msgspec checks types when it decodes, not when a target constructs
        given = {f: getattr(given, f) for f in given.__struct_fields__}
    if not isinstance(given, dict):
        raise TypeError(type(given).__name__)
    return msgspec.convert(given, Source, strict=True)


def _check(read: _Read, labels: frozenset[str], now_ns: int, *, declares: bool) -> None:
    source, declared, findings = read.source, read.declared, read.findings
    if SourceFinding.UNREADABLE in findings:
        return
    if declared is None and declares:
        findings[SourceFinding.UNDECLARED] = "is not declared under 'knowledge'"
    closed = _closed(source, declared, labels)
    if closed:
        findings[SourceFinding.NOT_PERMITTED] = closed
    if not source.reachable:
        findings[SourceFinding.UNREACHABLE] = "could not be reached"
        return  # of what was not reached nobody knows the age
    outdated = "" if declared is None else _outdated(source, declared, now_ns)
    if outdated:
        findings[SourceFinding.OUTDATED] = outdated


def _closed(source: Source, declared: Knowledge | None, labels: frozenset[str]) -> str:
    """Why the caller may not see it; "" when they may. A document's own label counts beside those of its knowledge."""
    if source.access and source.access not in labels:
        return "has a document that is closed to the caller"
    if declared is not None and not source.access and labels.isdisjoint(declared.access):
        return "is closed to the caller"
    return ""


def _outdated(source: Source, declared: Knowledge, now_ns: int) -> str:
    most = max_age_s(declared)
    if most is None:
        return ""
    at = _moment(source.updated)
    if at is None:
        return "does not say when it was last changed" if not source.updated else "is dated in no known form"
    age = now_ns / 1e9 - at
    if age < -AHEAD_S:
        return "is dated ahead of now"
    return f"is {age / 86400:.0f} days old; {declared.max_age} are allowed" if age > most else ""


def _moment(text: str) -> float | None:
    """Seconds since the epoch; None when a text is no RFC 3339 timestamp with its offset."""
    if len(text) > _LONGEST_MOMENT or "T" not in text.upper():
        return None
    try:
        at = dt.datetime.fromisoformat(text.upper())
        return None if at.tzinfo is None else at.timestamp()
    except (ValueError, OverflowError):
        return None


_LONGEST_MOMENT: Final = 40  # characters; a timestamp with nanoseconds and an offset has 35


# -- what two sources say of one thing


def _compare(read: list[_Read]) -> None:
    """Note each source that states a value for a key on which the sources of the answer do not agree."""
    stated: dict[str, set[bytes]] = {}
    forms = [[(key, _form(value)) for key, value in each.source.states.items()] for each in read]
    for each, pairs in zip(read, forms, strict=True):
        if each.source.reachable:
            for key, form in pairs:
                stated.setdefault(key, set()).add(form)
    for each, pairs in zip(read, forms, strict=True):
        each.disputed = [key for key, _ in pairs if each.source.reachable and len(stated[key]) > 1]
        if each.disputed:
            each.findings[SourceFinding.CONFLICTING] = "states another value than another source of the answer"


def _form(value: Any) -> bytes:
    """A value as it is compared: 1 and 1.0 are one number, true is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return canonical(value)


# -- what follows


def _follows(finding: SourceFinding, declared: Knowledge | None, *, declares: bool) -> SourcesVerdict:
    if finding is SourceFinding.NOT_PERMITTED:
        return SourcesVerdict.REFUSE
    if declared is None:
        return SourcesVerdict.HOLD if declares else SourcesVerdict.DELIVER
    rules = {
        SourceFinding.OUTDATED: declared.on_outdated,
        SourceFinding.UNREACHABLE: declared.on_unreachable,
        SourceFinding.CONFLICTING: declared.on_conflict,
    }
    return SourcesVerdict.HOLD if rules[finding] is OnTrouble.HOLD else SourcesVerdict.DELIVER


def _named(read: _Read) -> str:
    """The source in a sentence that the caller may see: a target can put anything into a name that nobody declared."""
    return f"the knowledge '{read.source.name}'" if read.declared is not None else "a source of the answer"


def _cited(read: _Read) -> Cited:
    source = read.source
    return Cited(
        name=source.name,
        document=source.document,
        version=source.version,
        digest=source.digest,
        updated=source.updated,
        findings=tuple(read.findings),
        why=tuple(read.findings.values()),
        disputed=tuple(read.disputed),
    )


def troubled(ruling: SourcesRuling) -> Iterator[Cited]:
    """The sources of which something is to be reported."""
    return (cited for cited in ruling.cited if cited.findings)

"""What the governance page says of one class of data, one destination, one system, at one moment.

This is the only place where the page is interpreted: what is enforced for a record (`egress`), what is printed
(`page`) and what ``plimsoll govern decide`` answers all ask here.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import Final

import msgspec

from plimsoll.model.governance import IN_PROCESS, UNKNOWN, FieldRule, Governance, GrantedException, Ruling
from plimsoll.model.hosts import HostPattern, address_of, plain_host
from plimsoll.model.manifest import Classification

DAY_NS: Final = 86_400 * 10**9
_EPOCH: Final = dt.date(1970, 1, 1)


class Effect(enum.IntEnum):
    """What becomes of a value on its way out; the higher one is the stricter."""

    KEEP = 0
    PSEUDONYMISE = 1
    REDACT = 2
    REFUSE = 3  # nothing of the record goes


class Ruled(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to: may this data go there?"""

    effect: Effect
    rule: str  # where the page says so, such as "data.personal.eu-provider: needs-approval"
    why: str  # in a sentence
    exception: GrantedException | None = None  # the one that lets it go


def rule_on(governance: Governance | None, *, data: Classification, place: str, system: str, now_ns: int) -> Ruled:
    """What becomes of values of a class on their way to a destination.

    A value that is redacted or pseudonymised does not go there, so the ruling on it has nothing to forbid.

    Args:
        governance: the page; None: the organisation has none, and nothing but public data may leave.
        data: the class.
        place: the destination, as the page names it (`Places`).
        system: whose exceptions count.
        now_ns: UTC nanoseconds since the epoch; an exception counts from the first of its days to the last.
    """
    if governance is None:
        return _ungoverned(data, place)
    rules = governance.fields.get(place)
    rule = FieldRule.KEEP if rules is None else rules.of(data)
    if rule is not FieldRule.KEEP:
        effect = Effect.REDACT if rule is FieldRule.REDACT else Effect.PSEUDONYMISE
        done = "redacted" if rule is FieldRule.REDACT else "pseudonymised"
        why = f"{data.value} data is {done} on its way to {place}"
        return Ruled(effect=effect, rule=f"fields.{place}.{data.value}: {rule.value}", why=why)
    ruling = governance.data.of(data).get(place) if place != UNKNOWN else None
    if ruling is None:
        why = "the page names no such destination, and nothing may go where it does not say"
        return Ruled(effect=Effect.REFUSE, rule="destinations: unknown", why=why)
    at = f"data.{data.value}.{place}: {ruling.value}"
    if ruling is Ruling.ALLOWED:
        return Ruled(effect=Effect.KEEP, rule=at, why=f"{data.value} data may go to {place}")
    if ruling is Ruling.FORBIDDEN:
        return Ruled(effect=Effect.REFUSE, rule=at, why=f"{data.value} data may not go to {place}")
    return _approved(governance, data, place, system, now_ns, at)


def _approved(governance: Governance, data: Classification, place: str, system: str, now_ns: int, at: str) -> Ruled:
    found = [g for g in governance.exceptions_of(system) if g.data is data and g.to == place]
    current = next((g for g in found if is_current(g, now_ns)), None)
    if current is not None:
        why = f"{current.approved_by} approved it until {current.until}"
        return Ruled(effect=Effect.KEEP, rule=at, why=why, exception=current)
    who = ", ".join(governance.exceptions.approvers)
    last = max((g.until for g in found if ends_ns(g) <= now_ns), default=None)
    said = f"the exception of '{system}' ended on {last}" if last is not None else f"'{system}' has no exception"
    return Ruled(
        effect=Effect.REFUSE,
        rule=at,
        why=f"{data.value} data goes to {place} with an approval alone, and {said}; ask {who}",
    )


def _ungoverned(data: Classification, place: str) -> Ruled:
    if place == IN_PROCESS:
        return Ruled(effect=Effect.KEEP, rule="no governance page", why="it does not leave this machine's processes")
    if data is Classification.PUBLIC:
        return Ruled(effect=Effect.KEEP, rule="no governance page", why="public data may go anywhere")
    why = f"no governance page says that {data.value} data may leave; name one under 'governance' in the manifest"
    return Ruled(effect=Effect.REFUSE, rule="no governance page", why=why)


# -- the days of an exception


def starts_ns(granted: GrantedException) -> int:
    """The moment from which an exception counts, in UTC nanoseconds since the epoch."""
    return (granted.approved - _EPOCH).days * DAY_NS


def ends_ns(granted: GrantedException) -> int:
    """The first moment at which an exception counts no longer; its last day counts whole."""
    return ((granted.until - _EPOCH).days + 1) * DAY_NS


def is_current(granted: GrantedException, now_ns: int) -> bool:
    """Whether an exception counts now."""
    return starts_ns(granted) <= now_ns < ends_ns(granted)


# -- where a host belongs


class Places:
    """Which destination of the page a host belongs to. Of several patterns that name it, the closest one counts.

    Args:
        governance: the page; None: the organisation has none.
    """

    def __init__(self, governance: Governance | None) -> None:
        groups = {} if governance is None else governance.destinations
        self._patterns = [(HostPattern.parse(h), name) for name, group in groups.items() for h in group.hosts]

    def of(self, destination: str) -> str:
        """The destination's name on the page.

        Args:
            destination: as a target declares it: "" is in this process or its workers; else a host, with or without
                a port.

        Returns:
            ``in-process``, a name of the page, or ``unknown``: no pattern names it, or it is no host.
        """
        if destination == "":
            return IN_PROCESS
        host = plain_host(destination)
        if not host:
            return UNKNOWN
        address = address_of(host)
        ranked = [(pattern.rank(host, address), name) for pattern, name in self._patterns]
        best = max((rank for rank, _ in ranked), default=0)
        return next(name for rank, name in ranked if rank == best) if best else UNKNOWN

"""What the standard lacks about a source: what stands in for it, who uses it, who may change it, where it comes from.

All of these are custom properties of the contract as a whole:

- ``plimsollFallback``: ``owner``; ``onUnavailable``, ``onMalformed``, ``onStale``, each a word or ``{use: …}`` with
  ``maxAge`` (lastGood), ``value`` (default) or ``source`` (otherSource); ``errorRate`` above which records count as
  malformed altogether.
- ``plimsollConsumers``: a list of ``id``, ``format``, ``latencyTolerance``, ``onUnexpected``, ``owner``, ``approver``
  and, when it does not read everything, ``fields``.
- ``plimsollPrecedence``: ``key``, ``fields``, ``within`` and, where it goes before others, ``over``.
- ``plimsollModifiers``: contacts of those who may change the source.
- ``plimsollLineage``: a list of ``source`` and, where known, ``via`` and ``owner``.
- ``plimsollWindow``: ``keys`` and ``age``, how far back records are compared with each other as they arrive.
"""

from __future__ import annotations

from typing import Any, Final

from plimsoll.contract.group import Group, items_of
from plimsoll.contract.notes import Notes
from plimsoll.contract.terms import (
    Consumer,
    Effect,
    Fallback,
    FallbackStep,
    Precedence,
    Trouble,
    Upstream,
    Use,
    WindowRule,
)
from plimsoll.model.asked import Asked, Text
from plimsoll.model.manifest_values import read_text
from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.quantity import UnitKind
from plimsoll.model.yaml_source import Path

# What each way to stand in needs beside its name.
MOST_KEYS: Final = 1_000_000  # of a window; each costs some 400 bytes in every process of the guard
_NEEDS: Final = {Use.LAST_GOOD: "maxAge", Use.DEFAULT: "value", Use.OTHER_SOURCE: "source"}


def read_fallback(given: Any, path: Path, notes: Notes) -> Fallback:
    """Read ``plimsollFallback``; each fault is noted at its line."""
    group = Group(given, path, notes, "plimsollFallback")
    owner = group.contact("owner")
    error_rate = group.quantity("errorRate", UnitKind.RATIO, required=False)
    if error_rate is not None and error_rate >= 1:
        fix = "write a share below 100%"
        notes.problem("custom", (*path, "errorRate"), "no share of records can be above 100%", fix=fix)
    steps: dict[Trouble, FallbackStep] = {}
    for trouble in Trouble:
        if group.has(trouble.value):
            step = _step(group.value(trouble.value), (*path, trouble.value), notes, trouble)
            steps |= {trouble: step} if step is not None else {}
    if isinstance(given, dict) and not any(group.has(trouble.value) for trouble in Trouble):
        listed = ", ".join(trouble.value for trouble in Trouble)
        notes.problem("custom", path, "plimsollFallback says nothing of what stands in", fix=f"write one of {listed}")
    group.close()
    return Fallback(owner=owner, steps=steps, error_rate=error_rate, line=group.line)


def _step(given: Any, path: Path, notes: Notes, trouble: Trouble) -> FallbackStep | None:
    written = {"use": given} if isinstance(given, str) else given  # `onStale: hold` says all there is to say
    group = Group(written, path, notes, trouble.value)
    use = group.word("use", Use)
    needed = _NEEDS.get(use) if use is not None else None
    max_age = group.quantity("maxAge", UnitKind.DURATION, required=False)
    source = group.text("source", required=False)
    has_value = group.has("value")
    there = {"maxAge": group.has("maxAge"), "value": has_value, "source": group.has("source")}
    group.close()
    if use is None:
        return None
    if needed is not None and not there[needed]:
        notes.problem("custom", path, f"'{use}' needs '{needed}'", fix=f"write {{use: {use}, {needed}: …}}")
    for key in (key for key, is_there in there.items() if is_there and key != needed):
        notes.problem("custom", (*path, key), f"'{key}' means nothing with '{use}'", fix="remove it", at_key=True)
    if use is Use.OTHER_SOURCE and source and source in _own_sources(notes):
        said = f"the source '{source}' is the one that is in trouble"
        notes.problem("custom", (*path, "source"), said, fix="name another source")
    value = group.value("value")
    line = notes.source.where(path).line
    return FallbackStep(use=use, max_age_s=max_age, value=value, source=source, line=line)


def _own_sources(notes: Notes) -> frozenset[str]:
    """Names of the servers of this file, when there is but one: several can stand in for each other."""
    servers = notes.source.data.get("servers") if isinstance(notes.source.data, dict) else None
    names = [s.get("server") for s in servers if isinstance(s, dict)] if isinstance(servers, list) else []
    return frozenset(n for n in names if isinstance(n, str)) if len(names) == 1 else frozenset()


def read_precedence(given: Any, path: Path, notes: Notes) -> Precedence:
    """Read ``plimsollPrecedence``; each fault is noted at its line."""
    group = Group(given, path, notes, "plimsollPrecedence")
    named = {key: group.texts(key) for key in ("key", "fields")}
    for key, texts in named.items():
        if isinstance(given, dict) and not group.has(key):
            notes.problem("custom", path, f"plimsollPrecedence has no '{key}'", fix=f"write '{key}: […]'")
        notes.read_fields.extend((field, (*path, key, i)) for i, field in enumerate(texts))
    for key, texts in named.items():
        for i, field in enumerate(texts):
            if "[" in field:
                said = f"'{field}' is in a list, which has many of it"
                notes.problem("custom", (*path, key, i), said, fix="name a field that a record has once")
    both = [field for field in named["fields"] if field in named["key"]]
    if both:
        said = f"'{both[0]}' names the thing, so it cannot differ"
        notes.problem("custom", (*path, "fields"), said, fix="name it under key alone")
    over = group.texts("over")
    own = _own_sources(notes)
    for i, source in enumerate(over):
        if source in own:
            notes.problem("custom", (*path, "over", i), f"'{source}' is this source itself", fix="name another one")
    within = group.quantity("within", UnitKind.DURATION)
    group.close()
    return Precedence(key=named["key"], fields=named["fields"], over=over, within_s=within or 0.0, line=group.line)


def read_consumers(given: Any, path: Path, notes: Notes) -> tuple[Consumer, ...]:
    """Read ``plimsollConsumers``; each fault is noted at its line."""
    consumers: list[Consumer] = []
    taken: dict[str, int] = {}
    for item, at in items_of(given, path, notes, "consumer"):
        group = Group(item, at, notes, "a consumer")
        name = group.text("id")
        if name and name in taken:
            said = f"the consumer '{name}' is already on line {taken[name]}"
            notes.problem("duplicate", (*at, "id"), said, fix="give each its own id")
        effect = group.word("onUnexpected", Effect)
        consumer = Consumer(
            id=name,
            format=group.text("format"),
            latency_s=group.quantity("latencyTolerance", UnitKind.DURATION) or 0.0,
            on_unexpected=effect or Effect.UNKNOWN,
            owner=group.contact("owner"),
            approver=group.contact("approver"),
            fields=group.texts("fields"),
            line=group.line,
        )
        taken.setdefault(name, group.line)
        notes.read_fields.extend((field, (*at, "fields", i)) for i, field in enumerate(consumer.fields))
        group.close()
        consumers.append(consumer)
    return tuple(consumers)


def read_modifiers(given: Any, path: Path, notes: Notes) -> tuple[str, ...]:
    """Read ``plimsollModifiers``: contacts."""
    contacts: list[str] = []
    for item, at in items_of(given, path, notes, "contact"):
        try:
            contacts.append(read_text(item, Asked(text=Text.CONTACT)))
        except NotUnderstood as why:
            notes.problem("custom", at, why.message, fix=why.fix)
    return tuple(dict.fromkeys(contacts))


def read_lineage(given: Any, path: Path, notes: Notes) -> tuple[Upstream, ...]:
    """Read ``plimsollLineage``."""
    found: list[Upstream] = []
    for item, at in items_of(given, path, notes, "upstream source"):
        group = Group(item, at, notes, "an upstream source")
        upstream = Upstream(
            source=group.text("source"),
            via=group.text("via", required=False),
            owner=group.contact("owner", required=False),
            line=group.line,
        )
        group.close()
        found.append(upstream)
    return tuple(found)


def read_window(given: Any, path: Path, notes: Notes) -> WindowRule | None:
    """Read ``plimsollWindow``; each fault is noted at its line."""
    group = Group(given, path, notes, "plimsollWindow")
    age_s = group.quantity("age", UnitKind.DURATION)
    keys = group.value("keys") if group.has("keys") else None
    if isinstance(given, dict) and keys is None:
        notes.problem("custom", path, "plimsollWindow has no 'keys'", fix="write 'keys: …'")
    elif keys is not None and (type(keys) is not int or not 1 <= keys <= MOST_KEYS):
        notes.problem("custom", (*path, "keys"), f"keys is no whole number from 1 to {MOST_KEYS:,}", fix="keys: 100000")
    group.close()
    if age_s is None or type(keys) is not int:
        return None
    return WindowRule(keys=keys, age_s=age_s, line=group.line)

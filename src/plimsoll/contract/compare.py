"""Two versions of a contract: what changed, and whether it breaks who sends the data or who reads it.

In both directions: a change breaks *sources* when a record that keeps the old contract can break the new one, and
*consumers* when a record that keeps the new contract can break the old one, or means something else than before. Where
it cannot be told (two patterns), both are broken. A field that is added breaks no consumer that reads by name; one that
reads everything and stops at what it does not expect is named.
"""

from __future__ import annotations

from plimsoll.contract.changes import Affected, Change, Comparison, Kind
from plimsoll.contract.compare_fields import compare_fields
from plimsoll.contract.compare_terms import compare_terms
from plimsoll.contract.rules import Contract, Field
from plimsoll.contract.terms import Consumer, Effect


def compare_contracts(old: Contract, new: Contract) -> Comparison:
    """Every change from one contract to another, with whom it breaks.

    Args:
        old: the contract that is in force.
        new: the one that is to follow it.
    """
    changes = [*_objects(old, new), *compare_terms(old, new)]
    consumers = _consumers(old, new, changes)
    version = _version(old, new, changes)
    changes += [version] if version is not None else []
    return Comparison(
        old=old.file,
        new=new.file,
        changes=tuple(changes),
        consumers=consumers,
        breaks_sources=any(c.breaks_sources for c in changes),
        breaks_consumers=any(c.breaks_consumers for c in changes) or any(a.changes for a in consumers),
    )


def _objects(old: Contract, new: Contract) -> list[Change]:
    """The schema objects, by name; the only one of each is the same whatever it is called."""
    changes: list[Change] = []
    pairs: list[tuple[Field, Field]] = []
    if len(old.objects) == len(new.objects) == 1:
        (a,), (b,) = old.objects, new.objects
        if a.name != b.name:
            said = f"the schema object '{a.name}' is called '{b.name}'"
            change = Change(kind=Kind.OBJECT, field=a.name, said=said, old_line=a.line, new_line=b.line)
            changes.append(change)
        pairs.append((a, b))
    else:
        later = {o.name: o for o in new.objects}
        pairs = [(o, later[o.name]) for o in old.objects if o.name in later]
        both = {a.name for a, _ in pairs}
        for gone in (o for o in old.objects if o.name not in both):
            said = f"the schema object '{gone.name}' is gone"
            changes.append(_object(gone.name, said, old_line=gone.line, sources=True, consumers=True))
        come = (o for o in new.objects if o.name not in both)
        changes += [_object(o.name, f"the schema object '{o.name}' is new", new_line=o.line) for o in come]
    paired = any(a is old.record and b is new.record for a, b in pairs)
    if old.record is not None and new.record is not None and not paired:
        said = f"records are checked against '{new.record.name}', no longer '{old.record.name}'"
        changes.append(_object(new.record.name, said, new_line=new.record.line, sources=True, consumers=True))
    for a, b in pairs:
        changes += compare_fields(a, b, a.name)
    return changes


def _object(
    name: str, said: str, *, old_line: int = 0, new_line: int = 0, sources: bool = False, consumers: bool = False
) -> Change:
    return Change(
        kind=Kind.OBJECT,
        field=name,
        said=said,
        breaks_sources=sources,
        breaks_consumers=consumers,
        old_line=old_line,
        new_line=new_line,
    )


def _consumers(old: Contract, new: Contract, changes: list[Change]) -> tuple[Affected, ...]:
    """What breaks each declared consumer; as the old contract knows it, which is the one it is built on."""
    known = {c.id: c for c in new.terms.consumers} | {c.id: c for c in old.terms.consumers}
    record = old.record.name if old.record is not None else ""
    return tuple(
        Affected(
            id=consumer.id,
            owner=consumer.owner,
            approver=consumer.approver,
            effect=consumer.on_unexpected.value,
            changes=tuple(i for i, change in enumerate(changes) if _touches(consumer, change, record)),
        )
        for consumer in known.values()
    )


def _touches(consumer: Consumer, change: Change, record: str) -> bool:
    """Whether a change breaks one consumer."""
    if change.kind is Kind.FIELD_ADDED:
        return consumer.on_unexpected is Effect.STOPS and not consumer.fields
    if not change.breaks_consumers or change.consumer not in {"", consumer.id}:
        return False
    if not consumer.fields or not change.field:
        return True
    read = [name for field in consumer.fields for name in (field, f"{record}.{field}")]
    return any(_within(change.field, name) or _within(name, change.field) for name in read)


def _within(inner: str, outer: str) -> bool:
    """Whether one dotted field is another, or stands below it."""
    return inner == outer or inner.startswith((f"{outer}.", f"{outer}["))


def _version(old: Contract, new: Contract, changes: list[Change]) -> Change | None:
    """A version that does not say what its changes do."""
    if not changes or not old.version or not new.version:
        return None
    if old.version == new.version:
        said = f"both are version {old.version}, and they differ"
        return Change(kind=Kind.VERSION, field="", said=said)
    if any(c.breaks for c in changes) and old.version.partition(".")[0] == new.version.partition(".")[0]:
        said = f"the changes break somebody, and {new.version} is the same major version as {old.version}"
        return Change(kind=Kind.VERSION, field="", said=said)
    return None

"""Notices when the schema of one source changes: fields and values that its contract does not know.

Whatever the data, a bounded number of changes is remembered; what is more is one change, "more", that is counted. A
change is told when it is first seen and each time that it has been seen ten times as often, never record by record. A
silent change of how values are distributed is none: every record keeps its contract.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from plimsoll.contract.check import Checker
from plimsoll.contract.places import ITEM, mark
from plimsoll.contract.reasons import kind_in_words, show
from plimsoll.contract.renames import Renamed
from plimsoll.contract.rules import Field, LogicalType, RuleName
from plimsoll.model.decision import Fault, Reason
from plimsoll.model.source_change import ChangeKind, SourceChange

MOST: Final = 64  # changes of one source; without it, who makes names up makes memory and entries
_VALUES: Final = 8  # new values of one field that are told one by one: beyond, it is no enumeration any more
_EXAMPLES: Final = 3
_UNKNOWN: Final = 32  # unknown fields of one record that are looked at
_FIRST: Final = 64  # right records that are looked at for what their fields hold, and then
_SAMPLED: Final = 512  # every so-manieth
_KEPT: Final = 64  # values of a field that are remembered, as marks
_WATCHED: Final = 100  # records with a new field that are looked at for its old name; then every `_SAMPLED`-th
_LONGEST: Final = 120  # characters of a name


class _Change:
    """One change, as it is counted here."""

    def __init__(self, kind: ChangeKind, what: str, first_ns: int, renamed: Renamed | None) -> None:
        self.kind, self.what, self.first_ns, self.renamed = kind, what, first_ns, renamed
        self.examples: list[str] = []
        self.seen = 0
        self.told = 0  # how often it had been seen when it was last told
        self.told_of = 0  # of how many records
        self.turn = 0  # which record had it last: one that has it in two places has it once


class _Stranger(msgspec.Struct, frozen=True):
    """A field that the contract does not name."""

    what: str  # dotted
    name: str
    value: Any
    beside: Mapping[str, Any]
    field: Field  # the object it stands in


class SchemaWatch:
    """Watches the records of one source. Not for several threads at once.

    Args:
        source: as decisions name it.
        checker: of its contract; None: no contract is declared, so nothing can be unknown to it.
        process: which process counts.
        classification: of records as a whole; not empty: no example is shown.
        undeclared: no contract names the source, though contracts name others.
    """

    def __init__(
        self,
        source: str,
        checker: Checker | None,
        *,
        process: str,
        classification: str = "",
        undeclared: bool = False,
    ) -> None:
        self.undeclared = undeclared
        self._source, self._checker, self._process = source, checker, process
        self._classification = classification
        self._record = None if checker is None else checker.contract.record
        self._is_open = self._record is not None and _lets_through(self._record)
        self._count_up = itertools.count(1).__next__  # several threads may count at once
        self._records = 0
        self._turn = 0
        self._changes: dict[tuple[ChangeKind, str, bytes], _Change] = {}
        self._values: dict[str, int] = {}  # new values by field
        self._held: dict[str, dict[bytes, None]] = {}  # marks of values that the record's own fields had

    def passes(self) -> bool:
        """Count a record that keeps its contract; whether there is nothing more to be looked at. Safe in any thread."""
        self._records = number = self._count_up()
        return not self._is_open and number > _FIRST and number % _SAMPLED != 0

    def see(self, value: Any, reasons: Sequence[Reason], now_ns: int) -> tuple[SourceChange, ...]:
        """Look at one record; one that keeps its contract was counted by `passes` before.

        Args:
            value: as it came; None where it could not be read.
            reasons: why it breaks its contract.
            now_ns: UTC nanoseconds.

        Returns:
            What is to be told now: changes that were never seen here, and those seen ten times as often as when they
            were last told.
        """
        if reasons:
            self._records = self._count_up()
        if self._record is None or self._checker is None:
            return ()
        if not reasons:
            if self._records <= _FIRST or self._records % _SAMPLED == 0:
                self._sample(value)
            if not self._is_open:
                return ()
        self._turn += 1
        touched = dict((*self._unknown(value, reasons, now_ns), *self._broken(value, reasons, now_ns)))
        return tuple(self._told(change, key) for key, change in touched.items() if self._is_due(change))

    def note(self, kind: ChangeKind, what: str, now_ns: int) -> tuple[SourceChange, ...]:
        """Something about the source itself, or about who asks: it is declared nowhere."""
        self._turn += 1
        key, change = self._count(kind, _cut(what), b"", now_ns)
        return (self._told(change, key),) if self._is_due(change) else ()

    def rest(self) -> Iterator[SourceChange]:
        """Every change whose share is another than when it was last told."""
        for key, change in self._changes.items():
            if change.seen > change.told or self._records > change.told_of:
                yield self._told(change, key)

    @property
    def counts(self) -> Mapping[ChangeKind, tuple[int, int]]:
        """By kind, how many changes are known and how many records had them."""
        found: dict[ChangeKind, tuple[int, int]] = {}
        for change in self._changes.values():
            changes, seen = found.get(change.kind, (0, 0))
            found[change.kind] = (changes + 1, seen + change.seen)
        return found

    # -- what is new

    def _unknown(
        self, value: Any, reasons: Sequence[Reason], now_ns: int
    ) -> Iterator[tuple[tuple[ChangeKind, str, bytes], _Change]]:
        if not self._is_open and not any(reason.fault is Fault.UNKNOWN_FIELD for reason in reasons):
            return
        assert self._record is not None
        told: set[str] = set()
        for count, stranger in enumerate(_strangers(self._record, value, "")):
            if count >= _UNKNOWN:
                return
            if stranger.what in told:  # in each item of a list: it is one change of one record
                continue
            told.add(stranger.what)
            key, change = self._count(ChangeKind.UNKNOWN_FIELD, stranger.what, b"", now_ns, stranger)
            # Nobody has said whether its values may be shown, so they are not.
            _keep(change, kind_in_words(stranger.value))
            if change.renamed is not None and (change.seen <= _WATCHED or change.seen % _SAMPLED == 0):
                change.renamed.add(stranger.beside, stranger.value)
            yield key, change

    def _broken(
        self, value: Any, reasons: Sequence[Reason], now_ns: int
    ) -> Iterator[tuple[tuple[ChangeKind, str, bytes], _Change]]:
        for reason in reasons:
            is_value = reason.rule == RuleName.ENUM.value
            if not is_value and reason.fault is not Fault.WRONG_TYPE:
                continue
            found = _find(self._record, value, reason.path)
            if found is None:
                continue
            what, field, item = found
            if is_value:
                example = show(field, item, self._classification)
                key, change = self._new_value(what, mark((item,), 16), now_ns)
            else:
                example = kind_in_words(item)
                key, change = self._count(ChangeKind.OTHER_TYPE, what, _KINDS.get(type(item), b""), now_ns)
            _keep(change, example)
            yield key, change

    def _new_value(self, what: str, value: bytes, now_ns: int) -> tuple[tuple[ChangeKind, str, bytes], _Change]:
        key = (ChangeKind.NEW_VALUE, what, value)
        if key not in self._changes and self._values.get(what, 0) >= _VALUES:
            return self._count(ChangeKind.MORE, what, b"", now_ns)
        if key not in self._changes:
            self._values[what] = self._values.get(what, 0) + 1
        return self._count(*key, now_ns)

    def _count(
        self, kind: ChangeKind, what: str, value: bytes, now_ns: int, stranger: _Stranger | None = None
    ) -> tuple[tuple[ChangeKind, str, bytes], _Change]:
        key = (kind, what, value)
        change = self._changes.get(key)
        if change is None:
            if len(self._changes) >= MOST:
                key, kind, what, stranger = (ChangeKind.MORE, "", b""), ChangeKind.MORE, "", None
            change = self._changes.get(key)
        if change is None:
            change = self._changes[key] = _Change(kind, what, now_ns, self._renamed(stranger))
        change.seen += change.turn != self._turn
        change.turn = self._turn
        return key, change

    def _renamed(self, stranger: _Stranger | None) -> Renamed | None:
        checker = self._checker
        if stranger is None or checker is None:
            return None
        own = stranger.field is self._record
        return Renamed(
            stranger.name,
            stranger.field.fields,
            fits=checker.fits,
            had=lambda field, item: own and mark((item,)) in self._held.get(field.name, ()),
            was_there=lambda field: not own or field.name in self._held,
        )

    def _sample(self, value: Any) -> None:
        """Remember what the fields of a right record hold, as marks."""
        if not isinstance(value, dict) or self._record is None:
            return
        for field in self._record.fields:
            item = value.get(field.name)
            if item is not None and not isinstance(item, dict | list):
                held = self._held.setdefault(field.name, {})
                held[mark((item,))] = None
                if len(held) > _KEPT:
                    del held[next(iter(held))]

    # -- telling

    @staticmethod
    def _is_due(change: _Change) -> bool:
        return change.seen >= max(1, 10 * change.told)

    def _told(self, change: _Change, key: tuple[ChangeKind, str, bytes]) -> SourceChange:
        change.told, change.told_of = change.seen, self._records
        likely, why = ("", "") if change.renamed is None else change.renamed.likely()
        contract = "" if self._checker is None else self._checker.contract.id
        place = "\0".join((self._source, contract, key[0].value, key[1])).encode("utf-8", "surrogatepass")
        return SourceChange(
            id=hashlib.blake2b(place + b"\0" + key[2], digest_size=8).hexdigest(),
            kind=change.kind,
            source=self._source,
            contract=contract,
            what=change.what,
            examples=tuple(change.examples),
            likely=likely,
            why=why,
            first_ns=change.first_ns,
            process=self._process,
            seen=change.seen,
            of=max(self._records, change.seen),  # another thread may be about to set it
        )


_KINDS: Final = {
    str: b"text",
    bool: b"boolean",
    int: b"whole",
    float: b"number",
    dict: b"object",
    list: b"list",
    type(None): b"null",
}


def _keep(change: _Change, example: str) -> None:
    if len(change.examples) < _EXAMPLES and example not in change.examples:
        change.examples.append(example)


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _lets_through(field: Field) -> bool:
    """Whether an object that names fields lets others through, here or below."""
    below = (*field.fields, *(part for part in (field.items, field.value) if part is not None))
    return (bool(field.fields) and not field.closed) or any(_lets_through(each) for each in below)


def _strangers(field: Field, value: Any, at: str) -> Iterator[_Stranger]:
    """Fields that the contract does not name, in objects that name some; places as `contract.places` names them."""
    if isinstance(value, dict) and field.type is LogicalType.OBJECT and field.fields:
        named = {below.name: below for below in field.fields}
        asked = {name for rule in field.rules if rule.name is RuleName.REQUIRED for name in rule.value}
        for name, item in value.items():
            dotted = f"{at}.{_cut(name)}" if at else _cut(name)
            if name in named:
                yield from _strangers(named[name], item, dotted)
            elif name not in asked:
                yield _Stranger(dotted, name, item, value, field)
    elif isinstance(value, dict) and field.value is not None:
        for item in value.values():
            yield from _strangers(field.value, item, f"{at}.value")
    elif isinstance(value, list) and field.items is not None:
        for item in value:
            yield from _strangers(field.items, item, f"{at}{ITEM}")


def _find(field: Field | None, value: Any, pointer: str) -> tuple[str, Field, Any] | None:
    """The dotted name of a place in a record, what is declared there, and its value; None: nothing is."""
    dotted = ""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if field is None:
            return None
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            field, value, dotted = field.items, value[int(name)], f"{dotted}{ITEM}"
        elif isinstance(value, dict) and name in value:
            is_map = field.type is LogicalType.MAP
            field, value = field.under(name), value[name]
            dotted = f"{dotted}.value" if is_map else f"{dotted}.{name}".lstrip(".")
        else:
            return None
    return None if field is None else (_cut(dotted), field, value)

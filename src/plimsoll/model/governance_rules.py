"""What a governance page may not say although each of its values is well-formed.

Every rule takes what could be read, whole or in part, and yields the problems it finds; a value that could not be read
has its own problem already and is passed over.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from plimsoll.errors import Problem
from plimsoll.model.governance import IN_PROCESS, UNKNOWN, GrantedException, Ruling
from plimsoll.model.hosts import HostPattern
from plimsoll.model.manifest import Classification
from plimsoll.model.quantity import Quantity
from plimsoll.model.words import nearest, quoted
from plimsoll.model.yaml_source import Path, Source

_STRICTNESS: Final = {Ruling.ALLOWED: 0, Ruling.NEEDS_APPROVAL: 1, Ruling.FORBIDDEN: 2}
_CLASSES: Final = tuple(c.value for c in Classification)  # from the least close to the closest


class ReadPage(msgspec.Struct, frozen=True, kw_only=True):
    """What could be read of a page, by its path."""

    source: Source
    values: Mapping[Path, Any]

    def get(self, *path: str | int) -> Any:
        """The value at a path; None when there is none, or none that could be read."""
        return self.values.get(path)

    def names(self, *path: str) -> tuple[str, ...]:
        """The keys of a group, readable or not."""
        data = self.source.data
        for step in path:
            data = data.get(step) if isinstance(data, dict) else None
        return tuple(data) if isinstance(data, dict) else ()

    @property
    def places(self) -> tuple[str, ...]:
        """Every destination that there is."""
        return (IN_PROCESS, *(n for n in self.names("destinations") if n not in {IN_PROCESS, UNKNOWN}))

    @property
    def granted(self) -> Iterator[tuple[Path, GrantedException]]:
        """The exceptions that could be read, with their places."""
        for path, value in self.values.items():
            if isinstance(value, GrantedException):
                yield path, value


def broken_page_rules(read: ReadPage) -> Iterator[Problem]:
    """Every problem that takes more than one value to see."""
    if not isinstance(read.source.data, dict):
        return
    for rule in _RULES:
        yield from rule(read)


def _two_names_are_ours(read: ReadPage) -> Iterator[Problem]:
    """A page that could say who is unknown, or send the in-process away, would not mean what it shows."""
    why = {
        IN_PROCESS: "it is what never leaves this machine's own processes, and has no hosts",
        UNKNOWN: "it is every host that is not named, and nothing may go there",
    }
    for name in read.names("destinations"):
        if name in why:
            said = f"'{name}' is not declared: {why[name]}"
            fix = "remove it here; rule on it under data" if name == IN_PROCESS else "remove it"
            yield read.source.problem("governance.reserved", ("destinations", name), said, fix=fix, at_key=True)


def _a_host_stands_in_one_group(read: ReadPage) -> Iterator[Problem]:
    """Two groups of one host have two rulings on it, and a reader sees only one."""
    first: dict[str, Path] = {}
    for path, value in read.values.items():
        if len(path) != 4 or path[0] != "destinations" or path[2] != "hosts":
            continue
        text = HostPattern.parse(value).text
        if text not in first:
            first[text] = path
        elif first[text][1] != path[1]:
            line = read.source.where(first[text]).line
            said = f"{quoted(value)} belongs to '{first[text][1]}' already, on line {line}"
            yield read.source.problem("governance.host-twice", path, said, fix="leave it in one of the two")


def _every_class_is_ruled_on_everywhere(read: ReadPage) -> Iterator[Problem]:
    """What the page does not say it would have to guess."""
    for data in _CLASSES:
        if not read.source.has(("data", data)) or not read.names("data", data):
            continue  # that the class is missing is said already
        named = read.names("data", data)
        meant = {nearest(name, read.places) for name in named if name not in read.places}  # one fault, one problem
        missing = [place for place in read.places if place not in named and place not in meant]
        if missing:
            said = f"'data.{data}' has no ruling for {', '.join(missing)}"
            fix = f"add '{missing[0]}': {' or '.join(r.value for r in Ruling)}"
            yield read.source.problem("governance.no-ruling", ("data", data), said, fix=fix, at_key=True)


def _every_destination_is_declared(read: ReadPage) -> Iterator[Problem]:
    """A ruling on nowhere looks like a safeguard."""
    named = [("data", data, place) for data in _CLASSES for place in read.names("data", data)]
    paths: list[tuple[Path, str, bool]] = [(path, path[-1], True) for path in named]
    paths += [(("fields", place), place, True) for place in read.names("fields")]
    paths += [((*path, "to"), granted.to, False) for path, granted in read.granted]
    for path, place, at_key in paths:
        if place in read.places:
            continue
        near = nearest(place, read.places)
        said = f"{quoted(place)} is no destination; declared are {', '.join(read.places)}"
        if place == UNKNOWN:
            said, near = "'unknown' is every host that is not named: nothing may go there, and nothing lifts that", None
        fix = f"did you mean '{near}'?" if near else "remove it, or declare it under destinations with its hosts"
        yield read.source.problem("governance.destination", path, said, fix=fix, at_key=at_key)


def _closer_data_is_never_ruled_more_freely(read: ReadPage) -> Iterator[Problem]:
    """A record is never made to travel further by marking it as more personal; such a line is a slip."""
    for place in read.places:
        before: tuple[str, Ruling] | None = None
        for data in _CLASSES:
            ruling = read.get("data", data, place)
            if not isinstance(ruling, Ruling):
                continue
            if before is not None and _STRICTNESS[ruling] < _STRICTNESS[before[1]]:
                less = f"{before[0]} data, which is less close, is {before[1].value}"
                said = f"{data} data is {ruling.value} at '{place}', and {less}"
                fix = f"write {before[1].value} here, or rule more freely on {before[0]}"
                yield read.source.problem("governance.order", ("data", data, place), said, fix=fix)
            elif before is None or _STRICTNESS[ruling] > _STRICTNESS[before[1]]:
                before = (data, ruling)


def _words_are_not_ours(read: ReadPage) -> Iterator[Problem]:
    """A class that the page renames would mean two things."""
    for word in read.names("words"):
        if word in _CLASSES and read.get("words", word) != word:
            said = f"'{word}' is a class itself, and means {word}"
            yield read.source.problem("governance.word-taken", ("words", word), said, fix="remove it", at_key=True)


def _an_exception_was_approved_by_who_may(read: ReadPage) -> Iterator[Problem]:
    """An approval by somebody else is none."""
    count = len([p for p in read.values if p[:2] == ("exceptions", "approvers") and len(p) == 3])
    approvers = [read.get("exceptions", "approvers", at) for at in range(count)]
    if not approvers:
        return  # that they are missing is said already
    for path, granted in read.granted:
        if granted.approved_by in approvers:
            continue
        near = nearest(granted.approved_by, approvers)
        said = f"{quoted(granted.approved_by)} may not approve; those who may are {', '.join(approvers)}"
        fix = f"did you mean '{near}'?" if near else "have one of them approve it, or name this one an approver"
        yield read.source.problem("governance.approver", (*path, "approved_by"), said, fix=fix)


def _an_exception_ends_in_time(read: ReadPage) -> Iterator[Problem]:
    """An exception without an end is a rule that nobody made."""
    longest = read.get("exceptions", "longest")
    for path, granted in read.granted:
        if granted.until < granted.approved:
            said = f"it ends on {granted.until}, before it begins on {granted.approved}"
            yield read.source.problem("governance.exception-ends", (*path, "until"), said, fix="exchange the two days")
            continue
        # Both days count, so an exception of one day begins and ends on the same.
        lasts = ((granted.until - granted.approved).days + 1) * 86400.0
        if isinstance(longest, Quantity) and lasts > longest.base:
            last = granted.approved + dt.timedelta(days=max(1, int(longest.base // 86400)) - 1)
            said = f"it lasts {lasts / 86400:.0f} days; exceptions.longest allows {longest}"
            yield read.source.problem(
                "governance.exception-longest", (*path, "until"), said, fix=f"write {last} at the latest"
            )


def _nothing_lifts_what_is_forbidden(read: ReadPage) -> Iterator[Problem]:
    """What is forbidden has no exceptions; what may have some is needs-approval."""
    for path, granted in read.granted:
        if read.get("data", granted.data.value, granted.to) is Ruling.FORBIDDEN:
            said = f"{granted.data.value} data is forbidden at '{granted.to}', which no exception lifts"
            fix = f"remove it, or rule data.{granted.data.value}.{granted.to}: {Ruling.NEEDS_APPROVAL.value}"
            yield read.source.problem("governance.exception-forbidden", path, said, fix=fix)


_RULES: Final[tuple[Callable[[ReadPage], Iterator[Problem]], ...]] = (
    _two_names_are_ours,
    _a_host_stands_in_one_group,
    _every_class_is_ruled_on_everywhere,
    _every_destination_is_declared,
    _closer_data_is_never_ruled_more_freely,
    _words_are_not_ours,
    _an_exception_was_approved_by_who_may,
    _an_exception_ends_in_time,
    _nothing_lifts_what_is_forbidden,
)

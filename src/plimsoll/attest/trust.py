"""``trust.yaml``: whose keys are believed, for what, until when.

The organisation keeps this file outside the project. Who may change it decides who may sign::

    plimsoll-trust: 1
    keys:
      - name: release pipeline            # a machine: name; a person: contact
        roles: [gate]
        key: ed25519:bDGZ…
      - contact: chief-operating-officer@example.org
        roles: [setter, owner]
        key: ed25519:6kpsY+Kc…
        until: 2027-01-31                 # the last day on which it counts (UTC)

``simulated: true`` marks a key that was made on the spot, for a demonstration; whatever it signs is simulated.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from plimsoll.attest.keys import PublicKey, load_public
from plimsoll.attest.moments import end_of_day
from plimsoll.errors import InvalidFile, Problem
from plimsoll.model import yaml_source
from plimsoll.model.yaml_source import Path, Source

_VERSION: Final = 1
_FILE_KEYS: Final = ("plimsoll-trust", "keys")
_ENTRY_KEYS: Final = ("contact", "name", "roles", "key", "simulated", "until")
_PLACEHOLDERS: Final = frozenset({"", "tbd", "todo", "later", "none", "?", "n/a"})


class Role(enum.StrEnum):
    """What a key may sign."""

    LEDGER = "ledger"  # checkpoints of the record
    GATE = "gate"  # verdicts
    SETTER = "setter"  # the threshold; one person
    OWNER = "owner"  # acceptance by an owner
    OPERATOR = "operator"  # acceptance by an operator


_PERSONS: Final = frozenset({Role.SETTER, Role.OWNER, Role.OPERATOR})


class TrustedKey(msgspec.Struct, frozen=True, kw_only=True):
    """One pinned key."""

    who: str  # contact of a person, or name of a machine
    roles: tuple[Role, ...]
    key: PublicKey
    simulated: bool = False
    until_ns: int | None = None  # the first moment at which it no longer counts; None: no end

    def counts_at(self, at_ns: int) -> bool:
        """Whether its time is not over."""
        return self.until_ns is None or at_ns < self.until_ns


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """All pinned keys."""

    keys: tuple[TrustedKey, ...] = ()
    file: str = "trust.yaml"

    def keys_for(self, role: str, contact: str | None = None, *, at_ns: int) -> tuple[TrustedKey, ...]:
        """The keys that may sign in a role at a moment, of one person where a contact is given."""
        return tuple(
            k for k in self.keys if role in k.roles and k.counts_at(at_ns) and (contact is None or k.who == contact)
        )

    def find(self, key: PublicKey) -> TrustedKey | None:
        """The entry that pins this key; None: nobody does."""
        return next((k for k in self.keys if k.key == key), None)


def read_trust(text: str, file: str = "trust.yaml") -> Trust:
    """Read ``trust.yaml``.

    Args:
        text: the whole file.
        file: its name, for messages.

    Raises:
        InvalidFile: with every problem, each with its line and column.
    """
    source = yaml_source.load(text, file)
    problems: list[Problem] = []
    keys = tuple(_read(source, problems))
    if problems:
        raise InvalidFile(file, tuple(sorted(problems, key=_place)))
    return Trust(keys=keys, file=file)


def trust_entry(who: str, roles: Iterable[Role], key: PublicKey, *, simulated: bool = False) -> str:
    """The lines to paste under ``keys:`` for one key.

    Args:
        who: contact of a person, or name of a machine.
        roles: what it may sign.
        key: the public key.
        simulated: whether it was made on the spot, for a demonstration.
    """
    names = [role.value for role in roles]
    label = "contact" if _PERSONS & set(roles) else "name"
    lines = [f"  - {label}: {msgspec.json.encode(who).decode()}", f"    roles: [{', '.join(names)}]"]
    lines += [f"    key: {key.line}"] + (["    simulated: true"] if simulated else [])
    return "\n".join(lines) + "\n"


def _read(source: Source, problems: list[Problem]) -> Iterable[TrustedKey]:
    data = source.data
    if not isinstance(data, dict):
        problems.append(source.problem("trust.form", (), "a trust file is a group of keys", fix=_FORM))
        return
    problems.extend(_unknown(source, (name,), name, _FILE_KEYS) for name in data if name not in _FILE_KEYS)
    if data.get("plimsoll-trust") != _VERSION or isinstance(data.get("plimsoll-trust"), bool):
        found = "is missing" if "plimsoll-trust" not in data else f"is {_shown(data['plimsoll-trust'])}"
        problems.append(
            source.problem("trust.version", ("plimsoll-trust",), f"'plimsoll-trust' {found}; it must be 1", fix=_FORM)
        )
    entries = data.get("keys")
    if not isinstance(entries, list) or not entries:
        problems.append(source.problem("trust.keys", ("keys",), "'keys' must be a list of at least one key", fix=_FORM))
        return
    pinned: dict[PublicKey, int] = {}
    for index, entry in enumerate(entries):
        read = _Entry(source, ("keys", index), problems).read(entry)
        if read is None:
            continue
        if read.key in pinned:
            problems.append(
                source.problem(
                    "trust.twice",
                    ("keys", index, "key"),
                    f"this key is pinned already on line {source.where(('keys', pinned[read.key], 'key')).line}",
                    fix="a key stands for one person or machine; put all its roles into one entry",
                )
            )
            continue
        pinned[read.key] = index
        yield read


_FORM: Final = "begin with 'plimsoll-trust: 1', then 'keys:' with one '- contact:', 'roles:' and 'key:' for each key"


class _Entry:
    """Reads one entry of ``keys`` and notes what is wrong with it."""

    def __init__(self, source: Source, path: Path, problems: list[Problem]) -> None:
        self._source = source
        self._path = path
        self._problems = problems
        self._before = len(problems)

    def read(self, entry: Any) -> TrustedKey | None:
        """The entry as a value; None when a problem was noted."""
        if not isinstance(entry, dict):
            self._note("form", (), f"{_shown(entry)} is not an entry", _FORM)
            return None
        for name in entry:
            if name not in _ENTRY_KEYS:
                self._problems.append(_unknown(self._source, (*self._path, name), name, _ENTRY_KEYS))
        roles = self._roles(entry.get("roles"))
        who = self._who(entry, roles)
        key = self._key(entry.get("key"))
        simulated = entry.get("simulated", False)
        if not isinstance(simulated, bool):
            self._note(
                "simulated", ("simulated",), f"{_shown(simulated)} is neither true nor false", "write true or false"
            )
        until = self._until(entry.get("until"))
        if len(self._problems) > self._before or key is None:
            return None
        return TrustedKey(who=who, roles=roles, key=key, simulated=simulated, until_ns=until)

    def _who(self, entry: dict[str, Any], roles: tuple[Role, ...]) -> str:
        names = [name for name in ("contact", "name") if name in entry]
        if len(names) != 1:
            found = "both 'contact' and 'name'" if names else "neither 'contact' nor 'name'"
            self._note("who", (), f"the entry has {found}", "a person has a contact, a machine has a name")
            return ""
        who = entry[names[0]]
        if not isinstance(who, str) or who.strip().lower() in _PLACEHOLDERS:
            self._note("who", (names[0],), f"{_shown(who)} names nobody", "name who holds the key")
            return ""
        person = sorted(_PERSONS & set(roles))
        if names == ["name"] and person:
            self._note("who", ("name",), f"the role '{person[0]}' is a person's", "give the person's 'contact' instead")
        return who

    def _roles(self, found: Any) -> tuple[Role, ...]:
        known = tuple(role.value for role in Role)
        if not isinstance(found, list) or not found:
            self._note(
                "roles", ("roles",), "'roles' must be a list of at least one role", f"allowed: {', '.join(known)}"
            )
            return ()
        roles: list[Role] = []
        for index, name in enumerate(found):
            if name in known:
                roles.append(Role(name))
            else:
                fix = f"allowed: {', '.join(known)}{_nearest(name, known)}"
                self._note("roles", ("roles", index), f"{_shown(name)} is not a role", fix)
        return tuple(dict.fromkeys(roles))

    def _key(self, found: Any) -> PublicKey | None:
        if not isinstance(found, str):
            self._note("key", ("key",), "'key' must be a public key", "paste the line that `plimsoll keys show` prints")
            return None
        try:
            return load_public(found)
        except InvalidFile as error:
            for problem in error.problems:
                self._note("key", ("key",), problem.message, problem.fix)
            return None

    def _until(self, found: Any) -> int | None:
        if found is None:
            return None
        try:
            return end_of_day(found if isinstance(found, str) else "")
        except ValueError:
            self._note("until", ("until",), f"{_shown(found)} is not a day", "write the last day as 2027-01-31")
            return None

    def _note(self, code: str, path: Path, message: str, fix: str) -> None:
        self._problems.append(self._source.problem(f"trust.{code}", (*self._path, *path), message, fix=fix))


def _place(problem: Problem) -> tuple[int, int]:
    return (problem.where.line, problem.where.column) if problem.where else (0, 0)


def _unknown(source: Source, path: Path, name: str, allowed: tuple[str, ...]) -> Problem:
    fix = f"allowed: {', '.join(allowed)}{_nearest(name, allowed)}"
    return source.problem("trust.unknown-key", path, f"'{name[:40]}' is not a key of this file", fix=fix, at_key=True)


def _nearest(name: Any, allowed: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(str(name), allowed, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _shown(value: Any) -> str:
    return f"'{value[:40]}'" if isinstance(value, str) else str(value)[:40]

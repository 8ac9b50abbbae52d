"""The address of a database: what it takes to get in, and what may be said of it aloud."""

from __future__ import annotations

import re
from typing import Final

from plimsoll.errors import UsageError

# Whatever does not look like this is not repeated: a password with an @ or a / in it must not end up as a host.
_PLAIN: Final = re.compile(
    r"(?:(?P<user>[^:/?@]*)(?::[^/?@]*)?@)?(?P<place>(?:\[[0-9a-fA-F:.]+\]|[\w.\-%]*)(?::\d+)?"
    r"(?:,(?:\[[0-9a-fA-F:.]+\]|[\w.\-%]*)(?::\d+)?)*(?:/[\w.\-%]*)?)(?:\?\w+=.*)?"
)


class Address:
    """``postgresql://USER@HOST:PORT/DATABASE``, as libpq reads it; ``str`` of it holds no password and no options.

    Raises:
        UsageError: it is none.
    """

    __slots__ = ("name", "url")

    def __init__(self, url: str) -> None:
        self.url = url  # never printed
        self.name = spoken(url)
        if "…" in self.name:  # libpq would repeat the part that it does not understand
            raise bad_address(self.name)

    def __repr__(self) -> str:
        return self.name


def bad_address(name: str) -> UsageError:
    """What is raised for something that is no address; ``name`` is what may be repeated of it."""
    return UsageError(
        f"the address of the ledger's database cannot be read: {name}",
        fix="write postgresql://USER@HOST:PORT/DATABASE, and the password into PGPASSWORD or a password file; what is"
        " special in a part is written as %XX",
    )


def spoken(url: str) -> str:
    """An address without its password and options.

    >>> spoken("postgresql://ledger:secret@db.example.org:5432/claims?sslmode=require")
    'postgresql://ledger@db.example.org:5432/claims'
    >>> spoken("postgresql://ledger:se/cr@et@db.example.org/claims")
    'postgresql://…'
    """
    scheme, slashes, rest = url.partition("://")
    found = _PLAIN.fullmatch(rest) if slashes else None
    if found is None:
        return f"{scheme.partition(':')[0]}://…"
    user = f"{found['user']}@" if found["user"] else ""
    return f"{scheme}://{user}{found['place']}"

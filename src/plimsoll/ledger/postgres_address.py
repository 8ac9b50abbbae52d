"""The address of a database: what it takes to get in, and what may be said of it aloud."""

from __future__ import annotations

import re
from typing import Final

# Whatever does not look like this is not repeated: a password with an @ or a / in it must not end up as a host.
_PLAIN: Final = re.compile(
    r"(?:(?P<user>[^:/?#@]*)(?::[^/?#@]*)?@)?(?P<place>(?:\[[0-9a-fA-F:.]+\]|[\w.\-%]*)(?::\d+)?"
    r"(?:,(?:\[[0-9a-fA-F:.]+\]|[\w.\-%]*)(?::\d+)?)*(?:/[\w.\-%]*)?)(?:\?\w+=.*)?"
)


class Address:
    """``postgresql://USER@HOST:PORT/DATABASE``, as libpq reads it; ``str`` of it holds no password and no options."""

    __slots__ = ("name", "url")

    def __init__(self, url: str) -> None:
        self.url = url  # never printed
        self.name = spoken(url)

    def __repr__(self) -> str:
        return self.name


def spoken(url: str) -> str:
    """An address without its password and options.

    >>> spoken("postgresql://ledger:secret@db.example.org:5432/claims?sslmode=require")
    'postgresql://ledger@db.example.org:5432/claims'
    >>> spoken("postgresql://ledger:se/cr@et@db.example.org/claims")
    'postgresql://…'
    """
    scheme, _, rest = url.partition("://")
    found = _PLAIN.fullmatch(rest)
    if found is None:
        return f"{scheme.partition(':')[0]}://…"
    user = f"{found['user']}@" if found["user"] else ""
    return f"{scheme}://{user}{found['place']}"

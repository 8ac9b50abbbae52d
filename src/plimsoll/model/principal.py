"""Who asks: the person or service on whose behalf a decision is taken."""

from __future__ import annotations

import msgspec


class Principal(msgspec.Struct, frozen=True):
    """A caller, with the access labels that the organisation has given them.

    Who calls the guard vouches for it: the guard checks what a principal may see, never who they are.

    Args:
        id: as the organisation names them; it is recorded.
        labels: access labels they hold, such as ``claims`` or ``hr``.
    """

    id: str
    labels: frozenset[str] = frozenset()

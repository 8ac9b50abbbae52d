"""Queries that a contract itself holds: quality rules of the type ``sql``, made ready for one table.

The standard writes ``${table}`` and ``${column}``, from v3.1 on ``{object}`` and ``{property}``; all four are taken,
with or without the dollar. What is put in is a quoted name, so no name of a field can become SQL.
"""

from __future__ import annotations

import re
from typing import Final

from plimsoll.contract.sql_text import identifier
from plimsoll.contract.terms import Quality

_PLACE: Final = re.compile(r"\$?\{\s*(table|object|schema|column|property)\s*\}", re.IGNORECASE)
_OF_FIELDS: Final = frozenset({"column", "property"})


def fill(rule: Quality) -> str | None:
    """The query with names in place of what stands for them; None when it asks for a column and the rule has none.

    >>> rule = Quality(object="claims", field="claims.amount", kind="sql", line=1, column=1,
    ...                query="SELECT max(${column}) FROM {object}")
    >>> fill(rule)
    'SELECT max("amount") FROM "claims"'
    """
    field = rule.field.removeprefix(rule.object).removeprefix(".")
    if not field and any(place.group(1).lower() in _OF_FIELDS for place in _PLACE.finditer(rule.query)):
        return None

    def name(place: re.Match[str]) -> str:
        return identifier(field if place.group(1).lower() in _OF_FIELDS else rule.object)

    return _PLACE.sub(name, rule.query)

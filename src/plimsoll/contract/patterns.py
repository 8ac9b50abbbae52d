"""Whether a regular expression can be checked in time that grows only with the text."""

from __future__ import annotations

from typing import Final

import jsonschema_rs

# The linear engine: no look-around, no back-references, so no record can make a pattern run away.
ENGINE: Final = jsonschema_rs.RegexOptions()


def why_not(pattern: str) -> tuple[str, str] | None:
    r"""What keeps a pattern from being used, and what to do; None when it is fine.

    Patterns are ECMA-262, searched for anywhere in the text as in JSON Schema; ``\d`` and ``\w`` are ASCII.

    >>> why_not("^[A-Z]{3}-[0-9]+$") is None, why_not("(?=x)")[0]
    (True, 'it looks ahead, behind or back, which takes time without bound')
    """
    if _compiles(pattern, ENGINE):
        return None
    if _compiles(pattern, jsonschema_rs.FancyRegexOptions()):
        return (
            "it looks ahead, behind or back, which takes time without bound",
            "write it without (?=…), (?!…), (?<=…), (?<!…) and \\1; several rules can do the same",
        )
    return (
        "it is not a regular expression, or one too large to compile",
        "balance its brackets; inside […] put '-' last, and write '\\\\' for one backslash",
    )


def _compiles(pattern: str, options: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions) -> bool:
    try:
        jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=options)
    except ValueError:  # the library's ValidationError is one
        return False
    return True

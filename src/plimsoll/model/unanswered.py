"""Answers that are none: "TBD", "later", a dash, nothing at all.

"We'll handle that when we get there" is not an owner and not a figure. Wherever the manifest asks for a person, a
figure or a sentence, such an answer is refused as if it were missing.
"""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = frozenset(
    {
        "", "later", "later on", "soon", "someday", "eventually", "when we get there", "not yet", "not known",
        "not applicable", "not available", "not defined", "not decided", "na", "n.a", "none", "null", "nil",
        "unknown", "undefined", "undecided", "unclear", "unassigned", "pending", "open", "missing", "empty", "blank",
        "in progress", "someone", "somebody", "anyone", "anybody", "no one", "noone", "nobody", "whoever", "everyone",
        "everybody", "placeholder", "changeme", "change me", "fill in", "fill me in", "replace me", "your name",
        "name", "name here", "dummy", "whatever", "as needed", "we will see", "we'll see", "lorem ipsum",
    }
)  # fmt: skip
_BEGINS: Final = re.compile(r"(?:tb[acd](?=$|[\s:,;(/-])|(?:todo|fixme)(?=$|\s*[:(])|n/a(?!\w))")
_PUT_OFF: Final = re.compile(
    r"to (?:do|be (?:\w+ )?(?:agreed|announced|assigned|clarified|completed|confirmed|decided|defined|determined|"
    r"discussed|done|filled|found|known|named|provided|set|specified)(?: \w+){0,3})"
    r"|(?:[\w'’]+ ){0,3}later|.*when we get there"
)
_BRACKETED: Final = re.compile(r"[<\[{(].*[>\]})]")  # "<owner>", "[name]": the form's own hint, left as it was


def is_unanswered(text: str) -> bool:
    """Whether a text puts off the answer in place of giving it.

    >>> [is_unanswered(t) for t in ("TBD", "tbd: ask Ann", "N/A", " - ", "later...", "to be defined", "<name>", "xxx")]
    [True, True, True, True, True, True, True, True]
    >>> [is_unanswered(t) for t in ("Nan Lee", "todo@example.org", "Later Life Team", "To be used by clerks.", "0%")]
    [False, False, False, False, False]
    """
    plain = " ".join(text.casefold().replace("_", " ").split()).strip(" .,;:!?…-–—*/")
    if not any(c.isalnum() for c in plain):
        return True
    if plain in _WORDS or _BRACKETED.fullmatch(plain):
        return True
    return bool(_BEGINS.match(plain) or _PUT_OFF.fullmatch(plain)) or set(plain) == {"x"}

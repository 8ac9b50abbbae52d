"""The nearest allowed word to one that is not allowed."""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST = 100  # characters of a word that are looked at; the distance is quadratic in it
_SHOWN = 60  # characters of a found value that a message repeats


def distance(a: str, b: str) -> int:
    """Edits between two words: insert, delete, replace, or swap two neighbours, none of them edited twice.

    Source: the optimal string alignment form of F. J. Damerau (1964), "A technique for computer detection and
    correction of spelling errors", Communications of the ACM 7(3), 171-176.

    >>> distance("reviewed", "reveiwed"), distance("tier", "tire"), distance("", "abc")
    (1, 1, 3)
    """
    before: list[int] = []
    above = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """The allowed word that was most likely meant; None when none is near.

    Case, and ``-`` for ``_``, do not count. A third of the letters may differ, at most four. A short form counts too:
    the last part of a dotted name, and what stands before the ``@`` of an address.

    Args:
        word: as it was found.
        allowed: candidates; of two that are equally near the earlier one is taken.

    >>> nearest("Reviewd", ["automatic", "reviewed", "human-only"])
    'reviewed'
    >>> nearest("accuracy", ["evaluation.accuracy", "contracts.valid_rate"])
    'evaluation.accuracy'
    >>> nearest("weather", ["automatic", "reviewed"]) is None
    True
    """
    candidates = list(allowed)
    return _nearest(word, {c: c for c in candidates}) or _nearest(word, {c: _short(c) for c in candidates})


def quoted(value: str) -> str:
    r"""A found text as a message repeats it: in quotes, cut when long, control characters made visible.

    >>> quoted("reviewed"), quoted("a\x1b[2J"), quoted("x" * 70) == "'" + "x" * 59 + "…'"
    ("'reviewed'", "'a\\x1b[2J'", True)
    """
    cut = value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…"
    return "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut) + "'"


def _nearest(word: str, forms: dict[str, str]) -> str | None:
    plain = _plain(word)
    best: tuple[int, str] | None = None
    for candidate, form in forms.items():
        other = _plain(form)
        tolerated = min(4, max(len(plain), len(other)) // 3)
        if abs(len(plain) - len(other)) > tolerated:
            continue
        edits = distance(plain, other)
        if edits <= tolerated and (best is None or edits < best[0]):
            best = (edits, candidate)
    return best[1] if best else None


def _plain(word: str) -> str:
    return word[:_LONGEST].strip().casefold().replace("-", "_").replace(" ", "_")


def _short(word: str) -> str:
    before, at, _ = word.partition("@")
    return before if at else word.rpartition(".")[2]

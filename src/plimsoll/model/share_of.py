"""A share of a number of things, such as "50% of 20"."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.quantity import NUMBER, Quantity
from plimsoll.model.words import quoted

MOST: Final = 1000  # of which: as many outcomes are kept for each target
PATTERN: Final = rf"\s*({NUMBER}\s*%)\s+of\s+([0-9]{{1,9}})\s*"
_PATTERN: Final = re.compile(PATTERN)


class ShareOf(msgspec.Struct, frozen=True):
    """A share, and what it is taken of.

    >>> str(ShareOf.parse("50 % of 20"))
    '50% of 20'
    """

    share: Quantity  # above 0%, at most 100%
    of: int  # from 1 to `MOST`

    @classmethod
    def parse(cls, text: str) -> ShareOf:
        """Read ``"50% of 20"``.

        Raises:
            NotUnderstood: (a ValueError) it is not written so, or beyond its limits.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise NotUnderstood(f"{quoted(text)} is not a share of a number", fix="write it as 50% of 20")
        try:
            share = Quantity.parse(match[1])
        except NotUnderstood as why:
            raise NotUnderstood(why.message, fix="write it as 50% of 20") from why
        found = cls(share, int(match[2]))
        if not 0 < found.share.base <= 1:
            raise NotUnderstood(f"{found.share} is out of range", fix="write above 0%, at most 100%")
        if not 1 <= found.of <= MOST:
            raise NotUnderstood(f"{found.of} is out of range", fix=f"write from 1 to {MOST}")
        return found

    def __str__(self) -> str:
        return f"{self.share} of {self.of}"

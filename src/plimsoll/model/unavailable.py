"""What a caller gives in place of a record when its source gave none."""

from __future__ import annotations

_LONGEST = 300  # characters of a reason that are kept


class Unavailable:
    """The source of a decision did not answer: what its contract declares ``onUnavailable`` stands in.

        guard.decide("read-amount", Unavailable("timed out after 2 s"), source="branch-scan")

    A plain class and no struct, so that it can never be taken for a record.

    Args:
        why: what the caller saw, in a few words; it is recorded, so it holds no personal data.
    """

    __slots__ = ("why",)

    def __init__(self, why: str = "it gave no record") -> None:
        # It goes into logs and onto boards, and may come from anywhere: one line, and no control characters.
        self.why = "".join(c if c.isprintable() else " " for c in str(why)[:_LONGEST]).strip()

    def __repr__(self) -> str:
        return f"Unavailable({self.why!r})"

"""Weighing what was said of a stream against its entries: the strongest word first, the weaker where it is silent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import msgspec

from plimsoll.ledger.findings import Trust
from plimsoll.ledger.narrow import Difference, Trees, differences
from plimsoll.ledger.recompute import Walk

_TRIED = 2_000  # roots tried for being folded to by the stored hashes, the largest first; each costs some 20 reads
_FALSE = 20  # claims that are told to be false one by one


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody said: this stream had this size and this root."""

    size: int
    root: bytes
    trust: Trust
    source: str  # in words: "the checkpoint in entry …"
    outside: bool = False  # said by the witness itself, not by something in the file that the witness speaks for


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that are not what somebody vouches for."""

    first: int
    last: int
    claim: Claim
    is_exact: bool  # each of them; else one or more of them
    vouched: bytes = b""  # hash of the subtree over exactly these positions; empty when nothing so close is vouched for


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence comes to."""

    spans: tuple[Span, ...]
    false: tuple[tuple[Claim, Claim], ...]  # a claim that cannot be true, and the one that shows it
    confirmed: dict[Trust, int]  # a root of this trust speaks for positions below this size
    best: dict[Trust, Claim]  # the claim that does so
    cut_short: bool  # there are more spans


def weigh(trees: Trees, walk: Walk, claims: Sequence[Claim], most: int) -> Weighed:
    """Compare a stream with all that was said of it.

    Args:
        trees: of the stream.
        walk: of the stream, with the roots taken at the claims' sizes.
        claims: those of more entries than there are say nothing here.
        most: stop after so many spans.
    """
    spans: list[Span] = []
    false: list[tuple[Claim, Claim]] = []
    confirmed: dict[Trust, int] = {}
    best: dict[Trust, Claim] = {}
    broken: set[int] = set()  # sizes from which on nothing fits
    covered, by = 0, None
    for trust in sorted(Trust, key=lambda trust: trust.rank, reverse=True):
        level = sorted((c for c in claims if c.trust is trust and c.size <= walk.end), key=lambda claim: claim.size)
        anchor = _anchor(trees, walk, [claim for claim in level if claim.size > covered])
        if anchor is not None:
            found = differences(trees, anchor.size, anchor.root, covered, most - len(spans) + 1)
            spans += [_span(difference, anchor, covered) for difference in found]
            covered, by = anchor.size, anchor
        if by is not None:
            confirmed[trust], best[trust] = covered, by
        beyond = next((claim for claim in level if claim.size > covered), None)  # neither tree has its root
        if beyond is not None and covered not in broken:  # else somebody stronger has said the same
            spans.append(Span(first=covered, last=beyond.size - 1, claim=beyond, is_exact=False))
            broken.add(covered)
        if by is not None:
            clean = min([covered, *(span.first for span in spans)])
            wrong = (c for c in level if c.size <= clean and walk.roots.get(c.size) != c.root)
            false += [(claim, by) for claim in islice(wrong, _FALSE)]
    return Weighed(
        spans=tuple(spans[:most]), false=tuple(false), confirmed=confirmed, best=best, cut_short=len(spans) > most
    )


def _span(difference: Difference, claim: Claim, covered: int) -> Span:
    """A difference, as far as nobody stronger has spoken of it."""
    whole = difference.first >= covered
    return Span(
        first=max(difference.first, covered),
        last=difference.last,
        claim=claim,
        is_exact=difference.level == 0,
        vouched=difference.vouched if whole else b"",
    )


def _anchor(trees: Trees, walk: Walk, claims: Sequence[Claim]) -> Claim | None:
    """The largest claim whose root either the entries or the stored hashes have."""
    return next((claim for claim in claims[: -_TRIED - 1 : -1] if _fits(trees, walk, claim)), None)


def _fits(trees: Trees, walk: Walk, claim: Claim) -> bool:
    return walk.roots.get(claim.size) == claim.root or trees.fold(claim.size) == claim.root

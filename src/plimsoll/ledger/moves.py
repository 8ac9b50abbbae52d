"""Entries that are whole but stand at the wrong place: exchanged, moved up over a deleted one, pushed down by another.

An entry's position is part of what its hash is taken over. So an entry that was moved gives, at the position it came
from, the hash that was once taken of it: the one that still stands in its row, or the one that is vouched for there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from plimsoll.ledger.evidence import Claim, Span
from plimsoll.ledger.merkle import TILE, Frontier, fold
from plimsoll.ledger.narrow import Trees
from plimsoll.ledger.recompute import LEAF_COLUMN, Walk, leaf_of

_SAMPLE = 256  # entries that are tried at other positions: 256 * 256 hashes are a tenth of a second
_PER_SPAN = 64
_NEAR = 8  # how far an entry is looked for around its place, beside all other places that are suspect
_WIDEST = 4_096  # entries of a span that are put back in place, as a trial


class How(StrEnum):
    """What was done."""

    SWAPPED = "swapped"
    DELETED = "deleted"
    INSERTED = "inserted"


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One explanation of several differences."""

    how: How
    first: int  # swapped: the one; deleted, inserted: the first of them
    last: int  # swapped: the other; deleted, inserted: the last of them
    claim: Claim


def find_moves(trees: Trees, walk: Walk, spans: Sequence[Span]) -> tuple[list[Move], list[Span]]:
    """Explanations by movement, and the spans that remain."""
    homes = _homes(trees, walk, spans)
    moves = [_shift(run, spans) for run in _runs(homes, walk.end)]
    moves += [
        Move(how=How.SWAPPED, first=at, last=home, claim=_claim_at(spans, at))
        for at, home in homes.items()
        if at < home and homes.get(home) == at
    ]
    placed = {home: at for at, home in homes.items()}
    left = [span for span in spans if not _is_explained(trees, walk, span, moves, placed)]
    return moves, left


def _suspects(walk: Walk, spans: Sequence[Span]) -> list[int]:
    """Entries worth trying elsewhere: those that contradict the hash in their own row, then the first of each span."""
    suspects: dict[int, None] = {}
    runs = [(first, last) for first, last in walk.odd_leaves.runs if any(_meets(span, first, last) for span in spans)]
    for first, last in [*runs, *((span.first, span.last) for span in spans)]:
        suspects.update(dict.fromkeys(range(first, min(last + 1, first + _PER_SPAN, walk.end))))
        if len(suspects) > _SAMPLE:
            break
    return list(suspects)[:_SAMPLE]


def _meets(span: Span, first: int, last: int) -> bool:
    return span.first <= last and first <= span.last


def _homes(trees: Trees, walk: Walk, spans: Sequence[Span]) -> dict[int, int]:
    """Where suspect entries come from, as far as their hashes tell: position → the one they belong to."""
    suspects = _suspects(walk, spans)
    vouched = {span.first: span.vouched for span in spans if span.is_exact}
    homes: dict[int, int] = {}
    for at in suspects:
        row = trees.row(at)
        if row is None:
            continue
        around = {*suspects, *range(max(0, at - _NEAR), at + _NEAR + 1)} - {at}
        for home in sorted(around, key=lambda place: abs(place - at)):
            leaf = leaf_of(walk.stream, row, home)
            if leaf is not None and leaf in (row[LEAF_COLUMN], vouched.get(home)):
                homes[at] = home
                break
    return homes


def _runs(homes: Mapping[int, int], end: int) -> list[tuple[int, int, int]]:
    """First, last and shift of entries that follow each other and were moved by the same distance."""
    runs: list[tuple[int, int, int]] = []
    for at in sorted(homes):
        shift = homes[at] - at
        if runs and runs[-1][1] == at - 1 and runs[-1][2] == shift:
            runs[-1] = (runs[-1][0], at, shift)
        else:
            runs.append((at, at, shift))
    # One entry alone is a shift only at the end of the stream; elsewhere it is half of an exchange.
    return [run for run in runs if run[1] > run[0] or (run[1] == end - 1 and homes.get(homes[run[0]]) != run[0])]


def _shift(run: tuple[int, int, int], spans: Sequence[Span]) -> Move:
    first, _, shift = run
    claim = _claim_at(spans, first)
    if shift > 0:
        return Move(how=How.DELETED, first=first, last=first + shift - 1, claim=claim)
    return Move(how=How.INSERTED, first=first + shift, last=first - 1, claim=claim)


def _claim_at(spans: Sequence[Span], at: int) -> Claim:
    return next((span.claim for span in spans if span.first <= at <= span.last), spans[0].claim)


def _is_explained(trees: Trees, walk: Walk, span: Span, moves: Sequence[Move], placed: Mapping[int, int]) -> bool:
    """Whether the moves account for a span: behind a shift, or whole again once all is put back in its place."""
    if any(move.how is not How.SWAPPED and span.last >= move.first for move in moves):
        return True  # behind a shift nothing stands where it is vouched for
    if not placed or span.last >= walk.end:
        return False
    if not span.vouched:
        return _root_put_back(trees, walk, span.claim.size, placed) == span.claim.root
    leaves = _put_back(trees, walk, span.first, span.last + 1, placed) if span.last - span.first < _WIDEST else None
    return leaves is not None and _root(leaves) == span.vouched


def _put_back(trees: Trees, walk: Walk, first: int, stop: int, placed: Mapping[int, int]) -> list[bytes] | None:
    """Leaf hashes with every entry at the place it belongs to; None when one is missing."""
    leaves: list[bytes] = []
    for at in range(first, stop):
        row = trees.row(placed.get(at, at))
        leaf = None if row is None else leaf_of(walk.stream, row, at)
        if leaf is None:
            return None
        leaves.append(leaf)
    return leaves


def _root_put_back(trees: Trees, walk: Walk, size: int, placed: Mapping[int, int]) -> bytes | None:
    """The stream's root at a size, had every entry stayed at its place."""
    touched = {home // TILE for home in placed}
    tiles: list[bytes] = []
    for index in range(size // TILE):
        tile = walk.tiles[index]
        if index in touched:
            leaves = _put_back(trees, walk, index * TILE, index * TILE + TILE, placed)
            tile = None if leaves is None else _root(leaves)
        if tile is None:
            return None
        tiles.append(tile)
    rest = _put_back(trees, walk, size - size % TILE, size, placed)
    if rest is None:
        return None
    whole, open_tile = Frontier(), Frontier()
    whole.extend(tiles)
    open_tile.extend(rest)
    return fold(whole.stack + open_tile.stack)


def _root(leaves: Sequence[bytes]) -> bytes:
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()

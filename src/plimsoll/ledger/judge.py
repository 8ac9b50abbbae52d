"""What is wrong with one stream: what its entries show, and what others have said of it, as findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from plimsoll.ledger.audit import LedgerFile
from plimsoll.ledger.evidence import Claim, Span, Weighed, weigh
from plimsoll.ledger.findings import Finding, Sure, Trust
from plimsoll.ledger.merkle import TILE
from plimsoll.ledger.moves import How, Move, find_moves
from plimsoll.ledger.narrow import Trees
from plimsoll.ledger.recompute import Ranges, Walk

MOST: Final = 1_000  # findings followed up in one stream; a list of more helps nobody


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome for one stream."""

    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]
    confirmed: dict[Trust, int]  # up to which size a root of at least this trust speaks for its entries
    suspects: Ranges  # positions that findings are about


def judge(file: LedgerFile, walk: Walk, claims: Sequence[Claim], declared: int | None) -> Judged:
    """All that is wrong with one stream.

    Args:
        file: the file.
        walk: what a pass over the entries has shown, with the roots taken at the claims' sizes.
        claims: what was said of the stream.
        declared: the size at which it was sealed; None while it grows.
    """
    findings: list[Finding] = []
    remarks: list[str] = []
    moves: list[Move] = []
    altered: list[tuple[int, int]] = []
    confirmed = {trust: max((c.size for c in claims if c.trust.rank >= trust.rank), default=0) for trust in Trust}
    if _is_odd(walk, claims):
        trees = Trees(file, walk)
        weighed = weigh(trees, walk, claims, MOST)
        confirmed = weighed.confirmed
        altered = [(span.first, span.last) for span in weighed.spans]
        moves, spans = find_moves(trees, walk, weighed.spans)
        for move in moves:
            findings += _say_move(walk.stream, move)
        findings += _say_spans(walk, spans, claims, remarks)
        findings += _say_hashes(walk, weighed)
        findings += _say_false(walk.stream, weighed)
        if weighed.cut_short:
            remarks.append(f"stream {walk.stream}: more than {MOST:,} differences; the rest was not followed up")
    findings += _say_rows(walk, altered)
    findings += _say_ends(walk, claims, declared, moves)
    suspects = Ranges()
    for first, last in sorted((f.first, f.last) for f in findings if f.first is not None and f.last is not None):
        suspects.add(first, last)
    return Judged(findings=tuple(findings), remarks=tuple(remarks), confirmed=confirmed, suspects=suspects)


def _is_odd(walk: Walk, claims: Sequence[Claim]) -> bool:
    odd = walk.odd_leaves or walk.odd_tiles or walk.odd_nodes or walk.missing or walk.unreadable or walk.repeated
    return bool(odd) or any(walk.roots.get(c.size) != c.root for c in claims if c.size <= walk.end)


# ── altered entries ──


def _say_move(stream: str, move: Move) -> Iterator[Finding]:
    evidence = f"the entries' own hashes and {move.claim.source}"
    if move.how is How.SWAPPED:
        for at, home in ((move.first, move.last), (move.last, move.first)):
            yield Finding(
                code="entries-swapped",
                what=f"holds the entry that belongs at {stream}-{home}: the two have changed places",
                evidence=evidence,
                sure=Sure.EXACT,
                stream=stream,
                first=at,
                last=at,
            )
        return
    deleted = move.how is How.DELETED
    some = _some(move.first, move.last)
    yield Finding(
        code="entries-missing" if deleted else "entries-added",
        what=f"{some} {'deleted' if deleted else 'inserted'} here, and the entries behind were moved"
        f" {'up' if deleted else 'down'}; those cannot be judged one by one",
        evidence=evidence,
        sure=Sure.EXACT,
        stream=stream,
        first=move.first,
        last=move.last,
    )


def _is_only_outside(walk: Walk, span: Span, claims: Sequence[Claim]) -> bool:
    """Whether nothing inside the file contradicts these entries."""
    inside = (claim for claim in claims if not claim.outside and span.first < claim.size <= walk.end)
    return span.claim.outside and all(walk.roots.get(claim.size) == claim.root for claim in inside)


def _say_spans(walk: Walk, spans: Sequence[Span], claims: Sequence[Claim], remarks: list[str]) -> Iterator[Finding]:
    """Altered entries: each by name where its own hash is vouched for, else the run within which it happened."""
    for span in _merged(sorted(_sharpened(walk, spans, remarks), key=lambda span: (span.first, not span.is_exact))):
        last = min(span.last, walk.end - 1)
        if span.is_exact:
            yield Finding(
                code="entry-altered",
                what="is not what was recorded" if span.first == last else "are not what was recorded, each of them",
                evidence=f"the hash stored when it was recorded and {span.claim.source}",
                sure=Sure.EXACT,
                stream=walk.stream,
                first=span.first,
                last=last,
            )
        else:
            yield Finding(
                code="entries-rewritten",
                what="one or more of these were rewritten, together with the hashes that would tell which",
                evidence=span.claim.source,
                sure=Sure.WITNESS if _is_only_outside(walk, span, claims) else Sure.RANGE,
                stream=walk.stream,
                first=span.first,
                last=last,
            )


def _sharpened(walk: Walk, spans: Sequence[Span], remarks: list[str]) -> Iterator[Span]:
    """Within a run, name the entries that contradict even the hash in their own row."""
    for span in spans:
        lost = walk.missing.overlaps(span.first, span.last) or walk.unreadable.overlaps(span.first, span.last)
        if span.is_exact:
            if not lost:  # else it is told as missing
                yield span
            continue
        own = walk.odd_leaves.within(span.first, span.last)
        for first, last in own:
            yield Span(first=first, last=last, claim=span.claim, is_exact=True)
        if lost:
            remarks.append(
                f"{walk.stream}-{span.first} to -{span.last}: only the hashes in their own rows speak for what is left"
                " of these, because a hash beside them went with the missing entry"
            )
        elif not own or span.last - span.first > 1:
            yield span


def _merged(spans: Sequence[Span]) -> Iterator[Span]:
    """Neighbours of one kind and one source, as one."""
    run: Span | None = None
    for span in spans:
        if run and span.first <= run.last + 1 and span.is_exact == run.is_exact and span.claim == run.claim:
            vouched = run.vouched and span.vouched
            run = Span(
                first=run.first, last=max(run.last, span.last), claim=run.claim, is_exact=run.is_exact, vouched=vouched
            )
            continue
        if run:
            yield run
        run = span
    if run:
        yield run


def _say_hashes(walk: Walk, weighed: Weighed) -> Iterator[Finding]:
    """Stored hashes that are wrong though no entry below them is."""
    blamed = Ranges(most=MOST)
    for first, last in sorted((span.first, span.last) for span in weighed.spans):
        blamed.add(first, last)
    wrong = [(first, last, "the hash in its row") for first, last in walk.odd_leaves.runs]
    wrong += [(a * TILE, b * TILE + TILE - 1, "the interior hashes of its tile") for a, b in walk.odd_tiles.runs]
    wrong += [(i << level, (i + 1 << level) - 1, f"a hash of level {level}") for level, i in walk.odd_nodes]
    told = Ranges(most=MOST)
    for first, last, which in sorted(wrong, key=lambda each: (each[1] - each[0], each[0])):
        lost = walk.missing.overlaps(first, last) or walk.unreadable.overlaps(first, last)
        if lost or blamed.overlaps(first, last) or told.overlaps(first, last):
            continue
        told = _with(told, first, last)
        by = next((claim for claim in weighed.best.values() if last < claim.size), None)
        yield Finding(
            code="hash-altered" if by else "entry-altered",
            what=f"{which} was altered; what is recorded there is whole"
            if by
            else f"does not fit {which}: the one or the other was altered",
            evidence=by.source if by else "comparing the two",
            sure=Sure.EXACT,
            stream=walk.stream,
            first=first,
            last=last,
        )


def _with(ranges: Ranges, first: int, last: int) -> Ranges:
    grown = Ranges(ranges.most)
    for run in sorted([*ranges.runs, (first, last)]):
        grown.add(*run)
    return grown


def _say_false(stream: str, weighed: Weighed) -> Iterator[Finding]:
    for claim, by in weighed.false:
        yield Finding(
            code="claim-false",
            what=f"{claim.source} gives a root for {claim.size:,} entries that they do not have",
            evidence=by.source,
            sure=Sure.EXACT,
            stream=stream,
        )


# ── rows ──


def _say_rows(walk: Walk, altered: Sequence[tuple[int, int]]) -> Iterator[Finding]:
    """What single rows show by themselves."""
    stream = walk.stream
    known = Ranges()
    for first, last in sorted(altered):
        known.add(first, last)
    for code, what, evidence, ranges in (
        ("entries-missing", "was deleted", "the entries around it", walk.missing),
        ("entry-unreadable", "cannot be read: its page in the file is damaged", "the file itself", walk.unreadable),
        ("entry-repeated", "stands there more than once, or out of order", "the table of entries", walk.repeated),
    ):
        for first, last in ranges.runs:
            yield Finding(
                code=code, what=what, evidence=evidence, sure=Sure.EXACT, stream=stream, first=first, last=last
            )
    for seq in walk.forbidden[:MOST]:
        yield Finding(
            code="human-only-called",
            what="is a human-only decision for which the model was called; the store refuses such a row, so its rule"
            " was taken away",
            evidence="the row itself",
            sure=Sure.EXACT,
            stream=stream,
            first=seq,
            last=seq,
        )
    for seq in walk.falls[:MOST]:
        if not known.overlaps(seq - 1, seq):
            yield Finding(
                code="time-falls",
                what="is older than the entry before it, and time never falls in a stream",
                evidence="the rows themselves",
                sure=Sure.EXACT,
                stream=stream,
                first=seq,
                last=seq,
            )


# ── ends ──


def _say_ends(walk: Walk, claims: Sequence[Claim], declared: int | None, moves: Sequence[Move]) -> Iterator[Finding]:
    """Entries that are missing at the end, and entries behind it."""
    longer = [claim for claim in claims if claim.size > walk.end]
    shifted = sum(m.last - m.first + 1 for m in moves if m.how is How.DELETED)
    if longer:
        size = max(claim.size for claim in longer)
        by = max(longer, key=lambda claim: (claim.trust.rank, claim.size))
        alone = all(claim.outside for claim in longer)
        if size - walk.end != shifted:
            yield Finding(
                code="entries-missing",
                what=f"{_some(walk.end, size - 1)} cut off the end",
                evidence=f"{by.source}, which counts {by.size:,} entries",
                sure=Sure.WITNESS if alone else Sure.EXACT,
                stream=walk.stream,
                first=walk.end,
                last=size - 1,
            )
    elif walk.leftover > walk.end:
        yield Finding(
            code="entries-missing",
            what="there were once entries here; they were cut off the end",
            evidence="stored hashes over them that were left behind",
            sure=Sure.RANGE,
            stream=walk.stream,
            first=walk.end,
            last=walk.leftover - 1,
        )
    if walk.beyond is not None:
        yield _say_added(walk, walk.beyond, walk.beyond, "the gap before it")
    elif declared is not None and walk.end > declared and not any(m.how is How.INSERTED for m in moves):
        yield _say_added(walk, declared, walk.end - 1, f"the sealing of the stream at {declared:,} entries")


def _say_added(walk: Walk, first: int, last: int, evidence: str) -> Finding:
    return Finding(
        code="entries-added",
        what="stands behind the end of the stream: the ledger did not write it there",
        evidence=evidence,
        sure=Sure.EXACT,
        stream=walk.stream,
        first=first,
        last=last,
    )


def _some(first: int, last: int) -> str:
    return "an entry was" if first == last else f"{last - first + 1:,} entries were"

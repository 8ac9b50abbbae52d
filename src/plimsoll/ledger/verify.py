"""Verification: is the record whole, as it was written, and who can say so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from plimsoll.errors import StoreDamaged
from plimsoll.ledger.audit import HeadRow, LedgerFile, StreamRow
from plimsoll.ledger.checkpoint import TrustedKey
from plimsoll.ledger.evidence import Claim
from plimsoll.ledger.findings import Finding, Sure, Trust, VerifyReport
from plimsoll.ledger.judge import MOST, Judged, judge
from plimsoll.ledger.merkle import HASH, fold
from plimsoll.ledger.numbering import ROOT_STREAM
from plimsoll.ledger.places import Place, store_of
from plimsoll.ledger.recompute import Kinds, Pass, Walk, compare_upper_nodes
from plimsoll.ledger.registry import Registry
from plimsoll.ledger.store import Store
from plimsoll.ledger.vouchers import Vouched, stored_notes, witnessed_notes
from plimsoll.ledger.witness import BadLine, Witness, WitnessedNote

Progress = Callable[[int, int], None]  # entries looked at, entries there are

Witnessed = Sequence[WitnessedNote | BadLine] | None  # None: no witness was asked

_TICK = 16_384  # entries between two reports of progress


def verify_ledger(
    place: Place,
    *,
    trusted_keys: Sequence[TrustedKey] | None = None,
    witness: Witness | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Recompute a ledger from its entries, and compare it with all that was ever said of it.

    Every entry is hashed as a whole; stored hashes, heads, the root stream, signed checkpoints and the witness's notes
    are held against that. The file is read as it is at one moment; writers may go on. Memory stays at some bytes per
    256 entries. It takes about 3 seconds per million entries of 500 bytes.

    Args:
        place: the SQLite file, the address of the database, or a ledger that is open.
        trusted_keys: Ed25519 keys that checkpoints must be signed with, pinned outside the ledger; None or
            none: signatures are not checked, and the report says so.
        witness: where checkpoints were published; None: the report says what that leaves open.
        progress: told how many entries were looked at, and how many there are.

    Raises:
        StoreError: there is no file, it is locked, or the witness cannot be read. A damaged file is no error: it is
            reported.
        StoreTooNew: a later version wrote it.
        InputError: there is no such witness file.
    """
    keys = tuple(trusted_keys) if trusted_keys else None
    # Before the file: a note that is published in between would speak of entries that our moment does not hold yet.
    seen = None if witness is None else tuple(witness.read())
    store = store_of(place)
    report = _verify_once(store, keys, seen, progress, alone=True)
    if report is None:
        report = _verify_once(store, keys, seen, progress, alone=False)
    assert report is not None, "behind SQLite's locks nobody disturbs"
    return report


def _verify_once(
    store: Store, keys: Sequence[TrustedKey] | None, witnessed: Witnessed, progress: Progress | None, *, alone: bool
) -> VerifyReport | None:
    """One verification; None when a writer came to a file that was read without locks."""
    try:
        with store.audit(alone=alone) as file:
            file.check_format()
            report = Verification(file, keys, witnessed, progress).run()
            return None if file.was_disturbed() else report
    except StoreDamaged as error:
        return _unreadable(store.name, error.message)


def _unreadable(name: str, why: str) -> VerifyReport:
    finding = Finding(
        code="file-damaged", what=f"cannot be read as a ledger: {why}", evidence="the store", sure=Sure.EXACT
    )
    return VerifyReport(
        path=name, origin="", findings=(finding,), more=0, entries=0, streams=0, notes=0, witnessed=0, unsigned=0,
        unwitnessed=None, limits=("Nothing could be verified.",), remarks=(),
    )  # fmt: skip


class Verification:
    """One verification of one file; made for one use."""

    def __init__(
        self,
        file: LedgerFile,
        keys: Sequence[TrustedKey] | None,
        witnessed: Witnessed,
        progress: Progress | None,
    ) -> None:
        """Take what there is to verify and to verify it with; see `verify_ledger`."""
        self._file = file
        self._keys = keys
        self._witnessed = witnessed
        self._progress = progress
        self._findings: list[Finding] = []
        self._remarks: list[str] = []
        self._done = self._told = self._total = 0
        self._entries = self._streams = self._unsigned = self._unwitnessed = 0
        self._rows: dict[int, StreamRow] = {}
        self._heads: dict[int, HeadRow] = {}
        self._registry = Registry("")
        self._kinds = Kinds(self._registry.look)

    def run(self) -> VerifyReport:
        """All steps; each goes on where another has met a damaged page."""
        origin: str | None = None
        with self._step("the list of tables"):
            self._check_schema()
        with self._step("the list of streams"):
            origin = self._file.meta("origin")
            self._rows = {row.number: row for row in self._file.streams()}
        with self._step("the list of heads"):
            self._heads = self._file.heads()
        stored = Vouched(claims=(), findings=())
        with self._step("the checkpoints"):
            stored = stored_notes(self._file.notes(), self._keys, origin)
        origin = origin or stored.origin
        seen = Vouched(claims=(), findings=())
        if self._witnessed is not None:
            seen = witnessed_notes(self._witnessed, self._keys, origin)
        self._findings += [*stored.findings, *seen.findings]
        self._remarks += seen.remarks
        root = self._check_root((*stored.claims, *seen.claims))
        self._check_streams(lambda at: _trust_of(root, at))
        with self._step("the index of kinds"):
            self._check_index()
        with self._step("the subjects"):
            self._check_erasures()
        self._told = 0
        self._tick(0)
        return VerifyReport(
            path=str(self._file.path),
            origin=origin or "",
            findings=tuple(self._findings[:MOST]),
            more=max(0, len(self._findings) - MOST),
            entries=self._entries,
            streams=self._streams,
            notes=len(stored.claims),
            witnessed=len(seen.claims),
            unsigned=self._unsigned,
            unwitnessed=None if self._witnessed is None else self._unwitnessed,
            limits=tuple(self._limits(stored, seen)),
            remarks=tuple(self._remarks),
        )

    @contextlib.contextmanager
    def _step(self, what: str) -> Iterator[None]:
        """A damaged page ends this step and no other."""
        try:
            yield
        except StoreDamaged as error:
            self._find("file-damaged", f"{what} cannot be read: {error.message}", self._file.engine)

    def _find(self, code: str, what: str, evidence: str, *, stream: str = "") -> None:
        self._findings.append(Finding(code=code, what=what, evidence=evidence, sure=Sure.EXACT, stream=stream))

    def _tick(self, more: int) -> None:
        self._done += more
        if self._progress is not None and self._done >= self._told:
            self._told = self._done + _TICK
            self._progress(self._done, max(self._total, self._done))

    # ── the file ──

    def _check_schema(self) -> None:
        for difference in self._file.schema_differences():
            self._find(
                "schema-changed",
                f"{difference}: a rule of the store may have been taken away, or one of somebody else's added",
                "the list of tables",
            )

    def _check_index(self) -> None:
        """An entry that is left out of the index is not found by those who look for its kind."""
        theirs, ours = self._file.kinds_by_index(), self._kinds.sums
        for kind in sorted(theirs.keys() | ours.keys(), key=str):
            if theirs.get(kind) != ours.get(kind):
                self._find(
                    "index-altered",
                    f"the index of entries does not hold the {kind!a} entries that the table holds",
                    "both, compared",
                )

    def _check_erasures(self) -> None:
        for number in self._file.erased_subjects():
            if number not in self._registry.erased:
                self._find(
                    "key-destroyed",
                    f"the key of subject {number:x} was destroyed, and no 'erased' entry says by whom",
                    "the table of subjects",
                )

    # ── streams ──

    def _check_root(self, claims: Sequence[Claim]) -> Judged | None:
        """The root stream, by what is said of it outside of it."""
        row = self._rows.get(ROOT_STREAM)
        self._total = sum(head.size for head in self._heads.values()) + sum(r.size or 0 for r in self._rows.values())
        if row is None:
            self._find("stream-missing", "the root stream is gone: nothing says which streams there were", "the store")
            return None
        with self._step("the id of the root stream"):
            if self._file.meta("root") != row.id:
                self._find("stream-altered", "the root stream does not have the id that the file gives it", "the store")
        self._registry.root = row.id
        return self._check_stream(row, claims)

    def _check_streams(self, trust_of: Callable[[int], Trust | None]) -> None:
        registry = self._registry
        self._findings += registry.broken
        for row in self._rows.values():
            if row.number != ROOT_STREAM:
                self._check_stream(row, [*registry.claims(row.id, trust_of)])
                self._check_row(row)
        known = {row.id for row in self._rows.values()}
        for stream in sorted(registry.streams - known):
            size = max((claim.size for claim in registry.claims(stream, trust_of)), default=0)
            lost = f"{size:,} entries at least" if size else "nothing says how many entries"
            at, _ = registry.opened.get(stream, (0, None))
            self._find(
                "stream-missing",
                f"the whole stream is gone: {lost}",
                f"entry {registry.root}-{at}, which opened it",
                stream=stream,
            )
        with self._step("the table of entries"):
            for number in self._file.written_streams():
                if number not in self._rows:
                    self._find(
                        "entries-added", f"there are entries of a stream number {number} that does not exist",
                        "the table of entries",
                    )  # fmt: skip

    def _check_stream(self, row: StreamRow, claims: Sequence[Claim]) -> Judged | None:
        """Walk one stream and hold it against what was said of it."""
        self._streams += 1
        head = self._heads.get(row.number)
        said = [*claims, *self._own_claims(row, head)]
        sealed = self._registry.sealed.get(row.id)
        declared = sealed.size if sealed else row.size  # a stream that grows may be longer than its head says
        walk = Walk(row.number, row.id)
        end = max((claim.size for claim in said), default=0)
        with self._step(f"the end of stream {row.id}"):
            end = self._file.end_of(row.number)
        Pass(self._file, walk, [claim.size for claim in said], self._kinds, self._tick).run(end)
        with self._step(f"the stored hashes of stream {row.id}"):
            compare_upper_nodes(self._file, walk, MOST)
        judged = judge(self._file, walk, said, declared)
        self._findings += judged.findings
        self._remarks += judged.remarks
        self._entries += walk.entries
        signed = Trust.UNCHECKED if self._keys is None else Trust.SIGNED
        self._unsigned += max(0, walk.end - judged.confirmed.get(signed, 0))
        self._unwitnessed += max(0, walk.end - judged.confirmed.get(Trust.WITNESSED, 0))
        return judged

    def _own_claims(self, row: StreamRow, head: HeadRow | None) -> Iterator[Claim]:
        """What the store itself says of a stream; the weakest of words."""
        if row.size is not None:
            yield Claim(size=row.size, root=row.root or b"", trust=Trust.STORE, source="the stream's row in the store")
        elif head is not None:
            peaks = [head.frontier[at : at + HASH] for at in range(0, len(head.frontier), HASH)]
            root = fold(peaks) if len(head.frontier) == head.size.bit_count() * HASH else b""
            yield Claim(size=head.size, root=root, trust=Trust.STORE, source="the stream's head in the store")
        else:
            self._find("stream-altered", "neither a head nor an end is stored", "the store", stream=row.id)

    def _check_row(self, row: StreamRow) -> None:
        """The row of a stream against its registration."""
        opened = self._registry.opened.get(row.id)
        if opened is None:
            self._find(
                "stream-unregistered", "the root stream knows of no such stream", "the root stream", stream=row.id
            )
            return
        at, record = opened
        evidence = f"entry {self._registry.root}-{at}"
        if record.durability != row.durability:
            self._find(
                "stream-altered", f"is marked {row.durability}, was opened {record.durability}", evidence, stream=row.id
            )
        sealed = self._registry.sealed.get(row.id)
        if (sealed is None) != (row.size is None):
            said = "was sealed, and the store says that it grows" if sealed else "is marked as sealed, and never was"
            self._find(
                "stream-altered",
                said,
                f"entry {self._registry.root}-{sealed.at}" if sealed else "the root stream",
                stream=row.id,
            )

    # ── what it comes to ──

    def _limits(self, stored: Vouched, seen: Vouched) -> Iterator[str]:
        """What was not, and could not be, told."""
        if self._keys is None:
            yield (
                "No key is pinned, so no signature was checked: whoever can write the file could have rewritten all of"
                " it and signed it with a key of their own."
            )
        if not stored.claims:
            yield (
                "There is no signed checkpoint that counts: only the store's own hashes speak for the entries, and"
                " whoever can write the file can write those."
            )
        elif self._unsigned:
            yield (
                f"{_entries(self._unsigned)} newer than the last signed checkpoint: for those only the store's own"
                " hashes speak, and whoever can write the file could alter or cut them off."
            )
        if self._witnessed is None:
            yield (
                "No witness was asked: a ledger that was cut back to an earlier signed checkpoint, set back to an"
                " earlier copy of itself, or rewritten as a whole with its own key would go unnoticed."
            )
        elif not seen.claims:
            yield (
                "The witness keeps no checkpoint of this log that counts: a ledger set back to an earlier copy of"
                " itself, or rewritten with its own key, would go unnoticed."
            )
        elif self._unwitnessed:
            yield (
                f"{_entries(self._unwitnessed)} newer than the last witnessed checkpoint: whoever holds the ledger's"
                " key could still rewrite or cut off those unnoticed."
            )
        yield "Keys, reservations and views are not part of the record and were not verified; views can be rebuilt."


def _entries(count: int) -> str:
    return f"{count:,} entry is" if count == 1 else f"{count:,} entries are"


def _trust_of(root: Judged | None, at: int) -> Trust | None:
    """Who speaks for an entry of the root stream; None when it is suspect itself."""
    if root is None or root.suspects.overlaps(at, at):
        return None
    strong = (Trust.WITNESSED, Trust.SIGNED, Trust.UNCHECKED)
    return next((trust for trust in strong if at < root.confirmed.get(trust, 0)), Trust.ROOT_STREAM)

"""What the root stream says of all other streams: opened here, so long at that time, closed there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

import msgspec

from plimsoll.ledger.evidence import Claim
from plimsoll.ledger.findings import Finding, Sure, Trust
from plimsoll.ledger.keys import subject_number
from plimsoll.ledger.numbering import ROOT_STREAM, Row
from plimsoll.ledger.records import Heads, StreamOpened, StreamSealed

_KIND, _SUBJECT, _BODY = 2, 4, 11  # columns of a `Row`

TrustOf = Callable[[int], Trust | None]  # who speaks for an entry of the root stream; None: it is suspect itself


class Word(msgspec.Struct, frozen=True):
    """A size and root that an entry of the root stream gives for a stream."""

    at: int  # position in the root stream
    size: int
    root: bytes


def _word(at: int, size: int, root: str) -> Word:
    if size < 0:
        raise ValueError("a size below 0")
    return Word(at, size, bytes.fromhex(root))


class Registry:
    """Filled with the rows of rare kinds, while the streams are walked; the root stream first."""

    def __init__(self, root: str) -> None:
        """Begin with the id of the root stream."""
        self.root = root
        self.opened: dict[str, tuple[int, StreamOpened]] = {}
        self.sealed: dict[str, Word] = {}
        self.erased: set[int] = set()  # numbers of subjects
        self.broken: list[Finding] = []
        self._heads: defaultdict[str, list[Word]] = defaultdict(list)

    def look(self, number: int, row: Row) -> None:
        """Take one row."""
        if row[_KIND] == "erased":
            self.erased.add(subject_number(str(row[_SUBJECT])))
        if number != ROOT_STREAM:
            return  # anybody may write an entry of this kind elsewhere; here, only the ledger does
        try:
            self._take(row[0], row[_KIND], row[_BODY])
        except (msgspec.DecodeError, ValueError, TypeError):
            self.broken.append(
                Finding(
                    code="registry-broken",
                    what=f"is a {row[_KIND]!a} entry that cannot be read",
                    evidence="its body",
                    sure=Sure.EXACT,
                    stream=self.root,
                    first=row[0],
                    last=row[0],
                )
            )

    def _take(self, at: int, kind: str, body: bytes) -> None:
        if kind == "stream.opened":
            record = msgspec.json.decode(body, type=StreamOpened)
            self.opened.setdefault(record.stream, (at, record))
        elif kind == "stream.sealed":
            end = msgspec.json.decode(body, type=StreamSealed)
            self.sealed.setdefault(end.stream, _word(at, end.size, end.root))
        elif kind == "checkpoint":
            for head in msgspec.json.decode(body, type=Heads).heads:
                self._heads[head.stream].append(_word(at, head.size, head.root))

    @property
    def streams(self) -> set[str]:
        """Ids of all streams that are spoken of."""
        return {*self.opened, *self.sealed, *self._heads}

    def claims(self, stream: str, trust_of: TrustOf) -> Iterator[Claim]:
        """What was said of one stream, as far as it is not suspect itself."""
        words = [(word, "the checkpoint") for word in self._heads.get(stream, ())]
        if stream in self.sealed:
            words.append((self.sealed[stream], "the sealing"))
        for word, what in words:
            trust = trust_of(word.at)
            if trust is not None:
                by = "" if trust is Trust.ROOT_STREAM else f", for which {trust} speaks"
                source = f"{what} in entry {self.root}-{word.at}{by}"
                yield Claim(size=word.size, root=word.root, trust=trust, source=source)

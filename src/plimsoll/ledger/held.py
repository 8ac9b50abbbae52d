"""Since when a witness holds an entry: the first checkpoint over it that was published outside the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from plimsoll.errors import VerificationFailed
from plimsoll.ledger.checkpoint import TrustedKey, open_note
from plimsoll.ledger.entry import Entry
from plimsoll.ledger.merkle import tree_root
from plimsoll.ledger.reading import Reading
from plimsoll.ledger.records import Heads, StreamSealed
from plimsoll.ledger.witness import Witness, WitnessedNote

_SKEW_NS: Final = 300 * 1_000_000_000  # clocks of two machines that write to one store differ by no more


def held_since(
    ledger: Reading, witness: Witness, entries: Sequence[Entry], keys: Sequence[TrustedKey]
) -> Mapping[str, int]:
    """When the first checkpoint was made that holds an entry and that the witness has.

    A checkpoint has no time of its own. Its moment is that of the last entry of the root stream that it covers, which
    nobody can change once the witness holds it. It is the ledger's own time: how much later the note was published, the
    witness does not say.

    Args:
        ledger: where the entries are.
        witness: where its checkpoints are published.
        entries: of streams other than the root stream.
        keys: that a checkpoint must be signed with.

    Returns:
        Entry id -> UTC nanoseconds since the epoch; an entry that no witnessed checkpoint holds is not in it.

    Raises:
        InputError, StoreError: the witness, or the ledger, cannot be read.
    """
    origin, root = ledger.reader.meta("origin"), ledger.reader.meta("root")
    if origin is None or root is None or not entries:
        return {}
    notes = sorted(
        (n for n in witness.read() if isinstance(n, WitnessedNote) and n.checkpoint.origin == origin),
        key=lambda n: n.checkpoint.size,
    )
    found: dict[str, int] = {}
    for id_, at in _recorded(ledger, root, entries).items():
        covering = (n for n in notes if n.checkpoint.size > at and _is_of(ledger, root, n, keys))
        note = next(covering, None)
        last = None if note is None else ledger.reader.get(root, note.checkpoint.size - 1)
        if last is not None:
            found[id_] = last.time_ns
    return found


def _recorded(ledger: Reading, root: str, entries: Sequence[Entry]) -> dict[str, int]:
    """Entry id -> position in the root stream of the first record that says its stream was longer than it."""
    wanted = {entry.id: entry for entry in entries}
    found: dict[str, int] = {}
    start = _first_at(ledger, root, min(entry.time_ns for entry in entries) - _SKEW_NS)
    # From the start only where clocks have gone so wrong that nothing was found behind the entries.
    for begin in dict.fromkeys((start, 0)):
        for at, sizes in _sizes(ledger, root, begin):
            for id_, entry in wanted.items():
                if id_ not in found and sizes.get(entry.stream, 0) > entry.seq:
                    found[id_] = at
            if len(found) == len(wanted):
                return found
    return found


def _sizes(ledger: Reading, root: str, begin: int) -> Iterator[tuple[int, dict[str, int]]]:
    """Each record of the root stream that tells how long other streams are, from a position on."""
    after = {root: begin - 1} if begin else None
    for entry in ledger.entries(kinds=("checkpoint", "stream.sealed"), after=after):
        if entry.stream != root:
            continue  # anybody may write an entry of this kind elsewhere; here, only the ledger does
        try:
            if entry.kind == "checkpoint":
                heads = msgspec.json.decode(entry.body, type=Heads).heads
                yield entry.seq, {head.stream: head.size for head in heads}
            else:
                sealed = msgspec.json.decode(entry.body, type=StreamSealed)
                yield entry.seq, {sealed.stream: sealed.size}
        except msgspec.DecodeError:
            continue  # altered: it says nothing; verification names it


def _first_at(ledger: Reading, root: str, time_ns: int) -> int:
    """The first position of the root stream that is not older than a moment; times never fall within a stream."""
    number = ledger.reader.number_of(root)
    low, high = 0, 0 if number is None else ledger.reader.sizes().get(number, 0)
    while low < high:
        middle = (low + high) // 2
        entry = ledger.reader.get(root, middle)
        if entry is None or entry.time_ns < time_ns:
            low = middle + 1
        else:
            high = middle
    return low


def _is_of(ledger: Reading, root: str, note: WitnessedNote, keys: Sequence[TrustedKey]) -> bool:
    """Whether a note is signed by a key that counts, and is about this very root stream."""
    number = ledger.reader.number_of(root)
    try:
        said = open_note(note.note, keys).checkpoint
        return number is not None and tree_root(ledger.reader.nodes(number), said.size) == said.root
    except (VerificationFailed, LookupError):
        return False

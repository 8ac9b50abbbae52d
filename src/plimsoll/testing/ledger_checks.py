"""What must be true of any ledger, asked of one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from plimsoll.errors import PlimsollError
from plimsoll.ledger import Draft, Entry, Header, Ledger
from plimsoll.ledger.entry import frame
from plimsoll.ledger.merkle import check_inclusion, inclusion_proof, leaf_hash, tree_root


def decision(body: bytes = b"{}", *, tier: str = "reviewed", called: bool = True, **more: Any) -> Draft:
    """A decision's draft."""
    header = Header(type="read-amount", tier=tier, called=called, disposition="answered")
    return Draft(kind="decision", system="claims-reader", body=body, header=header, **more)


@contextlib.contextmanager
def refused(kind: type[PlimsollError]) -> Iterator[list[PlimsollError]]:
    """Expect an error; it is in the list afterwards."""
    caught: list[PlimsollError] = []
    try:
        yield caught
    except kind as error:
        caught.append(error)
    assert caught, f"no {kind.__name__} was raised"


def wait_until(condition: Callable[[], bool], *, seconds: float = 5.0) -> None:
    """Wait for something that another thread does."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.005)


def recomputed_leaf(entry: Entry) -> bytes:
    """The leaf hash that an entry must have, from what was read back."""
    header = entry.header
    return leaf_hash(
        frame(
            entry.stream,
            entry.seq,
            entry.time_ns,
            entry.kind,
            entry.system,
            entry.subject,
            " ".join(entry.refs),
            header.type if header else "",
            header.tier if header else "",
            int(header.called) if header else 0,
            header.disposition if header else "",
            int(entry.sealed),
            entry.body,
        )
    )


def check_trees(ledger: Ledger) -> None:
    """Every entry of every stream has its leaf, is proved by the stored hashes, and follows its predecessor in time."""
    reader = ledger.reader
    sizes = reader.sizes()
    for row in reader.streams():
        entries = list(reader.entries(until={row.number: sizes[row.number]}))
        size = len(entries)
        assert [entry.seq for entry in entries] == list(range(size)), "positions have a gap"
        assert all(a.time_ns <= b.time_ns for a, b in pairwise(entries)), "time falls"
        if not size:
            continue
        nodes = reader.nodes(row.number)
        root = tree_root(nodes, size)
        assert row.root in (None, root), "the stream was sealed with another root"
        assert row.size in (None, size), "the stream was sealed with another size"
        step = max(1, size // 50)
        for entry in entries:
            assert nodes.leaf(entry.seq) == recomputed_leaf(entry), "a leaf is not that of its entry"
            if entry.seq % step == 0:
                proof = inclusion_proof(nodes, entry.seq, size)
                assert check_inclusion(recomputed_leaf(entry), entry.seq, size, proof, root), "a proof does not hold"

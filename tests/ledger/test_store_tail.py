"""The growing edge of a tree, and what is stored of it, agree with the tree itself."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.ledger import Ledger
from plimsoll.ledger.merkle import (
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    tile_nodes,
    tree_root,
)
from plimsoll.ledger.tail import Tail, root_of
from plimsoll.testing.store import decision


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.one_of(st.integers(0, 5), st.integers(200, 900)), max_size=12))
def test_the_edge_has_the_trees_root_at_every_size_and_stores_what_is_complete(steps: list[int]) -> None:
    tail, frontier, leaves = Tail(), Frontier(), []
    tiles, nodes = {}, {}
    for step in steps:
        fresh = [os.urandom(32) for _ in range(step)]
        leaves += fresh
        grown = tail.extend(fresh)
        frontier.extend(fresh)
        assert tail.size == frontier.size
        assert tail.peaks() == frontier.stack
        assert tail.root() == frontier.root() == root_of(frontier.stack)
        if grown is not None:
            tiles.update(grown.tiles)
            nodes.update({(level, index): digest for level, index, digest in grown.nodes})
    full = len(leaves) // 256
    assert sorted(tiles) == list(range(full))
    for index in range(full):
        interior, top = tile_nodes(leaves[index * 256 : index * 256 + 256])
        assert tiles[index] == interior
        assert nodes[8, index] == top
    for (level, index), digest in nodes.items():
        part = Frontier()
        part.extend(leaves[index << level : (index + 1) << level])
        assert digest == part.root()


def test_an_edge_that_cannot_be_is_refused() -> None:
    for size, peaks, leaves in ((1, [], []), (256, [], []), (256, [bytes(32)], [bytes(32)])):
        with pytest.raises(ValueError, match="no such edge"):
            Tail(size, peaks, leaves)


def test_every_proof_over_stored_hashes_holds_across_reopening_and_tiles(tmp_path: Path) -> None:
    roots: dict[int, bytes] = {}
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        for count in (1, 254, 1, 1, 255, 256, 300, 700, 33):
            last = ledger.transact([decision(os.urandom(8)) for _ in range(count)])[-1]
            stream, _, seq = last.partition("-")
            number = ledger.reader.number_of(stream)
            assert number is not None
            nodes = ledger.reader.nodes(number)
            size = int(seq) + 1
            roots[size] = tree_root(nodes, size)
            edge = ledger.reader.tail(number, size)
            assert edge.root() == roots[size]
            for index in {0, size // 3, size - 1}:
                proof = inclusion_proof(nodes, index, size)
                assert check_inclusion(nodes.leaf(index), index, size, proof, roots[size])
            for old, root in roots.items():
                assert check_consistency(old, size, consistency_proof(nodes, old, size), root, roots[size])


def test_a_hash_that_is_not_stored_is_named(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        ledger.transact([decision()] * 10)
        nodes = ledger.reader.nodes(2)
        for missing in (lambda: nodes.leaf(10), lambda: nodes.node(2, 2), lambda: nodes.node(8, 0)):
            with pytest.raises(LookupError, match="not"):
                missing()

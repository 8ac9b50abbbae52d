"""RFC 9162 trees, against published vectors and against pymerkle, an independent implementation."""

from __future__ import annotations

from collections.abc import Sequence

import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.ledger.merkle import (
    EMPTY_ROOT,
    TILE,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tile_node,
    tile_nodes,
    tree_root,
)

# The inputs, roots and proofs that the certificate-transparency implementations share as test data (RFC 6962).
INPUTS = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): ("96a296d224f285c6", "5f083f0a1a33ca07", "6b47aaf29ee3c2af"),
    (5, 8): ("bc1a0643b12e4d2d", "ca854ea128ed050b", "d37ee418976dd957"),
    (2, 3): ("fac54203e7cc696c",),
    (1, 5): ("6e340b9cffb37a98", "5f083f0a1a33ca07", "bc1a0643b12e4d2d"),
    (0, 1): (),
}
CONSISTENCY = {
    (1, 8): ("96a296d224f285c6", "5f083f0a1a33ca07", "6b47aaf29ee3c2af"),
    (6, 8): ("0ebc5d3437fbe2db", "ca854ea128ed050b", "d37ee418976dd957"),
    (2, 5): ("5f083f0a1a33ca07", "bc1a0643b12e4d2d"),
    (1, 1): (),
}


class Levels:
    """Every complete aligned subtree of a list of leaves, in memory; counts how often it is read."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.levels = [list(leaves)]
        self.reads = 0
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            self.levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])

    def leaf(self, index: int) -> bytes:
        return self.node(0, index)

    def node(self, level: int, index: int) -> bytes:
        assert index >= 0
        self.reads += 1
        return self.levels[level][index]


def some_leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % n) for n in range(count)]


def root_of(leaves: Sequence[bytes]) -> bytes:
    frontier = Frontier()
    for leaf in leaves:
        frontier.push(leaf)
    return frontier.root()


MANY = some_leaves(1_500)
MANY_LEVELS = Levels(MANY)


def test_roots_are_the_published_ones() -> None:
    assert [root_of([leaf_hash(data) for data in INPUTS[:size]]).hex() for size in range(9)] == ROOTS
    assert EMPTY_ROOT.hex() == ROOTS[0]


@pytest.mark.parametrize("at", INCLUSION)
def test_inclusion_proofs_are_the_published_ones(at: tuple[int, int]) -> None:
    index, size = at
    leaves = [leaf_hash(data) for data in INPUTS]
    path = inclusion_proof(Levels(leaves), index, size)
    assert tuple(node.hex()[:16] for node in path) == INCLUSION[at]
    assert check_inclusion(leaves[index], index, size, path, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize("at", CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(at: tuple[int, int]) -> None:
    old, new = at
    path = consistency_proof(Levels([leaf_hash(data) for data in INPUTS]), old, new)
    assert tuple(node.hex()[:16] for node in path) == CONSISTENCY[at]
    assert check_consistency(old, new, path, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new]))


def test_pymerkle_has_the_same_roots_and_accepts_our_proofs() -> None:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for n in range(300):
        tree.append_entry(b"%d" % n)
    reader = Levels(some_leaves(300))
    for size in (1, 2, 3, 7, 8, 9, 100, 255, 256, 257, 300):
        root = tree_root(reader, size)
        assert root == tree.get_root(size)
        for index in {0, 1, size // 2, size - 1}:
            if index < size:
                path = inclusion_proof(reader, index, size)
                theirs = tree.prove_inclusion(index + 1, size).path
                assert [leaf_hash(b"%d" % index), *path] == theirs
        for old in {1, size // 3 + 1, size - 1, size}:
            if 1 <= old <= size:
                ours = consistency_proof(reader, old, size)
                proof = tree.prove_consistency(old, size)
                pymerkle.verify_consistency(tree.get_root(old), root, proof)
                assert check_consistency(old, size, ours, tree.get_root(old), root)


@given(st.lists(st.integers(0, 700), max_size=6))
@settings(max_examples=60, deadline=None)
def test_extending_in_any_portions_is_pushing_one_by_one(portions: list[int]) -> None:
    many, one, at = Frontier(), Frontier(), 0
    for portion in portions:
        leaves = [leaf_hash(b"%d" % n) for n in range(at, at + portion)]
        at += portion
        many.extend(leaves)
        for leaf in leaves:
            one.push(leaf)
        assert (many.size, many.stack) == (one.size, one.stack)
        assert many.root() == one.root()


@given(st.integers(0, 1_500), st.integers(0, 1_500))
@settings(max_examples=150, deadline=None)
def test_every_tree_is_the_beginning_of_every_later_one(first: int, second: int) -> None:
    old, new = sorted((first, second))
    path = consistency_proof(MANY_LEVELS, old, new)
    assert check_consistency(old, new, path, tree_root(MANY_LEVELS, old), tree_root(MANY_LEVELS, new))
    frontier = frontier_at(MANY_LEVELS, old)
    frontier.extend(MANY[old:new])
    assert frontier.root() == tree_root(MANY_LEVELS, new)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_forged_inclusion_proof_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 1_500))
    index = data.draw(st.integers(0, size - 1))
    root, leaf = tree_root(MANY_LEVELS, size), MANY[index]
    path = inclusion_proof(MANY_LEVELS, index, size)
    assert check_inclusion(leaf, index, size, path, root)

    assert not check_inclusion(leaf_hash(b"forged"), index, size, path, root)
    assert not check_inclusion(leaf, index, size, path, leaf_hash(b"another root"))
    assert not check_inclusion(leaf, index, size, [*path, root], root)
    assert not check_inclusion(leaf, size, size, path, root)
    assert not check_inclusion(leaf, -1, size, path, root)
    other = data.draw(st.integers(0, size - 1))
    assert check_inclusion(leaf, other, size, path, root) == (other == index)
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        assert not check_inclusion(leaf, index, size, path[:at] + path[at + 1 :], root)
        assert not check_inclusion(leaf, index, size, [*path[:at], leaf_hash(path[at]), *path[at + 1 :]], root)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_forged_consistency_proof_is_refused(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 1_500))
    old = data.draw(st.integers(1, new - 1))
    old_root, new_root = tree_root(MANY_LEVELS, old), tree_root(MANY_LEVELS, new)
    path = consistency_proof(MANY_LEVELS, old, new)

    assert not check_consistency(old, new, path, leaf_hash(b"x"), new_root)
    assert not check_consistency(old, new, path, old_root, leaf_hash(b"x"))
    assert not check_consistency(old, new, [], old_root, new_root)
    assert not check_consistency(old, new, [*path, new_root], old_root, new_root)
    assert not check_consistency(new, old, path, new_root, old_root)
    at = data.draw(st.integers(0, len(path) - 1))
    assert not check_consistency(old, new, path[:at] + path[at + 1 :], old_root, new_root)
    assert not check_consistency(old, new, [*path[:at], leaf_hash(path[at]), *path[at + 1 :]], old_root, new_root)


def test_a_tree_that_shares_only_part_of_the_beginning_is_not_consistent() -> None:
    rewritten = [*MANY[:700], leaf_hash(b"rewritten"), *MANY[701:1_200]]
    reader = Levels(rewritten)
    for old in (701, 704, 1_000, 1_024, 1_199):
        path = consistency_proof(reader, old, 1_200)
        assert not check_consistency(old, 1_200, path, tree_root(MANY_LEVELS, old), tree_root(reader, 1_200))


def test_the_empty_tree_is_the_beginning_of_every_tree() -> None:
    root = tree_root(MANY_LEVELS, 5)
    assert consistency_proof(MANY_LEVELS, 0, 5) == []
    assert check_consistency(0, 5, [], EMPTY_ROOT, root)
    assert not check_consistency(0, 5, [], root, root)
    assert not check_consistency(0, 5, [root], EMPTY_ROOT, root)
    assert check_consistency(5, 5, [], root, root)
    assert not check_consistency(5, 5, [], leaf_hash(b"x"), root)


def test_a_node_cannot_be_passed_off_as_a_leaf() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


def test_proofs_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_proof(MANY_LEVELS, 5, 5)
    with pytest.raises(ValueError, match="not the beginning"):
        consistency_proof(MANY_LEVELS, 6, 5)
    with pytest.raises(ValueError, match="cannot have"):
        Frontier(3, [b""])


def test_a_proof_reads_logarithmically_many_nodes() -> None:
    size = len(MANY)
    for index in range(0, size, 37):
        MANY_LEVELS.reads = 0
        path = inclusion_proof(MANY_LEVELS, index, size)
        assert len(path) <= 11
        assert MANY_LEVELS.reads <= 22
        MANY_LEVELS.reads = 0
        consistency_proof(MANY_LEVELS, index, size)
        assert MANY_LEVELS.reads <= 23


def test_a_tile_holds_every_interior_hash_of_its_leaves() -> None:
    leaves = some_leaves(TILE)
    interior, root = tile_nodes(leaves)
    reader = Levels(leaves)
    assert len(interior) == 254 * 32
    assert root == reader.node(8, 0) == root_of(leaves)
    for level in range(1, 8):
        for index in range(TILE >> level):
            assert tile_node(interior, level, index) == reader.node(level, index)
    with pytest.raises(ValueError, match="256"):
        tile_nodes(leaves[:-1])


def test_tiles_of_tile_roots_are_the_levels_above() -> None:
    leaves = some_leaves(TILE * TILE)
    tiles = [tile_nodes(leaves[at : at + TILE])[1] for at in range(0, len(leaves), TILE)]
    frontier = Frontier()
    frontier.extend(leaves)
    assert tile_nodes(tiles)[1] == frontier.root()

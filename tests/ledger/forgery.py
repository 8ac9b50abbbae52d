"""What an attacker with patience does to a ledger's file: make the hashes fit again, and sign them.

It shares the tree's arithmetic with the ledger and nothing of how the ledger writes.
"""

from __future__ import annotations

import sqlite3

import msgspec

from plimsoll.ledger.checkpoint import Signer, note_text, sign_note
from plimsoll.ledger.entry import frame
from plimsoll.ledger.merkle import Frontier, leaf_hash, node_hash, tile_nodes

SHIFT = 40
ROOT = 1  # number of the root stream
A = 2  # number of the first stream that a process opens


def key_of(seq: int, number: int = A) -> int:
    return number << SHIFT | seq


def leaves_of(con: sqlite3.Connection, number: int) -> list[bytes]:
    (stream,) = con.execute("SELECT id FROM streams WHERE number=?", (number,)).fetchone()
    rows = con.execute(
        "SELECT id & ?,time_ns,kind,system,subject,refs,type,tier,called,disposition,sealed,body FROM entries"
        " WHERE id>=? AND id<? ORDER BY id",
        ((1 << SHIFT) - 1, number << SHIFT, (number + 1) << SHIFT),
    ).fetchall()
    assert [row[0] for row in rows] == list(range(len(rows)))
    return [leaf_hash(frame(stream, *row)) for row in rows]


def fit_leaves(con: sqlite3.Connection, number: int = A) -> None:
    leaves = leaves_of(con, number)
    con.executemany(
        "UPDATE entries SET leaf=? WHERE id=?", [(leaf, key_of(at, number)) for at, leaf in enumerate(leaves)]
    )


def fit_tiles(con: sqlite3.Connection, number: int = A) -> None:
    fit_leaves(con, number)
    leaves = leaves_of(con, number)
    con.execute("DELETE FROM tiles WHERE id>=? AND id<?", (number << SHIFT, (number + 1) << SHIFT))
    for at in range(len(leaves) // 256):
        interior, _ = tile_nodes(leaves[at * 256 : at * 256 + 256])
        con.execute("INSERT INTO tiles VALUES (?,?)", (key_of(at, number), interior))


def fit_nodes(con: sqlite3.Connection, number: int = A) -> None:
    fit_tiles(con, number)
    leaves = leaves_of(con, number)
    con.execute("DELETE FROM nodes WHERE id>=? AND id<?", (number << SHIFT, (number + 1) << SHIFT))
    level = [tile_nodes(leaves[at : at + 256])[1] for at in range(0, len(leaves) - 255, 256)]
    depth = 0
    while level:
        for at, digest in enumerate(level):
            con.execute("INSERT INTO nodes VALUES (?,?)", (number << SHIFT | depth << 34 | at, digest))
        level = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        depth += 1


def fit_head(con: sqlite3.Connection, number: int = A) -> None:
    fit_nodes(con, number)
    frontier = Frontier()
    frontier.extend(leaves_of(con, number))
    con.execute("UPDATE heads SET size=?,frontier=? WHERE stream=?", (frontier.size, b"".join(frontier.stack), number))
    con.execute(
        "UPDATE streams SET size=?,root=? WHERE number=? AND size IS NOT NULL",
        (frontier.size, frontier.root(), number),
    )


def fit_root(con: sqlite3.Connection) -> list[tuple[int, bytes]]:
    """Make the root stream say what is there now; its roots at the sizes of its checkpoints."""
    numbers = dict(con.execute("SELECT id,number FROM streams").fetchall())
    for seq, kind, body in con.execute(
        "SELECT id & ?,kind,body FROM entries WHERE id<? ORDER BY id", ((1 << SHIFT) - 1, 2 << SHIFT)
    ).fetchall():
        said = msgspec.json.decode(body)
        for head in said["heads"] if kind == "checkpoint" else [said] if kind == "stream.sealed" else []:
            leaves = leaves_of(con, numbers[head["stream"]])
            frontier = Frontier()
            frontier.extend(leaves[: head["size"]])
            head["size"], head["root"] = frontier.size, frontier.root().hex()
        con.execute("UPDATE entries SET body=? WHERE id=?", (msgspec.json.encode(said), key_of(seq, ROOT)))
    fit_head(con, ROOT)
    sizes = [size for (size,) in con.execute("SELECT size FROM notes ORDER BY size")]
    leaves, frontier, roots = leaves_of(con, ROOT), Frontier(), []
    for size in sizes:
        frontier.extend(leaves[frontier.size : size])
        roots.append((size, frontier.root()))
    return roots


def sign_again(con: sqlite3.Connection, key: Signer) -> None:
    """Sign what the root stream says now."""
    (origin,) = con.execute("SELECT value FROM meta WHERE key='origin'").fetchone()
    for size, root in fit_root(con):
        con.execute("UPDATE notes SET note=? WHERE size=?", (sign_note(note_text(origin, size, root), key), size))

"""The file: its tables, how it is made and opened, and what SQLite's errors mean to us."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from plimsoll.errors import (
    Refused,
    StoreClosed,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreTooNew,
)
from plimsoll.ledger.entry import FORMAT
from plimsoll.ledger.ids import new_id
from plimsoll.ledger.numbering import ROOT_STREAM

Connection = sqlite3.Connection
DatabaseError = sqlite3.Error

# Against SQLite's 4,096: a tile fits into one page, decisions of 1,500 bytes take a fifth less space, and appending in
# hundreds is a tenth faster; a single commit costs 1 to 3% more. 16,384 costs a single commit a fifth.
_PAGE_SIZE: Final = 8192
_APPLICATION: Final = 0x504C_494D  # "PLIM": lets `file` and other tools name the format

_SCHEMA: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    # window_ms and most: what a crash may lose of a batched stream; size and root: filled in when it is sealed
    """CREATE TABLE streams (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, opened_ns INTEGER NOT NULL,
        owner TEXT NOT NULL, durability TEXT NOT NULL, window_ms REAL NOT NULL, most INTEGER NOT NULL,
        sealed_ns INTEGER, size INTEGER, root BLOB) STRICT""",
    # one row per stream that still grows: how it stood at its last full tile or checkpoint (it may have grown since:
    # to write this with every group would cost a durable commit 8% more); noted: its size at the last checkpoint
    """CREATE TABLE heads (stream INTEGER PRIMARY KEY, size INTEGER NOT NULL, time_ns INTEGER NOT NULL,
        frontier BLOB NOT NULL, noted INTEGER NOT NULL DEFAULT 0) STRICT""",
    # the body last: what stands behind a body of megabytes is only reached through all of its pages
    """CREATE TABLE entries (id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, kind TEXT NOT NULL,
        system TEXT NOT NULL, subject TEXT NOT NULL, refs TEXT NOT NULL, type TEXT NOT NULL, tier TEXT NOT NULL,
        called INTEGER NOT NULL, disposition TEXT NOT NULL, sealed INTEGER NOT NULL, leaf BLOB NOT NULL,
        body BLOB NOT NULL,
        CONSTRAINT "a human-only decision never calls the model" CHECK (tier <> 'human-only' OR called = 0)) STRICT""",
    # decisions are nearly all rows and are read in order; what is rare among them is found here
    "CREATE INDEX by_kind ON entries (kind, id) WHERE kind <> 'decision'",
    "CREATE TABLE tiles (id INTEGER PRIMARY KEY, nodes BLOB NOT NULL) STRICT",
    "CREATE TABLE nodes (id INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT",
    "CREATE TABLE notes (size INTEGER PRIMARY KEY, note TEXT NOT NULL, published INTEGER NOT NULL) STRICT",
    # an erased subject keeps its number and nothing else
    """CREATE TABLE subjects (number INTEGER PRIMARY KEY, name TEXT UNIQUE, salt BLOB, key BLOB,
        erased_ns INTEGER) STRICT""",
    "CREATE TABLE stream_keys (stream INTEGER PRIMARY KEY, key BLOB NOT NULL) STRICT",
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE reservations (space TEXT, key TEXT, value BLOB NOT NULL, fence INTEGER NOT NULL,
        expires_ns INTEGER NOT NULL, PRIMARY KEY (space, key)) STRICT, WITHOUT ROWID""",
    # a rebuild fills a new number beside the old one, which stays readable until the new one has caught up
    """CREATE TABLE projections (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
        version INTEGER NOT NULL, live INTEGER NOT NULL, seen INTEGER NOT NULL) STRICT""",
    """CREATE TABLE positions (projection INTEGER, stream INTEGER, size INTEGER NOT NULL,
        PRIMARY KEY (projection, stream)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE kept (projection INTEGER, key TEXT, value BLOB NOT NULL,
        PRIMARY KEY (projection, key)) STRICT, WITHOUT ROWID""",
)


def store_error(error: sqlite3.Error, path: Path | str) -> StoreError:
    """The error of ours that says what SQLite's means for whoever runs this."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return StoreClosed(f"{path}: used after it was closed ({error})")
    found: StoreError
    match code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            found = locked(path)
        case sqlite3.SQLITE_FULL:
            found = full(path)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            found = not_writable(path)
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_FORMAT:
            found = damaged(path, str(error))
        case sqlite3.SQLITE_CONSTRAINT | sqlite3.SQLITE_MISMATCH | sqlite3.SQLITE_TOOBIG:
            found = Refused(f"{path}: the store refused a row: {error}")
        case _:
            name = getattr(error, "sqlite_errorname", "")
            found = StoreError(f"{path}: {error} ({name}); nothing of this was written", fix="check the disk")
    return found


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else holds the file, for now."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def locked(path: Path | str) -> StoreLocked:
    """Another process holds the file."""
    return StoreLocked(f"{path}: another process holds it", fix="see who has it open (`fuser FILE`), or retry")


def not_writable(path: Path | str) -> StoreReadOnly:
    """The file or its folder may not be written."""
    return StoreReadOnly(f"{path}: may not be written", fix="check the rights of the file and of its folder")


def full(path: Path | str) -> StoreFull:
    """The disk takes no more."""
    return StoreFull(f"{path}: no space left; nothing of this was written", fix="free some space, then retry")


def damaged(path: Path | str, how: str) -> StoreDamaged:
    """The file is not a whole ledger."""
    return StoreDamaged(
        f"{path}: {how}", fix="keep the file, run `plimsoll ledger verify`, and restore a copy that verifies"
    )


def open_file(path: Path, *, read_only: bool, now_ns: int, busy_s: float, wal_pages: int) -> Connection:
    """A connection to the ledger at ``path``, which is made if it is not there yet.

    Args:
        path: the file.
        read_only: write nothing, not even a missing file.
        now_ns: UTC nanoseconds, for the root stream's id.
        busy_s: seconds to wait for a process that opens or closes the file at this moment.
        wal_pages: pages of 8 KiB after which the log is carried over into the file.

    Raises:
        StoreError: the kinds of it that say what is wrong.
    """
    _find(path, now_ns, read_only=read_only)
    if not read_only and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise not_writable(path)
    try:
        more = "&immutable=1" if read_only and _is_still(path) else ""
        con = _connect(path, "ro" if read_only else "rw", busy_s, more)
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    try:
        _check_format(con, path)
        _configure(con, wal_pages, read_only=read_only)
    except sqlite3.Error as error:
        con.close()
        raise store_error(error, path) from error
    except BaseException:
        con.close()
        raise
    return con


def _find(path: Path, now_ns: int, *, read_only: bool) -> None:
    """See that there is a file, or make it."""
    try:
        if not path.parent.is_dir():
            raise StoreError(f"{path.parent}: there is no such folder", fix="make it, or name another place")
        if not path.exists():
            if read_only:
                raise StoreError(f"{path}: there is no ledger here", fix="name its file, or run a system first")
            _create(path, now_ns)
        if not path.is_file():
            raise damaged(path, "is no file")
        _check_whole(path)
    except OSError as error:
        raise _as_ours(path, error) from error


def _check_whole(path: Path) -> None:
    """See that the file was not cut in the middle of a page, which SQLite would fill up with zeros."""
    size = path.stat().st_size
    if size == 0:
        raise damaged(path, "is empty, and a ledger never is")
    log = path.with_name(f"{path.name}-wal")
    if size % _PAGE_SIZE and not (log.exists() and log.stat().st_size):  # with a log, the file may be being written
        raise damaged(path, "was cut off in the middle of a page, or is no ledger")


def _as_ours(path: Path, error: OSError) -> StoreError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return full(path)
    return not_writable(path)


def memory() -> Connection:
    """An empty database in memory."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def _is_still(path: Path) -> bool:
    """Whether nobody can be writing: a folder that takes no files has no log either. SQLite must be told so."""
    return not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()


def _connect(path: Path, mode: str, busy_s: float, more: str = "") -> Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}{more}",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def _configure(con: Connection, wal_pages: int, *, read_only: bool) -> None:
    if not read_only:
        con.execute("PRAGMA journal_mode=WAL")  # it is; unless some tool has changed it
    con.execute("PRAGMA synchronous=FULL")  # durable means: on the disk when the call returns
    con.execute("PRAGMA secure_delete=ON")  # an erased key is overwritten, not only unlinked
    con.execute("PRAGMA cache_size=-16384")
    con.execute("PRAGMA trusted_schema=OFF")
    con.execute(f"PRAGMA wal_autocheckpoint={int(wal_pages)}")
    con.execute("PRAGMA journal_size_limit=67108864")


def _check_format(con: Connection, path: Path) -> None:
    try:
        row = con.execute("SELECT value FROM meta WHERE key='format'").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            raise damaged(path, "is a database of something else, not a ledger") from error
        raise
    if row is None or not row[0].isdigit():
        raise damaged(path, "does not say its format version")
    if int(row[0]) > FORMAT:
        raise StoreTooNew(
            f"{path}: has format {row[0]}, this version knows formats up to {FORMAT}",
            fix="upgrade plimsoll-ai; the file was left as it is",
        )


def _create(path: Path, now_ns: int) -> None:
    """Make the file beside its place and link it there, so that nobody ever opens half a ledger."""
    draft = path.with_name(f".{path.name}.{new_id(now_ns)}")
    try:
        con = _connect(draft, "rwc", 0.0)
        try:
            _fill(con, now_ns)
        finally:
            con.close()
        with contextlib.suppress(FileExistsError):  # another process was first: then its file is the ledger
            os.link(draft, path)
        _sync_folder(path.parent)
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def _fill(con: Connection, now_ns: int) -> None:
    con.execute(f"PRAGMA page_size={_PAGE_SIZE}")
    con.execute("PRAGMA journal_mode=WAL")
    con.execute(f"PRAGMA application_id={_APPLICATION}")
    con.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        con.execute(statement)
    root = new_id(now_ns)
    con.executemany("INSERT INTO meta VALUES (?,?)", [("format", str(FORMAT)), ("root", root)])
    con.execute("INSERT INTO streams VALUES (?,?,?,'','durable',0,0,NULL,NULL,NULL)", (ROOT_STREAM, root, now_ns))
    con.execute("INSERT INTO heads VALUES (?,0,?,x'',0)", (ROOT_STREAM, now_ns))
    con.execute("INSERT INTO counters VALUES ('fence',0),('erasures',0)")
    con.execute("COMMIT")


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

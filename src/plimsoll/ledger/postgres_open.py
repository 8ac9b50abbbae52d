"""How the ledger in a database is found, made, and brought to the version of these tables."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from plimsoll.errors import StoreDamaged, StoreError, StoreLocked, StoreReadOnly, StoreTooNew
from plimsoll.ledger.entry import FORMAT
from plimsoll.ledger.ids import new_id
from plimsoll.ledger.postgres import SCHEMA, Link
from plimsoll.ledger.postgres_schema import STEPS, VERSION, tables

# Held by each session that writes, shared, and by who makes or changes the tables, alone.
IN_USE: Final = 0x504C_494D_0000_0000  # "PLIM", and the number of no stream
_LOOK_S: Final = 0.05


def find(link: Link) -> bool:
    """Whether there is a ledger. Raises StoreDamaged when the place is taken by something else."""
    ((ledger, taken),) = link.fetch(
        "SELECT to_regclass(?) IS NOT NULL, EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid=c.relnamespace"
        " WHERE n.nspname=?)",
        (f"{SCHEMA}.meta", SCHEMA),
    )
    if taken and not ledger:
        raise StoreDamaged(
            f"{link.name}: the schema '{SCHEMA}' is there and holds something else, not a ledger",
            fix="name another database",
        )
    return bool(ledger)


def make(link: Link, now_ns: int) -> None:
    """Make the tables, all or none; nothing when another process was first.

    Raises:
        StoreReadOnly: our role may not.
    """
    link.script(["BEGIN", f"SELECT pg_advisory_xact_lock({IN_USE})"])
    try:
        if not find(link):
            there = link.fetch("SELECT FROM pg_namespace WHERE nspname=?", (SCHEMA,))
            link.script([*([] if there else [f"CREATE SCHEMA {SCHEMA}"]), *tables(new_id(now_ns), now_ns)])
        link.script(["COMMIT"])
    except StoreReadOnly as error:
        raise StoreReadOnly(
            f"{link.name}: there is no ledger yet, and our role may not make one",
            fix="open it once as the owner of the database, or: GRANT CREATE ON DATABASE … TO …",
        ) from error
    finally:
        roll_back(link)


def roll_back(link: Link) -> None:
    """End a transaction that may be open; nothing when there is none, or no connection."""
    if link.is_up:
        link.script(["ROLLBACK"])


def check_versions(link: Link) -> int:
    """The version of the tables, at most ours.

    Raises:
        StoreTooNew: of a later version, or frames of one.
        StoreDamaged: it does not say.
    """
    said: dict[str, str] = dict(link.fetch(f"SELECT key,value FROM {SCHEMA}.meta WHERE key IN ('format','schema')"))  # noqa: S608 - a constant
    for key, known in (("format", FORMAT), ("schema", VERSION)):
        value = said.get(key, "")
        if not value.isdigit():
            raise StoreDamaged(f"{link.name}: does not say its {key} version", fix="restore a copy that verifies")
        if int(value) > known:
            raise StoreTooNew(
                f"{link.name}: has {key} {value}, this version knows up to {known}",
                fix="upgrade plimsoll-ai; the database was left as it is",
            )
    return int(said["schema"])


def path(found: int, wanted: int, steps: Mapping[int, tuple[str, ...]]) -> tuple[str, ...]:
    """The statements that bring tables of one version to another, in their order.

    Args:
        found: the version they have.
        wanted: the version they are to have, at least ``found``.
        steps: by version, what brings it to the next.

    Raises:
        StoreError: a step is missing: nothing leads there from so old a version.
    """
    missing = [version for version in range(found, wanted) if version not in steps]
    if missing:
        raise StoreError(
            f"tables of version {missing[0]} cannot be brought to version {wanted}",
            fix="open the database with a version of plimsoll-ai in between, then with this one",
        )
    return tuple(statement for version in range(found, wanted) for statement in steps[version])


def migrate(link: Link, *, wanted: int = VERSION, steps: Mapping[int, tuple[str, ...]] = STEPS) -> None:
    """Bring the tables to a version, whole or not at all; nothing when they have it.

    Nobody may write meanwhile, and no process that knows only the older tables may go on afterwards: so this waits
    until nobody has the ledger open for writing.

    Raises:
        StoreLocked: somebody has, for longer than we wait.
        StoreError: see `path`; or a step failed. The tables are as they were.
    """
    until = time.monotonic() + link.wish.busy_s
    try:
        while True:
            link.script(["BEGIN"])
            ((alone,),) = link.fetch("SELECT pg_try_advisory_xact_lock(?)", (IN_USE,))
            ((found,),) = link.fetch(f"SELECT value::bigint FROM {SCHEMA}.meta WHERE key='schema'")  # noqa: S608
            if found >= wanted:
                return
            if alone:
                break
            link.script(["ROLLBACK"])
            if time.monotonic() >= until:
                raise StoreLocked(
                    f"{link.name}: has tables of version {found}, and processes of that version are writing",
                    fix="stop them; the next one that opens the ledger brings it to this version",
                )
            time.sleep(_LOOK_S)
        link.script(path(found, wanted, steps))
        link.fetch(f"UPDATE {SCHEMA}.meta SET value=? WHERE key='schema'", (str(wanted),))  # noqa: S608
        link.script(["COMMIT"])
    finally:
        roll_back(link)


def open_ledger(link: Link, now_ns: int) -> None:
    """See that there is a ledger that we know, making or migrating it where we may.

    Args:
        link: connected.
        now_ns: UTC nanoseconds, for the id of the root stream.

    Raises:
        StoreError: the kinds of it that say what is wrong.
    """
    if not find(link):
        if link.wish.read_only:
            raise StoreError(f"{link.name}: there is no ledger here", fix="name its database, or run a system first")
        make(link, now_ns)
    if check_versions(link) < VERSION:
        if link.wish.read_only:
            raise StoreError(
                f"{link.name}: has tables of an older version", fix="open it for writing once, which migrates it"
            )
        migrate(link)

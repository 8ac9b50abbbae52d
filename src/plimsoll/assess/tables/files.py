"""Which files make up a table, and which of them are Parquet: told by their first bytes and not by their names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.errors import InputError

PARQUET: Final = b"PAR1"
_MOST: Final = 100_000  # files; the list alone is then some tens of megabytes


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one table, each kind in order."""

    parquet: tuple[Path, ...] = ()
    text: tuple[Path, ...] = ()  # JSON, JSON Lines, CSV, compressed or not; and what turns out to be none of them
    partitions: frozenset[str] = frozenset()  # names that folders give values of: ``day=2026-01-02``
    left_out: int = 0  # links, sockets and the like inside folders

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.parquet) + len(self.text)


def find_files(given: Sequence[Path]) -> Files:
    """Every file that is named, or lies in or under a folder that is named.

    Names that begin with a dot or an underscore are left out in folders, as writers of tables use them for their own
    notes.

    Raises:
        InputError: a path is not there, cannot be looked into, is neither file nor folder, or a folder is empty; or
            there are too many files.
    """
    found: dict[Path, None] = {}
    partitions: set[str] = set()
    left_out = 0
    for path in given:
        try:
            mode = path.stat().st_mode
        except OSError as why:
            raise InputError(f"'{path}' cannot be read: {why.strerror}", fix="give files or folders") from why
        if stat.S_ISREG(mode):
            found[path] = None
        elif stat.S_ISDIR(mode):
            before = len(found)
            for file, is_plain in _under(path):
                left_out += not is_plain
                if is_plain:
                    found[file] = None
                    folders = file.relative_to(path).parts[:-1]
                    partitions.update(
                        name for name, is_one, _ in (f.partition("=") for f in folders) if is_one and name
                    )
                if len(found) > _MOST:
                    raise InputError(f"'{path}' holds more than {_MOST:,} files", fix="check its parts one by one")
            if len(found) == before:
                raise InputError(f"the folder '{path}' holds no file", fix="give a folder of records")
        else:
            raise InputError(f"'{path}' is neither a file nor a folder", fix="write the records to a file first")
    parquet = {path for path in found if _is_parquet(path)}
    return Files(
        parquet=tuple(p for p in found if p in parquet),
        text=tuple(p for p in found if p not in parquet),
        partitions=frozenset(partitions),
        left_out=left_out,
    )


def _under(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Files below a folder in the order of their names, and whether each is a plain one."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda e: e.name)
    except OSError as why:
        raise InputError(f"'{folder}' cannot be looked into: {why.strerror}", fix="mend its rights") from why
    for entry in inside:
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _under(Path(entry.path))
        else:
            yield Path(entry.path), entry.is_file()


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(PARQUET)) == PARQUET
    except OSError:
        return False  # whoever reads it says why it cannot be read

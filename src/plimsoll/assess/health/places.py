"""Which files are looked at, and which of them make up one source."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.errors import InputError
from plimsoll.model.manifest_writer import slug_of

MOST_FILES: Final = 20_000  # of one folder; more are a store, of which a sample has to be taken first
APART: Final = 50  # files of a folder, up to which each is a source; more are parts of one
_ENDINGS: Final = frozenset({".gz", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".log"})


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One source: its name, and its files in order."""

    name: str
    files: tuple[Path, ...]
    inside: bool = False  # it was found in a folder, and not named
    left_out: tuple[str, ...] = ()  # what of a folder is not looked at, and why


def find_places(given: Sequence[Path]) -> tuple[Place, ...]:
    """The sources that paths mean: a file is one; of a folder each file is one, or, of a large one, the whole of it.

    Args:
        given: files and folders. Hidden files and links to folders inside a folder are left out.

    Raises:
        InputError: a path is not there, cannot be looked into, or is neither a file nor a folder.
    """
    found: list[Place] = []
    for path in given:
        if _kind(path) == "folder":
            found += _of_folder(path)
        else:
            found.append(Place(name=source_name(path), files=(path,)))
    return tuple(_apart(found))


def source_name(path: Path) -> str:
    """The name of a source after its file or folder.

    >>> source_name(Path("exports/Claims 2026.jsonl.gz"))
    'claims-2026'
    """
    name = path.resolve().name
    while Path(name).suffix.casefold() in _ENDINGS:
        name = Path(name).stem
    return slug_of(name) or "records"


def _kind(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except OSError as why:
        raise InputError(f"'{path}' cannot be read: {why.strerror}", fix="give a file, or a folder of files") from why
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return "file"
    raise InputError(f"'{path}' is neither a file nor a folder", fix="write the records to a file first")


def _of_folder(folder: Path) -> list[Place]:
    files, left_out = _files(folder)
    if not files:
        raise InputError(f"the folder '{folder}' holds no file", fix="give a folder of records")
    if len(files) > APART:
        return [Place(name=source_name(folder), files=tuple(files), left_out=tuple(left_out))]
    places = [Place(name=source_name(file), files=(file,), inside=True) for file in files]
    places[0] = msgspec.structs.replace(places[0], left_out=tuple(left_out))
    return places


def _files(folder: Path) -> tuple[list[Path], list[str]]:
    files: list[Path] = []
    left_out: list[str] = []

    def unreadable(why: OSError) -> None:
        left_out.append(f"{why.filename}: {why.strerror}")

    for at, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(at) / name
            if name.startswith("."):
                continue
            if not path.is_file():
                left_out.append(f"{path}: not a file")
            elif len(files) < MOST_FILES:
                files.append(path)
            else:
                left_out.append(f"{folder}: more than {MOST_FILES:,} files")
                return files, left_out
    return files, left_out


def _apart(places: Sequence[Place]) -> Iterator[Place]:
    """The places, those of one name numbered."""
    taken: dict[str, int] = {}
    for place in places:
        taken[place.name] = taken.get(place.name, 0) + 1
        n = taken[place.name]
        yield place if n == 1 else msgspec.structs.replace(place, name=f"{place.name}-{n}")

"""A feed: the records that each source has sent, for each decision type that the AI may answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from plimsoll.errors import InputError
from plimsoll.model.words import nearest

T = TypeVar("T")


class Sent(msgspec.Struct, frozen=True):
    """One record of a feed."""

    type: str  # the decision that is asked for
    source: str
    line: int  # in the source's file
    record: bytes  # without the line break


class FeedFile(msgspec.Struct, frozen=True, kw_only=True):
    """What one source has sent for one decision type: a JSON Lines file."""

    type: str
    source: str
    path: Path

    def lines(self) -> Iterator[Sent]:
        """Every record; blank lines are none.

        Raises:
            InputError: the file cannot be read.
        """
        try:
            with self.path.open("rb") as opened:
                for number, line in enumerate(opened, 1):
                    record = line.removesuffix(b"\n").removesuffix(b"\r")
                    if record.strip(b" \t\r\n"):  # other blanks are no JSON, and so a record that somebody sent
                        yield Sent(self.type, self.source, number, record)
        except OSError as why:
            raise InputError(f"the feed '{self.path}' cannot be read: {why.strerror}", fix="mend the file") from why


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A folder with one JSON Lines file for each source; where there are several types, in a folder of each one's name.

    Made by `Feed.open`.
    """

    folder: Path
    files: tuple[FeedFile, ...]
    missing: tuple[str, ...]  # decision types that it holds no record of
    by_type: bool  # whether each type has a folder

    @classmethod
    def open(cls, folder: Path, types: Sequence[str]) -> Feed:
        """Find the sources.

        Args:
            folder: as ``samples.feed`` names it.
            types: the decision types that the AI may answer, at least one. Of one, the files lie directly in the
                folder; of several, those of each lie in a folder of its name.

        Raises:
            InputError: there is no such folder, no ``*.jsonl`` file where it should be, or no record in those; or files
                lie where it is not said which type they are for.
        """
        if not folder.is_dir():
            raise InputError(f"there is no folder '{folder}'", fix="samples.feed names a folder of JSON Lines files")
        several = len(types) > 1
        files = tuple(file for name in types for file in _files(folder / name if several else folder, name))
        if several:
            _only_folders_of(folder, types)
        if not files:
            place = f"in '{folder}/{types[0]}', and so for each type" if several else "there"
            raise InputError(
                f"'{folder}' holds no JSON Lines file",
                fix=f"put one file for each source {place}, named <source>.jsonl",
            )
        full = {file.type for file in files if next(file.lines(), None) is not None}
        if not full:
            raise InputError(
                f"the feed '{folder}' holds no record", fix="put real records there, one JSON value a line"
            )
        missing = tuple(name for name in types if name not in full)
        return cls(folder=folder, files=files, missing=missing, by_type=several)

    def lines(self) -> Iterator[Sent]:
        """Every record, file by file."""
        for file in self.files:
            yield from file.lines()

    def name(self, sent: Sent | FeedFile) -> str:
        """A source as the report names it: with its type, where there are several."""
        return f"{sent.type}/{sent.source}" if self.by_type else sent.source

    def mixed(self, *, window: int, most: int) -> tuple[Sent, ...]:
        """The records as traffic has them, to be sent in turn: types and sources mixed, in proportion to their records.

        Each source's own order is kept. A type that is so rare that a load window could pass without it is repeated
        until it comes up at least once in each.

        Args:
            window: calls in the smallest window, at least 1.
            most: records given; a larger feed would only fill memory.
        """
        total = sum(1 for _ in self.lines())
        wanted = math.ceil(2 * total / window)
        by_type = []
        for name in dict.fromkeys(file.type for file in self.files):
            records = _spread([list(file.lines()) for file in self.files if file.type == name])
            by_type.append(records * math.ceil(wanted / len(records)) if 0 < len(records) < wanted else records)
        return tuple(_spread(by_type)[:most])


def _files(folder: Path, name: str) -> Iterator[FeedFile]:
    for path in sorted(folder.glob("*.jsonl")):
        yield FeedFile(type=name, source=path.stem, path=path)


def _only_folders_of(folder: Path, types: Sequence[str]) -> None:
    """Refuse records that would not be looked at, since nothing says which type they are for.

    Raises:
        InputError: with the file or folder.
    """
    named = ", ".join(types)
    loose = next(iter(sorted(folder.glob("*.jsonl"))), None)
    if loose is not None:
        raise InputError(
            f"'{loose}' lies directly in the feed, and the AI may answer {len(types)} decision types: {named}",
            fix=f"move it into the folder of its type, such as '{folder / types[0] / loose.name}'",
        )
    for inner in sorted({path.parent for path in folder.glob("*/*.jsonl")}):
        if inner.name not in types:
            near = nearest(inner.name, types)
            raise InputError(
                f"'{inner}' holds records, and '{inner.name}' is no decision type that the AI may answer",
                fix=f"did you mean '{near}'?" if near else f"there are: {named}",
            )


def _spread(groups: Iterable[Sequence[T]]) -> list[T]:
    """All items, those of each group evenly over the whole and in their own order."""
    placed = [
        ((place + 0.5) / len(items), at, item) for at, items in enumerate(groups) for place, item in enumerate(items)
    ]
    return [item for *_, item in sorted(placed, key=lambda each: each[:2])]

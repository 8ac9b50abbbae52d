"""Reads a source: its files as records, and everything that is wrong with them as findings. Nothing of it is raised."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from plimsoll.assess.health.forms import Form, Told, schema_of, tell_form
from plimsoll.assess.health.places import Place
from plimsoll.assess.health.raw_lines import HEAD, RawFile
from plimsoll.assess.health.table import Table
from plimsoll.contract.parse import MAX_BYTES, MAX_DEPTH, parse_record
from plimsoll.model.health import Fault

MOST_RECORDS: Final = 200_000  # of a source; the signs do not become clearer by more
MOST_BYTES: Final = 128 << 20  # of a source; what is kept of them takes a few times as much
MOST_DOCUMENT: Final = 32 << 20  # bytes of one JSON document, which has to be in memory as a whole
KEPT: Final = 5_000  # records kept whole, to infer a contract from
KEPT_BYTES: Final = 16 << 20
LATER: Final = 20_000  # records held against it
_SHOWN: Final = 3  # places that a finding names
_REASONS: Final = {
    "size": ("health.too-long", f"is longer than {MAX_BYTES:,} bytes"),
    "utf-8": ("health.not-utf-8", "is not UTF-8"),
    "bom": ("health.bom-inside", "begins with a byte order mark"),
    "duplicate-key": ("health.duplicate-key", "has two values of one name"),
    "finite": ("health.not-finite", "holds NaN, Infinity, or a number that nothing holds exactly"),
    "nesting": ("health.nesting", f"nests more than {MAX_DEPTH} lists and objects"),
    "json": ("health.no-json", "is no whole JSON value"),
}
_SPACE: Final = b" \t\r\n"


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """One source, read."""

    place: Place
    told: Told  # what its files are; of several, what most are
    table: Table
    faults: tuple[Fault, ...]
    bytes: int
    digest: str
    cut_off: bool
    descriptions: tuple[str, ...]  # files that are descriptions, with what they are
    typed_by_text: bool  # CSV: every value is a text, and what looks like a number is read as one


def read_source(place: Place, tick: Callable[[int], None]) -> Read:
    """Read what a source holds, up to `MOST_RECORDS` records and `MOST_BYTES` bytes.

    Args:
        place: its files.
        tick: called now and then with the records read so far.
    """
    reader = _Reader(place, tick)
    for path in place.files:
        if reader.is_done:
            reader.cut_off = True
            break
        with RawFile(path, MOST_BYTES - reader.bytes, reader.hear) as file:
            reader.file(file)
            reader.bytes += file.read
            reader.cut_off = reader.cut_off or file.ran_out
            reader.digests.update(file.digest.digest())
    reader.table.end()
    for said in place.left_out:
        reader.hear("health.left-out", said, place.name)
    return Read(
        place=place,
        told=reader.told or Told(form=Form.EMPTY, said="it is empty"),
        table=reader.table,
        faults=reader.found(),
        bytes=reader.bytes,
        digest=f"sha256:{reader.digests.hexdigest()}",
        cut_off=reader.cut_off,
        descriptions=tuple(reader.descriptions),
        typed_by_text=reader.typed_by_text,
    )


class _Reader:
    """Reads files one after another into one table."""

    def __init__(self, place: Place, tick: Callable[[int], None]) -> None:
        self.table = Table()
        self.told: Told | None = None
        self.bytes = 0
        self.cut_off = False
        self.descriptions: list[str] = []
        self.typed_by_text = False
        self.digests = hashlib.sha256()  # over the digests of the files
        self._tick = tick
        self._faults: dict[tuple[str, str], list[Any]] = {}  # count, places, lost
        self._kept_bytes = 0
        self._step = 1  # of every how many later records one is kept
        self._folder = len(place.files) > 1

    @property
    def is_done(self) -> bool:
        """Whether enough was read."""
        return self.table.records >= MOST_RECORDS or self.bytes >= MOST_BYTES or self.table.is_full

    def hear(self, code: str, said: str, where: str, /, *, lost: bool = True, count: int = 1) -> None:
        """Take a finding."""
        found = self._faults.setdefault((code, said), [0, [], lost])
        found[0] += count
        if len(found[1]) < _SHOWN:
            found[1].append(where)

    def found(self) -> tuple[Fault, ...]:
        """All findings, the most frequent first."""
        made = [
            Fault(code=code, said=said, count=count, where=tuple(where), lost=lost)
            for (code, said), (count, where, lost) in self._faults.items()
        ]
        return tuple(sorted(made, key=lambda fault: (not fault.lost, -fault.count)))

    def file(self, file: RawFile) -> None:
        """Read one file."""
        told = tell_form(file.head, whole=len(file.head) < HEAD // 4)
        if self.told is None or self.told.form in {Form.EMPTY, Form.DESCRIPTION, Form.TEXT, Form.FOREIGN}:
            self.told = told
        where = file.name
        if told.form is Form.JSON_LINES:
            self._json_lines(file)
        elif told.form is Form.JSON:
            self._json(file)
        elif told.form is Form.CSV:
            self._csv(file, told.delimiter)
        elif told.form is Form.DESCRIPTION:
            self.descriptions.append(f"{where}: {told.said}")
        elif told.form is Form.EMPTY:
            self.hear("health.empty", "is empty", where)
        else:
            self.hear("health.foreign", told.said, where)

    # -- JSON

    def _json_lines(self, file: RawFile) -> None:
        for line in file.lines(MAX_BYTES):
            if self.is_done:
                self.cut_off = True
                return
            if line.too_long:
                self._refuse("size", f"{file.name}:{line.number}")
            elif line.raw.strip(_SPACE):
                self._record(line.raw, f"{file.name}:{line.number}")

    def _record(self, raw: bytes, where: str) -> None:
        parsed = parse_record(raw)
        if parsed.reasons:
            rule = parsed.reasons[0].rule
            self._refuse("nul" if rule == "json" and b"\x00" in raw else rule, where)
        elif type(parsed.value) is not dict:
            said = f"is a {_kind(parsed.value)}, and no object"
            self.hear("health.no-object", said, where)
        else:
            self._take(parsed.value, raw)

    def _refuse(self, rule: str, where: str) -> None:
        if rule == "nul":
            self.hear("health.nul", "holds NUL bytes", where)
            return
        code, said = _REASONS.get(rule, _REASONS["json"])
        self.hear(code, said, where)

    def _take(self, record: dict[str, Any], raw: bytes) -> None:
        table = self.table
        table.add(record, raw)
        n = table.records
        if n <= KEPT and self._kept_bytes < KEPT_BYTES:
            table.kept.append(record)
            self._kept_bytes += len(raw)
        elif n % self._step == 0:
            table.later.append(record)
            if len(table.later) >= 2 * LATER:  # every second goes, so that what stays is spread evenly
                del table.later[::2]
                self._step *= 2
        if n % 5_000 == 0:
            self._tick(n)

    def _json(self, file: RawFile) -> None:
        """A document: a list of records, an object that holds one, or one record."""
        where = file.name
        raw = file.whole(MOST_DOCUMENT)
        if raw is None:
            said = f"is one JSON value of more than {MOST_DOCUMENT >> 20} MiB: write one record a line"
            self.hear("health.too-long", said, where)
            return
        parsed = parse_record(raw, max_bytes=MOST_DOCUMENT, max_depth=MAX_DEPTH + 2)
        if parsed.reasons:
            self._broken_document(raw, where, parsed.reasons[0].rule)
            return
        value = parsed.value
        if schema := schema_of(value):
            self.descriptions.append(f"{where}: it is {schema}")
            self.told = Told(form=Form.DESCRIPTION, said=f"it is {schema}")
            return
        at, records = _records_in(value)
        if at:
            self.hear("health.inside", f"records are taken from '{at}' of the document", where, lost=False)
        for number, record in enumerate(records, 1):
            if self.is_done:
                self.cut_off = True
                return
            if type(record) is dict:
                self._take(record, msgspec.json.encode(record))
            else:
                self.hear("health.no-object", f"is a {_kind(record)}, and no object", f"{where} item {number}")

    def _broken_document(self, raw: bytes, where: str, rule: str) -> None:
        """Save what can be read of a list that breaks off, and say where that is."""
        if not raw.lstrip().startswith(b"["):
            self._refuse(rule, where)
            return
        number = 0
        for number, item in enumerate(_items(raw), 1):
            if self.is_done:
                self.cut_off = True
                return
            self._record(item, f"{where} item {number}")
        if rule != "duplicate-key":
            self.hear("health.cut", f"the list cannot be read on after item {number:,}", where)

    # -- CSV

    def _csv(self, file: RawFile, delimiter: str) -> None:
        self.typed_by_text = True
        taken: list[int] = []  # numbers of the lines that went into the row
        reader = csv.reader(self._texts(file, taken), delimiter=delimiter, strict=True)
        names: list[str] | None = None
        while not self.is_done:
            taken.clear()
            try:
                row = next(reader, None)
            except csv.Error as why:
                where = f"{file.name}:{taken[0] if taken else 1}"
                self.hear("health.csv", _csv_words(str(why)), where, count=max(1, len(taken)))
                continue
            if row is None:
                return
            where = f"{file.name}:{taken[0] if taken else 1}"
            if names is None:
                names = _column_names(row)
            elif len(row) == len(names):
                cells = {name: cell or None for name, cell in zip(names, row, strict=True)}
                self._take(cells, "\x1f".join(row).encode())
            elif row:
                self.hear("health.columns", f"has {len(row):,} columns in place of {len(names):,}", where)
        self.cut_off = True

    def _texts(self, file: RawFile, taken: list[int]) -> Iterator[str]:
        """Lines as text; one that is none is told, and left out."""
        for line in file.lines(MAX_BYTES):
            where = f"{file.name}:{line.number}"
            if line.too_long:
                self._refuse("size", where)
            elif b"\x00" in line.raw:
                self._refuse("nul", where)
            else:
                try:
                    text = line.raw.decode()
                except UnicodeDecodeError:
                    self._refuse("utf-8", where)
                    continue
                taken.append(line.number)
                yield text + "\n"


def _csv_words(why: str) -> str:
    if "field limit" in why:
        return "a quote is opened and not closed, or a value is longer than 131,072 characters"
    if "unexpected end" in why:
        return "a quote is opened and never closed"
    return "quotes or line ends are not those of CSV"


def _column_names(row: list[str]) -> list[str]:
    """Names of the columns; one that is empty, or stands twice, gets its position."""
    made: list[str] = []
    for at, cell in enumerate(row, 1):
        name = cell.strip() or f"column {at}"
        made.append(f"{name} ({at})" if name in made else name)
    return made


def _records_in(value: Any) -> tuple[str, list[Any]]:
    """Where in a document its records stand, and those."""
    if isinstance(value, list):
        return "", value
    if not isinstance(value, dict):
        return "", [value]
    lists = {key: item for key, item in value.items() if isinstance(item, list) and item and isinstance(item[0], dict)}
    if not lists:
        return "", [value]
    key = max(lists, key=lambda name: len(lists[name]))
    return key, lists[key]


def _items(raw: bytes) -> Iterator[bytes]:
    """The items of a list, as their own bytes, as far as they can be read."""
    text = raw.decode("utf-8", "surrogateescape")
    decoder = json.JSONDecoder()
    at = text.index("[") + 1
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text) or text[at] == "]":
            return
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield text[at:end].encode("utf-8", "surrogateescape")
        at = end


def _kind(value: Any) -> str:
    names = {list: "list", str: "text", bool: "boolean", int: "number", float: "number"}
    return "null" if value is None else names.get(type(value), "value")

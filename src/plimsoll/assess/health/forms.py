"""What a file is, by its first bytes and not by its name."""

from __future__ import annotations

import enum
import json
import re
from typing import Any, Final

import msgspec

from plimsoll.assess.health.csv_form import csv_form_of


class Form(enum.StrEnum):
    """What a file holds."""

    JSON_LINES = "JSON Lines"
    JSON = "JSON"
    CSV = "CSV"
    DESCRIPTION = "a description"
    FOREIGN = "another format"
    TEXT = "text"
    EMPTY = "nothing"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is, and what makes one think so."""

    form: Form
    said: str = ""
    fix: str = ""
    delimiter: str = ""  # of CSV


_MAGIC: Final = (
    (b"%PDF", "a PDF document", ""),
    (b"PK\x03\x04", "an office document or a ZIP archive", "unpack it, or export the records as JSON Lines or CSV"),
    (b"\xd0\xcf\x11\xe0", "an office document", "export the records as JSON Lines or CSV"),
    (b"PAR1", "Parquet", "export some records as JSON Lines; the plain install reads no Parquet"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "decompress it first: zstd -d"),
    (b"BZh", "compressed with bzip2", "decompress it first: bunzip2"),
    (b"\xfd7zXZ", "compressed with xz", "decompress it first: unxz"),
    (b"SQLite format 3\x00", "an SQLite database", "export a table as CSV"),
    (b"\x89PNG", "a picture", ""),
    (b"\xff\xd8\xff", "a picture", ""),
    (b"Obj\x01", "Avro", "export some records as JSON Lines"),
    (b"ORC", "ORC", "export some records as JSON Lines"),
)
_DOCUMENTS: Final = frozenset(
    {"a PDF document", "an office document or a ZIP archive", "an office document", "a picture"}
)
_LOOKED_AT: Final = 40  # lines
_RULE: Final = re.compile(r"\s*\|?(?:\s*:?-{3,}:?\s*\|)+(?:\s*:?-{3,}:?\s*)?")  # below the head of a Markdown table
_KEY: Final = re.compile(r"[A-Za-z_$][\w.$-]*:(?:\s|$)")
# Keys that make a document a schema, a contract or an interface, and not a record.
_SCHEMAS: Final = (
    ("a JSON Schema", {"$schema"}),
    ("a data contract", {"apiVersion", "kind"}),
    ("an OpenAPI document", {"openapi"}),
    ("an OpenAPI document", {"swagger"}),
    ("a data contract", {"dataContractSpecification"}),
    ("a JSON Schema", {"type", "properties"}),
    ("an Avro schema", {"type", "fields"}),
    ("a table schema", {"fields", "primaryKey"}),
)
_ABOUT_FIELDS: Final = frozenset({"field", "column", "attribute", "variable", "element", "fieldname", "columnname"})
_ABOUT_TYPES: Final = frozenset({"type", "datatype", "format", "description", "definition", "meaning", "comment"})


def tell_form(head: bytes, *, whole: bool) -> Told:
    """What a file is.

    Args:
        head: its beginning, without a byte order mark.
        whole: whether that is all of it.
    """
    if not head.strip():
        return Told(form=Form.EMPTY, said="it is empty")
    for magic, said, fix in _MAGIC:
        if head.startswith(magic):
            form = Form.DESCRIPTION if said in _DOCUMENTS else Form.FOREIGN
            return Told(form=form, said=f"it is {said}", fix=fix)
    return _json(head, whole=whole) or _text(head, whole=whole)


def schema_of(document: Any) -> str:
    """What kind of a description a JSON document is; "" for none.

    >>> schema_of({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"})
    'a JSON Schema'
    >>> schema_of({"id": 1, "type": "claim"})
    ''
    """
    if not isinstance(document, dict):
        return ""
    for said, keys in _SCHEMAS:
        if keys <= set(document) and (len(keys) == 1 or _is_shape(document)):
            return said
    return ""


def about_fields(names: list[str]) -> bool:
    """Whether columns of a table describe fields: it is a data dictionary, and no records.

    >>> about_fields(["Field name", "Data type", "Description"]), about_fields(["id", "type", "description"])
    (True, False)
    """
    plain = {re.sub(r"[^a-z]", "", name.casefold()) for name in names}
    return bool(plain & _ABOUT_FIELDS) and len(plain & _ABOUT_TYPES) >= 1 and len(names) <= 12


def _is_shape(document: dict[str, Any]) -> bool:
    """Whether what describes fields is a group or a list, and not a value of a record."""
    inner = document.get("properties", document.get("fields"))
    return isinstance(inner, dict | list) or isinstance(document.get("kind"), str)


def _description(lines: list[str]) -> str:
    """What kind of a description lines of text are; "" for none."""
    if _is_markup(lines):
        return "a text that describes something"
    if sum(_KEY.match(line.lstrip()) is not None for line in lines) * 2 > len(lines):
        return "a YAML document that describes something"
    return "prose" if _is_prose(lines) else ""


def _is_markup(lines: list[str]) -> bool:
    """Whether lines have headings, lists or tables of Markdown."""
    marked = sum(line.startswith(("#", "- ", "* ")) for line in lines)
    return marked * 3 > len(lines) or any(_RULE.fullmatch(line) for line in lines)


def _is_prose(lines: list[str]) -> bool:
    """Whether lines are sentences: several words each, hardly a figure among them."""
    words = [word for line in lines for word in line.split()]
    letters = sum(word.strip(".,;:!?()'\"").isalpha() for word in words)
    return len(words) >= 5 * len(lines) and letters > 0.8 * len(words)


def _json(head: bytes, *, whole: bool) -> Told | None:
    lines = [line for line in re.split(rb"[\r\n]+", head) if line.strip()]
    complete = lines if whole or len(lines) == 1 else lines[:-1]  # the last one is cut by where we stopped
    some = complete[:_LOOKED_AT]
    begin = sum(line.lstrip()[:1] in {b"{", b"["} for line in some)
    values = [value for line in some if (value := _value(line)) is not None]
    objects = [value for value in values if isinstance(value, dict)]
    if len(objects) == 1 and len(complete) == 1 and whole:
        schema = schema_of(objects[0])
        return Told(form=Form.DESCRIPTION, said=f"it is {schema}") if schema else Told(form=Form.JSON)
    whole_lists = [value for value in values if isinstance(value, list)]
    if len(complete) > 1 and (objects or len(whole_lists) > 1) and 2 * max(len(objects), begin) >= len(some):
        return Told(form=Form.JSON_LINES)
    first = head.lstrip()[:1]
    if first in {b"{", b"["} and _goes_on_as_json(head.lstrip()):
        return Told(form=Form.JSON)
    return None


def _goes_on_as_json(text: bytes) -> bool:
    after = text[1:].lstrip()[:1]
    return not after or after in b'"{[]}-0123456789tfn'


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _text(head: bytes, *, whole: bool) -> Told:
    text = head.decode("utf-8", "replace")
    odd = text.count("\ufffd") + sum(c < " " and c not in "\t\r\n\f" for c in text[:4096])
    if odd * 5 > len(text) or head.count(b"\x00") * 50 > len(head):
        return Told(form=Form.FOREIGN, said="it is no text", fix="export the records as JSON Lines or CSV")
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    if not whole and len(lines) > 1:
        lines.pop()
    some = lines[:_LOOKED_AT]
    form = None if _is_markup(some) else csv_form_of(some)
    if form is not None and not about_fields(form.names):
        return Told(form=Form.CSV, delimiter=form.delimiter)
    described = _description(some)
    if form is not None or described:
        said = described or "a data dictionary: its columns describe fields"
        return Told(form=Form.DESCRIPTION, said=f"it is {said}")
    return Told(form=Form.TEXT, said="it is text, and neither JSON nor CSV", fix="give the records themselves")

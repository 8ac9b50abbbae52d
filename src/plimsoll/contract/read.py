"""A contract, read with every problem and every rule that is not enforced."""

from __future__ import annotations

import contextlib
import re
from typing import Any, Final

from plimsoll.contract.around import read_levels, read_members, read_roles, read_servers, read_support
from plimsoll.contract.custom import Custom, read_custom
from plimsoll.contract.fields import FieldReader
from plimsoll.contract.former import with_present_names
from plimsoll.contract.json_schema import SchemaReader, is_json_schema
from plimsoll.contract.notes import Notes
from plimsoll.contract.odcs import API_VERSIONS, BEFORE_3, NEWEST
from plimsoll.contract.rules import Contract, Field, Unenforced, paths_of
from plimsoll.contract.shape import check_shape
from plimsoll.contract.stateful import left_by_windows
from plimsoll.contract.terms import Terms
from plimsoll.errors import InvalidFile
from plimsoll.model.canonical import digest_bytes
from plimsoll.model.words import quoted
from plimsoll.model.yaml_source import Source, load, load_bytes

# Behind an even number of backslashes, which are written out themselves.
_PAIR: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


def read_contract(text: str, file: str) -> Contract:
    """Read an ODCS document (https://bitol-io.github.io/open-data-contract-standard/), or a JSON Schema as a contract.

    Args:
        text: the whole file; its digest is taken over the UTF-8 bytes of this text.
        file: its name, for messages; nothing is opened.

    Raises:
        InvalidFile: every problem, in the order of the file, with line, column, what was found, what is allowed and the
            nearest allowed word.
    """
    return _read(load(_as_yaml(text), file), text.encode())


def read_contract_bytes(raw: bytes, file: str) -> Contract:
    """As `read_contract`, from the bytes of a file: the digest is theirs, whatever their line breaks.

    Raises:
        InvalidFile: also when the bytes are not UTF-8.
    """
    # What is not UTF-8 is for the reader to refuse, with its place.
    with contextlib.suppress(UnicodeDecodeError):
        return _read(load(_as_yaml(raw.decode("utf-8-sig")), file), raw)
    return _read(load_bytes(raw, file), raw)


def _as_yaml(text: str) -> str:
    r"""JSON as the YAML that it nearly is: a character that JSON writes as two escapes has one of its own in YAML.

    >>> _as_yaml('{"a": "\\ud83d\\ude00"}')
    '{"a": "\\U0001f600"}'
    """
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return text
    return _PAIR.sub(lambda pair: f"{pair[1]}\\U{_code(pair[2], pair[3]):08x}", text)


def _code(high: str, low: str) -> int:
    """The character of a pair of surrogates (RFC 8259, section 7)."""
    return 0x10000 + ((int(high, 16) - 0xD800) << 10) + (int(low, 16) - 0xDC00)


def _read(source: Source, raw: bytes) -> Contract:
    written = source.data
    if is_json_schema(written):
        notes = Notes(source)
        return _finished(_of_json_schema(written, notes, raw), notes)
    source, warnings = with_present_names(source)
    notes = Notes(source)
    notes.warnings.extend(warnings)
    document = source.data
    if not isinstance(document, dict):
        notes.mistyped((), document, "a contract (a group of keys)")
        raise InvalidFile(source.file, tuple(notes.problems))
    minor = _minor_version(document, notes)
    if minor is None:  # by another standard's measure every line would be a problem
        raise InvalidFile(source.file, tuple(notes.problems))
    check_shape(document, minor, notes)
    return _finished(_contract(document, written, minor, notes, raw), notes)


def _finished(contract: Contract, notes: Notes) -> Contract:
    """The contract, unless something was wrong with it."""
    if notes.problems:
        in_order = sorted(notes.problems, key=lambda p: (p.where.line, p.where.column) if p.where else (0, 0))
        raise InvalidFile(notes.source.file, tuple(in_order))
    return contract


def _of_json_schema(document: dict[str, Any], notes: Notes, raw: bytes) -> Contract:
    """A JSON Schema as a contract: one record, and nothing said of deliveries and people."""
    file = notes.source.file
    record = SchemaReader(notes).record(document)
    if record is None:
        notes.leave((), "type", "it describes no object, so no record is checked", field="")
    title, name = document.get("title"), file.replace("\\", "/").rpartition("/")[2].partition(".")[0]
    said = document.get("$id")
    return Contract(
        id=said if isinstance(said, str) and said else name,
        name=title if isinstance(title, str) and title else name,
        version="",
        digest=digest_bytes(raw),
        file=file,
        standard="json-schema",
        api_version=str(document.get("$schema", "")),
        objects=(record,) if record is not None else (),
        record=record,
        unenforced=_in_order(notes),
        warnings=tuple(notes.warnings),
        document=document,
    )


def _in_order(notes: Notes) -> tuple[Unenforced, ...]:
    """What is not enforced, each place once, in the order of the file."""
    return tuple(sorted(dict.fromkeys(notes.unenforced), key=lambda u: (u.line, u.column)))


def _minor_version(document: dict[str, Any], notes: Notes) -> int | None:
    """Which minor version of the standard's third edition a file follows; None when it follows another standard."""
    said = document.get("apiVersion")
    if said is None and "dataContractSpecification" in document:
        message = "this is a Data Contract Specification, not an Open Data Contract Standard document"
        fix = "export it: datacontract export --format odcs"
        notes.problem("version", ("dataContractSpecification",), message, fix=fix, at_key=True)
        return None
    if not isinstance(said, str) or said in API_VERSIONS:
        return API_VERSIONS.get(said, NEWEST) if isinstance(said, str) else NEWEST
    if said in BEFORE_3:
        message = f"apiVersion {quoted(said)} is of before v3.0; the file is read as v3.0.2, under its names"
        notes.warning("version", ("apiVersion",), message, fix="write apiVersion: v3.0.2 and the new names")
        return 0
    notes.unknown("version", ("apiVersion",), "a version that is read", said, API_VERSIONS)
    return NEWEST


def _contract(document: dict[str, Any], written: dict[str, Any], minor: int, notes: Notes, raw: bytes) -> Contract:
    custom = read_custom(document.get("customProperties"), ("customProperties",), notes, at="contract")
    reader = FieldReader(minor, notes)
    objects = tuple(
        reader.read_object(given, ("schema", i), allow_unknown=custom.allow_unknown is True)
        for i, given in enumerate(_groups(document, "schema"))
    )
    record = _record(objects, custom.record, notes)
    _leave_the_rest(document, objects, record, notes)
    _check_consumers(objects, record, notes)
    terms = _terms(document, custom, notes)
    return Contract(
        id=str(document.get("id", "")),
        name=str(document.get("name") or document.get("id", "")),
        version=str(document.get("version", "")),
        digest=digest_bytes(raw),
        file=notes.source.file,
        api_version=str(document.get("apiVersion", "")),
        status=str(document.get("status") or ""),
        sources=tuple(str(s["server"]) for s in _groups(document, "servers") if isinstance(s.get("server"), str)),
        objects=objects,
        record=record,
        unenforced=left_by_windows(_in_order(notes), record, terms, several=len(_groups(document, "servers")) > 1),
        warnings=tuple(sorted(notes.warnings, key=lambda w: (w.where.line, w.where.column) if w.where else (0, 0))),
        terms=terms,
        document=written,
    )


def _terms(document: dict[str, Any], custom: Custom, notes: Notes) -> Terms:
    """What the contract says beyond single records."""
    default_element = document.get("slaDefaultElement")
    element = default_element if isinstance(default_element, str) else ""
    return Terms(
        qualities=tuple(notes.qualities),
        unique=tuple(notes.unique),
        references=tuple(notes.references),
        levels=read_levels(_groups(document, "slaProperties"), element, notes),
        servers=read_servers(_groups(document, "servers"), notes),
        members=read_members(document.get("team"), notes),
        roles=read_roles(_groups(document, "roles"), notes),
        support=read_support(_groups(document, "support"), notes),
        fallback=custom.fallback,
        precedence=custom.precedence,
        consumers=custom.consumers,
        modifiers=custom.modifiers,
        lineage=custom.lineage,
        orders=tuple(notes.orders),
        window=custom.window,
    )


def _check_consumers(objects: tuple[Field, ...], record: Field | None, notes: Notes) -> None:
    """Note fields that a consumer reads and the contract does not have."""
    known = {path for o in objects for path in (*paths_of(o, o.name), *(paths_of(o, "") if o is record else ()))}
    for name, path in notes.read_fields:
        if name not in known:
            notes.unknown("custom", path, "a field of the contract", name, sorted(known))


def _record(objects: tuple[Field, ...], wanted: str, notes: Notes) -> Field | None:
    """The schema object that records are checked against."""
    named = next((o for o in objects if o.name == wanted), None)
    if wanted and named is None:
        notes.unknown("word", ("customProperties",), "a schema object", wanted, [o.name for o in objects])
    return named or (objects[0] if objects else None)


def _leave_the_rest(document: dict[str, Any], objects: tuple[Field, ...], record: Field | None, notes: Notes) -> None:
    """List what stands outside the record's own fields."""
    if record is None:
        notes.leave((), "schema", "the contract has no schema object, so no record is checked", field="")
    for i, other in enumerate(objects):
        if other is not record:
            why = f"records are checked against {quoted(record.name if record else '')}; plimsollRecord chooses another"
            notes.leave(("schema", i), "schema", why, field=other.name, of_records=False)
    for i, level in enumerate(_groups(document, "slaProperties")):
        rule = f"slaProperties.{level.get('property', '')}"
        why = "it is about the delivery, not about a record"
        notes.leave(("slaProperties", i), rule, why, field=str(level.get("element") or ""), of_records=False)


def _groups(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The groups of keys in a list; what is of another kind the shape has noted.

    A place in the list is counted over all of its items, so an item of another kind stays as an empty group.
    """
    value = document.get(key)
    return [item if isinstance(item, dict) else {} for item in value] if isinstance(value, list) else []

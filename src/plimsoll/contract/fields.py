"""Schema objects and properties, as fields with their rules."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from plimsoll.contract.custom import Custom, read_custom
from plimsoll.contract.notes import Notes
from plimsoll.contract.odcs import TYPES
from plimsoll.contract.options import read_options
from plimsoll.contract.quality import Demands, read_quality
from plimsoll.contract.rules import Field, LogicalType, Rule, RuleName
from plimsoll.contract.terms import Order, Reference, Unique
from plimsoll.contract.values import read_values
from plimsoll.model.words import quoted
from plimsoll.model.yaml_source import Path

_OPEN_TO_ALL: Final = frozenset({"", "public", "internal"})  # classifications whose values may be shown
_SECRET: Final = "password"  # noqa: S105 - the name of a format


class _Inherited(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for everything below a place, until said otherwise."""

    closed: bool
    classification: str = ""
    classified: bool = False


class FieldReader:
    """Reads the properties of one contract."""

    def __init__(self, minor: int, notes: Notes) -> None:
        self._minor = minor
        self._notes = notes
        self._keys: list[tuple[int, str, int, int]] = []  # of one object: position, field, line, column

    def read_object(self, given: dict[str, Any], path: Path, *, allow_unknown: bool) -> Field:
        """One schema object: what a record is checked against.

        Args:
            given: as the file gives it.
            path: of the object.
            allow_unknown: what the contract as a whole says of fields that it does not name.
        """
        name = _text(given, "name")
        self._notes.object = name
        self._keys = []
        custom = read_custom(given.get("customProperties"), (*path, "customProperties"), self._notes, at="object")
        read_quality(
            given.get("quality"), (*path, "quality"), self._notes, field=name, minor=self._minor, of_property=False
        )
        self._leave_links(given, path, name)
        self._read_blob(given, path, name)
        inherited = self._inherit(_Inherited(closed=not allow_unknown), custom, "")
        fields = self._read_fields(given, path, name, inherited)
        where = self._notes.source.where(path)
        self._note_key()
        self._check_compared(fields, closed=inherited.closed)
        return Field(
            name=name,
            line=where.line,
            column=where.column,
            type=LogicalType.OBJECT,
            required=True,
            fields=fields,
            closed=inherited.closed and bool(fields),
        )

    def _check_compared(self, fields: tuple[Field, ...], *, closed: bool) -> None:
        """Note names under quality rules that are no field: compared by it, nothing is ever a duplicate."""
        known = [field.name for field in fields]
        if closed and known:
            for name, at in self._notes.compared:
                if name not in known:
                    self._notes.unknown("reference", at, "a field of this object", name, known)
        self._notes.compared.clear()

    def _read_blob(self, given: dict[str, Any], path: Path, name: str) -> None:
        """A schema object that is no table: from v3.1 on."""
        if given.get("logicalType") != "blob":
            return
        if self._minor == 0:
            said = "the logicalType 'blob' is known from v3.1.0 on; this file says v3.0"
            self._notes.problem("version", (*path, "logicalType"), said, fix="say apiVersion: v3.1.0")
        why = "a blob is not made of records, so none is checked"
        self._notes.leave((*path, "logicalType"), "schema", why, field=name, of_records=False)

    def _read_fields(self, given: dict[str, Any], path: Path, dotted: str, inherited: _Inherited) -> tuple[Field, ...]:
        items = given.get("properties")
        fields: list[Field] = []
        for i, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, dict):
                name = _text(item, "name")
                below = f"{dotted}.{name}" if dotted else name
                fields.append(self._read_field(item, (*path, "properties", i), below, inherited, at="property"))
        self._check_names(fields, (*path, "properties"))
        return tuple(fields)

    def _check_names(self, fields: list[Field], path: Path) -> None:
        """Note names, and former names, that are given twice in one object."""
        taken: dict[str, int] = {}
        for i, field in enumerate(fields):
            if field.name in taken:
                said = f"the field {quoted(field.name)} is already on line {taken[field.name]}"
                self._notes.problem("duplicate", (*path, i, "name"), said, fix="keep one of the two")
            taken[field.name] = field.line
        for i, field in enumerate(fields):
            for alias in field.aliases:
                if alias in taken:
                    said = f"the former name {quoted(alias)} of {quoted(field.name)} is taken on line {taken[alias]}"
                    self._notes.problem("duplicate", (*path, i), said, fix="remove it from plimsollAliases")
                taken[alias] = field.line

    def _read_field(self, given: dict[str, Any], path: Path, dotted: str, inherited: _Inherited, *, at: str) -> Field:
        notes = self._notes
        type_ = self._read_type(given, path)
        custom = read_custom(given.get("customProperties"), (*path, "customProperties"), notes, at=at, logical=type_)
        options = read_options(
            given.get("logicalTypeOptions"),
            (*path, "logicalTypeOptions"),
            notes,
            type_,
            field=dotted,
            minor=self._minor,
        )
        demands = read_quality(
            given.get("quality"), (*path, "quality"), notes, field=dotted, minor=self._minor, logical=type_
        )
        self._leave_unenforced(given, path, dotted, type_)
        self._note_order(custom, dotted)
        own = _text(given, "classification")
        if not own and _text(_group(given, "logicalTypeOptions"), "format") == _SECRET:
            own = _SECRET
        below = self._inherit(inherited, custom, own)
        fields = self._read_fields(given, path, dotted, below) if type_ is LogicalType.OBJECT else ()
        where = notes.source.where(path)
        return Field(
            name=_text(given, "name"),
            line=where.line,
            column=where.column,
            type=type_,
            required=self._is_required(given, demands),
            rules=(*options, *demands.rules, *self._enums(given, path, custom, type_)),
            fields=fields,
            closed=below.closed and bool(fields),
            items=self._read_part(given, "items", LogicalType.ARRAY, path, f"{dotted}[]", below, type_),
            key=self._read_map(given, "key", path, dotted, below, type_),
            value=self._read_map(given, "value", path, dotted, below, type_),
            classification=below.classification,
            classified=below.classified,
            aliases=custom.aliases,
            coercions=custom.coercions,
            unit=custom.unit,
        )

    @staticmethod
    def _inherit(inherited: _Inherited, custom: Custom, classification: str) -> _Inherited:
        """What holds below a place: its own word where it has one."""
        own = classification.strip().casefold()
        secret = own not in _OPEN_TO_ALL
        return _Inherited(
            closed=inherited.closed if custom.allow_unknown is None else not custom.allow_unknown,
            # What stands inside something classified is classified, whatever it says of itself.
            classification=own if secret or not inherited.classified else inherited.classification,
            classified=secret or inherited.classified,
        )

    @staticmethod
    def _is_required(given: dict[str, Any], demands: Demands) -> bool:
        aggregate = given.get("semanticType") == "measure"  # computed over records, so in none of them
        return not aggregate and (given.get("required") is True or demands.required)

    def _read_type(self, given: dict[str, Any], path: Path) -> LogicalType | None:
        """The logical type; where none is given, what the parts that are given imply."""
        said = given.get("logicalType")
        if isinstance(said, str):
            if said in TYPES[self._minor]:
                return self._fitting(LogicalType(said), given, path)
            newer = next((m for m in sorted(TYPES) if said in TYPES[m]), None)
            if newer is not None:
                message = f"the logicalType '{said}' is known from v3.{newer}.0 on; this file says v3.{self._minor}"
                self._notes.problem("version", (*path, "logicalType"), message, fix=f"say apiVersion: v3.{newer}.0")
            else:
                self._notes.unknown("word", (*path, "logicalType"), "a logicalType", said, TYPES[self._minor])
            return None
        implied = {"properties": LogicalType.OBJECT, "items": LogicalType.ARRAY, "map": LogicalType.MAP}
        return next((t for key, t in implied.items() if given.get(key) is not None), None)

    def _fitting(self, type_: LogicalType, given: dict[str, Any], path: Path) -> LogicalType:
        """Note parts that only another logical type can have."""
        parts = {"properties": LogicalType.OBJECT, "items": LogicalType.ARRAY, "map": LogicalType.MAP}
        for key, wanted in parts.items():
            if given.get(key) is not None and type_ is not wanted:
                said = f"'{key}' is for logicalType {wanted}; this is {type_}"
                self._notes.problem("part", (*path, key), said, fix=f"say logicalType: {wanted}", at_key=True)
        if type_ is LogicalType.MAP and given.get("map") is None:
            self._notes.problem("missing", path, "a map has no 'map'", fix="write 'map:' with 'key:' and 'value:'")
        if type_ is LogicalType.VECTOR and "dimensions" not in _group(given, "logicalTypeOptions"):
            fix = "write 'logicalTypeOptions:' with 'dimensions: …'"
            self._notes.problem("missing", path, "a vector does not say how many 'dimensions' it has", fix=fix)
        return type_

    def _read_part(
        self,
        given: dict[str, Any],
        key: str,
        owner: LogicalType,
        path: Path,
        dotted: str,
        inherited: _Inherited,
        type_: LogicalType | None,
    ) -> Field | None:
        """What stands under ``items``, or under ``key`` and ``value`` of a map."""
        part = given.get(key)
        if type_ is not owner or not isinstance(part, dict):
            return None
        return self._read_field(part, (*path, key), dotted, inherited, at="item")

    def _read_map(
        self,
        given: dict[str, Any],
        key: str,
        path: Path,
        dotted: str,
        inherited: _Inherited,
        type_: LogicalType | None,
    ) -> Field | None:
        part = _group(given, "map")
        field = self._read_part(part, key, LogicalType.MAP, (*path, "map"), f"{dotted}.{key}", inherited, type_)
        if field is not None and key == "key" and not _can_be_a_name(field):
            why = f"names in JSON are texts; as {field.type} they are not checked"
            self._notes.leave((*path, "map", "key"), "map.key", why, field=dotted)
        return field

    def _enums(self, given: dict[str, Any], path: Path, custom: Custom, type_: LogicalType | None) -> tuple[Rule, ...]:
        """Allowed values, where v3.2 writes them and where other tools do."""
        rules: list[Rule] = []
        if given.get("enum") is not None and self._minor >= 2:
            values = read_values(given["enum"], (*path, "enum"), self._notes, type_, inside="value")
            seen: list[tuple[type, Any]] = []
            for i, value in enumerate(values):
                if (type(value), value) in seen:
                    said = f"{quoted(str(value))} is listed twice"
                    self._notes.problem("duplicate", (*path, "enum", i), said, fix="keep one of the two")
                seen.append((type(value), value))
            rules += [self._notes.rule(RuleName.ENUM, values, (*path, "enum"))] if values else []
        if custom.enum:
            rules.append(self._notes.rule(RuleName.ENUM, custom.enum, custom.enum_path))
        return tuple(rules)

    # -- what single records cannot tell

    def _leave_unenforced(self, given: dict[str, Any], path: Path, dotted: str, type_: LogicalType | None) -> None:
        for key in ("unique", "primaryKey"):
            if given.get(key) is True:
                why = "it compares records with each other; only within a plimsollWindow does anything"
                self._notes.leave((*path, key), key, why, field=dotted)
        if type_ is None and given.get("logicalType") is None and given.get("physicalType") is not None:
            why = "without a logicalType the kind of value is not checked; how it is stored says nothing of a record"
            self._notes.leave((*path, "physicalType"), "physicalType", why, field=dotted)
        if given.get("semanticType") == "measure":
            why = "a measure is computed over records and is in none of them"
            self._notes.leave((*path, "semanticType"), "semanticType", why, field=dotted, of_records=False)
        self._leave_links(given, path, dotted)

        if given.get("unique") is True:
            at = self._notes.source.where_key((*path, "unique"))
            self._notes.unique.append(
                Unique(object=self._notes.object, fields=(dotted,), line=at.line, column=at.column)
            )
        if given.get("primaryKey") is True:
            at = self._notes.source.where_key((*path, "primaryKey"))
            position = given.get("primaryKeyPosition")
            self._keys.append((position if isinstance(position, int) else 0, dotted, at.line, at.column))

    def _note_order(self, custom: Custom, dotted: str) -> None:
        if custom.order is None:
            return
        direction, per = custom.order
        why = "it compares records with each other; only within a plimsollWindow does anything"
        self._notes.leave(custom.order_path, "plimsollOrder", why, field=dotted)
        at = self._notes.source.where_key(custom.order_path)
        name = self._notes.object
        order = Order(
            object=name,
            field=dotted,
            direction=direction,
            per=tuple(f"{name}.{field}" for field in per),
            line=at.line,
            column=at.column,
        )
        self._notes.orders.append(order)
        # Written as consumers name them, from the object on.
        self._notes.read_fields.extend(
            (f"{name}.{field}", (*custom.order_path, "per", i)) for i, field in enumerate(per)
        )

    def _note_key(self) -> None:
        """The primary key of the object that was read: its fields in the order of their positions."""
        if self._keys:
            self._keys.sort(key=lambda key: key[0])
            _, _, line, column = self._keys[0]
            fields = tuple(field for _, field, _, _ in self._keys)
            key = Unique(object=self._notes.object, fields=fields, primary=True, line=line, column=column)
            self._notes.unique.append(key)

    def _leave_links(self, given: dict[str, Any], path: Path, dotted: str) -> None:
        links = given.get("relationships")
        for i, link in enumerate(links if isinstance(links, list) else []):
            self._note_reference(link, (*path, "relationships", i), dotted)
            why = "it points to other records; one record cannot tell"
            self._notes.leave((*path, "relationships", i), "relationships", why, field=dotted)

    def _note_reference(self, link: Any, path: Path, dotted: str) -> None:
        to = _names(_group({"link": link}, "link").get("to"))
        of = _names(_group({"link": link}, "link").get("from")) or (dotted,)
        if to:
            at = self._notes.source.where(path)
            made = Reference(object=self._notes.object, fields=of, to=to, line=at.line, column=at.column)
            self._notes.references.append(made)


def _can_be_a_name(key: Field) -> bool:
    """Whether the names in a map can be checked against what its key says."""
    texts = key.type in {None, LogicalType.STRING} or (key.type is not None and key.type.is_temporal)
    return texts or (key.type is LogicalType.INTEGER and not key.rules)


def _text(given: dict[str, Any], key: str) -> str:
    value = given.get(key)
    return value if isinstance(value, str) else ""  # of another kind: the shape says so already


def _group(given: dict[str, Any], key: str) -> dict[str, Any]:
    value = given.get(key)
    return value if isinstance(value, dict) else {}


def _names(value: Any) -> tuple[str, ...]:
    """One text or a list of texts."""
    items = [value] if isinstance(value, str) else value
    return tuple(i for i in items if isinstance(i, str)) if isinstance(items, list) else ()

"""Names of before version 3.0 of the standard, read under the names that they have now, each with a warning.

Source: the change log of the Open Data Contract Standard, v3.0.0
(https://github.com/bitol-io/open-data-contract-standard, CHANGELOG.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from plimsoll.contract.odcs import SHAPES
from plimsoll.errors import Problem, Where
from plimsoll.model.yaml_source import Node, Source

_QUALITY: Final = {"toolName": "engine", "scheduleCronExpression": "schedule"}
# Former name to the present one, by shape. A name that is already there under its present form is left alone.
RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "contract": {
        "uuid": "id",
        "quantumName": "dataProduct",
        "datasetDomain": "domain",
        "dataset": "schema",
        "stakeholders": "team",
        "slaDefaultColumn": "slaDefaultElement",
    },
    "object": {"table": "name", "columns": "properties", "dataGranularity": "dataGranularityDescription"},
    "property": {
        "column": "name",
        "encryptedColumnName": "encryptedName",
        "partitionStatus": "partitioned",
        "sampleValues": "examples",
        "isNullable": "required",
        "isUnique": "unique",
        "isPrimaryKey": "primaryKey",
        "criticalDataElementStatus": "criticalDataElement",
        "transformSourceTables": "transformSourceObjects",
    },
    "service level": {"column": "element"},
    "quality": _QUALITY,
}
_SERVERS: Final = "what it said belongs under 'servers'"
_SUPPORT: Final = "write it under 'support'"
_CUSTOM: Final = "keep it under 'customProperties' if it is needed"
# Names that are gone, and what to do with what they said.
DROPPED: Final[Mapping[str, Mapping[str, str]]] = {
    "contract": {
        **dict.fromkeys(("datasetKind", "userConsumptionMode", "schedulerAppName", "systemInstance"), _CUSTOM),
        **dict.fromkeys(
            (
                "sourceSystem",
                "sourcePlatform",
                "driver",
                "driverVersion",
                "server",
                "project",
                "datasetName",
                "database",
            ),
            _SERVERS,
        ),
        **dict.fromkeys(("productSlackChannel", "productFeedbackUrl", "productDl"), _SUPPORT),
        **dict.fromkeys(("username", "password"), "credentials do not belong into a contract: remove it"),
        "type": "a schema object says its 'physicalType'",
    },
    "object": {"priorTableName": _CUSTOM},
    "property": dict.fromkeys(("clusterStatus", "clusterKeyPosition"), _CUSTOM),
    "quality": {
        **dict.fromkeys(("templateName", "toolRuleName", "standardVersion"), _CUSTOM),
        "columns": "put the rule under the properties it is about",
    },
}
_SAME: Final = {"item": "property"}  # shapes whose former names are those of another
_INVERTED: Final = "isNullable"


class _Renamer:
    """Builds the tree anew, with the place of every value kept."""

    def __init__(self, source: Source) -> None:
        self._file = source.file
        self.warnings: list[Problem] = []

    def group(self, node: Node, shape: str) -> Node:
        """A group of keys of the named shape."""
        if not isinstance(node.data, dict) or shape not in SHAPES:
            return node
        names = _SAME.get(shape, shape)
        renamed, dropped = RENAMED.get(names, {}), DROPPED.get(names, {})
        children: dict[str | int, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        for word, place in node.keys.items():
            child = node.children[word]
            now = renamed.get(word, word)
            if now != word and now in node.keys:
                now = word  # both are there: the former is an unknown key, and is named as one
            if now == word and word in dropped and word not in SHAPES[shape].keys:
                self._say(place, f"'{word}' is no longer part of the standard and is not read", dropped[word])
                continue
            if now != word:
                child = self._present(word, now, place, child)
            children[now] = self._below(child, shape, now)
            keys[now] = place
        if names == "quality" and "toolName" in node.keys and "engine" in keys:
            children["type"] = Node(*keys["engine"], "custom")
            keys.setdefault("type", keys["engine"])
        return _group(node, children, keys)

    def _below(self, node: Node, shape: str, word: str) -> Node:
        key = SHAPES[shape].keys.get(word)
        kind = key.kind if key is not None else ""
        if kind == "team":
            kind = "[member]" if isinstance(node.data, list) else "team"
        if not kind.startswith("["):
            return self.group(node, kind)
        if not isinstance(node.data, list):
            return node
        items = {i: self.group(item, kind[1:-1]) for i, item in node.children.items()}
        return msgspec.structs.replace(node, data=[item.data for item in items.values()], children=items)

    def _present(self, word: str, now: str, place: tuple[int, int], child: Node) -> Node:
        fix = f"write '{now}'"
        if word == _INVERTED and isinstance(child.data, bool):
            child = msgspec.structs.replace(child, data=not child.data)
            fix = f"write '{now}: {str(child.data).lower()}', which is its opposite"
        self._say(place, f"'{word}' is the name of before v3.0; it is read as '{now}'", fix)
        return child

    def _say(self, place: tuple[int, int], message: str, fix: str) -> None:
        where = Where(file=self._file, line=place[0], column=place[1])
        self.warnings.append(Problem(code="contract.former-name", message=message, where=where, fix=fix))


def with_present_names(source: Source) -> tuple[Source, tuple[Problem, ...]]:
    """The same file under the names of version 3, and a warning for each former one.

    Args:
        source: as read; it is not changed.

    Returns:
        A source whose values stand where they stood, and the warnings in the order of the file.
    """
    renamer = _Renamer(source)
    root = renamer.group(source.root, "contract")
    if not renamer.warnings:
        return source, ()
    changed: Any = msgspec.structs.replace(source, data=root.data, root=root)
    return changed, tuple(renamer.warnings)


def _group(node: Node, children: dict[str | int, Node], keys: dict[str, tuple[int, int]]) -> Node:
    data = {key: children[key].data for key in keys}
    return msgspec.structs.replace(node, data=data, children=children, keys=keys)

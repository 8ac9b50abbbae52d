"""Whatever is done to a valid manifest, reading it gives a manifest or problems at their places, and nothing else."""

from __future__ import annotations

import contextlib
import copy
import re
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.errors import InvalidFile
from plimsoll.model.manifest import Manifest
from plimsoll.model.manifest_reader import read_manifest
from plimsoll.model.manifest_schema import manifest_schema
from plimsoll.model.yaml_source import Path, Source, load

SCHEMA = jsonschema_rs.Draft7Validator(manifest_schema())
HOSTILE: list[Any] = [
    None, True, False, 0, 1, -1, 16, 1.5, 1e308, 10**200, "", " ", "TBD", "x", "yes", "\x1b[2J", "a" * 1000, "5%", "300ms",
    "every 90 days", "/s", "1e999%", "stability.load >= 3x", "stability.load >= 1e400x", "nobody@example.org", "a@b@c",
    [], [[]], [None], {}, {"a": 1}, {"": ""}, ["x", "x"], "automatic", "plimsoll", "٣ms", "=", ">= 3x", "<", "a: b",
    ["a.b:1", "[::1]:80", "unix:/x y"], ["a:0"], ["a:99999"], ["https://a.b/c"], ["\u2028a:1"], ["MODEL", "_X"], ["$HOME"], ["A=b"],
]  # fmt: skip
KEYS = ["value", "tier", "deadline", "http", "services", "environment", "", "x y"]


def paths_of(data: Any, path: Path = ()) -> list[Path]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path] * bool(path) + [deeper for key, each in inner for deeper in paths_of(each, (*path, key))]


def parent_of(data: Any, path: Path) -> Any:
    for step in path[:-1]:
        data = data[step]
    return data


def hostile(draw: st.DataObject) -> Any:
    """A copy: what is put into a manifest may be mutated there, and must not be so in the next example."""
    return copy.deepcopy(draw.draw(st.sampled_from(HOSTILE), label="value"))


def mutate(data: Any, draw: st.DataObject) -> None:
    path = draw.draw(st.sampled_from(paths_of(data) or [()]), label="path")
    if not path:
        return
    parent, last = parent_of(data, path), path[-1]
    action = draw.draw(st.sampled_from(["delete", "replace", "misspell", "add", "move"]), label="action")
    if action == "delete":
        del parent[last]
    elif action == "replace":
        parent[last] = hostile(draw)
    elif action == "misspell" and isinstance(parent, dict):
        parent[f"{last}x"[draw.draw(st.integers(0, 1)) :]] = parent.pop(last)
    elif action == "add" and isinstance(parent, dict):
        parent[draw.draw(st.sampled_from(KEYS))] = hostile(draw)
    elif action == "move":
        parent[last] = copy.deepcopy(data)


@settings(max_examples=150, deadline=None)
@given(draw=st.data())
def test_any_mutation_gives_a_manifest_or_problems_and_the_schema_takes_what_the_reader_takes(
    example: str, draw: st.DataObject
) -> None:
    data = load(example, "f").data
    for _ in range(draw.draw(st.integers(1, 4))):
        mutate(data, draw)
    text = yaml.dump(data, Dumper=yaml.CSafeDumper, allow_unicode=True)
    try:
        manifest = read_manifest(text, "f")
    except InvalidFile as invalid:
        lines = len(text.split("\n"))
        for problem in invalid.problems:
            assert problem.where is not None
            assert 1 <= problem.where.line <= lines
            assert problem.where.column >= 1
            assert problem.code.startswith(("manifest.", "yaml."))
        return
    assert isinstance(manifest, Manifest)
    assert not list(SCHEMA.iter_errors(load(text, "f").data))


@settings(max_examples=150, deadline=None)
@given(draw=st.data())
def test_any_edit_of_the_text_gives_a_manifest_or_problems(example: str, draw: st.DataObject) -> None:
    text = example
    for _ in range(draw.draw(st.integers(1, 3))):
        start = draw.draw(st.integers(0, len(text)))
        end = min(len(text), start + draw.draw(st.integers(0, 8)))
        put = draw.draw(
            st.sampled_from(
                ["", " ", "\n", "\t", ":", "- ", "'", '"', "{", "]", "&a ", "*a", "!x ", "#", "é", "\x00", "%"]
            )
        )
        text = text[:start] + put + text[end:]
    with contextlib.suppress(InvalidFile):
        read_manifest(text, "f")


def scalars(source: Source) -> list[Path]:
    def value(path: Path) -> Any:
        found = source.data
        for step in path:
            found = found[step]
        return found

    return [p for p in paths_of(source.data) if not isinstance(value(p), dict | list)]


def test_a_value_of_another_kind_is_reported_where_it_stands(example: str) -> None:
    source = load(example, "f")
    lines = example.split("\n")
    places = scalars(source)
    assert len(places) > 60
    for path in places:
        where = source.where(path)
        line = lines[where.line - 1]
        rest = line[where.column - 1 :]
        block = line.lstrip().startswith("- ") or ("{" not in line[: where.column] and "[" not in line[: where.column])
        end = len(rest) if block else re.search(r"[,}\]]", rest).start()  # type: ignore[union-attr]  # the example has one
        changed = line[: where.column - 1] + "{zz: 1}" + rest[end:]
        text = "\n".join([*lines[: where.line - 1], changed, *lines[where.line :]])
        with pytest.raises(InvalidFile) as caught:
            read_manifest(text, "f")
        found = {(p.where.line, p.where.column, p.code) for p in caught.value.problems if p.where}
        wrong = (where.line, where.column, "manifest.wrong-type")
        if path[:2] == ("target", "fallback"):  # a step may be a group, and this one has no such key
            wrong = (where.line, where.column + 1, "manifest.unknown-key")
        assert wrong in found, path


def test_a_misspelt_key_is_reported_where_it_stands(example: str) -> None:
    source = load(example, "f")
    lines = example.split("\n")
    names = {("decisions", name) for name in source.data["decisions"]}  # those are free
    for path in (p for p in paths_of(source.data) if p not in names):
        if not isinstance(path[-1], str):
            continue
        where = source.where_key(path)
        line = lines[where.line - 1]
        before, after = line[: where.column - 1], line[where.column - 1 :]
        text = "\n".join([*lines[: where.line - 1], f"{before}q{after}", *lines[where.line :]])
        with pytest.raises(InvalidFile) as caught:
            read_manifest(text, "f")
        unknown = [p for p in caught.value.problems if p.code == "manifest.unknown-key"]
        assert [(p.where.line, p.where.column) for p in unknown if p.where] == [(where.line, where.column)], path
        assert len(path[-1]) < 3 or f"'{path[-1]}'" in unknown[0].fix


def test_a_deleted_required_key_is_reported_at_its_group(example: str) -> None:
    required = [
        ("plimsoll",), ("system",), ("purpose",), ("owners",), ("target",), ("decisions",), ("data",), ("load",),
        ("threshold",), ("owners", "leader"), ("owners", "leader", "contact"), ("target", "python"),
        ("decisions", "read-amount", "tier"), ("load", "peak"), ("review", "capacity"), ("threshold", "set_by"),
        ("threshold", "conditions"),
    ]  # fmt: skip
    for path in required:
        data = load(example, "f").data
        del parent_of(data, path)[path[-1]]
        text = yaml.safe_dump(data)
        with pytest.raises(InvalidFile) as caught:
            read_manifest(text, "f")
        missing = [p for p in caught.value.problems if p.code == "manifest.missing-key"]
        assert [p.where for p in missing] == [load(text, "f").where_key(path[:-1])], path
        assert f"'{path[-1]}'" in missing[0].message

"""Every problem code that the code can give, found by reading its sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SRC: Final = Path(__file__).resolve().parents[2] / "src" / "plimsoll"

_FULL: Final = re.compile(
    r"(manifest|governance|yaml|trust|golden|gate|verification|contract|store|input|target)\.[a-z]+(-[a-z]+)*"
)
_NO_CODE: Final = frozenset(
    {
        "golden.jsonl",
        "trust.yaml",
        "target.artifacts",
        "target.path",
        "target.python",
        "manifest.yaml",
        "governance.yaml",
    }
)


def problem_codes() -> set[str]:
    """All codes, without those of the error classes themselves."""
    found: set[str] = set()
    for path in sorted(SRC.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found.update(_of_tree(tree, path.relative_to(SRC)))
    return found


def finding_codes() -> set[str]:
    """What a verification of the ledger can find."""
    found: set[str] = set()
    for path in sorted((SRC / "ledger").glob("*.py")):
        for call in _calls(ast.parse(path.read_text(encoding="utf-8"))):
            if _name(call) == "Finding":
                found.update(_texts(_keyword(call, "code")))
            elif _name(call) == "_find" and call.args:
                found.update(_texts(call.args[0]))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # `for code, what, … in (("entries-missing", …), …)`: a table of findings
            if isinstance(node, ast.For) and isinstance(node.target, ast.Tuple) and isinstance(node.iter, ast.Tuple):
                names = [e.id for e in node.target.elts if isinstance(e, ast.Name)]
                if names[:1] == ["code"]:
                    for row in node.iter.elts:
                        assert isinstance(row, ast.Tuple)
                        found.update(_texts(row.elts[0]))
    return found


def _of_tree(tree: ast.Module, path: Path) -> Iterator[str]:
    for call in _calls(tree):
        yield from _of_call(call, path)
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and _FULL.fullmatch(value) and value not in _NO_CODE:
            yield value


def _of_call(call: ast.Call, path: Path) -> Iterator[str]:
    name = _name(call)
    first = _texts(call.args[0]) if call.args else []
    if path.parts[0] == "contract":
        if name in {"problem", "unknown", "warning"}:
            yield from (f"contract.{code}" for code in first if not code.startswith("contract."))
        elif name in {"mistyped", "_mistyped"}:
            yield "contract.wrong-type"
    elif path.parts[0] == "attest":
        if name == "failed":
            yield from (f"verification.{code}" for code in first)
        elif name == "_note" and path.name == "trust.py":
            yield from (f"trust.{code}" for code in first)
    if name == "Problem":
        yield from (code for code in _texts(_keyword(call, "code")) if code != "c")


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)


def _texts(node: ast.expr | None) -> list[str]:
    """The texts that an expression can be: one, or either of two."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    return []

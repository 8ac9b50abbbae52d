"""What the core needs: few distributions, few megabytes, and none of the heavy ones."""

from __future__ import annotations

import ast
import importlib.metadata
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import plimsoll

MOST_DISTRIBUTIONS = 32
MOST_BYTES = 80_000_000
# The one module that needs an extra's distribution, imported when the extra is asked for: see `MissingExtra`.
OF_EXTRAS = {"ledger/postgres.py": {"psycopg"}}
EXTRAS_ONLY = {"psycopg", "psycopg-binary", "numpy", "scikit-learn", "scipy", "pandas", "duckdb", "pyarrow", "torch"}


def core() -> dict[str, importlib.metadata.Distribution]:
    """The distribution and all that it requires here without any extra, transitively; markers are honoured."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = [(canonicalize_name("plimsoll-ai"), frozenset[str]())]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        found[name] = distribution = importlib.metadata.distribution(name)
        for text in distribution.requires or ():
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is not None and not any(marker.evaluate({"extra": e}) for e in extras or {""}):
                continue
            needed = (canonicalize_name(requirement.name), frozenset(requirement.extras))
            if needed not in seen:
                seen.add(needed)
                waiting.append(needed)
    return found


def size_of(distribution: importlib.metadata.Distribution) -> int:
    """Bytes of its installed files; of ours, which is installed from its folder, those of the package."""
    if canonicalize_name(distribution.metadata["Name"]) == "plimsoll-ai":
        files = Path(plimsoll.__file__).parent.rglob("*")
        return sum(f.stat().st_size for f in files if f.is_file() and "__pycache__" not in f.parts)
    assert distribution.files is not None, f"{distribution.metadata['Name']} does not list its files"
    places = (Path(str(distribution.locate_file(f))) for f in distribution.files if "__pycache__" not in str(f))
    return sum(place.stat().st_size for place in places if place.exists())


def test_the_core_is_small():
    needed = core()
    sizes = {name: size_of(distribution) for name, distribution in needed.items()}
    ranked = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in sorted(sizes.items(), key=lambda s: -s[1]))
    assert len(needed) <= MOST_DISTRIBUTIONS, sorted(needed)
    assert sum(sizes.values()) <= MOST_BYTES, ranked
    assert all(size > 0 for size in sizes.values()), ranked
    assert not EXTRAS_ONLY & set(needed)


def test_the_lock_of_the_core_holds_what_the_core_needs():
    lock = Path(__file__).parents[1] / "requirements" / "core.txt"
    pinned = {
        canonicalize_name(line.partition("==")[0])
        for line in lock.read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }
    assert set(core()) - {"plimsoll-ai"} <= pinned
    assert len(pinned) <= MOST_DISTRIBUTIONS
    assert not any(word in lock.read_text() for word in ("index-url", "find-links", "://"))


def test_no_module_imports_what_the_core_does_not_install():
    by_module = importlib.metadata.packages_distributions()
    needed = set(core())
    for file in sorted(Path(plimsoll.__file__).parent.rglob("*.py")):
        foreign = {
            canonicalize_name(distribution)
            for name in imported(file) - sys.stdlib_module_names - {"plimsoll"}
            for distribution in by_module.get(name, [name])
        }
        extra = OF_EXTRAS.get(file.relative_to(Path(plimsoll.__file__).parent).as_posix(), set())
        if "testing" not in file.parts:  # for those who test a store of their own, with the tools they test with
            assert foreign <= needed | extra, f"{file} imports {sorted(foreign - needed)}"


def imported(file: Path) -> set[str]:
    """The top-level names of the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found

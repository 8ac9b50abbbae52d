"""A tiny system in a folder of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from cli.tiny_system import TinySystem


@pytest.fixture
def tiny(tmp_path) -> TinySystem:
    return TinySystem(tmp_path / "parity")


@pytest.fixture(autouse=True)
def own_modules() -> Iterator[None]:
    """Each test has a module `parity` of its own."""
    path = list(sys.path)
    sys.modules.pop("parity", None)
    yield
    sys.path[:] = path
    sys.modules.pop("parity", None)

"""A tiny system in a folder of its own."""

from __future__ import annotations

import pytest
from cli.tiny_system import TinySystem


@pytest.fixture
def tiny(tmp_path) -> TinySystem:
    return TinySystem(tmp_path / "parity")

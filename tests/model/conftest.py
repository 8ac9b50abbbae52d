from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def example() -> str:
    """The manifest of the design page, without the keys that are planned."""
    return (_HERE / "design_example.yaml").read_text()


@pytest.fixture(scope="session")
def thirty_faults() -> str:
    return (_HERE / "thirty_faults.yaml").read_text()

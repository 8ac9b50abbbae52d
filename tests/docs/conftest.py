"""The folder that the tutorial leaves, made once for all pages that go on in it."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from docs.pages import DOCS
from docs.shell import run_page


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's folder after its last command. Several test processes share it: the first one makes it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    folder = shared / "tutorial"
    with (shared / "tutorial.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".done").exists():
            folder.mkdir(exist_ok=True)
            run_page(DOCS / "tutorial.md", folder)
            (folder / ".done").touch()
    return folder

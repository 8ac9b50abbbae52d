"""Real services and cells for the load driver."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from plimsoll.engine.load_cell import CellTarget

_HERE = Path(__file__).parent


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Start a service of `load_server.py`; gives its URL. With a certificate, it serves over TLS."""
    running: list[subprocess.Popen[bytes]] = []

    def start(kind: str, *values: float, certificate: Path | None = None) -> str:
        argv = [sys.executable, str(_HERE / "load_server.py"), kind, *map(str, values)]
        env = os.environ | ({} if certificate is None else {"CERTIFICATE": str(certificate)})
        server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        running.append(server)
        assert server.stdout is not None
        scheme = "http" if certificate is None else "https"
        return f"{scheme}://127.0.0.1:{int(server.stdout.readline())}/"

    yield start
    for server in running:
        server.communicate(timeout=10)


@pytest.fixture
def cell() -> Callable[..., CellTarget]:
    """The command of a cell of `cell_child.py`."""

    def target(kind: str, value: float = 0, **more: Any) -> CellTarget:
        return CellTarget(argv=(sys.executable, str(_HERE / "cell_child.py"), kind, str(value)), **more)

    return target


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine in an event loop of its own."""

    def go(main: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main)

    return go

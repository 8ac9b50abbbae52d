from __future__ import annotations

import pytest
from cli.tiny_system import TinySystem
from server.a_server import Running, new_token, serving


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> TinySystem:
    return TinySystem(tmp_path_factory.mktemp("served") / "parity")


@pytest.fixture(scope="module")
def token(tiny) -> str:
    return new_token(tiny, "decide", "read", "feedback", "metrics")


@pytest.fixture(scope="module")
def server(tiny, token) -> Running:
    with serving(tiny) as running:
        yield running

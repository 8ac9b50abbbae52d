"""Beginning and ending a server: one socket, one or several worker processes; what is in flight ends first."""

from __future__ import annotations

import errno
import functools
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from plimsoll.assembly.serving import open_running
from plimsoll.errors import InputError, PlimsollError, UsageError
from plimsoll.server.application import Setting, is_loopback, made
from plimsoll.server.protocol import BoundedProtocol

_BACKLOG: Final = 1024


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how to serve."""

    manifest: Path
    state: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000  # 0: any that is free
    workers: int = 1
    is_open: bool = False  # no tokens; on a loopback address alone
    certificate: Path | None = None  # TLS: certificate chain and key, PEM
    private_key: Path | None = None
    grace_s: float = 30.0  # what is in flight may take so long to end


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What is served, once it listens."""

    url: str
    system: str
    release: str
    workers: int


def serve(serving: Serving, *, listening: Callable[[Served], None]) -> None:
    """Serve until SIGTERM or SIGINT; then take no more connections, end what is in flight, and record it.

    Args:
        serving: where and how.
        listening: told once the socket listens.

    Raises:
        UsageError: no tokens, and not on a loopback address; no worker; half a TLS pair.
        InputError: the address cannot be listened on.
        PlimsollError: the system cannot be opened; see its branches.
    """
    _check(serving)
    # Opened once before any worker is: what is wrong is said here, with its own exit code, and not by each of them.
    with open_running(serving.manifest, serving.state, with_tokens=False) as running:
        system, release = running.guard.settings.system, running.guard.settings.release
    with tempfile.TemporaryDirectory(prefix="plimsoll-counts-") as counts, _listen(serving) as listener:
        setting = Setting(
            manifest=serving.manifest,
            state=serving.state,
            counts=Path(counts),
            is_open=serving.is_open,
            parent=os.getpid() if serving.workers > 1 else 0,
        )
        config = Config(
            functools.partial(made, setting),
            factory=True,
            http=BoundedProtocol,
            ws="none",
            loop="uvloop",
            lifespan="on",
            workers=serving.workers,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=int(serving.grace_s),
            timeout_worker_healthcheck=30,
            ssl_certfile=None if serving.certificate is None else str(serving.certificate),
            ssl_keyfile=None if serving.private_key is None else str(serving.private_key),
        )
        port = listener.getsockname()[1]
        scheme = "http" if serving.certificate is None else "https"
        host = f"[{serving.host}]" if ":" in serving.host else serving.host
        listening(Served(url=f"{scheme}://{host}:{port}", system=system, release=release, workers=serving.workers))
        # uvicorn raises the signal again that ended it; it has done its work then.
        signal.signal(signal.SIGTERM, _done)
        if serving.workers == 1:
            server = Server(config)
            server.run(sockets=[listener])
            if not server.started:
                raise PlimsollError("the server did not start; what is above says why")
        else:
            Multiprocess(config, sockets=[listener]).run()


def _check(serving: Serving) -> None:
    if serving.is_open and not is_loopback(serving.host):
        raise UsageError(
            f"--open serves without tokens, and '{serving.host}' can be reached from elsewhere",
            fix="serve on 127.0.0.1, or make tokens: `plimsoll token new`",
        )
    if serving.workers < 1:
        raise UsageError(f"{serving.workers} worker processes serve nothing", fix="give --workers 1 or more")
    if (serving.certificate is None) is not (serving.private_key is None):
        raise UsageError("TLS needs a certificate and its key", fix="give both --tls-certificate and --tls-key")


def _listen(serving: Serving) -> socket.socket:
    family = socket.AF_INET6 if ":" in serving.host else socket.AF_INET
    try:
        return socket.create_server((serving.host, serving.port), family=family, backlog=_BACKLOG)
    except OSError as why:
        fix = "give another --port" if why.errno == errno.EADDRINUSE else "mend --host and --port"
        raise InputError(
            f"{serving.host}:{serving.port} cannot be listened on: {why.strerror or why}", fix=fix
        ) from why
    except OverflowError as why:
        raise UsageError(f"{serving.port} is no port", fix="give one from 0 to 65535") from why


def _done(*_: object) -> None:
    """It is over already."""

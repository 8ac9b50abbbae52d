"""Serve decisions over HTTP: one record or many in, answers out; readiness, metrics, OpenAPI.

It ends on SIGTERM or Ctrl-C, after what is in flight has been answered and recorded. Callers present a token
(`plimsoll token new`); with --open, on a loopback address alone, they need none.

Example:
  plimsoll serve --port 8000 --workers 2
"""

from __future__ import annotations

import argparse
from pathlib import Path

from plimsoll.assembly.project import find_manifest
from plimsoll.cli.out import Out
from plimsoll.cli.project_options import add_project
from plimsoll.server import Served, Serving, serve


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll serve` takes."""
    add_project(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: 127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free; default: 8000")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes that serve; default: 1")
    parser.add_argument("--open", action="store_true", help="ask for no token; on a loopback address alone")
    parser.add_argument("--tls-certificate", type=Path, metavar="FILE", help="certificate chain, PEM")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key, PEM")
    parser.add_argument(
        "--grace", type=float, default=30.0, metavar="SECONDS", help="what is in flight may take so long; default: 30"
    )


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Serve until told to end."""

    def listening(served: Served) -> None:
        out.give(served)
        many = "one process" if served.workers == 1 else f"{served.workers} processes"
        out.say(f"{served.system} listens on {served.url}, in {many}; release {served.release}")

    serve(
        Serving(
            manifest=find_manifest(arguments.manifest).absolute(),
            state=None if arguments.state is None else arguments.state.absolute(),
            host=arguments.host,
            port=arguments.port,
            workers=arguments.workers,
            is_open=arguments.open,
            certificate=arguments.tls_certificate,
            private_key=arguments.tls_key,
            grace_s=arguments.grace,
        ),
        listening=listening,
    )
    return 0

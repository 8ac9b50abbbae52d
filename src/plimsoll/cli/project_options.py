"""The arguments that name a system, its state and who is trusted."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from plimsoll.assembly.project import Project, find_manifest


def add_project(parser: argparse.ArgumentParser) -> None:
    """MANIFEST and --state."""
    parser.add_argument("manifest", nargs="?", help="the manifest, or its folder; default: ./plimsoll.yaml")
    add_project_options(parser)


def add_project_options(parser: argparse.ArgumentParser) -> None:
    """--state and --trust alone, for commands whose positional arguments are others."""
    parser.add_argument(
        "--state", metavar="DIR", type=Path, help="folder for ledger, keys and reports; default: as the manifest says"
    )
    parser.add_argument(
        "--trust",
        metavar="FILE",
        type=Path,
        default=os.environ.get("PLIMSOLL_TRUST") or None,
        help="trust.yaml, which pins public keys; default: $PLIMSOLL_TRUST",
    )


def add_witness(parser: argparse.ArgumentParser) -> None:
    """``--witness``, of what verifies the record before it judges."""
    parser.add_argument(
        "--witness",
        metavar="FILE",
        type=here,
        help="checkpoints kept outside the store; default: the witness file in the state folder",
    )


def here(text: str) -> Path:
    """A path as it is meant now: a target may change the current folder before it is used."""
    return Path(text).absolute()


def open_project(arguments: argparse.Namespace) -> Project:
    """The project that the arguments mean.

    Raises:
        InputError: there is no such manifest, or it has problems.
    """
    return Project(find_manifest(arguments.manifest), state=arguments.state)

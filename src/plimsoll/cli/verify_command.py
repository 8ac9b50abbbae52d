"""Check an attestation, offline: signature, subject, threshold, validity, verdict.

Exit code 0: it holds. 5: it does not; the message says which check failed.

Example:
  plimsoll verify claims.attestation.json --subject sha256:4f1c… --trust trust.yaml
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from plimsoll.attest import verify_attestation
from plimsoll.cli.files import read_bytes, read_trust_file
from plimsoll.cli.out import Out
from plimsoll.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll verify` takes."""
    parser.add_argument("file", type=Path, help="the attestation, as `plimsoll gate --attest` wrote it")
    parser.add_argument("--subject", metavar="DIGEST", required=True, help="the release that is about to be deployed")
    parser.add_argument(
        "--threshold",
        metavar="DIGEST",
        help="the line it must have been judged by; default: any that its setter signed",
    )
    parser.add_argument("--trust", metavar="FILE", type=Path, help="trust.yaml; default: $PLIMSOLL_TRUST")
    parser.add_argument("--allow-simulated", action="store_true", help="accept a DEMONSTRATION; never for real")


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Verify, and print what was attested."""
    trust = read_trust_file(arguments.trust)
    if trust is None:
        raise UsageError("no trusted keys are named", fix="give --trust FILE, or set PLIMSOLL_TRUST")
    verified = verify_attestation(
        read_bytes(arguments.file, "attestation"),
        subject=arguments.subject,
        trust=trust,
        now_ns=time.time_ns(),
        threshold=arguments.threshold,
        allow_simulated=arguments.allow_simulated,
    )
    out.give(verified)
    for line in verified.lines():
        out.show(line)
    return 0

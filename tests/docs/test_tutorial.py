"""The tutorial is run as its reader would: every block in order, with the real command line, from an empty folder."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from docs.pages import DOCS, blocks

from plimsoll.attest import read_trust, verify_attestation


@pytest.mark.alone
def test_it_runs_from_an_empty_folder_to_an_attestation_that_a_deploy_step_accepts(tutorial: Path) -> None:
    trust = read_trust((tutorial / "trust.yaml").read_text(encoding="utf-8"))
    raw = (tutorial / "triage.attestation.json").read_bytes()
    release = json.loads((tutorial / "gate.json").read_text())["data"]["board"]["release"]

    verified = verify_attestation(raw, subject=release, trust=trust, now_ns=time.time_ns())

    assert verified.system == "triage"
    assert not verified.simulated
    assert list((tutorial / ".plimsoll" / "reports").glob("*.html"))


def test_its_function_is_as_short_as_it_says() -> None:
    function = next(block for block in blocks(DOCS / "tutorial.md") if block.name == "triage.py")

    assert len([line for line in function.text.splitlines() if line.strip()]) <= 10

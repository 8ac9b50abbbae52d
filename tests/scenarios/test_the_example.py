"""The example's verdict follows from its model and its feed: swap either, and it changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli.tiny_system import plimsoll

from plimsoll.assembly.project import Project

pytest.importorskip("sklearn", reason="NOT TRIED: the example, since the extra 'demo' is not installed")

EXAMPLE = Path(__file__).parents[2] / "examples" / "claims_reader"


@pytest.fixture
def example(tmp_path) -> Path:
    copied = tmp_path / "claims"
    shutil.copytree(EXAMPLE, copied, ignore=shutil.ignore_patterns(".plimsoll", "__pycache__"))
    return copied


def check(example, *names):
    only = [part for name in names for part in ("--only", name)]
    ran = plimsoll("check", example / "plimsoll.yaml", *only, "--json", timeout=120)
    return ran.data["board"], {row["metric"]: row for row in ran.data["board"]["rows"]}


def test_both_manifests_judge_the_same_weights_and_feed_by_the_same_threshold():
    pilot, mended = Project(EXAMPLE / "pilot.yaml"), Project(EXAMPLE / "plimsoll.yaml")
    assert pilot.manifest.threshold == mended.manifest.threshold
    assert pilot.manifest.threshold.digest == mended.manifest.threshold.digest
    assert pilot.manifest.samples == mended.manifest.samples
    assert pilot.manifest.target.artifacts == mended.manifest.target.artifacts
    assert pilot.manifest.target.python == mended.manifest.target.python
    shared = {name: part for name, part in pilot.release.parts.items() if name.startswith(("source:", "artifact:"))}
    assert shared
    assert shared == {n: p for n, p in mended.release.parts.items() if n.startswith(("source:", "artifact:"))}
    assert pilot.release.digest != mended.release.digest


def test_the_example_as_it_is_reads_well_and_keeps_its_contracts(example):
    board, rows = check(example, "evaluation", "contracts")
    assert rows["evaluation.accuracy"]["standing"] == "met"
    assert rows["evaluation.answered_share"]["standing"] == "met"
    assert rows["contracts.valid_rate"]["standing"] == "met"
    assert rows["contracts.lost_records"]["standing"] == "met"
    assert board["demonstration"] is True


def test_another_model_changes_the_verdict(example):
    shutil.copy(example / "regressed" / "weights.npz", example / "claims_reader" / "weights.npz")
    board, rows = check(example, "evaluation")
    assert board["outcome"] == "not ready"
    assert any(rows[m]["standing"] == "not met" for m in ("evaluation.accuracy", "evaluation.answered_share"))


def test_another_feed_changes_the_verdict(example):
    feed = example / "feed" / "mailroom.jsonl"
    records = [json.loads(line) for line in feed.read_text().splitlines() if line.endswith("}")]
    for record in records:
        record["sheet"] = "one more field that nobody agreed on"
    feed.write_text("".join(json.dumps(record) + "\n" for record in records * 4))
    board, rows = check(example, "contracts")
    assert board["outcome"] == "not ready"
    assert rows["contracts.valid_rate"]["standing"] == "not met"
    assert rows["contracts.lost_records"]["standing"] == "met"

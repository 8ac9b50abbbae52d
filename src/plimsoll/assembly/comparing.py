"""`plimsoll assess evaluation --compare`: the system's target and another one, on the same golden set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from plimsoll.assembly.assessing import Progress, Silent
from plimsoll.assembly.project import Project, read_file
from plimsoll.assembly.starting import is_target
from plimsoll.assess.comparison import Comparison, Cost, compare
from plimsoll.assess.golden import read_golden
from plimsoll.errors import InputError, UsageError
from plimsoll.guard import Guard, load_target
from plimsoll.ledger import Draft
from plimsoll.model.canonical import canonical, digest, digest_bytes
from plimsoll.model.decision import Tier
from plimsoll.model.manifest import Target
from plimsoll.model.manifest_reader import read_manifest, read_manifest_bytes
from plimsoll.model.manifest_writer import starting_manifest

CONFIDENCE = 0.95  # of a comparison's bounds, two-sided
BESIDE = 4  # worker processes of another Python target: as many cases are under way


def compare_targets(
    project: Project,
    other: str,
    *,
    cost_of: Cost = lambda _: None,
    progress: Progress | None = None,
) -> Comparison:
    """Put the manifest's target and another one side by side on its golden set.

    Contracts, decision types and deadline are those of the manifest for both. Every decision is recorded, and what came
    of it; it is no evidence: each target is measured for the gate by itself.

    Args:
        project: the system.
        other: another manifest, of which only the target counts; or a target as ``plimsoll init`` takes it.
        cost_of: from a decision's usage to its cost; None where it is not known.
        progress: how to tell how far it is.

    Raises:
        InputError: the manifest names no golden set, or a file cannot be read.
        UsageError: ``other`` is neither a manifest nor a target.
        TargetError: one of the targets cannot be loaded.
    """
    progress = progress or Silent()
    name, declared, folder = _other(other)
    golden = project.manifest.samples.golden
    if golden is None:
        raise InputError(
            f"{project.file} names no samples.golden",
            fix="samples.golden is a JSON Lines file of cases whose right answer is known",
        )
    path = project.folder / golden
    raw = read_file(path, "golden set")
    types = tuple(n for n, d in project.manifest.decisions.items() if d.tier is not Tier.HUMAN_ONLY)
    cases = read_golden(raw, str(path), types)
    about = {"golden": digest_bytes(raw), "release": project.release.digest, "other": name, "target": digest(declared)}
    progress.begin("comparison", len(cases))
    with project.open_ledger() as ledger:
        project.record_release(ledger)
        run = ledger.append(Draft(kind="comparison.started", system=project.manifest.system, body=canonical(about)))
        second = load_target(declared, folder)
        try:
            parts = project.guard_parts(run=run, rehearsal=True)
            with Guard(ledger=ledger, **parts) as ours, Guard(ledger=ledger, **_beside(parts, second, declared)) as its:
                found = compare(
                    ledger,
                    (_name_of(project.manifest.target), ours),
                    (name, its),
                    cases,
                    confidence=CONFIDENCE,
                    cost_of=cost_of,
                    tick=progress.tick,
                )
            parts["target"].close()
        finally:
            second.close()
        ended = {"run": run, "comparison": found}
        ledger.append(
            Draft(kind="comparison.ended", system=project.manifest.system, refs=(run,), body=canonical(ended))
        )
    progress.end(found.finding)
    return found


def _beside(parts: Mapping[str, Any], target: Any, declared: Target) -> Any:
    """The parts of a guard of the same system around another target, under a release name of its own."""
    settings = msgspec.structs.replace(parts["settings"], release=digest({"compared": declared}))
    return {**parts, "target": target, "settings": settings}


def _other(text: str) -> tuple[str, Target, Path]:
    """A name, what is declared, and the folder that its files are relative to."""
    path = Path(text)
    if path.is_dir():
        path /= "plimsoll.yaml"
    if path.is_file():
        manifest = read_manifest_bytes(read_file(path, "manifest"), str(path))
        return f"{path}: {_name_of(manifest.target)}", _apart(manifest.target), path.parent.absolute()
    if not is_target(text):
        raise UsageError(
            f"'{text}' is neither a manifest nor a target",
            fix="name a plimsoll.yaml, or write package.module:function, https://host/path, or openai:MODEL",
        )
    manifest = read_manifest(starting_manifest(text, None, None, "other"), text)
    return text, _apart(manifest.target), Path.cwd()


def _apart(target: Target) -> Target:
    """A Python target runs in processes of its own: two versions of one module do not fit into one interpreter."""
    return msgspec.structs.replace(target, workers=target.workers or BESIDE) if target.python else target


def _name_of(target: Target) -> str:
    if target.openai is not None:
        return f"{target.openai.model} at {target.openai.url}"
    if target.http is not None:
        return target.http.url
    return target.python or (target.onnx.model if target.onnx is not None else "")

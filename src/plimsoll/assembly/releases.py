"""Opening a kept release beside another: its own contracts and tiers, and its code in processes of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plimsoll.assembly.project import Project
from plimsoll.errors import InputError
from plimsoll.guard import Guard
from plimsoll.ledger import Ledger
from plimsoll.rollout import kept_manifest


def releases_folder(project: Project) -> Path:
    """Where the kept releases of a project lie."""
    return project.state / "releases"


def check_kept(project: Project, release: str, kept: Project | None = None) -> None:
    """Return when a release is kept here, and its copy is still that release.

    Args:
        project: whose kept release it is.
        release: its digest.
        kept: the copy, where it was read already.

    Raises:
        InputError: it is not kept, or another one here.
    """
    if kept is None:
        kept = Project(kept_manifest(releases_folder(project), release), state=project.state)
    if kept.release.digest == release:
        return
    differ = sorted(
        name
        for name in ("interpreter", "environment", "manifest")
        if kept.release.parts.get(name) != project.release.parts.get(name)
    )
    raise InputError(
        f"the kept release {release} is another one here: {', '.join(differ) or 'its files'} changed since it was kept",
        fix="restore the environment that it was kept in, or keep it anew: `plimsoll rollout build`",
    )


def opener(project: Project, ledger: Ledger, *, run: str = "", system: str = "") -> Callable[[str], Guard]:
    """What opens the guard of a kept release of this project, on its ledger.

    Args:
        project: whose kept releases they are.
        ledger: where they record.
        run: the drill that they are opened for; "" in earnest.
        system: under which name they record and are steered; "": the manifest's.
    """

    def open_release(release: str) -> Guard:
        kept = Project(kept_manifest(releases_folder(project), release), state=project.state)
        check_kept(project, release, kept)
        if project.governance is not None:  # the organisation's page of today rules, also on what was built before it
            kept.governance = project.governance
        parts = kept.guard_parts(apart=True, run=run, rehearsal=bool(run), system=system)
        return Guard(ledger=ledger, spend=kept.purse(ledger, parts["target"], system=system), **parts)

    return open_release

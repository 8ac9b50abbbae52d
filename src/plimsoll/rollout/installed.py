"""What is installed beside a release: every distribution, by version."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path


def installed_distributions() -> tuple[str, ...]:
    """Every installed distribution as ``name==version``, sorted, each once.

    Only those that stand where installers put them. A project's own folder is on the import path too, in some of our
    processes and not in others, and what a build once left there (``*.egg-info``) would make two releases of one.
    """
    found = importlib.metadata.distributions(path=site_folders())
    return tuple(sorted({f"{d.name}=={d.version}" for d in found if d.name}))


def site_folders() -> list[str]:
    """The folders of the import path that installers write into."""
    return [entry for entry in sys.path if Path(entry).name in {"site-packages", "dist-packages"}]

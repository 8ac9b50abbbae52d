"""Releases: what is shipped, its digest, its copy, and what is done with it."""

from plimsoll.rollout.code import Outside, code_outside
from plimsoll.rollout.kept import Kept, keep_release, kept_manifest, kept_releases, read_kept
from plimsoll.rollout.opened import OpenedFiles, uncovered
from plimsoll.rollout.reached import Reached
from plimsoll.rollout.release import Release, build_release, release_digest, search_path
from plimsoll.rollout.steps import (
    KEPT,
    Line,
    Step,
    end_beside,
    history,
    listing,
    promote,
    roll_back,
    run_beside,
    steered,
    way_back,
)

__all__ = [
    "KEPT",
    "Kept",
    "Line",
    "OpenedFiles",
    "Outside",
    "Reached",
    "Release",
    "Step",
    "build_release",
    "code_outside",
    "end_beside",
    "history",
    "keep_release",
    "kept_manifest",
    "kept_releases",
    "listing",
    "promote",
    "read_kept",
    "release_digest",
    "roll_back",
    "run_beside",
    "search_path",
    "steered",
    "uncovered",
    "way_back",
]

"""Releases: what is shipped, its digest, its copy, and what is done with it."""

from plimsoll.rollout.code import Outside, code_outside
from plimsoll.rollout.exceptions import Excepted, exceptions, promote_on_exception
from plimsoll.rollout.kept import Kept, keep_release, kept_manifest, kept_releases, read_kept
from plimsoll.rollout.opened import OpenedFiles, uncovered
from plimsoll.rollout.reached import Reached
from plimsoll.rollout.release import Release, build_release, release_digest, search_path
from plimsoll.rollout.steps import (
    EXCEPTED,
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
    "EXCEPTED",
    "KEPT",
    "Excepted",
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
    "exceptions",
    "history",
    "keep_release",
    "kept_manifest",
    "kept_releases",
    "listing",
    "promote",
    "promote_on_exception",
    "read_kept",
    "release_digest",
    "roll_back",
    "run_beside",
    "search_path",
    "steered",
    "uncovered",
    "way_back",
]

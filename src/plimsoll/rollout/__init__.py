"""Releases: what is shipped, and its digest."""

from plimsoll.rollout.code import Outside, code_outside
from plimsoll.rollout.opened import OpenedFiles, uncovered
from plimsoll.rollout.reached import Reached
from plimsoll.rollout.release import Release, build_release, release_digest, search_path

__all__ = [
    "OpenedFiles",
    "Outside",
    "Reached",
    "Release",
    "build_release",
    "code_outside",
    "release_digest",
    "search_path",
    "uncovered",
]

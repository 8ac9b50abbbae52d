"""Releases: what is shipped, and its digest."""

from plimsoll.rollout.opened import OpenedFiles, uncovered
from plimsoll.rollout.reached import Reached
from plimsoll.rollout.release import Release, build_release, release_digest, search_path

__all__ = [
    "OpenedFiles",
    "Reached",
    "Release",
    "build_release",
    "release_digest",
    "search_path",
    "uncovered",
]

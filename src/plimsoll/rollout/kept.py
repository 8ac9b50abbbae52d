"""Releases kept whole: everything that a release covers, copied to a place of its own, so that it can run again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.errors import InputError
from plimsoll.rollout.release import Release

_NOTE: Final = "release.json"
_GIT_S: Final = 10


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is written beside a kept release, and the body of its ``release.kept`` entry."""

    release: str
    system: str
    manifest: str  # path of the manifest within the copy
    commit: str = ""  # of the source, where it lies in a git repository
    changed: bool = False  # it had changes that are in no commit
    by: str = ""


def keep_release(release: Release, manifest: Path, into: Path, *, by: str = "") -> Kept:
    """Copy a release into a folder of its own below ``into``; one that is there already is left as it is.

    What an installed distribution holds is not copied: the release names its version, and it is found where it is
    installed. The copy has the layout of the original, so that paths between its files go on holding.

    Args:
        release: what is copied.
        manifest: the manifest's file.
        into: where kept releases lie.
        by: contact of who does it.

    Raises:
        InputError: a file cannot be read, or the copy cannot be written.
    """
    place = release_folder(into, release.digest)
    if (place / _NOTE).exists():
        return read_kept(into, release.digest)
    own = [Path(path) for path in release.covered if not _is_installed(path)]
    manifest = manifest.resolve()
    root = Path(os.path.commonpath([manifest.parent, *own]))
    commit, changed = source_commit(manifest.parent)
    kept = Kept(
        release=release.digest,
        system=release.system,
        manifest=manifest.relative_to(root).as_posix(),
        commit=commit,
        changed=changed,
        by=by,
    )
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        _copy((manifest, *own), root, draft)
        (draft / _NOTE).write_bytes(msgspec.json.encode(kept))
        # Renamed when it is whole: nobody ever sees half a release. A second process that was faster has the same.
        draft.rename(place)
    except OSError as why:
        if not (place / _NOTE).exists():
            raise InputError(
                f"the release cannot be kept in '{into}': {why.strerror or why}", fix="give another --state"
            ) from why
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return read_kept(into, release.digest)


def _copy(files: Iterable[Path], root: Path, to: Path) -> None:
    for file in files:
        target = to / "files" / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def read_kept(into: Path, release: str) -> Kept:
    """What is known of a kept release.

    Raises:
        InputError: it is not kept here.
    """
    try:
        return msgspec.json.decode((release_folder(into, release) / _NOTE).read_bytes(), type=Kept)
    except (OSError, msgspec.DecodeError) as why:
        raise InputError(
            f"the release {release} is not kept in '{into}'", fix="`plimsoll rollout build` keeps what lies here now"
        ) from why


def kept_manifest(into: Path, release: str) -> Path:
    """The manifest of a kept release; it is opened like any other.

    Raises:
        InputError: it is not kept here.
    """
    return release_folder(into, release) / "files" / read_kept(into, release).manifest


def kept_releases(into: Path) -> tuple[str, ...]:
    """The digests of the releases that are kept here, sorted."""
    return tuple(sorted(f"sha256:{note.parent.name}" for note in into.glob(f"*/{_NOTE}")))


def release_folder(into: Path, release: str) -> Path:
    """Where a release is kept, or would be.

    Raises:
        InputError: that is no digest.
    """
    name = release.removeprefix("sha256:")
    if len(name) != 64 or any(c not in "0123456789abcdef" for c in name):
        raise InputError(f"'{release[:80]}' is not the digest of a release", fix="write sha256: and 64 hex digits")
    return into / name


def source_commit(folder: Path) -> tuple[str, bool]:
    """The git commit that a folder lies at, and whether anything below it is in no commit; ("", False) without git."""
    try:
        head = _git(folder, "rev-parse", "HEAD")
        status = _git(folder, "status", "--porcelain", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return "", False
    return head.strip(), bool(status.strip())


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - arguments of our own
        ("git", "-C", str(folder), *arguments),  # noqa: S607 - the operator's own git, as everywhere
        capture_output=True,
        check=True,
        timeout=_GIT_S,
        text=True,
    )
    return done.stdout


def _is_installed(path: str) -> bool:
    places = {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return any(Path(path).is_relative_to(Path(place).resolve()) for place in places)

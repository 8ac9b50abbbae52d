"""A release: an immutable version, named by the digest over everything that decides how it answers."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, all_suffixes
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.errors import InputError, TargetError
from plimsoll.model.canonical import digest, digest_bytes
from plimsoll.model.endpoint import files_of
from plimsoll.model.governance_reader import read_governance_bytes
from plimsoll.model.manifest import Manifest, Target
from plimsoll.rollout.installed import installed_distributions

UNSET: Final = "unset"  # in place of a digest, of a variable that has no value: an empty one is another release


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What a release is made of. The body of a ``release.built`` entry is this, so that any digest can be taken again.

    ``parts`` maps a name to a digest: ``manifest``, ``source:<file>``, ``artifact:<file>``, ``contract:<file>``,
    ``target:<file>`` (what a service's request is made of, a schema, a model file), ``contracts`` (which of them are
    for inputs and which for outputs, in their order), ``governance`` (what of the organisation's page decides how this
    system runs), ``identity`` (what a remote target declares of its version), ``interpreter``, ``environment``,
    ``variable:<name>`` (of its value, or the word ``unset``).
    """

    system: str
    digest: str
    parts: dict[str, str]
    covered: tuple[str, ...]  # the real paths of the files it covers
    interpreter: str  # "cpython 3.11.7 linux x86_64"
    environment: tuple[str, ...]  # "name==version" of every installed distribution
    declared: str = ""  # what a remote target says it is: nothing here can tell whether it changed


def build_release(
    manifest: Manifest,
    folder: Path,
    *,
    environment: Sequence[str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Release:
    """The release of what lies in the manifest's folder now.

    Covers how the manifest says the system runs, the sources of the target's package and of those in its fallback
    chain, the declared artifacts, the contracts, what of the governance page concerns this system, the declared
    environment variables, the interpreter, and every installed distribution by version. Of a remote target it covers
    what is asked and what it declares: address, templates, prompts, settings, identity; secrets by the name of their
    place alone. People and threshold have digests of their own: mending an e-mail address or tightening a condition
    makes no new release.

    Args:
        manifest: what declares the system.
        folder: its folder; no name within the release depends on where that lies.
        environment: the installed distributions, as ``name==version``; None: those of this environment.
        variables: environment variables by name; None: those of this process. Their values enter by digest alone.

    Raises:
        TargetError: the target's module is not found.
        InputError: a declared artifact, contract or governance page cannot be read.
        InvalidFile: the governance page has problems.
    """
    files: dict[str, Path] = {}
    for target in (manifest.target, *manifest.target.standbys):
        for name, source in target_sources(target, folder):
            key = f"source:{name}"
            while files.get(key, source) != source:  # portions of a namespace package may each hold a file of a name
                key += " (another)"
            files[key] = source
        for artifact in target.artifacts:
            files[f"artifact:{artifact}"] = folder / artifact
        for file in () if target.endpoint is None else files_of(target.endpoint):
            files[f"target:{file}"] = folder / file
    for contract in (*manifest.data.inputs, *manifest.data.outputs):
        files[f"contract:{contract}"] = folder / contract
    parts = {name: digest_bytes(_read(path, name)) for name, path in sorted(files.items())}
    interpreter = " ".join(
        (platform.python_implementation().lower(), platform.python_version(), sys.platform, platform.machine())
    )
    installed = tuple(installed_distributions() if environment is None else environment)
    parts["manifest"] = digest(manifest.release_part)
    # The first input contract also checks sources that none names, so their order decides what is let in.
    parts["contracts"] = digest({"inputs": manifest.data.inputs, "outputs": manifest.data.outputs})
    identities = [target.identity for target in (manifest.target, *manifest.target.standbys) if target.is_remote]
    if identities:
        parts["identity"] = digest(identities)
    covered = [*files.values()]
    if manifest.governance is not None:
        covered.append(folder / manifest.governance)
        raw = _read(covered[-1], "governance")
        parts["governance"] = read_governance_bytes(raw, manifest.governance).digest_for(manifest.system)
    parts["interpreter"] = digest(interpreter)
    parts["environment"] = digest(installed)
    given = os.environ if variables is None else variables
    named = {name for target in (manifest.target, *manifest.target.standbys) for name in target.environment}
    for name in sorted(named):
        parts[f"variable:{name}"] = digest_bytes(os.fsencode(given[name])) if name in given else UNSET
    return Release(
        system=manifest.system,
        digest=release_digest(parts),
        parts=parts,
        covered=tuple(sorted({str(p.resolve()) for p in covered})),
        interpreter=interpreter,
        environment=installed,
        declared="; ".join(filter(None, map(_identity, (manifest.target, *manifest.target.standbys)))),
    )


def _identity(target: Target) -> str:
    """What a remote target says it is; "" for one whose code lies here."""
    if target.openai is not None:
        return f"{target.identity or target.openai.model} at {target.openai.url}"
    return f"{target.identity} at {target.http.url}" if target.http is not None else ""


def release_digest(parts: Mapping[str, str]) -> str:
    """The digest over the named parts; anyone with the parts can take it again."""
    return digest(dict(parts))


def target_sources(target: Target, folder: Path) -> tuple[tuple[str, Path], ...]:
    """The code of a target's top-level package, or its one module: name within the release, and file.

    It is looked for as Python's import does it. Extension modules and byte code without a source are code too.

    Raises:
        TargetError: there is no such module in the manifest's folder, under ``target.path``, or installed.
    """
    if not target.python:
        return ()
    module = target.python.partition(":")[0].partition(".")[0]
    spec = _find(module, [str(place.resolve()) for place in search_path(target, folder)])
    if spec is None:
        raise TargetError(
            f"there is no module '{module}' beside the manifest, under target.path, or installed",
            fix="mend target.python, or name the folder it is in under target.path",
        )
    if spec.submodule_search_locations is not None:
        roots = [Path(p) for p in spec.submodule_search_locations]
        return tuple((_name(path, root.parent, folder), path) for root in roots for path in _code_in(root))
    place = None if spec.origin is None else _existing(Path(spec.origin))
    return () if place is None else ((_name(place, place.parent, folder), place),)


def _find(module: str, search: list[str]) -> ModuleSpec | None:
    importlib.invalidate_caches()
    found = PathFinder.find_spec(module, list(dict.fromkeys([*search, *sys.path])))
    if found is not None:
        return found
    # Not `importlib.util.find_spec`: of a module that is imported already, it says where that one came from.
    elsewhere = (finder.find_spec(module, None) for finder in sys.meta_path)
    return next((spec for spec in elsewhere if spec is not None), None)


def _code_in(root: Path) -> Iterator[Path]:
    suffixes = tuple(all_suffixes())
    for path in sorted(root.rglob("*")):
        if path.name.endswith(suffixes) and "__pycache__" not in path.parts and path.is_file():
            yield path


def _existing(path: Path) -> Path | None:
    """The file, or the archive that it lies in; None for what is built into the interpreter."""
    return next((place for place in (path, *path.parents) if place.is_file()), None)


def search_path(target: Target, folder: Path) -> tuple[Path, ...]:
    """Where a target is imported from, before what is installed: the manifest's folder, then ``target.path``."""
    return (folder, *(folder / place for place in target.path))


def _name(path: Path, root: Path, folder: Path) -> str:
    """A file's name within the release: below the manifest's folder, or below the folder it is imported from."""
    for place in (folder.resolve(), root.resolve()):
        if path.resolve().is_relative_to(place):
            return path.resolve().relative_to(place).as_posix()
    return path.name


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as why:
        kind = name.partition(":")[0]
        raise InputError(
            f"the {kind} '{path}' cannot be read: {why.strerror}", fix=f"mend its path in the manifest ({kind})"
        ) from why

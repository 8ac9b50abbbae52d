"""Importing the callable that ``package.module:callable`` names, with an error that says what to do."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from plimsoll.errors import TargetError


def import_callable(reference: str, search: Iterable[Path]) -> Callable[..., Any]:
    """Import the callable that ``package.module:callable`` names.

    Args:
        reference: as in the manifest.
        search: folders to import from, before what is installed.

    Raises:
        TargetError: there is no such module or callable, or importing it failed; with what to do.
    """
    module_name, colon, path = reference.partition(":")
    if not colon or not module_name or not path:
        raise TargetError(f"'{reference}' does not name a callable", fix="write package.module:callable")
    folders = [str(p.resolve()) for p in search]
    sys.path[:] = [*folders, *(entry for entry in sys.path if entry not in folders)]
    importlib.invalidate_caches()
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as why:
        if why.name is None or not (module_name == why.name or module_name.startswith(why.name + ".")):
            raise TargetError(
                f"importing '{module_name}' failed: it needs '{why.name}', which is not installed",
                fix=f"install '{why.name}' into this environment ({sys.prefix})",
            ) from why
        looked = ", ".join(folders)
        raise TargetError(
            f"there is no module '{module_name}' in {looked}, nor among what is installed",
            fix="mend target.python, or name the folder it is in under target.path",
        ) from why
    except KeyboardInterrupt:
        raise
    except BaseException as why:  # sys.exit() at import must not end us, and any error is the target's
        raise TargetError(
            f"importing '{module_name}' failed with {said(why)}",
            fix=f"`python -c 'import {module_name}'` shows the whole error",
        ) from why
    _check_origin(found, module_name, search)
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except Exception as why:
            have = ", ".join(sorted(n for n in dir(found) if not n.startswith("_"))[:12])
            raise TargetError(
                f"module '{module_name}' has no '{path}'", fix=f"it has: {have or 'nothing public'}"
            ) from why
    if not callable(found):
        raise TargetError(f"'{reference}' is a {type(found).__name__}, not a callable", fix="name a function")
    wanted: Callable[..., Any] = found
    return wanted


def _check_origin(module: Any, name: str, search: Iterable[Path]) -> None:
    """One interpreter holds one module of a name: refuse to answer with another system's code of the same name."""
    origin = getattr(module, "__file__", None)
    if origin is None:
        return
    top = name.partition(".")[0]
    for folder in search:
        here = [folder / top / "__init__.py", folder / top, folder / f"{top}.py"]
        if any(place.exists() for place in here):
            if not Path(origin).resolve().is_relative_to(folder.resolve()):
                own = top in sys.stdlib_module_names
                raise TargetError(
                    f"module '{name}' was already imported from {origin}, not from {folder}, beside this manifest",
                    fix=f"give the module another name: '{top}' is one of Python's own"
                    if own
                    else "use a process of its own for each system whose modules have the same names",
                )
            return


def said(why: BaseException) -> str:
    """Type and message of an error, which may fail to describe itself; at most 500 characters of them."""
    try:
        text = f": {why}"
    except Exception:  # noqa: BLE001 - whatever a target's own exception does when it is asked
        text = ""
    return f"{type(why).__name__}{text}"[:_SAID]


_SAID: Final = 500  # of what a target says of its own failure, a record keeps no more

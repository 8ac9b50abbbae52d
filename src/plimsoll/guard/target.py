"""The target: the thing that answers, as the guard calls it."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from plimsoll.errors import TargetError
from plimsoll.model.decision import Result


class PythonTarget:
    """A Python callable that takes one record and returns an output or a `Result`.

    Args:
        call: takes the record; synchronous or ``async def``.
        name: how the manifest calls it, for messages.
    """

    def __init__(self, call: Callable[[Any], Any], name: str) -> None:
        self.call = call
        self.name = name
        self.is_async = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(
            getattr(call, "__call__", None)  # noqa: B004 - an instance with an async __call__ is an async target too
        )


def load_python_target(reference: str, search: Iterable[Path]) -> PythonTarget:
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
            f"importing '{module_name}' failed with {_said(why)}",
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
    return PythonTarget(found, reference)


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


def _said(why: BaseException) -> str:
    """Type and message of an error that may fail to describe itself."""
    try:
        return f"{type(why).__name__}: {why}"
    except Exception:  # noqa: BLE001 - whatever a target's own exception does when it is asked
        return type(why).__name__


def as_result(returned: Any) -> Result:
    """What a target returned, as a `Result`.

    Raises:
        ValueError: its confidence is not a number in [0, 1], or a field is not of its type. msgspec checks types when
            it decodes and not when we construct, so a target can put anything in.
    """
    if not isinstance(returned, Result):
        return Result(returned)
    result: Result = returned
    confidence = result.confidence
    if confidence is not None and type(confidence) is not float:
        # NumPy's float64 is a float to Python and not to JSON; integers 0 and 1 are confidences too.
        try:
            result = msgspec.structs.replace(result, confidence=float(confidence))
        except (TypeError, ValueError) as why:
            raise ValueError(f"its confidence is {type(confidence).__name__}, not a number in [0, 1]") from why
    if type(result.sources) is not tuple or type(result.reasons) is not tuple:
        result = msgspec.structs.replace(
            result, sources=tuple(result.sources), reasons=tuple(str(r) for r in result.reasons)
        )
    return result

"""Whether a release covers the code of a function that a program hands to us.

A decision names the release that took it. So the code that takes it has to be what the release holds: it stands in a
file that the release covers, it is in that file as the release took it, and so is whatever it is wrapped in or holds
(a decorator, a partial, a closure, the class of an object that is called).

Not followed: what a function finds by name when it runs (modules it imports, globals it reads). Those are files that
the release covers, or that the watcher of opened files names. Values are not judged, only code.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, Final, NamedTuple

from plimsoll.model.canonical import digest_bytes
from plimsoll.rollout.opened import uncovered
from plimsoll.rollout.release import Release

MOST: Final = 10_000  # parts of one function that are looked at; whoever holds more is not followed, but refused

_COMPILED: Final = (BuiltinFunctionType, MethodDescriptorType, MethodWrapperType, WrapperDescriptorType)
_NO_CALLABLES: Final = (classmethod, property, functools.partialmethod)  # that lead to code all the same


class Outside(NamedTuple):
    """A piece of code that a release does not cover."""

    what: str  # its name
    where: str  # the file it is in, or what stands in place of one
    changed: bool = False  # the file is covered, and the code is not what the release took


def code_outside(function: Callable[..., Any], release: Release) -> Outside | None:
    """The first piece of a function's code that a release does not cover; None: it covers all.

    Args:
        function: whatever can be called: a function, a lambda, a method, a partial, an object, a class.
        release: as it was built; a file of it that was changed since is not of it any more.
    """
    look = _Look(release)
    waiting: list[Any] = [function]
    seen: dict[int, Any] = {}  # the objects themselves, so that none of their ids is used twice
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen[id(part)] = part
        if len(seen) > MOST:
            return Outside(_name(function), f"more than {MOST:,} parts")
        if part is function or not _is_made_by_a_library(part):
            found = look.at(part)
            if found is not None:
                return found
        waiting.extend(look.parts(part))
    return None


class _Look:
    """Looks at pieces of code, one by one."""

    def __init__(self, release: Release) -> None:
        self._covered = frozenset(release.covered)
        self._digests = frozenset(release.parts.values())
        self._places: dict[str, bool] = {}

    # -- one piece itself

    def at(self, part: Any) -> Outside | None:
        """What of one piece itself is outside; its parts are pieces of their own."""
        if isinstance(part, FunctionType):
            return self._function(part)
        if isinstance(part, ModuleType):
            return self._module(part.__name__, part)
        if isinstance(part, type):
            return None if _is_built_in(part) else self._module(part.__module__, part)
        if isinstance(part, _COMPILED):
            owner = part.__objclass__ if hasattr(part, "__objclass__") else part.__self__
            return self.at(owner if isinstance(owner, (type, ModuleType)) else type(owner))
        ctypes = sys.modules.get("_ctypes")
        if ctypes is not None and isinstance(part, ctypes.CFuncPtr):
            return Outside(_name(part), "a shared library, reached by ctypes")
        return self._module(part.__module__, part) if _is_of_cython(part) else None

    def _function(self, function: FunctionType) -> Outside | None:
        code = function.__code__
        if _is_frozen(function):
            return None
        module = sys.modules.get(function.__globals__.get("__name__", ""))
        if module is None or vars(module) is not function.__globals__:
            return Outside(_name(function), code.co_filename)
        place = _place(code.co_filename, module)
        if not place or not self._covers(place):
            return Outside(_name(function), place or code.co_filename)
        if place in self._covered and not self._holds(place, module, code):
            return Outside(_name(function), place, changed=True)
        return None

    def _module(self, name: str, part: Any) -> Outside | None:
        module = sys.modules.get(name)
        if module is None:
            return Outside(_name(part), f"a module '{name}' that is not loaded")
        file = getattr(module, "__file__", None)
        if file is None:
            origin = getattr(getattr(module, "__spec__", None), "origin", "")
            own = name in sys.builtin_module_names or origin in {"built-in", "frozen"}
            return None if own else Outside(_name(part), f"the module '{name}', which has no file")
        place = _existing(file)
        return None if place and self._covers(place) else Outside(_name(part), place or file)

    def _covers(self, place: str) -> bool:
        if place not in self._places:
            self._places[place] = not uncovered([place], self._covered)
        return self._places[place]

    def _holds(self, place: str, module: ModuleType, code: CodeType) -> bool:
        """Whether a file is still what the release took, and has this very code in it."""
        try:
            raw = Path(place).read_bytes()
        except OSError:
            return False
        whole = _compiled(place, raw, module) if digest_bytes(raw) in self._digests else None
        waiting = [] if whole is None else [whole]
        while waiting:
            each = waiting.pop()
            if each == code:
                return True
            waiting.extend(inner for inner in each.co_consts if isinstance(inner, CodeType))
        return False

    # -- what it is made of

    def parts(self, part: Any) -> Iterator[Any]:
        """What a piece of code holds, and may run."""
        if isinstance(part, FunctionType):
            yield from (cell.cell_contents for cell in part.__closure__ or () if not _is_empty(cell))
            yield from (*(part.__defaults__ or ()), *(part.__kwdefaults__ or {}).values())
            yield from _callables_in(part)  # `__wrapped__` among them
        elif isinstance(part, MethodType):
            yield from (part.__func__, part.__self__)
        elif isinstance(part, (functools.partial, functools.partialmethod)):
            yield from (part.func, *part.args, *part.keywords.values())
        elif isinstance(part, (staticmethod, classmethod)):
            yield part.__func__
        elif isinstance(part, property):
            yield from (each for each in (part.fget, part.fset, part.fdel) if each is not None)
        elif isinstance(part, type):
            yield from self._parts_of_class(part)
        elif not isinstance(part, (*_COMPILED, ModuleType)) and not _is_of_cython(part):
            yield type(part)
            yield from _callables_in(part)

    def _parts_of_class(self, kind: type) -> Iterator[Any]:
        yield from (base for base in (*kind.__mro__[1:], type(kind)) if not _is_built_in(base))
        # Of an installed class its distribution's version stands for all that it holds.
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        if file is not None and _existing(file) in self._covered:
            yield from (v for v in vars(kind).values() if callable(v) or isinstance(v, _NO_CALLABLES))


def _place(file: str, module: ModuleType) -> str:
    """The real path of the file that code came from; "" when it came from none.

    Byte code without a source says where its source once was; and code in an archive lies in the archive.
    """
    if os.path.isfile(file):  # noqa: PTH113 - texts throughout
        return os.path.realpath(file)
    loaded = getattr(module, "__file__", None)
    if not isinstance(loaded, str) or file.startswith("<"):
        return ""
    return _existing(loaded) if loaded.endswith(".pyc") or loaded == file else ""


def _existing(file: str) -> str:
    """The real path of a file, or of the archive that it lies in; "" when there is neither."""
    path = Path(file)
    return next((str(place.resolve()) for place in (path, *path.parents) if place.is_file()), "")


def _compiled(place: str, raw: bytes, module: ModuleType) -> CodeType | None:
    """A file's code as Python makes it; None: it has none."""
    loader: Any = getattr(module, "__loader__", None)
    try:
        if place.endswith(".py") or not hasattr(loader, "get_code"):
            return compile(raw, place, "exec", dont_inherit=True)
        code = loader.get_code(module.__name__)
    except (OSError, SyntaxError, ValueError, ImportError):
        return None
    return code if isinstance(code, CodeType) else None


def _is_made_by_a_library(part: Any) -> bool:
    """Whether a class statement had it made from a text, as dataclasses, attrs and named tuples do."""
    if not isinstance(part, FunctionType) or not part.__code__.co_filename.startswith(("<string>", "<attrs generated")):
        return False
    name = part.__name__
    return name.startswith("__") and name.endswith("__") and name != "__call__"


def _is_frozen(function: FunctionType) -> bool:
    """Whether it is of a module that the interpreter holds in itself."""
    file = function.__code__.co_filename
    module = sys.modules.get(file.removeprefix("<frozen ").removesuffix(">")) if file.startswith("<frozen ") else None
    spec = getattr(module, "__spec__", None)
    return spec is not None and spec.origin == "frozen" and vars(module) is function.__globals__


def _is_of_cython(part: Any) -> bool:
    """Whether it is a compiled function that its own module names, and not its type's."""
    return "cython_function" in type(part).__name__ and isinstance(getattr(part, "__module__", None), str)


def _is_built_in(kind: type) -> bool:
    return kind.__module__ == "builtins" and getattr(sys.modules["builtins"], kind.__name__, None) is kind


def _is_empty(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return True
    return False


def _callables_in(part: Any) -> tuple[Any, ...]:
    """The attributes of an object's own that can be called."""
    try:
        return tuple(value for value in vars(part).values() if callable(value))
    except TypeError:  # it has none
        return ()


def _name(part: Any) -> str:
    return str(getattr(part, "__qualname__", None) or getattr(part, "__name__", None) or type(part).__qualname__)

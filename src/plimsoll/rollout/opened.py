"""Which files were opened and which services reached while a release was measured, and what of it is not covered.

Evidence that rests on a file outside the release says nothing of the release: the file can change and the digest
stays. Python reports to its audit hooks (PEP 578) every ``open``, also those of NumPy and of imports, every extension
module and shared library that is loaded, every SQLite file, and every command that is started. Services are in
`plimsoll.rollout.reached`.

Worker processes of a target are watched in the same way, and say what they opened. Not seen: what another child
process reads, and what compiled code opens by itself without asking Python (ONNX Runtime, XGBoost). Such files must be
declared under ``target.artifacts`` by who knows of them.
"""

from __future__ import annotations

import asyncio
import enum
import importlib.util
import marshal
import os
import stat
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from plimsoll.rollout.installed import site_folders
from plimsoll.rollout.reached import EVENTS as SOCKETS
from plimsoll.rollout.reached import LOOK_UP, Reached

MOST: Final = 10_000  # distinct paths kept for one project: memory has a bound, whatever a target does

_PACKAGE: Final = Path(__file__).parent.parent
_PYC_HEADER: Final = 16  # bytes before the code (PEP 552): magic, flags, then time and size of the source, or its hash
_UNCHECKED: Final = 0b01  # flags of byte code that is run without a look at its source
_HERE: Final = tuple(f"{folder}{os.sep}" for folder in {_PACKAGE, _PACKAGE.resolve()})
_STDLIB: Final = tuple(f"{folder}{os.sep}" for folder in {Path(os.__file__).parent, Path(os.__file__).resolve().parent})
_SITE: Final = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)

# What belongs to the operating system: it is not part of a release, and no target's own data is kept there.
_SYSTEM: Final = (
    *("/proc", "/sys", "/lib", "/lib64", "/bin", "/usr/lib", "/usr/lib64", "/usr/bin"),
    *("/usr/share/zoneinfo", "/usr/share/locale", "/usr/share/mime", "/usr/share/ca-certificates"),
    *(f"/etc/{name}" for name in ("ssl", "pki", "ca-certificates", "fonts", "localtime", "timezone", "hosts")),
    *(f"/etc/{name}" for name in ("resolv.conf", "nsswitch.conf", "host.conf", "gai.conf", "services", "protocols")),
    *(f"/etc/{name}" for name in ("mime.types", "os-release", "debian_version", "machine-id", "passwd", "group")),
)


class OpenedFiles:
    """Watches which files this process opens for reading, or loads as code, and which services it reaches.

    What this package itself opens is not noted, and neither is what the process has made before it reads it. An audit
    hook cannot be taken away again, so one process has one watcher, and it can be paused.

    Args:
        most: distinct paths, and services, kept for one project; of a project that opens more, that is said in place
            of the rest.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._seen: dict[str, set[str]] = {}
        self._reached: dict[str, Reached] = {}
        self._into: set[str] | None = None  # where to note; None: paused
        self._services = Reached(most)
        self._made: set[str] = set()
        sys.addaudithook(self._hook)

    def start(self, about: str = "", *, services: Iterable[str] = ()) -> None:
        """Begin to note what is opened.

        Args:
            about: for which project. A module is imported once in a process, so what was noted for a project stays
                noted for it, and is not held against another one.
            services: those that it declares.
        """
        self._services = self._reached.setdefault(about, Reached(self._most))
        self._services.expect(services)
        self._into = self._seen.setdefault(about, set())

    def stop(self) -> None:
        """Pause; what was noted stays."""
        self._into = None

    def of(self, about: str = "") -> frozenset[str]:
        """The real paths that were opened for a project since its first start."""
        return frozenset(self._seen.get(about, ()))

    def services(self, about: str = "") -> frozenset[str]:
        """The services that were reached for a project since its first start, as ``host:port`` or ``unix:/path``."""
        return self._reached[about].services if about in self._reached else frozenset()

    def note(self, about: str, paths: Iterable[str]) -> None:
        """Add what a process of ours has opened for a project: real paths, as its own watcher noted them."""
        self._seen.setdefault(about, set()).update(paths)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        # Runs on every audit event of the process: two comparisons for all but a few of them.
        into = self._into
        if into is None or event not in _WATCHED:
            return
        try:
            self._note(event, args, into)
        except (OSError, ValueError, TypeError, LookupError, RuntimeError):
            return  # an error in here would become the target's: a name with a zero byte, a folder that is gone

    def _note(self, event: str, args: tuple[Any, ...], into: set[str]) -> None:
        if event in SOCKETS:
            service = self._services.named(event, args)
            who = _whose(sys._getframe(2)) if service else _Whose.OURS  # noqa: SLF001 - as below
            if event == LOOK_UP and who is not _Whose.OURS:
                self._services.look_up(service)
            if who is _Whose.THEIRS or (who is _Whose.NOBODYS and event != LOOK_UP):
                self._services.note(service)
            return
        if event == "os.rename":
            if os.path.realpath(os.fsdecode(args[0])) in self._made:
                self._made.add(os.path.realpath(os.fsdecode(args[1])))
            return
        if event == "open" and self._is_made(*args):
            return
        found = [path for name in _names(event, args) if (path := _file(name)) and path not in self._made]
        new = [path for path in found if path not in into]
        if not new or _whose(sys._getframe(2)) is _Whose.OURS:  # noqa: SLF001 - the one way to know who opens
            return
        into.update(new if len(into) < self._most else (f"more than {self._most:,} different files",))

    def _is_made(self, name: Any, _mode: Any, flags: int) -> bool:
        """Whether nothing that was there before is read: only written, or made by this very ``open``."""
        if isinstance(name, int):
            return True  # a descriptor, which was noted when it was opened
        to_write = flags & os.O_ACCMODE != os.O_RDONLY
        path = os.path.realpath(os.fsdecode(name))
        anew = flags & os.O_TRUNC or (flags & os.O_CREAT and not os.path.lexists(path))
        if to_write and anew:
            self._made.add(path)
            return True
        return flags & os.O_ACCMODE == os.O_WRONLY


_STARTS: Final = frozenset({"subprocess.Popen", "os.system", "os.posix_spawn"})
_WATCHED: Final = frozenset({"open", "import", "sqlite3.connect", "ctypes.dlopen", "os.rename"}) | _STARTS | SOCKETS


def _names(event: str, args: tuple[Any, ...]) -> list[Any]:
    """What an event names that may be a file."""
    if event == "import":
        return [args[1]]  # the file of an extension module; of others None, and they are opened
    if event == "sqlite3.connect":
        name = os.fsdecode(args[0])
        return [name.removeprefix("file:").partition("?")[0]]
    if event in _STARTS:
        folder = os.fsdecode(args[2] or ".") if event == "subprocess.Popen" else "."
        given = [word for part in args[:2] for word in (part if isinstance(part, (list, tuple)) else [part]) if word]
        # A shell's command is one text; whatever word of it is a file is taken for one.
        words = [each for word in given for each in (os.fsdecode(word), *os.fsdecode(word).split())]
        return [str(Path(folder, word)) for word in words]
    return [args[0]]


def _file(name: Any) -> str:
    """The real path of an existing file; "" when the name is of none."""
    if not isinstance(name, (str, bytes, os.PathLike)) or not name:
        return ""
    path = os.path.realpath(os.fsdecode(name))
    try:
        # Now, not at the end: a file that is read and then deleted was read.
        return path if stat.S_ISREG(os.stat(path).st_mode) else ""  # noqa: PTH116 - pathlib would open more frames
    except OSError:
        return ""  # it is looked for, and is not there


_SCHEDULED: Final = asyncio.events.Handle._run.__code__  # noqa: SLF001 - what stands below it on the stack is the loop


class _Whose(enum.Enum):
    """Who does something."""

    OURS = enum.auto()  # this package, by itself or through the standard library
    THEIRS = enum.auto()
    NOBODYS = enum.auto()  # the standard library alone, such as a pool's thread: whoever gave it the work has gone on


def _whose(frame: FrameType | None) -> _Whose:
    """Who does what stands uppermost on the stack."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_HERE):
            return _Whose.OURS
        if file.startswith("<frozen importlib"):
            return _Whose.THEIRS  # what is imported counts, whoever asks for it
        if frame.f_code is _SCHEDULED:
            return _Whose.NOBODYS
        if not file.startswith(("<frozen ", *_STDLIB)) or any(part in file for part in _SITE):
            return _Whose.THEIRS
        frame = frame.f_back
    return _Whose.NOBODYS


def uncovered(opened: Iterable[str], covered: Iterable[str]) -> tuple[str, ...]:
    """The files among those opened that neither the release nor its environment covers, sorted.

    Args:
        opened: real paths, as noted by `OpenedFiles`.
        covered: real paths of the release's files.
    """
    known = set(covered)
    roots = tuple(root.rstrip("/") + "/" for root in _roots())
    found = set()
    for name in opened:
        path = _source_of(name)
        if path in known:
            found |= {name} if path != name and _runs_in_place_of(name, path) else set()
        elif not f"{path}/".startswith(roots):
            found.add(path)
    return tuple(sorted(found))


def _runs_in_place_of(compiled: str, source: str) -> bool:
    """Whether byte code is run in place of a source that it is not of: a cached file says itself what to compare."""
    try:
        raw, text, stats = Path(compiled).read_bytes(), Path(source).read_bytes(), Path(source).stat()
    except OSError:
        return False  # gone since: rewritten from its source, or with it
    flags, stamp = int.from_bytes(raw[4:8], "little"), raw[8:_PYC_HEADER]
    of_time = b"".join((int(n) & 0xFFFFFFFF).to_bytes(4, "little") for n in (stats.st_mtime, stats.st_size))
    if stamp != (importlib.util.source_hash(text) if flags & 1 else of_time) and flags != _UNCHECKED:
        return False  # Python sees that it is not of this source, and compiles it anew
    name = Path(compiled).name
    level = int(name.rpartition(".opt-")[2].removesuffix(".pyc")) if ".opt-" in name else 0
    try:
        code = marshal.loads(raw[_PYC_HEADER:])  # noqa: S302 - it was executed already
        return bool(code != compile(text, source, "exec", dont_inherit=True, optimize=level))
    except (ValueError, EOFError, TypeError, SyntaxError):
        return True


def _source_of(path: str) -> str:
    """The source of a byte-code file, since it is the source that the release covers."""
    try:
        source = importlib.util.source_from_cache(path)
    except (ValueError, NotImplementedError):
        return path
    return source if os.path.isfile(source) else path  # noqa: PTH113 - texts throughout


def _roots() -> Iterable[str]:
    """What the interpreter and environment digests cover, and what belongs to the operating system.

    Not the interpreter's whole prefix: that is ``/usr`` where it is the system's own, and a project may lie in it.
    """
    paths = sysconfig.get_paths()
    for name in ("stdlib", "platstdlib", "purelib", "platlib", "include", "platinclude", "scripts"):
        yield os.path.realpath(paths[name])
    yield from (os.path.realpath(folder) for folder in site_folders())
    yield str(Path(sys.executable).resolve().parent)
    yield from _HERE  # this package, also where it is installed as editable
    yield from _SYSTEM

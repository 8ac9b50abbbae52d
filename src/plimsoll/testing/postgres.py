"""A PostgreSQL server of one's own, for the time of a test: made in a temporary folder, gone without a trace.

::

    with TemporaryServer.start() as server:
        with Ledger.open(server.new_database()) as ledger:
            ...

It needs PostgreSQL's programs (Debian: ``postgresql``) and nothing that runs. The server is watched by a process that
stops it and removes its files when whoever started it is gone, however that came about.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from plimsoll.errors import StoreError

_START_S: Final = 60.0
_ROOM: Final = 1_000_000_000  # bytes that must be free in memory for a server to lie there
_SETTINGS: Final = (
    "listen_addresses = '127.0.0.1'",
    "max_connections = 60",
    "shared_buffers = '32MB'",
    "max_wal_size = '200MB'",
    "dynamic_shared_memory_type = mmap",  # in the data folder, so that it goes with it whatever happens
    "logging_collector = off",
    "log_min_messages = fatal",
)


def programs() -> Path | None:
    """The folder of the server's programs; None where there are none."""
    found = [Path(at).resolve().parent for at in (shutil.which("initdb"), shutil.which("pg_ctl")) if at]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)  # where Debian puts them
    needed = ("initdb", "pg_ctl", "postgres", "psql")
    return next((place for place in found if all((place / name).exists() for name in needed)), None)


def _version(place: Path) -> int:
    digits = re.search(r"\d+", place.parent.name)
    return int(digits[0]) if digits else 0


class TemporaryServer:
    """One server. Use it as a context manager, or `close` it."""

    def __init__(self, place: Path, bin_: Path, port: int, watcher: subprocess.Popen[bytes]) -> None:
        self.place = place
        self.port = port
        self._bin = bin_
        self._watcher = watcher
        self._numbers = itertools.count(1)
        self._free: list[str] = []

    @classmethod
    def start(cls, settings: Sequence[str] = (), folder: Path | str | None = None) -> Self:
        """Make a cluster and start its server, with a server's own defaults for what is durable.

        Args:
            settings: more lines for ``postgresql.conf``.
            folder: where its files go; None: into memory (``/dev/shm``) where there is room, which spares the disk and
                holds whatever happens to the server's processes, else the temporary folder.

        Raises:
            StoreError: PostgreSQL's programs are not here, or do not start.
        """
        bin_ = programs()
        if bin_ is None:
            raise StoreError("PostgreSQL's programs are not installed", fix="apt-get install postgresql")
        place = Path(tempfile.mkdtemp(prefix="plimsoll-postgres-", dir=folder or _in_memory()))
        place.chmod(0o755)  # the server's user, who is not ours when we are root, has to get in
        port = _free_port()
        watcher = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, __file__, str(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        server = cls(place, bin_, port, watcher)
        try:
            server._make((*_SETTINGS, f"port = {port}", f"unix_socket_directories = '{place}'", *settings))
            server.start_again()
        except BaseException:
            server.close()
            raise
        return server

    def _make(self, settings: Sequence[str]) -> None:
        data = self.place / "data"
        data.mkdir(mode=0o700)
        user = _server_user()
        if user is not None:
            os.chown(data, user.pw_uid, user.pw_gid)
            os.chown(self.place, user.pw_uid, user.pw_gid)
        options = ("--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--username", "postgres", "--no-sync")
        self._run("initdb", "--pgdata", str(data), *options)
        with (data / "postgresql.conf").open("a") as file:
            file.write("\n".join(("", *settings, "")))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop it and remove its files."""
        if self._watcher.stdin is not None:
            self._watcher.stdin.close()  # what the watcher waits for
        self._watcher.wait()

    # ── what happens to servers ──

    def start_again(self) -> None:
        """Start it; returns when it takes connections."""
        self._run("pg_ctl", "start", "--wait", "--timeout", f"{_START_S:.0f}", "--log", str(self.place / "log"))

    def stop(self, mode: str = "fast") -> None:
        """Stop it.

        Args:
            mode: ``fast``: sessions are ended in order; ``immediate``: as in a crash.
        """
        self._run("pg_ctl", "stop", "--wait", "--mode", mode)

    def kill(self) -> None:
        """End all of its processes with SIGKILL, as when the machine runs out of memory."""
        pid = int((self.place / "data" / "postmaster.pid").read_text().split()[0])
        family = [pid, *_children(pid)]
        for each in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        until = time.monotonic() + _START_S
        while any(_is_there(each) for each in family) and time.monotonic() < until:
            time.sleep(0.01)
        # A process that nobody has waited for still has its number, and would be taken for a server that runs.
        for left in (self.place / "data" / "postmaster.pid", *self.place.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)

    # ── databases ──

    def new_database(self, *, by_socket: bool = False) -> str:
        """An empty database; its address, by TCP on this machine or by the server's socket."""
        if self._free:
            name = self._free.pop()
        else:
            name = f"test_{next(self._numbers)}"
            self.sql(f"CREATE DATABASE {name}")
        return self.address(name, by_socket=by_socket)

    def give_back(self, address: str) -> None:
        """A database may be used again: its sessions are ended, and the ledger in it is removed."""
        name = database_of(address)
        self.sql(
            "SET client_min_messages = error; SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid();"
            " DROP SCHEMA IF EXISTS plimsoll CASCADE",
            name,
        )
        self._free.append(name)

    def address(self, database: str, *, by_socket: bool = False) -> str:
        """The address of a database of this server."""
        if by_socket:
            return f"postgresql://postgres@/{database}?host={self.place}&port={self.port}"
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What ``psql`` gives for a statement, by the owner of everything: rows by lines, columns by ``|``."""
        return self._run(
            "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", "--host",
            str(self.place), "--port", str(self.port), "--username", "postgres", "--command", statement, database,
        ).strip()  # fmt: skip

    def _run(self, program: str, *arguments: str) -> str:
        user = _server_user() if program in {"initdb", "pg_ctl"} else None
        done = subprocess.run(  # noqa: S603 - the server's own programs
            [self._bin / program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * _START_S,
            env={**os.environ, "PGDATA": str(self.place / "data")},
            cwd=self.place,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else (),
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise StoreError(f"{program} failed: {done.stderr.strip()[-500:]}", fix=f"see {self.place / 'log'}")
        return done.stdout


def database_of(address: str) -> str:
    """The name of the database in an address."""
    return address.partition("?")[0].rpartition("/")[2]


def _in_memory() -> str | None:
    """A folder in memory with room enough; None where there is none."""
    place = "/dev/shm"  # noqa: S108 - a folder of our own is made in it
    try:
        room = os.statvfs(place)
    except OSError:
        return None
    return place if os.access(place, os.W_OK) and room.f_bavail * room.f_frsize > _ROOM else None


def _server_user() -> pwd.struct_passwd | None:
    """Who runs the server when we are root, for whom it refuses; None: ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise StoreError("there is no user who could run PostgreSQL", fix="run the tests as another user than root")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            yield from map(int, (task / "children").read_text().split())


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _watch(place: Path, starter: IO[bytes]) -> None:
    """Wait until whoever started us is gone or done; then stop the server at once, and remove its files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    starter.read()
    family: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        pid = int((place / "data" / "postmaster.pid").read_text().split()[0])
        family = [pid, *_children(pid)]
        os.kill(pid, signal.SIGQUIT)  # an immediate shutdown: nobody needs the data any more
    until = time.monotonic() + _START_S
    while any(_is_there(each) for each in family) and time.monotonic() < until:
        time.sleep(0.02)
    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    _watch(Path(sys.argv[1]), sys.stdin.buffer)

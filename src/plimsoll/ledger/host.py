"""Which process writes a stream, and whether it is certainly gone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import msgspec


class Host(Protocol):
    """What the store asks about processes."""

    def me(self) -> str:
        """A name for this process that no other ever has."""
        ...

    def is_gone(self, owner: str) -> bool:
        """Whether the process of this name has certainly ended. When in doubt, no."""
        ...


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """One process on one machine, from one start of it."""

    machine: str
    boot: str  # changes with every start of the machine
    space: str  # process id namespace: a container does not see the processes of another
    pid: int
    started: str  # clock ticks since boot: tells a process from a later one of the same number


class ThisHost:
    """The Linux machine we run on, through /proc; on any other system nobody is ever called gone."""

    def me(self) -> str:
        """The running process, as JSON."""
        pid = os.getpid()
        owner = Owner(
            machine=_read("/etc/machine-id") or os.uname().nodename,
            boot=_read("/proc/sys/kernel/random/boot_id"),
            space=_link("/proc/self/ns/pid"),
            pid=pid,
            started=_started(pid),
        )
        return msgspec.json.encode(owner).decode()

    def is_gone(self, owner: str) -> bool:
        """True after a restart of the same machine, or when its process number is free or was given again."""
        try:
            them = msgspec.json.decode(owner, type=Owner)
            us = msgspec.json.decode(self.me(), type=Owner)
        except msgspec.DecodeError:
            return False
        if not them.boot or them.machine != us.machine:
            return False
        if them.boot != us.boot:
            return True
        return them.space == us.space and them.started != _started(them.pid)


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc(5)); "" when there is no such process. A zombie has ended."""
    stat = _read(f"/proc/{pid}/stat")
    fields = stat[stat.rfind(")") + 2 :].split()  # the name before it may hold spaces and brackets
    return fields[19] if len(fields) > 19 and fields[0] not in {"Z", "X"} else ""

"""How fast a rollback is in force in four processes under load, one of them killed meanwhile; on SQLite and PostgreSQL.

Each process opens the guard as a user would and asks it without a pause. The order to go back is written by another
process, and one of the four is killed with SIGKILL just then. Of each process that is left, the moment counts
from which every call that began was answered by the release gone back to; the slowest one is the figure. A call that was
not answered is a failed one: nothing else could fail here.

    python benchmarks/rollback.py [--repeats 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.assembly.rolling import build
from plimsoll.ledger import Draft
from plimsoll.model.control import Action, Control
from plimsoll.rollout import roll_back
from plimsoll.testing.postgres import TemporaryServer, programs

PROCESSES: Final = 4
OPS: Final = "ops@example.org"
TARGET: Final = 'def predict(record):\n    return {{"version": {}}}\n'
MANIFEST: Final = """\
plimsoll: 1
system: rolled
purpose: Say which version answers.
owners:
  business:   {name: Head, contact: head@example.org}
  technical:  {name: Builder, contact: builder@example.org}
  operations: {name: Operations, contact: ops@example.org}
  leader:     {name: Chief operating officer, contact: coo@example.org}
  single:     head@example.org
target: {python: "rolled:predict", concurrency: 1}
decisions:
  tell: {tier: automatic, consequence: none, recoverable: true, accountable: head@example.org}
data: {classification: internal}
LEDGER
load: {peak: 100/s, expected: 1000/day}
threshold:
  set_by: coo@example.org
  conditions: [stability.load >= 1x, contracts.lost_records = 0, organisation.accepted = 100%, accountability.complete = 100%]
"""
ASKER: Final = """
import sys, time, json
from plimsoll import Guard
with Guard.open(sys.argv[1]) as guard:
    n = 0
    while True:
        n += 1
        began = time.time()
        answer = guard.decide("tell", {"number": n})
        print(json.dumps([began, time.time(), answer.disposition, answer.release]), flush=True)
        time.sleep(0.001)
"""


class Rolled(NamedTuple):
    """One rollback, observed from outside."""

    seconds: float  # until the last process that is left had followed
    failed: int
    calls: int  # of the processes that are left, that ended after the order
    in_flight: int  # of those, begun before it


def rolled_back(folder: Path, ledger: str = "") -> Rolled:
    """Roll four processes back under load, and kill one of them meanwhile.

    Args:
        folder: an empty one.
        ledger: address of a database; "": a file.

    Raises:
        RuntimeError: a process that is left did not follow at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plimsoll.yaml").write_text(MANIFEST.replace("LEDGER\n", f"ledger: {ledger}\n" if ledger else ""))
    old, new = (_kept(folder, version) for version in (1, 2))
    project = Project(folder / "plimsoll.yaml")
    with project.open_ledger() as opened:
        for release in (old, new):
            body = msgspec.json.encode(Control(action=Action.PROMOTE, by=OPS, reason="benchmark", release=release))
            opened.append(Draft(kind="control", system="rolled", body=body))
    with _asking(folder) as (askers, files):
        _wait_until(lambda: all(_by(file, new) > 50 for file in files), 90)
        time.sleep(0.7)  # the release before is open in every one of them
        with project.open_ledger() as opened:
            at = time.time()
            roll_back(opened, "rolled", by=OPS, reason="benchmark")
            os.kill(askers[-1].pid, signal.SIGKILL)
        time.sleep(1.5)  # more than it may take, so that what is late shows
    calls = [[msgspec.json.decode(line) for line in file.read_bytes().splitlines()[:-1]] for file in files[:-1]]
    later = [call for each in calls for call in each if call[1] > at]
    return Rolled(
        seconds=max(_settled(each, old, at) - at for each in calls),
        failed=sum(call[2] != "answered" for each in calls for call in each),
        calls=len(later),
        in_flight=sum(call[0] < at for call in later),
    )


def measure(repeats: int = 3) -> dict[str, Any]:
    """The worst of several rollbacks on each store: ``rollback_s``, ``rollback_failed``, and each by itself."""
    found: dict[str, Any] = {}
    for store in ("sqlite", "postgres"):
        with _ledgers(store) as new_ledger:
            seen = []
            for _ in range(repeats):
                with tempfile.TemporaryDirectory(prefix="plimsoll-rollback-") as folder:
                    seen.append(rolled_back(Path(folder) / "rolled", new_ledger()))
        found[f"rollback_{store}_s"] = round(max(each.seconds for each in seen), 3)
        found[f"rollback_{store}_failed"] = sum(each.failed for each in seen)
        found[f"rollback_{store}_calls"] = sum(each.calls for each in seen)
    return {
        "rollback_s": max(found["rollback_sqlite_s"], found["rollback_postgres_s"]),
        "rollback_failed": found["rollback_sqlite_failed"] + found["rollback_postgres_failed"],
        "rollback_processes": PROCESSES,
        **found,
    }


@contextlib.contextmanager
def _ledgers(store: str) -> Iterator[Any]:
    """What gives the address of a new ledger."""
    if store == "sqlite":
        yield lambda: ""
        return
    if programs() is None:
        raise SystemExit("PostgreSQL is not installed: `apt-get install postgresql`")
    with TemporaryServer.start() as server:
        yield server.new_database


def _kept(folder: Path, version: int) -> str:
    """Keep a version as a release, in a process of its own: this one would go on holding the module."""
    (folder / "rolled.py").write_text(TARGET.format(version))
    program = (
        "import sys; from pathlib import Path; from benchmarks.rollback import kept; print(kept(Path(sys.argv[1])))"
    )
    root = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return done.stdout.strip()


def kept(folder: Path) -> str:
    """Keep what lies in a folder as a release; its digest."""
    return build(Project(folder / "plimsoll.yaml"), by="builder@example.org").release


@contextlib.contextmanager
def _asking(folder: Path) -> Iterator[tuple[list[subprocess.Popen[bytes]], list[Path]]]:
    files = [folder / f"asked-{n}.jsonl" for n in range(PROCESSES)]
    with contextlib.ExitStack() as stack:
        askers = []
        for file in files:
            out = stack.enter_context(file.open("wb"))
            asker = subprocess.Popen([sys.executable, "-c", ASKER, str(folder)], stdout=out)
            askers.append(asker)
            stack.callback(asker.wait)
            stack.callback(asker.kill)
        yield askers, files


def _by(file: Path, release: str) -> int:
    return file.read_bytes().count(release.encode())


def _settled(calls: list[Any], release: str, at: float) -> float:
    """When a process had followed: from then on every call that began was answered by the release gone back to."""
    later = [call for call in calls if call[0] > at]
    last = max((call[0] for call in later if call[3] != release), default=at)
    settled = min((call[0] for call in later if call[0] >= last and call[3] == release), default=None)
    if settled is None:
        raise RuntimeError("a process did not follow the rollback")
    return float(settled)


def _wait_until(holds: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise RuntimeError("the processes did not come to answer by the release that is live")
        time.sleep(0.05)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = measure(arguments.repeats)
    for store in ("sqlite", "postgres"):
        print(
            f"{store:<10} in force everywhere after {figures[f'rollback_{store}_s'] * 1000:,.0f} ms at worst; "
            f"{figures[f'rollback_{store}_failed']} of {figures[f'rollback_{store}_calls']} calls failed"
        )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A tiny system, real and honest: it says whether a whole number is even. And the command line, run as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cli import warm

PLIMSOLL = str(Path(sys.executable).with_name("plimsoll"))
PEOPLE = {
    "business": "head@example.org",
    "technical": "builder@example.org",
    "operations": "ops@example.org",
    "leader": "coo@example.org",
}
OPERATOR = "night-shift@example.org"

TARGET = '''\
"""Whether a whole number is even."""


def predict(record):
    return {"parity": "odd" if record["number"] % 2 else "even"}
'''

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: numbers
name: numbers
version: 1.0.0
status: active
servers:
  - {server: counter, type: local, path: feed/counter.jsonl, format: json}
schema:
  - name: number
    logicalType: object
    properties:
      - {name: number, logicalType: integer, required: true, logicalTypeOptions: {minimum: 0}}
"""

MANIFEST = """\
plimsoll: 1
system: parity
purpose: Say whether a whole number is even.
owners:
  business:   {name: Head, contact: head@example.org}
  technical:  {name: Builder, contact: builder@example.org}
  operations: {name: Operations, contact: ops@example.org, members: [night-shift@example.org]}
  leader:     {name: Chief operating officer, contact: coo@example.org}
  single:     head@example.org
may: {override: [ops@example.org], retrain: [builder@example.org], decommission: [head@example.org]}
target:
  python: parity:predict
decisions:
  tell-parity:
    tier: automatic
    consequence: none
    recoverable: true
    accountable: head@example.org
    review_of_this_entry: every 90 days
data:
  classification: personal
  inputs: [numbers.odcs.yaml]
samples: {golden: golden.jsonl, feed: feed}
load: {peak: 100/s, expected: 100/day}
threshold:
  set_by: coo@example.org
  consulted: [builder@example.org, ops@example.org]
  load_window: 200 ms
  conditions:
    - evaluation.accuracy >= 95%
    - evaluation.answered_share >= 90%
    - contracts.valid_rate >= 90%
    - contracts.lost_records = 0
    - organisation.accepted = 100%
    - accountability.complete = 100%
"""


class Ran:
    """What a run of the command line gave."""

    def __init__(self, code: int, stdout: bytes, stderr: bytes) -> None:
        self.code = code
        self.stdout = stdout.decode("utf-8", "replace")
        self.stderr = stderr.decode("utf-8", "replace")

    @property
    def envelope(self) -> Any:
        return json.loads(self.stdout)

    @property
    def data(self) -> Any:
        return self.envelope["data"]

    @property
    def problems(self) -> list[dict[str, Any]]:
        return self.envelope["problems"]

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def plimsoll(
    *arguments: str | Path,
    cwd: Path | None = None,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    timeout: float = 60,
    prefix: Sequence[str] = (),
) -> Ran:
    """Run the installed command; no traceback may be seen without --debug."""
    said = [str(argument) for argument in arguments]
    if prefix or not warm.can_run(env):
        done = subprocess.run(
            [*prefix, PLIMSOLL, *said],
            cwd=cwd,
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env=environment(env),
            check=False,
        )
        ran = Ran(done.returncode, done.stdout, done.stderr)
    else:
        ran = Ran(*warm.run(PLIMSOLL, said, cwd=cwd, stdin=stdin, env=environment(env), timeout=timeout))
    if "--debug" not in arguments:
        assert "Traceback" not in ran.stdout + ran.stderr, ran
    return ran


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, without what could change how the command speaks."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("PLIMSOLL", "NO_COLOR", "PYTEST", "PYTHONUNBUFFERED"))
    }
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"} | dict(more or {})


def start(*arguments: str | Path, cwd: Path, group: bool = False, stdin: int = subprocess.DEVNULL) -> Any:
    """Start the installed command and come back at once."""
    return subprocess.Popen(
        [PLIMSOLL, *map(str, arguments)],
        cwd=cwd,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # a line that is read leaves the rest in the pipe, where `communicate` looks for it
        env=environment(),
        start_new_session=group,
    )


def wait_for_command(process: subprocess.Popen[bytes]) -> None:
    """Wait until the command has begun, as its handler for SIGTERM shows; before, the interpreter itself starts."""
    wanted = 1 << (signal.SIGTERM - 1)
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) & wanted:
            return
        time.sleep(0.002)


class TinySystem:
    """Its files in a folder, and the command line in that folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.write("parity.py", TARGET)
        self.write("numbers.odcs.yaml", CONTRACT)
        self.write("plimsoll.yaml", MANIFEST)
        self.write("golden.jsonl", lines({"input": {"number": n}, "expected": {"parity": "even" if n % 2 == 0 else "odd"}}
                                         for n in range(100)))  # fmt: skip
        self.write("feed/counter.jsonl", lines({"number": n} for n in range(100)) + '{"number": "seven"}\n')

    @property
    def manifest(self) -> Path:
        return self.folder / "plimsoll.yaml"

    @property
    def ledger(self) -> Path:
        return self.folder / ".plimsoll" / "ledger.db"

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def change(self, name: str, old: str, new: str) -> None:
        """Replace a piece of a file; it must be there."""
        text = (self.folder / name).read_text()
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new))

    def run(self, *arguments: str | Path, **options: Any) -> Ran:
        return plimsoll(*arguments, cwd=self.folder, **options)

    def decide(self, *records: Any, state: Path | None = None, **options: Any) -> Ran:
        """Decide these records."""
        more = () if state is None else ("--state", state)
        return self.run("decide", "tell-parity", *more, stdin=lines(records).encode(), **options)


def lines(values: Any) -> str:
    """JSON Lines."""
    return "".join(json.dumps(value) + "\n" for value in values)

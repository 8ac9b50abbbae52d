"""A whole small system on disk: says whether a number is even. Real files, a real ledger, real keys; a clock to set."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from plimsoll.assembly.checking import check, gate
from plimsoll.assembly.integrity import verify_record
from plimsoll.assembly.judging import judge_release
from plimsoll.assembly.project import Project
from plimsoll.assembly.signing import accept, sign_threshold
from plimsoll.attest import PrivateKey, Role, generate, read_trust, trust_entry
from plimsoll.guard.quarantine import quarantined, replay
from plimsoll.model.board import Board, Row

HEAD, BUILDER, OPS, COO, NIGHT = (f"{who}@example.org" for who in ("head", "builder", "ops", "coo", "night-shift"))

ECHO = """
def predict(record):
    return {"parity": "odd" if record["number"] % 2 else "even"}
"""

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

GOVERNANCE = (Path(__file__).parent.parent / "model" / "governance_example.yaml").read_bytes()

MANIFEST: dict[str, Any] = {
    "plimsoll": 1,
    "system": "parity",
    "purpose": "Say whether a whole number is even.",
    "owners": {
        "business": {"name": "Head", "contact": HEAD},
        "technical": {"name": "Builder", "contact": BUILDER},
        "operations": {"name": "Operations", "contact": OPS, "members": [NIGHT]},
        "leader": {"name": "Chief operating officer", "contact": COO},
        "single": HEAD,
    },
    "may": {"override": [OPS], "retrain": [BUILDER], "decommission": [HEAD]},
    "target": {"python": ""},
    "decisions": {
        "tell": {
            "tier": "automatic",
            "consequence": "none",
            "recoverable": True,
            "accountable": HEAD,
            "review_of_this_entry": "every 90 days",
        }
    },
    "data": {"classification": "personal", "inputs": ["numbers.odcs.yaml"]},
    "governance": "governance.yaml",
    "samples": {"golden": "golden.jsonl", "feed": "feed"},
    "load": {"peak": "100/s", "expected": "100/day"},
    "threshold": {
        "set_by": COO,
        "consulted": [BUILDER, OPS],
        "load_window": "200ms",
        "conditions": [
            "evaluation.accuracy >= 95%",
            "evaluation.answered_share >= 90%",
            "contracts.valid_rate >= 90%",
            "contracts.lost_records = 0",
            "organisation.accepted = 100%",
            "accountability.complete = 100%",
        ],
    },
}


def lines(values: Iterable[Any]) -> bytes:
    """JSON Lines."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def cases(count: int = 100, wrong: int = 0) -> bytes:
    """A golden set, the first ``wrong`` of which a right target gets wrong."""
    return lines(
        {"input": {"number": n}, "expected": {"parity": "odd" if (n % 2 == 1) is (n >= wrong) else "even"}}
        for n in range(count)
    )


class System:
    """The files of one system in a folder, and what people do with them.

    Args:
        folder: where; made.
        target: source of its module, which gets a name of its own: one process holds one module of a name.
        name: of the module; None: a new one.
    """

    def __init__(self, folder: Path, target: str = ECHO, *, name: str | None = None) -> None:
        self.folder = folder
        self.module = name or f"parity_{uuid.uuid4().hex}"
        self.manifest = copy.deepcopy(MANIFEST)
        self.manifest["target"]["python"] = f"{self.module}:predict"
        self.keys: dict[str, PrivateKey] = {}
        self.state: Path | None = None  # None: `.plimsoll` in the folder
        self.write(f"{self.module}.py", textwrap.dedent(target))
        self.write("numbers.odcs.yaml", CONTRACT)
        self.write("governance.yaml", GOVERNANCE)
        self.write("golden.jsonl", cases())
        self.write("feed/counter.jsonl", lines({"number": n} for n in range(100)) + b'{"number": "seven"}\n')

    def beside(self, state: Path) -> System:
        """The same files with a record of its own that begins as this one's is now; for tests that share a start."""
        other = copy.copy(self)
        other.manifest, other.keys, other.state = copy.deepcopy(self.manifest), {}, state
        shutil.copytree(self.ledger.parent, state)
        return other

    # -- files

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def change(self, *path: str, to: Any) -> None:
        """Set a key of the manifest; None removes it."""
        group = self.manifest
        for name in path[:-1]:
            group = group.setdefault(name, {})
        group.pop(path[-1], None)
        if to is not None:
            group[path[-1]] = to

    def project(self) -> Project:
        file = self.write("plimsoll.yaml", yaml.safe_dump(self.manifest, sort_keys=False))
        return Project(file, state=self.state)

    @property
    def ledger(self) -> Path:
        return (self.state or self.folder / ".plimsoll") / "ledger.db"

    # -- people

    def key(self, who: str) -> PrivateKey:
        return self.keys.setdefault(who, generate())

    def trust(self, *, simulated: Iterable[str] = (), without: Iterable[str] = (), **until: str) -> Path:
        """trust.yaml, beside the project's folder, that pins everybody for what the manifest says of them.

        The ledger's key, too: it is somebody by the name of "ledger" here.
        """
        text = "plimsoll-trust: 1\nkeys:\n"
        if "ledger" not in without:
            key = self.project().ledger_key.public
            text += trust_entry("ledger", [Role.LEDGER], key, simulated="ledger" in simulated)
        for who in (HEAD, BUILDER, OPS, COO, NIGHT):
            if who in without:
                continue
            roles = [Role.OPERATOR] if who == NIGHT else [Role.OWNER]
            roles += [Role.SETTER] if who == COO else []
            text += trust_entry(who, roles, self.key(who).public, simulated=who in simulated)
            day = until.get(who.partition("@")[0].replace("-", "_"))
            text += f"    until: {day}\n" if day else ""
        path = self.folder.parent / f"trust-{self.module}.yaml"
        path.write_text(text)
        return path

    def sign(self, who: str = COO, **more: Any) -> str:
        return sign_threshold(self.project(), self.key(who), **more)

    def accept(self, *people: str, **more: Any) -> None:
        for who in people or (HEAD, BUILDER, OPS, COO, NIGHT):
            accept(self.project(), who, self.key(who), **more)

    def replay_one(self, by: str = NIGHT) -> str:
        """Find the first open record and replay it mended; gives its id."""
        project = self.project()
        with project.open_ledger() as ledger:
            record = next(iter(quarantined(ledger))).record
            project.record_release(ledger)
            with project.open_guard(ledger) as guard:
                replay(guard, record, by=by, fixed=b'{"number": 7}')
        return record

    # -- the job

    def check(self, *only: str, trust: Path | None = None, **more: Any) -> Board:
        return check(self.project(), trust_file=trust, only=only, write=False, **more).board

    def gate(self, trust: Path | None = None, **more: Any) -> Board:
        return gate(self.project(), trust_file=trust, **more).board

    def made_ready(self) -> tuple[Board, Path]:
        """Everything done in earnest: measured, signed, accepted; the board that comes of it, and trust.yaml."""
        trust = self.trust()
        self.check("contracts", trust=trust)
        self.replay_one()
        self.sign()
        self.accept()
        return self.check(trust=trust), trust

    def judged_behind_the_look(self, trust: Path, alter: Callable[[], object], *, now_ns: int | None = None) -> Board:
        """The verdict of a judge who has verified the record, when somebody alters something before it is judged.

        So that what the verification would have refused still has to be seen where it is read.
        """
        project, pinned = self.project(), read_trust(trust.read_text())
        with project.open_ledger() as ledger:
            record = verify_record(project, pinned, now_ns=time.time_ns())
            alter()
            return judge_release(project, ledger, pinned, record=record, now_ns=now_ns or time.time_ns()).board

    def alter(self, kind: str) -> None:
        """Write something else into the bodies of all entries of a kind, past the ledger."""
        with contextlib.closing(sqlite3.connect(self.ledger)) as con, con:
            assert con.execute("UPDATE entries SET body=x'ff' WHERE kind=?", (kind,)).rowcount


def row(board: Board, metric: str) -> Row:
    return next(r for r in board.rows if r.metric == metric)


def run_python(code: str, *arguments: str | Path, timeout: float = 60, **more: Any) -> subprocess.CompletedProcess[str]:
    """A process of its own that runs a piece of code, with this folder's helpers importable."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(),
        check=False,
        **more,
    )


def start_python(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def environment() -> dict[str, str]:
    here = str(Path(__file__).resolve().parents[1])
    return os.environ | {"PYTHONPATH": here, "PYTHONDONTWRITEBYTECODE": "1"}


def wait_until(is_so: Callable[[], Any], within_s: float = 20.0) -> Any:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        found = is_so()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"not so within {within_s} s")

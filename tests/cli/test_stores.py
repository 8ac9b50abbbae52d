"""Ledgers in every bad state: exit 6 with what to do, nothing acknowledged lost, and the file left as it was."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.tiny_system import PLIMSOLL, Ran, TinySystem, environment, lines, plimsoll

from plimsoll.assembly.project import Project

NOBODY = 65534


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> TinySystem:
    """A system with a ledger that nobody has harmed yet; each test harms a copy."""
    tiny = TinySystem(tmp_path_factory.mktemp("written") / "parity")
    assert tiny.decide(*({"number": n} for n in range(300))).code == 0
    return tiny


@pytest.fixture
def harmed(written, tmp_path) -> TinySystem:
    shutil.copytree(written.folder / ".plimsoll", tmp_path / "parity" / ".plimsoll")
    return TinySystem(tmp_path / "parity")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"this is a text, and not a short one: " * 40, "is no ledger"),
        (b"SQLite format 3\x00" + b"\x00" * 4000, "ledger.db"),
    ],
)
def test_what_is_no_ledger_is_said_and_left_alone(harmed, content, said):
    harmed.ledger.write_bytes(content)
    ran = harmed.decide({"number": 1})
    assert ran.code == 6, ran
    assert said in ran.stderr
    assert "fix: " in ran.stderr
    assert harmed.run("gate", "--json").problems[0]["code"] == "store.damaged"
    assert harmed.ledger.read_bytes() == content
    assert harmed.run("ledger", "verify").code == 5


def test_a_database_of_something_else_is_said(harmed):
    harmed.ledger.unlink()
    with sqlite3.connect(harmed.ledger) as other:
        other.execute("CREATE TABLE orders (id INTEGER)")
    other.close()
    ran = harmed.decide({"number": 1})
    assert ran.code == 6
    assert "not a ledger" in ran.stderr


def test_a_folder_in_the_place_of_the_ledger_is_said(harmed):
    harmed.ledger.unlink()
    harmed.ledger.mkdir()
    ran = harmed.decide({"number": 1})
    assert ran.code == 6
    assert "is no file" in ran.stderr


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_ledger_is_never_taken_for_whole(harmed, share):
    whole = harmed.ledger.read_bytes()
    harmed.ledger.write_bytes(whole[: int(len(whole) * share)])
    ran = harmed.decide({"number": 1})
    assert ran.code == 6, ran
    verified = harmed.run("ledger", "verify", "--json")
    assert verified.code == 5, verified
    assert verified.problems


def test_a_ledger_of_a_later_version_is_left_as_it_is(harmed):
    with sqlite3.connect(harmed.ledger) as raw:
        raw.execute("UPDATE meta SET value='99' WHERE key='format'")
    raw.close()
    before = harmed.ledger.read_bytes()
    for arguments in (("decide", "tell-parity"), ("gate",), ("ledger", "show"), ("ledger", "verify")):
        ran = harmed.run(*arguments)
        assert ran.code == 6, ran
        assert "format 99" in ran.stderr
        assert "upgrade" in ran.stderr
    assert harmed.ledger.read_bytes() == before


def test_a_ledger_that_another_process_holds_is_said_after_a_few_seconds(harmed):
    code = (
        "import sqlite3, sys\n"
        "con = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "con.execute('BEGIN IMMEDIATE')\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(harmed.ledger)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        ran = harmed.decide({"number": 1})
        assert ran.code == 6, ran
        assert "another process holds it" in ran.stderr
        assert ran.stdout == ""  # no answer without a record
        assert harmed.run("ledger", "show").code == 0  # reading goes on
    finally:
        holder.communicate(timeout=10)
    assert harmed.decide({"number": 1}).code == 0


def test_two_processes_write_at_the_same_time_and_nothing_is_lost(tiny):
    records = tiny.write("many.jsonl", lines({"number": n} for n in range(400)))
    several = [
        subprocess.Popen(
            [PLIMSOLL, "decide", "tell-parity", str(records)],
            cwd=tiny.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        )
        for _ in range(3)
    ]  # fmt: skip
    answers = []
    for process in several:
        out, err = process.communicate(timeout=60)
        ran = Ran(process.returncode, out, err)
        assert ran.code == 0, ran
        answers += ran.lines
    assert len({answer["record"] for answer in answers}) == 1200
    with Project(tiny.manifest).open_ledger(read_only=True) as ledger:
        assert all(ledger.get(answer["record"]) is not None for answer in answers)
        assert sum(1 for _ in ledger.entries(kinds=("release.built",))) >= 1
    assert tiny.run("ledger", "verify").code == 0


def test_the_first_two_processes_of_a_system_end_with_one_key(tmp_path):
    for turn in range(3):
        tiny = TinySystem(tmp_path / f"fresh-{turn}")
        both = [
            subprocess.Popen(
                [PLIMSOLL, "gate", "--quiet"], cwd=tiny.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env=environment(),
            )
            for _ in range(2)
        ]  # fmt: skip
        for process in both:
            _, err = process.communicate(timeout=30)
            assert (process.returncode, err) == (4, b"")
        assert tiny.run("ledger", "verify").code == 0


@pytest.fixture
def for_anyone() -> Iterator[Path]:
    """A folder that another user can reach; pytest's own are for us alone."""
    folder = Path(tempfile.mkdtemp(prefix="plimsoll-test-"))
    folder.chmod(0o755)
    yield folder
    subprocess.run(["chmod", "-R", "u+rwx", str(folder)], check=True)
    shutil.rmtree(folder)


def as_somebody_else() -> tuple[str, ...]:
    """Root may write anywhere, so it becomes nobody; anybody else stays who they are."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def test_a_ledger_that_may_not_be_written_can_be_read_and_nothing_more(written, for_anyone):
    shutil.copytree(written.folder / ".plimsoll", for_anyone / "parity" / ".plimsoll")
    tiny = TinySystem(for_anyone / "parity")
    (tiny.folder / ".plimsoll" / "ledger.key").chmod(0o644)
    for path in (*tiny.folder.rglob("*"), tiny.folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = tiny.ledger.read_bytes()
    who = as_somebody_else()
    for arguments in (
        ("decide", "tell-parity"),
        ("gate",),
        ("control", "stop", "--by", "ops@example.org", "--reason", "x"),
    ):
        ran = tiny.run(*arguments, prefix=who)
        assert ran.code == 6, ran
        assert "may not be written" in ran.stderr
        assert "fix: " in ran.stderr
    for arguments in (("ledger", "show"), ("ledger", "verify"), ("quarantine", "list"), ("threshold", "show")):
        ran = tiny.run(*arguments, prefix=who)
        assert ran.code == 0, ran
    assert tiny.ledger.read_bytes() == before


def test_a_state_folder_that_cannot_be_made_is_said(for_anyone):
    tiny = TinySystem(for_anyone / "parity")
    tiny.folder.chmod(0o555)
    ran = tiny.run("gate", prefix=as_somebody_else())
    assert ran.code == 6, ran
    assert "cannot be made" in ran.stderr or "may not be written" in ran.stderr
    assert tiny.run("gate", "--state", "golden.jsonl/state").code == 6


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of one megabyte. It takes root; where it is skipped, a real full disk was not tried."""
    folder = Path(tempfile.mkdtemp(prefix="plimsoll-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        folder.rmdir()
        message = f"NOT TRIED: a full disk, since no file system can be mounted here: {mounted.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


def test_a_full_disk_ends_with_6_and_loses_nothing_acknowledged(tiny, small_disk):
    records = tiny.write("many.jsonl", lines({"number": n} for n in range(5000)))
    state = small_disk / "state"
    ran = tiny.run("decide", "tell-parity", records, "--state", state)
    assert ran.code == 6, ran
    assert "no space left" in ran.stderr
    assert "free some space" in ran.stderr
    assert 0 < len(ran.lines) < 5000
    for arguments in (("gate",), ("control", "stop", "--by", "ops@example.org", "--reason", "x"), ("check",)):
        again = tiny.run(*arguments, "--state", state)
        assert again.code == 6, again
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    with Project(tiny.manifest, state=state).open_ledger(read_only=True) as ledger:
        assert all(ledger.get(answer["record"]) is not None for answer in ran.lines)
    assert tiny.decide({"number": 1}, state=state).code == 0
    verified = tiny.run("ledger", "verify", "--state", state)
    assert verified.code == 0, verified


def test_a_disk_that_is_full_from_the_beginning_is_said(tiny, small_disk):
    handle = os.open(small_disk / "filler", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(handle, b"x" * 4096):
            pass
    os.close(handle)
    for arguments in (("gate",), ("keys", "new", small_disk / "a.key"), ("check",)):
        ran = tiny.run(*arguments, *(() if arguments[0] == "keys" else ("--state", small_disk / "state")))
        assert ran.code == 6, ran
        assert "no space left" in ran.stderr.lower()


def test_a_report_folder_is_no_reason_to_lose_a_verdict(harmed):
    """The verdict is in the ledger before the report is drawn."""
    harmed.write(".plimsoll/reports", "in the way")
    ran = harmed.run("check", "--only", "evaluation")
    assert ran.code == 2
    assert "the report" in ran.stderr
    kinds = [entry["kind"] for entry in harmed.run("ledger", "show", "--json").data]
    assert "verdict" in kinds


def test_who_has_no_manifest_can_still_verify_a_ledger(harmed, tmp_path):
    ran = plimsoll("ledger", "verify", "--ledger", harmed.ledger, cwd=tmp_path)
    assert ran.code == 0, ran
    assert "No key is pinned" in ran.stdout

"""The witness file: what was published stays readable, whatever happens around it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.errors import InputError, StoreError, StoreLocked, StoreReadOnly, VerificationFailed
from plimsoll.ledger.checkpoint import note_text, sign_note
from plimsoll.ledger.witness import FileWitness


class Key:
    name = "example.org/ledger"

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
        self.public = self.private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


def note(size: int, *extra: str) -> str:
    return sign_note(note_text("example.org/ledger", size, size.to_bytes(32, "big"), extra), Key())


def test_notes_come_back_in_the_order_they_were_published(tmp_path: Path) -> None:
    witness = FileWitness(tmp_path / "notes")
    published = [note(size, "time 1") for size in (3, 5, 9)]
    for text in published:
        witness.publish(text)
    assert [found.note for found in witness.notes()] == published
    assert [found.line for found in witness.notes()] == [1, 8, 15]
    assert witness.bad_lines() == ()
    assert (tmp_path / "notes").read_text() == "".join(f"{text}\n" for text in published)


def test_the_latest_note_is_that_of_the_largest_tree(tmp_path: Path) -> None:
    witness = FileWitness(tmp_path / "notes")
    for size in (3, 12, 9):  # two processes may publish out of order
        witness.publish(note(size))
    assert witness.latest is not None
    assert witness.latest.checkpoint.size == 12


def test_an_empty_file_holds_no_note(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    assert FileWitness(tmp_path / "notes").latest is None


def test_what_is_no_signed_checkpoint_is_not_published(tmp_path: Path) -> None:
    witness = FileWitness(tmp_path / "notes")
    for text in ("", "hello\n", "a note\n\n— name AAAAAAAA\n", note(3)[:-1]):
        with pytest.raises(VerificationFailed):
            witness.publish(text)
    assert not (tmp_path / "notes").exists()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_note_cut_off_by_a_crash_is_named_and_spoils_no_other(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("witness") / "notes"
    witness = FileWitness(path)
    witness.publish(note(3))
    whole = len(path.read_bytes())
    witness.publish(note(5))
    os.truncate(path, data.draw(st.integers(whole + 1, len(path.read_bytes()) - 2)))
    witness.publish(note(9))

    assert [found.checkpoint.size for found in witness.notes()] == [3, 9]
    bad = witness.bad_lines()
    assert bad
    assert {line.line for line in bad} <= {7, 8, 9, 10, 11}


@pytest.mark.parametrize(
    ("written", "line", "why"),
    [
        (b"rubbish\n\n", 7, "without signatures"),
        (b"\xff\xfe\n\n", 7, "not UTF-8"),
        (b"\xe2\x80\x94 name AAAAAAAA\n\n", 7, "without the text"),
        (b"o\nx\ny\n\n\xe2\x80\x94 name AAAAAAAA\n\n", 7, "line 2"),
        (b"x" * 300_000, 7, "without signatures"),
    ],
)
def test_a_line_that_is_no_note_is_named_by_its_number(tmp_path: Path, written: bytes, line: int, why: str) -> None:
    path = tmp_path / "notes"
    witness = FileWitness(path)
    witness.publish(note(3))
    with path.open("ab") as file:
        file.write(written)
    witness.publish(note(4))
    assert [found.checkpoint.size for found in witness.notes()] == [3, 4]
    assert witness.bad_lines()[0].line == line
    assert why in witness.bad_lines()[0].why


def test_any_bytes_are_read_without_a_stumble(tmp_path: Path) -> None:
    for blob in (os.urandom(100_000), b"\n" * 1_000, b"a\n" * 5_000, b64encode(os.urandom(50_000))):
        (tmp_path / "notes").write_bytes(blob)
        assert FileWitness(tmp_path / "notes").notes() == ()


def test_a_missing_file_and_a_missing_folder_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        FileWitness(tmp_path / "notes").notes()
    with pytest.raises(InputError, match="cannot be written"):
        FileWitness(tmp_path / "nowhere" / "notes").publish(note(3))


def test_a_folder_in_place_of_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        FileWitness(tmp_path).publish(note(3))


def test_a_file_without_permission_is_said() -> None:
    folder = Path(tempfile.mkdtemp(prefix="witness-"))
    try:
        folder.chmod(0o755)
        (folder / "notes").touch(mode=0o400)
        child = os.fork()
        if child == 0:
            try:
                if os.geteuid() == 0:
                    os.setuid(NOBODY)  # root may write everything
                with pytest.raises(StoreReadOnly, match="cannot be written"):
                    FileWitness(folder / "notes").publish(note(3))
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        shutil.rmtree(folder)


NOBODY = 65534
PUBLISHER = textwrap.dedent(
    """
    import sys
    sys.path.insert(0, sys.argv[2])
    from plimsoll.ledger.witness import FileWitness
    witness = FileWitness(sys.argv[1])
    note = sys.stdin.read()
    for number in range(int(sys.argv[3])):
        witness.publish(note)
        print(number, flush=True)
    """
)


def publisher(path: Path, times: int) -> subprocess.Popen[str]:
    source = Path(sys.modules["plimsoll"].__path__[0]).parent
    process = subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, str(path), str(source), str(times)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(note(7))
    process.stdin.close()
    return process


def test_processes_that_publish_at_once_do_not_mix_their_notes(tmp_path: Path) -> None:
    publishers = [publisher(tmp_path / "notes", 40) for _ in range(3)]
    for process in publishers:
        assert process.stdout is not None
        process.stdout.read()
        process.stdout.close()
        assert process.wait(30) == 0
    witness = FileWitness(tmp_path / "notes")
    assert [found.note for found in witness.notes()] == [note(7)] * 120
    assert witness.bad_lines() == ()


def test_a_publisher_that_is_killed_loses_no_note_it_acknowledged(tmp_path: Path) -> None:
    process = publisher(tmp_path / "notes", 100_000)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.readlines()
    process.stdout.close()
    process.wait(30)
    witness = FileWitness(tmp_path / "notes")
    witness.publish(note(9))  # the dead process holds nothing
    found = witness.notes()
    assert len(found) >= len([line for line in acknowledged if line.endswith("\n")]) + 1
    assert found[-1].note == note(9)


HOLDER = "import fcntl,sys,time; f=open(sys.argv[1],'a'); fcntl.flock(f,fcntl.LOCK_EX); print('held',flush=True); time.sleep(60)"


def test_a_process_that_holds_the_file_too_long_is_said(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "notes")], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        start = time.monotonic()
        with pytest.raises(StoreLocked, match=r"more than 0\.2 s"):
            FileWitness(tmp_path / "notes", wait_s=0.2).publish(note(3))
        assert time.monotonic() - start < 5
    finally:
        holder.kill()
        holder.wait(10)
        if holder.stdout:
            holder.stdout.close()

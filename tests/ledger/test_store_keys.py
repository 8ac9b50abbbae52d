"""Erasure on the level of bytes, and nonces that never meet again."""

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.errors import StoreLocked, VerificationFailed
from plimsoll.ledger import Draft, Erased, Ledger, LedgerSettings
from plimsoll.ledger.keys import SubjectKey, seal, sealer, subject_number, unseal
from plimsoll.testing.store import ManualHost, decision


def raw_files(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def secrets_of(ledger: Ledger) -> dict[str, tuple[bytes, bytes]]:
    return {name: (salt, key) for name, salt, key in ledger.reader.rows("SELECT name,salt,key FROM subjects")}


def test_nothing_of_an_erased_subject_is_left_in_the_files(tmp_path: Path) -> None:
    chance = random.Random(11)
    names = [f"person-{chance.randrange(10**12):012}@example.org" for _ in range(1500)]
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        for at in range(0, len(names), 50):
            ledger.transact([decision(b"x" * 40, subject=name, seal=True) for name in names[at : at + 50]])
        secrets = secrets_of(ledger)
        erased = chance.sample(names, 40)
        for name in erased:
            ledger.erase(name, by="dpo@example.org", reason="asked for")
        raw = raw_files(tmp_path)
        for name in erased:
            salt, key = secrets[name]
            assert key not in raw
            assert salt not in raw
            assert name.encode() not in raw
        kept = [name for name in names if name not in erased]
        assert all(secrets[name][1] in raw for name in kept), "the check would see a key that is there"
        assert all(ledger.body(entry) == b"x" * 40 for entry in ledger.of_subject(kept[0]))


def test_a_reader_in_the_way_is_said_and_the_log_is_cut_when_it_has_gone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path, settings=LedgerSettings(busy_s=0.1)) as ledger:
        ledger.append(decision(b"x", subject="claim-4711", seal=True))
        _, key = secrets_of(ledger)["claim-4711"]
        with closing(sqlite3.connect(path, isolation_level=None)) as con:
            con.execute("BEGIN")
            con.execute("SELECT count(*) FROM entries").fetchone()
            with pytest.raises(StoreLocked, match="destroyed"):
                ledger.erase("claim-4711", by="dpo@example.org", reason="asked for")
            (entry,) = ledger.entries(kinds=["decision"])
            with pytest.raises(Erased):
                ledger.body(entry)
        ledger._now.hands.tidy()
        assert key not in raw_files(tmp_path)


def test_an_erasure_that_a_crash_cut_short_is_finished_by_the_next_opener(tmp_path: Path) -> None:
    crashed, copy = tmp_path / "crashed", tmp_path / "copy"
    crashed.mkdir()
    gone: set[str] = set()
    ledger = Ledger.open(crashed / "ledger.db", host=ManualHost("first", gone))
    ledger.append(decision(b"x", subject="claim-4711", seal=True))
    _, key = secrets_of(ledger)["claim-4711"]
    ledger._now.hands.alone(lambda writer: writer.erase("claim-4711", "dpo@example.org", "asked for"))
    shutil.copytree(crashed, copy)
    ledger.abandon()
    assert key in raw_files(copy), "still in the log"
    gone.add("first")
    with Ledger.open(copy / "ledger.db", host=ManualHost("second", gone)):
        assert key not in raw_files(copy)


def test_without_the_salt_not_even_a_guessed_name_can_be_checked() -> None:
    one, two = (SubjectKey(number=7, name="claim-4711", salt=os.urandom(32), key=os.urandom(32)) for _ in range(2))
    assert one.pseudonym != two.pseudonym
    assert subject_number(one.pseudonym) == 7
    assert subject_number("") == subject_number("x.y") == -1


@given(body=st.binary(max_size=200), seq=st.integers(0, 2**40), attempt=st.integers(0, 2**32 - 1))
def test_a_sealed_body_opens_only_at_its_place(body: bytes, seq: int, attempt: int) -> None:
    key, stream = bytes(range(32)), "01" * 16
    box = sealer(key, stream)
    stored = seal(box, seq, attempt, body)
    assert unseal(box, seq, stored, "x") == body
    for other_box, other_seq, other in (
        (sealer(key, "02" * 16), seq, stored),
        (sealer(bytes(32), stream), seq, stored),
        (box, seq + 1, stored),
        (box, seq, stored[:-1]),
        (box, seq, b""),
        (box, seq, stored[:5] + bytes([stored[5] ^ 1]) + stored[6:]),
    ):
        with pytest.raises(VerificationFailed):
            unseal(other_box, other_seq, other, "x")


def test_a_position_that_is_written_again_never_uses_its_nonce_again(tmp_path: Path) -> None:
    """A group that fails after it was sealed leaves its ciphertext in the log; the next one at its place differs."""
    path = tmp_path / "ledger.db"
    with Ledger.open(path, settings=LedgerSettings(busy_s=0.05)) as ledger:
        ledger.append(decision(b"first", subject="s", seal=True))
        with closing(sqlite3.connect(path, isolation_level=None)) as con:
            con.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreLocked):
                ledger.append(decision(b"second", subject="s", seal=True))
        entry = ledger.get(ledger.append(decision(b"third", subject="s", seal=True)))
        assert entry is not None
        assert entry.body[:4] == (1).to_bytes(4, "big")
        assert ledger.body(entry) == b"third"


def test_who_comes_back_after_an_erasure_gets_a_new_key_also_where_it_was_done(place: Path | str) -> None:
    with Ledger.open(place) as ledger:
        pseudonyms = set()
        for n in range(3):
            entry = ledger.get(ledger.append(decision(b"%d" % n, subject="s", seal=True)))
            assert entry is not None
            assert ledger.body(entry) == b"%d" % n
            pseudonyms.add(entry.subject)
            ledger.erase("s", by="dpo@example.org", reason="asked for")
            with pytest.raises(Erased):
                ledger.body(entry)
        assert len(pseudonyms) == 3


def test_more_subjects_than_are_held_in_memory(place: Path | str) -> None:
    with Ledger.open(place, settings=LedgerSettings(subjects=5)) as ledger:
        drafts = [Draft(kind="note", body=b"%d" % n, subject=f"s{n % 12}", seal=True) for n in range(60)]
        ids = [ledger.append(draft) for draft in drafts]
        entries = [ledger.get(id_) for id_ in ids]
        assert [ledger.subject_of(e) for e in entries if e is not None] == [f"s{n % 12}" for n in range(60)]
        assert [ledger.body(e) for e in entries if e is not None] == [b"%d" % n for n in range(60)]
        assert len(secrets_of(ledger)) == 12


def test_a_batched_entry_is_sealed_too(place: Path | str) -> None:
    with Ledger.open(place) as ledger:
        ids = [ledger.enqueue(decision(b"secret %d" % n, subject=f"s{n % 2}", seal=True)) for n in range(10)]
        ledger.flush()
        ledger.erase("s0", by="dpo@example.org", reason="asked for")
        for n, id_ in enumerate(ids):
            entry = ledger.get(id_)
            assert entry is not None
            if n % 2:
                assert ledger.body(entry) == b"secret %d" % n
            else:
                with pytest.raises(Erased):
                    ledger.body(entry)

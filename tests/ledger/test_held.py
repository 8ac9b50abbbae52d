"""Since when a witness holds an entry: real ledgers, real notes, a clock to set."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.attest import generate
from plimsoll.ledger import Draft, FileWitness, Ledger, LedgerSettings, held_since

S = 1_000_000_000
START = 1_800_000_000 * S
HOUR = 3_600 * S


class Key:
    """Signs checkpoints under a name."""

    def __init__(self, name="test/ledger"):
        self._key = generate()
        self.name = name
        self.public = self._key.public.raw
        self.sign = self._key.sign


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def key():
    return Key()


@pytest.fixture
def witness(tmp_path):
    return FileWitness(tmp_path / "witness.txt")


def opened(path, key, witness, clock):
    # No checkpoint but those that a test makes.
    never = LedgerSettings(checkpoint_s=1e9, checkpoint_entries=10**9)
    return Ledger.open(path / "ledger.db", signer=key, witness=witness, clock=clock, settings=never)


def put(ledger, kind="note"):
    return ledger.get(ledger.append(Draft(kind=kind, body=b"x")))


def since(ledger, witness, key, *entries):
    held = held_since(ledger, witness, entries, (key.public,))
    return [held.get(entry.id) for entry in entries]


def test_it_is_held_from_the_first_checkpoint_that_was_published_after_it(tmp_path, key, witness, clock):
    with opened(tmp_path, key, witness, clock) as ledger:
        first = put(ledger)
        clock.now += HOUR
        ledger.checkpoint()
        second = put(ledger)
        assert since(ledger, witness, key, first, second) == [START + HOUR, None]
        clock.now += HOUR
        ledger.checkpoint()
        put(ledger)
        clock.now += HOUR
        ledger.checkpoint()
        assert since(ledger, witness, key, first, second) == [START + HOUR, START + 2 * HOUR]


def test_a_checkpoint_that_nobody_outside_has_holds_nothing(tmp_path, key, witness, clock):
    with opened(tmp_path, key, None, clock) as ledger:
        entry = put(ledger)
        ledger.checkpoint()
        witness.path.touch()
        assert since(ledger, witness, key, entry) == [None]


def test_one_that_is_published_late_holds_from_when_it_was_made(tmp_path, key, witness, clock):
    """The witness does not say when it came; the first note that it has is the one that counts."""
    with opened(tmp_path, key, None, clock) as ledger:
        entry = put(ledger)
        ledger.checkpoint()
    clock.now += HOUR
    with opened(tmp_path, key, witness, clock) as ledger:
        put(ledger)
        ledger.checkpoint()
        assert since(ledger, witness, key, entry) == [START]


def test_a_stream_that_was_sealed_is_held_by_the_sealing(tmp_path, key, witness, clock):
    with opened(tmp_path, key, witness, clock) as ledger:
        entry = put(ledger)
        clock.now += HOUR
    with opened(tmp_path, key, witness, clock) as ledger:
        assert since(ledger, witness, key, entry) == [START + HOUR]


def test_of_several_processes_each_stream_is_found(tmp_path, key, witness, clock):
    with opened(tmp_path, key, witness, clock) as one, opened(tmp_path, key, witness, clock) as two:
        first, second = put(one), put(two)
        assert first.stream != second.stream
        clock.now += HOUR
        one.checkpoint()
        assert since(two, witness, key, first, second) == [START + HOUR] * 2


def test_a_note_by_another_key_counts_for_nothing(tmp_path, key, witness, clock):
    with opened(tmp_path, key, witness, clock) as ledger:
        entry = put(ledger)
        ledger.checkpoint()
        assert since(ledger, witness, Key(), entry) == [None]


def test_a_note_about_another_history_counts_for_nothing(tmp_path, key, witness, clock):
    """Same key, same name, other entries: a ledger that was begun anew must not borrow the old one's witness."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    with opened(tmp_path / "one", key, witness, clock) as ledger:
        put(ledger)
        put(ledger)
        ledger.checkpoint()
    notes = witness.path.read_text()
    other = FileWitness(tmp_path / "other.txt")
    with opened(tmp_path / "two", key, None, clock) as ledger:
        entry = put(ledger)
        ledger.checkpoint()
        origin = notes.split("\n", 1)[0]
        with contextlib.closing(sqlite3.connect(tmp_path / "two" / "ledger.db")) as con, con:
            con.execute("UPDATE meta SET value=? WHERE key='origin'", (origin,))
        other.path.write_text(notes)
        assert since(ledger, other, key, entry) == [None]


def test_what_is_no_note_is_passed_over(tmp_path, key, witness, clock):
    with opened(tmp_path, key, witness, clock) as ledger:
        entry = put(ledger)
        ledger.checkpoint()
        witness.path.write_text("scribble\n\n" + witness.path.read_text() + "half a no")
        assert since(ledger, witness, key, entry) == [START]


def test_a_clock_that_was_ahead_when_it_was_written_hides_nothing(tmp_path, key, witness, clock):
    with opened(tmp_path, key, witness, clock) as ledger:
        put(ledger)
        ledger.checkpoint()
        clock.now += 1000 * HOUR
        entry = put(ledger)
        clock.now = START + HOUR
        with opened(tmp_path, key, witness, clock) as other:
            other.checkpoint()
            assert since(other, witness, key, entry) != [None]


def test_a_record_of_the_root_stream_that_was_altered_says_nothing(tmp_path, key, witness, clock):
    with opened(tmp_path, key, witness, clock) as ledger:
        entry = put(ledger)
        ledger.checkpoint()
        with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as con, con:
            con.execute("UPDATE entries SET body=x'ff' WHERE kind='checkpoint'")
        assert since(ledger, witness, key, entry) == [None]


def test_nothing_is_asked_where_there_is_no_entry_and_no_log(tmp_path, key, witness, clock):
    with opened(tmp_path, key, witness, clock) as ledger:
        assert held_since(ledger, witness, (), (key.public,)) == {}


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.sampled_from(["put", "checkpoint", "wait", "other"]), min_size=1, max_size=25))
def test_whatever_happens_it_is_the_first_checkpoint_after_the_entry(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("held")
    key, witness, clock = Key(), FileWitness(folder / "w.txt"), Clock()
    waiting, expected = [], {}
    with opened(folder, key, witness, clock) as one, opened(folder, key, witness, clock) as two:
        for step in [*steps, "checkpoint"]:
            clock.now += HOUR if step == "wait" else S
            if step == "checkpoint":
                one.checkpoint()
                expected |= dict.fromkeys((e.id for e in waiting), clock.now)
                waiting = []
            elif step != "wait":
                waiting.append(put(two if step == "other" else one))
        entries = [two.get(id_) for id_ in expected]
        assert held_since(one, witness, entries, (key.public,)) == expected

"""Checkpoints in time: signed, published, tried again, and never in the way of an entry."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plimsoll.errors import StoreError
from plimsoll.ledger import Ledger, LedgerSettings, Replace, Reserve
from plimsoll.ledger.checkpoint import Verifier, open_note, parse_checkpoint, parse_note
from plimsoll.ledger.merkle import check_consistency, consistency_proof
from plimsoll.ledger.witness import FileWitness
from plimsoll.testing.simulated import SECOND
from plimsoll.testing.store import ManualClock, decision, wait_until


class Key:
    """A signer as the notary wants one."""

    name = "example.org/ledger"

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()

    @property
    def public(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def sizes_of(witness: FileWitness) -> list[int]:
    return [note.checkpoint.size for note in witness.notes()]


def test_checkpoints_are_signed_and_reach_the_witness_also_the_last_one(tmp_path: Path, place: Path | str) -> None:
    key, witness = Key(), FileWitness(tmp_path / "witness.notes")
    settings = LedgerSettings(origin="example.org/claims")
    with Ledger.open(place, signer=key, witness=witness, settings=settings) as ledger:
        ledger.append(decision())
        made = ledger.checkpoint()
        assert made.origin == "example.org/claims"
        ledger.append(decision())
    with Ledger.open(place, read_only=True) as ledger:
        notes = ledger.reader.notes()
        assert [size for size, _ in notes] == sizes_of(witness) == [made.size, ledger.reader.sizes()[1]]
        (first, second) = (parse_checkpoint(parse_note(note).text) for _, note in notes)
        proof = consistency_proof(ledger.reader.nodes(1), first.size, second.size)
        assert check_consistency(first.size, second.size, proof, first.root, second.root)
        verifier = Verifier(name=key.name, public=key.public)
        assert all(open_note(note, [verifier], origin="example.org/claims") for _, note in notes)


@pytest.mark.parametrize("settings", [LedgerSettings(checkpoint_entries=20), LedgerSettings(checkpoint_s=0.3)])
def test_checkpoints_come_by_themselves_after_entries_or_seconds(
    tmp_path: Path, place: Path | str, settings: LedgerSettings
) -> None:
    witness = FileWitness(tmp_path / "witness.notes")
    with Ledger.open(place, signer=Key(), witness=witness, settings=settings) as ledger:
        for _ in range(25):
            ledger.append(decision())
        wait_until(lambda: (tmp_path / "witness.notes").exists() and sizes_of(witness) != [])
        count = len(sizes_of(witness))
        assert count < 3
        assert ledger.trouble is None


def test_without_a_signer_heads_are_recorded_and_nothing_is_signed(tmp_path: Path, place: Path | str) -> None:
    with Ledger.open(place) as ledger:
        ledger.append(decision())
        ledger.checkpoint()
        assert sum(1 for _ in ledger.entries(kinds=["checkpoint"])) == 1
        assert ledger.reader.notes() == []


def test_the_name_of_the_log_stays_what_it_was(tmp_path: Path, place: Path | str) -> None:
    for origin in ("example.org/first", "example.org/second"):
        with Ledger.open(place, settings=LedgerSettings(origin=origin)) as ledger:
            ledger.append(decision())
            assert ledger.checkpoint().origin == "example.org/first"


class Unreachable:
    """A witness that is away until it is told to come back."""

    def __init__(self, inner: FileWitness) -> None:
        self._inner = inner
        self.away = True

    def publish(self, note: str) -> None:
        if self.away:
            raise StoreError("the witness cannot be reached")
        self._inner.publish(note)

    def read(self):
        return self._inner.read()


def test_a_witness_that_is_away_costs_no_entry_and_gets_everything_later(tmp_path: Path, place: Path | str) -> None:
    inner = FileWitness(tmp_path / "witness.notes")
    witness = Unreachable(inner)
    settings = LedgerSettings(checkpoint_entries=1)
    with Ledger.open(place, signer=Key(), witness=witness, settings=settings) as ledger:
        ledger.append(decision())
        wait_until(lambda: ledger.trouble is not None)
        with pytest.raises(StoreError, match="cannot be reached"):
            ledger.checkpoint()
        ledger.append(decision())
        with pytest.raises(StoreError, match="cannot be reached"):
            ledger.checkpoint()
        witness.away = False
        ledger.append(decision())
        wait_until(lambda: ledger.trouble is None and len(sizes_of(inner)) >= 3)
        assert sizes_of(inner) == [size for size, _ in ledger.reader.notes()]


def test_two_writers_make_one_line_of_checkpoints(tmp_path: Path, place: Path | str) -> None:
    key, witness = Key(), FileWitness(tmp_path / "witness.notes")
    with (
        Ledger.open(place, signer=key, witness=witness) as one,
        Ledger.open(place, signer=key, witness=witness) as two,
    ):
        for n in range(6):
            (one, two)[n % 2].append(decision())
            (two, one)[n % 2].checkpoint()
    sizes = sizes_of(witness)
    assert sizes == sorted(set(sizes))
    assert len(sizes) >= 7


def test_expired_reservations_are_swept_away_and_their_tokens_never_come_back(
    tmp_path: Path, place: Path | str
) -> None:
    clock = ManualClock()
    with Ledger.open(place, clock=clock) as ledger:
        (last,) = ledger.apply([Reserve(space="s", key="short", expires_ns=clock.now_ns + SECOND)])
        for _ in range(5):
            assert last is not None
            again = Replace(space="s", key="short", fence=last.fence, expires_ns=clock.now_ns + SECOND)
            (last,) = ledger.apply([again])
        kept = ledger.reserve("s", "kept")
        clock.move(2)
        hands = ledger._now.hands
        assert hands.sweep(100) == 1
        assert hands.sweep(100) == 0
        assert ledger.reservation("s", "kept") == kept
        assert last is not None
        assert ledger.reserve("s", "short").fence > last.fence

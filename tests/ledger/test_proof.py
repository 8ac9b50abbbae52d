"""Proofs of single entries: they hold without the store, and every forgery fails at the link that it breaks."""

from __future__ import annotations

import shutil
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.errors import InputError, VerificationFailed
from plimsoll.ledger import Draft, Erased, Header, Ledger
from plimsoll.ledger.checkpoint import note_text, sign_note
from plimsoll.ledger.proof import check_proof, make_proof


class Key:
    name = "example.org/ledger"

    def __init__(self, seed: bytes = b"\x01") -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(seed * 32)
        self.public = self.private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


KEY, THIEF = Key(), Key(b"\x02")


def decision(n: int) -> Draft:
    header = Header(type="read-amount", tier="reviewed", called=True, disposition="answered")
    return Draft(kind="decision", system="claims-reader", body=b"decision %d" % n, header=header, refs=("a-1", "b-2"))


class Made:
    """A ledger on the disk, and ids of what stands in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ids: dict[str, str] = {}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(tmp_path_factory.mktemp("made") / "ledger.db")
    with Ledger.open(made.path, signer=KEY) as ledger:
        first = ledger.transact([decision(n) for n in range(300)])
        ledger.checkpoint()
        ledger.transact([decision(n) for n in range(300, 700)])
        ledger.checkpoint()
        late = ledger.transact([decision(n) for n in range(20)])
        sealed = ledger.append(Draft(kind="decision", body=b"secret of Anna", subject="Anna", seal=True))
        erased = ledger.append(Draft(kind="decision", body=b"secret of Bert", subject="Bert", seal=True))
        nobody = ledger.append(Draft(kind="decision", body=b"secret of nobody", seal=True))
        ledger.erase("Bert", by="dpo@example.org", reason="asked to")
        batched = ledger.enqueue(Draft(kind="evidence", body=b"measured"))
        ledger.flush()
        root = next(iter(ledger.entries(kinds=["stream.opened"]))).id
    made.ids = {
        "first": first[0], "middle": first[277], "late": late[-1], "sealed": sealed, "erased": erased,
        "nobody": nobody, "batched": batched, "root": root,
    }  # fmt: skip
    return made


@pytest.mark.parametrize("which", ["first", "middle", "late", "sealed", "erased", "nobody", "batched", "root"])
def test_every_kind_of_entry_can_be_proved_without_the_store(made: Made, which: str) -> None:
    raw = make_proof(made.path, made.ids[which])
    report = check_proof(raw, [KEY.public])
    assert report.entry.id == made.ids[which]
    assert report.signed_by == (KEY.name,)
    with Ledger.open(made.path, read_only=True) as ledger:
        assert report.entry == ledger.get(made.ids[which])
        assert make_proof(ledger, made.ids[which]) == raw
        assert report.origin in report.lines()[0]


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_any_entry_at_any_place_can_be_proved(made: Made, data: st.DataObject) -> None:
    stream = made.ids["first"].partition("-")[0]
    seq = data.draw(st.integers(0, 719))
    report = check_proof(make_proof(made.path, f"{stream}-{seq}"), [KEY.public])
    assert report.entry.seq == seq
    assert report.stream_size == 300 if seq < 300 else report.stream_size >= 700


def test_a_sealed_body_stays_closed_unless_it_is_disclosed(made: Made) -> None:
    raw = make_proof(made.path, made.ids["sealed"])
    assert b"Anna" not in raw
    report = check_proof(raw, [KEY.public])
    assert report.body is None
    assert "sealed and was not disclosed" in report.lines()[-1]
    disclosed = check_proof(make_proof(made.path, made.ids["sealed"], disclose=True), [KEY.public])
    assert disclosed.body == b"secret of Anna"
    nobody = check_proof(make_proof(made.path, made.ids["nobody"], disclose=True), [KEY.public])
    assert nobody.body == b"secret of nobody"
    plain = check_proof(make_proof(made.path, made.ids["first"], disclose=True), [KEY.public])
    assert plain.body == b"decision 0"


def test_an_erased_body_cannot_be_disclosed_and_its_proof_holds(made: Made) -> None:
    with pytest.raises(Erased):
        make_proof(made.path, made.ids["erased"], disclose=True)
    assert check_proof(make_proof(made.path, made.ids["erased"]), [KEY.public]).body is None


def test_an_entry_newer_than_the_last_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db", signer=KEY) as ledger:
        new = ledger.append(decision(1))
        with pytest.raises(VerificationFailed, match="newer than the last signed checkpoint") as caught:
            make_proof(ledger, new)
        assert "take a checkpoint" in caught.value.fix
        ledger.checkpoint()
        check_proof(make_proof(ledger, new), [KEY.public])


def test_a_ledger_that_nobody_signs_proves_nothing(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        new = ledger.append(decision(1))
        ledger.checkpoint()
        with pytest.raises(VerificationFailed, match="newer than the last signed checkpoint"):
            make_proof(ledger, new)


def test_clocks_that_disagree_do_not_hide_the_checkpoint(tmp_path: Path) -> None:
    """The entry's process is an hour ahead of the one that made the checkpoint."""
    hour = 3_600_000_000_000
    path = tmp_path / "ledger.db"
    with (
        Ledger.open(path, signer=KEY, clock=lambda: 10 * hour) as slow,
        Ledger.open(path, signer=KEY, clock=lambda: 11 * hour) as ahead,
    ):
        slow.append(decision(0))
        new = ahead.append(decision(1))
        slow.checkpoint()
        check_proof(make_proof(path, new), [KEY.public])


@pytest.mark.parametrize("entry", ["", "nonsense", "0" * 32 + "-0", "x" * 40])
def test_an_entry_that_is_not_there_is_said(made: Made, entry: str) -> None:
    with pytest.raises(InputError, match="there is no entry"):
        make_proof(made.path, entry)
    with pytest.raises(InputError, match="there is no entry"):
        make_proof(made.path, made.ids["first"].replace("-0", "-100000"))


@pytest.mark.parametrize(
    "spoil",
    ["UPDATE entries SET body=x'00' WHERE id=(2<<40)+277", "UPDATE entries SET leaf=zeroblob(32) WHERE id=(2<<40)+276"],
)
def test_a_spoilt_ledger_gives_no_proof(made: Made, tmp_path: Path, spoil: str) -> None:
    shutil.copy(made.path, tmp_path / "ledger.db")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as con, con:
        con.execute(spoil)
    with pytest.raises(VerificationFailed, match="cannot be proved") as caught:
        make_proof(tmp_path / "ledger.db", made.ids["middle"])
    assert "ledger verify" in caught.value.fix


def altered(raw: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    proof = msgspec.json.decode(raw)
    change(proof)
    return msgspec.json.encode(proof)


def flip(text: str) -> str:
    raw = bytearray(b64decode(text))
    raw[0] ^= 1
    return b64encode(raw).decode()


def _entry(field: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda proof: proof["entry"].update({field: value})


def _swap_note(proof: dict[str, Any], key: Key, *, shift: int = 0) -> None:
    origin, size, root, *_ = proof["note"].split("\n")
    proof["note"] = sign_note(note_text(origin, int(size) + shift, b64decode(root)), key)


FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "another body": (_entry("body", b64encode(b"never said").decode()), "the inclusion in the stream"),
    "another time": (_entry("time_ns", "1"), "the inclusion in the stream"),
    "a time that is none": (_entry("time_ns", "01"), "the inclusion in the stream"),
    "a time with a sign": (_entry("time_ns", "-1"), "the inclusion in the stream"),
    "another type": (_entry("type", "deny-claim"), "the inclusion in the stream"),
    "another tier": (_entry("tier", "automatic"), "the inclusion in the stream"),
    "called denied": (_entry("called", 0), "the inclusion in the stream"),
    "called overstated": (_entry("called", 1 << 70), "the inclusion in the stream|form"),
    "another disposition": (_entry("disposition", "held"), "the inclusion in the stream"),
    "other refs": (_entry("refs", "a-1"), "the inclusion in the stream"),
    "another position": (_entry("seq", 278), "the inclusion in the stream"),
    "a position that is none": (_entry("seq", -1), "the inclusion in the stream"),
    "another stream": (_entry("stream", "0" * 32), "the checkpoint entry"),
    "a missing link": (lambda proof: proof.update(in_stream=None), "the checkpoint entry"),
    "no checkpoint entry": (lambda proof: proof.update(checkpoint=None), "the inclusion in the root stream"),
    "a shorter stream": (lambda proof: proof["in_stream"].update(size=299), "the checkpoint entry"),
    "a cut path": (lambda proof: proof["in_stream"]["path"].pop(), "the inclusion in the stream"),
    "a longer path": (
        lambda proof: proof["in_stream"]["path"].append(b64encode(bytes(32)).decode()),
        "the inclusion in the stream",
    ),
    "a path of other things": (
        lambda proof: proof["in_stream"]["path"].append("AAAA"),
        "the inclusion in the stream: its path",
    ),
    "another hash on the path": (
        lambda proof: proof["in_stream"]["path"].__setitem__(0, flip(proof["in_stream"]["path"][0])),
        "the inclusion in the stream",
    ),
    "another checkpoint entry": (
        lambda proof: proof["checkpoint"].update(body=flip(proof["checkpoint"]["body"])),
        "the inclusion in the root stream",
    ),
    "another size of the root stream": (
        lambda proof: proof["in_root"].update(size=proof["in_root"]["size"] + 1),
        "the inclusion in the root stream",
    ),
    "a note of another size": (lambda proof: _swap_note(proof, KEY, shift=1), "the inclusion in the root stream"),
    "a note by another key": (lambda proof: _swap_note(proof, THIEF), "the signed checkpoint"),
    "an altered note": (
        lambda proof: proof.update(note=proof["note"].replace("\n2\n", "\n3\n")),
        "the signed checkpoint",
    ),
    "no note": (lambda proof: proof.update(note=""), "the signed checkpoint"),
    "another version": (lambda proof: proof.update(plimsoll_proof=2), "its form: it is of version 2"),
    "an unknown field": (lambda proof: proof.update(more=1), "its form"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_proof_fails_at_the_link_it_breaks(made: Made, name: str) -> None:
    change, link = FORGERIES[name]
    raw = make_proof(made.path, made.ids["middle"])
    with pytest.raises(VerificationFailed, match=f"does not hold at .*({link})"):
        check_proof(altered(raw, change), [KEY.public])


def test_a_wrong_key_opens_nothing(made: Made) -> None:
    raw = make_proof(made.path, made.ids["sealed"], disclose=True)
    for key in (bytes(32), b"short"):
        with pytest.raises(VerificationFailed, match="the disclosed key"):
            check_proof(
                altered(raw, lambda proof, key=key: proof.update(body_key=b64encode(key).decode())), [KEY.public]
            )


def test_a_reader_who_trusts_no_key_learns_nothing(made: Made) -> None:
    raw = make_proof(made.path, made.ids["first"])
    for keys in ([], [THIEF.public]):
        with pytest.raises(VerificationFailed, match="the signed checkpoint: no trusted key"):
            check_proof(raw, keys)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_no_altered_byte_of_a_proof_file_goes_unnoticed(made: Made, data: st.DataObject) -> None:
    raw = make_proof(made.path, made.ids["middle"])
    at = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255))
    changed = raw[:at] + bytes([byte]) + raw[at + 1 :]
    try:
        report = check_proof(changed, [KEY.public])
    except VerificationFailed:
        return
    # What still holds says the very same: another space, another spelling of one character.
    assert report == check_proof(raw, [KEY.public])


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_no_bytes_make_the_reader_stumble(raw: bytes) -> None:
    with pytest.raises(VerificationFailed, match="its form"):
        check_proof(raw, [KEY.public])


def test_a_nesting_bomb_is_no_proof() -> None:
    with pytest.raises(VerificationFailed, match="its form"):
        check_proof(b'{"plimsoll_proof":' + b"[" * 200_000, [KEY.public])

"""C2SP checkpoints and signed notes, against published vectors and against openssl."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64decode, b64encode
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.errors import VerificationFailed
from plimsoll.ledger.checkpoint import (
    Checkpoint,
    Verifier,
    note_text,
    open_note,
    parse_checkpoint,
    parse_note,
    read_verifier,
    sign_note,
)


class Key:
    """A signer with its key in memory."""

    def __init__(self, name: str, seed: bytes) -> None:
        self.name = name
        self.private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self.private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)

    @property
    def verifier(self) -> Verifier:
        return Verifier(name=self.name, public=self.public)


# The example key and note in the documentation of Go's golang.org/x/mod/sumdb/note.
NEUMANN = Key("PeterNeumann", b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:])
NEUMANN_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_SIGNATURE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

LOG = Key("example.org/ledger", b"\x01" * 32)
WITNESS = Key("witness.example.org", b"\x02" * 32)
THIEF = Key("example.org/ledger", b"\x03" * 32)
ROOT = bytes(range(32))
TEXT = note_text("example.org/ledger", 4_711, ROOT, ["streams 3"])


def test_key_id_and_signature_are_those_of_the_published_example() -> None:
    assert read_verifier(NEUMANN_VERIFIER) == NEUMANN.verifier
    assert NEUMANN.verifier.text == NEUMANN_VERIFIER
    assert sign_note(NEUMANN_TEXT, NEUMANN) == f"{NEUMANN_TEXT}\n{NEUMANN_SIGNATURE}"
    (signature,) = parse_note(f"{NEUMANN_TEXT}\n{NEUMANN_SIGNATURE}").signatures
    assert NEUMANN.verifier.accepts(NEUMANN_TEXT.encode(), signature.signature)


def test_openssl_accepts_the_signature(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    note = parse_note(sign_note(TEXT, LOG))
    (tmp_path / "text").write_text(note.text)
    (tmp_path / "signature").write_bytes(note.signatures[0].signature)
    (tmp_path / "key.pem").write_bytes(
        LOG.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    verify = [openssl, "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key.pem", "-sigfile", "signature", "-in"]
    done = subprocess.run([*verify, "text"], cwd=tmp_path, capture_output=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    (tmp_path / "text").write_text(note.text.replace("4711", "4712"))
    done = subprocess.run([*verify, "text"], cwd=tmp_path, capture_output=True, check=False, timeout=20)
    assert done.returncode != 0


def test_a_checkpoint_has_three_lines_and_extensions() -> None:
    assert TEXT.splitlines() == ["example.org/ledger", "4711", b64encode(ROOT).decode(), "streams 3"]
    assert parse_checkpoint(TEXT) == Checkpoint(
        origin="example.org/ledger", size=4_711, root=ROOT, extra=("streams 3",)
    )


def test_a_signed_checkpoint_opens_with_the_pinned_key() -> None:
    opened = open_note(sign_note(TEXT, LOG), [LOG.verifier], origin="example.org/ledger")
    assert opened.checkpoint.size == 4_711
    assert opened.signed_by == ("example.org/ledger",)
    assert opened.ignored == ()


def test_several_signatures_are_read_and_unknown_ones_ignored() -> None:
    note = sign_note(TEXT, LOG, WITNESS)
    assert open_note(note, [LOG.verifier, WITNESS.verifier]).signed_by == ("example.org/ledger", "witness.example.org")
    opened = open_note(note, [WITNESS.verifier])
    assert (opened.signed_by, opened.ignored) == (("witness.example.org",), ("example.org/ledger",))
    odd = sign_note(TEXT, LOG) + f"— else.example.org {b64encode(b'idid' + b'another kind of signature').decode()}\n"
    assert open_note(odd, [LOG.verifier]).ignored == ("else.example.org",)


def test_a_raw_key_is_trusted_whatever_name_it_signs_under() -> None:
    assert open_note(sign_note(TEXT, LOG), [LOG.public]).signed_by == ("example.org/ledger",)
    with pytest.raises(VerificationFailed, match="no trusted key signed"):
        open_note(sign_note(TEXT, THIEF), [LOG.public])
    with pytest.raises(VerificationFailed, match="has 5 bytes"):
        open_note(sign_note(TEXT, LOG), [b"short"])


def test_a_note_by_a_key_of_the_same_name_is_not_trusted() -> None:
    with pytest.raises(VerificationFailed, match="no trusted key signed"):
        open_note(sign_note(TEXT, THIEF), [LOG.verifier])


def test_a_signature_that_only_claims_a_known_key_fails_the_note() -> None:
    forged = parse_note(sign_note(TEXT, THIEF)).signatures[0].signature
    line = f"— {LOG.name} {b64encode(LOG.verifier.key_id + forged).decode()}\n"
    with pytest.raises(VerificationFailed, match="does not hold"):
        open_note(f"{TEXT}\n{line}", [LOG.verifier])
    with pytest.raises(VerificationFailed, match="does not hold"):
        open_note(sign_note(TEXT, WITNESS) + line, [LOG.verifier, WITNESS.verifier])
    short = f"— {LOG.name} {b64encode(LOG.verifier.key_id + b'short').decode()}\n"
    with pytest.raises(VerificationFailed, match="does not hold"):
        open_note(f"{TEXT}\n{short}", [LOG.verifier])


def test_a_note_of_another_log_is_refused() -> None:
    with pytest.raises(VerificationFailed, match=r"not of 'example\.org/other'"):
        open_note(sign_note(TEXT, LOG), [LOG.verifier], origin="example.org/other")


def test_text_with_empty_lines_is_cut_at_the_last_one() -> None:
    assert parse_note(sign_note("one\n\ntwo\n", LOG)).text == "one\n\ntwo\n"


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_no_altered_character_goes_unnoticed(data: st.DataObject) -> None:
    note = sign_note(TEXT, LOG)
    at = data.draw(st.integers(0, len(note) - 1))
    character = data.draw(st.sampled_from("\n aA0=+/—\t\x00é").filter(lambda c: c != note[at]))
    with pytest.raises(VerificationFailed):
        open_note(note[:at] + character + note[at + 1 :], [LOG.verifier])
    with pytest.raises(VerificationFailed):
        open_note(note[:at], [LOG.verifier])


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_text_makes_the_readers_stumble(text: str) -> None:
    for read in (parse_note, parse_checkpoint, read_verifier):
        with suppress(VerificationFailed):
            read(text)


@pytest.mark.parametrize(
    ("note", "said"),
    [
        (f"{TEXT}— name AAAA\n", "no empty line"),
        (f"{TEXT}\n", "no signature"),
        (f"{TEXT}\n— name AAAAAAAA", "cut"),
        (f"{TEXT}\n- name AAAAAAAA\n", "line 6"),
        (f"{TEXT}\n— name AAAAAAAA extra\n", "line 6"),
        (f"{TEXT}\n— na+me AAAAAAAA\n", "name of a key"),
        (f"{TEXT}\n— name !!!!\n", "line 6, the signature of 'name' is not base64"),
        (f"{TEXT}\n— name AAAA\n", "only 3 bytes"),
        (f"{TEXT}\n— name AAAAAAAAAB==\n", "one proper spelling"),
        (TEXT.replace("streams", "\tstreams") + "\n— name AAAAAAAA\n", "line 4 holds a control character"),
        (TEXT + "\n" + "— name AAAAAAAA\n" * 101, "101 signatures"),
        ("x" * 1_000_001, "1,000,001 characters"),
    ],
)
def test_a_malformed_note_says_what_and_where(note: str, said: str) -> None:
    with pytest.raises(VerificationFailed, match=said):
        parse_note(note)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("o\n1", "does not end with a newline"),
        ("o\n1\n", "2 lines"),
        (f"\n1\n{b64encode(ROOT).decode()}\n", "line 1"),
        (f"o\n01\n{b64encode(ROOT).decode()}\n", "line 2"),
        (f"o\n-1\n{b64encode(ROOT).decode()}\n", "line 2"),
        (f"o\n١\n{b64encode(ROOT).decode()}\n", "line 2"),
        (f"o\n{'9' * 20}\n{b64encode(ROOT).decode()}\n", "line 2"),
        ("o\n1\nAAAA\n", "3 bytes"),
        ("o\n1\nnot base64\n", "line 3"),
        (f"o\n1\n{b64encode(ROOT).decode()}\n\n", "line 4"),
    ],
)
def test_a_malformed_checkpoint_names_the_line(text: str, said: str) -> None:
    with pytest.raises(VerificationFailed, match=said):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("PeterNeumann", "three parts"),
        (NEUMANN_VERIFIER.replace("c74f20a3", "c74f20a4"), "says id c74f20a4"),
        (NEUMANN_VERIFIER.replace("PeterNeumann", "Peter"), "says id"),
        ("name+00000000+AgAA", "not an Ed25519 key"),
        ("name+00000000+AQAA", "has 2 bytes"),
        ("na me+00000000+" + b64encode(b"\x01" * 33).decode(), "cannot be the name"),
    ],
)
def test_a_malformed_verifier_key_says_what(key: str, said: str) -> None:
    with pytest.raises(VerificationFailed, match=said):
        read_verifier(key)


def test_what_no_note_can_hold_is_not_written() -> None:
    for bad in (("", 1, ROOT), ("o", -1, ROOT), ("o", 1, b"short"), ("o\np", 1, ROOT)):
        with pytest.raises(ValueError, match="checkpoint has"):
            note_text(*bad)
    with pytest.raises(ValueError, match="checkpoint has"):
        note_text("o", 1, ROOT, [""])
    with pytest.raises(ValueError, match="newline"):
        sign_note("a\tb\n", LOG)
    with pytest.raises(ValueError, match="signer"):
        sign_note(TEXT)


def test_bytes_that_are_no_point_of_the_curve_verify_nothing() -> None:
    odd = Verifier(name="odd", public=b"\xff" * 32)
    assert not odd.accepts(b"message", b"\x00" * 64)

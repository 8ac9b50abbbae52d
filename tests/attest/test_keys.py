"""Keys: kept safely, named as openssl names them, never overwritten."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from plimsoll.attest.keys import (
    generate,
    load_private,
    load_public,
    read_private,
    save_private,
    save_public,
)
from plimsoll.errors import InputError, InvalidFile, UsageError, VerificationFailed

KINDS = ["ed25519", "ecdsa-p256"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_survives_being_written_and_read(kind, tmp_path: Path) -> None:
    key = generate(kind)
    save_private(key, tmp_path / "gate.key")
    save_public(key.public, tmp_path / "gate.pem")

    again = read_private(tmp_path / "gate.key")
    signature = again.sign(b"message")

    assert again.public == key.public
    assert load_public((tmp_path / "gate.pem").read_text()) == key.public
    assert load_public(key.public.line) == key.public
    load_public(key.public.line).verify(signature, b"message")
    with pytest.raises(VerificationFailed, match=key.public.key_id[:15]):
        key.public.verify(signature, b"massage")


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_named_as_openssl_names_it(kind, tmp_path: Path) -> None:
    key = generate(kind)
    save_private(key, tmp_path / "key")
    der = subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / "key", "-pubout", "-outform", "DER"], check=True, capture_output=True
    ).stdout

    assert key.public.key_id == "sha256:" + hashlib.sha256(der).hexdigest()


def test_the_ledger_gets_32_raw_bytes() -> None:
    assert len(generate().public.raw) == 32


def test_a_private_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    save_private(generate(), tmp_path / "key")

    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    key = generate()
    save_private(key, tmp_path / "key")
    for save, what in ((save_private, generate()), (save_public, generate().public)):
        with pytest.raises(UsageError, match="never overwritten"):
            save(what, tmp_path / "key")

    assert read_private(tmp_path / "key").public == key.public


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UsageError):
        save_private(generate(), tmp_path / "key")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        save_private(generate(), tmp_path / "no" / "key")
    with pytest.raises(InvalidFile, match="cannot be read"):
        read_private(tmp_path / "no" / "key")
    with pytest.raises(InvalidFile, match="cannot be read"):
        read_private(tmp_path)


def test_a_private_key_never_shows_itself() -> None:
    key = generate()
    secret = key.pem.decode().splitlines()[1]

    assert secret not in repr(key)
    assert secret not in f"{key} {vars(type(key))}"


def pem_of(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def encrypted() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (b"", "no private key"),
        (b"x" * 20_000, "20,000 bytes are no key"),
        (pem_of(rsa.generate_private_key(65537, 2048)), "another kind.*RSA"),
        (pem_of(ec.generate_private_key(ec.SECP384R1())), "another kind"),
        (encrypted(), "encrypted with a passphrase"),
        (generate().public.pem, "no private key"),
    ],
    ids=["empty", "huge", "rsa", "p384", "encrypted", "public"],
)
def test_what_is_no_private_key_of_ours_is_said_with_what_to_do(pem: bytes, says: str) -> None:
    with pytest.raises(InvalidFile, match=says) as caught:
        load_private(pem, "gate.key")
    assert caught.value.problems[0].fix
    assert str(caught.value.problems[0].where) == "gate.key"


SHORT = base64.b64encode(b"x" * 31).decode()
OFF_CURVE = base64.b64encode(b"\x02" + b"\xff" * 32).decode()
STRAY = "ed25519:pjSoQ75jI/Z4A16coGJ+1K2OdewvIw6LVsXMdu0HYfE"  # a key without its padding


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "begins neither"),
        ("rsa:AAAA", "begins neither"),
        ("ed25519:", "32 bytes"),
        (f"ed25519:{SHORT}", "32 bytes"),
        ("ed25519:%%%", "32 bytes"),
        (STRAY, "32 bytes"),
        (f"ecdsa-p256:{OFF_CURVE}", "a point on P-256"),
        (generate().pem.decode(), "a private key where a public one belongs"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no public key in PEM"),
        ("-----BEGIN" + "A" * 20_000, "are no key"),
    ],
)
def test_what_is_no_public_key_of_ours_is_said(text: str, says: str) -> None:
    with pytest.raises(InvalidFile, match=says) as caught:
        load_public(text)
    assert caught.value.problems[0].fix


def test_a_public_key_of_another_kind_is_said() -> None:
    public = rsa.generate_private_key(65537, 2048).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    with pytest.raises(InvalidFile, match="another kind"):
        load_public(pem.decode())

"""Keys: made, kept, read, used.

Two kinds: Ed25519 (the default) and ECDSA over P-256 with SHA-256, whose signatures are ASN.1 DER (for tools, such as
cosign, that cannot use Ed25519). A public key is named by ``sha256:`` and the hex SHA-256 of its DER
SubjectPublicKeyInfo, the name that ``openssl pkey -pubin -outform DER | sha256sum`` gives it.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import os
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from plimsoll.errors import InputError, InvalidFile, Problem, UsageError, VerificationFailed, Where

KeyKind = Literal["ed25519", "ecdsa-p256"]

_ED25519: Final = "ed25519"
_P256: Final = "ecdsa-p256"
_ECDSA: Final = ec.ECDSA(hashes.SHA256())
_MAX_PEM: Final = 16 * 1024  # a key of ours has some 250 bytes; a larger file is no key

_Private = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
_Public = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey


class PublicKey(msgspec.Struct, frozen=True):
    """A public key as a value: two are equal when their bytes are."""

    kind: KeyKind
    spki: bytes  # DER SubjectPublicKeyInfo

    @property
    def key_id(self) -> str:
        """``sha256:`` and the hex SHA-256 of the SubjectPublicKeyInfo."""
        return "sha256:" + hashlib.sha256(self.spki).hexdigest()

    @property
    def raw(self) -> bytes:
        """Ed25519: its 32 bytes. P-256: the compressed point, 33 bytes (SEC 1, 2.3.3)."""
        key = _loaded(self.spki)
        if isinstance(key, ed25519.Ed25519PublicKey):
            return key.public_bytes_raw()
        return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)

    @property
    def line(self) -> str:
        """The key on one line, as ``trust.yaml`` takes it: ``ed25519:`` or ``ecdsa-p256:``, and `raw` in base64."""
        return f"{self.kind}:{base64.b64encode(self.raw).decode()}"

    @property
    def pem(self) -> bytes:
        """SubjectPublicKeyInfo as PEM, as ``openssl`` takes it."""
        return _loaded(self.spki).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return when the signature is this key's, over exactly this message.

        Raises:
            VerificationFailed: it is not.
        """
        key = _loaded(self.spki)
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, message)
            else:
                key.verify(signature, message, _ECDSA)
        except InvalidSignature:
            raise VerificationFailed(
                f"the signature is not that of key {short(self.key_id)} over these bytes",
                fix="take the file again from where it was signed; if it fails there too, it was altered",
            ) from None


class PrivateKey:
    """A private key. Its bytes leave it only through `pem`, and never through ``repr``."""

    __slots__ = ("_key", "public")

    def __init__(self, key: _Private) -> None:
        self._key = key
        self.public = _public(key.public_key())

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.kind}, {short(self.public.key_id)})"

    def sign(self, message: bytes) -> bytes:
        """The signature over a message: 64 bytes for Ed25519, ASN.1 DER for P-256."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        return self._key.sign(message, _ECDSA)

    @property
    def pem(self) -> bytes:
        """PKCS #8, PEM, not encrypted: what `save_private` writes."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def short(key_id: str) -> str:
    """A key or other digest, shortened for a person to compare.

    >>> short("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    'sha256:e3b0c442…b855'
    """
    return f"{key_id[:15]}…{key_id[-4:]}" if len(key_id) > 24 else key_id


def generate(kind: KeyKind = "ed25519") -> PrivateKey:
    """A new key from the operating system's randomness."""
    if kind == _ED25519:
        return PrivateKey(ed25519.Ed25519PrivateKey.generate())
    return PrivateKey(ec.generate_private_key(ec.SECP256R1()))


def load_private(pem: bytes, file: str = "key") -> PrivateKey:
    """Read a private key from PEM (PKCS #8).

    Args:
        pem: the bytes of the file.
        file: its name, for messages.

    Raises:
        InvalidFile: it is no PEM private key, is encrypted, or is of another kind than Ed25519 and P-256.
    """
    if len(pem) > _MAX_PEM:
        raise _no_key(file, f"{len(pem):,} bytes are no key", "name the file that `plimsoll keys new` wrote")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise _no_key(
            file, "the private key is encrypted with a passphrase", "decrypt it: `openssl pkey -in FILE -out PLAIN`"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _no_key(file, "this is no private key in PEM (PKCS #8)", "make one with `plimsoll keys new`") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return PrivateKey(key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return PrivateKey(key)
    raise _wrong_kind(file, key)


def load_public(text: str, file: str = "key") -> PublicKey:
    """Read a public key: one line as `PublicKey.line` gives it, or SubjectPublicKeyInfo as PEM.

    Raises:
        InvalidFile: it is neither, or of another kind than Ed25519 and P-256.
    """
    text = text.strip()
    if text.startswith("-----BEGIN"):
        return _from_pem(text, file)
    kind, colon, encoded = text.partition(":")
    if not colon or kind not in {_ED25519, _P256}:
        raise _no_key(
            file,
            "this is no public key: it begins neither with 'ed25519:' nor with 'ecdsa-p256:' nor as PEM",
            "`plimsoll keys show FILE` prints the line",
        )
    try:
        raw = base64.b64decode(encoded, validate=True)
        if base64.b64encode(raw).decode() != encoded:
            raw = b""  # stray bits: a second way to write the same key, which no key accepts
        if kind == _ED25519:
            return _public(ed25519.Ed25519PublicKey.from_public_bytes(raw))
        return _public(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw))
    except (ValueError, binascii.Error):
        wanted = "32 bytes" if kind == _ED25519 else "a point on P-256"
        raise _no_key(
            file,
            f"what follows '{kind}:' is not {wanted} in base64",
            "copy the whole line that `plimsoll keys show FILE` prints",
        ) from None


def save_private(key: PrivateKey, path: Path) -> None:
    """Write a private key, readable by its owner alone (0600).

    Raises:
        UsageError: there is a file already; a key is never overwritten.
        InputError: the file cannot be written.
    """
    _write_new(path, key.pem, 0o600)


def save_public(key: PublicKey, path: Path) -> None:
    """Write a public key as PEM (0644).

    Raises:
        UsageError: there is a file already.
        InputError: the file cannot be written.
    """
    _write_new(path, key.pem, 0o644)


def read_private(path: Path) -> PrivateKey:
    """Read a private key from a file.

    Raises:
        InvalidFile: it cannot be read, or holds no key of ours.
    """
    try:
        with path.open("rb") as file:
            pem = file.read(_MAX_PEM + 1)
    except OSError as error:
        raise _no_key(
            str(path), f"the key cannot be read: {error.strerror}", "name the file that `plimsoll keys new` wrote"
        ) from error
    return load_private(pem, str(path))


def _write_new(path: Path, content: bytes, mode: int) -> None:
    # O_EXCL: to look first and write then would let two runs, or a planted link, take a key's place.
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), mode)
    except FileExistsError:
        raise UsageError(
            f"{path} exists already; a key is never overwritten", fix="name another file, or move this one away"
        ) from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}", fix="name a file in a folder that you may write to"
        ) from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@functools.lru_cache(maxsize=256)  # parsing costs as much as verifying; there are a handful of pinned keys
def _loaded(spki: bytes) -> _Public:
    key = serialization.load_der_public_key(spki)
    assert isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey)
    return key


def _public(key: _Public) -> PublicKey:
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey("ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "ecdsa-p256", spki)


def _from_pem(text: str, file: str) -> PublicKey:
    if len(text) > _MAX_PEM:
        raise _no_key(file, f"{len(text):,} characters are no key", "name a file that holds one public key")
    if "PRIVATE KEY-----" in text:
        raise _no_key(
            file,
            "this is a private key where a public one belongs",
            "treat it as known to others: make a new one with `plimsoll keys new`, and pin its public line",
        )
    try:
        key = serialization.load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise _no_key(file, "this is no public key in PEM", "`openssl pkey -in FILE -pubout` prints it") from None
    if isinstance(key, ed25519.Ed25519PublicKey):
        return _public(key)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return _public(key)
    raise _wrong_kind(file, key)


def _wrong_kind(file: str, key: object) -> InvalidFile:
    name = type(key).__name__.removeprefix("_").removesuffix("PrivateKey").removesuffix("PublicKey")
    return _no_key(
        file, f"this is a key of another kind ({name}); Ed25519 and P-256 are used", "make one with `plimsoll keys new`"
    )


def _no_key(file: str, message: str, fix: str) -> InvalidFile:
    return InvalidFile(file, (Problem(code="key", message=message, where=Where(file=file), fix=fix),))

"""Checkpoints: the size and root of a tree, as a C2SP tlog-checkpoint in a signed note.

::

    example.org/ledger                                   origin
    20852163                                             size
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=         root
                                                         (then any extension lines, then one empty line)
    — example.org/ledger Az3grlgtzPICa5OS8npVmf1Myq/…    one line per signature: key name, key id + signature

Sources: C2SP ``tlog-checkpoint`` and ``signed-note`` (c2sp.org), Ed25519 signatures of RFC 8032.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from plimsoll.errors import VerificationFailed

_ED25519: Final = b"\x01"  # signature type of signed-note
_DASH: Final = "— "  # em dash and a space begin every signature line
_ED25519_KEY: Final = 32  # bytes
_ED25519_SIGNATURE: Final = 64  # bytes
_KEY_ID: Final = 4  # bytes
_ROOT: Final = 32  # bytes
# What a reader takes before it knows whom to trust; without a bound, a hostile file decides how much work it makes.
_MAX_NOTE: Final = 1_000_000  # characters
_MAX_SIGNATURES: Final = 100
# Below U+0020, or half a character, for which UTF-8 has no bytes.
_UNPRINTED: Final = re.compile("[\x00-\x1f\ud800-\udfff]")


class Signer(Protocol):
    """Who signs checkpoints: a name and an Ed25519 key, wherever that key is kept."""

    @property
    def name(self) -> str:
        """Key name: no space, no plus sign, not empty. Usually the origin of the ledger."""
        ...

    @property
    def public(self) -> bytes:
        """The public key, 32 raw bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature (RFC 8032, pure), 64 bytes."""
        ...


class Verifier(msgspec.Struct, frozen=True, kw_only=True):
    """A pinned public key, under the name its signatures bear."""

    name: str
    public: bytes  # 32 raw bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if len(self.public) != _ED25519_KEY:
            raise VerificationFailed(
                f"the key of '{self.name}' has {len(self.public)} bytes, an Ed25519 public key has {_ED25519_KEY}"
            )

    @property
    def key_id(self) -> bytes:
        """Four bytes that signature lines name this key by."""
        return key_id(self.name, self.public)

    @property
    def text(self) -> str:
        """The key as one word, ``name+id+key``, as notes' tools exchange it; `read_verifier` reads it."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_ED25519 + self.public).decode()}"

    def accepts(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made this signature over exactly this message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):  # ValueError: 32 bytes that are no point of the curve
            return False
        return True


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a note says: this log had this size and this root."""

    origin: str  # unique name of the log
    size: int  # leaves
    root: bytes  # 32 bytes
    extra: tuple[str, ...] = ()  # extension lines


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """One signature line, unchecked."""

    name: str
    key_id: bytes  # 4 bytes
    signature: bytes


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A note as it is written; nothing is checked but its form."""

    text: str  # what is signed, with its last newline
    signatures: tuple[Signature, ...]


class OpenedNote(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint with at least one good signature by a key we trust."""

    checkpoint: Checkpoint
    signed_by: tuple[str, ...]  # names of the trusted keys, in the order of the note
    ignored: tuple[str, ...]  # names on signatures of keys we do not know


def key_id(name: str, public: bytes) -> bytes:
    """SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key), the first four bytes."""
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:_KEY_ID]


def check_key_name(name: str) -> None:
    """Raise VerificationFailed unless ``name`` may stand on a signature line."""
    if not name or "+" in name or any(c.isspace() or c < " " for c in name):
        raise VerificationFailed(
            f"'{name}' cannot be the name of a key: it is empty or holds a space, a control character or a plus sign"
        )


def read_verifier(text: str) -> Verifier:
    """The key from its one-word form ``name+id+key``.

    >>> read_verifier("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").name
    'PeterNeumann'
    """
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise VerificationFailed("a verifier key has three parts, name+id+key, joined by plus signs")
    name, hexadecimal, encoded = parts
    data = _from_base64(encoded, "the third part of the verifier key")
    if data[:1] != _ED25519:
        raise VerificationFailed(f"the verifier key '{name}' is not an Ed25519 key (type 1)")
    verifier = Verifier(name=name, public=data[1:])
    if verifier.key_id.hex() != hexadecimal:
        raise VerificationFailed(
            f"the verifier key '{name}' says id {hexadecimal}, name and key give {verifier.key_id.hex()}",
            fix="copy the whole key again from where it was published",
        )
    return verifier


def note_text(origin: str, size: int, root: bytes, extra: Sequence[str] = ()) -> str:
    """The body of a checkpoint: three lines or more, each ended by a newline.

    Args:
        origin: unique name of the log; not empty, no newline.
        size: leaves, at least 0.
        root: 32 bytes.
        extra: extension lines, not empty.

    Raises:
        ValueError: an argument that no checkpoint can hold.
    """
    lines = [origin, str(size), b64encode(root).decode(), *extra]
    if size < 0 or len(root) != _ROOT or not all(lines) or any(map(_UNPRINTED.search, lines)):
        raise ValueError("a checkpoint has an origin, a size from 0, a root of 32 bytes, and no empty or broken line")
    return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the body of a checkpoint. Raises VerificationFailed naming the line."""
    if not text.endswith("\n"):
        raise VerificationFailed("the checkpoint does not end with a newline: it was cut")
    lines = text[:-1].split("\n")
    if len(lines) < 3:
        raise VerificationFailed(f"the checkpoint has {len(lines)} lines, it needs three: origin, size and root")
    origin, size, root, *extra = lines
    if not origin:
        raise VerificationFailed("checkpoint line 1: the origin is empty")
    # Exactly one spelling of a number: "01" or "+1" would be another text for the same tree.
    if not (size.isascii() and size.isdigit()) or (size != "0" and size[0] == "0") or len(size) > 19:
        raise VerificationFailed("checkpoint line 2: the size is not a plain decimal number")
    digest = _from_base64(root, "checkpoint line 3, the root")
    if len(digest) != _ROOT:
        raise VerificationFailed(f"checkpoint line 3: the root has {len(digest)} bytes, SHA-256 has {_ROOT}")
    for number, line in enumerate(extra, start=4):
        if not line:
            raise VerificationFailed(f"checkpoint line {number}: an extension line is empty")
    return Checkpoint(origin=origin, size=int(size), root=digest, extra=tuple(extra))


def sign_note(text: str, *signers: Signer) -> str:
    """The note: ``text``, an empty line, one signature line per signer.

    >>> sign_note("no newline at the end")
    Traceback (most recent call last):
    ValueError: the text of a note ends with a newline and holds no other control character
    """
    if not text.endswith("\n") or _UNPRINTED.search(text.replace("\n", "")):
        raise ValueError("the text of a note ends with a newline and holds no other control character")
    if not signers:
        raise ValueError("a note needs at least one signer")
    lines = []
    for signer in signers:
        check_key_name(signer.name)
        blob = key_id(signer.name, signer.public) + signer.sign(text.encode())
        lines.append(f"{_DASH}{signer.name} {b64encode(blob).decode()}\n")
    return text + "\n" + "".join(lines)


def parse_note(note: str) -> Note:
    """Take a note apart without believing any of it. Raises VerificationFailed saying what and where."""
    if len(note) > _MAX_NOTE:
        raise VerificationFailed(f"the note has {len(note):,} characters, more than {_MAX_NOTE:,}")
    for number, line in enumerate(note.split("\n"), start=1):
        if _UNPRINTED.search(line):
            raise VerificationFailed(f"note line {number} holds a control character")
    cut = note.rfind("\n\n")  # the text may hold empty lines of its own, the signatures cannot
    if cut < 0:
        raise VerificationFailed("the note has no empty line between its text and its signatures")
    text, tail = note[: cut + 1], note[cut + 2 :]
    if not tail.endswith("\n"):
        raise VerificationFailed("the note has no signature, or its last line was cut")
    first = text.count("\n") + 2
    lines = tail[:-1].split("\n")
    if len(lines) > _MAX_SIGNATURES:
        raise VerificationFailed(f"the note has {len(lines)} signatures, more than {_MAX_SIGNATURES}")
    return Note(text=text, signatures=tuple(_signature(line, first + n) for n, line in enumerate(lines)))


def _signature(line: str, number: int) -> Signature:
    parts = line.removeprefix(_DASH).split(" ")
    if not line.startswith(_DASH) or len(parts) != 2:
        raise VerificationFailed(f"note line {number} is no signature: '{_DASH}', a key name, a space, base64")
    name, encoded = parts
    check_key_name(name)
    blob = _from_base64(encoded, f"note line {number}, the signature of '{name}'")
    if len(blob) <= _KEY_ID:
        raise VerificationFailed(f"note line {number}: the signature of '{name}' has only {len(blob)} bytes")
    return Signature(name=name, key_id=blob[:_KEY_ID], signature=blob[_KEY_ID:])


TrustedKey = Verifier | bytes  # a key under its name, or 32 raw bytes: this key, whatever name it signs under


def open_note(note: str, keys: Iterable[TrustedKey], *, origin: str | None = None) -> OpenedNote:
    """The checkpoint in a note, once a trusted key is shown to have signed it.

    Signatures of keys that we do not know are ignored: a witness may have added its own. One bad signature that
    claims a known key fails the whole note.

    Args:
        note: the whole text.
        keys: the keys we trust; pinned outside the ledger.
        origin: the log this has to be a checkpoint of; None takes any.

    Raises:
        VerificationFailed: malformed (what and where), no signature by a trusted key, a bad one, or another origin.
    """
    parsed = parse_note(note)
    trusted = tuple(keys)
    message = parsed.text.encode()
    signed_by: list[str] = []
    ignored: list[str] = []
    for signature in parsed.signatures:
        verifier = _claimed_key(signature, trusted)
        if verifier is None:
            ignored.append(signature.name)
        elif len(signature.signature) != _ED25519_SIGNATURE or not verifier.accepts(message, signature.signature):
            raise VerificationFailed(
                f"the signature of '{signature.name}' does not hold: the note was altered, or another key made it"
            )
        elif signature.name not in signed_by:
            signed_by.append(signature.name)
    if not signed_by:
        names = ", ".join(f"'{name}'" for name in dict.fromkeys(ignored))
        raise VerificationFailed(
            f"no trusted key signed this note; it bears signatures by {names}",
            fix="pin the ledger's public key, or ask where this note comes from",
        )
    checkpoint = parse_checkpoint(parsed.text)
    if origin is not None and checkpoint.origin != origin:
        raise VerificationFailed(f"the note is a checkpoint of '{checkpoint.origin}', not of '{origin}'")
    return OpenedNote(checkpoint=checkpoint, signed_by=tuple(signed_by), ignored=tuple(ignored))


def _claimed_key(signature: Signature, keys: Iterable[TrustedKey]) -> Verifier | None:
    """The trusted key that a signature line says it was made with."""
    for key in keys:
        verifier = Verifier(name=signature.name, public=key) if isinstance(key, bytes) else key
        if (verifier.name, verifier.key_id) == (signature.name, signature.key_id):
            return verifier
    return None


def _from_base64(encoded: str, what: str) -> bytes:
    """Standard base64 with its padding and no slack, so that a value has one spelling."""
    try:
        data = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationFailed(f"{what} is not base64") from error
    if b64encode(data).decode() != encoded:
        raise VerificationFailed(f"{what} is not base64 in its one proper spelling")
    return data

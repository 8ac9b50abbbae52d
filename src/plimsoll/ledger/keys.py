"""Encryption of personal bodies: a key per subject, and names that are only commitments.

A body is sealed with AES-256-GCM under a key derived from the subject's key (or the stream's own) *and* the stream's
id, with the position as the nonce. A stream has one writer and 74 random bits in its id, so no key ever meets a nonce
twice, not even in two copies of one file that both go on. Destroying the subject's key leaves nothing that can be
opened, and the proofs stay good: leaves are taken over the ciphertext.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b, sha256
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plimsoll.errors import VerificationFailed

KEY: Final = 32  # bytes
SALT: Final = 32
_ATTEMPT: Final = 4  # bytes before the ciphertext: see `seal`
_PERSON: Final = b"plimsoll seal 1"  # BLAKE2b personalisation: keeps this use of a key apart from any other


class Erased(VerificationFailed):
    """The body cannot be read any more: its subject's key was destroyed on request."""

    code = "erased"

    def __init__(self, entry: str) -> None:
        self.entry = entry
        super().__init__(f"{entry}: erased; its subject's key was destroyed", fix="nothing brings it back, by design")


class SubjectKey(msgspec.Struct, frozen=True, kw_only=True):
    """One data subject, as long as it is not erased."""

    number: int  # row in the table of subjects
    name: str
    salt: bytes  # 32 random bytes
    key: bytes  # 32 random bytes

    @property
    def pseudonym(self) -> str:
        """What stands in entries: the row's number and a commitment to the name that only the salt can open.

        SHA-256(salt ‖ name), the first 128 bits. Once the salt is destroyed, not even a guessed name can be checked.
        """
        return f"{self.number:x}.{sha256(self.salt + self.name.encode()).hexdigest()[:32]}"


def subject_number(pseudonym: str) -> int:
    """The row that a pseudonym points at; -1 when it is none of ours."""
    head = pseudonym.partition(".")[0]
    try:
        return int(head, 16)
    except ValueError:
        return -1


def new_secret() -> bytes:
    """A fresh key, or a fresh salt: 32 random bytes."""
    return secrets.token_bytes(KEY)


def sealer(key: bytes, stream: str) -> AESGCM:
    """What opens and seals the bodies of one subject (or stream) in one stream.

    Args:
        key: 32 bytes.
        stream: id of the stream.
    """
    return AESGCM(blake2b(bytes.fromhex(stream), key=key, digest_size=KEY, person=_PERSON).digest())


def seal(box: AESGCM, seq: int, attempt: int, body: bytes) -> bytes:
    """The body as it is stored: four bytes of attempt, ciphertext, 16 bytes of tag.

    Args:
        box: from `sealer`.
        seq: position of the entry.
        attempt: how often this writer had to take a group back. A position whose group failed is written again, maybe
            with another body, so position alone would use a nonce twice.
        body: what to encrypt.
    """
    head = attempt.to_bytes(_ATTEMPT, "big")
    return head + box.encrypt(seq.to_bytes(8, "big") + head, body, None)


def unseal(box: AESGCM, seq: int, stored: bytes, entry: str) -> bytes:
    """The body as it was given. Raises VerificationFailed when key, position or bytes are not those of the sealing."""
    head = stored[:_ATTEMPT]
    try:
        return box.decrypt(seq.to_bytes(8, "big") + head, stored[_ATTEMPT:], None)
    except (InvalidTag, ValueError) as error:
        raise VerificationFailed(
            f"{entry}: the body does not open under its key: it, or the key, was altered",
            fix="run `plimsoll ledger verify`",
        ) from error

"""DSSE envelopes: bytes, what they are, and who signed both.

Source: Dead Simple Signing Envelope v1, https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

import msgspec

from plimsoll.attest.keys import PrivateKey, PublicKey, short
from plimsoll.attest.wire import failed, read_base64, read_json
from plimsoll.errors import UsageError, VerificationFailed
from plimsoll.model.attestation import Envelope, Signature

_MAX_SIGNATURES: Final = 16  # each costs a verification with each key; without a bound a file could cost hours
_MAX_TYPE: Final = 256


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """An envelope whose signature holds."""

    payload_type: str
    payload: bytes
    keys: tuple[PublicKey, ...]  # the known keys that signed it, at least one


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed.

    Lengths are those of the bytes. They bind the type to the payload, so that neither can be read as part of the other.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload_type: str, payload: bytes, *keys: PrivateKey) -> bytes:
    """An envelope over a payload, signed with each key, as compact JSON.

    Raises:
        UsageError: no key was given.
    """
    if not keys:
        raise UsageError("an envelope needs at least one key to sign with")
    message = pae(payload_type, payload)
    return msgspec.json.encode(
        Envelope(
            payload_type=payload_type,
            payload=_text(payload),
            signatures=tuple(Signature(keyid=key.public.key_id, sig=_text(key.sign(message))) for key in keys),
        )
    )


def read_envelope(raw: bytes, what: str = "the envelope") -> tuple[Envelope, bytes, tuple[bytes, ...]]:
    """Decode an envelope without believing it: itself, its payload, its signatures.

    Args:
        raw: at most 8 MiB of JSON.
        what: for messages.

    Raises:
        VerificationFailed: not JSON, unknown or repeated fields, broken base64, no signature, or more than 16.
    """
    envelope = read_json(raw, Envelope, what)
    if not envelope.signatures:
        raise failed("unsigned", f"{what} carries no signature")
    if len(envelope.signatures) > _MAX_SIGNATURES:
        raise failed("malformed", f"{what} carries {len(envelope.signatures)} signatures; at most {_MAX_SIGNATURES}")
    if not 0 < len(envelope.payload_type) <= _MAX_TYPE:
        raise failed("malformed", f"{what} names no payload type, or one of more than {_MAX_TYPE} characters")
    # One alphabet for the whole envelope: no single character can then be exchanged for its twin in the other one.
    joined = envelope.payload + "".join(s.sig for s in envelope.signatures)
    if ("+" in joined or "/" in joined) and ("-" in joined or "_" in joined):
        raise failed("malformed", f"{what} mixes the two alphabets of base64")
    payload = read_base64(envelope.payload, f"the payload of {what}")
    return envelope, payload, tuple(read_base64(s.sig, f"a signature of {what}") for s in envelope.signatures)


def open_envelope(raw: bytes, keys: Sequence[PublicKey], payload_type: str, what: str = "the envelope") -> Opened:
    """Verify an envelope, then give what it holds.

    A signature counts when it is that of one of ``keys``. Its ``keyid`` may only narrow which key is tried. One good
    signature is enough; others, of keys that are not known here, are passed over, as the protocol asks.

    Args:
        raw: the envelope.
        keys: whoever may have signed it.
        payload_type: the one type that is expected; it is part of what is signed.
        what: for messages: "the threshold's signature".

    Raises:
        VerificationFailed: malformed, of another type, signed by none of the keys, or altered since.
    """
    envelope, payload, signatures = read_envelope(raw, what)
    message = pae(envelope.payload_type, payload)
    signers: list[PublicKey] = []
    altered: list[PublicKey] = []
    for entry, signature in zip(envelope.signatures, signatures, strict=True):
        for key in keys:
            if entry.keyid and entry.keyid != key.key_id:
                continue
            if _signed(key, signature, message):
                signers.append(key)
            elif entry.keyid:
                altered.append(key)
    if not signers:
        raise _unsigned(what, envelope, altered)
    if envelope.payload_type != payload_type:
        raise failed(
            "payload-type",
            f"{what} holds '{envelope.payload_type[:80]}', where '{payload_type}' is expected",
            fix="name the file that is meant",
        )
    return Opened(payload_type=envelope.payload_type, payload=payload, keys=tuple(dict.fromkeys(signers)))


def _signed(key: PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except VerificationFailed:
        return False
    return True


def _unsigned(what: str, envelope: Envelope, altered: Sequence[PublicKey]) -> VerificationFailed:
    if altered:
        return failed(
            "signature",
            f"the signature of {what} does not hold: it names key {short(altered[0].key_id)}, which did not sign these "
            "bytes; one of them was altered since",
            fix="take the file again from where it was written",
        )
    named = ", ".join(short(s.keyid[:80]) for s in envelope.signatures if s.keyid) or "no key by name"
    return failed(
        "signer",
        f"{what} is signed by nobody who is pinned for it (it names {named})",
        fix="if that key may sign, pin it in trust.yaml; if not, do not use the file",
    )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()

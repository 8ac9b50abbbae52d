"""The setter's signature under a threshold: who drew the line, and exactly which line.

What is signed holds the conditions in words, so that the setter signs what can be read, and the digest that every
board and attestation names. It is bound to one system: the same line under another system is another decision.
"""

from __future__ import annotations

from typing import Final

import msgspec

from plimsoll.attest.dsse import open_envelope, read_envelope, sign_envelope
from plimsoll.attest.keys import PrivateKey, short
from plimsoll.attest.moments import MAX_SKEW_NS, to_text
from plimsoll.attest.trust import Role, Trust, TrustedKey
from plimsoll.attest.wire import failed, read_json, read_moment
from plimsoll.model.attestation import ThresholdSigned
from plimsoll.model.canonical import canonical
from plimsoll.model.quantity import Quantity
from plimsoll.model.threshold import Condition, Threshold

THRESHOLD: Final = "application/vnd.plimsoll.threshold+json"  # payload type
THRESHOLD_MEDIA: Final = "application/vnd.plimsoll.threshold+dsse"

_WHAT: Final = "the threshold's signature"


class SignedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold whose setter's signature holds."""

    signed: ThresholdSigned
    threshold: Threshold
    key: TrustedKey
    signed_ns: int

    @property
    def simulated(self) -> bool:
        """Whether it is a demonstration: it says so, or its key is pinned so."""
        return self.signed.simulated or self.key.simulated


def sign_threshold(
    threshold: Threshold, *, system: str, key: PrivateKey, now_ns: int, simulated: bool = False
) -> bytes:
    """The envelope in which the setter signs a threshold.

    Args:
        threshold: as the manifest declares it.
        system: the system it is for.
        key: the setter's.
        now_ns: UTC nanoseconds since the epoch.
        simulated: True when the setter is played by a script or the key was made on the spot.
    """
    signed = ThresholdSigned(
        system=system,
        threshold=threshold.digest,
        set_by=threshold.set_by,
        conditions=tuple(str(c) for c in threshold.conditions),
        cooling_off=str(threshold.cooling_off),
        confidence=str(threshold.confidence),
        max_age=str(threshold.max_age),
        load_window=str(threshold.load_window),
        signed_at=to_text(now_ns),
        simulated=simulated,
    )
    return sign_envelope(THRESHOLD, canonical(signed), key)


def check_threshold(raw: bytes, trust: Trust, *, system: str, threshold: str, now_ns: int) -> SignedLine:
    """Verify the setter's signature.

    Args:
        raw: the envelope.
        trust: who may sign what.
        system: the system whose threshold it must be.
        threshold: the digest it must be for.
        now_ns: UTC nanoseconds since the epoch.

    Raises:
        VerificationFailed: malformed; not signed by a key pinned as ``setter`` of the person whom the threshold itself
            names; for another system or threshold; its words do not have its digest; or signed in the future.
    """
    signed, mine = check_setter(raw, trust, at_ns=now_ns)
    if signed.system != system:
        raise failed("threshold-system", f"the signed threshold is that of '{signed.system}', not of '{system}'")
    if not signed.load_window:
        raise failed(
            "threshold",
            f"the threshold that was signed at {signed.signed_at} says nothing of how long a load window lasts: it was "
            "signed in an earlier version, and is another threshold than the one declared now",
            fix=f"{signed.set_by} signs it anew: `plimsoll threshold sign`",
        )
    if signed.threshold != threshold:
        raise failed(
            "threshold",
            f"the signed threshold is {short(signed.threshold)}, not {short(threshold)}: the conditions were changed "
            "after the signature",
            fix=f"{signed.set_by} signs the changed ones: `plimsoll threshold sign`",
        )
    line = _threshold(signed)
    if line.digest != signed.threshold:
        raise failed("threshold", "the words of the signed threshold do not have the digest that it names")
    signed_ns = read_moment(signed.signed_at, _WHAT)
    if signed_ns > now_ns + MAX_SKEW_NS:
        raise failed("not-yet", f"the threshold was signed at {signed.signed_at}, which is still to come")
    return SignedLine(signed=signed, threshold=line, key=mine, signed_ns=signed_ns)


def check_setter(raw: bytes, trust: Trust, *, at_ns: int) -> tuple[ThresholdSigned, TrustedKey]:
    """What a setter signed, whatever system and threshold it is for, and the key that did.

    Args:
        raw: the envelope.
        trust: who may sign what.
        at_ns: the moment at which the key must have counted; UTC nanoseconds since the epoch.

    Raises:
        VerificationFailed: malformed; or not signed by a key pinned as ``setter`` of the person whom it names.
    """
    setters = trust.keys_for(Role.SETTER, at_ns=at_ns)
    if not setters:
        raise failed(
            "threshold-signer",
            f"{trust.file} pins no key that may set a threshold at this time",
            fix="pin the setter's public key with 'roles: [setter]'",
        )
    opened = open_envelope(raw, tuple(s.key for s in setters), THRESHOLD, _WHAT)
    signed = read_json(opened.payload, ThresholdSigned, _WHAT)
    mine = next((s for s in setters if s.key in opened.keys and s.who == signed.set_by), None)
    if mine is None:
        others = ", ".join(s.who for s in setters if s.key in opened.keys)
        raise failed(
            "threshold-signer",
            f"the threshold says it is set by {signed.set_by}, and is signed by {others}",
            fix=f"it counts with the signature of {signed.set_by} alone: `plimsoll threshold sign`",
        )
    return signed, mine


def read_signed(raw: bytes) -> ThresholdSigned:
    """What an envelope says, whoever signed it; nothing may be eased by it.

    Raises:
        VerificationFailed: it is none.
    """
    envelope, payload, _ = read_envelope(raw, _WHAT)
    if envelope.payload_type != THRESHOLD:
        raise failed("payload-type", f"{_WHAT} holds '{envelope.payload_type[:80]}', where '{THRESHOLD}' is expected")
    return read_json(payload, ThresholdSigned, _WHAT)


def _threshold(signed: ThresholdSigned) -> Threshold:
    try:
        return Threshold(
            set_by=signed.set_by,
            conditions=tuple(Condition.parse(text) for text in signed.conditions),
            cooling_off=Quantity.parse(signed.cooling_off),
            confidence=Quantity.parse(signed.confidence),
            max_age=Quantity.parse(signed.max_age),
            load_window=Quantity.parse(signed.load_window),
        )
    except ValueError as error:
        raise failed(
            "threshold",
            f"the signed threshold cannot be read: {error}",
            fix="it may come from a later version; install that one",
        ) from error

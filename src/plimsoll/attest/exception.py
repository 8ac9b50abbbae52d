"""The setter's exception: one release may go live though named conditions are not met, for a reason, until a day.

It is the only way round a verdict. So it is narrow: it names one release of one system, each condition that it leaves
aside, and the line that these stand in. A condition that it does not name must be met all the same. It ends by itself,
after at most `LONGEST_DAYS`, and it counts with the signature of the person who set the line alone: who may loosen a
condition may leave it aside for a while, and nobody else may.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from plimsoll.attest.dsse import open_envelope, read_envelope, sign_envelope
from plimsoll.attest.keys import PrivateKey, short
from plimsoll.attest.moments import DAY_NS, MAX_SKEW_NS, to_text
from plimsoll.attest.trust import Role, Trust, TrustedKey
from plimsoll.attest.wire import failed, read_json, read_moment
from plimsoll.errors import UsageError
from plimsoll.model.attestation import ExceptionSigned
from plimsoll.model.canonical import canonical

EXCEPTION: Final = "application/vnd.plimsoll.exception+json"  # payload type
LONGEST_DAYS: Final = (
    30  # as long as evidence counts by default; for longer, move the line, which everybody sees cool off
)

_WHAT: Final = "the exception"


class SignedException(msgspec.Struct, frozen=True, kw_only=True):
    """An exception whose signature holds."""

    signed: ExceptionSigned
    key: TrustedKey
    until_ns: int

    @property
    def simulated(self) -> bool:
        """Whether it is a demonstration: it says so, or its key is pinned so."""
        return self.signed.simulated or self.key.simulated


def sign_exception(
    *,
    system: str,
    release: str,
    threshold: str,
    set_by: str,
    conditions: Sequence[str],
    reason: str,
    until_ns: int,
    key: PrivateKey,
    now_ns: int,
    simulated: bool = False,
) -> bytes:
    """The envelope in which the setter leaves conditions aside for one release.

    Args:
        system: name of the system.
        release: digest of the release that may go live.
        threshold: digest of the line that the conditions are of.
        set_by: contact of the setter.
        conditions: those that need not be met, as the line writes them.
        reason: why, for everyone who looks at a board while it lasts.
        until_ns: when it ends; UTC nanoseconds since the epoch.
        key: the setter's.
        now_ns: UTC nanoseconds since the epoch.
        simulated: True when the setter is played by a script or the key was made on the spot.

    Raises:
        UsageError: no condition, no reason, or an end that has passed or is too far ahead.
    """
    if not conditions:
        raise UsageError("an exception names the conditions that it leaves aside", fix="without any, none is needed")
    if not reason.strip():
        raise UsageError("an exception has a reason", fix="say why: --reason '…'")
    if not now_ns < until_ns <= now_ns + LONGEST_DAYS * DAY_NS:
        raise UsageError(
            f"an exception until {to_text(until_ns)} is over already, or lasts for more than {LONGEST_DAYS} days",
            fix=f"give a day within the next {LONGEST_DAYS}; what is to last longer is another threshold",
        )
    signed = ExceptionSigned(
        system=system,
        release=release,
        threshold=threshold,
        set_by=set_by,
        conditions=tuple(conditions),
        reason=reason.strip(),
        signed_at=to_text(now_ns),
        until=to_text(until_ns),
        simulated=simulated,
    )
    return sign_envelope(EXCEPTION, canonical(signed), key)


def check_exception(
    raw: bytes, trust: Trust, *, system: str, release: str, threshold: str, set_by: str, now_ns: int
) -> SignedException:
    """Verify that this release may go live on an exception now.

    Args:
        raw: the envelope.
        trust: whose keys count.
        system: the system that it must be for.
        release: the digest that it must be for.
        threshold: digest of the line that holds now.
        set_by: contact of the person who set that line.
        now_ns: UTC nanoseconds since the epoch.

    Raises:
        VerificationFailed: malformed; not signed by a key pinned as ``setter`` of that very person; for another system,
            release or line; over, signed in the future, or for longer than is allowed.
    """
    setters = tuple(k for k in trust.keys_for(Role.SETTER, at_ns=now_ns) if k.who == set_by)
    if not setters:
        raise failed(
            "exception-signer",
            f"{trust.file} pins no key with which {set_by} may sign an exception at this time",
            fix="pin the setter's public key with 'roles: [setter]'",
        )
    opened = open_envelope(raw, tuple(k.key for k in setters), EXCEPTION, _WHAT)
    signed = read_json(opened.payload, ExceptionSigned, _WHAT)
    if signed.set_by != set_by:
        raise failed("exception-signer", f"{_WHAT} says it is by {signed.set_by}; the line is set by {set_by}")
    if signed.system != system:
        raise failed("exception", f"{_WHAT} is for the system '{signed.system}', not for '{system}'")
    if signed.release != release:
        raise failed(
            "exception-release",
            f"{_WHAT} is for release {short(signed.release)}, not for {short(release)}",
            fix="an exception is for one release: for another, its setter signs another",
        )
    if signed.threshold != threshold:
        raise failed(
            "exception",
            f"{_WHAT} is for the line {short(signed.threshold)}; the line is {short(threshold)} now",
            fix="its setter signs one for the line as it is now",
        )
    signed_ns, until_ns = read_moment(signed.signed_at, _WHAT), read_moment(signed.until, _WHAT)
    if signed_ns > now_ns + MAX_SKEW_NS:
        raise failed("not-yet", f"{_WHAT} was signed at {signed.signed_at}, which is still to come")
    if until_ns > signed_ns + LONGEST_DAYS * DAY_NS + MAX_SKEW_NS:
        raise failed("exception", f"{_WHAT} lasts from {signed.signed_at} until {signed.until}: that is too long")
    if until_ns <= now_ns:
        raise failed(
            "expired",
            f"{_WHAT} ended at {signed.until}",
            fix=f"meet the conditions: {'; '.join(signed.conditions)}; or {set_by} signs another",
        )
    key = next(k for k in setters if k.key in opened.keys)
    return SignedException(signed=signed, key=key, until_ns=until_ns)


def read_exception(raw: bytes) -> ExceptionSigned:
    """What an envelope says, whoever signed it; nothing may be let through by it.

    Raises:
        VerificationFailed: it is none.
    """
    envelope, payload, _ = read_envelope(raw, _WHAT)
    if envelope.payload_type != EXCEPTION:
        raise failed("payload-type", f"{_WHAT} holds '{envelope.payload_type[:80]}', where '{EXCEPTION}' is expected")
    return read_json(payload, ExceptionSigned, _WHAT)

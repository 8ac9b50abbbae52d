"""A person's agreement to a change of their work, or their refusal, signed with their own key.

It binds to the system and to the work as it was described: role, contact and the words for what changes. Other words
are another question, and the person is asked again. It does not bind to a release: it is given before there is one.
"""

from __future__ import annotations

from typing import Final

import msgspec

from plimsoll.attest.dsse import open_envelope, sign_envelope
from plimsoll.attest.keys import PrivateKey
from plimsoll.attest.moments import MAX_SKEW_NS, to_text
from plimsoll.attest.trust import Role, Trust, TrustedKey
from plimsoll.attest.wire import failed, read_json, read_moment
from plimsoll.model.canonical import canonical
from plimsoll.model.health import AgreementSigned
from plimsoll.model.health_page import ChangedWork

AGREEMENT: Final = "application/vnd.plimsoll.agreement+json"  # payload type
_PERSONS: Final = frozenset({Role.SETTER, Role.OWNER, Role.OPERATOR})  # any pinned key of a person is theirs


class HeldAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement, or a refusal, whose signature holds."""

    signed: AgreementSigned
    key: TrustedKey
    signed_ns: int

    @property
    def simulated(self) -> bool:
        """Whether it is a demonstration: it says so, or its key is pinned so."""
        return self.signed.simulated or self.key.simulated


def sign_agreement(
    work: ChangedWork, *, system: str, key: PrivateKey, now_ns: int, refused: str | None = None, simulated: bool = False
) -> bytes:
    """The envelope in which a person agrees to a change of work, or refuses it.

    Args:
        work: what changes, for whom, and who signs for them.
        system: its name in the manifest.
        key: the person's own.
        now_ns: UTC nanoseconds since the epoch.
        refused: why they refuse; None: they agree.
        simulated: True when the person is played by a script or the key was made on the spot.
    """
    signed = AgreementSigned(
        system=system,
        role=work.role,
        contact=work.agrees,
        change=work.change,
        work=work.digest,
        agrees=refused is None,
        why=refused or "",
        signed_at=to_text(now_ns),
        simulated=simulated,
    )
    return sign_envelope(AGREEMENT, canonical(signed), key)


def check_agreement(raw: bytes, trust: Trust, work: ChangedWork, *, system: str, now_ns: int) -> HeldAgreement:
    """Verify that this person signed about this change of work.

    Args:
        raw: the envelope.
        trust: whose keys count.
        work: what changes, for whom, and who signs for them.
        system: its name in the manifest.
        now_ns: UTC nanoseconds since the epoch.

    Raises:
        VerificationFailed: malformed; not signed by a key pinned for this person; about another system or other words;
            or signed in the future.
    """
    what = f"the signature of {work.agrees}"
    pinned = [k for k in trust.keys if k.who == work.agrees and _PERSONS & set(k.roles) and k.counts_at(now_ns)]
    if not pinned:
        raise failed(
            "agreement-signer",
            f"{trust.file} pins no key of {work.agrees} at this time",
            fix="pin that person's public key with 'roles: [owner]', and give the file with --trust",
        )
    opened = open_envelope(raw, tuple(k.key for k in pinned), AGREEMENT, what)
    signed = read_json(opened.payload, AgreementSigned, what)
    if signed.system != system:
        raise failed("agreement", f"{what} is for the system '{signed.system}', not for '{system}'")
    if signed.work != work.digest or signed.contact != work.agrees:
        fix = "ask again: `plimsoll health-check --agree`"
        raise failed("agreement-work", f"{what} is for other words than the page has now", fix=fix)
    signed_ns = read_moment(signed.signed_at, what)
    if signed_ns > now_ns + MAX_SKEW_NS:
        raise failed("not-yet", f"{what} was given at {signed.signed_at}, which is still to come")
    key = next(k for k in pinned if k.key in opened.keys)
    return HeldAgreement(signed=signed, key=key, signed_ns=signed_ns)

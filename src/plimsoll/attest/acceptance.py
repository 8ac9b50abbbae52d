"""A person's acceptance of a release, signed with their own key.

What it binds to, and why: **system, release, contact and the roles** in which that person accepts.

- *release*: what is accepted is this version, with what was measured of it. A new release is a new question.
- *contact* and *roles*: who accepts "operations" has not accepted "leader". If a person's roles change, that person is
  asked again.
- Not the *people digest*. It covers everybody's names and addresses; if acceptance hung on it, mending one e-mail
  address would void what all the others signed. It is written into the acceptance for the record (who else was named
  at that moment) and nothing is decided by it. The person whose own address changes is another contact, and accepts.

An operator's acceptance names, in ``refs``, the quarantined record that was found and replayed first; whether the
ledger holds such a replay by that person is for the reader of the ledger to check, not for a signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from plimsoll.attest.dsse import open_envelope, sign_envelope
from plimsoll.attest.keys import PrivateKey, short
from plimsoll.attest.moments import MAX_SKEW_NS, to_text
from plimsoll.attest.trust import Role, Trust, TrustedKey
from plimsoll.attest.wire import failed, read_json, read_moment
from plimsoll.errors import UsageError
from plimsoll.model.attestation import Accepted
from plimsoll.model.canonical import canonical

ACCEPTANCE: Final = "application/vnd.plimsoll.acceptance+json"  # payload type

OPERATOR: Final = "operator"  # the manifest's role that needs a key pinned as operator; all others need owner


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """An acceptance whose signature holds."""

    accepted: Accepted
    key: TrustedKey
    accepted_ns: int

    @property
    def simulated(self) -> bool:
        """Whether it is a demonstration: it says so, or its key is pinned so."""
        return self.accepted.simulated or self.key.simulated


def sign_acceptance(
    *,
    system: str,
    release: str,
    contact: str,
    roles: Sequence[str],
    people: str,
    key: PrivateKey,
    now_ns: int,
    refs: Sequence[str] = (),
    simulated: bool = False,
) -> bytes:
    """The envelope in which a person accepts a release.

    Args:
        system: name of the system.
        release: digest of the release.
        contact: the person, as the manifest names them.
        roles: as the manifest names them: business, technical, operations, leader, operator.
        people: digest of who is named where, for the record.
        key: the person's own.
        now_ns: UTC nanoseconds since the epoch.
        refs: ledger entries it rests on.
        simulated: True when the person is played by a script or the key was made on the spot.

    Raises:
        UsageError: no role is named.
    """
    if not roles:
        raise UsageError(f"{contact} has no role to accept", fix="name them under owners in the manifest")
    accepted = Accepted(
        system=system,
        release=release,
        contact=contact,
        roles=tuple(sorted(set(roles))),
        accepted_at=to_text(now_ns),
        simulated=simulated,
        people=people,
        refs=tuple(refs),
    )
    return sign_envelope(ACCEPTANCE, canonical(accepted), key)


def check_acceptance(
    raw: bytes, trust: Trust, *, system: str, release: str, contact: str, roles: Sequence[str], now_ns: int
) -> Acceptance:
    """Verify that this person accepted this release in (at least) these roles.

    Args:
        raw: the envelope.
        trust: who may sign what.
        system: name of the system.
        release: digest of the release.
        contact: the person.
        roles: every role that must be accepted.
        now_ns: UTC nanoseconds since the epoch.

    Raises:
        VerificationFailed: malformed; not signed by a key pinned for this contact and these roles; for another system,
            release, person or fewer roles; or signed in the future.
    """
    what = f"the acceptance of {contact}"
    needed = {Role.OPERATOR if role == OPERATOR else Role.OWNER for role in roles}
    pinned = [k for k in trust.keys if k.who == contact and needed <= set(k.roles) and k.counts_at(now_ns)]
    if not pinned:
        names = " and ".join(sorted(needed))
        raise failed(
            "acceptance-signer",
            f"{trust.file} pins no key of {contact} as {names} at this time",
            fix=f"pin that person's public key with 'roles: [{', '.join(sorted(needed))}]'",
        )
    opened = open_envelope(raw, tuple(k.key for k in pinned), ACCEPTANCE, what)
    accepted = read_json(opened.payload, Accepted, what)
    if accepted.contact != contact:
        raise failed("acceptance", f"{what} speaks for {accepted.contact}")
    if accepted.system != system:
        raise failed("acceptance", f"{what} is for the system '{accepted.system}', not for '{system}'")
    if accepted.release != release:
        raise failed(
            "acceptance-release",
            f"{what} is for release {short(accepted.release)}, not for {short(release)}",
            fix="a new release is accepted anew: `plimsoll accept`",
        )
    missing = sorted(set(roles) - set(accepted.roles))
    if missing:
        raise failed(
            "acceptance-roles",
            f"{what} does not cover the role {', '.join(missing)}",
            fix="accept again, in all roles: `plimsoll accept`",
        )
    accepted_ns = read_moment(accepted.accepted_at, what)
    if accepted_ns > now_ns + MAX_SKEW_NS:
        raise failed("not-yet", f"{what} was signed at {accepted.accepted_at}, which is still to come")
    key = next(k for k in pinned if k.key in opened.keys)
    return Acceptance(accepted=accepted, key=key, accepted_ns=accepted_ns)

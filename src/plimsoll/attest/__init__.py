"""Statements in and out: keys, envelopes, statements, trust, verification.

A deploy step needs ``attest``, ``model`` and ``errors`` alone.
"""

from plimsoll.attest.acceptance import ACCEPTANCE, Acceptance, check_acceptance, sign_acceptance
from plimsoll.attest.agreement import AGREEMENT, HeldAgreement, check_agreement, sign_agreement
from plimsoll.attest.dsse import Opened, open_envelope, pae, read_envelope, sign_envelope
from plimsoll.attest.exception import (
    EXCEPTION,
    LONGEST_DAYS,
    SignedException,
    check_exception,
    read_exception,
    sign_exception,
)
from plimsoll.attest.keys import (
    PrivateKey,
    PublicKey,
    generate,
    load_private,
    load_public,
    read_private,
    save_private,
    save_public,
    short,
)
from plimsoll.attest.line import (
    THRESHOLD,
    SignedLine,
    check_setter,
    check_threshold,
    read_signed,
    sign_threshold,
)
from plimsoll.attest.statements import make_attestation, valid_until
from plimsoll.attest.trust import Role, Trust, TrustedKey, read_trust, trust_entry
from plimsoll.attest.verify import Verified, verify_attestation

__all__ = [
    "ACCEPTANCE",
    "AGREEMENT",
    "EXCEPTION",
    "LONGEST_DAYS",
    "THRESHOLD",
    "Acceptance",
    "HeldAgreement",
    "Opened",
    "PrivateKey",
    "PublicKey",
    "Role",
    "SignedException",
    "SignedLine",
    "Trust",
    "TrustedKey",
    "Verified",
    "check_acceptance",
    "check_agreement",
    "check_exception",
    "check_setter",
    "check_threshold",
    "generate",
    "load_private",
    "load_public",
    "make_attestation",
    "open_envelope",
    "pae",
    "read_envelope",
    "read_exception",
    "read_private",
    "read_signed",
    "read_trust",
    "save_private",
    "save_public",
    "short",
    "sign_acceptance",
    "sign_agreement",
    "sign_envelope",
    "sign_exception",
    "sign_threshold",
    "trust_entry",
    "valid_until",
    "verify_attestation",
]

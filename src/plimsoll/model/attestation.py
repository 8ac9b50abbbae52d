"""What an attestation says, as frozen records that mirror the JSON of the standards.

Envelope
    DSSE v1, "JSON envelope": https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md
Statement, Descriptor
    in-toto Attestation Framework v1: https://github.com/in-toto/attestation/tree/main/spec/v1
Vsa
    SLSA Verification Summary v1: https://slsa.dev/spec/v1.0/verification_summary
Verdict of tests
    in-toto Test Result v0.1: https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md

The VSA lets a producer add fields whose names are URIs; in-toto asks for names without ``.`` and ``$``. Ours is one
field, `EXTENSION`, a URN, which is both. Figures are decimal strings: a JSON number has no agreed precision.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

EXTENSION: Final = "urn:plimsoll:attestation:v1"

IN_TOTO: Final = "application/vnd.in-toto+json"  # payload type of every in-toto statement
STATEMENT: Final = "https://in-toto.io/Statement/v1"
VSA: Final = "https://slsa.dev/verification_summary/v1"
TEST_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"

TEST_RESULT_MEDIA: Final = "application/vnd.in-toto.test-result+dsse"  # of an input attestation

LEVEL: Final = "PLIMSOLL_LOAD_LINE"
LEVEL_DEMONSTRATION: Final = "PLIMSOLL_LOAD_LINE_DEMONSTRATION"
LEVEL_FAILED: Final = "FAILED"  # the VSA's own word


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One signature of an envelope."""

    sig: str  # base64
    keyid: str = ""  # a hint that nothing may be decided by


class Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A signed payload."""

    payload_type: str
    payload: str  # base64
    signatures: tuple[Signature, ...]


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """in-toto's ResourceDescriptor: something that is pointed at, or carried along in ``content``."""

    name: str = ""
    uri: str = ""
    digest: dict[str, str] = {}  # algorithm -> hex
    content: str = ""  # base64 of the bytes that ``digest`` is taken over
    media_type: str = ""


class Statement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An in-toto statement; its predicate is decoded once its type is known."""

    type: str = msgspec.field(name="_type")
    subject: tuple[Descriptor, ...]
    predicate_type: str
    predicate: msgspec.Raw


class Passed(enum.StrEnum):
    """The result of a VSA, and of a Test Result (which also knows WARNED; we give none)."""

    PASSED = "PASSED"
    WARNED = "WARNED"
    FAILED = "FAILED"


class Verifier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who came to the verdict."""

    id: str  # "urn:plimsoll:gate:" and the id of the key that signs; so signer and verifier are one pair
    version: dict[str, str] = {}


class Judged(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One condition with everything its verdict rests on.

    ``limit``, ``estimate`` and ``bound`` are decimal strings in the base unit named by ``unit``: ``1`` (a share),
    ``s``, ``1/s``, ``x`` (a multiple) or ``count``.
    """

    condition: str
    metric: str
    dimension: str
    standing: str
    unit: str
    limit: str
    estimate: str | None = None  # None: nothing was measured
    bound: str | None = None  # None: a census, or nothing measured
    counts: str = ""  # "242 of 250"
    window: str | None = None  # seconds that the shortest load window under it lasted; None: it rests on none
    why: str = ""
    needed: str = ""
    provenance: str = ""
    evidence: tuple[str, ...] = ()  # ledger entries
    measured_at: str = ""  # of the oldest piece of evidence; RFC 3339, UTC
    declared: tuple[str, ...] = ()  # services that it rests on, whose identity is only declared


class LoadLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Our extension of the VSA: the board, as it was when it was signed."""

    system: str
    outcome: str
    draft: bool  # True: nobody whose key is pinned had signed the threshold
    simulated: bool  # True: something it rests on is a demonstration
    valid_until: str  # when the first piece of evidence goes stale; RFC 3339, UTC
    set_by: str
    people: str  # digest over who is named where; mending it voids nothing
    conditions: tuple[Judged, ...]
    price: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()  # conditions of an earlier line, judged until what was loosened has cooled off
    unfinished: tuple[str, ...] = ()


class Vsa(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """SLSA's Verification Summary, with our extension."""

    verifier: Verifier
    time_verified: str
    resource_uri: str
    policy: Descriptor  # the threshold
    input_attestations: tuple[Descriptor, ...]
    verification_result: Passed
    verified_levels: tuple[str, ...]
    load_line: LoadLine = msgspec.field(name=EXTENSION)


class Tested(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The part of our extension that one assessment answers for."""

    assessment: str
    simulated: bool
    conditions: tuple[Judged, ...]


class TestResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """in-toto's Test Result: one assessment, its conditions as tests."""

    # pytest takes a class of this name for a collection of tests.
    __test__ = False

    result: Passed
    configuration: tuple[Descriptor, ...]  # the threshold, and the protocols of the assessment
    passed_tests: tuple[str, ...]
    warned_tests: tuple[str, ...] = ()
    failed_tests: tuple[str, ...] = ()
    tested: Tested = msgspec.field(name=EXTENSION)


class ThresholdSigned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What the setter signs: the threshold in words, and its digest."""

    system: str
    threshold: str  # digest of the fields below, as ``Threshold.digest``
    set_by: str  # contact
    conditions: tuple[str, ...]
    cooling_off: str
    confidence: str
    max_age: str
    signed_at: str  # RFC 3339, UTC
    simulated: bool
    load_window: str = ""  # "": signed before the length of a load window was part of the line


class ExceptionSigned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What the setter signs to let one release go live below the line, for a while; see ``attest.exception``."""

    system: str
    release: str  # digest
    threshold: str  # digest of the line that the conditions are of
    set_by: str  # contact
    conditions: tuple[str, ...]  # those that need not be met, as the line writes them
    reason: str
    signed_at: str  # RFC 3339, UTC
    until: str  # RFC 3339, UTC
    simulated: bool


class Accepted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What an owner or operator signs; see ``attest.acceptance`` for what it binds to."""

    system: str
    release: str
    contact: str
    roles: tuple[str, ...]  # as the manifest names them: business, technical, operations, leader, operator; sorted
    accepted_at: str  # RFC 3339, UTC
    simulated: bool
    people: str = ""  # digest of who was named where at that moment; for the record, nothing is decided by it
    refs: tuple[str, ...] = ()  # ledger entries: for an operator, the quarantined record that was replayed

"""Verify an attestation offline: may this release go live?

Every check below must hold; none is skipped because something is absent. The order goes from the outside in: nothing
inside a payload is believed before the signature over it is.

    ============================  ==============================================================================
    ``code``                      refused because
    ============================  ==============================================================================
    verification.malformed        the file is not an attestation, or not strictly well-formed
    verification.unsigned         the envelope carries no signature
    verification.signer           no signature by a key pinned as gate at this time
    verification.signature        a pinned key is named, and did not sign these bytes: altered
    verification.payload-type     the envelope holds something else than an in-toto statement
    verification.predicate-type   the statement is no verification summary
    verification.subject          it is about another release
    verification.verifier         it speaks for another verifier than the one who signed
    verification.draft            the threshold was unsigned when the verdict was given
    verification.result           the verdict is not PASSED
    verification.level            PASSED without the load line's level, or with one that contradicts it
    verification.threshold…       the setter's signature is missing, by another person, or over another threshold
    verification.not-yet          given in the future
    verification.expired          the evidence under it has gone stale
    verification.input            an embedded input is missing, unknown, or not what its digest says
    verification.conditions       the conditions are not those that were signed, or one is not shown to be met
    verification.simulated        a demonstration, without leave to accept one
    ============================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from plimsoll.attest.dsse import Opened, open_envelope
from plimsoll.attest.figures import check_conditions, check_freshness
from plimsoll.attest.keys import PublicKey, short
from plimsoll.attest.line import THRESHOLD_MEDIA, SignedLine, check_threshold
from plimsoll.attest.moments import MAX_SKEW_NS, NS, to_text
from plimsoll.attest.statements import digest_set, verifier_id
from plimsoll.attest.trust import Role, Trust, TrustedKey
from plimsoll.attest.wire import failed, read_base64, read_json, read_moment
from plimsoll.errors import VerificationFailed
from plimsoll.model.attestation import (
    IN_TOTO,
    LEVEL,
    LEVEL_DEMONSTRATION,
    STATEMENT,
    TEST_RESULT,
    TEST_RESULT_MEDIA,
    VSA,
    Descriptor,
    Judged,
    LoadLine,
    Passed,
    Statement,
    TestResult,
    Vsa,
)
from plimsoll.model.board import Outcome, Standing
from plimsoll.model.canonical import digest_bytes
from plimsoll.model.evidence import Provenance

_WHAT: Final = "the attestation"
_LOWEST_NS: Final = 1_577_836_800 * NS  # 2020-01-01: an earlier clock is one that was never set

_DEMONSTRATION: Final = "DEMONSTRATION: something it rests on is simulated. It lets nothing go live."


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """An attestation that holds, with everything that a deploy step may want to print or record."""

    system: str
    release: str  # digest
    threshold: str  # digest
    set_by: str
    set_ns: int  # when the setter signed
    setter_key: str  # key id
    gate: str  # name of the gate's key in trust.yaml
    gate_key: str  # key id
    verified_ns: int  # when the verdict was given
    valid_until_ns: int
    simulated: bool  # True only with allow_simulated
    level: str
    people: str  # digest
    conditions: tuple[Judged, ...]
    inputs: tuple[Descriptor, ...]  # without their content
    price: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()  # assessments that were begun and never ended: a reader may want to know why
    version: str = ""

    def lines(self) -> tuple[str, ...]:
        """What a person reads of it, one line each; the answer comes first."""
        answer = f"The attestation holds: {self.system} is above its load line, {len(self.conditions)} conditions met."
        facts = {
            "release": self.release,
            "threshold": f"{self.threshold}, signed by {self.set_by}, {to_text(self.set_ns)}",
            "verdict": f"{to_text(self.verified_ns)} by {self.gate} (key {short(self.gate_key)})",
            "valid until": to_text(self.valid_until_ns),
        }
        return (
            *((_DEMONSTRATION,) if self.simulated else ()),
            answer,
            *(f"  {name:<12} {value}" for name, value in facts.items()),
            *(f"  {'met':<12} {c.condition}{f' ({c.counts})' if c.counts else ''}" for c in self.conditions),
            *(f"  {'price':<12} {text}" for text in self.price),
            *(f"  {'note':<12} {text}" for text in (*self.notes, *self.unfinished)),
        )


def verify_attestation(
    raw: bytes,
    *,
    subject: str,
    trust: Trust,
    now_ns: int,
    threshold: str | None = None,
    allow_simulated: bool = False,
) -> Verified:
    """Check an attestation against a release, a trust file and a clock; nothing else is read.

    Args:
        raw: the file.
        subject: digest of the release that is to go live: ``sha256:…``.
        trust: whose keys count.
        now_ns: UTC nanoseconds since the epoch.
        threshold: digest of the line that the verdict must have been given on; None: any that its setter signed. A
            line that was moved makes void what was given before, and the file alone cannot know of it.
        allow_simulated: whether a demonstration may pass.

    Raises:
        UsageError: ``subject`` or ``threshold`` is no digest.
        VerificationFailed: with the first check that does not hold; its ``code`` is in the table above.
    """
    wanted = digest_set(subject)["sha256"]
    line_wanted = None if threshold is None else digest_set(threshold)["sha256"]
    if now_ns < _LOWEST_NS:
        raise failed("clock", "this machine's clock is not set, so no validity can be judged", fix="set the clock")
    opened, gate = _open(raw, trust, now_ns)
    vsa = _read_summary(opened, wanted)
    line = vsa.load_line
    _check_verifier(vsa, opened.keys)
    _check_verdict(vsa)
    verified_ns, valid_until_ns = _check_validity(vsa, now_ns)
    inputs = _read_inputs(vsa)
    signed = _check_policy(vsa, inputs, trust, now_ns)
    _check_line(signed, line_wanted)
    _check_order(signed, verified_ns)
    check_conditions(line, signed.threshold)
    check_freshness(line, signed.threshold, valid_until_ns)
    tests = _read_tests(inputs, opened.keys, wanted, vsa)
    _check_tests(tests, line)
    simulated = _is_simulated(line, vsa, gate, signed, tests)
    _check_level(vsa)
    if simulated and not allow_simulated:
        raise failed(
            "simulated",
            "this is a DEMONSTRATION: something it rests on was signed by a script or with a key made on the spot",
            fix="measure and sign in earnest; to look at a demonstration, add --allow-simulated",
        )
    return Verified(
        system=line.system,
        release=f"sha256:{wanted}",
        threshold=signed.signed.threshold,
        set_by=signed.signed.set_by,
        set_ns=signed.signed_ns,
        setter_key=signed.key.key.key_id,
        gate=gate.who,
        gate_key=gate.key.key_id,
        verified_ns=verified_ns,
        valid_until_ns=valid_until_ns,
        simulated=simulated,
        level=vsa.verified_levels[0],
        people=line.people,
        conditions=line.conditions,
        inputs=tuple(Descriptor(name=d.name, digest=d.digest, media_type=d.media_type) for d, _ in inputs),
        price=line.price,
        notes=line.notes,
        unfinished=line.unfinished,
        version=vsa.verifier.version.get("plimsoll", ""),
    )


def _open(raw: bytes, trust: Trust, now_ns: int) -> tuple[Opened, TrustedKey]:
    gates = trust.keys_for(Role.GATE, at_ns=now_ns)
    if not gates:
        raise failed(
            "signer",
            f"{trust.file} pins no gate key at this time, so no attestation can be believed",
            fix="pin the gate's public key with 'roles: [gate]'",
        )
    opened = open_envelope(raw, tuple(g.key for g in gates), IN_TOTO, _WHAT)
    return opened, next(g for g in gates if g.key == opened.keys[0])


def _read_statement(payload: bytes, predicate_type: str, wanted: str, what: str) -> Statement:
    statement = read_json(payload, Statement, what)
    if statement.type != STATEMENT:
        raise failed("predicate-type", f"{what} is '{statement.type[:80]}', not an in-toto Statement v1")
    if statement.predicate_type != predicate_type:
        raise failed(
            "predicate-type",
            f"{what} states '{statement.predicate_type[:80]}', where '{predicate_type}' is expected",
            fix="name the file that `plimsoll gate --attest` wrote",
        )
    found = [d.digest.get("sha256", "") for d in statement.subject]
    if wanted not in found:
        named = ", ".join(short(f"sha256:{digest[:64]}") for digest in found if digest) or "no release"
        raise failed(
            "subject",
            f"{what} is about another release: about {named}, not about {short('sha256:' + wanted)}",
            fix="measure and attest the release that is to go live: `plimsoll check`, `plimsoll gate --attest FILE`",
        )
    return statement


def _read_summary(opened: Opened, wanted: str) -> Vsa:
    statement = _read_statement(opened.payload, VSA, wanted, _WHAT)
    vsa = read_json(bytes(statement.predicate), Vsa, "the verification summary")
    names = {d.name for d in statement.subject if d.digest.get("sha256") == wanted}
    if names != {vsa.load_line.system}:
        raise failed("subject", f"the subject of {_WHAT} does not carry the name of the system that was judged")
    return vsa


def _check_verifier(vsa: Vsa, keys: Sequence[PublicKey]) -> None:
    if vsa.verifier.id not in {verifier_id(key.key_id) for key in keys}:
        raise failed("verifier", f"{_WHAT} speaks for '{vsa.verifier.id[:80]}', who did not sign it")


def _check_verdict(vsa: Vsa) -> None:
    line = vsa.load_line
    if line.draft:
        raise failed(
            "draft",
            "the threshold was a DRAFT: nobody whose key is pinned had signed it when the verdict was given",
            fix="the setter signs it (`plimsoll threshold sign`), then `plimsoll gate --attest FILE`",
        )
    if vsa.verification_result is not Passed.PASSED or line.outcome != Outcome.READY:
        unmet = [c for c in line.conditions if c.standing != Standing.MET]
        named = "; ".join(f"{c.condition} is {c.standing}" for c in unmet[:5]) or f"the outcome is '{line.outcome}'"
        more = f"; and {len(unmet) - 5} more" if len(unmet) > 5 else ""
        raise failed(
            "result",
            f"the verdict is {vsa.verification_result.value}: {named}{more}",
            fix="mend what is below the line, then `plimsoll check` again",
        )


def _check_level(vsa: Vsa) -> None:
    levels = vsa.verified_levels
    wanted = (LEVEL_DEMONSTRATION,) if vsa.load_line.simulated else (LEVEL,)
    if levels != wanted:
        raise failed("level", f"PASSED with the level {', '.join(levels)[:120] or 'none'}, where {wanted[0]} belongs")
    if not vsa.load_line.simulated and _says_simulated(vsa.load_line):
        raise failed("level", "it says that nothing is simulated, and a condition of it is")


def _check_validity(vsa: Vsa, now_ns: int) -> tuple[int, int]:
    verified_ns = read_moment(vsa.time_verified, _WHAT)
    valid_until_ns = read_moment(vsa.load_line.valid_until, _WHAT)
    if verified_ns > now_ns + MAX_SKEW_NS:
        raise failed(
            "not-yet",
            f"{_WHAT} was given at {vsa.time_verified}, which is still to come",
            fix="compare the clocks of this machine and of the gate",
        )
    if valid_until_ns <= now_ns:
        raise failed(
            "expired",
            f"{_WHAT} was valid until {vsa.load_line.valid_until}: the evidence under it has gone stale",
            fix="measure again: `plimsoll check`, then `plimsoll gate --attest FILE`",
        )
    return verified_ns, valid_until_ns


def _read_inputs(vsa: Vsa) -> tuple[tuple[Descriptor, bytes], ...]:
    """Every input with its bytes, which have the digest that is stated."""
    inputs = []
    for entry in vsa.input_attestations:
        name = f"the input '{entry.name[:40]}'"
        if not entry.content:
            raise failed(
                "input", f"{name} is not in the file", fix="take the file as `plimsoll gate --attest` wrote it"
            )
        raw = read_base64(entry.content, name)
        if set(entry.digest) != {"sha256"} or digest_bytes(raw) != f"sha256:{entry.digest['sha256']}":
            raise failed("input", f"{name} is not what its digest says")
        if entry.media_type not in {THRESHOLD_MEDIA, TEST_RESULT_MEDIA}:
            raise failed(
                "input",
                f"{name} is of a kind that is not known here: '{entry.media_type[:80]}'",
                fix="it may come from a later version; install that one",
            )
        inputs.append((entry, raw))
    return tuple(inputs)


def _check_policy(vsa: Vsa, inputs: Iterable[tuple[Descriptor, bytes]], trust: Trust, now_ns: int) -> SignedLine:
    envelopes = [raw for entry, raw in inputs if entry.media_type == THRESHOLD_MEDIA]
    if len(envelopes) != 1:
        found = "missing" if not envelopes else f"there {len(envelopes)} times"
        raise failed(
            "threshold-missing",
            f"the setter's signature under the threshold is {found} in {_WHAT}",
            fix="the setter signs it (`plimsoll threshold sign`), then `plimsoll gate --attest FILE`",
        )
    if set(vsa.policy.digest) != {"sha256"}:
        raise failed("threshold", f"{_WHAT} names no threshold by its digest")
    signed = check_threshold(
        envelopes[0],
        trust,
        system=vsa.load_line.system,
        threshold=f"sha256:{vsa.policy.digest['sha256']}",
        now_ns=now_ns,
    )
    if signed.signed.set_by != vsa.load_line.set_by:
        raise failed("threshold", f"{_WHAT} names {vsa.load_line.set_by} as setter; {signed.signed.set_by} signed")
    return signed


def _check_line(signed: SignedLine, wanted: str | None) -> None:
    if wanted is not None and signed.threshold.digest != f"sha256:{wanted}":
        raise failed(
            "threshold",
            f"the verdict was given on the threshold {short(signed.threshold.digest)}, and "
            f"{short('sha256:' + wanted)} is asked for: the line was moved since",
            fix="give the verdict again: `plimsoll gate --attest FILE`",
        )


def _check_order(signed: SignedLine, verified_ns: int) -> None:
    if signed.signed_ns > verified_ns + MAX_SKEW_NS:
        raise failed(
            "threshold",
            f"the threshold was signed at {signed.signed.signed_at}, after the verdict that rests on it",
            fix="give the verdict again: `plimsoll gate --attest FILE`",
        )


def _read_tests(
    inputs: Iterable[tuple[Descriptor, bytes]], keys: Sequence[PublicKey], wanted: str, vsa: Vsa
) -> tuple[TestResult, ...]:
    tests = []
    for entry, raw in inputs:
        if entry.media_type != TEST_RESULT_MEDIA:
            continue
        what = f"the input '{entry.name[:40]}'"
        opened = open_envelope(raw, keys, IN_TOTO, what)
        statement = _read_statement(opened.payload, TEST_RESULT, wanted, what)
        test = read_json(bytes(statement.predicate), TestResult, what)
        if vsa.policy.digest not in [c.digest for c in test.configuration]:
            raise failed("input", f"{what} was judged by another threshold")
        tests.append(test)
    return tuple(tests)


def _check_tests(tests: Sequence[TestResult], line: LoadLine) -> None:
    for test in tests:
        if test.result is not Passed.PASSED or test.failed_tests or test.warned_tests:
            raise failed("input", f"the input of the assessment '{test.tested.assessment}' is not PASSED")
        if tuple(c.condition for c in test.tested.conditions) != test.passed_tests:
            raise failed("input", f"the assessment '{test.tested.assessment}' names tests that it shows no figures of")
    shown = [c for test in tests for c in test.tested.conditions]
    if sorted(shown, key=_by_condition) != sorted(line.conditions, key=_by_condition):
        raise failed("input", "the Test Results do not show the same figures for the same conditions as the summary")


def _by_condition(judged: Judged) -> str:
    return judged.condition


def _says_simulated(line: LoadLine) -> bool:
    return any(c.provenance == Provenance.SIMULATED for c in line.conditions)


def _is_simulated(line: LoadLine, vsa: Vsa, gate: TrustedKey, signed: SignedLine, tests: Sequence[TestResult]) -> bool:
    """Whether anything at all in it is for demonstration; one sign is enough."""
    return (
        line.simulated
        or gate.simulated
        or signed.simulated
        or LEVEL_DEMONSTRATION in vsa.verified_levels
        or _says_simulated(line)
        or any(test.tested.simulated for test in tests)
    )


__all__ = ["VerificationFailed", "Verified", "verify_attestation"]

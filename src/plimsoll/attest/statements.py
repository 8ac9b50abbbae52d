"""A board written as statements: one Test Result for each assessment, one verification summary over all.

The attestation file is the DSSE envelope of the summary. What it rests on travels inside it: every entry of
``inputAttestations`` carries its bytes in ``content`` (the setter's signed threshold, and one signed Test Result for
each assessment), so that one file can be checked without a network. in-toto recommends to keep ``content`` below one
kilobyte; a file that stands alone is worth the few more.

The figures stand in one extension field (`plimsoll.model.attestation.EXTENSION`). A reader that knows only the
standard finds PASSED or FAILED, the subject, the policy and the digests, and is told nothing false: a draft or an
unmet line is FAILED, and a demonstration carries a level of another name.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import msgspec

from plimsoll.attest.dsse import sign_envelope
from plimsoll.attest.keys import PrivateKey
from plimsoll.attest.line import THRESHOLD_MEDIA
from plimsoll.attest.moments import NS, to_text
from plimsoll.errors import NoEvidence, UsageError
from plimsoll.model.attestation import (
    IN_TOTO,
    LEVEL,
    LEVEL_DEMONSTRATION,
    LEVEL_FAILED,
    STATEMENT,
    TEST_RESULT,
    TEST_RESULT_MEDIA,
    VSA,
    Descriptor,
    Judged,
    LoadLine,
    Passed,
    Statement,
    Tested,
    TestResult,
    Verifier,
    Vsa,
)
from plimsoll.model.board import Board, Outcome, Row, Standing
from plimsoll.model.canonical import canonical, digest_bytes
from plimsoll.model.evidence import Provenance
from plimsoll.model.metrics import METRICS
from plimsoll.model.quantity import UnitKind
from plimsoll.model.threshold import Condition, Threshold

_DIGEST: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")

BASE_UNIT: Final[Mapping[UnitKind, str]] = {
    UnitKind.RATIO: "1",
    UnitKind.DURATION: "s",
    UnitKind.RATE: "1/s",
    UnitKind.MULTIPLE: "x",
    UnitKind.COUNT: "count",
}


def make_attestation(
    board: Board,
    *,
    threshold: Threshold,
    signed_threshold: bytes | None,
    key: PrivateKey,
    protocols: Mapping[str, Sequence[str]] | None = None,
    in_force: Threshold | None = None,
    version: str = "",
) -> bytes:
    """The attestation of a board: a file that verifies by itself.

    Args:
        board: the verdict. Anything but a ready, signed one is written as FAILED.
        threshold: the one the board is about.
        signed_threshold: the setter's envelope, as `sign_threshold` gave it; None: nobody has signed.
        key: the gate's.
        protocols: for each assessment, the digests of how it measured.
        in_force: what the board was judged by, where that is stricter than the threshold; None: the threshold.
        version: of plimsoll, for the record.

    Raises:
        UsageError: the threshold is not the board's, or the release is not a digest.
        NoEvidence: a condition counts as met and rests on nothing that is dated.
    """
    if threshold.digest != board.threshold:
        raise UsageError("the threshold is not the one that the board was judged by", fix="judge again, then attest")
    subject = (Descriptor(name=board.system, digest=digest_set(board.release)),)
    inputs = [] if signed_threshold is None else [_input("threshold", signed_threshold, THRESHOLD_MEDIA)]
    for assessment, rows in _by_assessment(board).items():
        tested = _tested(board, assessment, rows, tuple((protocols or {}).get(assessment, ())))
        envelope = _statement(subject, TEST_RESULT, tested, key)
        inputs.append(_input(f"test-result:{assessment.replace(' ', '-')}", envelope, TEST_RESULT_MEDIA))
    draft = board.draft or signed_threshold is None
    passed = board.outcome is Outcome.READY and not draft
    summary = Vsa(
        verifier=Verifier(id=verifier_id(key.public.key_id), version={"plimsoll": version} if version else {}),
        time_verified=to_text(board.time_ns),
        resource_uri=f"pkg:generic/{quote(board.system, safe='')}?checksum={board.release}",
        policy=_policy(board),
        input_attestations=tuple(inputs),
        verification_result=Passed.PASSED if passed else Passed.FAILED,
        verified_levels=(_level(board, passed=passed),),
        load_line=LoadLine(
            system=board.system,
            outcome=board.outcome.value,
            draft=draft,
            simulated=board.demonstration,
            valid_until=to_text(valid_until(board, in_force or threshold)),
            set_by=threshold.set_by,
            people=board.people,
            conditions=_judged(board, board.rows),
            price=board.price,
            notes=(*board.warnings, *board.notes),
            earlier=board.earlier,
            unfinished=board.unfinished,
        ),
    )
    return _statement(subject, VSA, summary, key)


def verifier_id(key_id: str) -> str:
    """The verifier's URI. It names the key: a consumer of a VSA must accept pairs of signer and verifier only."""
    return f"urn:plimsoll:gate:{key_id}"


def digest_set(text: str) -> dict[str, str]:
    """A digest as in-toto writes it.

    Raises:
        UsageError: the text is not ``sha256:`` and 64 hex digits (or the digits alone).

    >>> digest_set("sha256:" + "0" * 64)["sha256"][:4]
    '0000'
    """
    match = _DIGEST.fullmatch(text)
    if match is None:
        raise UsageError(
            f"'{text[:80]}' is not a digest", fix="write sha256: and 64 hex digits; `plimsoll gate` prints the release"
        )
    return {"sha256": match[1]}


def valid_until(board: Board, threshold: Threshold) -> int:
    """When the first piece of evidence under a met condition goes stale, in nanoseconds since the epoch.

    Raises:
        NoEvidence: a condition counts as met and rests on nothing that is dated.
    """
    left_s = threshold.max_age.base
    for row in board.rows:
        if row.standing is Standing.MET:
            if row.age_s is None:
                raise NoEvidence(row.condition)
            counts_for_s = threshold.max_age.base if row.counts_for_s is None else row.counts_for_s
            left_s = min(left_s, counts_for_s - row.age_s)
    return board.time_ns + int(left_s * NS)


def decimal(figure: float | None) -> str | None:
    """A figure as a decimal string that reads back as the same figure; None: there is none.

    >>> decimal(0.1), decimal(1e-07), decimal(3.0)
    ('0.1', '0.0000001', '3')
    """
    if figure is None:
        return None
    text = format(Decimal(repr(float(figure))), "f")
    return text.removesuffix(".0")


def _judged(board: Board, rows: Sequence[Row]) -> tuple[Judged, ...]:
    return tuple(_one_judged(row, board.time_ns) for row in rows)


def _one_judged(row: Row, time_ns: int) -> Judged:
    condition = Condition.parse(row.condition)
    measured_ns = None if row.age_s is None else time_ns - int(row.age_s * NS)
    return Judged(
        condition=row.condition,
        metric=row.metric,
        dimension=row.dimension,
        standing=row.standing.value,
        unit=BASE_UNIT[condition.limit.kind],
        limit=decimal(condition.limit.base) or "",
        estimate=decimal(row.estimate),
        bound=decimal(row.bound),
        counts=row.counts,
        window=decimal(row.window_s),
        why=row.why,
        needed=row.needed,
        provenance=row.provenance,
        evidence=row.entries,
        measured_at="" if measured_ns is None else to_text(measured_ns),
        declared=row.declared,
    )


def _by_assessment(board: Board) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in board.rows:
        groups.setdefault(METRICS[row.metric].assessment, []).append(row)
    return groups


def _tested(board: Board, assessment: str, rows: Sequence[Row], protocols: Sequence[str]) -> TestResult:
    failed = tuple(row.condition for row in rows if row.standing is not Standing.MET)
    return TestResult(
        result=Passed.FAILED if failed else Passed.PASSED,
        configuration=(
            _policy(board),
            *(Descriptor(name="protocol", digest=digest_set(protocol)) for protocol in protocols),
        ),
        passed_tests=tuple(row.condition for row in rows if row.standing is Standing.MET),
        failed_tests=failed,
        tested=Tested(
            assessment=assessment,
            simulated=any(row.provenance == Provenance.SIMULATED for row in rows),
            conditions=_judged(board, rows),
        ),
    )


def _policy(board: Board) -> Descriptor:
    return Descriptor(
        name="threshold",
        uri=f"urn:plimsoll:threshold:{quote(board.system, safe='')}",
        digest=digest_set(board.threshold),
    )


def _level(board: Board, *, passed: bool) -> str:
    if not passed:
        return LEVEL_FAILED
    return LEVEL_DEMONSTRATION if board.demonstration else LEVEL


def _input(name: str, raw: bytes, media_type: str) -> Descriptor:
    return Descriptor(
        name=name,
        digest=digest_set(digest_bytes(raw)),
        content=base64.b64encode(raw).decode(),
        media_type=media_type,
    )


def _statement(subject: tuple[Descriptor, ...], predicate_type: str, predicate: Any, key: PrivateKey) -> bytes:
    statement = Statement(
        type=STATEMENT, subject=subject, predicate_type=predicate_type, predicate=msgspec.Raw(canonical(predicate))
    )
    return sign_envelope(IN_TOTO, canonical(statement), key)

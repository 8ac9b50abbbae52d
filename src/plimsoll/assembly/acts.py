"""The acts of the demonstration, each of which measures something; who tells the story prints what they give."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.assess.golden import is_right, read_golden
from plimsoll.attest import Trust, read_trust, verify_attestation
from plimsoll.errors import InputError, VerificationFailed
from plimsoll.ledger import verify_ledger
from plimsoll.model.board import Board
from plimsoll.model.decision import Disposition
from plimsoll.stats import clopper_pearson_lower

EXAMPLE: Final = "claims_reader"
MARKER: Final = "made-by-plimsoll-demo"  # a folder without it is never wiped


class Picked(msgspec.Struct, frozen=True, kw_only=True):
    """How the pilot did on the sample it was shown with."""

    right: int
    total: int
    lower: float  # exact, 95%, one-sided


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try to pass an attestation, and what was said."""

    what: str
    passed: bool
    said: str


class Tampered(msgspec.Struct, frozen=True, kw_only=True):
    """One byte of the ledger was altered, and what `verify` said of it."""

    entry: str
    named: bool  # the finding names exactly that entry
    findings: tuple[str, ...]
    before: int  # findings in the ledger as it was


def find_example(given: Path | None) -> Path:
    """The example's folder: the one given, or that of this checkout.

    Raises:
        InputError: it is not there.
    """
    here = Path(__file__).resolve().parents[3] / "examples" / EXAMPLE
    places = [given] if given is not None else [Path("examples") / EXAMPLE, here]
    for place in places:
        if (place / "pilot.yaml").is_file() and (place / "plimsoll.yaml").is_file():
            return place
    raise InputError(
        f"the example is not at {' or '.join(str(p) for p in places)}",
        fix="it comes with the source: run this in a checkout, or give --example FOLDER",
    )


def fresh_state(folder: Path) -> Path:
    """An empty folder for the demonstration's ledgers and reports; what an earlier one left is wiped.

    Raises:
        InputError: the folder holds something that no demonstration made.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            raise InputError(f"'{folder}' is not empty, and no demonstration made it", fix="give another --state")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    return folder


def hand_picked(project: Project, sample: Path, tick: Callable[[int], None]) -> Picked:
    """Run the pilot on its hand-picked sample, as it was once shown."""
    cases = read_golden(sample.read_bytes(), str(sample), tuple(project.manifest.decisions))
    right = 0
    with project.open_ledger() as ledger:
        project.record_release(ledger)
        with project.open_guard(ledger) as guard:
            for done, case in enumerate(cases, 1):
                answer = guard.decide(case.type, case.record, source=case.source)
                right += answer.disposition is Disposition.ANSWERED and is_right(case.expected, answer.output)
                tick(done)
    return Picked(right=right, total=len(cases), lower=clopper_pearson_lower(right, len(cases)))


def try_attestation(file: Path, release: str, trust_file: Path, now_ns: int) -> Iterable[Attempt]:
    """Verify an attestation as a deploy step would, and then in the ways in which it must be refused."""
    trust = read_trust(trust_file.read_text(encoding="utf-8"), str(trust_file))
    raw = file.read_bytes()
    yield _attempt("as it is, for this release", raw, release, trust, now_ns, allow_simulated=True)
    yield _attempt("without --allow-simulated", raw, release, trust, now_ns, allow_simulated=False)
    other = "sha256:" + "0" * 64
    yield _attempt("for another release", raw, other, trust, now_ns, allow_simulated=True)
    # In the middle of the payload: the envelope stays well-formed, and only the signature can tell.
    middle = raw.index(b'"payload":"') + 200
    altered = raw[:middle] + (b"A" if raw[middle : middle + 1] != b"A" else b"B") + raw[middle + 1 :]
    yield _attempt("with one byte altered", altered, release, trust, now_ns, allow_simulated=True)


def _attempt(what: str, raw: bytes, release: str, trust: Trust, now_ns: int, *, allow_simulated: bool) -> Attempt:
    try:
        verify_attestation(raw, subject=release, trust=trust, now_ns=now_ns, allow_simulated=allow_simulated)
    except VerificationFailed as failure:
        return Attempt(what=what, passed=False, said=failure.message)
    return Attempt(what=what, passed=True, said="passes")


def regressed_copy(example: Path, to: Path) -> Path:
    """A copy of the mended system with worse weights in place of the good ones; gives its manifest."""
    shutil.copytree(example, to, ignore=shutil.ignore_patterns(".plimsoll", "__pycache__"), dirs_exist_ok=True)
    shutil.copyfile(example / "regressed" / "weights.npz", to / EXAMPLE / "weights.npz")
    return to / "plimsoll.yaml"


def check_apart(manifest: Path, state: Path, assessment: str) -> Board:
    """Run one assessment in a process of its own, as another release of the same modules needs, and give the board.

    Raises:
        InputError: the other process could not do it; with what it said.
    """
    command = (sys.executable, "-m", "plimsoll.cli.main", "check", str(manifest), "--state", str(state))
    done = subprocess.run(  # noqa: S603 - our own command line, with paths of our own
        (*command, "--only", assessment, "--json"), capture_output=True, check=False, timeout=120
    )
    try:
        return msgspec.json.decode(done.stdout, type=_Envelope).data.board
    except msgspec.DecodeError as why:
        said = done.stderr.decode("utf-8", "replace")[-500:]
        raise InputError(f"checking '{manifest}' in a process of its own failed: {said}") from why


class _Data(msgspec.Struct):
    board: Board


class _Envelope(msgspec.Struct):
    data: _Data


def tamper(project: Project, copy: Path) -> Tampered:
    """Alter one byte of one entry in a copy of the ledger, as whoever can write the file could, and verify it."""
    with project.open_ledger(read_only=True) as ledger:
        # Any decision will do; its body is encrypted, so that these bytes stand nowhere else in the file.
        entry = next(e for e in ledger.entries(kinds=("decision",)) if len(e.body) > 64)
    raw = bytearray(project.ledger_path.read_bytes())
    keys = (project.ledger_key.public.raw,)
    copy.write_bytes(raw)
    before = verify_ledger(copy, trusted_keys=keys)
    place = raw.index(entry.body[:48]) + 24
    raw[place] ^= 1
    copy.write_bytes(raw)
    after = verify_ledger(copy, trusted_keys=keys)
    said = tuple(str(finding) for finding in after.findings)
    return Tampered(
        entry=entry.id,
        named=any(entry.id in text for text in said),
        findings=said,
        before=len(before.findings),
    )

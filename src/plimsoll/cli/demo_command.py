"""The whole story on real data, in about a minute: a pilot refused, mended, let through, and watched.

Everything printed is measured in this run, on this machine. Nothing is sent anywhere.

Example:
  plimsoll demo --state /tmp/plimsoll-demo
"""

from __future__ import annotations

import argparse
import textwrap
import time
from pathlib import Path

from plimsoll.assembly.acts import (
    Attempt,
    Picked,
    check_apart,
    find_example,
    fresh_state,
    hand_picked,
    regressed_copy,
    tamper,
    try_attestation,
)
from plimsoll.assembly.assessing import Progress
from plimsoll.assembly.checking import Checked, check, gate
from plimsoll.assembly.project import Project
from plimsoll.cli.board_out import style_for
from plimsoll.cli.out import Out
from plimsoll.cli.progress import progress_for
from plimsoll.gate import board_text
from plimsoll.model.board import Outcome, Standing


def configure(parser: argparse.ArgumentParser) -> None:
    """What `plimsoll demo` takes."""
    parser.add_argument("--example", metavar="DIR", type=Path, help="the example's folder; default: this checkout's")
    parser.add_argument(
        "--state", metavar="DIR", type=Path, default=Path(".plimsoll/demo"), help="where ledgers and reports go"
    )


def run(arguments: argparse.Namespace, out: Out) -> int:
    """Play the acts; 0 when every one ended as the story says, 1 when one did not."""
    began = time.monotonic()
    story = _Story(out, find_example(arguments.example), fresh_state(arguments.state))
    with progress_for(out) as progress:
        story.play(progress)
    out.give(story.data)
    took = time.monotonic() - began
    if story.broken:
        out.show("")
        for said in story.broken:
            out.show(f"This did not end as it should: {said}")
        return 1
    out.show(f"\nThat took {took:.0f} s. The reports are worth a look:")
    for report in story.reports:
        out.show(f"  {report}")
    out.show("\nNow your own code:\n\n  plimsoll init yours:function --sample data.jsonl\n")
    return 0


class _Story:
    """Tells what the acts measure, and notes any that did not end as told."""

    def __init__(self, out: Out, example: Path, state: Path) -> None:
        self._out = out
        self._example = example
        self._state = state
        self.data: dict[str, object] = {}
        self.broken: list[str] = []
        self.reports: list[Path] = []

    def play(self, progress: Progress) -> None:
        """All seven acts."""
        self._opening()
        pilot = Project(self._example / "pilot.yaml", state=self._state / "pilot")
        self._act_picked(pilot, progress)
        self._act_pilot(pilot, progress)
        mended = Project(self._example / "plimsoll.yaml", state=self._state / "mended")
        self._act_mended(mended, progress)
        self._act_attestation(mended)
        self._act_regressed(progress)
        self._act_tampered(mended)

    def _opening(self) -> None:
        self._tell(
            "A pilot reads the handwritten amount on claim forms. The handwriting is real: the UCI digits that come "
            "with scikit-learn. The forms, the feed of eleven sources and its damage are composed from it. The same "
            "model, the same threshold and the same feed are used from the first line to the last."
        )

    def _act_picked(self, pilot: Project, progress: Progress) -> None:
        self._head(1, "The pilot, on the sample it was shown with")
        progress.begin("pilot sample", None)
        picked = hand_picked(pilot, self._example / "pilot_sample.jsonl", progress.tick)
        progress.end(f"{picked.right} of {picked.total} right")
        self.data["picked"] = picked
        self._tell(
            f"{picked.right} of {picked.total}. These forms were picked by hand. Even if they had not been, "
            f"{picked.total} right ones would only show that it reads at least {picked.lower:.1%} (95% bound), and "
            "they show nothing of the sources, the load, or the people who have to run it."
        )
        self._expect(picked.right == picked.total, _picked_said(picked))

    def _act_pilot(self, pilot: Project, progress: Progress) -> None:
        self._head(2, "The same pilot, checked: real feed, three times the peak")
        self._tell(
            "250 amounts are evaluated, of images that the model has never seen, each used once. The feed of 3,000 "
            "records tests contracts and load, and repeats images; it counts for no figure of how well it reads."
        )
        self._out.show("")
        checked = check(pilot, progress=progress, report=self._state / "pilot.html")
        self._board(checked, "pilot")
        self._expect(checked.board.outcome is Outcome.NOT_READY, "the pilot was not refused")

    def _act_mended(self, mended: Project, progress: Progress) -> None:
        self._head(3, "Mended: not the model, but what is around it")
        for line in (
            "contracts    each source has its own, with the legacy formats converted by declared rules;",
            "             scans too skewed or faint to read are quarantined and never reach the model",
            "tier         reviewed: below the chosen confidence a person decides",
            "deadline     nobody waits for a scan that will not be read; it is held for a person",
            "people       every owner and operator accepted; an operator found and replayed a record",
            "             (in this demonstration they are played by a script, and marked as simulated)",
        ):
            self._out.show(f"  {line}")
        checked = check(mended, progress=progress, report=self._state / "mended.html")
        self._board(checked, "mended")
        board = checked.board
        self._expect(board.outcome is Outcome.READY and board.demonstration, "the mended system was not let through")

    def _act_attestation(self, mended: Project) -> None:
        self._head(4, "The verdict, signed, as a deploy step would check it")
        file = self._state / "claims-reader.attestation.json"
        judged = gate(mended, attest=file)
        trust = mended.state / "trust.demonstration.yaml"
        attempts = tuple(try_attestation(file, judged.board.release, trust, time.time_ns()))
        self.data["attempts"] = attempts
        for attempt in attempts:
            self._attempt(attempt)
        self._expect([a.passed for a in attempts] == [True, False, False, False], "an attestation check did not hold")
        self._out.show(f"  It is {file}")

    def _act_regressed(self, progress: Progress) -> None:
        self._head(5, "A new version of the model, a little worse")
        manifest = regressed_copy(self._example, self._state / "regressed-system")
        progress.begin("evaluation", None)
        board = check_apart(manifest, self._state / "regressed", "evaluation")
        progress.end("of the new version, in a process of its own")
        self.data["regressed"] = board
        for row in board.rows:
            if row.metric.startswith("evaluation."):
                self._out.show(f"  {row.condition:<36} {row.estimate_text:>8}  {row.standing.value}  {row.gap}")
        self._tell(f"Another release, so none of the evidence counts for it: {board.sentence}. It stays out.")
        worse = any(r.standing is Standing.NOT_MET for r in board.rows)
        self._expect(board.outcome is Outcome.NOT_READY and worse, "the regressed model was not refused")

    def _act_tampered(self, mended: Project) -> None:
        self._head(6, "Somebody alters one byte of the record")
        tampered = tamper(mended, self._state / "tampered.db")
        self.data["tampered"] = tampered
        self._out.show(f"  before: {tampered.before} findings")
        for finding in tampered.findings[:3]:
            self._out.show(
                textwrap.fill(finding, self._width, initial_indent="  after:  ", subsequent_indent="          ")
            )
        self._expect(tampered.named and not tampered.before, "the altered entry was not named")

    # -- telling

    @property
    def _width(self) -> int:
        return min(self._out.width, 100)

    def _head(self, number: int, text: str) -> None:
        self._out.show(f"\n{number}  {text}\n")

    def _tell(self, text: str) -> None:
        self._out.show(textwrap.fill(text, min(self._width, 88), initial_indent="  ", subsequent_indent="  "))

    def _board(self, checked: Checked, name: str) -> None:
        self.data[name] = checked.board
        if checked.report is not None:
            self.reports.append(checked.report)
        self._out.show("")
        self._out.show(board_text(checked.board, width=self._width, style=style_for(self._out)))

    def _attempt(self, attempt: Attempt) -> None:
        mark = "passes " if attempt.passed else "refused"
        said = "" if attempt.passed else f": {attempt.said}"
        self._out.show(
            textwrap.fill(f"{mark}  {attempt.what}{said}", self._width, initial_indent="  ", subsequent_indent=" " * 11)
        )

    def _expect(self, held: bool, otherwise: str) -> None:  # noqa: FBT001 - a fact and what to say when it is none
        if not held:
            self.broken.append(otherwise)


def _picked_said(picked: Picked) -> str:
    return f"the pilot read {picked.right} of {picked.total} of its own sample"

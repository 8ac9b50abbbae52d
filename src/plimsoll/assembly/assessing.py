"""Running the assessments that a threshold needs, each on the project's own guard, ledger and samples."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from plimsoll.assembly.demonstration import Cast
from plimsoll.assembly.drilling import Processes, assess_rollout, undrillable
from plimsoll.assembly.load import assess_load
from plimsoll.assembly.project import Project, read_file
from plimsoll.assembly.reviewers import price, review_load
from plimsoll.assembly.sourcing import assess_sources
from plimsoll.assess.accountability import assess_accountability
from plimsoll.assess.contracts import replay_feed
from plimsoll.assess.evaluation import evaluate
from plimsoll.assess.feed import Feed
from plimsoll.assess.golden import read_golden
from plimsoll.assess.organisation import assess_organisation
from plimsoll.assess.run import About, Run
from plimsoll.attest import Trust
from plimsoll.errors import InputError, UsageError
from plimsoll.ledger import Ledger
from plimsoll.model.canonical import digest, digest_bytes
from plimsoll.model.decision import Tier
from plimsoll.model.manifest_writer import placeholders
from plimsoll.rollout import OpenedFiles

# In this order: what is decided first gives the ledger something to reconstruct, and a person something to replay.
ORDER: Final = ("evaluation", "contracts", "stability", "rollout", "organisation", "accountability")


class Progress(Protocol):
    """How a long assessment tells how far it is."""

    def begin(self, name: str, total: int | None) -> None:
        """A new piece of work begins; None: its length is not known."""

    def tick(self, done: int) -> None:
        """So much of it is done."""

    def end(self, said: str) -> None:
        """It is done; one sentence of what was found."""


class Silent:
    """No progress display."""

    def begin(self, name: str, total: int | None) -> None:
        """Nothing."""

    def tick(self, done: int) -> None:
        """Nothing."""

    def end(self, said: str) -> None:
        """Nothing."""


class Workbench(msgspec.Struct, frozen=True, kw_only=True):
    """All that an assessment is run with."""

    project: Project
    ledger: Ledger
    opened: OpenedFiles
    trust: Trust
    cast: Cast | None  # the scripted persons of a demonstration
    progress: Progress
    clock_ns: Callable[[], int] = time.time_ns
    url: str | None = None  # stability: drive this address in place of the guard in process
    ca: Path | None = None  # whose certificates are trusted there; None: those of the system's store
    drill: Processes = Processes()  # rollout: how many processes practise how often

    @property
    def about(self) -> About:
        """What every run is about."""
        manifest = self.project.manifest
        return About(
            system=manifest.system,
            release=self.project.release.digest,
            threshold=manifest.threshold.digest,
            people=manifest.people_digest,
        )

    def limit(self, metric: str) -> float | None:
        """The limit that the threshold sets for a metric, in its base unit."""
        found = [c.limit.base for c in self.project.manifest.threshold.conditions if c.metric == metric]
        return found[0] if found else None

    def run(
        self,
        assessment: str,
        protocol: dict[str, Any],
        *,
        unenforced: tuple[str, ...] = (),
        of_people: bool = False,
        outside: tuple[str, ...] = (),
        unseen: tuple[str, ...] = (),
    ) -> Run:
        """A run of an assessment, not yet started."""
        return Run(
            self.ledger,
            self.about,
            assessment=assessment,
            protocol=protocol,
            uncovered=lambda: (*outside, *self.uncovered()),
            of_people=of_people,
            unenforced=unenforced,
            declared=() if of_people else self.project.services,
            unseen=unseen,
        )

    def uncovered(self) -> tuple[str, ...]:
        """What was opened or reached here, or by a guard in another process, and is not covered."""
        elsewhere = {
            path
            for entry in self.ledger.entries(kinds=("release.uncovered",), system=self.about.system)
            for path in msgspec.json.decode(self.ledger.body(entry), type=Uncovered).of(self.about.release)
        }
        return tuple(sorted(elsewhere.union(self.project.uncovered(self.opened))))

    @property
    def answerable(self) -> tuple[str, ...]:
        """The decision types that the AI may answer."""
        return tuple(n for n, d in self.project.manifest.decisions.items() if d.tier is not Tier.HUMAN_ONLY)


class Uncovered(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a ``release.uncovered`` entry: what a guard opened or reached and its release does not cover."""

    release: str
    files: tuple[str, ...]  # and services, as ``service:host:port``

    def of(self, release: str) -> tuple[str, ...]:
        """The files, if they are about this release."""
        return self.files if self.release == release else ()


def needed(project: Project, ledger: Ledger) -> tuple[str, ...]:
    """The assessments that the threshold needs, in the order they are run.

    Those that this version lacks, or for which the manifest names no sample or a release is missing, are left out and
    stay on the board as not measured: whoever begins is told all that is missing, not the first thing.
    """
    wanted = {c.entry.assessment for c in project.manifest.threshold.conditions if c.entry.measurable}
    left_out = {*lacking(project), *(("rollout",) if cannot_drill(project, ledger) else ())}
    return tuple(name for name in ORDER if name in wanted and name not in left_out)


def cannot_drill(project: Project, ledger: Ledger) -> str:
    """Why the threshold's conditions on the rollback cannot be measured; "" when they can, or there are none."""
    wanted = any(c.entry.assessment == "rollout" for c in project.manifest.threshold.conditions)
    return undrillable(project, ledger) if wanted else ""


def lacking(project: Project) -> dict[str, str]:
    """Assessments of the threshold for which the manifest names no sample, with the key that would name it."""
    wanted = {c.entry.assessment for c in project.manifest.threshold.conditions if c.entry.measurable}
    samples = project.manifest.samples
    return {
        name: f"samples.{key}"
        for name, key in (("evaluation", "golden"), ("contracts", "feed"), ("stability", "feed"))
        if name in wanted and getattr(samples, key) is None
    }


def assess(bench: Workbench, names: Sequence[str]) -> None:
    """Run assessments by name, in their order.

    Raises:
        UsageError: there is no such assessment in this version.
        InputError: what one needs is not declared, or cannot be read.
    """
    unknown = [name for name in names if name not in ORDER]
    if unknown:
        raise UsageError(f"there is no assessment '{unknown[0]}'", fix=f"there are: {', '.join(ORDER)}")
    bench.project.watch(bench.opened)
    try:
        for name in ORDER:
            if name in names:
                _RUN[name](bench)
    finally:
        bench.opened.stop()


def _evaluation(bench: Workbench) -> None:
    project = bench.project
    path = _sample(project, "golden", "a JSON Lines file of cases whose right answer is known")
    raw = read_file(path, "golden set")
    cases = read_golden(raw, str(path), bench.answerable)
    threshold = project.manifest.threshold
    asked = {case.type for case in cases}
    unseen = tuple(name for name in bench.answerable if name not in asked)
    bench.progress.begin("evaluation", len(cases))
    with (
        bench.run("evaluation", {"golden": digest_bytes(raw)}, unseen=unseen) as run,
        project.open_guard(bench.ledger, run=run.id) as guard,
    ):
        detail = evaluate(
            run,
            guard,
            cases,
            confidence=threshold.confidence.base,
            price_of=lambda held: price(project, held),
            review_load=lambda cases, total: review_load(project, cases, total),
            accuracy_limit=bench.limit("evaluation.accuracy"),
            golden=path.name,
            tick=bench.progress.tick,
        )
    overall = detail.overall
    bench.progress.end(f"{overall.right} of {overall.answered} answered cases right; {overall.held} held")


def _contracts(bench: Workbench) -> None:
    project = bench.project
    folder = _sample(project, "feed", "a folder with one JSON Lines file for each source")
    if not bench.answerable:
        raise InputError("no decision type may be answered by the AI, so there is nothing to replay the feed through")
    feed = Feed.open(folder, bench.answerable)
    protocol = {"feed": digest({f"{feed.name(f)}.jsonl": digest_bytes(read_file(f.path, "feed")) for f in feed.files})}
    bench.progress.begin("contracts", sum(1 for _ in feed.lines()))
    with (
        bench.run("contracts", protocol, unenforced=project.unenforced, unseen=feed.missing) as run,
        project.open_guard(bench.ledger, run=run.id) as guard,
    ):
        detail = replay_feed(
            run,
            guard,
            bench.ledger,
            feed,
            declared=tuple(project.checkers),
            unenforced=project.unenforced,
            valid_limit=bench.limit("contracts.valid_rate"),
            tick=bench.progress.tick,
        )
        detail = assess_sources(run, project, bench.ledger, feed, detail, now_ns=bench.clock_ns())
    total = sum(s.offered for s in detail.sources)
    quarantined = sum(s.quarantined for s in detail.sources)
    cuts, held = len(detail.cuts), sum(cut.holds for cut in detail.cuts)
    also = f"; {held} of {cuts} fallbacks took over" if cuts else ""
    bench.progress.end(f"{total} records from {len(detail.sources)} sources; {quarantined} quarantined{also}")


def _stability(bench: Workbench) -> None:
    assess_load(bench)


def _rollout(bench: Workbench) -> None:
    assess_rollout(bench)


def _organisation(bench: Workbench) -> None:
    project = bench.project
    bench.progress.begin("organisation", None)
    if bench.cast is not None:
        bench.cast.accept_all(project, bench.ledger)
    with bench.run("organisation", {}, of_people=True) as run:
        detail = assess_organisation(
            run,
            bench.ledger,
            project.manifest,
            bench.trust,
            now_ns=bench.clock_ns(),
            placeholders=placeholders(project.manifest),
        )
    accepted = sum(p.accepted_at_ns is not None for p in detail.people)
    bench.progress.end(f"{accepted} of {len(detail.people)} named people accepted")


def _accountability(bench: Workbench) -> None:
    project = bench.project
    bench.progress.begin("accountability", None)
    with bench.run("accountability", {}, of_people=True) as run:
        detail = assess_accountability(
            run,
            bench.ledger,
            project.manifest,
            placeholders=placeholders(project.manifest),
            # From the release, so that a sample which fails cannot be drawn again until it passes.
            chance=random.Random(bench.about.release),  # noqa: S311 - a sample, not a secret
            confidence=project.manifest.threshold.confidence.base,
        )
    bench.progress.end(
        f"{detail.reconstructed} of {detail.sampled} decisions reconstructed, of {detail.decisions} recorded"
    )


def _sample(project: Project, name: str, what: str) -> Path:
    given: str | None = getattr(project.manifest.samples, name)
    if given is None:
        raise InputError(f"{project.file} names no samples.{name}", fix=f"samples.{name} is {what}")
    return project.folder / given


_RUN: Final[dict[str, Callable[[Workbench], None]]] = {
    "evaluation": _evaluation,
    "contracts": _contracts,
    "stability": _stability,
    "rollout": _rollout,
    "organisation": _organisation,
    "accountability": _accountability,
}

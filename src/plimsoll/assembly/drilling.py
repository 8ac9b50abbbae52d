"""The rollback drill on a project: several processes of its guard, taken back under traffic, over and over.

It runs on the system's own ledger, so the order to go back takes the way that it takes in earnest: through SQLite's
file or PostgreSQL's notifications, to every process. It runs under a name of its own, so no guard that serves callers
obeys it.

What is gone back to is what a rollback of this release leads to: the release that is live now, or was before this one.
Where none was, the way back is `plimsoll control stop`, and that is practised.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final, Self, TypeVar

import msgspec

from plimsoll.assembly.drill_host import Order, Stand, Word
from plimsoll.assembly.project import read_file
from plimsoll.assembly.releases import check_kept
from plimsoll.assess.drill import PEOPLE, Asked, Behaviour, Rollback, give_drill, judge_rollback, said_of
from plimsoll.assess.feed import Feed
from plimsoll.assess.golden import read_golden
from plimsoll.errors import InputError, PlimsollError, TargetError, UsageError
from plimsoll.ledger import Draft, Ledger
from plimsoll.ledger.places import is_database
from plimsoll.model.canonical import digest
from plimsoll.model.control import Action, Control
from plimsoll.model.details import DrillDetail, DrillRound
from plimsoll.rollout import roll_back, way_back

if TYPE_CHECKING:
    from plimsoll.assembly.assessing import Workbench
    from plimsoll.assembly.project import Project

PROCESSES: Final = 2
ROUNDS: Final = 3  # the least of which a maximum can be told
INPUTS: Final = 40  # sample inputs whose answers are compared
FOLLOW_S: Final = 10.0  # a process that has not followed by then has not
_CALLERS: Final = 8  # under way at once in one process; never more than the target lets in
_FASTEST_PER_S: Final = 100.0  # calls of one process: enough to see a hundredth of a second
_SLOWEST_PER_S: Final = 10.0  # a process that is asked more rarely cannot be seen to follow within a second
_BEFORE_S: Final = 0.5  # of traffic before the order
_AFTER_S: Final = 1.2  # of traffic after it, at least: more than a rollback may take
_OPEN_S: Final = 120.0  # a release that is not open by then does not open
_STALLED_S: Final = 0.5  # a machine that stands still for so long says nothing of how fast anything is
_BY: Final = "the rollback drill"
T = TypeVar("T")


class Processes(msgspec.Struct, frozen=True, kw_only=True):
    """How a drill is held."""

    count: int = PROCESSES
    rounds: int = ROUNDS

    def __post_init__(self) -> None:
        if not 1 <= self.count <= 32:
            raise UsageError(f"{self.count} processes cannot be drilled", fix="give --processes 1 to 32")
        if not 1 <= self.rounds <= 100:
            raise UsageError(f"{self.rounds} rollbacks cannot be practised", fix="give --rounds 1 to 100")


def undrillable(project: Project, ledger: Ledger) -> str:
    """Why the rollback of what lies here cannot be practised, with what to do; "" when it can."""
    if project.manifest.samples.feed is None and project.manifest.samples.golden is None:
        return "the manifest names no samples.feed and no samples.golden, which its traffic would be taken from"
    back = way_back(ledger, project.manifest.system, project.release.digest)
    try:
        if back:
            check_kept(project, back)
    except PlimsollError as why:
        return f"the release that would be gone back to cannot run here: {why}"
    return ""


def assess_rollout(bench: Workbench) -> DrillDetail:
    """Practise the rollback of the release that lies here, and give the evidence.

    Raises:
        InputError: there is nothing to send; or what would be gone back to is not kept here.
        TargetError: a process does not start, or a release does not come to answer.
    """
    project, ledger = bench.project, bench.ledger
    why = undrillable(project, ledger)
    if why:
        raise InputError(f"the rollback cannot be practised: {why}")
    inputs = _inputs(bench)
    back = way_back(ledger, project.manifest.system, project.release.digest)
    target, held = project.manifest.target, bench.drill
    rate = max(min(project.manifest.load.peak.base / held.count, _FASTEST_PER_S), _SLOWEST_PER_S)
    protocol = {
        "back": back,
        "processes": held.count,
        "rounds": held.rounds,
        "rate_per_s": rate,
        "inputs": digest([[t, s, r.hex()] for t, s, r in inputs]),
    }
    bench.progress.begin("rollback drill", held.rounds)
    with bench.run("rollout", protocol) as run, ExitStack() as stack:
        name = f"{project.manifest.system}/drill/{run.id}"
        order = Order(
            manifest=str(project.folder / project.file.name),
            state=str(project.state),
            run=run.id,
            name=name,
            release=bench.about.release,
            inputs=inputs,
            callers=min(_CALLERS, target.concurrency),
            rate_per_s=rate,
        )
        drill = Drill(ledger, name, gone=bench.about.release, back=back)
        drill.prepare()
        crew = [stack.enter_context(Process(order)) for _ in range(held.count)]
        stalls = stack.enter_context(_watched())
        drill.learn(crew)
        rounds = []
        for number in range(held.rounds):
            rounds.append(drill.round())
            bench.progress.tick(number + 1)
            if any(process.is_gone for process in crew):
                break  # with fewer processes it would be another drill
        detail = DrillDetail(
            rounds=tuple(rounds),
            back=back,
            processes=held.count,
            rate_per_s=rate * held.count,
            inputs=len(inputs),
            varying=drill.before.varying,
            store="PostgreSQL" if is_database(project.manifest.ledger) else "SQLite",
        )
        worst = max(stalls, default=0.0)
        stood = f"the machine stood still for {worst:.1f} s meanwhile" if worst > _STALLED_S else ""
        give_drill(run, detail, unhealthy=stood)
    bench.progress.end(said_of(detail))
    return detail


def _inputs(bench: Workbench) -> tuple[tuple[str, str, bytes], ...]:
    """What is asked: of the feed, types and sources mixed as traffic has them; without one, of the golden set."""
    project = bench.project
    samples = project.manifest.samples
    if not bench.answerable:
        raise InputError("no decision type may be answered by the AI, so there is nothing to go back from")
    if samples.feed is not None:
        feed = Feed.open(project.folder / samples.feed, bench.answerable)
        return tuple((s.type, s.source, s.record) for s in feed.mixed(window=INPUTS, most=INPUTS))
    assert samples.golden is not None, "`undrillable` has seen to it"
    path = project.folder / samples.golden
    cases = read_golden(read_file(path, "golden set"), str(path), bench.answerable)[:INPUTS]
    return tuple((c.type, c.source, c.record) for c in cases)


class Drill:
    """A crew of processes, taken from one release to another and back."""

    def __init__(self, ledger: Ledger, name: str, *, gone: str, back: str) -> None:
        """A drill that has not begun.

        Args:
            ledger: where the processes record.
            name: under which they are steered.
            gone: digest of the release that is gone back from.
            back: of the one that is gone back to, or `PEOPLE`.
        """
        self._ledger = ledger
        self._name = name
        self._crew: Sequence[Process] = ()
        self._gone = gone
        self._back = back
        self.before = Behaviour()
        self._own = Behaviour()

    def prepare(self) -> None:
        """Let what is gone back to be live before any process begins.

        A release that was asked but once may have changed what both of them rest on, and would go unnoticed.
        """
        if self._back == PEOPLE:
            self._steer(Action.PROMOTE, self._gone)
            self._steer(Action.STOP)
        else:
            self._steer(Action.PROMOTE, self._back)

    def learn(self, crew: Sequence[Process]) -> None:
        """Note how what is gone back to answers, before the release goes live.

        Args:
            crew: the processes, just started.

        Raises:
            TargetError: a process does not start; or does not come to answer by it.
        """
        self._crew = crew
        for process in crew:
            process.hear(Stand, _OPEN_S)
        self._until_all_answer_by(self._back)
        for _ in range(2):  # twice, so that what the release answers now so, now otherwise, shows
            for calls in self._all(Word.ASK, list[Asked]):
                for call in calls:
                    self.before.note(call)

    def round(self) -> DrillRound:
        """Take the release live, put traffic on every process, go back, and look.

        Raises:
            TargetError: the release does not come to answer at all.
        """
        if self._back == PEOPLE:
            self._steer(Action.RESUME)
        else:
            self._steer(Action.PROMOTE, self._gone)
        for calls in self._until_all_answer_by(self._gone):
            for call in calls:
                self._own.note(call)
        self._all(Word.TRAFFIC, Stand)
        time.sleep(_BEFORE_S)
        ordered_ns = time.monotonic_ns()
        if self._back == PEOPLE:
            self._steer(Action.STOP)
        else:
            roll_back(self._ledger, self._name, by=_BY, reason="practised")
        self._wait_for_all(ordered_ns)
        waited_s = (time.monotonic_ns() - ordered_ns) / 1e9
        traffic = self._all(Word.REST, list[Asked], missing=list)
        seen = Rollback(
            gone=self._gone,
            back=self._back,
            ordered_ns=ordered_ns,
            waited_s=waited_s,
            traffic=traffic,
            after=self._all(Word.ASK, list[Asked], missing=list),
            ended=tuple(p.last_words for p in self._crew if p.is_gone),
        )
        return judge_rollback(seen, self.before, self._own)

    def _wait_for_all(self, ordered_ns: int) -> None:
        """Let traffic go on until all have followed, for a while at least and not for ever."""
        while True:
            time.sleep(max(0.05, _AFTER_S - (time.monotonic_ns() - ordered_ns) / 1e9))
            stands = self._all(Word.STATE, Stand, missing=Stand)
            followed = (p.is_gone or s.last == self._back for p, s in zip(self._crew, stands, strict=True))
            if all(followed) or (time.monotonic_ns() - ordered_ns) / 1e9 > FOLLOW_S:
                return

    def _until_all_answer_by(self, release: str) -> list[list[Asked]]:
        """Ask until all decisions of all processes are by one release, and all that it needs is open.

        Raises:
            TargetError: that does not come about.
        """
        until = time.monotonic() + _OPEN_S
        while True:
            stands = self._all(Word.STATE, Stand)
            trouble = next((s.trouble for s in stands if s.trouble), "")
            if not trouble:
                found = self._all(Word.ASK, list[Asked])
                if all(call.by == release for calls in found for call in calls):
                    return found
                trouble = f"decisions are not all by {release or 'people'}"
            if time.monotonic() > until:
                raise TargetError(f"the drill cannot begin: {trouble}", fix="mend that, and run it again")
            time.sleep(0.05)

    def _steer(self, action: Action, release: str = "") -> None:
        control = Control(action=action, by=_BY, reason="practised", release=release)
        self._ledger.append(Draft(kind="control", system=self._name, body=msgspec.json.encode(control)))

    def _all(self, word: Word, type_: type[T], *, missing: Callable[[], T] | None = None) -> list[T]:
        """Tell every process, and hear from each; ``missing`` stands for what one that is gone would have said."""
        for process in self._crew:
            process.tell(word)
        return [process.hear(type_, _OPEN_S, missing) for process in self._crew]


class Process:
    """One process of a drill. Use it as a context manager."""

    def __init__(self, order: Order) -> None:
        """A process that has been started and told what it is for."""
        self._said: IO[bytes] = tempfile.TemporaryFile(mode="a+b")  # noqa: SIM115 - closed with the process
        self._replies: queue.Queue[bytes] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "plimsoll.assembly.drill_host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )
        self._reader = threading.Thread(target=self._read, name="plimsoll-drill", daemon=True)
        self._reader.start()
        self.is_gone = False
        self._send(order)

    @property
    def last_words(self) -> str:
        """The end of what it said on stderr."""
        self._said.seek(0)
        text = self._said.read().decode("utf-8", "replace").strip().splitlines()
        if text:
            return text[-1][:300]
        try:
            return f"exit code {self._process.wait(timeout=5)}"
        except subprocess.TimeoutExpired:
            return "it says nothing"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            if self._process.stdin is not None:
                with suppress(OSError):  # what was still to be told, to one that has ended
                    self._process.stdin.close()
            try:
                self._process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._reader.join()
        self._said.close()

    def tell(self, word: Word) -> None:
        """Tell it what to do; it does the one after the other."""
        self._send(word)

    def hear(self, type_: type[T], within_s: float, missing: Callable[[], T] | None = None) -> T:
        """What it replies.

        Raises:
            TargetError: it ended, or says nothing for so long, and ``missing`` is None.
        """
        try:
            line = b"" if self.is_gone else self._replies.get(timeout=within_s)
        except queue.Empty:
            self._process.kill()
            line = b""
        if line:
            return msgspec.json.decode(line, type=type_)
        self.is_gone = True
        if missing is None:
            raise TargetError(
                f"a process of the drill ended: {self.last_words}", fix="mend what it says, and run it again"
            )
        return missing()

    def _send(self, value: Any) -> None:
        if self._process.stdin is None or self.is_gone:
            return
        try:
            self._process.stdin.write(msgspec.json.encode(value) + b"\n")
            self._process.stdin.flush()
        except OSError:  # it has ended; `hear` will tell
            return

    def _read(self) -> None:
        if self._process.stdout is not None:
            for line in self._process.stdout:
                self._replies.put(line)
        self._replies.put(b"")


@contextmanager
def _watched(every_s: float = 0.01) -> Iterator[list[float]]:
    """Seconds by which a thread that only sleeps woke up too late: then the machine stood still, or had no time."""
    late: list[float] = []
    ending = threading.Event()

    def sleep() -> None:
        while not ending.is_set():
            before = time.monotonic()
            time.sleep(every_s)
            late[:] = [max([*late, time.monotonic() - before - every_s])]

    watcher = threading.Thread(target=sleep, name="plimsoll-drill-stalls", daemon=True)
    watcher.start()
    try:
        yield late
    finally:
        ending.set()
        watcher.join()

"""The load driver against a cell: a child process over a Unix socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plimsoll.engine.cell import serve_cell
from plimsoll.engine.load import Settings, drive
from plimsoll.engine.load_cell import CellLink, CellTarget
from plimsoll.engine.load_schedule import Schedule
from plimsoll.engine.load_window import Outcome, quantile
from plimsoll.errors import TargetError, UsageError
from plimsoll.model.decision import Disposition

pytestmark = pytest.mark.alone


def records(*says: str) -> list[bytes]:
    return [json.dumps({"say": s}).encode() for s in says]


async def offer(target, schedules, settings=Settings(timeout_s=3.0), asked=(b"{}",), *, after=lambda _: None):  # noqa: B008  # frozen
    link = CellLink(target, asked)
    await link.open()
    try:
        windows = [await drive(link, schedule, settings) for schedule in schedules]
        after(link)
        return windows
    finally:
        await link.close()


def calls(rate: float, count: int) -> Schedule:
    return Schedule(rate=rate, count=count)


@pytest.mark.parametrize("kind", ["say", "asay"])
def test_each_disposition_is_counted_as_what_it_is(cell, run, kind):
    asked = records(*(d.value for d in Disposition), "nonsense")
    (window,) = run(offer(cell(kind, 0.001), [calls(300, 70)], asked=asked))
    expected = {d.name: 10 for d in Disposition}
    expected["FAILED"] += 10  # a word that is no disposition
    assert {o.name: window.count(o) for o in Outcome if window.count(o)} == expected
    assert window.errors == {"disposition failed": 20, "disposition shed": 10}


def test_the_rate_and_the_latency_are_those_of_the_schedule(cell, run):
    (window,) = run(offer(cell("slow", 0.02), [calls(200, 100)]))
    assert window.count(Outcome.ANSWERED) == 100
    assert quantile(window.latencies(), 0.5) == pytest.approx(0.02, abs=0.01)
    assert window.sending_s == pytest.approx(99 / 200, abs=0.05)


@pytest.mark.parametrize("kind", ["raises", "exits"])
def test_a_fault_of_the_target_is_a_failed_call_and_the_cell_goes_on(cell, run, kind):
    (window,) = run(offer(cell(kind), [calls(200, 20)]))
    assert window.errors == {"disposition failed": 20}


def test_what_the_target_prints_does_not_reach_our_output(cell, run, capfd):
    (window,) = run(offer(cell("chatty"), [calls(200, 20)]))
    assert window.count(Outcome.ANSWERED) == 20
    assert capfd.readouterr() == ("", "")


def test_a_cell_that_dies_fails_the_rest_at_once(cell, run):
    begun = time.perf_counter()
    first, second = run(offer(cell("crash", 20), [calls(100, 300), calls(100, 300)]))
    assert time.perf_counter() - begun < 3.0  # both windows would have taken three seconds each
    assert 10 <= first.count(Outcome.ANSWERED) < 20
    assert first.count(Outcome.FAILED) == 300 - first.count(Outcome.ANSWERED)
    assert second.count(Outcome.FAILED) == 300
    (kind,) = second.errors
    assert kind in {"process ended with exit code 7", "connection to the process lost"}
    assert first.latencies()[-1] == 3.0  # no reply: not answered within any time shorter than the timeout


def test_a_reply_after_the_time_allowed_is_late(cell, run):
    (window,) = run(offer(cell("slow", 0.06), [calls(100, 20)], Settings(timeout_s=3.0, late_after_s=0.05)))
    assert window.count(Outcome.LATE) == 20


def test_replies_to_calls_that_were_given_up_do_not_count_in_the_next_window(cell, run):
    async def main(target):
        link = CellLink(target, [b"{}"])
        await link.open()
        try:
            first = await drive(link, calls(100, 8), Settings(timeout_s=0.1))
            hurried = await link.drain(0.01)
            drained = await link.drain(3.0)
            return first, hurried, drained, await drive(link, calls(100, 8), Settings(timeout_s=2.0))
        finally:
            await link.close()

    first, hurried, drained, second = run(main(cell("sulk", 8)))
    assert first.count(Outcome.LATE) == 8
    assert (hurried, drained) == (False, True)
    assert second.count(Outcome.ANSWERED) == 8


def test_large_records_pass(cell, run):
    asked = [json.dumps({"say": "held", "scan": "x" * 300_000}).encode()]
    (window,) = run(offer(cell("say"), [calls(50, 10)], asked=asked))
    assert window.count(Outcome.HELD) == 10


def test_a_process_that_ends_before_it_listens_is_reported_with_its_last_words(cell, run):
    with pytest.raises(TargetError, match="exit code 1 before it listened") as caught:
        run(offer(cell("stillborn"), [calls(1, 1)]))
    assert "the model file is missing" in str(caught.value)


def test_a_process_that_never_listens_is_given_up_and_ended(cell, run):
    begun = time.perf_counter()
    with pytest.raises(TargetError, match=r"did not listen within 0\.5 s"):
        run(offer(cell("mute", start_s=0.5), [calls(1, 1)]))
    assert time.perf_counter() - begun < 12


def test_a_command_that_does_not_exist_is_reported(run):
    with pytest.raises(TargetError, match="cannot be started"):
        run(offer(CellTarget(argv=("/no/such/command",)), [calls(1, 1)]))


def test_the_process_is_gone_after_the_run_and_its_folder_too(cell, run):
    seen = []

    def look(link: CellLink) -> None:
        seen.append((link.pid, link.folder))
        assert link.folder.exists()

    run(offer(cell("say"), [calls(100, 2)], asked=records("held"), after=look))
    ((pid, folder),) = seen
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_cell_is_either_threads_or_tasks(tmp_path):
    with pytest.raises(UsageError):
        serve_cell(str(tmp_path / "s"))
    with pytest.raises(UsageError):
        serve_cell(str(tmp_path / "s"), str.upper, threads=0)  # type: ignore[arg-type]  # what a caller may get wrong


def test_the_side_of_the_child_does_not_load_the_driver():
    """A cell's process measures nothing; what it imports is the system's own time to start."""
    code = "import sys, plimsoll.engine.cell; print([m for m in sys.modules if m.split('.')[0] in ('uvloop', 'httptools')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert said.stdout.strip() == "[]"

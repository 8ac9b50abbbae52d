"""Stability, measured on real processes: cells and HTTP services, sound and overloaded."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from plimsoll.assess.run import About, Run
from plimsoll.assess.stability import Step, assess_stability, measure, path_of, raw_results
from plimsoll.assess.stability_plan import StabilityPlan
from plimsoll.engine.load_cell import CellTarget
from plimsoll.engine.load_request import HttpTarget
from plimsoll.errors import TargetError
from plimsoll.ledger import Ledger
from plimsoll.model.details import StabilityDetail
from plimsoll.model.evidence import Draw, Ended, Evidence, Proportion, Repeats
from plimsoll.model.quantity import Quantity
from plimsoll.model.threshold import Condition

pytestmark = pytest.mark.alone

_ENGINE = Path(__file__).parents[1] / "engine"
CONDITIONS = tuple(Condition.parse(t) for t in ("stability.latency_p99 <= 100ms", "stability.error_rate <= 5%"))


def plan(peak: str = "200/s", **more) -> StabilityPlan:
    small = {"samples": 30, "warm_up_s": 0.1, "pause_s": 0.01, "drain_s": 3.0, "timeout_s": 3.0}
    return StabilityPlan(**({"peak": Quantity.parse(peak)} | small | more))


def cell(kind: str, value: float = 0) -> CellTarget:
    return CellTarget(argv=(sys.executable, str(_ENGINE / "cell_child.py"), kind, str(value)))


@pytest.fixture
def serve() -> Iterator[Callable[..., HttpTarget]]:
    running: list[subprocess.Popen[bytes]] = []

    def start(kind: str, *values: float) -> HttpTarget:
        argv = [sys.executable, str(_ENGINE / "load_server.py"), kind, *map(str, values)]
        server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        running.append(server)
        assert server.stdout is not None
        return HttpTarget(url=f"http://127.0.0.1:{int(server.stdout.readline())}/")

    yield start
    for server in running:
        server.communicate(timeout=10)


def of(measured, metric: str):
    return next(g for g in measured.given if g.metric == metric)


def test_a_guard_in_process_is_measured_at_every_stage_in_every_round():
    steps: list[Step] = []
    records = [b'{"say": "answered"}', b'{"say": "held"}']
    measured = measure(plan(), cell("say"), records, tick=steps.append, notes=["Records repeat."])
    assert [(p.planned.round, p.planned.multiple) for p in measured.passed] == [
        (r, m) for r in (1, 2, 3) for m in (1.0, 2.0, 3.0)
    ]
    assert of(measured, "stability.error_rate").sample == Proportion(hits=0, total=90)
    assert len(of(measured, "stability.load").sample.values) == 3
    assert measured.detail.path == "guard in process"
    assert measured.detail.note.endswith("Records repeat.")
    assert sorted({s.done for s in steps}) == list(range(10))
    assert steps[0].round == 0  # the warm-up is shown, and not counted
    assert sum(p.result.offered for p in measured.passed) == 9 * 30
    assert len(msgspec.json.decode(raw_results(measured))) == 9 + len(measured.set_aside)


@pytest.mark.parametrize("kind", ["cell", "http"])
def test_an_overloaded_system_holds_its_peak_and_not_four_times_it(serve, kind):
    target = cell("serial", 0.002) if kind == "cell" else serve("serial", 0.002)  # less than 500 a second
    measured = measure(plan("250/s", samples=150, stages=(1.0, 4.0)), target, [b"{}"], conditions=CONDITIONS)
    held = of(measured, "stability.load").sample
    assert isinstance(held, Repeats)
    assert max(held.values) == 1.0
    slower = of(measured, "stability.degradation").sample
    assert max(slower.values) > 3
    assert "stability.latency_p99 was" in measured.detail.note
    assert [s.held for s in measured.detail.stages][1] is False


def test_a_system_that_dies_in_mid_run_fails_the_rest_and_does_not_hang():
    measured = measure(plan(), cell("crash", 80), [b"{}"], conditions=CONDITIONS)
    assert of(measured, "stability.error_rate").sample == Proportion(hits=90, total=90) or (
        of(measured, "stability.error_rate").sample.hits >= 60
    )
    assert min(of(measured, "stability.load").sample.values) == 0.0
    assert "process" in of(measured, "stability.error_rate").finding


def test_replies_after_the_deadline_and_its_grace_are_late_for_a_guard():
    short = plan("100/s", samples=10, stages=(1.0, 2.0), warm_up_s=0.05)
    late = measure(msgspec.structs.replace(short, deadline=Quantity.parse("20ms")), cell("slow", 0.1), [b"{}"])
    assert of(late, "stability.error_rate").sample == Proportion(hits=30, total=30)
    timely = measure(msgspec.structs.replace(short, deadline=Quantity.parse("90ms")), cell("slow", 0.1), [b"{}"])
    assert of(timely, "stability.error_rate").sample.hits < 30


def test_errors_and_shedding_of_an_http_service_are_counted(serve):
    failing = measure(plan(), serve("status", 500), [b"{}"])
    assert of(failing, "stability.error_rate").sample == Proportion(hits=90, total=90)
    assert of(failing, "stability.shed_rate").sample.hits == 0
    shedding = measure(plan(), serve("status", 503), [b"{}"])
    assert of(shedding, "stability.shed_rate").sample == Proportion(hits=90, total=90)
    assert of(shedding, "stability.load").sample == Repeats(values=(0.0, 0.0, 0.0))


def test_a_service_that_is_not_there_is_no_evidence_but_an_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TargetError, match=r"replied to none of 20 warm-up calls \(connection refused\)"):
        measure(plan(), HttpTarget(url=f"http://127.0.0.1:{port}/"), [b"{}"])


def test_a_guard_that_does_not_start_is_an_error_with_its_last_words():
    with pytest.raises(TargetError, match="the model file is missing"):
        measure(plan(), cell("stillborn"), [b"{}"])


def test_a_driver_without_its_processor_gives_unhealthy_evidence():
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            pass

    threads = [threading.Thread(target=spin) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        measured = measure(plan(warm_up_s=0.0, samples=20, stages=(1.0,), repeats=1), cell("say"), [b'{"say": "held"}'])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert of(measured, "stability.load").unhealthy
    assert not all(stage.healthy for stage in measured.detail.stages)
    again = [p for p in measured.set_aside if not p.result.healthy]
    assert len(again) == len(measured.set_aside) > 0  # tried again, and said so
    assert "was run again: the driver" in measured.detail.note


def test_a_query_that_may_hold_a_secret_is_not_written_down():
    assert path_of(HttpTarget(url="http://h/x?key=secret")) == "HTTP target http://h/x"


def test_a_started_run_records_every_piece_of_evidence_as_fresh_samples_and_the_detail(tmp_path):
    about = About(system="s", release="sha256:r", threshold="sha256:t", people="sha256:p")
    records, how = [b'{"say": "held"}'], plan()
    with Ledger.open(tmp_path / "ledger.db", signer=None) as ledger:
        protocol = how.protocol("guard in process", records, CONDITIONS)
        with Run(ledger, about, assessment="stability", protocol=protocol) as run:
            detail = assess_stability(run, how, cell("say"), records, conditions=CONDITIONS, confidence=0.95)
        bodies = {kind: [] for kind in ("assessment.started", "evidence", "assessment.ended")}
        for entry in ledger.entries(kinds=tuple(bodies)):
            bodies[entry.kind].append(ledger.body(entry))
    evidence = [msgspec.json.decode(body, type=Evidence) for body in bodies["evidence"]]
    assert len(evidence) == 6
    assert {(e.draw, e.release, e.run, e.protocol) for e in evidence} == {
        (Draw.FRESH, "sha256:r", run.id, run.protocol)
    }
    (ended,) = bodies["assessment.ended"]
    assert msgspec.json.decode(msgspec.json.decode(ended, type=Ended).detail, type=StabilityDetail) == detail


def test_an_interrupt_in_mid_run_leaves_no_process_behind(tmp_path):
    script = tmp_path / "measure.py"
    script.write_text(
        "import sys\n"
        "from plimsoll.assess.stability import measure\n"
        "from plimsoll.assess.stability_plan import StabilityPlan\n"
        "from plimsoll.engine.load_cell import CellTarget\n"
        "from plimsoll.model.quantity import Quantity\n"
        "plan = StabilityPlan(peak=Quantity(5, '/s'))\n"
        "def tick(step): print(step.round, flush=True)\n"
        f"measure(plan, CellTarget(argv=(sys.executable, {str(_ENGINE / 'cell_child.py')!r}, 'slow', '0.01')), [b'{{}}'], tick=tick)\n"
    )
    driver = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert driver.stdout is not None
    assert driver.stdout.readline() == b"0\n"  # the warm-up has begun, so the cell is up
    children = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
    assert len(children) == 1
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=20)
    assert b"KeyboardInterrupt" in said
    assert not Path(f"/proc/{children[0]}").exists()

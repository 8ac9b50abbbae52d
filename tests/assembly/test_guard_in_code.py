"""`Guard.open` in a program: forks, event loops, threads, bytes and arrays, a clock that goes back, use after close."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from cli.tiny_system import environment

from plimsoll import Guard
from plimsoll.assembly.project import Project
from plimsoll.errors import InputError, InvalidFile, StoreClosed, TargetError, UsageError
from plimsoll.guard import Guard as BareGuard
from plimsoll.ledger import Draft, Ledger, verify_ledger
from plimsoll.model.control import Action
from plimsoll.model.decision import DecisionRecord, Disposition


def record_of(tiny, answer) -> DecisionRecord:
    import msgspec  # noqa: PLC0415 - only here

    with Project(tiny.manifest).open_ledger(read_only=True) as ledger:
        entry = ledger.get(answer.record)
        assert entry is not None
        return msgspec.json.decode(ledger.body(entry), type=DecisionRecord)


def test_a_forked_process_decides_in_a_stream_of_its_own(tiny):
    """As pre-forking servers do: opened once, forked often."""
    program = """\
import os, sys, warnings
warnings.simplefilter("error")
from plimsoll import Guard
with Guard.open(sys.argv[1]) as guard:
    print(guard.decide("tell-parity", {"number": 1}).record, flush=True)
    children = []
    for n in range(3):
        child = os.fork()
        if child == 0:
            print(guard.decide("tell-parity", {"number": n}).record, flush=True)
            guard.close()
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    print(guard.decide("tell-parity", {"number": 2}).record, flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny.manifest)], capture_output=True, text=True, env=environment(),
        timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    records = done.stdout.split()
    assert len(set(records)) == 5
    assert len({record.partition("-")[0] for record in records}) == 4  # the parent's stream and one for each child
    with Project(tiny.manifest).open_ledger(read_only=True) as ledger:
        assert all(ledger.get(record) is not None for record in records)
    assert verify_ledger(tiny.ledger).ok


def test_a_child_that_only_exits_leaves_the_parent_as_it_was(tiny):
    program = """\
import os, sys
from plimsoll import Guard
guard = Guard.open(sys.argv[1])
guard.decide("tell-parity", {"number": 1})
if os.fork() == 0:
    sys.exit(0)
os.wait()
guard.decide("tell-parity", {"number": 2})
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny.manifest)], capture_output=True, text=True, env=environment(),
        timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    with Project(tiny.manifest).open_ledger(read_only=True) as ledger:
        assert sum(1 for _ in ledger.entries(kinds=("decision",))) == 2
    assert verify_ledger(tiny.ledger).ok


def test_it_works_inside_a_running_event_loop_as_in_a_notebook(tiny):
    async def cell():
        with Guard.open(tiny.manifest) as guard:
            direct = guard.decide("tell-parity", {"number": 1})
            awaited = await asyncio.gather(*(guard.adecide("tell-parity", {"number": n}) for n in range(50)))
            return direct, awaited

    direct, awaited = asyncio.run(cell())
    assert direct.output == {"parity": "odd"}
    assert [answer.output["parity"] for answer in awaited] == ["even", "odd"] * 25
    assert len({answer.record for answer in awaited}) == 50
    assert verify_ledger(tiny.ledger).ok


def test_threads_share_one_guard(tiny):
    answers = []
    with Guard.open(tiny.manifest) as guard:
        threads = [
            threading.Thread(
                target=lambda: answers.extend(guard.decide("tell-parity", {"number": n}) for n in range(25))
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({answer.record for answer in answers}) == 100


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        (b'{"number": 3}', {"number": 3}),
        (bytearray(b'{"number": 3}'), {"number": 3}),
        (memoryview(b'{"number": 3}'), {"number": 3}),
        ({"number": np.int64(3)}, {"number": 3}),
        ({"number": np.array(3)}, {"number": 3}),
    ],
)
def test_bytes_and_arrays_are_taken_and_recorded_as_json(tiny, given, recorded):
    with Guard.open(tiny.manifest) as guard:
        answer = guard.decide("tell-parity", given)
    assert answer.disposition is Disposition.ANSWERED, answer
    assert answer.output == {"parity": "odd"}
    assert json.loads(record_of(tiny, answer).input_json) == recorded


@pytest.mark.parametrize(
    "given", [{"number": np.array([1, 2])}, {"number": np.nan}, b"\xff", np.zeros(3), object(), {1: 2}]
)
def test_what_breaks_its_contract_is_quarantined_and_never_raises(tiny, given):
    with Guard.open(tiny.manifest) as guard:
        answer = guard.decide("tell-parity", given)
    assert answer.disposition is Disposition.QUARANTINED
    assert answer.broken
    assert record_of(tiny, answer).disposition is Disposition.QUARANTINED


def test_a_function_of_the_targets_package_can_take_its_place(tiny):
    tiny.write(
        "parity.py",
        "def predict(record):\n    return {'parity': 'odd'}\n\n\nasync def later(record):\n    return {'parity': 'even'}\n",
    )
    with Guard.open(tiny.manifest) as guard:
        import parity  # noqa: PLC0415 - beside the manifest, so only now on the path

        answer = guard.decision("tell-parity")(parity.later)({"number": 1})
        assert answer.output == {"parity": "even"}
        assert answer.release == guard.settings.release
    assert record_of(tiny, answer).release == answer.release


def test_a_function_from_elsewhere_is_refused_before_it_decides_anything(tiny):
    with Guard.open(tiny.manifest) as guard:
        with pytest.raises(UsageError) as caught:

            @guard.decision("tell-parity")
            def here(record):
                return {"parity": "even"}

        assert f"is in {__file__}, which the release does not cover" in caught.value.message
        assert "put it into a file of 'parity'" in caught.value.fix
        assert list(guard.ledger.entries(kinds=("decision",))) == []


def test_a_guard_that_knows_no_release_wraps_no_function(tiny):
    parts = Project(tiny.manifest).guard_parts()
    unknown = {**parts, "hold_to_release": None}
    with Ledger.open(tiny.folder / "other.db") as ledger, BareGuard(ledger=ledger, **unknown) as guard:
        wrap = guard.decision("tell-parity")
        with pytest.raises(UsageError, match="without a release"):
            wrap(parts["target"].call)


def test_a_clock_that_goes_back_stops_nothing(tiny):
    project = Project(tiny.manifest)
    times = iter(range(10**18, 0, -(10**12)))
    with Ledger.open(tiny.folder / "back.db", clock=lambda: next(times)) as ledger:
        with BareGuard(ledger=ledger, **project.guard_parts()) as guard:
            answers = [guard.decide("tell-parity", {"number": n}, key=f"k{n}") for n in range(20)]
            again = [guard.decide("tell-parity", {"number": n}, key=f"k{n}") for n in range(20)]
        assert [a.record for a in again] == [a.record for a in answers]
        ledger.append(Draft(kind="note", body=b"later, by an earlier clock"))
        assert [e.seq for e in ledger.entries(kinds=("decision",))] == sorted(
            e.seq for e in ledger.entries(kinds=("decision",))
        )
    report = verify_ledger(tiny.folder / "back.db")
    assert report.ok, report.lines()


def test_a_guard_that_is_closed_says_so(tiny):
    guard = Guard.open(tiny.manifest)
    guard.close()
    guard.close()  # twice is no error
    with pytest.raises(StoreClosed):
        guard.decide("tell-parity", {"number": 1})


def test_what_cannot_be_opened_leaves_nothing_open(tiny):
    with pytest.raises(InputError, match="there is no manifest"):
        Guard.open(tiny.folder / "nowhere.yaml")
    tiny.change("plimsoll.yaml", "parity:predict", "parity:nothing")
    with pytest.raises(TargetError, match="has no 'nothing'"):
        Guard.open(tiny.manifest)
    tiny.change("plimsoll.yaml", "tier:", "teir:")
    with pytest.raises(InvalidFile) as caught:
        Guard.open(str(tiny.folder))  # the folder stands for its plimsoll.yaml
    assert any("'teir'" in problem.message for problem in caught.value.problems)
    assert not tiny.ledger.exists()


def test_the_current_folder_may_change_after_it_was_opened(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny.folder)
    with Guard.open("plimsoll.yaml", state=Path("elsewhere")) as guard:
        monkeypatch.chdir(tmp_path)
        answer = guard.decide("tell-parity", {"number": 1})
    with Project(tiny.manifest, state=tiny.folder / "elsewhere").open_ledger(read_only=True) as ledger:
        assert ledger.get(answer.record) is not None


def test_a_stop_is_obeyed_by_who_opens_later(tiny):
    from plimsoll.assembly.steering import steer  # noqa: PLC0415 - beside its use

    steer(Project(tiny.manifest), Action.STOP, type_="", by="ops@example.org", reason="smoke")
    with Guard.open(tiny.manifest) as guard:
        answer = guard.decide("tell-parity", {"number": 1})
    assert answer.disposition is Disposition.HELD
    assert "smoke" in answer.why

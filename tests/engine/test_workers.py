"""A pool of worker processes: real processes that crash, hang, hog and lie."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import uvloop

from plimsoll.engine.workers import WorkerFault, WorkerPool, WorkerSettings
from plimsoll.errors import TargetError

HERE = Path(__file__).parent
WITHIN_S = 10.0  # a machine's two cores are shared with whatever else runs; where a time is claimed, it is said


@contextmanager
def pool_of(reference="worker_beast:do", folders=(HERE,), **settings):
    pool = WorkerPool(WorkerSettings(reference=reference, folders=tuple(folders), **settings))
    pool.start()
    try:
        yield pool
    finally:
        pool.close()


def ask(pool, record, within_s=WITHIN_S, loop=asyncio):
    return loop.run(pool.ask(record, within_s)).output


def fault_of(pool, record, within_s=WITHIN_S):
    with pytest.raises(WorkerFault) as caught:
        asyncio.run(pool.ask(record, within_s))
    return caught.value.kind, str(caught.value)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(claim, within_s=WITHIN_S):
    limit = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < limit, "it did not become so"
        time.sleep(0.01)


def module(folder, name, text):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(textwrap.dedent(text))
    return folder


# ── answers ──


@pytest.mark.parametrize("loop", [asyncio, uvloop])
@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1.5, "grün \U0001f6a2 \0", b"\x00\xff", [1, [2, {"a": None}]], {"k": {"l": []}}, 2**63, 2**70, -(2**90),
     {"deep": [2**70, b"x", 2**70]}, math.inf, "x" * 3_000_000],
)  # fmt: skip
def test_a_value_goes_there_and_back(shared, loop, value):
    assert ask(shared, {"value": value}, loop=loop)["value"] == value


def test_tuples_arrays_and_dates_arrive_as_lists_and_dates(shared):
    moment = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
    given = {"t": (1, 2), "a": np.arange(3), "n": np.float32(0.5), "m": moment, "big": 2**70}
    assert ask(shared, {"value": given})["value"] == {
        "t": [1, 2],
        "a": [0, 1, 2],
        "n": 0.5,
        "m": moment,
        "big": 2**70,
    }


def test_what_a_result_says_comes_along():
    with pool_of("worker_beast:sure") as pool:
        returned = asyncio.run(pool.ask({"numbers": [1, 2]}, WITHIN_S))
    assert not returned.bare
    assert (returned.output, returned.confidence) == ({"sum": 3}, 0.75)
    assert (list(returned.sources), list(returned.reasons), returned.usage) == (["table"], ["7"], {"input_tokens": 3})


def test_an_asynchronous_callable_is_awaited_in_its_process():
    with pool_of("worker_beast:later") as pool:
        assert [ask(pool, n) for n in range(3)] == [{"later": n} for n in range(3)]


@pytest.fixture(scope="module")
def shared():
    with pool_of() as pool:
        yield pool


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({"do": "raise_"}, ("error", "ValueError: no good")),
        ({"do": "raise oddly"}, ("error", "Odd")),
        ({"do": "time out"}, ("timeout", "TimeoutError: its database was slow")),
        ({"do": "lose connection"}, ("error", "ConnectionResetError: gone")),
        ({"do": "leave"}, ("error", "SystemExit: 3")),
        ({"do": "interrupt"}, ("error", "KeyboardInterrupt: ")),
        ({"do": "surrogate error"}, ("error", "ValueError: ?")),
    ],
)
def test_what_is_raised_is_told_and_the_process_lives_on(shared, record, fault):
    before = ask(shared, {})["pid"]
    assert fault_of(shared, record) == fault
    assert ask(shared, {})["pid"] == before


@pytest.mark.parametrize("record", [{"do": "unsendable"}, {"do": "surrogate"}, {"do": "large", "size": (64 << 20) + 1}])
def test_an_answer_that_cannot_be_sent_is_invalid_and_the_process_lives_on(shared, record):
    before = ask(shared, {})["pid"]
    assert fault_of(shared, record)[0] == "invalid"
    assert ask(shared, {})["pid"] == before


@pytest.mark.parametrize("value", [object(), "\ud800", "x" * (64 << 20)])
def test_a_record_that_cannot_be_sent_is_invalid_and_nobody_is_asked(shared, value):
    assert fault_of(shared, {"value": value})[0] == "invalid"


def test_what_it_prints_does_not_reach_the_frames(capfd):
    with pool_of() as pool:
        assert [ask(pool, {"do": "print_"}) for _ in range(3)] == ["printed"] * 3
    said = capfd.readouterr()
    assert said.out == ""
    assert "said to standard output" in said.err


# ── what goes wrong in it ──


@pytest.mark.parametrize(
    ("do", "fault"),
    [
        ("segfault", ("crash", "its process was ended by SIGSEGV")),
        ("exit", ("crash", "its process ended with exit code 7")),
        ("abort", ("crash", "its process was ended by SIGABRT")),
        ("fork and die", ("crash", "its process ended with exit code 9")),
        ("loop", ("timeout", "it was still at it when its time was up, and was cut off")),
        ("hold the interpreter", ("timeout", "it was still at it when its time was up, and was cut off")),
        ("ignore signals", ("timeout", "it was still at it when its time was up, and was cut off")),
    ],
)
@pytest.mark.parametrize("loop", [asyncio, uvloop])
def test_one_call_fails_the_next_succeeds_and_nothing_else_notices(do, fault, loop):
    async def main(pool):
        beside = asyncio.create_task(pool.ask({"do": "sleep", "s": 0.6, "value": "beside"}, WITHIN_S))
        await asyncio.sleep(0.05)
        begun = time.perf_counter()
        with pytest.raises(WorkerFault) as caught:
            await pool.ask({"do": do}, 0.3)
        assert time.perf_counter() - begun < 0.35
        begun = time.perf_counter()
        after = await pool.ask({"value": "after"}, WITHIN_S)
        took = time.perf_counter() - begun
        assert not beside.done()
        return (caught.value.kind, str(caught.value)), after.output["value"], took, (await beside).output["value"]

    with pool_of(processes=2) as pool:
        eventually(lambda: len(pool.pids) == 3)
        found, after, took, beside = loop.run(main(pool))
        assert (found, after, beside) == (fault, "after", "beside")
        assert took < 0.15  # another process stood ready; a start of one takes longer
        eventually(lambda: len(pool.pids) == 3)


def test_the_call_after_a_crash_does_not_wait_for_a_start(tmp_path):
    slow = module(
        tmp_path,
        "slow_start",
        """
        import os, time
        time.sleep(1.0)
        def do(record):
            if record == "die":
                os._exit(1)
            return record
    """,
    )
    with pool_of("slow_start:do", [slow]) as pool:
        eventually(lambda: len(pool.pids) == 2)
        assert fault_of(pool, "die")[0] == "crash"
        begun = time.perf_counter()
        assert ask(pool, "next") == "next"
        assert time.perf_counter() - begun < 0.5


def test_a_process_that_closes_its_socket_and_lives_is_ended():
    with pool_of() as pool:
        begun = time.perf_counter()
        assert fault_of(pool, {"do": "close everything"}) == ("crash", "its process was ended by SIGKILL")
        assert time.perf_counter() - begun < 2.0
        assert ask(pool, {"value": 1})["value"] == 1


def test_every_call_of_many_that_crash_fails_alone():
    async def main(pool):
        ended = await asyncio.gather(
            *(pool.ask({"do": "exit" if n % 3 == 0 else "answer", "value": n}, 60.0) for n in range(60)),
            return_exceptions=True,
        )
        return [e.kind if isinstance(e, WorkerFault) else e.output["value"] for e in ended]

    with pool_of(processes=3) as pool:
        assert asyncio.run(main(pool)) == ["crash" if n % 3 == 0 else n for n in range(60)]


def test_memory_is_bounded_where_it_is_asked_for():
    with pool_of(memory_mib=1024) as pool:
        assert fault_of(pool, {"do": "hog", "mib": 2048}) == ("error", "MemoryError: ")
        assert ask(pool, {"do": "hog", "mib": 16}) == 16 << 20


def test_what_a_process_started_ends_with_it(tmp_path):
    note = tmp_path / "pid"
    with pool_of() as pool:
        assert fault_of(pool, {"do": "start a process", "note": str(note)}, 0.5)[0] == "timeout"
        eventually(lambda: not alive(int(note.read_text())))


def test_a_process_killed_from_outside_is_replaced():
    with pool_of() as pool:
        eventually(lambda: len(pool.pids) == 2)
        before = pool.pids
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: len(pool.pids) == 2 and not {*pool.pids} & {*before})
        assert ask(pool, {"value": 1})["value"] == 1


def test_a_caller_who_gives_up_waiting_for_the_last_words_of_a_process_does_not_cost_the_pool_its_place():
    """Whoever keeps the place must not be ended by a caller's cancellation, or by the time that last words have."""
    with pool_of() as pool:
        eventually(lambda: len(pool.pids) == 2)
        before = list(pool._idle)

        async def give_up():
            waiting = [asyncio.create_task(worker.last_words()) for worker in before]
            await asyncio.sleep(0.01)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

        asyncio.run(give_up())
        for worker in before:
            os.kill(worker.pid, signal.SIGKILL)
        eventually(lambda: len(pool.pids) == 2 and not {*pool.pids} & {worker.pid for worker in before})
        assert ask(pool, {"value": 1})["value"] == 1


# ── who waits ──


def test_no_more_calls_run_at_once_than_there_are_processes():
    async def main(pool):
        begun = time.perf_counter()
        answers = await asyncio.gather(*(pool.ask({"do": "sleep", "s": 0.2}, WITHIN_S) for _ in range(4)))
        return time.perf_counter() - begun, {a.output["pid"] for a in answers}

    with pool_of(processes=2) as pool:
        eventually(lambda: len(pool.pids) == 3)
        took, pids = asyncio.run(main(pool))
        assert took > 0.4
        assert len(pids) == 2


def test_a_call_that_finds_no_free_process_in_its_time_was_never_made():
    async def main(pool):
        busy = asyncio.create_task(pool.ask({"do": "sleep", "s": 0.5, "value": 1}, WITHIN_S))
        await asyncio.sleep(0.05)
        begun = time.perf_counter()
        with pytest.raises(WorkerFault) as caught:
            await pool.ask({}, 0.1)
        took = time.perf_counter() - begun
        assert (await busy).output["value"] == 1
        assert (await pool.ask({"value": 2}, WITHIN_S)).output["value"] == 2
        return caught.value.kind, took

    with pool_of() as pool:
        kind, took = asyncio.run(main(pool))
    assert kind == "unavailable"
    assert 0.09 < took < 0.15


def test_a_call_without_time_is_not_made(shared):
    assert fault_of(shared, {}, 0.0)[0] == "timeout"
    assert fault_of(shared, {}, -1.0)[0] == "timeout"


def test_a_caller_who_is_cancelled_ends_the_call_and_leaves_no_process_in_use():
    async def main(pool):
        for moment in (0, 0.002, 0.05):
            task = asyncio.create_task(pool.ask({"do": "loop"}))
            waiting = asyncio.create_task(pool.ask({}))
            await asyncio.sleep(moment)
            waiting.cancel()
            task.cancel()
            for each in (task, waiting):
                with suppress(asyncio.CancelledError):
                    await each
            assert (await pool.ask({"value": 1}, WITHIN_S)).output["value"] == 1

    with pool_of() as pool:
        asyncio.run(main(pool))


def test_loops_in_several_threads_share_one_pool():
    def work(number):
        async def main():
            return [(await pool.ask({"value": (number, n)}, 60.0)).output["value"] for n in range(50)]

        found[number] = (uvloop if number % 2 else asyncio).run(main())

    found: dict[int, list] = {}
    with pool_of(processes=2) as pool:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert found == {number: [[number, n] for n in range(50)] for number in range(4)}


def test_a_loop_that_ends_in_mid_call_leaves_no_process_in_use():
    with pool_of() as pool:
        loop = asyncio.new_event_loop()
        task = loop.create_task(pool.ask({"do": "loop"}))
        loop.run_until_complete(asyncio.sleep(0.05))
        task.cancel()
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()
        assert ask(pool, {"value": 1})["value"] == 1


# ── starting ──


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise RuntimeError('weights are missing')", "failed with RuntimeError: weights are missing"),
        ("import no_such_thing_at_all", "it needs 'no_such_thing_at_all', which is not installed"),
        ("import sys; sys.exit(4)", "failed with SystemExit: 4"),
        ("import os; os._exit(4)", "the process ended with exit code 4"),
        ("import ctypes; ctypes.string_at(0)", "the process was ended by SIGSEGV"),
        ("import time; time.sleep(100)", "took more than 0.5 s"),
        ("def do(record", "SyntaxError"),
        ("do = 3", "is a int, not a callable"),
        ("x = 1", "has no 'do'"),
    ],
)
def test_a_callable_that_cannot_be_started_is_said_at_once_with_what_to_do(tmp_path, text, said):
    module(tmp_path, "broken", text)
    before = threads_and_files()
    with (
        pytest.raises(TargetError) as caught,
        pool_of("broken:do", [tmp_path], start_s=0.5 if "sleep" in text else 60.0),
    ):
        pass
    assert said in caught.value.message
    assert caught.value.fix
    assert threads_and_files() == before


def test_a_module_that_is_not_there_is_said_with_where_it_was_looked_for(tmp_path):
    with pytest.raises(TargetError, match="there is no module 'nowhere'") as caught, pool_of("nowhere:do", [tmp_path]):
        pass
    assert str(tmp_path) in caught.value.message


def test_a_start_that_begins_to_fail_is_tried_with_growing_pauses_and_works_again_once_mended(tmp_path):
    starts = tmp_path / "starts"
    folder = module(
        tmp_path / "code",
        "counted",
        text := f"""
        with open({str(starts)!r}, "a") as file:
            file.write("x")
        def do(record):
            return record
    """,
    )
    with pool_of("counted:do", [folder]) as pool:
        eventually(lambda: len(pool.pids) == 2)
        module(folder, "counted", text + "\n        raise RuntimeError('half a deployment')\n")
        starts.write_text("")
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: not pool.pids and len(starts.read_text()) >= 3)  # one of the two has tried again
        begun = time.monotonic()
        with pytest.raises(WorkerFault, match="half a deployment") as caught:
            asyncio.run(pool.ask(1, WITHIN_S))
        assert caught.value.kind == "unavailable"
        assert caught.value.retry_after_s is not None
        assert time.monotonic() - begun < 1.0  # it does not wait for what will not come
        time.sleep(1.5)
        assert len(starts.read_text()) <= 10  # two keepers, pauses of 0.1, 0.2, 0.4, 0.8 s
        module(folder, "counted", text)
        eventually(lambda: bool(pool.pids))
        assert ask(pool, 1) == 1


def test_a_process_that_ends_by_itself_unasked_is_not_started_over_and_over(tmp_path):
    starts = tmp_path / "starts"
    folder = module(
        tmp_path / "code",
        "brief",
        f"""
        import os, threading
        with open({str(starts)!r}, "a") as file:
            file.write("x")
        threading.Timer(0.05, os._exit, [5]).start()
        def do(record):
            return record
    """,
    )
    with pool_of("brief:do", [folder]):
        time.sleep(1.5)
        assert len(starts.read_text()) <= 12


def test_two_versions_of_a_module_run_side_by_side(tmp_path):
    for version in ("one", "two"):
        module(tmp_path / version, "versioned_part", f"NAME = {version!r}")
        module(tmp_path / version, "versioned", "import versioned_part\ndef do(record): return versioned_part.NAME")
    with pool_of("versioned:do", [tmp_path / "one"]) as one, pool_of("versioned:do", [tmp_path / "two"]) as two:
        assert [ask(one, 0), ask(two, 0), ask(one, 0)] == ["one", "two", "one"]
    assert "versioned" not in sys.modules


# ── the end ──


def threads_and_files():
    """The pool's threads, and the open descriptors of this process."""
    files = {}
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            files[entry.name] = str(entry.readlink())
    return sum(t.name == "plimsoll-worker" for t in threading.enumerate()), files


def test_after_close_there_is_no_process_no_thread_and_no_descriptor():
    before = threads_and_files()
    with pool_of(processes=2) as pool:
        asyncio.run(pool.ask({}, WITHIN_S))
        fault_of(pool, {"do": "exit"})
        eventually(lambda: len(pool.pids) == 3)
        pids = pool.pids
        pool.close()
        assert not any(alive(pid) for pid in pids)
        assert threads_and_files() == before
        assert fault_of(pool, {}) == ("unavailable", "the pool is closed")


def test_close_ends_calls_that_hang():
    async def main(pool):
        calls = [asyncio.create_task(pool.ask({"do": "hold the interpreter"})) for _ in range(3)]
        await asyncio.sleep(0.1)
        begun = time.perf_counter()
        await asyncio.to_thread(pool.close)
        ended = await asyncio.gather(*calls, return_exceptions=True)
        return [e.kind for e in ended], time.perf_counter() - begun

    with pool_of() as pool:
        kinds, took = asyncio.run(main(pool))
    assert kinds == ["unavailable"] * 3
    assert took < 2.0


OWNER = """
import asyncio, os, sys, time
from pathlib import Path
from plimsoll.engine.workers import WorkerPool, WorkerSettings

pool = WorkerPool(WorkerSettings(reference="worker_beast:do", folders=(Path(sys.argv[1]),), processes=2))
pool.start()
async def main():
    calls = [asyncio.create_task(pool.ask({"do": sys.argv[2]})) for _ in range(2)]
    while len(pool.pids) < 3:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    print(*pool.pids, flush=True)
    if sys.argv[3] == "wait":
        await asyncio.sleep(100)
if sys.argv[3] == "end":
    asyncio.get_event_loop_policy().new_event_loop().run_until_complete(asyncio.wait_for(main(), 10))
    os._exit(0)
asyncio.run(main())
"""


@pytest.mark.parametrize("do", ["hold the interpreter", "ignore signals"])
@pytest.mark.parametrize("how", ["kill -9", "leave without a word"])
def test_the_processes_end_with_their_owner_however_it_ends(do, how):
    argv = [sys.executable, "-c", OWNER, str(HERE), do, "wait" if how == "kill -9" else "end"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as owner:
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 3
        if how == "kill -9":
            assert all(alive(pid) for pid in pids)
            owner.kill()
        owner.wait(10)
        eventually(lambda: not any(alive(pid) for pid in pids), 2.0)


def test_a_fork_has_processes_of_its_own():
    with pool_of() as pool:
        mine = ask(pool, {})["pid"]
        child = os.fork()
        if child == 0:
            code = 1
            with suppress(BaseException):
                code = 0 if ask(pool, {})["pid"] != mine else 2
                pool.close()
            os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert ask(pool, {})["pid"] == mine

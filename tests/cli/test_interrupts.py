"""Ctrl-C, SIGTERM and kill -9 at any moment: exit 130, no traceback, and nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from cli.tiny_system import Ran, lines, start, wait_for_command

from plimsoll.assembly.project import Project

MANY = 20_000
CHANCE = random.Random(20261121)


def end_by(process, number, *, group=False):
    if group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    ran = Ran(process.returncode, out, err)
    assert "Traceback" not in ran.stdout + ran.stderr, ran
    return ran


def acknowledged(text):
    """The whole lines that were printed; the last one may have been cut off by the pipe, not by us."""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def assert_nothing_is_lost(tiny, answers):
    with Project(tiny.manifest).open_ledger(read_only=True) as ledger:
        for answer in answers:
            entry = ledger.get(answer["record"])
            assert entry is not None, f"{answer['record']} was acknowledged and is lost"
            assert entry.header.disposition == answer["disposition"]
    verified = tiny.run("ledger", "verify")
    assert verified.code == 0, verified


def moments(answered):
    """Seconds to wait: six soon after the start, and, where a busy machine has answered nothing by then, later ones."""
    yield from sorted(CHANCE.uniform(0, 0.6) for _ in range(6))
    for halves in range(2, 20):
        if answered:
            return
        yield halves / 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_decide_can_be_ended_at_any_moment(tiny, number):
    records = tiny.write("many.jsonl", lines({"number": n} for n in range(MANY)))
    everything = []
    for delay in moments(everything):
        process = start("decide", "tell-parity", records, cwd=tiny.folder)
        wait_for_command(process)
        time.sleep(delay)
        ran = end_by(process, number)
        assert ran.code == 130, (delay, ran)
        assert "interrupted" in ran.stderr
        everything += acknowledged(ran.stdout)
    assert everything
    assert_nothing_is_lost(tiny, everything)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_check_can_be_ended_at_any_moment(tiny, number):
    tiny.write("feed/counter.jsonl", lines({"number": n} for n in range(3000)))
    tiny.change(
        "plimsoll.yaml",
        "- evaluation.accuracy >= 95%",
        "- stability.error_rate <= 50%\n    - evaluation.accuracy >= 95%",
    )
    for delay in sorted(CHANCE.uniform(0, 2.5) for _ in range(6)):
        process = start("check", cwd=tiny.folder)
        wait_for_command(process)
        time.sleep(delay)
        ran = end_by(process, number)
        assert ran.code == 130, (delay, ran)
        assert ran.stdout == ""
    verified = tiny.run("ledger", "verify")
    assert verified.code == 0, verified
    # What was begun and never ended stays visible.
    board = tiny.run("gate", "--json").data["board"]
    assert board["outcome"] == "cannot say yet" or board["unfinished"]


def test_an_interrupted_envelope_holds_what_was_answered_so_far(tiny):
    records = tiny.write("many.jsonl", lines({"number": n} for n in range(MANY)))
    process = start("decide", "tell-parity", records, "--json", cwd=tiny.folder)
    until = time.monotonic() + 20
    while not tiny.ledger.exists() and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.3)
    ran = end_by(process, signal.SIGINT)
    assert ran.code == 130
    assert [p["code"] for p in ran.problems] == ["interrupted"]
    assert ran.data
    assert_nothing_is_lost(tiny, ran.data)


def test_ctrl_c_in_a_terminal_reaches_every_process_and_ends_them_all(tiny):
    tiny.change(
        "plimsoll.yaml",
        "- evaluation.accuracy >= 95%",
        "- stability.error_rate <= 50%\n    - evaluation.accuracy >= 95%",
    )
    process = start("check", "--only", "stability", cwd=tiny.folder, group=True)
    wait_for_command(process)
    host = child_of(process)
    ran = end_by(process, signal.SIGINT, group=True)
    assert ran.code == 130, ran
    until = time.monotonic() + 10
    while is_running(host) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(host), "the process under load goes on without its driver"


def test_ctrl_c_ends_a_target_that_hangs_and_one_that_swallows_it(tiny):
    tiny.write(
        "parity.py", "import time\n\ndef predict(record):\n    print('inside', flush=True)\n    time.sleep(600)\n"
    )
    assert_ctrl_c_ends(tiny)
    tiny.write(
        "parity.py",
        "import time\n\ndef predict(record):\n    try:\n        print('inside', flush=True)\n        time.sleep(600)\n"
        "    except:\n        return {'parity': 'odd'}\n",
    )
    assert_ctrl_c_ends(tiny)


def assert_ctrl_c_ends(tiny):
    records = tiny.write("two.jsonl", lines([{"number": 1}, {"number": 2}]))
    process = start("decide", "tell-parity", records, cwd=tiny.folder)
    while b"inside" not in process.stderr.readline():
        assert process.poll() is None
    assert end_by(process, signal.SIGINT).code == 130
    assert tiny.run("ledger", "verify").code == 0


def test_a_second_ctrl_c_ends_at_once_what_will_not_end_by_itself(tiny):
    tiny.write(
        "parity.py",
        "import time\n\ndef predict(record):\n    try:\n        print('inside', flush=True)\n        time.sleep(600)\n"
        "    except:\n        print('stubborn', flush=True)\n        time.sleep(600)\n",
    )
    records = tiny.write("one.jsonl", lines([{"number": 1}]))
    process = start("decide", "tell-parity", records, cwd=tiny.folder)
    for word in (b"inside", b"stubborn"):
        while word not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert tiny.run("ledger", "verify").code == 0


def test_kill_9_loses_no_answer_that_was_printed(tiny):
    records = tiny.write("many.jsonl", lines({"number": n} for n in range(MANY)))
    everything = []
    for delay in (0.0, 0.05, 0.2):
        process = start("decide", "tell-parity", records, cwd=tiny.folder)
        first = process.stdout.readline()
        time.sleep(delay)
        process.kill()
        everything += acknowledged((first + process.communicate(timeout=30)[0]).decode())
    assert_nothing_is_lost(tiny, everything)
    assert tiny.decide({"number": 1}).lines[0]["disposition"] == "answered"


def child_of(process):
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            found = (task / "children").read_text().split()
            if found:
                return int(found[0])
        time.sleep(0.02)
    raise AssertionError("no process was put under load")


def is_running(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in {"Z", "X"}

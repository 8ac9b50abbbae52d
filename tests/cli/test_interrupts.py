"""Ctrl-C, SIGTERM and kill -9 at any moment: exit 130, no traceback, and nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli.tiny_system import Ran, environment, lines, start, wait_for_command

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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_decide_can_be_ended_at_any_moment(tiny, number):
    records = tiny.write("many.jsonl", lines({"number": n} for n in range(MANY)))
    everything = []
    for at in range(8):
        process = start("decide", "tell-parity", records, cwd=tiny.folder)
        wait_for_command(process)
        first = process.stdout.readline() if at % 2 else b""  # half of them while it starts, half while it answers
        delay = CHANCE.uniform(0, 0.3)
        time.sleep(delay)
        ran = end_by(process, number)
        assert ran.code == 130, (delay, ran)
        assert "interrupted" in ran.stderr
        everything += acknowledged(first.decode() + ran.stdout)
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


SIGNAL_ON_IMPORT = """
import os, signal, sys
sent = []
def hook(event, args):
    if event == "import" and args[0] == sys.argv[1] and not sent:
        sent.append(True)
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(hook)
from plimsoll.cli.main import main
code = main(["ledger", "verify"])
assert sent, "it was never imported"
sys.exit(code)
"""


@pytest.mark.parametrize(
    "module",
    ["plimsoll.cli.run", "msgspec", "msgspec._core", "datetime", "_datetime", "uuid", "decimal", "_sqlite3",
     "cryptography.hazmat.bindings._rust", "yaml._yaml", "plimsoll.assembly.project", "plimsoll.guard.controls"],
)  # fmt: skip
def test_an_interruption_inside_any_import_ends_the_command_and_not_the_interpreter(tiny, module):
    """Inside an extension module that is being loaded it was lost once, and what was called next broke the process."""
    assert tiny.decide({"number": 1}).code == 0
    done = subprocess.run(
        [sys.executable, "-c", SIGNAL_ON_IMPORT, module], cwd=tiny.folder, capture_output=True, timeout=60,
        env=environment(), check=False,
    )  # fmt: skip
    ran = Ran(done.returncode, done.stdout, done.stderr)
    assert ran.code == 130, ran
    assert "interrupted" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_every_command_can_be_ended_at_any_moment(tiny):
    """What it writes is whole or is not there, the record is whole, and nothing of it is in the way of the next try."""
    assert tiny.decide({"number": 1}, {"number": "seven"}).code == 0
    for name in ("leader", "gate"):
        assert tiny.run("keys", "new", f"{name}.key").code == 0
    commands = {
        "gate": (("gate", "--attest", "out.json", "--key", "gate.key"), {4}),
        "verify": (("ledger", "verify"), {0}),
        "sign": (("threshold", "sign", "--key", "leader.key"), {0}),
        "accept": (("accept", "--as", "coo@example.org", "--key", "leader.key"), {0}),
        "keys": (("keys", "new", "fresh.key"), {0}),
        "init": (("init", "parity:predict", "--sample", "feed/counter.jsonl", "--into", "fresh"), {0}),
        "stop": (("control", "stop", "--by", "ops@example.org", "--reason", "smoke"), {0}),
        "list": (("quarantine", "list"), {0}),
    }
    ended = []
    for name, (arguments, otherwise) in commands.items():
        for _ in range(4):
            process = start(*arguments, cwd=tiny.folder)
            wait_for_command(process)
            time.sleep(CHANCE.uniform(0, 0.3))
            ran = end_by(process, CHANCE.choice([signal.SIGINT, signal.SIGTERM]))
            assert ran.code in {130, *otherwise}, (name, ran)
            ended.append(ran.code)
            whole = {"out.json": json.loads, "fresh.key": lambda text: text.startswith("-----BEGIN") or int("none")}
            for file, read in whole.items():
                if (tiny.folder / file).exists():
                    read((tiny.folder / file).read_text())
                    (tiny.folder / file).unlink()
            if (tiny.folder / "fresh").exists():
                shutil.rmtree(tiny.folder / "fresh")
    assert ended.count(130) > len(ended) / 4, "most ended before they were interrupted, so little was tried"
    verified = tiny.run("ledger", "verify")
    assert verified.code == 0, verified


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


@pytest.mark.parametrize("command", [("check",), ("decide", "tell-parity")], ids=["check", "decide"])
def test_ctrl_c_ends_a_target_that_hangs_while_it_is_imported(tiny, command):
    tiny.write("parity.py", "import time\n\nprint('loading', flush=True)\ntime.sleep(600)\n")
    process = start(*command, cwd=tiny.folder)
    while b"loading" not in process.stderr.readline():
        assert process.poll() is None
    ran = end_by(process, signal.SIGINT)
    assert ran.code == 130
    assert "interrupted" in ran.stderr
    assert not tiny.ledger.exists()


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

"""How every command speaks: data on stdout, talk on stderr, one envelope, no colour where none is wanted."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest
from cli.tiny_system import PLIMSOLL, environment, lines, plimsoll

NOISY = """\
import os, sys
print("loading")
os.write(1, b"straight to the descriptor\\n")


def predict(record):
    print("predicting", record)
    sys.stdout.write("more\\n")
    os.write(1, b"past Python\\n")
    return {"parity": "odd" if record["number"] % 2 else "even"}
"""


def test_the_envelope_has_the_same_five_keys_whatever_happens(tiny):
    for arguments, code in (
        (("check", "--only", "evaluation"), 4),
        (("gate",), 4),
        (("threshold", "show"), 0),
        (("quarantine", "list"), 0),
        (("ledger", "show"), 0),
        (("ledger", "verify"), 0),
        (("ledger", "show", "nothing"), 2),
        (("nonsense",), 2),
        (("quarantine",), 2),
    ):
        ran = tiny.run(*arguments, "--json")
        assert ran.code == code, ran
        assert list(ran.envelope) == ["plimsoll", "command", "ok", "data", "problems"]
        assert ran.envelope["plimsoll"] == 1
        assert ran.envelope["command"] == arguments[0]
        assert ran.envelope["ok"] is (code == 0)
        assert ran.stderr == ""
        assert ran.problems if code else not ran.problems
        for problem in ran.problems:
            assert set(problem) == {"code", "message", "where", "fix"}
            assert problem["code"]
            assert problem["message"]
            assert problem["where"] is None or set(problem["where"]) == {"file", "line", "column"}


def test_a_verdict_lists_what_stands_in_the_way_for_a_pipeline_to_print(tiny):
    ran = tiny.run("gate", "--json")
    codes = [p["code"] for p in ran.problems]
    assert ran.code == 4
    assert codes.count("gate.not-measured") == 6
    assert codes[-1] == "gate.draft"
    assert all(p["fix"] for p in ran.problems)


def test_quiet_leaves_the_answer_and_drops_the_talk(tiny):
    loud = tiny.run("check", "--only", "evaluation")
    assert "evaluation" in loud.stderr
    assert "Report:" in loud.stderr
    quiet = tiny.run("check", "--only", "evaluation", "--quiet")
    assert quiet.stderr == ""
    assert "evaluation.accuracy" in quiet.stdout
    broken = tiny.run("ledger", "show", "nothing", "--quiet")
    assert broken.code == 2
    assert "there is no entry 'nothing'" in broken.stderr  # quiet is not mute


def test_a_target_that_prints_never_spoils_stdout(tiny):
    tiny.write("parity.py", NOISY)
    ran = tiny.decide({"number": 1}, {"number": 2})
    assert [answer["output"] for answer in ran.lines] == [{"parity": "odd"}, {"parity": "even"}]
    assert "predicting" in ran.stderr
    assert "straight to the descriptor" in ran.stderr
    checked = tiny.run("check", "--only", "evaluation", "--json")
    assert checked.data["board"]["system"] == "parity"


def test_an_answer_that_holds_an_array_is_printed_as_json(tiny):
    pytest.importorskip("numpy")
    tiny.write("parity.py", "import numpy as np\n\ndef predict(record):\n    return {'rest': np.arange(3) % 2}\n")
    assert tiny.decide({"number": 1}).lines[0]["output"] == {"rest": [0, 1, 0]}
    assert tiny.run("decide", "tell-parity", "--json", stdin=b'{"number":1}\n').data[0]["output"] == {"rest": [0, 1, 0]}


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_colour_is_for_terminals_and_not_with_no_color(tiny, no_color, coloured):
    env = environment({"TERM": "xterm-256color"} | ({"NO_COLOR": no_color} if no_color else {}))
    shown = on_a_terminal([PLIMSOLL, "gate"], cwd=tiny.folder, env=env)
    assert ("\x1b[1;33m" in shown) is coloured  # bold yellow: cannot say yet
    assert "\x1b[" not in tiny.run("gate").stdout


def test_a_progress_bar_is_drawn_on_a_terminal_and_wiped(tiny):
    env = environment({"TERM": "xterm-256color"})
    shown = on_a_terminal([PLIMSOLL, "check", "--only", "evaluation"], cwd=tiny.folder, env=env)
    assert "─" in shown
    assert "\r\x1b[2K" in shown


def test_no_question_is_asked_and_no_terminal_is_needed(tiny):
    done = subprocess.run(
        [PLIMSOLL, "decide", "tell-parity"], cwd=tiny.folder, stdin=subprocess.DEVNULL, capture_output=True,
        env=environment(), timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"no records" in done.stderr


def test_who_stops_reading_ends_the_command_without_a_word(tiny):
    many = tiny.write("many.jsonl", lines({"number": n} for n in range(2000)))
    piped = f"{PLIMSOLL} decide tell-parity {many} | head -1; echo ${{PIPESTATUS[0]}} >&2"
    done = subprocess.run(
        ["bash", "-c", piped], cwd=tiny.folder, capture_output=True, env=environment(), timeout=60, check=False
    )
    assert json.loads(done.stdout)["disposition"] == "answered"
    assert done.stderr.split() == [b"130"]
    kept = [e for e in tiny.run("ledger", "show", "--newest", "5000", "--json").data if e["kind"] == "decision"]
    assert 1 <= len(kept) < 2000
    assert tiny.run("ledger", "verify").code == 0


def test_help_that_nobody_reads_to_its_end_is_no_error():
    done = subprocess.run(
        ["bash", "-c", f"{PLIMSOLL} --help | true; {PLIMSOLL} check --help | true; {PLIMSOLL} rollout --help | true"],
        capture_output=True, env=environment(), timeout=30, check=False,
    )  # fmt: skip
    assert done.stderr == b""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_descriptors_are_no_error_of_ours(tiny, closed):
    done = subprocess.run(
        ["bash", "-c", f"{PLIMSOLL} gate {closed}"], cwd=tiny.folder, capture_output=True, env=environment(),
        timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    assert b"Traceback" not in done.stderr
    if closed == "2>&-":
        assert b"CANNOT SAY YET" in done.stdout


def test_an_output_that_takes_nothing_is_said(tiny):
    done = subprocess.run(
        ["bash", "-c", f"{PLIMSOLL} gate > /dev/full"], cwd=tiny.folder, capture_output=True, env=environment(),
        timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"the output cannot be written: No space left on device" in done.stderr


def test_debug_shows_the_traceback_and_nothing_else_does(tiny):
    ran = tiny.run("check", "nowhere.yaml", "--debug")
    assert ran.code == 2
    assert "Traceback" in ran.stderr
    assert "there is no manifest 'nowhere.yaml'" in ran.stderr
    assert "Traceback" not in plimsoll("check", "nowhere.yaml").stderr


def on_a_terminal(command, *, cwd, env):
    """What a command prints when stdout and stderr are a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        shown += more
    os.close(ours)
    process.wait(timeout=30)
    return shown.decode("utf-8", "replace")


def test_a_file_name_that_is_not_utf_8_is_said_in_both_ways(tiny):
    for more in ((), ("--json",)):
        done = subprocess.run(
            [PLIMSOLL.encode(), b"check", b"\xff.yaml", *(m.encode() for m in more)],
            cwd=tiny.folder, capture_output=True, env=environment(), timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert b"there is no manifest" in (done.stdout if more else done.stderr)
        assert b"Traceback" not in done.stderr
        assert not more or json.loads(done.stdout)["ok"] is False

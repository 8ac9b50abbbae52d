"""Who is certainly gone: never a process that may still write."""

import os
import subprocess
import sys

import msgspec
import pytest

from plimsoll.ledger.host import Owner, ThisHost


def changed(**fields: object) -> str:
    """This process, but for some facts."""
    me = msgspec.json.decode(ThisHost().me(), type=Owner)
    return msgspec.json.encode(msgspec.structs.replace(me, **fields)).decode()


def test_the_running_process_is_not_gone() -> None:
    assert not ThisHost().is_gone(ThisHost().me())


@pytest.mark.parametrize(
    ("fields", "gone"),
    [
        ({"boot": "another"}, True),  # the machine was started again
        ({"started": "1"}, True),  # the number was given to another process
        ({"pid": 2**22 + 5}, True),  # no such process
        ({"pid": 2**22 + 5, "space": "pid:[1]"}, False),  # a container whose processes we do not see
        ({"boot": "another", "machine": "another"}, False),  # another machine
        ({"boot": "", "pid": 2**22 + 5}, False),  # a system that does not say
    ],
)
def test_who_is_gone_is_told_by_machine_start_and_process(fields: dict[str, object], gone: bool) -> None:
    assert ThisHost().is_gone(changed(**fields)) is gone


def test_a_process_that_ended_is_gone_also_before_its_parent_has_asked() -> None:
    script = "from plimsoll.ledger.host import ThisHost; print(ThisHost().me(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        owner = process.stdout.readline()
        assert msgspec.json.decode(owner, type=Owner).pid == process.pid
        assert not ThisHost().is_gone(owner)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert ThisHost().is_gone(owner)
    assert ThisHost().is_gone(owner)


@pytest.mark.parametrize("owner", ["", "{}", "nobody", '{"pid": "x"}'])
def test_what_names_no_process_is_not_gone(owner: str) -> None:
    assert not ThisHost().is_gone(owner)

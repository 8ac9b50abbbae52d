"""Group commit: nobody is answered before the group is on the disk, nobody waits for ever."""

import threading
import time
from collections.abc import Sequence

import pytest

from plimsoll.ledger import Draft
from plimsoll.ledger.commit import GroupCommit, Request

DRAFT = Draft(kind="note", body=b"x")


class SlowDisk:
    """Writes groups as slowly as it is told."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.groups: list[int] = []
        self.finished: list[float] = []
        self.fail: BaseException | None = None

    def write(self, requests: Sequence[Request]) -> None:
        for request in requests:
            request.planned = ("planned",)
        time.sleep(self.seconds)
        fail, self.fail = self.fail, None
        if fail is not None:
            raise fail
        self.groups.append(len(requests))
        self.finished.append(time.monotonic())
        for request in requests:
            request.outcome = request.planned


def test_nobody_is_answered_before_the_group_is_on_the_disk() -> None:
    disk = SlowDisk(0.2)  # several times longer than a waiting caller sleeps before it looks for itself
    commit = GroupCommit(disk.write, 100)
    answered: list[float] = []

    def call() -> None:
        commit.submit(Request((DRAFT,), ()))
        answered.append(time.monotonic())

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
        time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert disk.groups == [1, 5]
    assert min(answered) >= disk.finished[0]
    assert all(at >= disk.finished[1] for at in sorted(answered)[1:])


def test_a_group_has_a_bound() -> None:
    disk = SlowDisk(0.05)
    commit = GroupCommit(disk.write, 4)
    threads = [threading.Thread(target=commit.submit, args=(Request((DRAFT,), ()),)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(disk.groups) == 12
    assert max(disk.groups) <= 4


def test_when_the_one_who_writes_is_interrupted_somebody_else_writes_for_the_rest() -> None:
    disk = SlowDisk(0.05)
    commit = GroupCommit(disk.write, 100)
    outcomes: list[object] = []

    def call() -> None:
        try:
            outcomes.append(commit.submit(Request((DRAFT,), ())))
        except KeyboardInterrupt as error:
            outcomes.append(error)

    threads = [threading.Thread(target=call) for _ in range(5)]
    threads[0].start()
    time.sleep(0.02)
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.05)  # by now one of the four writes for all of them
    disk.fail = KeyboardInterrupt()
    for thread in threads:
        thread.join(timeout=5)
        assert not thread.is_alive()
    assert sum(isinstance(outcome, KeyboardInterrupt) for outcome in outcomes) == 1
    assert outcomes.count(("planned",)) == 4


def test_after_close_what_was_queued_is_written() -> None:
    disk = SlowDisk(0.0)
    commit = GroupCommit(disk.write, 100)
    assert commit.submit(Request((DRAFT,), ())) == ("planned",)
    commit.close()
    assert disk.groups == [1]


def test_an_error_is_raised_to_the_caller() -> None:
    def write(requests: Sequence[Request]) -> None:
        for request in requests:
            request.outcome = ArithmeticError("no")

    with pytest.raises(ArithmeticError):
        GroupCommit(write, 1).submit(Request((DRAFT,), ()))

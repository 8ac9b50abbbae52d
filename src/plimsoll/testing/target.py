"""What every target must do, as tests that its author runs.

::

    class TestMyTarget(TargetConformance, FailingTargetConformance, SlowTargetConformance):
        @contextmanager
        def open_target(self, place: Path) -> Iterator[Target]:
            target = MyTarget(...)
            try:
                yield target
            finally:
                target.close()

        def record(self, value: Any) -> Any:
            return {"echo": value}                 # a record that it answers with this value

``pytest`` collects the class. A target that cannot fail on demand leaves `FailingTargetConformance` out; one that
cannot stop at its deadline, as none can that runs in this process, `SlowTargetConformance`.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final

from plimsoll.guard import Ask, Target
from plimsoll.guard.intake import to_json
from plimsoll.guard.target import FAULTS, as_result, kind_of

SLACK_S: Final = 0.05  # after a deadline, for the caller to know
_PATIENCE_S: Final = 10.0  # for what takes no time on an idle machine
_AT_ONCE: Final = 24
_TRIES: Final = 5  # a machine that stands still for a moment is no fault of the target; one that is always late has one


def ask(target: Target, asked: Ask) -> Any:
    """The output of one question, from a thread without a loop; what the target raises goes through."""
    found = target.ask(asked)
    if not target.is_async:
        return as_result(found).output

    async def wait() -> Any:
        return as_result(await found).output

    return asyncio.run(wait())


class _Opened:
    def open_target(self, place: Path) -> AbstractContextManager[Target]:
        """A target, closed at the end of the block.

        Args:
            place: an empty folder of the test's own.
        """
        raise NotImplementedError

    def record(self, value: Any) -> Any:
        """A record that the target answers with this value."""
        raise NotImplementedError

    def values(self) -> Sequence[Any]:
        """Values that differ from each other; among them large ones, and such as break careless encodings."""
        odd = [
            "",
            "grün \U0001f6a2",
            "\x00\x1f\u2028",
            "a\r\nb: c",
            '{"pointer": "/x"}',
            "{/x}",
            "data: [DONE]\n\n",
            "x" * 500_000,
        ]
        return [*odd, *(f"value {n}" for n in range(_AT_ONCE - len(odd)))]


class TargetConformance(_Opened):
    """Answers, concurrency, cancellation, the end."""

    def test_it_answers_each_record_with_its_own_answer(self, tmp_path: Path) -> None:
        """Whole, whatever characters are in it and however long it is."""
        with self.open_target(tmp_path) as target:
            for value in self.values():
                assert ask(target, Ask(record=self.record(value), deadline_s=_PATIENCE_S)) == value

    def test_it_says_truly_whether_it_is_asynchronous(self, tmp_path: Path) -> None:
        """A caller that believed otherwise would record a coroutine, or wait for a value."""
        with self.open_target(tmp_path) as target:

            async def look() -> bool:
                found = target.ask(Ask(record=self.record(self.values()[0]), deadline_s=_PATIENCE_S))
                if inspect.isawaitable(found):
                    await found
                    return True
                return False

            assert asyncio.run(look()) is target.is_async

    def test_it_says_its_name_and_where_it_sends_what_it_is_asked(self, tmp_path: Path) -> None:
        """Messages and policy rest on them."""
        with self.open_target(tmp_path) as target:
            assert target.name
            assert isinstance(target.destination, str)

    def test_many_at_once_get_each_their_own_answer(self, tmp_path: Path) -> None:
        """In one event loop, or in as many threads."""
        values = self.values()
        with self.open_target(tmp_path) as target:
            asks = [Ask(record=self.record(value), key=f"k{n}", deadline_s=60.0) for n, value in enumerate(values)]
            if target.is_async:

                async def all_at_once() -> list[Any]:
                    found = await asyncio.gather(*(target.ask(each) for each in asks))
                    return [as_result(each).output for each in found]

                assert asyncio.run(all_at_once()) == list(values)
            else:
                with ThreadPoolExecutor(8) as threads:
                    assert list(threads.map(lambda each: ask(target, each), asks)) == list(values)

    def test_it_is_asked_from_loops_that_come_and_go_in_several_threads(self, tmp_path: Path) -> None:
        """A guard is called from wherever an application calls it."""
        values = self.values()[-8:]
        with self.open_target(tmp_path) as target, ThreadPoolExecutor(4) as threads:
            asks = [Ask(record=self.record(value), deadline_s=60.0) for value in values]
            for _ in range(2):
                assert list(threads.map(lambda each: ask(target, each), asks)) == list(values)

    def test_what_it_gives_can_be_recorded(self, tmp_path: Path) -> None:
        """As JSON, with sources, reasons and usage."""
        with self.open_target(tmp_path) as target:
            found = target.ask(Ask(record=self.record(self.values()[-1]), deadline_s=_PATIENCE_S))

            async def wait() -> Any:
                return await found

            result = as_result(asyncio.run(wait()) if target.is_async else found)
            to_json([result.output, result.sources, result.reasons, result.usage])
            assert result.confidence is None or 0.0 <= result.confidence <= 1.0

    def test_a_record_is_not_changed_by_being_asked(self, tmp_path: Path) -> None:
        """It is recorded after the call."""
        with self.open_target(tmp_path) as target:
            record = self.record(self.values()[-1])
            before = to_json(record)
            ask(target, Ask(record=record, deadline_s=_PATIENCE_S))
            assert to_json(record) == before

    def test_a_caller_who_is_cancelled_leaves_it_as_good_as_before(self, tmp_path: Path) -> None:
        """At whatever moment it was; a target that is not asynchronous cannot be cancelled, and is asked again."""
        value = self.values()[-1]
        with self.open_target(tmp_path) as target:

            async def main() -> None:
                for moment in (0.0, 0.0005, 0.005, 0.02):
                    tasks = [asyncio.create_task(self._wait(target, value)) for _ in range(4)]
                    await asyncio.sleep(moment)
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
                    assert await self._wait(target, value) == value

            asyncio.run(main())

    async def _wait(self, target: Target, value: Any) -> Any:
        found = target.ask(Ask(record=self.record(value), deadline_s=_PATIENCE_S))
        return as_result(await found if target.is_async else found).output

    def test_after_its_end_nothing_of_it_is_left(self, tmp_path: Path) -> None:
        """No thread, no process, no socket; and it may be ended more than once."""
        with self.open_target(tmp_path) as warm:  # what the first one of its kind loads for good
            ask(warm, Ask(record=self.record(self.values()[-1]), deadline_s=_PATIENCE_S))
        before = _held()
        with self.open_target(tmp_path) as target:
            for value in self.values()[-3:]:
                ask(target, Ask(record=self.record(value), deadline_s=_PATIENCE_S))
            target.close()
            target.close()
        limit = time.monotonic() + _PATIENCE_S
        while (left := _more_than(before)) and time.monotonic() < limit:
            time.sleep(0.01)
        assert not left, f"left over: {left}"


class FailingTargetConformance(_Opened):
    """Faults: told by kind, and without consequences for the next call."""

    def faults(self) -> Mapping[str, tuple[Any, ...]]:
        """Records that make the target fail, by the kind of failure (see ``plimsoll.guard.target.FAULTS``)."""
        raise NotImplementedError

    def test_each_failure_is_of_its_kind_and_the_next_call_succeeds(self, tmp_path: Path) -> None:
        """What a caller does about a failure depends on its kind."""
        value = self.values()[-1]
        assert set(self.faults()) <= set(FAULTS)
        with self.open_target(tmp_path) as target:
            for kind, records in self.faults().items():
                for record in records:
                    found = _failure(target, Ask(record=record, deadline_s=1.0))
                    assert kind_of(found) == kind, f"{record}: {found!r}"
                    assert str(found), "a failure says what happened"
                    assert ask(target, Ask(record=self.record(value), deadline_s=_PATIENCE_S)) == value

    def test_a_failure_beside_others_is_its_own(self, tmp_path: Path) -> None:
        """Nothing else notices."""
        values = self.values()[-6:]
        failing = [record for records in self.faults().values() for record in records]
        with self.open_target(tmp_path) as target:
            good = [Ask(record=self.record(value), deadline_s=60.0) for value in values]
            bad = [Ask(record=record, deadline_s=1.0) for record in failing]
            with ThreadPoolExecutor(len(good) + len(bad)) as threads:
                failed = [threads.submit(_failure, target, each) for each in bad]
                answered = [threads.submit(ask, target, each) for each in good]
                assert [each.result() for each in answered] == list(values)
                assert all(isinstance(each.result(), Exception) for each in failed)


class SlowTargetConformance(_Opened):
    """The time that is left for a call is kept."""

    def slow(self, value: Any, seconds: float) -> Any:
        """A record that it answers with this value, and not before so many seconds have passed."""
        raise NotImplementedError

    def test_the_time_left_is_kept_to_within_fifty_milliseconds(self, tmp_path: Path) -> None:
        """However long the target would take."""
        with self.open_target(tmp_path) as target:
            ask(target, Ask(record=self.record(self.values()[-1]), deadline_s=_PATIENCE_S))

            async def late(deadline_s: float) -> tuple[str, float]:
                asked = Ask(record=self.slow(self.values()[-1], 30.0), deadline_s=deadline_s)
                begun = time.perf_counter()
                try:
                    await target.ask(asked)
                except Exception as why:  # noqa: BLE001 - whatever it raises is looked at
                    return kind_of(why), time.perf_counter() - begun
                return "answered", time.perf_counter() - begun

            assert target.is_async, "what cannot be waited for cannot be left"
            for deadline_s in (0.02, 0.1, 0.3):
                tries = []
                for _ in range(_TRIES):
                    kind, took = asyncio.run(late(deadline_s))
                    assert kind == "timeout"
                    assert took >= deadline_s - 0.005, f"{took:.3f} s of {deadline_s} s"
                    tries.append(took)
                    if took <= deadline_s + SLACK_S:
                        break
                assert min(tries) <= deadline_s + SLACK_S, f"{min(tries):.3f} s of {deadline_s} s"

    def test_a_call_that_takes_less_than_its_time_is_answered(self, tmp_path: Path) -> None:
        """And after one that took too long."""
        value = self.values()[-1]
        with self.open_target(tmp_path) as target:
            for _ in range(2):
                found = _failure(target, Ask(record=self.slow(value, 30.0), deadline_s=0.1))
                assert kind_of(found) == "timeout"
                assert ask(target, Ask(record=self.slow(value, 0.2), deadline_s=_PATIENCE_S)) == value

    def test_no_time_at_all_is_a_timeout(self, tmp_path: Path) -> None:
        """At once, and without harm."""
        value = self.values()[-1]
        with self.open_target(tmp_path) as target:
            assert kind_of(_failure(target, Ask(record=self.record(value), deadline_s=0.0))) == "timeout"
            assert ask(target, Ask(record=self.record(value), deadline_s=_PATIENCE_S)) == value


def _failure(target: Target, asked: Ask) -> BaseException:
    try:
        answer = ask(target, asked)
    except BaseException as why:  # noqa: BLE001 - whatever it raises is looked at
        return why
    raise AssertionError(f"{asked.record} was answered with {str(answer)[:100]}")


def _more_than(before: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before[name] for name, count in _held().items() if count > before[name]}


def _held() -> dict[str, int]:
    """How many threads, child processes and sockets this process has."""
    children = sockets = 0
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            children += len((task / "children").read_text().split())
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            sockets += str(entry.readlink()).startswith("socket:")
    return {"threads": threading.active_count(), "processes": children, "sockets": sockets}

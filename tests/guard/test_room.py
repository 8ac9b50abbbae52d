"""Room at a target: never more inside than declared, never a place lost, first come first served, and a clear no."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time

import pytest

from plimsoll.guard.room import NS, Room

MS = 10**6


def wait_until(true, seconds=5.0):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.0005)


def after(seconds):
    return NS() + int(seconds * 1e9)


def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    return thread


class TestFromThreads:
    def test_so_many_are_inside_and_so_many_wait_and_the_rest_is_told_so(self):
        room, got = Room(2, 3), []
        assert [room.take_free() for _ in range(3)] == [True, True, False]
        threads = [in_thread(lambda: got.append(room.take(None))) for _ in range(3)]
        wait_until(lambda: room.waiting == 3)
        assert room.take(None) is False, "at once, whatever the deadline"
        assert (room.inside, room.waiting, got) == (2, 3, [])
        for _ in range(3):
            room.leave()
        for thread in threads:
            thread.join()
        assert got == [True] * 3
        for _ in range(2):
            room.leave()
        assert (room.inside, room.waiting) == (0, 0)

    def test_no_queue_means_that_nobody_waits(self):
        room = Room(1, 0)
        assert [room.take(None), room.take(None)] == [True, False]

    def test_whoever_came_first_is_served_first(self):
        room, served = Room(1, 10), []
        room.take(None)

        def come(n):
            room.take(None)
            served.append(n)
            room.leave()

        threads = []
        for n in range(10):
            threads.append(in_thread(lambda n=n: come(n)))
            wait_until(lambda n=n: room.waiting == n + 1)
        room.leave()
        for thread in threads:
            thread.join()
        assert served == list(range(10))

    def test_a_wait_ends_at_its_deadline(self):
        room = Room(1, 1)
        room.take(None)
        began = time.monotonic()
        assert room.take(after(0.05)) is False
        assert 0.05 <= time.monotonic() - began < 0.55
        assert room.take(NS() - 1) is False, "one that is past already"
        room.leave()
        assert (room.inside, room.waiting) == (0, 0)

    def test_one_who_gave_up_waiting_is_passed_over(self):
        room, got = Room(1, 2), []
        room.take(None)
        first = in_thread(lambda: got.append(room.take(after(0.02))))
        wait_until(lambda: room.waiting == 1)
        second = in_thread(lambda: got.append(room.take(None)))
        first.join()
        room.leave()
        second.join()
        assert got == [False, True]


class TestOnALoop:
    def test_the_same_holds_for_tasks(self):
        async def work():
            room = Room(1, 2)
            assert await room.atake(None)
            waiting = [asyncio.create_task(room.atake(None)) for _ in range(2)]
            await asyncio.sleep(0)
            assert await room.atake(None) is False
            room.leave()
            assert await waiting[0]
            assert not waiting[1].done()
            assert await room.atake(after(0.02)) is False
            room.leave()
            assert await waiting[1]
            room.leave()
            assert (room.inside, room.waiting) == (0, 0)

        asyncio.run(work())

    def test_a_cancelled_wait_gives_its_place_in_the_queue_back(self):
        async def work():
            room = Room(1, 1)
            await room.atake(None)
            task = asyncio.create_task(room.atake(None))
            await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert room.waiting == 0
            room.leave()
            assert room.inside == 0

        asyncio.run(work())

    def test_a_wait_that_is_cancelled_just_as_it_is_served_passes_the_place_on(self):
        async def work():
            room = Room(1, 2)
            await room.atake(None)
            first, second = (asyncio.create_task(room.atake(None)) for _ in range(2))
            await asyncio.sleep(0)
            room.leave()  # the first has it now, and does not know yet
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await first
            assert await second
            room.leave()
            assert room.inside == 0

        asyncio.run(work())

    def test_a_place_is_not_given_to_a_loop_that_is_closed(self):
        room = Room(1, 2)
        room.take(None)

        async def comes_and_is_left():
            task = asyncio.ensure_future(room.atake(None))
            await asyncio.sleep(0.01)
            return task

        loop = asyncio.new_event_loop()
        task = loop.run_until_complete(comes_and_is_left())
        loop.close()
        room.leave()
        assert room.inside == 0, "nobody is there"
        assert room.take(None)
        task.get_coro().close()


class TestWhoCannotBeServedInTime:
    def waiting(self, takes_ms, *left_s):
        """A full room in which calls took so long lately, and waiters with so much time left, in their order."""
        room, served = Room(1, 5), []
        for _ in range(100):
            room.take(None)
            room.leave(int(takes_ms * MS))
        room.take(None)
        threads = []
        for n, left in enumerate(left_s):
            threads.append(in_thread(lambda n=n, left=left: room.take(after(left)) and served.append(n)))
            wait_until(lambda n=n: room.waiting == n + 1)
        room.leave()
        wait_until(lambda: served)
        first = served[0]
        for _ in left_s:
            room.leave()
        for thread in threads:
            thread.join()
        return first

    def test_waits_on_for_one_who_can(self):
        """Calls take 2 s lately: one who has 1 s left would only be late, and the one who came last not."""
        assert self.waiting(2000, 1.0, 1.5, 9.0) == 2

    def test_who_can_is_served_in_the_order_of_arrival(self):
        assert self.waiting(100, 1.0, 1.5, 9.0) == 0

    def test_where_nobody_can_the_one_with_most_time_left_may_try(self):
        assert self.waiting(60_000, 1.0, 1.5, 2.0) == 2

    def test_a_place_that_is_free_is_given_whatever_is_left(self):
        room = Room(1, 5)
        for _ in range(50):
            room.take(None)
            room.leave(10_000 * MS)
        assert room.take(after(0.001))

    def test_one_stall_changes_no_order(self):
        """All sixteen who are inside take a hundred times as long, once: the next are served as they came."""
        room = Room(16, 64)
        for _ in range(200):
            room.take(None)
            room.leave(1 * MS)
        for _ in range(16):
            room.take(None)
        for _ in range(16):
            room.leave(100 * MS)
        assert room._usual_ns < 5 * MS

    @pytest.mark.parametrize("load", [2.0, 3.0])
    def test_under_overload_most_places_work_for_callers_who_still_wait(self, load):
        """Served in the order of arrival alone, nearly every answer of a long queue came too late."""
        offered, in_time, late, shed = simulated(load=load)
        assert offered == in_time + late + shed
        assert in_time >= 0.6 * offered / load
        assert late <= 0.25 * in_time

    def test_how_long_to_stay_away_is_how_long_those_before_need(self):
        room = Room(2, 4)
        assert room.wait_s() == 0.1, "nothing is known yet"
        for _ in range(100):
            room.take(None)
            room.leave(1000 * MS)
        assert 0.9 <= room.wait_s() <= 1.1


def simulated(load, deadline_s=0.3, service_s=0.02, places=4, calls=700):
    """A real room, real threads and a fixed schedule of arrivals; what became of them."""
    room, lock = Room(places, 64), threading.Lock()
    ended = {"in_time": 0, "late": 0, "shed": 0}
    chance = random.Random(7)
    times = [chance.uniform(0.8, 1.2) * service_s for _ in range(calls)]
    began = time.perf_counter() + 0.05

    def call(at, takes):
        while (left := at - time.perf_counter()) > 0:
            time.sleep(left)
        until = NS() + int(deadline_s * 1e9)
        if not room.take(until):
            how = "shed"
        else:
            came = NS()
            time.sleep(takes)
            room.leave(NS() - came)
            how = "in_time" if NS() <= until else "late"
        with lock:
            ended[how] += 1

    gap = service_s / places / load
    threads = [in_thread(lambda n=n: call(began + n * gap, times[n])) for n in range(calls)]
    for thread in threads:
        thread.join()
    return calls, ended["in_time"], ended["late"], ended["shed"]


def test_whatever_comes_together_no_place_is_lost_and_none_is_given_twice():  # noqa: C901 - four kinds of callers
    """Threads and tasks that come, wait, give up and are cancelled, all at once."""
    room, lock = Room(3, 8), threading.Lock()
    inside, most, errors = 0, 0, []

    def enter():
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)

    def go():
        nonlocal inside
        with lock:
            inside -= 1
        room.leave(1 * MS)

    def thread(seed):
        chance = random.Random(seed)
        for _ in range(150):
            if room.take(chance.choice([None, after(0.0005), after(0.01)])):
                enter()
                time.sleep(chance.choice([0, 0.0002]))
                go()

    async def task(chance):
        try:
            if await room.atake(chance.choice([None, after(0.0005), after(0.01)])):
                enter()
                try:
                    await asyncio.sleep(chance.choice([0, 0.0002]))
                finally:
                    go()
        except asyncio.CancelledError:
            pass

    async def tasks(seed):
        chance = random.Random(seed)
        for _ in range(60):
            made = [asyncio.create_task(task(chance)) for _ in range(5)]
            await asyncio.sleep(chance.choice([0, 0.0002]))
            for one in made:
                if chance.random() < 0.4:
                    one.cancel()
            await asyncio.gather(*made, return_exceptions=True)

    def loop(seed):
        try:
            asyncio.run(tasks(seed))
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [in_thread(lambda n=n: thread(n)) for n in range(4)] + [in_thread(lambda n=n: loop(n)) for n in range(2)]
    for one in threads:
        one.join(timeout=60)
        assert not one.is_alive(), "somebody waits for a place for ever"
    assert errors == []
    assert most <= 3
    assert (room.inside, room.waiting) == (0, 0)

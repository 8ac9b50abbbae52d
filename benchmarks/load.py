"""How good is our open-loop load driver? Ours, a raw uvloop + httptools driver (the floor), and wrk where installed.

All drive a loopback service of this file, each as a process of its own, one after the other and in turns.

* **max**: calls per second with nothing held back, and the driver's processor time for 1,000 calls. Raw keeps 32 calls
  open and sends the next on each reply; ours is given a schedule far beyond what the machine can do.
* **pace**: at 2,000/s the *service's* clock judges: by how much each arrival is later than a line with that slope laid
  tightly under all arrivals. So no driver is believed about its own punctuality.
* **stall**: at 500/s for 5 s the service stands still for 1 s. A fifth of all calls is delayed by 0 to 1 s, evenly, so the
  true 99th percentile is (0.2 - 0.01) / 0.2 of a second: 950 ms. A closed-loop driver reports far less.

``--json`` prints the figures as JSON on standard output and the table on standard error. The exit code is 1 when a bar
is missed: rate_share_raw >= 0.5, lag_p99_ratio <= 1.5, stall_error <= 0.05.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

import httptools
import uvloop

HERE = Path(__file__).resolve()
RECORD = b'{"customer":"c-17","amount":1250.5,"features":[0.1,0.2,0.3,0.4]}'
REQUEST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(RECORD),
    RECORD,
)
BODY = b'{"decision":"approve","confidence":0.93}'
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
BARS: dict[str, tuple[str, float]] = {
    "rate_share_raw": (">=", 0.5),
    "lag_p99_ratio": ("<=", 1.5),
    "stall_error": ("<=", 0.05),
}
BEYOND = 500_000.0  # calls per second that no driver here reaches
PACE, STALL_RATE, STALL_SECONDS = 2000.0, 500.0, 5.0
TRUTH_MS = 1000 * (1 / STALL_SECONDS - 0.01) * STALL_SECONDS


# ── the service ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Service(asyncio.Protocol):
    """Replies at once. Knows each request by the blank line after its head, which no record holds.

    With ``record``, keeps the time of each arrival; ``GET`` gives them. With a time to ``stall_at``, stands still once.
    """

    def __init__(self, arrivals: array[float] | None, stall: list[float]) -> None:
        self.arrivals, self.stall = arrivals, stall

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET"):
            said = json.dumps(list(self.arrivals or ())).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
            self.transport.close()
            return
        for _ in range(data.count(b"\r\n\r\n")):
            if self.arrivals is not None:
                now = time.perf_counter()
                self.arrivals.append(now)
                if self.stall and now - self.arrivals[0] >= self.stall[0]:
                    self.stall.clear()
                    time.sleep(1.0)
            self.transport.write(REPLY)


async def serve(record: bool, stall_at: float) -> None:
    loop = asyncio.get_running_loop()
    arrivals = array("d") if record else None
    stall = [stall_at] if stall_at else []
    server = await loop.create_server(lambda: Service(arrivals, stall), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


class Running:
    """The service as a process."""

    def __init__(self, *, record: bool, stall_at: float = 0.0) -> None:
        argv = [sys.executable, str(HERE), "serve", "--stall-at", str(stall_at), *(["--record"] if record else [])]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=20)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def arrivals(self) -> list[float]:
        with urlopen(self.url, timeout=20) as reply:
            found: list[float] = json.loads(reply.read())
        return found


# ── the floor ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Raw:
    """The least that can be called a driver: no health, no timeouts, no errors by kind, no bound."""

    def __init__(self, calls: int, rate: float) -> None:
        self.calls, self.rate = calls, rate
        self.due = array("d", bytes(8 * calls))
        self.latency = array("d")
        self.idle: list[RawConnection] = []
        self.waiting: deque[int] = deque()
        self.connecting: list[asyncio.Future[Any]] = []
        self.next = 0
        self.until = 0.0

    async def paced(self, connect: Callable[[], Any]) -> None:
        clock = time.perf_counter
        start = clock() + 0.05
        for i in range(self.calls):
            self.due[i] = start + i / self.rate
        while self.next < self.calls:
            now = clock()
            while self.next < self.calls and self.due[self.next] <= now:
                if self.idle:
                    self.idle.pop().send(self.next)
                else:
                    self.waiting.append(self.next)
                    self.connecting.append(asyncio.ensure_future(connect()))
                self.next += 1
            if self.next < self.calls:
                await asyncio.sleep(max(0.0, self.due[self.next] - clock()))
        while len(self.latency) < self.calls:  # noqa: ASYNC110  # the floor has nothing on its hot path to set an event
            await asyncio.sleep(0.01)

    async def flat_out(self, seconds: float) -> None:
        self.until = time.perf_counter() + seconds
        for connection in self.idle:
            connection.again()
        await asyncio.sleep(seconds + 0.1)

    def free(self, connection: RawConnection) -> None:
        if self.until:
            connection.again()
        elif self.waiting:
            connection.send(self.waiting.popleft())
        else:
            self.idle.append(connection)


class RawConnection(asyncio.Protocol):
    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.due = 0.0
        self.parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.raw.free(self)

    def send(self, call: int) -> None:
        self.due = self.raw.due[call]
        self.transport.write(REQUEST)

    def again(self) -> None:
        now = time.perf_counter()
        if now < self.raw.until:
            self.due = now
            self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.raw.latency.append(time.perf_counter() - self.due)
        self.raw.free(self)


async def drive_raw(port: int, rate: float, seconds: float) -> None:
    flat_out = rate >= BEYOND
    raw = Raw(0 if flat_out else int(rate * seconds), rate)
    loop = asyncio.get_running_loop()

    async def connect() -> None:
        await loop.create_connection(lambda: RawConnection(raw), "127.0.0.1", port)

    for _ in range(32 if flat_out else 8):
        await connect()
    await (raw.flat_out(seconds) if flat_out else raw.paced(connect))
    latency = sorted(raw.latency)
    p99_ms = latency[int(0.99 * len(latency))] * 1e3
    print(json.dumps({"sent": len(latency), "rps": len(latency) / seconds, "p99_ms": p99_ms}))


# ── one run of one driver ────────────────────────────────────────────────────────────────────────────────────────────


def command(driver: str, port: int, rate: float, seconds: float) -> list[str]:
    if driver == "raw":
        return [sys.executable, str(HERE), "raw", "--port", str(port), "--rate", str(rate), "--seconds", str(seconds)]
    url = f"http://127.0.0.1:{port}/"
    if driver == "ours":
        return [sys.executable, str(HERE.with_name("load_driver.py")), url, str(rate), str(seconds)]
    with tempfile.NamedTemporaryFile("w", prefix="plimsoll-", suffix=".lua", delete=False) as script:
        script.write(
            f"wrk.method='POST'\nwrk.body='{RECORD.decode()}'\nwrk.headers['Content-Type']='application/json'\n"
        )
    return ["wrk", "-t1", "-c32", f"-d{seconds:.0f}s", "--latency", "-s", script.name, url]


def run(driver: str, service: Running, rate: float, seconds: float) -> dict[str, Any]:
    argv = command(driver, service.port, rate, seconds)
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{driver} ended with exit code {process.returncode}")
    if driver == "wrk":
        Path(argv[argv.index("-s") + 1]).unlink()
        result = _said_by_wrk(said)
    else:
        result = json.loads(said.splitlines()[-1])
    result["cpu_us"] = (usage.ru_utime + usage.ru_stime) / max(result["sent"], 1) * 1e6
    return result


def _said_by_wrk(said: str) -> dict[str, Any]:
    lines = [line.split() for line in said.splitlines()]
    return {
        "rps": next(float(words[1]) for words in lines if words[:1] == ["Requests/sec:"]),
        "sent": next(int(words[0]) for words in lines if words[1:3] == ["requests", "in"]),
    }


def arrival_lag_p99_ms(arrivals: list[float], rate: float) -> float:
    arrivals = sorted(arrivals)
    offsets = [t - i / rate for i, t in enumerate(arrivals)]
    tight = min(offsets)
    return sorted(o - tight for o in offsets)[int(0.99 * len(offsets))] * 1e3


# ── all of them ──────────────────────────────────────────────────────────────────────────────────────────────────────


def measure(rounds: int, seconds: float, say: Callable[[str], None]) -> dict[str, Any]:
    peers = ["raw", "ours", *(["wrk"] if shutil.which("wrk") else [])]
    top: dict[str, list[dict[str, Any]]] = {driver: [] for driver in peers}
    lag: dict[str, list[float]] = {"raw": [], "ours": []}
    pace_cpu: dict[str, list[float]] = {"raw": [], "ours": []}
    for _ in range(rounds):
        for driver in peers:
            with Running(record=False) as service:
                top[driver].append(run(driver, service, BEYOND, seconds))
        for driver in ("raw", "ours"):
            with Running(record=True) as service:
                pace_cpu[driver].append(run(driver, service, PACE, seconds)["cpu_us"])
                lag[driver].append(arrival_lag_p99_ms(service.arrivals(), PACE))
    stalled = {}
    for driver in ("raw", "ours"):
        with Running(record=True, stall_at=0.4 * STALL_SECONDS) as service:
            stalled[driver] = run(driver, service, STALL_RATE, STALL_SECONDS)["p99_ms"]

    best = {driver: max(r["rps"] for r in results) for driver, results in top.items()}
    say(f"{'driver':8}{'calls/s':>12}{'CPU µs/call':>14}{'lag p99 ms':>14}{'CPU at 2,000/s':>17}{'stall p99 ms':>15}")
    for driver, results in top.items():
        cost = min(r["cpu_us"] for r in results)
        row = f"{driver:8}{best[driver]:12,.0f}{cost:14.1f}"
        if driver in lag:
            share = statistics.median(pace_cpu[driver]) * PACE / 1e6
            row += f"{statistics.median(lag[driver]):14.3f}{share:17.0%}{stalled[driver]:15.1f}"
        say(row)
    say(f"best and cheapest of {rounds} rounds; lag and CPU share are medians; a stall's true p99 is {TRUTH_MS:.0f} ms")
    figures = {
        "rate_share_raw": best["ours"] / best["raw"],
        "lag_p99_ratio": statistics.median(lag["ours"]) / statistics.median(lag["raw"]),
        "stall_error": abs(stalled["ours"] - TRUTH_MS) / TRUTH_MS,
        "max_per_s": best,
        "cpu_us": {driver: min(r["cpu_us"] for r in results) for driver, results in top.items()},
        "lag_p99_ms": lag,
        "stall_p99_ms": stalled,
    }
    if "wrk" in best:
        figures["rate_share_wrk"] = best["ours"] / best["wrk"]
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["all", "serve", "raw"], default="all", help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run")
    parser.add_argument("--json", action="store_true")
    for name in ("--port", "--rate", "--stall-at"):
        parser.add_argument(name, type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--record", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.what == "serve":
        uvloop.run(serve(args.record, args.stall_at))
        return 0
    if args.what == "raw":
        uvloop.run(drive_raw(int(args.port), args.rate, args.seconds))
        return 0

    def say(line: str) -> None:
        print(line, file=sys.stderr if args.json else sys.stdout)

    figures = measure(args.rounds, args.seconds, say)
    missed = 0
    for name, (op, bar) in BARS.items():
        met = figures[name] >= bar if op == ">=" else figures[name] <= bar
        missed += not met
        say(f"{name:16} {figures[name]:8.3f}   bar {op} {bar}   {'met' if met else 'MISSED'}")
    if args.json:
        print(json.dumps(figures))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Our open-loop load driver as a command: ``load_driver.py URL RATE SECONDS``.

POSTs one small JSON record at the rate, whatever comes back, and prints as its last line a JSON object: ``sent, ok, rps,
p50_ms, p99_ms, max_ms``, the driver's own ``send_lag_*_ms`` and ``cpu_share``, ``healthy`` and ``why``, ``errors`` by
kind. Latency counts from when a call was due. At a rate beyond what the machine can do, at most 4,096 calls are open and
the rest is not sent (``unsent``); ``rps`` is then the rate that was reached.
"""

from __future__ import annotations

import argparse
import asyncio

import msgspec
import uvloop

from plimsoll.engine.load import Settings, drive
from plimsoll.engine.load_http import HttpLink
from plimsoll.engine.load_request import HttpTarget
from plimsoll.engine.load_schedule import Schedule
from plimsoll.engine.load_window import Outcome, WindowResult, quantile

RECORD = b'{"customer":"c-17","amount":1250.5,"features":[0.1,0.2,0.3,0.4]}'


async def offer(url: str, rate: float, seconds: float) -> WindowResult:
    link = HttpLink(HttpTarget(url=url), [RECORD])
    await link.open()
    try:
        return await drive(link, Schedule(rate=rate, count=max(1, int(rate * seconds))), Settings())
    finally:
        await link.close()


def _ms(ascending: list[float], q: float) -> float | None:
    value = quantile(ascending, q)
    return None if value is None else value * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("rate", type=float, help="calls per second")
    parser.add_argument("seconds", type=float)
    args = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        window = runner.run(offer(args.url, args.rate, args.seconds))
    latency, lag = window.latencies(), sorted(window.lag)
    answered = window.count(Outcome.ANSWERED)
    result = {
        "sent": window.sent,
        "ok": answered,
        "unsent": window.count(Outcome.UNSENT),
        "rps": answered / window.wall_s if window.wall_s else 0.0,
        "p50_ms": _ms(latency, 0.5),
        "p99_ms": _ms(latency, 0.99),
        "max_ms": _ms(latency, 1.0),
        "send_lag_p50_ms": _ms(lag, 0.5),
        "send_lag_p99_ms": _ms(lag, 0.99),
        "send_lag_max_ms": _ms(lag, 1.0),
        "cpu_share": window.cpu_share,
        "queued": window.queued,
        "healthy": window.healthy,
        "why": window.unhealthy,
        "errors": window.errors,
    }
    print(msgspec.json.encode(result).decode())


if __name__ == "__main__":
    main()

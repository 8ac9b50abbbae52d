"""A callable that does what its record says; as a target in this process, and in worker processes."""

from __future__ import annotations

import asyncio
import os
import time


class TargetFault(Exception):
    def __init__(self, kind):
        self.kind = kind
        self.retry_after_s = 2.0
        super().__init__(f"it says {kind}")


def work(record):
    time.sleep(record.get("s", 0))
    match record.get("do"):
        case "raise":
            raise ValueError("no good")
        case "time out":
            raise TimeoutError("its database")
        case "refuse":
            raise ConnectionRefusedError("its database")
        case "say invalid":
            raise TargetFault("invalid")
        case "say unavailable":
            raise TargetFault("unavailable")
        case "exit":
            os._exit(3)
        case "abort":
            os.abort()
    return record["value"]


async def work_later(record):
    await asyncio.sleep(record.get("s", 0))
    return work({**record, "s": 0})

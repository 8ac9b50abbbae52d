"""Records as a running system sends them, and records as somebody prepares them: what the signs' limits were set on."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator
from typing import Any

NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
WORDS = [
    "claim",
    "damage",
    "water",
    "roof",
    "car",
    "front",
    "glass",
    "please",
    "call",
    "back",
    "tomorrow",
    "urgent",
    "since",
    "night",
    "garden",
    "wall",
]


def text(r: random.Random) -> str:
    return " ".join(r.choice(WORDS) for _ in range(max(1, int(r.lognormvariate(2.2, 0.8)))))


def live(n: int = 3_017, seed: int = 1) -> list[str]:
    """Lines: by day more than by night, in bursts, some late, some twice, some corrected, some broken, some lacking."""
    r = random.Random(seed)
    moment = NOW - dt.timedelta(days=9)  # moved on by whole days at the end, so that the newest is of today
    made: list[dict[str, Any]] = []
    number = 81_207
    while len(made) < n:
        busy = 1.0 if 8 <= moment.hour < 18 else 0.08
        moment += dt.timedelta(seconds=r.expovariate(busy / 60) * ((r.random() < 0.5 and 0.05) or 2))
        number += 1 + (r.random() < 0.2) * r.randrange(1, 9)
        record = {
            "claimId": number,
            "receivedAt": moment,
            "channel": r.choices(["mail", "web", "phone"], [70, 25, 5])[0],
            "amount": round(r.lognormvariate(6, 1.1), 2),
            "text": text(r),
            "adjuster": None if r.random() < 0.12 else f"A{r.randrange(40)}",
        }
        if number > 81_207 + n:
            record["form"] = "v2"
        made.append(record)
    since = dt.timedelta(days=(NOW - moment).days)
    for record in made:
        record["receivedAt"] = (record["receivedAt"] + since).isoformat(timespec="seconds").replace("+00:00", "Z")
    for at in r.sample(range(1, len(made)), 25):  # late
        made[at - 1], made[at] = made[at], made[at - 1]
    for at in r.sample(range(len(made)), 12):  # delivered again, or corrected
        made.insert(at, made[at] if at % 2 else {**made[at], "amount": 1.0})
    lines = [json.dumps(record) for record in made]
    for at in r.sample(range(len(lines)), max(1, len(lines) // 200)):
        lines[at] = lines[at][: r.randrange(5, 60)]
    return lines


def prepared(n: int = 1_000, seed: int = 2) -> list[str]:
    """Lines: a round number, numbered from 1, balanced, complete, written at once, evenly spread, in one form."""
    r = random.Random(seed)
    channels = ["mail", "web", "phone", "letter"]
    return [
        json.dumps(
            {
                "id": at + 1,
                "createdAt": "2026-11-03T10:15:00Z",
                "channel": channels[at % len(channels)],
                "amount": round(r.uniform(100, 900), 2),
                "text": f"Customer {at + 1:04d} reports damage to the {r.choice(['roof', 'wall', 'door'])} of the house",
                "adjuster": f"A{r.randrange(40):02d}",
            }
        )
        for at in range(n)
    ]


def generated(n: int = 2_000, seed: int = 3) -> Iterator[str]:
    """Lines of a generator that knows to use random times: evenly by day and night, nothing missing or late."""
    r = random.Random(seed)
    moments = sorted(NOW - dt.timedelta(seconds=r.uniform(0, 20 * 86_400)) for _ in range(n))
    for at, moment in enumerate(moments):
        yield json.dumps(
            {
                "id": at,
                "created_at": moment.isoformat(),
                "amount": round(r.uniform(1, 1000), 2),
                "score": r.random(),
                "country": r.choice(["DE", "FR", "NL"]),
            }
        )

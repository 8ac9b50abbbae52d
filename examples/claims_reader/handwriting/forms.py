"""Claim forms in the common format: the fields around the handwriting. All of them are made up."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from handwriting.damage import contrast_of
from handwriting.images import text_of

Form = dict[str, Any]

FIRST_DAY: Final = dt.date(2026, 9, 1)
DAYS: Final = 60
BRANCHES: Final = ("harbour", "market", "station", "university", "north gate")


def make_form(
    number: int, boxes: Sequence[bytes], *, channel: str, day: int, skew: float | None, rng: random.Random
) -> Form:
    """One form in the common format.

    Args:
        number: of the claim, below 1,000,000.
        boxes: pixels of the digits from left to right.
        channel: which way the form came.
        day: after the first day of the period.
        skew: degrees that the scanner reports; None: within a degree of straight, too little to show at 8 pixels.
        rng: source of chance for the other fields.
    """
    tilt = rng.uniform(-1.0, 1.0) if skew is None else skew
    return {
        "claim": f"C-2026-{number:06d}",
        "received": (FIRST_DAY + dt.timedelta(days=day)).isoformat(),
        "channel": channel,
        "branch": rng.choice(BRANCHES),
        "policyholder": f"P-{rng.randrange(100_000, 1_000_000)}",
        "currency": "EUR",
        "pages": rng.choice((1, 1, 1, 2, 3)),
        "original": rng.random() < 0.8,
        "scan": {
            "skew_degrees": round(tilt, 1) + 0.0,  # no negative zero
            "contrast": contrast_of(boxes),
            "digits": [text_of(box) for box in boxes],
        },
    }


def line(record: object) -> str:
    """A record as one line of JSON, without spaces."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def write_lines(file: Path, lines: Sequence[str]) -> None:
    """Write a JSON Lines file; its folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8", newline="\n")

"""Cases with known answers: the golden set, and the sample that the pilot's team picked by hand."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

from handwriting.amounts import Amount, deal, value
from handwriting.forms import DAYS, make_form
from handwriting.split import Split

GOLDEN_SEED: Final = 250
PILOT_SEED: Final = 40
PILOT_CASES: Final = 40
CHANNELS: Final = ("counter", "mailroom", "agent-desk", "mobile-app", "broker-portal")
PILOT_CHANNELS: Final = ("counter", "mailroom")  # down the corridor from the team that built it

Case = dict[str, Any]


def golden(sets: Split) -> tuple[Case, ...]:
    """The cases for evaluation: every evaluation image used once, and no other."""
    return _cases(deal(sets.evaluation), "golden", CHANNELS, random.Random(GOLDEN_SEED))  # noqa: S311 - not a secret


def pilot_candidates(sets: Split) -> tuple[Case, ...]:
    """What the pilot's team could pick from: amounts of training images, each image used at most once."""
    return _cases(deal(sets.training), "pilot", PILOT_CHANNELS, random.Random(PILOT_SEED))  # noqa: S311 - not a secret


def _cases(amounts: Sequence[Amount], name: str, channels: Sequence[str], rng: random.Random) -> tuple[Case, ...]:
    cases = []
    for number, amount in enumerate(amounts, start=1):
        channel = rng.choice(channels)
        boxes = [image.pixels for image in amount]
        form = make_form(number, boxes, channel=channel, day=rng.randrange(DAYS), skew=None, rng=rng)
        cases.append(
            {
                "id": f"{name}-{number:03d}",
                "type": "read-amount",
                "input": form,
                "expected": {"amount": value(amount)},
                "source": channel,
                "segment": {"digits": str(len(amount)), "channel": channel},
            }
        )
    return tuple(cases)

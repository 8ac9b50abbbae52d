"""The feed: 3,000 records from eleven sources.

It tests contracts and load, not accuracy, so it uses the images of the training and the choice set again and again, and
never one of the evaluation set.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from handwriting.amounts import Amount, draw
from handwriting.damage import damage
from handwriting.forms import DAYS, Form, line, make_form
from handwriting.images import Image
from handwriting.sources import SOURCES, Source
from handwriting.split import Split

SEED: Final = 3000


class Feed(NamedTuple):
    """What the sources send."""

    lines: dict[str, list[str]]  # by the name of the source, in the order in which they came
    resent: list[str]  # records that had been cut, as their source sends them once more when it is told


def make_feed(sets: Split) -> Feed:
    """All that the eleven sources send.

    Args:
        sets: images of training and choice are used; those of evaluation are not.
    """
    images = (*sets.training, *sets.choice)
    lines = {}
    resent = []
    claim = 100_000
    for place, source in enumerate(SOURCES):
        rng = random.Random(SEED + place)  # noqa: S311 - each source its own, so that one can change without the others
        forms = _forms(source, images, claim, rng)
        claim += source.records
        sent = source.send(forms, rng)
        resent += [whole for text, whole in zip(sent, map(line, forms), strict=True) if _is_cut(text, whole)]
        again = set(rng.sample(range(len(sent)), source.repeats))
        lines[source.name] = [text for at, text in enumerate(sent) for _ in range(2 if at in again else 1)]
    return Feed(lines, resent)


def _is_cut(text: str, whole: str) -> bool:
    return len(text) < len(whole) and whole.startswith(text)


def _forms(source: Source, images: Sequence[Image], claim: int, rng: random.Random) -> list[Form]:
    """A source's forms in the common format, in the order in which they came."""
    count = source.records - source.repeats
    bad = set(rng.sample(range(count), source.bad_scans))
    forms = []
    for place in range(count):
        amount = draw(images, rng)
        day = place * DAYS // count
        boxes, skew = _bad_scan(amount, rng) if place in bad else ([image.pixels for image in amount], None)
        forms.append(make_form(claim + place, boxes, channel=source.name, day=day, skew=skew, rng=rng))
    return forms


def _bad_scan(amount: Amount, rng: random.Random) -> tuple[list[bytes], float]:
    """A scan that is faint and dusty, and in four of five cases askew by 22 to 38 degrees; and its skew."""
    skew = (
        round(rng.choice((-1, 1)) * rng.uniform(22.0, 38.0), 1) if rng.random() < 0.8 else round(rng.uniform(-3, 3), 1)
    )
    strength = rng.uniform(0.38, 0.5)
    dust = 1.5 if abs(skew) > 10 else 3.0  # in units of ink, of which full black has 16
    return [damage(image.pixels, skew=skew, strength=strength, dust=dust, rng=rng) for image in amount], skew

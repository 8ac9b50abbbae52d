"""Amounts of 3 to 5 digits, composed from images of single digits."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Final

from handwriting.images import Image

Amount = tuple[Image, ...]  # the boxes from left to right; the first is never a zero

# How many boxes the amounts have: of every 25, 12 have 3, 8 have 4 and 5 have 5, as small claims are more common.
LENGTHS: Final = (3,) * 12 + (4,) * 8 + (5,) * 5


def value(amount: Amount) -> int:
    """What the amount says."""
    return int("".join(str(image.digit) for image in amount))


def deal(images: Sequence[Image]) -> tuple[Amount, ...]:
    """As many amounts as can be made from images, each image used at most once.

    The first box of every amount takes the next image that is no zero, the others take what is left, in order.

    Args:
        images: in the order in which they are dealt.
    """
    counts = _counts(len(images))
    leading = [image for image in images if image.digit][: len(counts)]
    taken = {image.place for image in leading}
    others = iter([image for image in images if image.place not in taken])
    return tuple(
        (first, *(next(others) for _ in range(count - 1))) for first, count in zip(leading, counts, strict=True)
    )


def draw(images: Sequence[Image], rng: random.Random) -> Amount:
    """One amount at random, from images that may be used again.

    Args:
        images: to draw from.
        rng: source of chance.
    """
    while True:
        amount = tuple(rng.choice(images) for _ in range(rng.choice(LENGTHS)))
        if amount[0].digit:
            return amount


def places(amounts: Iterable[Amount]) -> list[int]:
    """The images used, once for each use."""
    return [image.place for amount in amounts for image in amount]


def _counts(images: int) -> list[int]:
    """Lengths of amounts, in turn, until the images are used up."""
    counts: list[int] = []
    while images >= LENGTHS[len(counts) % len(LENGTHS)]:
        counts.append(LENGTHS[len(counts) % len(LENGTHS)])
        images -= counts[-1]
    return counts

"""Which image is used for what.

The images are put in the order of the SHA-256 of their pixels: an order that nobody chose, that does not depend on any
generator of random numbers, and that anybody can repeat. The first 930 are for evaluation, the next 480 for training,
the other 387 for choosing the threshold. No image is in two sets, and no two images of the data set are alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from handwriting.images import Image

EVALUATION: Final = 930
TRAINING: Final = 480


class Split(NamedTuple):
    """Three sets of images with nothing in common."""

    evaluation: tuple[Image, ...]  # never seen by training or by the choice of the threshold
    training: tuple[Image, ...]  # the weights, and the pilot's hand-picked sample
    choice: tuple[Image, ...]  # the confidence below which a person looks


def split(images: Iterable[Image]) -> Split:
    """The three sets.

    Args:
        images: all images of the data set, in any order.
    """
    ordered = sorted(images, key=lambda image: image.digest)
    middle = EVALUATION + TRAINING
    return Split(tuple(ordered[:EVALUATION]), tuple(ordered[EVALUATION:middle]), tuple(ordered[middle:]))

"""The confidence below which a person looks, chosen on images of its own.

The rule is one of work, not of accuracy: the reviewers' day decides how many forms may be held, and the threshold is
the highest that holds no more. Whether what is then answered is right often enough is a question for the evaluation.
(A rule that aims at a share of right answers was tried first; on some 450 images it hangs on one or two of them.)
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from claims_reader.kernel import Weights, classify
from numpy.typing import NDArray

from handwriting.amounts import draw, places
from handwriting.images import Image
from handwriting.training import pixels_of

AMOUNTS: Final = 20_000  # composed from the images of the choice set, which are used again and again here
SEED: Final = 1998
# Of 12 hours of reviewers a day, 6 h 40 min are planned for held forms, at 40 seconds each: 600 of the 3,000 of a day.
# The rest is for what is quarantined, and for days on which the forms are harder to read.
MAY_BE_HELD: Final = 0.20


class Choice(NamedTuple):
    """What the choice set says about one threshold."""

    review_below: int  # confidence in whole percent
    answered: float  # share of the amounts that are answered without a person
    right: float  # share of the answered amounts that are right


def choose(images: Sequence[Image], weights: Weights) -> Choice:
    """The highest threshold, in whole percent, that holds no more amounts than the reviewers can take.

    Args:
        images: the choice set: neither trained on nor used for evaluation.
        weights: from training.
    """
    right, confidence = _read_amounts(images, weights)
    fitting = [percent for percent in range(1, 100) if (confidence < percent / 100).mean() <= MAY_BE_HELD]
    percent = max(fitting, default=0)
    answered = confidence >= percent / 100
    return Choice(percent, float(answered.mean()), float(right[answered].mean()))


def _read_amounts(images: Sequence[Image], weights: Weights) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """For amounts composed from the images: whether each is read right, and how sure it is."""
    posterior, _ = classify(pixels_of(images), weights)
    digit_right = posterior.argmax(axis=1) == np.array([image.digit for image in images])
    digit_sure = posterior.max(axis=1).astype(np.float64)
    row_of = {image.place: row for row, image in enumerate(images)}
    rng = random.Random(SEED)  # noqa: S311 - amounts for a demonstration, nothing to guess
    amounts = [[row_of[place] for place in places([draw(images, rng)])] for _ in range(AMOUNTS)]
    right = np.array([digit_right[rows].all() for rows in amounts])
    return right, np.array([digit_sure[rows].prod() for rows in amounts])

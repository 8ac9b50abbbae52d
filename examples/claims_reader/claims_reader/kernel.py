"""The digit classifier: kernel ridge regression on stretched images, with a softmax over its ten scores."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WIDTH: Final = 0.15  # of the kernel exp(-WIDTH * squared distance); ink is between 0 and 1
SHARPNESS: Final = 10.0  # of the softmax over scores that are near 0 for wrong classes and near 1 for the right one


class Weights(NamedTuple):
    """What training leaves behind."""

    exemplars: Floats  # (n, 64), stretched
    coefficients: Floats  # (n, 10)
    familiar: float  # likeness, in (0, 1], below which an image is unlike all that was trained on


def read_weights(file: Path) -> Weights:
    """The weights that ``train.py`` wrote.

    Args:
        file: a NumPy archive with ``exemplars``, ``coefficients`` and ``familiar``.

    Raises:
        OSError: the file cannot be read.
        KeyError: it is not a weights file.
    """
    with np.load(file, allow_pickle=False) as stored:
        return Weights(stretch(stored["exemplars"]), stored["coefficients"], float(stored["familiar"]))


def stretch(images: NDArray[np.generic]) -> Floats:
    """Images whose darkest pixel is at 1, so that a faint scan of a digit is near a strong one; an empty box stays 0.

    Args:
        images: shape (n, 64), ink on any scale from 0.
    """
    inked = images.astype(np.float32)
    stretched: Floats = inked / np.maximum(inked.max(axis=1, keepdims=True), np.float32(1e-6))
    return stretched


def kernel(images: Floats, exemplars: Floats) -> Floats:
    """How close each image is to each exemplar, in (0, 1]; shape (images, exemplars).

    Args:
        images: shape (n, 64), stretched.
        exemplars: shape (m, 64), stretched.
    """
    own = np.einsum("ij,ij->i", images, images)[:, None]
    theirs = np.einsum("ij,ij->i", exemplars, exemplars)
    closeness: Floats = np.exp(-WIDTH * np.maximum(own + theirs - 2 * (images @ exemplars.T), 0))
    return closeness


def classify(images: NDArray[np.generic], weights: Weights) -> tuple[Floats, Floats]:
    """How likely each digit is, and how much each image is like something known.

    Args:
        images: shape (n, 64), ink on any scale from 0.
        weights: from ``read_weights``.

    Returns:
        Posteriors, shape (n, 10), each row adding up to 1; and likenesses, shape (n,), in (0, 1]: the kernel's value at
        the nearest exemplar.
    """
    closeness = kernel(stretch(images), weights.exemplars)
    scores = SHARPNESS * (closeness @ weights.coefficients)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True), closeness.max(axis=1)

"""Training: the weights of the digit classifier, from the training images alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from claims_reader.kernel import Weights, classify, kernel, stretch
from numpy.typing import NDArray

from handwriting.images import Image

RIDGE: Final = 0.01
DECIMALS: Final = 3  # of the coefficients: linear algebra differs in the last digits from one machine to the next
MARGIN: Final = 1.2  # a bad scan is this much farther (squared distance) from all exemplars than any clean image is


def train(training: Sequence[Image], choice: Sequence[Image], labels: Sequence[int] | None = None) -> Weights:
    """The weights.

    Args:
        training: images to learn from.
        choice: other clean images; with the training images, each against the rest, they show how unfamiliar a clean
            image can be.
        labels: what the training images are said to show; None: what their writers were asked to write.
    """
    pixels = pixels_of(training)
    said = np.array([image.digit for image in training] if labels is None else labels)
    exemplars = stretch(pixels)
    closeness = kernel(exemplars, exemplars).astype(np.float64)
    coefficients = np.linalg.solve(closeness + RIDGE * np.eye(len(training)), np.eye(10)[said])
    learned = Weights(exemplars, np.round(coefficients, DECIMALS).astype(np.float32), 0.0)
    _, likeness = classify(pixels_of(choice), learned)
    np.fill_diagonal(closeness, 0.0)
    strangest = min(float(likeness.min()), float(closeness.max(axis=1).min()))
    # The likeness is exp(-width * squared distance), so a power of it is a multiple of that distance.
    return learned._replace(familiar=round(strangest**MARGIN, DECIMALS))


def write_weights(file: Path, training: Sequence[Image], weights: Weights) -> None:
    """Write weights as the reader expects them; the exemplars as whole ink values."""
    np.savez(
        file,
        exemplars=pixels_of(training),
        coefficients=weights.coefficients,
        familiar=np.array(weights.familiar),
    )


def pixels_of(images: Sequence[Image]) -> NDArray[np.uint8]:
    """Shape (n, 64), ink from 0 to 16."""
    return np.frombuffer(b"".join(image.pixels for image in images), dtype=np.uint8).reshape(-1, 64)

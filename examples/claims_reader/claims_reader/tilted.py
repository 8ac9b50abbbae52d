"""Reading a bad scan again: turned, scaled and shifted until it looks like handwriting that is known.

One sheet lies in the scanner at one angle, so the angle is common to all boxes of a form; each box has its own shift.
For every angle the boxes are compared under all sizes and shifts, and the angle under which all boxes together look
most familiar wins. This makes up for much of the tilt and costs some thousand times a plain reading.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from claims_reader.kernel import Floats, Weights, classify

ANGLES: Final = range(-45, 46, 3)  # degrees
SIZES: Final = (0.9, 1.0, 1.15)
SHIFTS: Final = (-1.0, -0.5, 0.0, 0.5, 1.0)  # pixels, across and down
TRUST: Final = 8.0  # the power of the likeness with which a variant counts

_MIDDLE: Final = 3.5  # of an image 8 pixels wide
_DOWN, _ACROSS = (a.ravel() for a in np.mgrid[0:8, 0:8].astype(np.float32) - np.float32(_MIDDLE))


def read_tilted(images: NDArray[np.generic], weights: Weights) -> Floats:
    """Posteriors of boxes that could not be read as they lie.

    Args:
        images: shape (n, 64), ink from 0 to 16.
        weights: from ``read_weights``.

    Returns:
        Posteriors, shape (n, 10), each row adding up to 1.
    """
    best = -math.inf
    chosen = np.full((len(images), 10), 0.1, dtype=np.float32)
    for angle in ANGLES:
        posteriors, likenesses = _read_at(images, angle, weights)
        familiarity = float(np.log(likenesses.max(axis=0)).sum())
        if familiarity > best:
            best = familiarity
            trust = likenesses**TRUST
            trust /= trust.sum(axis=0)
            chosen = np.einsum("vn,vnd->nd", trust, posteriors)
    return chosen


def warp(images: NDArray[np.generic], angle: float, size: float, across: float, down: float) -> Floats:
    """Images turned, scaled and shifted, with what lies between pixels interpolated and paper outside.

    Args:
        images: shape (n, 64).
        angle: degrees, about the middle.
        size: factor by which the image grows.
        across: pixels to the right.
        down: pixels downwards.

    Returns:
        Shape (n, 64).
    """
    turn = math.radians(angle)
    cosine, sine = math.cos(turn) / size, math.sin(turn) / size
    x = cosine * (_ACROSS - across) + sine * (_DOWN - down) + (_MIDDLE + 1)
    y = cosine * (_DOWN - down) - sine * (_ACROSS - across) + (_MIDDLE + 1)
    x, y = np.clip(x, 0.0, 8.999), np.clip(y, 0.0, 8.999)  # into the margin of paper, one pixel wide
    left, top = x.astype(np.intp), y.astype(np.intp)
    right_share, lower_share = x - left, y - top
    sheet = np.zeros((len(images), 10, 10), dtype=np.float32)
    sheet[:, 1:9, 1:9] = images.reshape(-1, 8, 8)
    upper = sheet[:, top, left] * (1 - right_share) + sheet[:, top, left + 1] * right_share
    lower = sheet[:, top + 1, left] * (1 - right_share) + sheet[:, top + 1, left + 1] * right_share
    warped: Floats = upper * (1 - lower_share) + lower * lower_share
    return warped


def _read_at(images: NDArray[np.generic], angle: float, weights: Weights) -> tuple[Floats, Floats]:
    """Posteriors (variants, n, 10) and likenesses (variants, n) at one angle, for every size and shift."""
    read = [
        classify(warp(images, angle, size, across, down), weights)
        for size in SIZES
        for across in SHIFTS
        for down in SHIFTS
    ]
    return np.stack([posterior for posterior, _ in read]), np.stack([likeness for _, likeness in read])

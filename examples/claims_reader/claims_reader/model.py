"""Reads the handwritten amount of one claim form.

This is the prototype, as its builders wrote it, and the same code, with the same weights, runs behind ``pilot.yaml``
and behind ``plimsoll.yaml``. What it was never told: which scans are good enough to read at all, how long it may take,
and that it may say "a person should look at this".
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from claims_reader.kernel import Weights, classify, read_weights
from claims_reader.tilted import read_tilted
from plimsoll import Result

WEIGHTS_FILE: Final = Path(__file__).with_name("weights.npz")
_CELLS: Final = "0123456789abcdefg"  # ink of one pixel, 0 to 16, as one character
_INK: Final = bytes.maketrans(_CELLS.encode(), bytes(range(17)))


def predict(record: dict[str, Any]) -> Result:
    """The amount on one form.

    Args:
        record: a claim form in the common format; ``scan.digits`` holds the boxes of the amount from left to right,
            each 64 characters (8 rows of 8 pixels, ``0`` is paper, ``g`` is full ink) or a table of 8 by 8 numbers
            from 0 to 16.

    Returns:
        ``{"amount": 4711, "digits": [4, 7, 1, 1]}``. The confidence is the product of the posteriors of the digits, so
        the chance that all of them are right; the reason names the digit that was least sure.

    Raises:
        ValueError: there is no box, or a box does not hold 64 pixels.
        KeyError: the record has no scan.
    """
    boxes = decode(record["scan"]["digits"])
    weights = _weights()
    posterior, likeness = classify(boxes, weights)
    tilted = likeness.min() < weights.familiar
    if tilted:
        posterior = read_tilted(boxes, weights)
    digits = [int(d) for d in posterior.argmax(axis=1)]
    sure = posterior.max(axis=1)
    weakest = int(sure.argmin())
    reasons = [f"digit {weakest + 1} of {len(digits)} was least sure: {digits[weakest]} with {sure[weakest]:.2f}"]
    if tilted:
        reasons.append("the scan looks like nothing it was trained on: read again turned, scaled and shifted")
    return Result(
        output={"amount": int("".join(map(str, digits))), "digits": digits},
        confidence=min(1.0, float(sure.prod())),
        reasons=tuple(reasons),
    )


def decode(boxes: list[str | list[list[int]]]) -> NDArray[np.float32]:
    """The boxes of a form as ink values.

    Args:
        boxes: for each box a text of 64 characters, or a table of 8 by 8 numbers.

    Returns:
        Shape (boxes, 64), values from 0 to 16.

    Raises:
        ValueError: there is no box, or a box does not hold 64 pixels.
    """
    if not boxes:
        raise ValueError("the form has no box with a digit")
    return np.stack([_decode_box(box, place) for place, box in enumerate(boxes, start=1)])


def _decode_box(box: str | list[list[int]], place: int) -> NDArray[np.float32]:
    if isinstance(box, str):
        if len(box) != 64 or box.strip(_CELLS):
            raise ValueError(f"box {place} does not hold 64 pixels from 0 to g")
        return np.frombuffer(box.encode().translate(_INK), dtype=np.uint8).astype(np.float32)
    table = np.asarray(box, dtype=np.float32)
    if table.shape != (8, 8):
        raise ValueError(f"box {place} is not a table of 8 by 8 pixels")
    return table.ravel()


@functools.cache
def _weights() -> Weights:
    return read_weights(WEIGHTS_FILE)

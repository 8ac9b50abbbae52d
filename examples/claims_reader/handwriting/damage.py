"""What goes wrong at the scanner: a sheet lies askew, the lamp is old, there is dust on the glass.

Only the standard library's generator is used, so that the same seed gives the same scan everywhere.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

FULL = 16  # ink of a black pixel
_MIDDLE = 3.5  # of an image 8 pixels wide


def damage(pixels: bytes, *, skew: float, strength: float, dust: float, rng: random.Random) -> bytes:
    """A digit as a bad scan shows it.

    Args:
        pixels: 64 values from 0 to 16.
        skew: degrees by which the sheet was turned.
        strength: in (0, 1], the share of the ink that is left.
        dust: standard deviation of the noise that is added, in units of ink.
        rng: source of chance.
    """
    turned = _turn(pixels, skew)
    return bytes(min(FULL, max(0, round(strength * ink + rng.gauss(0.0, dust)))) for ink in turned)


def contrast_of(boxes: Sequence[bytes]) -> float:
    """What the scanner reports as contrast: how far the darkest tenth stands out from the lightest tenth, in [0, 1].

    Args:
        boxes: the pixels of all boxes of a form.
    """
    inks = sorted(ink for box in boxes for ink in box)
    tenth = max(1, len(inks) // 10)
    return round((sum(inks[-tenth:]) - sum(inks[:tenth])) / (tenth * FULL), 2)


def _turn(pixels: bytes, degrees: float) -> list[float]:
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = []
    for row in range(8):
        for column in range(8):
            across, down = column - _MIDDLE, row - _MIDDLE
            turned.append(_between(pixels, cosine * across + sine * down, cosine * down - sine * across))
    return turned


def _between(pixels: bytes, across: float, down: float) -> float:
    """Bilinear interpolation at a place given from the middle; outside is paper."""
    x, y = across + _MIDDLE, down + _MIDDLE
    left, top = math.floor(x), math.floor(y)
    right_share, lower_share = x - left, y - top
    upper = (1 - right_share) * _ink(pixels, top, left) + right_share * _ink(pixels, top, left + 1)
    lower = (1 - right_share) * _ink(pixels, top + 1, left) + right_share * _ink(pixels, top + 1, left + 1)
    return (1 - lower_share) * upper + lower_share * lower


def _ink(pixels: bytes, row: int, column: int) -> int:
    return pixels[8 * row + column] if 0 <= row < 8 and 0 <= column < 8 else 0

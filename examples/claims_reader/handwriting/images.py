"""The handwriting: 1,797 images of digits, bundled with scikit-learn.

Source: E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
doi:10.24432/C50P49, CC BY 4.0. Bundled is the part that 13 people wrote.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from sklearn.datasets import load_digits

CELLS = "0123456789abcdefg"  # ink of one pixel, 0 to 16, as one character


class Image(NamedTuple):
    """One handwritten digit."""

    place: int  # in the data set as bundled, from 0
    digit: int  # what the writer was asked to write
    pixels: bytes  # 64 values from 0 (paper) to 16 (ink), row by row

    @property
    def digest(self) -> str:
        """SHA-256 of the pixels, in hex."""
        return hashlib.sha256(self.pixels).hexdigest()

    @property
    def text(self) -> str:
        """The pixels as 64 characters, ``0`` to ``9`` and ``a`` to ``g``."""
        return text_of(self.pixels)


def text_of(pixels: bytes) -> str:
    """Pixels from 0 to 16 as one character each."""
    return "".join(CELLS[p] for p in pixels)


def read_images() -> tuple[Image, ...]:
    """All images, in the order in which they are bundled."""
    bundled = load_digits()
    return tuple(
        Image(place, int(digit), bytes(int(pixel) for pixel in pixels))
        for place, (pixels, digit) in enumerate(zip(bundled.data, bundled.target, strict=True))
    )

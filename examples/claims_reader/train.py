"""Make the weights again: ``python examples/claims_reader/train.py``.

Writes the weights that both manifests use, and those of a worse model that the demonstration has refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from handwriting.images import read_images
from handwriting.split import split
from handwriting.training import train, write_weights

HERE: Final = Path(__file__).parent
WEIGHTS: Final = HERE / "claims_reader" / "weights.npz"
REGRESSED: Final = HERE / "regressed" / "weights.npz"
SLIPPED: Final = 48  # the newest tenth of the training images: one page of labels


def slip(labels: list[int], count: int) -> list[int]:
    """Labels of which the last ``count`` have slipped by one line: each image bears the label of the one before it."""
    return labels[:-count] + labels[-count - 1 : -1]


def main() -> None:
    """Train both models and write them."""
    sets = split(read_images())
    write_weights(WEIGHTS, sets.training, train(sets.training, sets.choice))
    print(f"wrote {WEIGHTS.relative_to(HERE)}: trained on {len(sets.training)} images")
    labels = slip([image.digit for image in sets.training], SLIPPED)
    REGRESSED.parent.mkdir(exist_ok=True)
    write_weights(REGRESSED, sets.training, train(sets.training, sets.choice, labels))
    print(f"wrote {REGRESSED.relative_to(HERE)}: the same, but the last {SLIPPED} labels have slipped by one line")


if __name__ == "__main__":
    main()

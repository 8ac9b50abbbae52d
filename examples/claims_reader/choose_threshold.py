"""Choose ``review_below`` again: ``python examples/claims_reader/choose_threshold.py``.

Prints the figure that stands in ``plimsoll.yaml``; it looks at the images of the choice set alone.
"""

from __future__ import annotations

from claims_reader.kernel import read_weights
from claims_reader.model import WEIGHTS_FILE
from handwriting.images import read_images
from handwriting.split import split
from handwriting.threshold import AMOUNTS, MAY_BE_HELD, choose


def main() -> None:
    """Choose and print."""
    images = split(read_images()).choice
    choice = choose(images, read_weights(WEIGHTS_FILE))
    print(f"review_below: {choice.review_below}%")
    print(
        f"the highest that holds at most {MAY_BE_HELD:.0%} of {AMOUNTS:,} amounts composed from {len(images)} images: "
        f"{choice.answered:.1%} are answered, {choice.right:.2%} of them are right"
    )


if __name__ == "__main__":
    main()

"""Make ``golden.jsonl`` and ``pilot_sample.jsonl`` again: ``python examples/claims_reader/make_cases.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from claims_reader.model import predict
from handwriting.cases import PILOT_CASES, golden, pilot_candidates
from handwriting.forms import line, write_lines
from handwriting.images import read_images
from handwriting.split import split

HERE: Final = Path(__file__).parent


def golden_lines() -> list[str]:
    """The golden set, one case a line."""
    return [line(case) for case in golden(split(read_images()))]


def pilot_lines() -> list[str]:
    """The pilot's sample: the first 40 amounts of training images that the model reads right. That is no evidence."""
    picked = [case for case in pilot_candidates(split(read_images())) if _reads_right(case["input"], case["expected"])]
    return [line(case) for case in picked[:PILOT_CASES]]


def _reads_right(form: dict[str, object], expected: dict[str, int]) -> bool:
    return bool(predict(form).output["amount"] == expected["amount"])


def main() -> None:
    """Write both files."""
    for name, lines in (("golden.jsonl", golden_lines()), ("pilot_sample.jsonl", pilot_lines())):
        write_lines(HERE / name, lines)
        print(f"wrote {name}: {len(lines)} cases")


if __name__ == "__main__":
    main()

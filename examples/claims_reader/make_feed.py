"""Make the feed again: ``python examples/claims_reader/make_feed.py [FOLDER]``.

Writes one file for each source into FOLDER/feed, and FOLDER/resent.jsonl: the records that came broken, as their source
sends them once more when it is told. Without FOLDER, beside this file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from handwriting import feed
from handwriting.forms import write_lines
from handwriting.images import read_images
from handwriting.sources import SOURCES
from handwriting.split import split

HERE: Final = Path(__file__).parent


def make_feed(folder: Path) -> dict[str, int]:
    """Write the feed and what is sent again.

    Args:
        folder: where ``feed`` and ``resent.jsonl`` go; it is made.

    Returns:
        The number of records, by source.
    """
    sent = feed.make_feed(split(read_images()))
    for source, lines in sent.lines.items():
        write_lines(folder / "feed" / f"{source}.jsonl", lines)
    write_lines(folder / "resent.jsonl", sent.resent)
    return {source: len(lines) for source, lines in sent.lines.items()}


def main() -> None:
    """Write the feed and say what it holds."""
    counts = make_feed(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
    for source in SOURCES:
        print(f"{counts[source.name]:5d}  {source.name:<19} {source.note}")
    print(f"{sum(counts.values()):5d}  records from {len(counts)} sources")


if __name__ == "__main__":
    main()

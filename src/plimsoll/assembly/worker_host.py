"""A worker process of a target that is measured: it also says which files it opened.

Started in place of `plimsoll.engine.worker_child` while a release is assessed.
"""

from __future__ import annotations

import sys

from plimsoll.engine.worker_child import run
from plimsoll.rollout import OpenedFiles

OPENED = OpenedFiles()


def main() -> int:
    """Watch from before the callable is imported, and tell each file once."""
    told: set[str] = set()

    def opened() -> tuple[str, ...]:
        new = OPENED.of() - told
        told.update(new)
        return tuple(sorted(new))

    OPENED.start()
    return run(sys.argv[1:], opened)


if __name__ == "__main__":
    sys.exit(main())

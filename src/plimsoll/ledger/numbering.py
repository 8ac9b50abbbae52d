"""How rows are numbered, in every store alike.

::

    entries.id = stream number << 40 | position           one entry
    tiles.id   = stream number << 40 | tile               254 interior hashes over 256 entries
    nodes.id   = stream number << 40 | level - 8 << 34 | index      roots of tiles (level 8) and all above

so that a stream's rows stand together in the order of their writing, and each is found by the primary key alone. A
second index per entry would cost an eighth of the append rate, ids at random three quarters of it.
"""

from __future__ import annotations

from typing import Any, Final

SHIFT: Final = 40  # bits of a position; 2**40 entries in a stream, 2**23 streams in a store
POSITION: Final = (1 << SHIFT) - 1
NODE_SHIFT: Final = 34
ROOT_STREAM: Final = 1  # number of the stream that registers all others

DECISION: Final = "decision"  # the kind that nearly all entries are of; the others are found by an index
COLUMNS: Final = "id,time_ns,kind,system,subject,refs,type,tier,called,disposition,sealed,body,leaf"

Row = tuple[Any, ...]  # as a statement gives it; of entries mostly `COLUMNS`, in their order

"""Whether a stored view is what the entries give; views are no record, but people decide by them."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from plimsoll.errors import StoreLocked
from plimsoll.ledger.findings import Finding, Sure
from plimsoll.ledger.ledger import Ledger
from plimsoll.ledger.projection import Projection, View

_TRIES: Final = 5  # a view can only be compared with itself while nothing is written


def check_view(ledger: Ledger, projection: Projection) -> Finding | None:
    """Fold a projection anew and compare it with the view that was stored; the new one stays.

    Args:
        ledger: open for writing.
        projection: whose view.

    Returns:
        None when the two were equal.

    Raises:
        StoreLocked: entries keep coming, so that there was nothing to compare.
        StoreError: the view cannot be rebuilt.
    """
    for _ in range(_TRIES):
        sizes = ledger.reader.sizes()
        before = _digest(ledger.view(projection))
        ledger.rebuild(projection)
        after = _digest(ledger.view(projection))
        if ledger.reader.sizes() == sizes:
            return None if before == after else _say(ledger, projection)
    raise StoreLocked(
        f"entries keep coming, so that the view '{projection.name}' cannot be compared with a new one",
        fix="stop what writes to the ledger, then ask again",
    )


def _say(ledger: Ledger, projection: Projection) -> Finding:
    erased = next(iter(ledger.entries(kinds=["erased"])), None) is not None
    why = "; subjects were erased, and what was folded before that may rightly differ" if erased else ""
    return Finding(
        code="view-altered",
        what=f"the stored view '{projection.name}' was not what the entries give; it has been rebuilt{why}",
        evidence="folding it anew",
        sure=Sure.RANGE if erased else Sure.EXACT,
    )


def _digest(view: View) -> bytes:
    """One hash over all keys and values in their order."""
    total = sha256()
    for key, value in view.scan():
        for part in (key.encode(), value):
            total.update(len(part).to_bytes(8, "big") + part)
    return total.digest()

"""What every store of the ledger must do, as tests that its author runs.

::

    class TestMyStore(StoreConformance):
        def open_store(self, place: Path, **options: Any) -> Ledger:
            return Ledger.open(place / "ledger.db", **options)

``pytest`` collects the class; each test gets an empty folder of its own, and the same folder is the same store.
"""

from __future__ import annotations

from plimsoll.testing.ledger_checks import check_trees, decision, recomputed_leaf, refused, wait_until
from plimsoll.testing.simulated import ManualClock, ManualHost, Tally
from plimsoll.testing.store_derived import DerivedConformance
from plimsoll.testing.store_writing import WritingConformance


class StoreConformance(WritingConformance, DerivedConformance):
    """Subclass it, and say in `open_store` how your store is opened."""


__all__ = [
    "ManualClock",
    "ManualHost",
    "StoreConformance",
    "Tally",
    "check_trees",
    "decision",
    "recomputed_leaf",
    "refused",
    "wait_until",
]

"""The SQLite store passes the suite that every store has to pass."""

from pathlib import Path
from typing import Any

from plimsoll.ledger import Ledger
from plimsoll.testing.store import StoreConformance


class TestSqliteStore(StoreConformance):
    def open_store(self, place: Path, **options: Any) -> Ledger:
        return Ledger.open(place / "ledger.db", **options)

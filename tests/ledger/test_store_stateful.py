"""The SQLite store against a plain model, in any order of events."""

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from plimsoll.ledger import Ledger
from plimsoll.testing.stateful import LedgerMachine


class SqliteLedger(LedgerMachine):
    def open_store(self, place: Path, **options: Any) -> Ledger:
        return Ledger.open(place / "ledger.db", **options)


TestSqliteLedger = SqliteLedger.TestCase
TestSqliteLedger.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)

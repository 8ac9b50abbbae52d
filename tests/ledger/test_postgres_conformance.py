"""The PostgreSQL store passes the suite that every store has to pass, and keeps step with a plain model."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from plimsoll.ledger import Ledger
from plimsoll.testing.postgres import TemporaryServer
from plimsoll.testing.stateful import LedgerMachine
from plimsoll.testing.store import StoreConformance


class TestPostgresStore(StoreConformance):
    @pytest.fixture(autouse=True)
    def _a_database(self, database: str) -> None:
        self.address = database

    def open_store(self, place: Path, **options: Any) -> Ledger:  # noqa: ARG002 - a database has no folder
        return Ledger.open(self.address, **options)


class PostgresLedger(LedgerMachine):
    """One database for all examples; each begins with an empty one."""

    server: ClassVar[TemporaryServer]
    address: ClassVar[str]
    used: ClassVar[Path | None] = None

    def open_store(self, place: Path, **options: Any) -> Ledger:
        cls = type(self)
        if cls.used != place:
            name = self.address.rpartition("/")[2]
            self.server.sql("SET client_min_messages = error; DROP SCHEMA IF EXISTS plimsoll CASCADE", name)
            cls.used = place
        return Ledger.open(self.address, **options)


def test_it_does_as_a_plain_model_does_in_any_order_of_events(postgres_server: TemporaryServer, database: str) -> None:
    PostgresLedger.server, PostgresLedger.address = postgres_server, database
    run_state_machine_as_test(
        PostgresLedger,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )

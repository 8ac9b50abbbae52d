"""A test that was left out is said loudly; in CI it is a failure."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from plimsoll.testing.postgres import TemporaryServer, programs

# The tests are rewritten as they are imported, which takes longer than all else about collecting them: once is enough.
sys.dont_write_bytecode = False

# In CI the same examples every time, so that a change is judged by what it changed; at a desk, new ones every time.
# No deadline: two cores are shared with whatever else runs, and no test here is about time.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "desk")


def pytest_collection_finish() -> None:
    """What was collected stays to the end, so the collector need not look through it again with every test.

    And tests write a module and a second version of it within one second, which Python cannot tell apart by time and size.
    """
    gc.collect()
    gc.freeze()
    sys.dont_write_bytecode = True


def _left_out(config: pytest.Config) -> list[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = [] if reporter is None else reporter.stats.get("skipped", [])
    return sorted({f"{report.nodeid}: {report.longrepr[2]}" for report in skipped})


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leaving out is failing where CI is set: there everything that a test needs can be installed."""
    if os.environ.get("CI") == "true" and _left_out(session.config) and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    """Name each test that was left out, and why."""
    left_out = _left_out(config)
    if left_out:
        terminalreporter.section("LEFT OUT", red=True, bold=True)
        for line in left_out:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[TemporaryServer]:
    """A PostgreSQL server of this test process; nothing of it outlives the run."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("the extra 'postgres' is not installed")
    with TemporaryServer.start() as server:
        yield server


@pytest.fixture
def database(postgres_server: TemporaryServer) -> Iterator[str]:
    """The address of an empty database of this test."""
    address = postgres_server.new_database()
    yield address
    postgres_server.give_back(address)

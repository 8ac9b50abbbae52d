"""What the database's errors come out as."""

from __future__ import annotations

import pytest

from plimsoll.engine.duckdb import Database, QueryFailed, said_of


def test_an_interruption_is_no_damage():
    with pytest.raises(KeyboardInterrupt):
        said_of(RuntimeError("Query interrupted"))


def test_a_name_that_is_no_text_is_damage():
    assert said_of(RuntimeError("nanobind::str(): conversion error!")) == "a name or a value in it is no text"


def test_an_error_repeats_no_value():
    with Database() as database:
        with pytest.raises(QueryFailed) as caught:
            database.row("SELECT CAST('secret' AS INTEGER)")
        assert "secret" not in str(caught.value)
        with pytest.raises(QueryFailed, match="nothing"):
            database.row("SELECT nothing")

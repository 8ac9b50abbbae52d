"""`plimsoll init`: what is written loads, nothing is overwritten, and nothing is written when something is wrong."""

from __future__ import annotations

import asyncio
import re

import pytest
from cli.tiny_system import TARGET, lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plimsoll.assembly.project import Project
from plimsoll.assembly.starting import start
from plimsoll.contract import compile_contract
from plimsoll.errors import InputError, UsageError
from plimsoll.guard import Ask
from plimsoll.model.manifest_writer import placeholders
from plimsoll.testing.upstream import Upstream


@pytest.fixture
def sample(tmp_path):
    file = tmp_path / "My Records.jsonl"
    file.write_text(lines({"number": n, "note": f"n{n}"} for n in range(30)))
    return file


def test_manifest_contract_and_feed_are_written_and_load(tmp_path, sample):
    into = tmp_path / "Claims Reader"
    into.mkdir()
    (into / "parity.py").write_text(TARGET)
    started = start("parity:predict", sample, into=into)
    assert started.manifest == into / "plimsoll.yaml"
    assert started.contract == into / "contracts" / "my-records.odcs.yaml"
    assert started.feed.read_bytes() == sample.read_bytes()
    assert (started.records, started.skipped, started.target_problem) == (30, (), "")
    project = Project(started.manifest)
    assert project.manifest.system == "claims-reader"
    assert project.manifest.samples.feed == "feed"
    assert placeholders(project.manifest)
    checker = compile_contract(project.inputs[0])
    assert all(not checker.check({"number": n, "note": f"n{n}"}).reasons for n in range(30))


def test_without_a_sample_there_is_a_manifest_alone(tmp_path):
    started = start("nowhere.model:predict", None, into=tmp_path / "new")
    assert (started.contract, started.feed, started.records) == (None, None, 0)
    assert "nowhere" in started.target_problem
    assert Project(started.manifest).manifest.data.inputs == ()


def test_a_sample_that_lies_in_the_feed_stays_where_it_is(tmp_path):
    feed = tmp_path / "feed"
    feed.mkdir()
    (feed / "counter.jsonl").write_text('{"number": 1}\n')
    started = start("parity:predict", feed / "counter.jsonl", into=tmp_path)
    assert started.feed == feed / "counter.jsonl"
    assert [f.name for f in feed.iterdir()] == ["counter.jsonl"]


def test_lines_that_are_no_record_are_told_and_left_out_of_the_contract(tmp_path):
    sample = tmp_path / "s.jsonl"
    sample.write_bytes(b'{"a": 1}\n\n[1]\n{"a": \n\xff\n{"a": 2}\n')
    started = start("parity:predict", sample, into=tmp_path)
    assert started.records == 2
    assert [re.search(r":(\d+):", line)[1] for line in started.skipped] == ["3", "4", "5"]


@pytest.mark.parametrize("name", ["plimsoll.yaml", "contracts/my-records.odcs.yaml", "feed/my-records.jsonl"])
def test_nothing_is_overwritten_and_then_nothing_is_written(tmp_path, sample, name):
    there = tmp_path / "new" / name
    there.parent.mkdir(parents=True)
    there.write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        start("parity:predict", sample, into=tmp_path / "new")
    assert [p for p in (tmp_path / "new").rglob("*") if p.is_file()] == [there]
    assert there.read_text() == "mine"


@pytest.mark.parametrize(
    ("target", "system", "content", "error"),
    [
        ("parity", None, '{"a": 1}\n', UsageError),
        ("parity.predict", None, '{"a": 1}\n', UsageError),
        ("parity:", None, '{"a": 1}\n', UsageError),
        ("../parity:predict", None, '{"a": 1}\n', UsageError),
        ("parity:predict", "My System", '{"a": 1}\n', UsageError),
        ("parity:predict", "", '{"a": 1}\n', UsageError),
        ("parity:predict", None, "", InputError),
        ("parity:predict", None, "[1]\n", InputError),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(tmp_path, target, system, content, error):
    sample = tmp_path / "s.jsonl"
    sample.write_text(content)
    with pytest.raises(error) as caught:
        start(target, sample, into=tmp_path / "new", system=system)
    assert caught.value.fix
    assert not (tmp_path / "new").exists()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(records=st.lists(st.dictionaries(st.text(max_size=8), VALUES, max_size=4), min_size=1, max_size=25))
def test_of_any_records_a_manifest_is_made_that_loads(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("any")
    (folder / "sample.jsonl").write_text(lines(records))
    started = start("parity:predict", folder / "sample.jsonl", into=folder / "new")
    project = Project(started.manifest)
    checker = compile_contract(project.inputs[0])
    assert all(not checker.check(record).reasons for record in records)


@pytest.mark.parametrize(
    ("target", "kind", "decision"),
    [
        ("https://models.example.org/v2/read-amount?x=1", "http", "read-amount"),
        ("http://127.0.0.1:8000", "http", "answer"),
        ("https://models.example.org/", "http", "answer"),
        ("openai:gpt-4o", "openai", "answer"),
        ("openai:org/model:8b@http://[::1]:8000/v1", "openai", "answer"),
    ],
)
def test_a_service_is_started_with_as_a_callable_is(tmp_path, sample, target, kind, decision):
    started = start(target, sample, into=tmp_path / "new")
    manifest = Project(started.manifest).manifest
    assert getattr(manifest.target, kind) is not None
    assert not manifest.target.python
    assert list(manifest.decisions) == [decision]
    assert placeholders(manifest)
    assert "# governance:" in started.manifest.read_text()


def test_a_service_that_is_started_with_can_be_asked(tmp_path, sample):
    """What is written works as it stands: against a real service, and after taking away the marks of a comment."""
    with Upstream() as service:
        started = start(f"{service.url}/read", sample, into=tmp_path / "http")
        assert started.target_problem == ""
        assert asked(started, {"text": "hail"}) == {"output": {"text": "hail"}, "confidence": 0.9}

        text = (
            started.manifest.read_text()
            .replace("    # response:", "    response:")
            .replace("    # request:", "    request:")
        )
        started.manifest.write_text(text)
        assert asked(started, {"text": "hail"}) == {"text": "hail"}

        started = start(f"openai:m@{service.url}/v1", sample, into=tmp_path / "chat")
        assert started.target_problem == ""
        assert asked(started, {"text": "hail"}) == '{"text":"hail"}'


def test_a_secret_that_is_not_set_is_said(tmp_path, sample, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert "OPENAI_API_KEY" in start("openai:gpt-4o", sample, into=tmp_path / "new").target_problem


def asked(started, record):
    target = Project(started.manifest).load_target()
    try:
        return asyncio.run(target.ask(Ask(record=record, deadline_s=5.0))).output
    finally:
        target.close()


@pytest.mark.parametrize(
    "target",
    [
        "openai:",
        "openai:m@",
        "openai:m@ftp://h",
        "https://",
        "https://me:secret@h/x",
        "ftp://h/x",
        "openai:a b",
        "http://h/#f",
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path, target):
    with pytest.raises(UsageError, match="names no target"):
        start(target, None, into=tmp_path / "new")
    assert not (tmp_path / "new").exists()

"""Contracts: a feed of whatever bytes through the guard; every record that was offered is found again, or named."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import sqlite3
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from assess.a_system import CONTRACT, System, lines, row, start_python
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plimsoll.assembly.runs import recorded_runs, unfinished
from plimsoll.assess.contracts import replay_feed
from plimsoll.assess.feed import Feed
from plimsoll.assess.run import About, Run
from plimsoll.contract import compile_contract, read_contract
from plimsoll.errors import InputError
from plimsoll.guard import Guard, GuardedType, GuardSettings, PythonTarget
from plimsoll.ledger import Ledger
from plimsoll.model.board import Standing
from plimsoll.model.decision import DecisionRecord, Disposition, Tier
from plimsoll.model.details import ContractsDetail
from plimsoll.model.evidence import Ended, Evidence, Proportion

RELEASE = "sha256:" + "a" * 64
ABOUT = About(system="s", release=RELEASE, threshold="t", people="p")
CHECKER = compile_contract(read_contract(CONTRACT, "numbers.odcs.yaml"))
NUMBERS = itertools.count()


def guard_over(ledger, target=lambda record: record["number"], **settings_):
    types = {
        name: GuardedType(name=name, tier=Tier.AUTOMATIC, accountable="a@b.org", review_below=None, next="a@b.org")
        for name in ("tell", "guess")
    }
    return Guard(
        GuardSettings(system="s", release=RELEASE, types=types, **settings_),
        ledger=ledger,
        target=PythonTarget(target, "t"),
        inputs={"counter": CHECKER},
        default_input=CHECKER,
        output=None,
    )


def write_feed(folder: Path, **sources: bytes) -> Feed:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jsonl"):
        old.unlink()
    for name, raw in sources.items():
        (folder / f"{name}.jsonl").write_bytes(raw)
    return Feed.open(folder, ("tell",))


def replay(ledger, feed, guard=None, **more):
    """Gives the detail, the valid share, and the census of lost records."""
    with (
        Run(ledger, ABOUT, assessment="contracts", protocol={"run": next(NUMBERS)}) as run,
        guard or guard_over(ledger) as over,
    ):
        detail = replay_feed(run, over, ledger, feed, **more)
    found = [msgspec.json.decode(ledger.body(e), type=Evidence) for e in ledger.entries(kinds=("evidence",))]
    by_metric = {e.metric: e.sample for e in found if e.run == run.id}
    return detail, by_metric["contracts.valid_rate"], by_metric["contracts.lost_records"]


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


record = st.one_of(
    st.binary(max_size=40),
    st.integers(-5, 10**20).map(lambda n: json.dumps({"number": n}).encode()),
    st.sampled_from(
        [
            b"\xef\xbb\xbf" + b'{"number": 1}',
            b'{"number": 1}\x00',
            b'{"number": NaN}',
            b'{"number": 1, "number": 2}',
            b'  {"number": 1}\t',
            b"\x00",
            b'"\xff"',
            b"[" * 5000,
            b'{"number": "' + b"x" * 2_000_000 + b'"}',
            b"x" * 2_000_000,
            b'{"number": 1e999}',
            b'"\\ud800"',
            b"null",
        ]
    ),
)
feed_bytes = st.lists(st.tuples(record, st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r"])), max_size=12).map(
    lambda parts: b"".join(line + end for line, end in parts)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large, HealthCheck.large_base_example])  # fmt: skip
@given(counter=feed_bytes.map(lambda raw: b"1\n\n\n" + raw), other=feed_bytes, cut=st.integers(0, 2))
def test_offered_is_the_sum_of_the_dispositions_and_every_record_is_found(ledger, tmp_path, counter, other, cut):
    feed = write_feed(tmp_path / "feed", counter=counter[: len(counter) - cut], other=other)
    offered = list(feed.lines())
    detail, valid, lost = replay(ledger, feed)
    assert sum(detail.dispositions.values()) == sum(s.offered for s in detail.sources) == len(offered)
    assert (lost.count, lost.total, detail.lost) == (0, len(offered), 0)
    assert valid.total == len(offered)
    for source in detail.sources:
        assert source.offered == source.valid + source.coerced + source.quarantined + source.other


def test_each_record_is_a_decision_of_its_own_type_and_both_types_are_counted(ledger, tmp_path):
    for name, count in (("tell", 5), ("guess", 3)):
        (tmp_path / "f" / name).mkdir(parents=True)
        raw = lines({"number": n} for n in range(count)) + b"{broken\n"
        (tmp_path / "f" / name / "counter.jsonl").write_bytes(raw)
    feed = Feed.open(tmp_path / "f", ("tell", "guess"))
    detail, valid, lost = replay(ledger, feed, declared=("counter", "mute"))
    assert [(s.name, s.offered, s.valid) for s in detail.sources] == [
        ("guess/counter", 4, 3),
        ("mute", 0, 0),
        ("tell/counter", 6, 5),
    ]
    assert (valid, lost.total) == (Proportion(hits=8, total=10), 10)
    headers = Counter(e.header.type for e in ledger.entries(kinds=("decision",)))
    assert headers == {"tell": 6, "guess": 4}
    assert {e.source for e in detail.examples} <= {"tell/counter", "guess/counter"}


def test_every_byte_of_every_record_is_in_the_ledger(ledger, tmp_path):
    raw = [b'{"number": 1}', b'{"number": 1', b"\xff\xfe\x00", b'{"number": "x"}', b"a\rb"]
    replay(ledger, write_feed(tmp_path / "f", counter=b"\n".join(raw)))
    kept = [msgspec.json.decode(ledger.body(e), type=DecisionRecord) for e in ledger.entries(kinds=("decision",))]
    assert sorted(k.input_json or k.raw_bytes for k in kept) == sorted(raw)


def test_rates_are_by_source_and_reasons_are_counted_once_a_record(ledger, tmp_path):
    feed = write_feed(
        tmp_path / "f",
        good=lines({"number": n} for n in range(10)),
        bad=lines([{"number": "x"}, {"number": "y"}, {}, {"number": 3}]),
    )
    detail, valid, _ = replay(ledger, feed)
    assert valid == Proportion(hits=11, total=14)
    by_name = {s.name: s for s in detail.sources}
    assert (by_name["good"].valid, by_name["good"].quarantined) == (10, 0)
    assert (by_name["bad"].valid, by_name["bad"].quarantined) == (1, 3)
    counts = {r.rule: r.count for r in by_name["bad"].reasons}
    assert counts["number is missing"] == 1
    assert sum(counts.values()) == 3
    assert {e.source for e in detail.examples} == {"bad"}
    assert not any('"x"' in e.excerpt or "'x'" in e.excerpt for e in detail.examples), "no value is shown"


def test_batched_records_that_are_still_on_their_way_are_not_taken_for_lost(ledger, tmp_path):
    feed = write_feed(tmp_path / "f", counter=lines({"number": n} for n in range(300)))
    _, _, lost = replay(ledger, feed, guard_over(ledger, batched=True))
    assert (lost.count, lost.total) == (0, 300)


def test_sealed_records_are_opened_to_be_found(ledger, tmp_path):
    feed = write_feed(tmp_path / "f", counter=lines({"number": n} for n in range(20)))
    assert replay(ledger, feed, guard_over(ledger, seal=True))[2].count == 0
    assert replay(ledger, feed, guard_over(ledger, seal=False))[2].count == 0


@pytest.mark.parametrize("target", [lambda _: 1 / 0, lambda _: float("nan"), lambda _: object()])
def test_a_target_that_fails_loses_nothing(ledger, tmp_path, target):
    feed = write_feed(tmp_path / "f", counter=lines({"number": n} for n in range(10)))
    detail, valid, lost = replay(ledger, feed, guard_over(ledger, target))
    assert detail.dispositions == {"failed": 10}
    assert (valid.hits, lost.count) == (10, 0), "a record that kept its contract kept it, whatever the target did"


class Forgetful(Ledger):
    """A store that acknowledges every record and drops each hundredth."""

    dropped = 0
    seen = 0

    async def aappend(self, draft, ops=()):
        if draft.kind == "decision":
            self.seen += 1
            if self.seen % 100 == 0:
                self.dropped += 1
                return f"{'0' * 32}-{self.seen}"
        return await super().aappend(draft, ops)


def test_a_store_that_drops_every_hundredth_record_is_found_out_and_the_lines_are_named(tmp_path):
    feed = write_feed(tmp_path / "f", counter=lines({"number": n} for n in range(250)))
    with Forgetful.open(tmp_path / "ledger.db") as ledger:
        detail, _, lost = replay(ledger, feed)
        assert ledger.dropped == 2
    assert (lost.count, lost.total, detail.lost) == (2, 250, 2)
    assert len(lost.missing) == 2
    assert all(name.startswith("counter.jsonl line ") for name in lost.missing)


class Robbed(Ledger):
    """Before the records are looked up, somebody with the file changes it behind our back."""

    robbery = ""

    def flush(self):
        super().flush()
        with contextlib.closing(sqlite3.connect(self.path)) as con, con:
            con.execute(self.robbery)


@pytest.mark.parametrize(
    "robbery",
    [
        "DELETE FROM entries WHERE id=(SELECT max(id) FROM entries WHERE kind='decision')",
        "UPDATE entries SET body=CAST(substr(body,1,20)||x'ffff'||substr(body,23) AS BLOB) WHERE id=(SELECT max(id) FROM entries WHERE kind='decision')",
    ],
    ids=["deleted", "altered"],
)
@pytest.mark.parametrize("seal", [True, False])
def test_a_record_that_goes_behind_our_back_is_counted_as_lost_and_named(tmp_path, robbery, seal):
    feed = write_feed(tmp_path / "f", counter=lines({"number": n} for n in range(9)) + b"{broken\n")
    with Robbed.open(tmp_path / "ledger.db") as ledger:
        ledger.robbery = robbery
        detail, valid, lost = replay(ledger, feed, guard_over(ledger, seal=seal))
        assert (lost.count, lost.total) == (1, 10)
        assert len(lost.missing) == 1
        assert isinstance(detail, ContractsDetail)
        assert valid.hits <= 9


def test_on_the_board_the_census_is_of_every_record(tmp_path):
    lost = row(System(tmp_path / "s").check("contracts"), "contracts.lost_records")
    assert (lost.standing, lost.estimate, lost.counts) == (Standing.MET, 0.0, "census of 101")


REPLAYS = """
import sys, time
from pathlib import Path
from assess.test_contracts import guard_over
from plimsoll.ledger import Ledger
import asyncio

async def main():
    with Ledger.open(Path(sys.argv[1])) as ledger, guard_over(ledger) as guard:
        for n in range(100_000):
            answer = await guard.adecide("tell", b'{"number": %d}' % n, source="counter")
            print(n, answer.record, flush=True)

asyncio.run(main())
"""

CHECKS = """
import sys
from pathlib import Path
from plimsoll.assembly.checking import check
from plimsoll.assembly.project import Project

class Told:
    def begin(self, name, total): pass
    def tick(self, done): print(done, flush=True)
    def end(self, said): pass

check(Project(Path(sys.argv[1])), only=("contracts",), write=False, progress=Told())
"""


def test_what_was_acknowledged_is_found_after_kill_9(tmp_path):
    path = tmp_path / "ledger.db"
    process = start_python(REPLAYS, path)
    said = [process.stdout.readline() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    rest, problem = process.communicate()
    assert all(said), problem
    acknowledged = dict(line.split() for line in [*said, *rest.splitlines()] if len(line.split()) == 2)
    with Ledger.open(path) as ledger:
        for number, record_ in list(acknowledged.items())[:-1]:  # the last line may be cut
            entry = ledger.get(record_)
            assert entry is not None, number
            kept = msgspec.json.decode(ledger.body(entry), type=DecisionRecord)
            assert json.loads(kept.input_json) == {"number": int(number)}


def test_a_check_that_is_killed_in_the_middle_of_a_feed_shows_as_unfinished(tmp_path):
    system = System(tmp_path / "s")
    system.write("feed/counter.jsonl", lines({"number": n} for n in range(20_000)))
    project = system.project()
    process = start_python(CHECKS, system.folder / "plimsoll.yaml")
    first = process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    _, problem = process.communicate()
    assert first, problem
    board = system.gate()
    assert [name.split()[0] for name in board.unfinished] == ["contracts"]
    assert row(board, "contracts.lost_records").standing is Standing.NOT_MEASURED
    with project.open_ledger() as ledger:
        assert unfinished(recorded_runs(ledger, "parity"), project.release.digest) == board.unfinished
        dispositions = Counter(e.header.disposition for e in ledger.entries(kinds=("decision",)))
        assert set(dispositions) == {Disposition.ANSWERED.value}
        assert not list(ledger.entries(kinds=("evidence",)))


def test_a_replay_that_ends_by_an_error_says_so(ledger, tmp_path):
    feed = write_feed(tmp_path / "f", counter=b'{"number": 1}\n')
    (tmp_path / "f" / "counter.jsonl").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        replay(ledger, feed)
    ended = [msgspec.json.decode(ledger.body(e), type=Ended) for e in ledger.entries(kinds=("assessment.ended",))]
    assert ended[-1].problem.startswith("InputError")


@pytest.mark.parametrize(("keys", "forgot"), [(10, False), (2, True)])
def test_a_window_that_forgot_keys_younger_than_its_age_is_named_under_the_valid_rate(tmp_path, ledger, keys, forgot):
    text = CONTRACT.replace("name: number, ", "name: number, primaryKey: true, ")
    assert text != CONTRACT
    text += f"customProperties: [{{property: plimsollWindow, value: {{keys: {keys}, age: 1 h}}}}]\n"
    checker = compile_contract(read_contract(text, "numbers.odcs.yaml"))
    given = guard_over(ledger)
    over = Guard(
        given.settings, ledger=ledger, target=given.target, inputs={"counter": checker}, default_input=None, output=None
    )
    feed = write_feed(tmp_path / "feed", counter=lines([{"number": n} for n in (1, 2, 3, 4, 1)]))
    detail, valid, _ = replay(ledger, feed, over)
    given.close()
    assert valid == Proportion(hits=5 if forgot else 4, total=5)
    (evidence,) = (
        e for e in (msgspec.json.decode(ledger.body(e), type=Evidence) for e in ledger.entries(kinds=("evidence",)))
        if e.metric == "contracts.valid_rate"
    )  # fmt: skip
    said = ("plimsollWindow of the source 'counter': it forgot 3 keys that were younger than its age",)
    assert evidence.unenforced == detail.unenforced == (said if forgot else ())

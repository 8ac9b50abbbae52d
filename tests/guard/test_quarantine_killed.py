"""Killed in the middle of anything, the quarantine loses nothing and decides nothing twice."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plimsoll.guard.quarantine import find_quarantined, quarantined
from plimsoll.guard.quarantine_view import QuarantineView, totals_of
from plimsoll.ledger import Ledger
from plimsoll.model.decision import Disposition

TESTS = Path(__file__).resolve().parent.parent
OP = "op@example.org"
COMMON = f"""
import sys, time
sys.path.insert(0, {str(TESTS)!r})
from plimsoll.contract import compile_contract, read_contract
from plimsoll.contract.patch import parse_patch
from plimsoll.guard import Guard, GuardedType, GuardSettings, PythonTarget
from plimsoll.guard.quarantine_group import Fix, discard_group, replay_group
from plimsoll.guard.quarantine import grouped
from plimsoll.ledger import Ledger
from plimsoll.model.decision import Tier
from guard.conftest import CLAIM

def slow(record):
    time.sleep(0.001)
    return record["amount"]

ledger = Ledger.open(sys.argv[1])
kind = GuardedType(name="read", tier=Tier.AUTOMATIC, accountable="{OP}", review_below=None, next="{OP}")
guard = Guard(GuardSettings(system="claims", release="sha256:" + "a" * 64, types={{"read": kind}}), ledger=ledger,
    target=PythonTarget(slow, "t"), inputs={{}}, default_input=compile_contract(read_contract(CLAIM, "c")), output=None)
group = next((g.group for g in grouped(ledger) if "type" in g.reason), "")
"""
OFFER = """
for n in range(10_000):
    raw = b'{"claim_id": "c-%d", "amount": %s}' % (n, (b'"x"', b"7", b"")[n % 3])
    print(guard.decide("read", raw, offset=str(n)).record, n, flush=True)
"""
REPLAY = """
text = '[{"op": "replace", "path": "/amount", "value": 7}]'
replay_group(guard, group, Fix(patch=parse_patch(text.encode()), text=text), by="op@example.org", batch=10)
print("done", flush=True)
"""
DISCARD = """
print(discard_group(ledger, "claims", group, by="op@example.org", reason="x", batch=2), flush=True)
"""


def start(path, script):
    return subprocess.Popen([sys.executable, "-c", COMMON + script, path], stdout=subprocess.PIPE, text=True)


def kill(child):
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
    return child.communicate(timeout=20)[0]


def fill(open_guard, path):
    """90 records of one group, and 200 of another."""
    with Ledger.open(path) as ledger:
        guard = open_guard(lambda record: record["amount"], ledger=ledger, batched=True)
        for n in range(90):
            guard.decide("read", b'{"claim_id": "c-%d", "amount": "x"}' % n)
        for _ in range(200):
            guard.decide("read", b"{")
        guard.close()


def offer(path, count):
    child = start(path, OFFER)
    told = [child.stdout.readline().split() for _ in range(count)]
    return told + [line.split() for line in kill(child).splitlines() if len(line.split()) == 2]


def entries(path, kind):
    with Ledger.open(path, read_only=True) as ledger:
        return sum(1 for _ in ledger.entries(kinds=(kind,)))


def dispositions(ledger):
    return collections.Counter(e.header.disposition for e in ledger.entries(kinds=("decision",)))


def test_every_record_that_was_answered_for_is_there_with_its_bytes(tmp_path):
    path = tmp_path / "ledger.db"
    told = offer(path, 60)
    with Ledger.open(path) as ledger:
        counts = dispositions(ledger)
        assert len(told) <= counts.total() <= len(told) + 1, "the one under way may be there, too"
        assert set(counts) == {"quarantined", "answered"}
        for record, n in told:
            entry = ledger.get(record)
            if entry.header.disposition == Disposition.QUARANTINED.value:
                found, kept = find_quarantined(ledger, record)
                assert (found.offset, kept.offered[:16]) == (n, b'{"claim_id": "c-')
        assert totals_of(ledger.view(QuarantineView()), "claims").waiting == counts["quarantined"]


@pytest.mark.parametrize("after", [1, 4])
def test_a_replay_that_is_killed_goes_on_where_it_was(open_guard, tmp_path, after):
    """After so many batches of 10, the process dies: what they decided is decided, and the rest waits."""
    path = tmp_path / "ledger.db"
    fill(open_guard, path)
    child = start(path, REPLAY)
    until = time.monotonic() + 20
    while entries(path, "decision") < after * 10 + 290 and time.monotonic() < until:
        time.sleep(0.002)
    assert "done" not in kill(child), "it was killed too late to tell anything"
    with Ledger.open(path) as ledger:
        counts = collections.Counter(q.status for q in quarantined(ledger, status=None))
        assert counts["fixed"] == dispositions(ledger)["answered"] > 0
        assert sum(counts.values()) == dispositions(ledger)["quarantined"]
        assert counts["fixed"] < 90
    again = start(path, REPLAY)
    assert "done" in again.communicate(timeout=20)[0], "the turn of the dead one is taken over at once"
    with Ledger.open(path) as ledger:
        of = collections.Counter(e.refs[0] for e in ledger.entries(kinds=("decision",)) if e.refs)
        assert len(of) == 90
        assert set(of.values()) == {1}, "one decision each"
        assert len(list(quarantined(ledger, status="fixed"))) == 90
        before = dict(ledger.view(QuarantineView()).scan(""))
        ledger.rebuild(QuarantineView())
        assert dict(ledger.view(QuarantineView()).scan("")) == before


def test_a_discard_that_is_killed_goes_on_where_it_was(open_guard, tmp_path):
    path = tmp_path / "ledger.db"
    fill(open_guard, path)
    child = start(path, DISCARD)
    until = time.monotonic() + 20
    while entries(path, "quarantine.discarded") < 3 and time.monotonic() < until:
        time.sleep(0.001)
    kill(child)
    with Ledger.open(path) as ledger:
        closed = [q.record for q in quarantined(ledger, status="discarded")]
        assert 0 < len(closed) < 90, "it was killed too late to tell anything"
    rest = start(path, DISCARD)
    assert int(rest.communicate(timeout=20)[0]) == 90 - len(closed)
    with Ledger.open(path) as ledger:
        of = collections.Counter(ref for e in ledger.entries(kinds=("quarantine.discarded",)) for ref in e.refs)
        assert len(of) == 90
        assert set(of.values()) == {1}

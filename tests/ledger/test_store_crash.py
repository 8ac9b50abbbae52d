"""kill -9 of one of three writing processes, again and again: what was acknowledged is there, and every tree holds."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from plimsoll.ledger import Ledger
from plimsoll.ledger.records import Gap, StreamSealed
from plimsoll.ledger.verify import verify_ledger
from plimsoll.testing.store import check_trees

KILLS = 120
IN_DATABASE = 30  # where a writer takes longer to start; `make soak` kills more

# Forked from a process that has everything imported, a writer starts in a few milliseconds. What it was told is on the
# disk it notes with one `write` to a file of its own, which a killed process's kernel keeps.
_SCRIPT = """
import asyncio, os, random, signal, sys, time
from plimsoll.errors import PlimsollError
from plimsoll.ledger import Draft, Header, Ledger, LedgerSettings, Reserve, Taken

path, notes, kills, least_s, most_s = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])
Ledger.open(path, read_only=True).close()
header = Header(type="t", tier="reviewed", called=True, disposition="answered")

def write(name):
    told = os.open(f"{notes}/{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    settings = LedgerSettings(checkpoint_entries=50, flush_ms=2, wal_pages=100)
    ledger = Ledger.open(path, settings=settings)
    chance, n = random.Random(name), 0

    def draft():
        nonlocal n
        n += 1
        return Draft(kind="decision", body=b"%s/%d" % (name.encode(), n), header=header, seal=n % 5 == 0,
                     subject=f"subject-{n % 7}" if n % 3 == 0 else None)

    def tell(ids, first):
        os.write(told, "".join(f"{id_} {name}/{first + k}\\n" for k, id_ in enumerate(ids)).encode())

    async def several():
        first = n + 1
        tell(await asyncio.gather(*[ledger.aappend(draft()) for _ in range(5)]), first)

    while True:
        first = n + 1
        what = chance.randrange(5)
        if what == 0:
            tell([ledger.append(draft())], first)
        elif what == 1:
            tell(ledger.transact([draft() for _ in range(chance.randrange(1, 40))]), first)
        elif what == 2:
            ids = [ledger.enqueue(draft()) for _ in range(10)]
            ledger.flush()
            tell(ids, first)
        elif what == 3:
            asyncio.run(several())
        else:
            try:
                ids = [ledger.append(draft(), [Reserve(space="s", key=str(chance.randrange(10**9)))])]
            except Taken:
                continue
            tell(ids, first)

def start(number):
    name = f"w{number}"
    pid = os.fork()
    if pid == 0:
        try:
            write(name)
        except PlimsollError as error:
            os.write(2, f"{name}: {error}\\n".encode())
        finally:
            os._exit(1)
    return pid

chance = random.Random(4711)
alive = [start(n) for n in range(3)]
for kill in range(kills):
    time.sleep(chance.uniform(least_s, most_s))
    victim = chance.randrange(3)
    os.kill(alive[victim], signal.SIGKILL)
    os.waitpid(alive[victim], 0)
    alive[victim] = start(kill + 3)
time.sleep(0.1)
for pid in alive:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


def kill_writers(place: Path | str, folder: Path, kills: int, least_s: float, most_s: float) -> None:
    """Kill so many writers, each after a time between the two, and look at what they have left."""
    notes = folder / "told"
    notes.mkdir()
    Ledger.open(place).close()
    command = [sys.executable, "-c", _SCRIPT, *map(str, (place, notes, kills, least_s, most_s))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr

    told = dict(line.split() for file in notes.iterdir() for line in file.read_text().splitlines() if " " in line)
    assert len(told) > 3 * kills
    with Ledger.open(place) as ledger:
        stored = {}
        for entry in ledger.entries(kinds=["decision"]):
            stored[entry.id] = ledger.body(entry).decode()
        lost = [id_ for id_, body in told.items() if stored.get(id_) != body]
        assert not lost, f"{len(lost)} acknowledged entries are not there"
        assert len(set(stored.values())) == len(stored), "an entry was written twice"
        sealed = [msgspec.json.decode(e.body, type=StreamSealed) for e in ledger.entries(kinds=["stream.sealed"])]
        assert all(seal.crashed for seal in sealed), "nobody closed"
        gaps = [msgspec.json.decode(e.body, type=Gap) for e in ledger.entries(kinds=["gap"])]
        batched = {row.id for row in ledger.reader.streams() if row.durability == "batched"}
        assert {gap.stream for gap in gaps} == batched
        assert all(gap.window_ms == 2 and gap.at_most == 4096 for gap in gaps)
        assert len(ledger.reader.heads()) == 1, "all but the root stream are sealed"
        check_trees(ledger)
    report = verify_ledger(place)
    assert report.ok, json.dumps([str(finding) for finding in report.findings])


def test_killing_writers_in_a_loop_loses_no_acknowledged_entry(tmp_path: Path) -> None:
    kill_writers(tmp_path / "ledger.db", tmp_path, KILLS, 0.004, 0.05)


def test_killing_writers_to_a_database_loses_no_acknowledged_entry(tmp_path: Path, database: str) -> None:
    kill_writers(database, tmp_path, IN_DATABASE, 0.03, 0.2)


@pytest.mark.slow
def test_killing_many_writers_to_a_database_loses_no_acknowledged_entry(tmp_path: Path, database: str) -> None:
    kill_writers(database, tmp_path, 250, 0.02, 0.3)

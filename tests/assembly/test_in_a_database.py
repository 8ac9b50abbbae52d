"""A manifest that names a database: the guard, the command line, the gate and verification, from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import pytest
from cli.tiny_system import TinySystem, environment

from plimsoll import Guard
from plimsoll.assembly.project import Project
from plimsoll.errors import InputError, MissingExtra
from plimsoll.ledger import Ledger, LedgerSettings, verify_ledger
from plimsoll.model.decision import Disposition
from plimsoll.testing.postgres import TemporaryServer, database_of
from plimsoll.testing.store import wait_until

PASSWORD = "s3cr3t-word"


@pytest.fixture
def stored(tiny: TinySystem, database: str) -> TinySystem:
    """The tiny system with its record in the database; the address holds a password, which the server does not ask."""
    address = database.replace("postgres@", f"postgres:{PASSWORD}@")
    tiny.change("plimsoll.yaml", "load:", f"ledger: {address}\nload:")
    return tiny


def test_decisions_are_recorded_shown_proved_and_verified(stored: TinySystem, database: str) -> None:
    with Guard.open(stored.manifest) as guard:
        answers = [guard.decide("tell-parity", {"number": n}, subject=f"person {n % 3}") for n in range(20)]
        assert guard.decide("tell-parity", {"number": "seven"}).disposition is Disposition.QUARANTINED
        again = [guard.decide("tell-parity", {"number": 7}, key="once") for _ in range(2)]
        assert again[0].record == again[1].record
    assert {answer.disposition for answer in answers} == {Disposition.ANSWERED}
    assert not stored.ledger.exists(), "nothing of the record is in a file"

    verified = stored.run("ledger", "verify", "--json")
    assert verified.code == 0, verified
    assert verified.data["report"]["entries"] > 22
    assert verified.data["ledger"] == database
    alone = stored.run("ledger", "verify", "--ledger", database)
    assert alone.code == 0, alone
    shown = stored.run("ledger", "show", answers[3].record, "--json")
    assert shown.data["body"]["output"] == {"parity": "odd"}
    assert len(stored.run("ledger", "show", "--json").data) == 20
    proved = stored.run("ledger", "prove", answers[3].record, "--out", "proof.json")
    assert proved.code == 0, proved
    erased = stored.run("ledger", "erase", "person 0", "--by", "head@example.org", "--reason", "asked for")
    assert erased.code == 0, erased
    assert stored.run("ledger", "show", answers[3].record, "--json").data["erased"]
    assert len(stored.run("quarantine", "list", "--json").data["groups"]) == 1
    assert stored.run("ledger", "verify").code == 0


def test_a_group_of_the_quarantine_is_mended_and_replayed(stored: TinySystem) -> None:
    with Guard.open(stored.manifest) as guard:
        for n in range(25):
            guard.decide("tell-parity", {"number": "seven"}, source="counter", offset=f"counter.jsonl:{n}")
        guard.decide("tell-parity", b"{", source="counter")
    fix = stored.write("fix.json", '[{"op": "replace", "path": "/number", "value": 7}]')
    first, second = stored.run("quarantine", "list", "--json").data["groups"]
    assert (first["count"], second["count"]) == (25, 1)
    by = ("--by", "ops@example.org")
    seen = stored.run("quarantine", "replay", first["group"], "--patch", fix, "--preview", "--json").data
    assert (seen["would_pass"], seen["samples"][0]["after"]) == (25, '{"number":7}')
    done = stored.run("quarantine", "replay", first["group"], "--patch", fix, "--contract", "numbers@1.0.0", *by)
    assert done.code == 0, done
    assert stored.run("quarantine", "discard", second["group"], *by, "--reason", "cut").code == 0
    after = stored.run("quarantine", "list", "--json").data
    assert (after["open"], after["statuses"]) == (0, {"discarded": 1, "fixed": 25})
    assert stored.run("ledger", "verify").code == 0


def test_an_altered_record_is_named_with_exit_code_5(
    stored: TinySystem, postgres_server: TemporaryServer, database: str
) -> None:
    with Guard.open(stored.manifest) as guard:
        record = guard.decide("tell-parity", {"number": 1}).record
    postgres_server.sql(
        "SET session_replication_role = replica; UPDATE plimsoll.entries SET disposition='held' WHERE kind='decision'",
        database_of(database),
    )
    ran = stored.run("ledger", "verify")
    assert ran.code == 5
    assert record in ran.stdout


def test_what_is_measured_and_judged_is_in_the_database(stored: TinySystem, database: str) -> None:
    checked = stored.run("check", "--only", "evaluation", "--json", timeout=120)
    assert checked.code in {3, 4}, checked
    assert stored.run("gate", "--json").code in {3, 4}
    with Ledger.open(database, read_only=True) as ledger:
        kinds = {entry.kind for entry in ledger.entries()}
    assert {"release.built", "assessment.started", "evidence", "verdict", "decision"} <= kinds
    assert verify_ledger(database).ok


def test_a_stop_by_one_process_reaches_the_guard_in_another_within_a_second(stored: TinySystem) -> None:
    with Guard.open(stored.manifest) as guard:
        assert guard.decide("tell-parity", {"number": 1}).disposition is Disposition.ANSWERED
        stopped = stored.run("control", "stop", "--by", "ops@example.org", "--reason", "drill")
        assert stopped.code == 0, stopped
        began = time.monotonic()
        wait_until(lambda: guard.decide("tell-parity", {"number": 1}).disposition is not Disposition.ANSWERED)
        assert time.monotonic() - began < 1


def test_the_password_is_in_no_message_no_record_and_no_digest(
    stored: TinySystem, postgres_server: TemporaryServer, database: str
) -> None:
    digest = Project(stored.manifest).release.digest
    with Guard.open(stored.manifest) as guard:
        guard.decide("tell-parity", {"number": 1})
    said = [
        stored.run(*command, "--json")
        for command in (("ledger", "verify"), ("ledger", "show"), ("ledger", "show", "0" * 32 + "-0"), ("gate",))
    ]
    stored.change("plimsoll.yaml", database_of(database), "no_such_database")
    said += [stored.run("ledger", "verify"), stored.decide({"number": 1}), stored.run("gate", "--debug")]
    assert said[-1].code == 6
    assert "no_such_database" in said[-1].stderr
    assert all(PASSWORD not in ran.stdout + ran.stderr for ran in said)
    dumped = postgres_server.sql("SELECT e::text, body::text FROM plimsoll.entries e", database_of(database))
    assert PASSWORD not in dumped
    assert PASSWORD.encode().hex() not in dumped
    for file in (stored.folder / ".plimsoll").iterdir():
        assert PASSWORD.encode() not in file.read_bytes()
    assert Project(stored.manifest).release.digest == digest, "where the record is kept is no part of the release"


def test_a_server_that_is_away_is_exit_code_6_with_what_to_do(tiny: TinySystem) -> None:
    tiny.change("plimsoll.yaml", "load:", "ledger: postgresql://postgres@127.0.0.1:1/claims\nload:")
    for command in (("ledger", "verify"), ("gate",), ("ledger", "show")):
        ran = tiny.run(*command, "--json")
        assert ran.code == 6, ran
        assert ran.problems[0]["code"] == "store.lost"
        assert ran.problems[0]["fix"]
    assert tiny.decide({"number": 1}).code == 6


def test_an_answer_never_leaves_without_its_record_while_the_server_comes_and_goes(
    stored: TinySystem, postgres_server: TemporaryServer, database: str
) -> None:
    answered: list[str] = []
    failed: list[Exception] = []
    stop = threading.Event()
    project = Project(stored.manifest)
    ledger = Ledger.open(database, settings=LedgerSettings(busy_s=0.05))
    with project.open_guard(ledger) as guard:

        def call() -> None:
            while not stop.is_set():
                try:
                    answered.append(guard.decide("tell-parity", {"number": 2}).record)
                except Exception as error:  # noqa: BLE001 - each is looked at below
                    failed.append(error)
                    time.sleep(0.01)

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            time.sleep(0.4)
            postgres_server.stop("immediate")
            time.sleep(0.5)
            postgres_server.start_again()
        before = len(answered)
        wait_until(lambda: len(answered) > before + 20 and guard.is_steered, seconds=20)
        stop.set()
        for thread in threads:
            thread.join()
    ledger.close()
    assert {type(error).__name__ for error in failed} <= {"StoreLost", "StoreUnsure"}
    assert any(type(error).__name__ == "StoreLost" for error in failed), "the server was away for longer than it waits"
    with Ledger.open(database, read_only=True) as reader:
        recorded = {entry.id for entry in reader.entries(kinds=["decision"])}
    assert len(set(answered)) == len(answered)
    assert set(answered) <= recorded
    unsure = sum(type(error).__name__ == "StoreUnsure" for error in failed)
    assert len(recorded) - len(answered) <= unsure, "beyond those that nobody could tell, there is nothing else"
    assert verify_ledger(database).ok


def test_several_processes_share_one_record(stored: TinySystem, database: str) -> None:
    program = (
        "import sys; from plimsoll import Guard\n"
        "with Guard.open(sys.argv[1]) as guard:\n"
        "    for n in range(20): print(guard.decide('tell-parity', {'number': n}, key=f'k{n}').record)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(stored.manifest)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for _ in range(3)
    ]
    records, errors = [], []
    for process in processes:
        out, error = process.communicate(timeout=60)
        records += out.split()
        errors += [line for line in error.splitlines() if "Error" in line]
    assert all("has not ended yet" in error for error in errors), errors
    assert len(set(records)) == 20 or len(errors) > 0
    with Ledger.open(database, read_only=True) as ledger:
        assert sum(1 for _ in ledger.entries(kinds=["decision"])) == 20
        assert sum(1 for _ in ledger.entries(kinds=["release.built"])) >= 1
    assert verify_ledger(database).ok


def test_what_needs_a_file_says_so(stored: TinySystem) -> None:
    with pytest.raises(InputError, match="kept in a database"):
        _ = Project(stored.manifest).ledger_path
    with Guard.open(stored.manifest) as guard, pytest.raises(InputError, match="is a database, not a file"):
        _ = guard.ledger.path


def test_without_the_driver_the_extra_is_named(tiny: TinySystem) -> None:
    tiny.change("plimsoll.yaml", "load:", "ledger: postgresql://postgres@127.0.0.1:1/claims\nload:")
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from plimsoll.cli.main import main; sys.exit(main(['ledger', 'verify', '--json']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tiny.folder, capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == MissingExtra.exit_code, done.stderr
    problem = json.loads(done.stdout)["problems"][0]
    assert "extra 'postgres'" in problem["message"]
    assert problem["fix"] == "pip install 'plimsoll-ai[postgres]'"


def test_a_file_needs_no_driver(tiny: TinySystem) -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from plimsoll import Guard\n"
        "with Guard.open('plimsoll.yaml') as guard: print(guard.decide('tell-parity', {'number': 1}).record)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tiny.folder, capture_output=True, text=True, env=environment(), check=False
    )
    assert (done.returncode, done.stderr) == (0, "")

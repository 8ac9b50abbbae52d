"""A system that decides several kinds of things is measured on each of them, or the board says on which it is not."""

from __future__ import annotations

import copy
import json
from collections import Counter

import msgspec
import pytest
from assess.a_system import System, cases, lines, row

from plimsoll.errors import InputError
from plimsoll.model.board import Outcome, Standing
from plimsoll.model.details import StabilityDetail
from plimsoll.model.evidence import Ended, Started

pytestmark = pytest.mark.alone  # they measure load

LOAD = "stability.error_rate <= 5%"
OF_FEED = ("contracts.valid_rate", "contracts.lost_records", "stability.error_rate")
OF_GOLDEN = ("evaluation.accuracy", "evaluation.answered_share")


def of_type(raw: bytes, name: str) -> bytes:
    return lines(json.loads(line) | {"type": name} for line in raw.splitlines())


@pytest.fixture
def system(tmp_path):
    """Tells and guesses; a feed and a golden set for both."""
    made = System(tmp_path / "s")
    made.change("decisions", "guess", to=copy.deepcopy(made.manifest["decisions"]["tell"]))
    made.change("decisions", "deny", to=made.manifest["decisions"]["tell"] | {"tier": "human-only"})
    made.change("review", to={"per_item": "30s", "capacity": "4h"})
    made.change("load", to={"peak": "800/s", "expected": "100/day"})
    made.change("threshold", "conditions", to=[*made.manifest["threshold"]["conditions"], LOAD])
    (made.folder / "feed" / "counter.jsonl").unlink()
    made.write("feed/tell/counter.jsonl", lines({"number": n} for n in range(90)))
    made.write("feed/guess/counter.jsonl", lines({"number": n} for n in range(30)))
    made.write("golden.jsonl", of_type(cases(100), "tell") + of_type(cases(60), "guess"))
    return made


def driven(system: System) -> Counter[str]:
    """How many decisions of each type the load test made."""
    with system.project().open_ledger() as ledger:
        started = {
            e.id: msgspec.json.decode(ledger.body(e), type=Started)
            for e in ledger.entries(kinds=("assessment.started",))
        }
        (run,) = (entry for entry, began in started.items() if began.assessment == "stability")
        decisions = [
            (e.header.type, json.loads(ledger.body(e))["run"]) for e in ledger.entries(kinds=("decision",)) if e.header
        ]
        return Counter(kind for kind, of in decisions if of == run)


def stability(system: System) -> StabilityDetail:
    with system.project().open_ledger() as ledger:
        ended = [msgspec.json.decode(ledger.body(e), type=Ended) for e in ledger.entries(kinds=("assessment.ended",))]
    return msgspec.json.decode(ended[-1].detail, type=StabilityDetail)


def test_every_type_is_evaluated_replayed_and_put_under_load_in_proportion(system):
    board = system.check("evaluation", "contracts", "stability")
    assert {row(board, metric).standing for metric in (*OF_FEED, *OF_GOLDEN)} == {Standing.MET}
    assert row(board, "contracts.lost_records").counts == "census of 120"
    assert row(board, "evaluation.answered_share").counts == "160 of 160"
    counts = driven(system)
    assert set(counts) == {"tell", "guess"}
    assert counts["tell"] / counts["guess"] == pytest.approx(3, rel=0.02)
    assert "Of each decision type: guess 30, tell 90." in stability(system).note
    assert not [note for note in board.notes if "says nothing" in note]


def test_a_type_without_a_feed_leaves_what_rests_on_it_not_measured_and_is_named(system):
    (system.folder / "feed" / "guess" / "counter.jsonl").write_bytes(b"\n")
    board = system.check("evaluation", "contracts", "stability")
    for metric in OF_FEED:
        found = row(board, metric)
        assert found.standing is Standing.NOT_MEASURED
        assert found.why == "It says nothing of the decision type guess: there is no sample of it."
        assert found.next.startswith("Put records of it into a folder of its name in the feed, then run ")
    assert {row(board, metric).standing for metric in OF_GOLDEN} == {Standing.MET}
    assert "the feed holds no record of 'guess', so contracts and stability say nothing of it" in board.notes
    assert set(driven(system)) == {"tell"}
    assert stability(system).unseen == ("guess",)


def test_a_type_without_a_golden_case_leaves_evaluation_not_measured_and_is_named(system):
    system.write("golden.jsonl", of_type(cases(100), "tell"))
    board = system.check("evaluation", "contracts")
    for metric in OF_GOLDEN:
        found = row(board, metric)
        assert found.standing is Standing.NOT_MEASURED
        assert found.why == "It says nothing of the decision type guess: there is no sample of it."
        assert found.next == "Add cases of it to the golden set, then run `plimsoll assess evaluation`."
    assert row(board, "contracts.valid_rate").standing is Standing.MET
    assert "the golden set has no case of 'guess', so evaluation says nothing of it" in board.notes
    assert board.outcome is not Outcome.READY
    system.write("golden.jsonl", of_type(cases(100), "tell") + of_type(cases(60), "guess"))
    assert {row(system.check("evaluation"), metric).standing for metric in OF_GOLDEN} == {Standing.MET}


def test_records_that_say_no_type_are_refused_where_there_are_several(system):
    system.write("feed/counter.jsonl", lines([{"number": 1}]))
    with pytest.raises(InputError, match="lies directly in the feed"):
        system.check("contracts")


def test_records_of_a_type_that_people_decide_are_refused(system):
    system.write("feed/deny/counter.jsonl", lines([{"number": 1}]))
    with pytest.raises(InputError, match="'deny' is no decision type that the AI may answer"):
        system.check("contracts")

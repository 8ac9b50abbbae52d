"""How long a load window lasts is part of the line: signed, measured by, recorded, and said on the board."""

from __future__ import annotations

import base64
import json
import time

import pytest
from assess.a_system import COO, System, row

from plimsoll.assembly.integrity import verify_record
from plimsoll.assembly.judging import judge_release
from plimsoll.assembly.reporting import collect_details
from plimsoll.assembly.signing import SIGNED, threshold_history
from plimsoll.attest import Trust, sign_threshold
from plimsoll.attest.dsse import sign_envelope
from plimsoll.attest.line import THRESHOLD
from plimsoll.errors import InputError
from plimsoll.gate import render_report
from plimsoll.ledger import Draft
from plimsoll.model.board import Standing
from plimsoll.model.canonical import canonical

LATENCY, LOAD = "stability.latency_p99 <= 5 s", "stability.load >= 3x"
SHORT = "load was measured in windows of 0.25 s, not the usual 5 s: what builds up slowly may not show"

pytestmark = pytest.mark.alone  # they measure load

# One at a time, 1 ms each: less than 1,000 a second.
SERIAL = """
import threading, time

ONE = threading.Lock()
def predict(record):
    with ONE:
        time.sleep(0.001)
    return {"parity": "odd" if record["number"] % 2 else "even"}
"""


def with_load(folder, window="250ms", target=None, peak="800/s"):
    system = System(folder) if target is None else System(folder, target)
    system.change("load", to={"peak": peak, "expected": "100/day"})
    system.change("threshold", "load_window", to=window)
    system.change("threshold", "conditions", to=[*system.manifest["threshold"]["conditions"], LATENCY, LOAD])
    return system


def report(system):
    project = system.project()
    with project.open_ledger() as ledger:
        record = verify_record(project, Trust(), now_ns=2 * 10**18)
        judged = judge_release(project, ledger, Trust(), record=record, now_ns=2 * 10**18)
        return collect_details(project, ledger, judged)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    system = with_load(tmp_path_factory.mktemp("load") / "s")
    return system, system.check("stability")


def test_windows_last_as_long_as_the_threshold_asks_and_have_at_least_300_calls(measured):
    system, board = measured
    stages = report(system).stability.stages
    assert [s.window_s for s in stages] == [0.375, 0.25, 0.25]  # 300 calls take longer at 800 a second
    assert [[w.n for w in s.windows] for s in stages] == [[300] * 3, [400] * 3, [600] * 3]
    assert [s.backlog for s in stages] == ["steady"] * 3
    assert row(board, "stability.latency_p99").counts == "worst of 3 windows of 600, 250 ms each"
    assert row(board, "stability.load").counts == "worst of 3 repeats, in windows of 250 ms or more"
    assert row(board, "stability.load").standing is Standing.MET


def test_a_window_shorter_than_usual_is_said_on_the_board(measured):
    _, board = measured
    assert SHORT in board.notes


def test_the_report_shows_the_length_beside_the_figures(measured):
    system, board = measured
    page = render_report(board, report(system))
    assert "3 windows of 250\u00a0ms" in page
    assert "3 windows of 375\u00a0ms" in page
    assert SHORT in page


def test_evidence_of_windows_too_short_for_the_line_does_not_carry_it(measured, tmp_path):
    system, _ = measured
    mine = system.beside(tmp_path / "state")
    mine.change("threshold", "load_window", to="2s")
    found = row(mine.gate(), "stability.latency_p99")
    assert found.standing is Standing.NOT_MEASURED
    assert found.why == "It was measured in load windows of 250 ms; the threshold asks for at least 2 s."
    mine.change("threshold", "load_window", to="150ms")  # longer ones than asked for say all the more
    assert row(mine.gate(), "stability.latency_p99").standing is Standing.MET


def test_a_figure_on_the_wrong_side_counts_in_short_windows_too(measured, tmp_path):
    """Or whoever dislikes it asks for longer windows, and has another throw."""
    system, _ = measured
    mine = system.beside(tmp_path / "state")
    conditions = [c for c in mine.manifest["threshold"]["conditions"] if c != LATENCY]
    mine.change("threshold", "conditions", to=[*conditions, "stability.latency_p99 <= 0.001 ms"])
    mine.change("threshold", "load_window", to="2s")
    found = row(mine.gate(), "stability.latency_p99")
    assert found.standing is Standing.NOT_MET
    assert "in shorter load windows" in found.why


def test_a_slow_overload_within_every_other_limit_is_not_held(tmp_path):
    """At 3x it is offered about twice what it can do: every call is within 5 s, and in an hour none would be."""
    system = with_load(tmp_path / "s", "500ms", SERIAL, peak="600/s")
    board = system.check("stability")
    assert row(board, "stability.latency_p99").standing is Standing.MET
    load = row(board, "stability.load")
    assert load.standing is Standing.NOT_MET
    assert "the backlog grew through" in load.why
    assert any("the declared peak the backlog grew through the load windows" in note for note in board.notes)
    detail = report(system)
    assert "growing" in [s.backlog for s in detail.stability.stages]
    assert detail.stability.stages[2].held is False
    page = render_report(board, detail)
    assert "the backlog grew through the window: for longer it would not be held." in page
    assert "backlog growing" in page


@pytest.mark.parametrize("window", ["0s", "-1s", "3x", "5", "later"])
def test_a_window_that_is_no_length_of_time_is_refused_with_its_place(tmp_path, window):
    system = System(tmp_path / "s")
    system.change("threshold", "load_window", to=window)
    with pytest.raises(Exception, match="load_window") as caught:
        system.project()
    assert caught.value.problems[0].where.line > 1


def test_more_calls_than_can_be_kept_are_refused_before_anything_is_sent(tmp_path):
    system = with_load(tmp_path / "s", "2 days", peak="100/s")
    with pytest.raises(InputError, match=r"a load window of 172800 s has more than 1,000,000 calls") as caught:
        system.check("stability")
    assert "threshold.load_window" in caught.value.fix
    assert not system.gate().unfinished


class TestAnEnvelopeOfAnEarlierVersion:
    """It signed a threshold that said nothing of load windows."""

    @pytest.fixture
    def old(self, tmp_path):
        system = System(tmp_path / "s")
        project, key = system.project(), system.key(COO)
        raw = sign_threshold(project.manifest.threshold, system="parity", key=key, now_ns=time.time_ns())
        signed = json.loads(base64.b64decode(json.loads(raw)["payload"]))
        del signed["loadWindow"]
        signed["threshold"] = "sha256:" + "5a" * 32
        with project.open_ledger() as ledger:
            raw = sign_envelope(THRESHOLD, canonical(signed), key)
            ledger.append(Draft(kind=SIGNED, system="parity", body=raw))
        return system

    def test_leaves_the_threshold_a_draft_and_says_why(self, old):
        board = old.gate(old.trust())
        assert board.draft
        (note,) = (note for note in board.notes if "signature" in note)
        assert "says nothing of how long a load window lasts: it was signed in an earlier version" in note

    def test_is_shown_as_an_earlier_one_and_can_be_signed_anew(self, old):
        (line,) = threshold_history(old.project())
        assert (line.set_by, line.current) == (COO, False)
        old.sign()
        assert not old.gate(old.trust()).draft

    def test_that_cannot_be_read_at_all_is_listed_and_breaks_nothing(self, old):
        with old.project().open_ledger() as ledger:
            for raw in (b"", b"\xff", b'{"payloadType": "x", "payload": "?", "signatures": []}'):
                ledger.append(Draft(kind=SIGNED, system="parity", body=raw))
        found = threshold_history(old.project())
        assert [line.set_by for line in found] == ["", "", "", COO]


def test_the_length_is_part_of_what_is_signed(tmp_path):
    system = System(tmp_path / "s")
    system.sign()
    trust = system.trust()
    assert not system.gate(trust).draft
    system.change("threshold", "load_window", to="100ms")
    assert system.gate(trust).draft

from __future__ import annotations

import msgspec
import pytest

from plimsoll.gate import exit_code, make_board
from plimsoll.gate.board import outcome_of
from plimsoll.model.board import Board, Outcome, Row, Standing
from plimsoll.model.evidence import Proportion, Provenance, Repeats

CONDITIONS = ("stability.load >= 3x", "evaluation.accuracy >= 95%", "organisation.accepted = 100%")


def board(bench, evidence=(), **more):
    threshold = bench.threshold(*CONDITIONS)
    rows = bench.rows(CONDITIONS, evidence)
    return make_board(
        system="claims-reader", release=bench.release, threshold=threshold, people="sha256:people", rows=rows,
        time_ns=bench.now, **more,
    )  # fmt: skip


def good(bench, **more):
    return [bench.evidence(c.split()[0], bench.perfect(c.split()[0]), **more) for c in CONDITIONS]


def test_ready_only_when_every_condition_is_met(bench):
    made = board(bench, good(bench))
    assert made.outcome is Outcome.READY
    assert exit_code(made.outcome) == 0
    assert made.sentence == "3 of 3 conditions are met"


def test_not_ready_as_soon_as_one_is_not_met(bench):
    evidence = [*good(bench)[:1], bench.evidence("evaluation.accuracy", Proportion(hits=1, total=9))]
    made = board(bench, evidence)
    assert made.outcome is Outcome.NOT_READY
    assert exit_code(made.outcome) == 3


@pytest.mark.parametrize(
    "second",
    [
        [],
        [("evaluation.accuracy", Proportion(hits=40, total=40), {})],
        [("evaluation.accuracy", Proportion(hits=990, total=1000), {"age_days": 50})],
    ],
    ids=["not measured", "insufficient", "stale"],
)
def test_otherwise_it_cannot_be_said_yet(bench, second):
    evidence = [good(bench)[0], good(bench)[2], *(bench.evidence(m, s, **more) for m, s, more in second)]
    made = board(bench, evidence)
    assert made.outcome is Outcome.CANNOT_SAY
    assert exit_code(made.outcome) == 4


def test_no_condition_at_all_is_no_verdict():
    assert outcome_of([]) is Outcome.CANNOT_SAY


def test_a_board_with_a_condition_left_out_is_refused(bench):
    threshold = bench.threshold(*CONDITIONS)
    rows = bench.rows(CONDITIONS, good(bench))
    for wrong in (rows[:2], rows[::-1], (*rows, rows[0]), ()):
        with pytest.raises(ValueError, match="the 3 conditions of its threshold"):
            make_board(
                system="s", release=bench.release, threshold=threshold, people="p", rows=wrong, time_ns=bench.now
            )


@pytest.mark.parametrize(
    ("signed", "pinned", "draft"),
    [("", False, True), ("entry-1", False, True), ("", True, True), ("entry-1", True, False)],
)
def test_a_threshold_is_a_draft_until_a_pinned_key_has_signed_it(bench, signed, pinned, draft):
    assert board(bench, signed=signed, pinned=pinned).draft is draft


def test_anything_simulated_makes_it_a_demonstration(bench):
    assert not board(bench, good(bench)).demonstration
    said = "the key was made on the spot"
    assert board(bench, good(bench), simulated=[said]).demonstration
    assert board(bench, good(bench), simulated=[said]).simulated == (said,)
    evidence = [*good(bench)[:2], bench.evidence(
        "organisation.accepted", bench.perfect("organisation.accepted"), provenance=Provenance.SIMULATED
    )]  # fmt: skip
    assert board(bench, evidence).demonstration
    assert board(bench, evidence).simulated == ("evidence that it rests on is simulated",)
    assert board(bench, evidence).outcome is Outcome.READY


def test_each_open_row_has_somebody_who_takes_the_next_step(bench):
    owners = {"technical": "tech@example.org", "evaluation": "data@example.org", "organisational": "head@example.org"}
    evidence = [bench.evidence("stability.load", Repeats(values=(1.0, 1.0, 1.0)))]
    made = board(bench, evidence, owners=owners)
    assert [row.owner for row in made.rows] == ["tech@example.org", "data@example.org", "head@example.org"]
    assert all(row.next for row in made.rows)
    assert [row.owner for row in board(bench, good(bench), owners=owners).rows] == ["", "", ""]
    assert [row.owner for row in board(bench).rows] == ["", "", ""]


def test_what_was_given_is_on_the_board_and_survives_writing_it_down(bench):
    made = board(bench, good(bench), unfinished=["stability"], notes=["n"], price=["p"], signed="e", pinned=True)
    assert (made.unfinished, made.notes, made.price, made.signed) == (("stability",), ("n",), ("p",), "e")
    assert made.set_by == "leader@example.org"
    assert made.threshold == bench.threshold(*CONDITIONS).digest
    assert msgspec.json.decode(msgspec.json.encode(made), type=Board) == made


@pytest.mark.parametrize("standing", list(Standing))
def test_the_outcome_of_one_row(standing):
    row = Row(condition="c", metric="m", op=">=", limit="1", dimension="data", standing=standing)
    expected = {Standing.MET: Outcome.READY, Standing.NOT_MET: Outcome.NOT_READY}.get(standing, Outcome.CANNOT_SAY)
    assert outcome_of([row]) is expected

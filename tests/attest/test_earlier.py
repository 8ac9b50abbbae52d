"""While a loosened line cools off, an attestation shows the stricter conditions; what it names can only add."""

from __future__ import annotations

import msgspec
import pytest

from plimsoll.errors import UsageError, VerificationFailed
from plimsoll.model.board import Board
from plimsoll.model.quantity import Quantity
from plimsoll.model.threshold import Condition

SIGNED, STRICTER = "evaluation.accuracy >= 95%", "evaluation.accuracy >= 96%"
BESIDE = "stability.shed_rate <= 1%"  # an earlier line asked for it, and the signed one does not


def with_rows(world, *texts: str, instead_of: str = SIGNED) -> Board:
    """The world's board with these conditions in place of a signed one, all met."""
    kept = [row for row in world.board.rows if row.condition != instead_of]
    of = {row.metric: row for row in world.board.rows}
    like = of | {"stability.shed_rate": of["stability.error_rate"]}
    rows = [
        msgspec.structs.replace(like[c.metric], condition=str(c), metric=c.metric, limit=str(c.limit))
        for c in map(Condition.parse, texts)
    ]
    earlier = tuple(str(Condition.parse(text)) for text in texts if text != instead_of)
    return msgspec.structs.replace(world.board, rows=(*kept, *rows), earlier=earlier)


def test_the_stricter_condition_in_place_of_the_signed_one_verifies(world) -> None:
    verified = world.verify(world.attest(with_rows(world, STRICTER)))
    assert STRICTER in [c.condition for c in verified.conditions]
    assert SIGNED not in [c.condition for c in verified.conditions]


def test_a_condition_that_the_signed_line_does_not_hold_may_be_shown_beside_it(world) -> None:
    assert world.verify(world.attest(with_rows(world, SIGNED, BESIDE)))


def test_what_is_not_named_as_earlier_is_an_addition(world) -> None:
    board = msgspec.structs.replace(with_rows(world, SIGNED, BESIDE), earlier=())
    with pytest.raises(VerificationFailed, match="not those that were signed"):
        world.verify(world.attest(board))


def test_a_looser_one_does_not_stand_in_for_the_signed_one(world) -> None:
    with pytest.raises(VerificationFailed, match="not those that were signed"):
        world.verify(world.attest(with_rows(world, "evaluation.accuracy >= 90%")))


@pytest.mark.parametrize("other", ["evaluation.answered_share >= 99%", "evaluation.accuracy > 94.9%"])
def test_nor_does_one_of_another_metric_or_of_almost_the_same_limit(world, other) -> None:
    board = msgspec.structs.replace(with_rows(world, BESIDE), earlier=(BESIDE, other))
    with pytest.raises(VerificationFailed, match="not those that were signed"):
        world.verify(world.attest(board))


def test_one_that_is_named_and_not_shown_lets_nothing_be_left_out(world) -> None:
    rows = tuple(row for row in world.board.rows if row.condition != SIGNED)
    with pytest.raises(VerificationFailed, match="not those that were signed"):
        world.verify(world.attest(msgspec.structs.replace(world.board, rows=rows, earlier=(STRICTER,))))


def test_one_that_cannot_be_read_is_refused(world, attestation) -> None:
    def change(statement):
        extension = statement["predicate"]["urn:plimsoll:attestation:v1"]
        extension["earlier"] = ["evaluation.sympathy >= 1%"]

    with pytest.raises(VerificationFailed, match="cannot be read"):
        world.verify(world.resign(attestation, change))


def test_a_board_that_was_judged_by_a_shorter_age_is_valid_no_longer(world) -> None:
    strict = msgspec.structs.replace(world.threshold, max_age=Quantity(2, "days"))
    long, short = (world.verify(world.attest(**more)).valid_until_ns for more in ({}, {"in_force": strict}))
    assert long - short == 28 * world.day


class TestTheLineThatIsAskedFor:
    """A loosened condition voids the verdicts before it; the file alone cannot know that the line was moved."""

    def test_its_own_passes(self, world, attestation) -> None:
        assert world.verify(attestation, threshold=world.threshold.digest)

    def test_another_is_refused(self, world, attestation) -> None:
        with pytest.raises(VerificationFailed, match="the line was moved since") as caught:
            world.verify(attestation, threshold="sha256:" + "0" * 64)
        assert caught.value.code == "verification.threshold"

    def test_what_is_no_digest_is_the_callers_mistake(self, world, attestation) -> None:
        with pytest.raises(UsageError):
            world.verify(attestation, threshold="the new one")

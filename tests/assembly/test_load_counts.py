"""Under load, a person who takes what the target failed to answer does not hide the failure."""

from __future__ import annotations

import pytest

from plimsoll.assembly.load_host import counted_as
from plimsoll.model.decision import Answer, Disposition


@pytest.mark.parametrize(
    ("disposition", "via", "why", "counted"),
    [
        (Disposition.ANSWERED, "live", "", "answered"),
        (Disposition.HELD, "live", "confidence", "held"),
        (Disposition.HELD, "live", "human-only", "held"),
        (Disposition.QUARANTINED, "live", "contract", "quarantined"),
        (Disposition.HELD, "fallback:hold", "target-error", "failed"),
        (Disposition.HELD, "fallback:hold", "deadline", "failed"),
        (Disposition.HELD, "fallback:hold", "no-room", "shed"),
        (Disposition.SHED, "live", "no-room", "shed"),
        (Disposition.SHED, "live", "breaker-open", "shed"),
        (Disposition.ANSWERED, "fallback:constant", "", "failed"),
        (Disposition.HELD, "fallback:constant", "the target reports no confidence", "failed"),
        (Disposition.FAILED, "live", "target-error", "failed"),
    ],
)
def test_how_an_answer_counts_in_a_load_test(disposition: Disposition, via: str, why: str, counted: str) -> None:
    answer = Answer(disposition=disposition, record="r", release="sha256:0", via=via, why=why)
    assert counted_as(answer) == counted

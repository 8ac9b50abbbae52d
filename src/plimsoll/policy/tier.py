"""What happens to an answer the model has given, by its decision type's tier."""

from __future__ import annotations

from plimsoll.model.decision import Tier


def why_held(tier: Tier, confidence: float | None, review_below: float | None) -> str:
    """Why an answer may not leave without a person; "" when it may.

    Args:
        tier: of the decision type. Human-only work never gets this far.
        confidence: in [0, 1], as the model reported it; None: it reported none.
        review_below: in (0, 1]; below it a reviewed answer is held. None: every reviewed answer is held.
    """
    if tier is Tier.AUTOMATIC:
        return ""
    if review_below is None:
        return "every answer of this type is reviewed"
    if confidence is None:
        return "the target reports no confidence"
    return "" if confidence >= review_below else "confidence"

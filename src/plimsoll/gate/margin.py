"""How far above or below the line a figure floats, as one number to draw."""

from __future__ import annotations

import math
from typing import Final

from plimsoll.model.metrics import Better
from plimsoll.model.quantity import UnitKind
from plimsoll.model.threshold import Condition, Op

LOWEST: Final = 0.3
HIGHEST: Final = 1.7
_PER_DOUBLING: Final = 0.35  # four times the headroom reaches the edge of the picture, on either side
_BELOW: Final = math.nextafter(1.0, 0.0)


def margin(condition: Condition, figure: float) -> float:
    """Where a figure floats: 1 on the line, above 1 met, below 1 not met.

    Each doubling of the headroom lifts it by 0.35, each halving lowers it by as much. Headroom is

    - limit / figure where less is better (half the time, half the errors: once more the room);
    - figure / limit where more is better;
    - and for shares near all (a limit above 50%), what may go wrong / what does: from 95% to 97.5% the mistakes
      halve, and that is what is seen, where 97.5 / 95 would look like nothing;
    - where the limit is all (100%) the share itself, and where it is nothing (0), 1 / (1 + figure), with a share
      counted in per cent. On such a line one can be at best.

    For ``=`` a figure on either side floats below.

    Returns:
        A number in [0.3, 1.7], rising or level as the figure improves; at least 1 exactly when the condition holds.
    """
    room = _headroom(condition, figure)
    if room <= 0:
        height = LOWEST
    elif math.isinf(room):
        height = HIGHEST
    else:
        height = min(max(1 + _PER_DOUBLING * math.log2(room), LOWEST), HIGHEST)
    return max(height, 1.0) if condition.op.holds(figure, condition.limit.base) else min(height, _BELOW)


def _headroom(condition: Condition, figure: float) -> float:
    limit, ratio = condition.limit.base, condition.limit.kind is UnitKind.RATIO
    upwards = condition.entry.better is Better.HIGHER
    room = _above(limit, figure, ratio=ratio) if upwards else _below(limit, figure, ratio=ratio)
    if condition.op is Op.EQ and room > 1:
        return 1 / room
    return room


def _above(limit: float, figure: float, *, ratio: bool) -> float:
    if limit == 0:
        return 1 + max(figure, 0.0)
    if ratio and 0.5 < limit < 1:
        return (1 - limit) / (1 - figure) if figure < 1 else math.inf
    return figure / limit


def _below(limit: float, figure: float, *, ratio: bool) -> float:
    if limit == 0:
        return 1 / (1 + max(figure, 0.0) * (100 if ratio else 1))
    return limit / figure if figure > 0 else math.inf

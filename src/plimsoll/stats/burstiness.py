"""How events are spread over time: evenly, by chance, or in bursts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from plimsoll.errors import NoEvidence


def burstiness(gaps: Sequence[float]) -> float:
    """Burstiness of a sequence of events.

    Args:
        gaps: times between one event and the next, at least two, none below 0; any unit.

    Returns:
        A number in [-1, 1]: -1 where all gaps are equal (a clock), about 0 where events come by pure chance (gaps are
        exponential), towards 1 where they come in bursts with pauses between. 0 where every gap is 0.

    Raises:
        NoEvidence: there are fewer than two gaps.

    Source: K.-I. Goh and A.-L. Barabasi (2008), "Burstiness and memory in complex systems", EPL 81(4), 48002,
    equation 1.

    >>> burstiness([60, 60, 60, 60]), round(burstiness([1, 1, 1, 1, 500]), 2)
    (-1.0, 0.33)
    """
    n = len(gaps)
    if n < 2:
        raise NoEvidence("burstiness")
    mean = math.fsum(gaps) / n
    spread = math.sqrt(math.fsum((gap - mean) ** 2 for gap in gaps) / n)
    return (spread - mean) / (spread + mean) if spread + mean else 0.0

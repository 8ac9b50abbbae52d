"""What the handlers of one process share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from plimsoll.api.exchange import Limits
from plimsoll.api.meter import Meter
from plimsoll.guard import Guard

Check = Callable[[], str]  # "" when it holds, else what does not, in words that may be shown to anybody


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The guard, where requests are counted, and what bounds them."""

    guard: Guard
    meter: Meter
    limits: Limits
    checks: Mapping[str, Check]
    notes: Mapping[str, Check]  # what is to be known and keeps nothing from being ready; "" when there is nothing

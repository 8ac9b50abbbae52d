"""What every board says of sources in trouble."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

from plimsoll.assess.run import body_of
from plimsoll.errors import VerificationFailed
from plimsoll.guard.arrivals import TROUBLE
from plimsoll.ledger import Ledger
from plimsoll.model.input_note import SourceState, SourceTrouble

_LOOKED_AT: Final = 1_000  # entries, the newest ones


def source_notes(ledger: Ledger, system: str) -> Iterator[str]:
    """The sources of which the newest entry says that trouble began, each with since when and whom it was told.

    Of a process that ended in the middle of it nobody records an end: it stands here until another one tells more.

    Args:
        ledger: where troubles are recorded.
        system: its name in the manifest.
    """
    seen: set[tuple[str, SourceState]] = set()
    for entry in ledger.find(TROUBLE, system=system, limit=_LOOKED_AT):
        try:
            trouble = body_of(ledger, entry, SourceTrouble)
        except VerificationFailed:
            continue  # the verification of the record says so
        if (trouble.source, trouble.state) in seen:
            continue
        seen.add((trouble.source, trouble.state))
        if trouble.began:
            since = f"{dt.datetime.fromtimestamp(trouble.time_ns / 1e9, dt.UTC):%Y-%m-%d %H:%M} UTC"
            told = f"{trouble.owner} was told" if trouble.owner else "its contract names nobody to be told"
            use = f", '{trouble.use}' stands in" if trouble.use else ""
            yield f"the source '{trouble.source}' is {trouble.state} since {since}{use}; {told}"

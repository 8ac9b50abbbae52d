"""Where records leave: the governance page is asked before each target, and what it keeps back does not go."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from plimsoll.guard.intake import to_json
from plimsoll.guard.passage import Passage
from plimsoll.model.decision import Result
from plimsoll.policy import Admitted, Gatekeeper

EGRESS: Final = "egress"  # why a step did not ask its target, and why an answer is held
_KEY: Final = 32  # bytes; one for each ruling, so that pseudonyms of two decisions, or of two targets, cannot be linked


class Border:
    """Rules on what a target may be told of a record.

    Args:
        gatekeepers: of the contract of each declared source, by source name.
        default: of every other source.
        has_page: there is a governance page. Without one, targets in this process are told everything, and all others
            public data alone.
        clock: nanoseconds since the epoch, UTC; exceptions count by it.
    """

    def __init__(
        self,
        gatekeepers: Mapping[str, Gatekeeper],
        default: Gatekeeper,
        *,
        has_page: bool,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._gatekeepers = gatekeepers
        self._default = default
        self._has_page = has_page
        self._clock = clock

    def concerns(self, destination: str) -> bool:
        """Whether there is anything to rule on; ``""`` is this process."""
        return self._has_page or destination != ""

    def admit(self, passage: Passage, destination: str) -> Admitted:
        """What may leave of the record; never raises."""
        note = passage.input_note
        source = (
            passage.source if note is None or not note.of else note.of
        )  # the record is that one's, and so are its classes
        return self._gatekeepers.get(source, self._default).admit(
            destination,
            passage.value,
            now_ns=self._clock(),
            key=_fresh_key,
            consequence=None if passage.kind is None else passage.kind.consequence,
        )


def _fresh_key() -> bytes:
    return secrets.token_bytes(_KEY)


def restored(result: Result, admitted: Admitted) -> Result:
    """A result with the values back in place of their pseudonyms; what it quotes is restored, too."""
    if not admitted.pseudonyms:
        return result
    return msgspec.structs.replace(
        result,
        output=admitted.restore(msgspec.json.decode(to_json(result.output))),
        sources=admitted.restore(result.sources),
        reasons=tuple(str(reason) for reason in admitted.restore(result.reasons)),
    )

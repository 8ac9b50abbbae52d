"""How much may wait in quarantine before broken records are sent back to where they come from."""

from __future__ import annotations

from typing import Annotated, Final

from plimsoll.model.asked import Asked, Says
from plimsoll.model.declared import Declared

MIB: Final = 1 << 20


class QuarantineBound(Declared, frozen=True, kw_only=True):
    """What may wait. Above it a record that breaks its contract is shed, and no longer kept."""

    most_records: Annotated[
        int, Asked(least=1, most=100_000_000), Says("records that may wait; beyond, a broken one is shed")
    ] = 2_000_000
    most_mib: Annotated[
        int, Asked(least=1, most=1_048_576), Says("MiB that those that wait may hold together; beyond, as above")
    ] = 2048

    @property
    def most_bytes(self) -> int:
        """The same in bytes."""
        return self.most_mib * MIB

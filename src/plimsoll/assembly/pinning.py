"""The key that signs a system's ledger, as trust.yaml takes it."""

from __future__ import annotations

import msgspec

from plimsoll.assembly.integrity import pinned_keys
from plimsoll.assembly.project import Project
from plimsoll.attest import Role, Trust, trust_entry
from plimsoll.errors import InputError


class LedgerKey(msgspec.Struct, frozen=True, kw_only=True):
    """The public half of a ledger's key."""

    file: str  # where the private half lies
    key: str  # the public half, as trust.yaml writes it
    key_id: str
    entry: str  # the lines to paste under ``keys:``
    made: bool  # there was none before
    pinned_in: str  # the trust file that pins it already; "" for none


def ledger_key(project: Project, trust: Trust | None, *, now_ns: int) -> LedgerKey:
    """The key that signs this system's ledger, and whether it is pinned.

    Args:
        project: the system.
        trust: the organisation's trust file; None: there is none.
        now_ns: UTC nanoseconds since the epoch.

    Raises:
        InputError: there is a ledger, and its key is gone; another one would begin another record.
    """
    place = project.ledger_key_path
    made = not place.exists()
    if made and project.store.exists():
        raise InputError(f"the key that signs the ledger, '{place}', is gone", fix="put it back from where it is kept")
    key = project.ledger_key.public
    is_pinned = any(k.key == key for k in pinned_keys(trust, now_ns))
    return LedgerKey(
        file=str(place),
        key=key.line,
        key_id=key.key_id,
        entry=trust_entry(f"{project.manifest.system} ledger", (Role.LEDGER,), key),
        made=made,
        pinned_in=trust.file if trust is not None and is_pinned else "",
    )

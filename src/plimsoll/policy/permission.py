"""Who may steer a system, as its manifest says."""

from __future__ import annotations

from plimsoll.model.manifest import May, Owners


def who_may_resume(may: May, owners: Owners) -> tuple[str, ...]:
    """The contacts who may take a stop back.

    A stop fails safe, so everybody whom the manifest names may stop. To let the AI decide again is an override: those
    named under ``may.override`` alone may do it, and where nobody is named there, operations and who holds the
    production decision.

    Returns:
        Contacts in the manifest's order, each once; never none.
    """
    if may.override:
        return tuple(dict.fromkeys(may.override))
    operations = owners.operations
    return tuple(dict.fromkeys((operations.contact, *operations.members, owners.single)))

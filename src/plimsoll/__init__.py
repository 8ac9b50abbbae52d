"""Plimsoll: the load line for AI systems.

>>> from plimsoll import Guard, Result  # doctest: +SKIP

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not from `typing`, whose import costs more than all else here, and can be interrupted
if TYPE_CHECKING:
    from typing import Any

    from plimsoll.assembly.guard import Guard
    from plimsoll.errors import PlimsollError
    from plimsoll.model.decision import Answer, Disposition, Result
    from plimsoll.model.principal import Principal
    from plimsoll.model.unavailable import Unavailable

__all__ = ["Answer", "Disposition", "Guard", "PlimsollError", "Principal", "Result", "Unavailable"]

_WHERE = {
    "Answer": "plimsoll.model.decision",
    "Disposition": "plimsoll.model.decision",
    "Guard": "plimsoll.assembly.guard",
    "PlimsollError": "plimsoll.errors",
    "Principal": "plimsoll.model.principal",
    "Result": "plimsoll.model.decision",
    "Unavailable": "plimsoll.model.unavailable",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'plimsoll' has no attribute '{name}'")
    import importlib  # noqa: PLC0415 - only when a name is asked for

    return getattr(importlib.import_module(_WHERE[name]), name)

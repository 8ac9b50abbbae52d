"""Control entries: what the running guards obey now."""

from __future__ import annotations

import enum

import msgspec


class Action(enum.StrEnum):
    """What a control entry does."""

    STOP = "stop"  # everything (or one decision type) becomes human-only
    RESUME = "resume"  # takes a stop back


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a ``control`` entry."""

    action: Action
    by: str  # contact
    reason: str
    type: str = ""  # decision type; empty: all of the system

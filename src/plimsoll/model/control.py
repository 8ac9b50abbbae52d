"""Control entries: what the running guards obey now."""

from __future__ import annotations

import enum

import msgspec


class Action(enum.StrEnum):
    """What a control entry does."""

    STOP = "stop"  # everything (or one decision type) becomes human-only
    RESUME = "resume"  # takes a stop back
    PROMOTE = "promote"  # a release goes live
    ROLLBACK = "rollback"  # a release that was live before is live again
    CANARY = "canary"  # a release takes a share of the traffic, and is compared with the live one
    SHADOW = "shadow"  # a release gets a copy of a share of the traffic; nothing that it says is released
    END = "end"  # of a canary or a shadow


class Control(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a ``control`` entry."""

    action: Action
    by: str  # contact; of what the product does by itself, which part of it
    reason: str
    type: str = ""  # decision type; empty: all of the system
    release: str = ""  # digest of the release it is about
    share: float = 0.0  # of the traffic, in (0, 1]; for a canary or a shadow
    alpha: float = 0.0  # probability, in (0, 1), with which a canary that is no worse is taken back

"""What was found of the sources that an answer rests on: what the ledger keeps of them."""

from __future__ import annotations

import enum

import msgspec


class SourceFinding(enum.StrEnum):
    """What is wrong with one source."""

    UNREADABLE = "unreadable"  # it is neither a text nor a source
    UNDECLARED = "undeclared"  # the manifest does not name it
    UNREACHABLE = "unreachable"
    OUTDATED = "outdated"  # older than allowed, dated ahead, or of unknown age
    CONFLICTING = "conflicting"  # it states another value than another source does
    NOT_PERMITTED = "not-permitted"  # the caller has none of the labels it needs


class Cited(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One source of an answer, and what was found of it."""

    name: str
    document: str = ""
    version: str = ""
    digest: str = ""
    updated: str = ""
    findings: tuple[SourceFinding, ...] = ()
    why: tuple[str, ...] = ()  # in words, one for each finding
    disputed: tuple[str, ...] = ()  # keys on which another source states another value

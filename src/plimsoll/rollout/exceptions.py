"""Releases that are live on the setter's exception: what lets them, and what is said of them until they are not."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from plimsoll.attest import Trust, check_exception, read_exception
from plimsoll.attest.moments import from_text
from plimsoll.errors import InputError, NotReady, VerificationFailed
from plimsoll.ledger import Ledger
from plimsoll.rollout.steps import EXCEPTED, stands_on, steered, write_promoted


class Excepted(msgspec.Struct, frozen=True, kw_only=True):
    """One exception of a system, as the record has it."""

    entry: str
    release: str
    conditions: tuple[str, ...]
    reason: str
    set_by: str
    until: str  # RFC 3339, UTC
    ended: bool
    live: bool  # the live release is live on it
    why: str = ""  # why its signature does not count; "": it does, or nobody looked

    @property
    def said(self) -> str:
        """It in one sentence, as every board shows it."""
        named = f"{self.release[:19]}…"
        aside = "; ".join(self.conditions)
        doubt = f" (its signature does not count: {self.why})" if self.why else ""
        by = f"{self.set_by} signed it{doubt} for this reason: {self.reason}"
        if not self.live:
            return f"{named} may go live on an exception until {self.until}, without: {aside}; {by}"
        if self.ended:
            return (
                f"{named} is live on an exception that ended at {self.until}, without: {aside}; it goes on answering, "
                "and nothing stands for it any more: promote it on an attestation, or roll back"
            )
        return f"{named} is live on an exception until {self.until}, without: {aside}; {by}"


def exceptions(ledger: Ledger, system: str, *, now_ns: int, trust: Trust | None = None) -> tuple[Excepted, ...]:
    """The exceptions that a board shows: those that last, and the one on which the live release is live, ended or not.

    Args:
        ledger: of the system.
        system: its name.
        now_ns: UTC nanoseconds since the epoch.
        trust: whose keys count; None: nobody looks at signatures. One that does not count is shown all the same, where
            a release is live on it.
    """
    standing = stands_on(ledger, system)
    found = []
    for entry in ledger.entries(kinds=(EXCEPTED,), system=system):
        try:
            signed = read_exception(ledger.body(entry))
            ended = from_text(signed.until) <= now_ns
        except (VerificationFailed, ValueError):
            continue  # nothing goes live on it, whatever it is
        live, why = entry.id == standing, ""
        if trust is not None and not ended:
            try:
                check_exception(
                    ledger.body(entry),
                    trust,
                    system=system,
                    release=signed.release,
                    threshold=signed.threshold,
                    set_by=signed.set_by,
                    now_ns=now_ns,
                )
            except VerificationFailed as failure:
                why = failure.message
        if live or not (ended or why):
            found.append(
                Excepted(
                    entry=entry.id,
                    release=signed.release,
                    conditions=signed.conditions,
                    reason=signed.reason,
                    set_by=signed.set_by,
                    until=signed.until,
                    ended=ended,
                    live=live,
                    why=why,
                )
            )
    return tuple(found)


def promote_on_exception(
    ledger: Ledger,
    system: str,
    release: str,
    *,
    exception: str,
    trust: Trust,
    threshold: str,
    set_by: str,
    unmet: Collection[str],
    by: str,
    reason: str,
    now_ns: int,
    allow_simulated: bool = False,
) -> str:
    """Make a release live on the setter's exception; gives the id of the control entry.

    Args:
        ledger: of the system.
        system: its name.
        release: digest of a kept release.
        exception: id of the entry that holds it.
        trust: whose keys count.
        threshold: digest of the line that holds now.
        set_by: contact of the person who set it.
        unmet: the conditions that this release does not meet now.
        by: contact of who does it.
        reason: why.
        now_ns: UTC nanoseconds since the epoch.
        allow_simulated: whether a demonstration may pass.

    Raises:
        InputError: there is no such entry.
        VerificationFailed: the exception does not hold, now, for exactly this release and line.
        NotReady: a condition that it does not name is not met; or the release is live already, and needs none.
    """
    entry = ledger.get(exception)
    if entry is None or entry.kind != EXCEPTED or entry.system != system:
        raise InputError(
            f"there is no exception '{exception[:80]}' in this ledger", fix="`plimsoll threshold except` gives its id"
        )
    held = check_exception(
        ledger.body(entry),
        trust,
        system=system,
        release=release,
        threshold=threshold,
        set_by=set_by,
        now_ns=now_ns,
    )
    if held.simulated and not allow_simulated:
        raise VerificationFailed(
            "the exception is a DEMONSTRATION: a script or a key made on the spot signed it",
            fix="let the setter sign one with the key that trust.yaml pins",
        )
    beyond = [condition for condition in unmet if condition not in held.signed.conditions]
    if beyond:
        raise NotReady(
            f"the exception does not name {'; '.join(beyond)}, which {'is' if len(beyond) == 1 else 'are'} not met",
            fix=f"meet {'it' if len(beyond) == 1 else 'them'}; or {set_by} signs an exception that names all",
        )
    standing = stands_on(ledger, system)
    if steered(ledger, system).live == release and standing in {"", exception}:
        raise NotReady(f"{release} is live already", fix="nothing more is to be done")
    return write_promoted(ledger, system, release, by=by, reason=reason, on=exception)

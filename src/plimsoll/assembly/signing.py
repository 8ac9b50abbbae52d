"""What people sign: the threshold, and their acceptance of a release; each recorded in the ledger."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.assess.organisation import ACCEPTED, OPERATOR, named_people
from plimsoll.attest import PrivateKey, sign_acceptance
from plimsoll.attest import sign_threshold as signed_threshold
from plimsoll.errors import InputError, NotReady
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.attestation import Accepted, Envelope, ThresholdSigned
from plimsoll.model.words import nearest

SIGNED = "threshold.signed"  # kind of the entry; its body is the signed envelope


class SignedThreshold(msgspec.Struct, frozen=True, kw_only=True):
    """One signature under a threshold, as the ledger has it. Whether it holds is for the gate, which knows the keys."""

    entry: str
    set_by: str = ""  # "": this version cannot read what was signed
    signed_at: str = ""
    threshold: str = ""
    current: bool = False  # it is for the threshold that the manifest holds now


def what_was_signed(raw: bytes) -> ThresholdSigned | None:
    """The threshold in an envelope, whoever signed it; None: it is none that this version can read."""
    try:
        payload = base64.b64decode(msgspec.json.decode(raw, type=Envelope).payload)
        return msgspec.json.decode(payload, type=ThresholdSigned)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None


def sign_threshold(
    project: Project,
    key: PrivateKey,
    *,
    ledger: Ledger | None = None,
    simulated: bool = False,
    clock_ns: Callable[[], int] = time.time_ns,
) -> str:
    """Sign the manifest's threshold and record it; gives the id of the entry."""
    raw = signed_threshold(
        project.manifest.threshold,
        system=project.manifest.system,
        key=key,
        now_ns=clock_ns(),
        simulated=simulated,
    )
    return _append(project, ledger, SIGNED, raw, ())


def threshold_history(project: Project) -> tuple[SignedThreshold, ...]:
    """Every signature under a threshold of this system, oldest first."""
    if not project.store.exists():
        return ()
    with project.open_ledger(read_only=True) as ledger:
        found = []
        for entry in ledger.entries(kinds=(SIGNED,), system=project.manifest.system):
            signed = what_was_signed(ledger.body(entry))
            if signed is None:
                found.append(SignedThreshold(entry=entry.id))
                continue
            found.append(
                SignedThreshold(
                    entry=entry.id,
                    set_by=signed.set_by,
                    signed_at=signed.signed_at,
                    threshold=signed.threshold,
                    current=signed.threshold == project.manifest.threshold.digest,
                )
            )
        return tuple(sorted(found, key=lambda s: s.signed_at))


def accept(
    project: Project,
    contact: str,
    key: PrivateKey,
    *,
    ledger: Ledger | None = None,
    simulated: bool = False,
    clock_ns: Callable[[], int] = time.time_ns,
) -> Accepted:
    """Record that a named person accepts the release that lies here now.

    Raises:
        InputError: nobody of that contact is named as owner or operator.
        NotReady: an operator who has not found and replayed a quarantined record yet.
    """
    named = {who.contact: who for who in named_people(project.manifest)}
    if contact not in named:
        close = nearest(contact, tuple(named))
        raise InputError(
            f"'{contact}' is not named as an owner or operator in {project.file}",
            fix=f"did you mean {close}?" if close else f"named are: {', '.join(named)}",
        )
    who = named[contact]
    if ledger is None:
        with project.open_ledger() as opened:
            return accept(project, contact, key, ledger=opened, simulated=simulated, clock_ns=clock_ns)
    refs = _replays_by(ledger, project.manifest.system, contact)
    if OPERATOR in who.roles and not refs:
        raise NotReady(
            f"{contact} is an operator and has not replayed a quarantined record yet",
            fix=f"`plimsoll quarantine list --records`, then `plimsoll quarantine replay ID --by {contact}`",
        )
    now_ns = clock_ns()
    raw = sign_acceptance(
        system=project.manifest.system,
        release=project.release.digest,
        contact=contact,
        roles=who.roles,
        people=project.manifest.people_digest,
        key=key,
        now_ns=now_ns,
        refs=refs,
        simulated=simulated,
    )
    _append(project, ledger, ACCEPTED, raw, refs)
    payload = base64.b64decode(msgspec.json.decode(raw, type=Envelope).payload)
    return msgspec.json.decode(payload, type=Accepted)


class _By(msgspec.Struct):
    by: str


def _replays_by(ledger: Ledger, system: str, contact: str) -> tuple[str, ...]:
    """The last replay that a person made, as a reference."""
    found = [
        entry.id
        for entry in ledger.entries(kinds=("quarantine.replayed",), system=system)
        if msgspec.json.decode(ledger.body(entry), type=_By).by == contact
    ]
    return tuple(found[-1:])


def _append(project: Project, ledger: Ledger | None, kind: str, raw: bytes, refs: tuple[str, ...]) -> str:
    draft = Draft(kind=kind, system=project.manifest.system, body=raw, refs=refs)
    if ledger is not None:
        return ledger.append(draft)
    with project.open_ledger() as opened:
        return opened.append(draft)

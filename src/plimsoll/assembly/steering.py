"""Control entries: what people tell the running guards to do."""

from __future__ import annotations

import msgspec

from plimsoll.assembly.project import Project
from plimsoll.errors import InputError, NotAllowed
from plimsoll.ledger import Draft
from plimsoll.model.control import Action, Control
from plimsoll.model.manifest import Manifest
from plimsoll.model.words import nearest
from plimsoll.policy import who_may_resume


def steer(project: Project, action: Action, *, type_: str, by: str, reason: str) -> str:
    """Record a control entry; every guard on this ledger obeys it within a second. Gives the id of the entry.

    Raises:
        InputError: there is no such decision type; the person is not named in the manifest; or no reason is given.
        NotAllowed: the person may not take a stop back.
    """
    manifest = project.manifest
    if type_ and type_ not in manifest.decisions:
        close = nearest(type_, tuple(manifest.decisions))
        raise InputError(
            f"'{type_}' is not a decision type of {manifest.system}",
            fix=f"did you mean {close}?" if close else f"there are: {', '.join(manifest.decisions)}",
        )
    known_contact(project, by)
    _check_may(manifest, action, by)
    if not reason.strip():
        raise InputError("a control entry has a reason", fix="say why: --reason '…'")
    control = Control(action=action, by=by, reason=reason.strip(), type=type_)
    with project.open_ledger() as ledger:
        return ledger.append(Draft(kind="control", system=manifest.system, body=msgspec.json.encode(control)))


def _check_may(manifest: Manifest, action: Action, by: str) -> None:
    """Anybody named may stop, which fails safe; to resume is for those whom the manifest lets override."""
    allowed = who_may_resume(manifest.may, manifest.owners)
    if action is Action.RESUME and by not in allowed:
        key = "may.override" if manifest.may.override else "owners.operations and owners.single (may.override is empty)"
        raise NotAllowed(
            f"{by} may stop {manifest.system}, and may not take a stop back",
            fix=f"those who may, by {key}: {', '.join(allowed)}",
        )


def contacts(project: Project) -> tuple[str, ...]:
    """Everyone whom the manifest names as an owner, member, or someone who may step in."""
    owners, may = project.manifest.owners, project.manifest.may
    parties = (owners.business, owners.technical, owners.operations, owners.leader)
    found = [owners.single, *may.override, *may.retrain, *may.decommission]
    for party in parties:
        found += [party.contact, *party.members]
    return tuple(dict.fromkeys(found))


def known_contact(project: Project, contact: str) -> str:
    """The contact, if the manifest names it.

    Raises:
        InputError: it does not.
    """
    known = contacts(project)
    if contact in known:
        return contact
    close = nearest(contact, known)
    raise InputError(
        f"'{contact}' is not named in {project.file}",
        fix=f"did you mean {close}?" if close else f"named are: {', '.join(known)}",
    )

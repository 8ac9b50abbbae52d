"""The health check with its project: who has agreed, and what is recorded."""

from __future__ import annotations

import base64
import datetime as dt
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from plimsoll.assembly.health_notes import CHECKED
from plimsoll.assembly.project import Project
from plimsoll.assess.health.check import check_health
from plimsoll.assess.health.page import render_health
from plimsoll.assess.health.places import find_places
from plimsoll.attest import PrivateKey, Trust, check_agreement, sign_agreement
from plimsoll.contract import Contract, read_contract_bytes
from plimsoll.errors import InputError, VerificationFailed
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.attestation import Envelope
from plimsoll.model.canonical import canonical, digest
from plimsoll.model.health import (
    Agreement,
    AgreementSigned,
    Answer,
    HealthCheck,
    HealthRecorded,
    SourceFound,
    SourceLookedAt,
    Standing,
)
from plimsoll.model.health_page import ChangedWork, HealthPage, read_health_page_bytes
from plimsoll.model.manifest_writer import FILL_IN_DOMAIN
from plimsoll.model.words import nearest

AGREED: Final = "health.agreed"  # kind of the entry; its body is the signed envelope
PAGE: Final = "health.yaml"  # beside the manifest


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a health check is to look at."""

    files: tuple[Path, ...]
    live: tuple[Path, ...] = ()
    contracts: tuple[Path, ...] = ()
    page: HealthPage | None = None


def read_page(file: Path | None, work: Sequence[str]) -> HealthPage | None:
    """The health page with the roles that flags name; None when there is neither.

    Args:
        file: the page; None: there is none.
        work: "ROLE=CONTACT", one for each flag.

    Raises:
        InvalidFile: the page has problems.
        InputError: it cannot be read, or a flag is not of that form.
    """
    page = None
    if file is not None:
        try:
            page = read_health_page_bytes(file.read_bytes(), str(file))
        except OSError as why:
            raise InputError(f"the health page '{file}' cannot be read: {why.strerror}", fix="mend --page") from why
    named = []
    for text in work:
        role, _, contact = (part.strip() for part in text.rpartition("="))
        if not role or not contact:
            raise InputError(
                f"--work '{text}' names no role and contact", fix="--work 'Claims handlers=head@example.org'"
            )
        named.append(ChangedWork(role=role, agrees=contact, change=f"what {role} do changes"))
    if not named:
        return page
    page = page or HealthPage(health=1)
    return msgspec.structs.replace(page, work=(*page.work, *named))


def check_files(
    given: Given,
    *,
    project: Project | None = None,
    trust: Trust | None = None,
    tick: Callable[[int], None] = lambda _: None,
    clock_ns: Callable[[], int] = time.time_ns,
) -> HealthCheck:
    """Look at files, and record the outcome where there is a manifest.

    Args:
        given: what to look at.
        project: the system; None: there is no manifest, and nothing is recorded.
        trust: whose signatures count; None: nobody's.
        tick: called now and then with the records read so far.
        clock_ns: UTC nanoseconds since the epoch.

    Raises:
        InputError: a file is not there; InvalidFile: a contract has problems.
        StoreError: the outcome could not be recorded.
    """
    places, live = find_places(given.files), find_places(given.live)
    contracts = [_read_contract(path) for path in given.contracts]
    contracts += list(project.inputs) if project is not None else []

    def contract_for(source: str) -> Contract | None:
        """The one that names the source; else the first, as the guard has it."""
        return next((c for c in contracts if source in c.sources), contracts[0] if contracts else None)

    work = () if given.page is None else given.page.work
    now_ns = clock_ns()
    agreements = tuple(_unsigned(each) for each in work)
    signatures: tuple[str, ...] = ()
    if project is not None and project.store.exists():
        with project.open_ledger(read_only=True) as ledger:
            found = [_stands(each, ledger, trust or Trust(), project.manifest.system, now_ns) for each in work]
        agreements = tuple(agreement for agreement, _ in found)
        signatures = tuple(entry for _, entry in found if entry)
    check = check_health(
        places,
        now_ns=now_ns,
        live=live,
        contract_for=contract_for,
        page=given.page,
        agreements=agreements,
        system="" if project is None else project.manifest.system,
        tick=tick,
    )
    if project is None:
        return check
    simulated = check.demonstration or project.manifest.demonstration is not None
    check = msgspec.structs.replace(check, demonstration=simulated)
    with project.open_ledger() as ledger:
        ledger.append(
            Draft(
                kind=CHECKED,
                system=project.manifest.system,
                body=canonical(recorded(check, given.page, signatures)),
                refs=signatures,
            )
        )
    return check


def recorded(check: HealthCheck, page: HealthPage | None, signatures: Sequence[str]) -> HealthRecorded:
    """What of a check goes into the ledger: nothing of the data but digests and counts."""
    against = [
        reason.said for question in check.questions if question.answer is not Answer.YES for reason in question.speaks()
    ]
    return HealthRecorded(
        go=check.go,
        sentence=check.sentence,
        answers={question.asked.value: question.answer for question in check.questions},
        because=tuple(against),
        sources=tuple(_looked_at(source) for source in check.sources),
        live=tuple(_looked_at(source) for source in check.live),
        page="" if page is None else digest(page),
        agreements=tuple(signatures),
        demonstration=check.demonstration,
    )


def write_page(check: HealthCheck, to: Path) -> Path:
    """Write the HTML page.

    Raises:
        InputError: it cannot be written.
    """
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(render_health(check), encoding="utf-8")
    except OSError as why:
        raise InputError(f"the page '{to}' cannot be written: {why.strerror}", fix="give another --report") from why
    return to


def usual_page(project: Project, check: HealthCheck) -> Path:
    """Where the HTML page goes when nobody says: into the state folder."""
    at = dt.datetime.fromtimestamp(check.time_ns / 1e9, dt.UTC)
    return project.state / "reports" / f"health-{at:%Y%m%dT%H%M%SZ}.html"


# -- who has agreed


def agree(
    project: Project,
    page: HealthPage | None,
    contact: str,
    key: PrivateKey,
    *,
    refused: str | None = None,
    clock_ns: Callable[[], int] = time.time_ns,
) -> tuple[AgreementSigned, ...]:
    """Record that a person agrees, or refuses, for every role that they sign for.

    Raises:
        InputError: the page names nobody of that contact, or the contact is still a placeholder.
        StoreError: it could not be recorded.
    """
    work = () if page is None else page.work
    mine = [each for each in work if each.agrees == contact]
    if not mine or contact.endswith(f"@{FILL_IN_DOMAIN}"):
        named = tuple(dict.fromkeys(each.agrees for each in work))
        close = nearest(contact, named)
        raise InputError(
            f"'{contact}' is not named as somebody who signs for a change of work",
            fix=f"did you mean {close}?" if close else f"named are: {', '.join(named) or 'nobody; give --page FILE'}",
        )
    system = project.manifest.system
    envelopes = [sign_agreement(each, system=system, key=key, now_ns=clock_ns(), refused=refused) for each in mine]
    with project.open_ledger() as ledger:
        ledger.transact([Draft(kind=AGREED, system=system, body=raw) for raw in envelopes])
    return tuple(signed for raw in envelopes if (signed := _signed_in(raw)) is not None)


def _unsigned(work: ChangedWork) -> Agreement:
    return Agreement(role=work.role, contact=work.agrees, change=work.change, standing=Standing.UNSIGNED)


def _stands(work: ChangedWork, ledger: Ledger, trust: Trust, system: str, now_ns: int) -> tuple[Agreement, str]:
    """How somebody stands to a change of their work, by the newest signature that holds; and its entry."""
    found = _unsigned(work)
    for entry in ledger.find(AGREED, system=system):  # the newest first
        raw = ledger.body(entry)
        signed = _signed_in(raw)
        if signed is None or signed.contact != work.agrees or signed.role != work.role:
            continue
        try:
            held = check_agreement(raw, trust, work, system=system, now_ns=now_ns)
        except VerificationFailed as failure:
            if found.standing is Standing.UNSIGNED:  # the newest is what that person has to mend
                found = msgspec.structs.replace(found, standing=Standing.VOID, why=failure.message)
            continue
        standing = Standing.AGREED if held.signed.agrees else Standing.REFUSED
        stands = msgspec.structs.replace(
            found, standing=standing, why=held.signed.why, signed_ns=held.signed_ns, simulated=held.simulated
        )
        return stands, entry.id
    return found, ""


def _signed_in(raw: bytes) -> AgreementSigned | None:
    """What an envelope says, whether or not its signature holds; None when it is none."""
    try:
        payload = base64.b64decode(msgspec.json.decode(raw, type=Envelope).payload, validate=True)
        return msgspec.json.decode(payload, type=AgreementSigned)
    except (msgspec.MsgspecError, ValueError):
        return None


def _looked_at(source: SourceFound) -> SourceLookedAt:
    return SourceLookedAt(name=source.name, digest=source.digest, records=source.records)


def _read_contract(path: Path) -> Contract:
    try:
        raw = path.read_bytes()
    except OSError as why:
        raise InputError(f"the contract '{path}' cannot be read: {why.strerror}", fix="mend --contract") from why
    return read_contract_bytes(raw, str(path))

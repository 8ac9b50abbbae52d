"""The scripted persons of a demonstration: keys made on the spot, and everything they sign marked simulated."""

from __future__ import annotations

import re
from pathlib import Path

from plimsoll.assembly.project import Project, own_key, read_file
from plimsoll.assembly.signing import SIGNED, accept, sign_threshold, what_was_signed
from plimsoll.assess.organisation import OPERATOR, named_people
from plimsoll.attest import PrivateKey, Role, Trust, TrustedKey, trust_entry
from plimsoll.errors import NotReady
from plimsoll.guard.quarantine import find_quarantined, original_bytes, quarantined, replay
from plimsoll.ledger import Ledger
from plimsoll.model.canonical import digest
from plimsoll.model.decision import Disposition

GATE = "demonstration gate"
LEDGER = "demonstration ledger"


class Cast:
    """The persons that a manifest's ``demonstration`` lets a script play.

    Their keys lie in the state folder, and `trust` pins them as simulated: a board or attestation that rests on one of
    them says DEMONSTRATION, and `plimsoll verify` refuses it without ``--allow-simulated``.

    Args:
        project: its manifest declares the demonstration.
    """

    def __init__(self, project: Project) -> None:
        assert project.manifest.demonstration is not None, "only a demonstration has a cast"
        self._folder = project.state / "demonstration"
        self._persons = project.manifest.demonstration.persons
        self._setter = project.manifest.threshold.set_by
        resent = project.manifest.demonstration.resent
        self._resent = (
            () if resent is None else tuple(read_file(project.folder / resent, "records sent again").splitlines())
        )
        self._project = project
        self._roles = {who.contact: who.roles for who in named_people(project.manifest)}

    def key(self, who: str) -> PrivateKey:
        """The key of a person or machine; made on the spot."""
        # A file name holds fewer signs than an address, and no two persons may share a key.
        name = re.sub(r"[^a-z0-9.-]+", "_", who.lower())
        return own_key(self._folder / f"{name}-{digest(who).removeprefix('sha256:')[:8]}.key")

    @property
    def trust(self) -> Trust:
        """Trust in the cast's keys, all of them simulated."""
        keys = [
            TrustedKey(who=person, roles=self._trusted_as(person), key=self.key(person).public, simulated=True)
            for person in self._persons
        ]
        gate = TrustedKey(who=GATE, roles=(Role.GATE,), key=self.key(GATE).public, simulated=True)
        ledger = TrustedKey(who=LEDGER, roles=(Role.LEDGER,), key=self._project.ledger_key.public, simulated=True)
        return Trust(keys=(*keys, gate, ledger), file="the demonstration's keys")

    def write_trust(self, path: Path) -> None:
        """Write the trust file that verifies this demonstration."""
        lines = [
            "# Keys made on the spot for a demonstration. Nothing they sign counts for real.\n",
            "plimsoll-trust: 1\nkeys:\n",
        ]
        lines += [trust_entry(k.who, k.roles, k.key, simulated=True) for k in self.trust.keys]
        path.write_text("".join(lines), encoding="utf-8")

    def sign_threshold(self, project: Project, ledger: Ledger) -> None:
        """The setter signs, if that person is played and has not signed this threshold yet."""
        if self._setter not in self._persons:
            return
        for entry in ledger.entries(kinds=(SIGNED,), system=project.manifest.system):
            signed = what_was_signed(ledger.body(entry))
            if signed is not None and signed.threshold == project.manifest.threshold.digest:
                return
        sign_threshold(project, self.key(self._setter), ledger=ledger, simulated=True)

    def accept_all(self, project: Project, ledger: Ledger) -> None:
        """Every played person accepts; operators first find and replay a quarantined record each."""
        for person in self._persons:
            roles = self._roles.get(person)
            if not roles:
                continue
            try:
                accept(project, person, self.key(person), ledger=ledger, simulated=True)
            except NotReady:  # an operator who has not replayed a record yet; one replay is enough for every release
                if self._replay_one(project, ledger, person):
                    accept(project, person, self.key(person), ledger=ledger, simulated=True)

    def _replay_one(self, project: Project, ledger: Ledger, person: str) -> bool:
        """Find a cut record that its source has sent again, and replay it with what came."""
        with project.open_guard(ledger) as guard:
            for record in quarantined(ledger, system=project.manifest.system):
                _, kept = find_quarantined(ledger, record.record)
                whole = self._sent_again(original_bytes(kept))
                if whole is None:
                    continue
                answer = replay(guard, record.record, by=person, fixed=whole)
                if answer.disposition in {Disposition.ANSWERED, Disposition.HELD}:
                    return True
        return False

    def _sent_again(self, cut: bytes) -> bytes | None:
        """The whole line that a cut one is the beginning of; None: its source has not sent it again."""
        return next((line for line in self._resent if len(cut) < len(line) and line.startswith(cut)), None)

    def _trusted_as(self, person: str) -> tuple[Role, ...]:
        roles = self._roles.get(person, ())
        found = [Role.SETTER] if person == self._setter else []
        if any(role != OPERATOR for role in roles):
            found.append(Role.OWNER)
        if OPERATOR in roles:
            found.append(Role.OPERATOR)
        return tuple(found) or (Role.OWNER,)

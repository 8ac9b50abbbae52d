"""Organisation: who has accepted this release, with real keys and a real trust file; and who has not, and why."""

from __future__ import annotations

import time

import msgspec
import pytest
from assess.a_system import BUILDER, COO, HEAD, NIGHT, OPS, System, row

from plimsoll.assembly.signing import accept
from plimsoll.assess.organisation import ACCEPTED, accepted_in, named_people
from plimsoll.attest import generate, sign_acceptance
from plimsoll.errors import InputError, NotReady
from plimsoll.ledger import Draft
from plimsoll.model.board import Standing
from plimsoll.model.details import OrganisationDetail
from plimsoll.model.evidence import Ended, Provenance

EVERYBODY = (HEAD, BUILDER, OPS, COO, NIGHT)


@pytest.fixture(scope="module")
def quarantine(tmp_path_factory):
    """A system whose ledger holds one quarantined record; copied for each test, since measuring takes time."""
    system = System(tmp_path_factory.mktemp("org") / "s")
    system.check("contracts")
    return system


@pytest.fixture
def system(quarantine, tmp_path):
    return quarantine.beside(tmp_path / "state")


def people(system, trust=None, **more):
    """The accepted row of the board, and each person as the report draws them."""
    board = system.check("organisation", trust=trust or system.trust(), **more)
    with system.project().open_ledger() as ledger:
        ended = [msgspec.json.decode(ledger.body(e), type=Ended) for e in ledger.entries(kinds=("assessment.ended",))]
    detail = msgspec.json.decode(ended[-1].detail, type=OrganisationDetail)
    return row(board, "organisation.accepted"), {p.contact: p for p in detail.people}


def put(system, raw, refs=()):
    """Write an envelope into the ledger as anybody with its file could."""
    with system.project().open_ledger() as ledger:
        return ledger.append(Draft(kind=ACCEPTED, system="parity", body=raw, refs=refs))


def envelope(system, who, roles, *, key=None, release=None, refs=(), **more):
    manifest = system.project().manifest
    return sign_acceptance(
        system=more.pop("system_name", "parity"),
        release=release or system.project().release.digest,
        contact=who,
        roles=roles,
        people=manifest.people_digest,
        key=key or system.key(who),
        now_ns=more.pop("now_ns", time.time_ns()),
        refs=refs,
        **more,
    )


def test_everybody_who_is_named_is_asked_once_in_all_their_roles(system):
    system.change("owners", "leader", "contact", to=HEAD)
    system.change("threshold", "set_by", to=HEAD)
    system.change("owners", "operations", "members", to=[NIGHT, BUILDER])
    assert {n.contact: n.roles for n in named_people(system.project().manifest)} == {
        HEAD: ("business", "leader"),
        BUILDER: ("technical", "operator"),
        OPS: ("operations",),
        NIGHT: ("operator",),
    }


def test_where_no_operator_is_named_operations_itself_has_to_show_that_it_can(system):
    """Otherwise leaving out the members would leave out the one test of the people who run it."""
    system.change("owners", "operations", "members", to=None)
    roles = {n.contact: n.roles for n in named_people(system.project().manifest)}
    assert roles[OPS] == ("operations", "operator")
    with pytest.raises(NotReady, match="has not replayed a quarantined record"):
        system.accept(OPS)


def test_all_accept_with_their_own_keys(system):
    replayed = system.replay_one()
    system.accept()
    accepted, detail = people(system)
    assert (accepted.standing, accepted.provenance, accepted.counts) == (Standing.MET, "measured", "census of 5")
    assert detail[NIGHT].replayed == replayed
    assert all(p.accepted_at_ns and not p.simulated for p in detail.values())


def test_nobody_accepted_yet(system):
    accepted, detail = people(system)
    assert (accepted.standing, accepted.estimate) == (Standing.NOT_MET, 0.0)
    assert {p.why for p in detail.values()} == {"has not accepted"}


def test_one_is_missing_and_named(system):
    system.accept(HEAD, BUILDER, OPS)
    accepted, _ = people(system)
    assert accepted.estimate == 0.6
    assert COO in accepted.why
    assert NIGHT in accepted.why
    assert HEAD not in accepted.why


def test_an_operator_without_a_replay_cannot_accept(system):
    with pytest.raises(NotReady, match="has not replayed a quarantined record"):
        system.accept(NIGHT)


def test_a_person_whom_nobody_named_cannot_accept(system):
    with pytest.raises(InputError, match="is not named as an owner or operator") as caught:
        accept(system.project(), "head@example.orb", system.key(HEAD))
    assert caught.value.fix == f"did you mean {HEAD}?"


class TestAnAcceptanceThatDoesNotCount:
    def refused(self, system, who=HEAD, trust=None, **more):
        accepted, detail = people(system, trust, **more)
        assert detail[who].accepted_at_ns is None
        assert accepted.standing is Standing.NOT_MET
        return detail[who].why

    def test_a_key_that_is_not_pinned(self, system):
        put(system, envelope(system, HEAD, ["business"], key=generate()))
        assert "head@example.org is signed by nobody who is pinned for it" in self.refused(system)

    def test_nobody_of_this_name_is_pinned(self, system):
        put(system, envelope(system, HEAD, ["business"]))
        assert "pins no key of head@example.org as owner" in self.refused(system, trust=system.trust(without=[HEAD]))

    def test_a_key_that_is_pinned_for_somebody_else(self, system):
        put(system, envelope(system, HEAD, ["business"], key=system.key(BUILDER)))
        assert "signed by nobody who is pinned for it" in self.refused(system)

    def test_a_key_pinned_for_another_role(self, system):
        put(system, envelope(system, NIGHT, ["operator"], refs=()))
        system.change("owners", "business", "contact", to=NIGHT)
        system.change("owners", "single", to=NIGHT)
        system.change("decisions", "tell", "accountable", to=NIGHT)
        system.change("may", "decommission", to=[NIGHT])
        assert "pins no key of night-shift@example.org as operator and owner" in self.refused(system, NIGHT)

    def test_another_release(self, system):
        put(system, envelope(system, HEAD, ["business"], release="sha256:" + "0" * 64))
        assert "is for release sha256:00000000" in self.refused(system)

    def test_another_system(self, system):
        put(system, envelope(system, HEAD, ["business"], system_name="other"))
        assert "is for the system 'other', not for 'parity'" in self.refused(system)

    def test_too_few_roles(self, system):
        put(system, envelope(system, HEAD, ["business"]))
        system.change("owners", "leader", "contact", to=HEAD)
        system.change("threshold", "set_by", to=HEAD)
        assert "does not cover the role leader" in self.refused(system)

    def test_a_key_whose_time_is_over(self, system):
        system.accept(HEAD)
        trust = system.trust(head="2020-01-01")
        assert "pins no key of head@example.org as owner at this time" in self.refused(system, trust=trust)

    def test_signed_in_the_future(self, system):
        put(system, envelope(system, HEAD, ["business"], now_ns=time.time_ns() + 3600 * 10**9))
        assert "still to come" in self.refused(system)

    def test_one_byte_altered(self, system):
        raw = envelope(system, HEAD, ["business"])
        at = raw.index(b'"sig":"') + 20
        put(system, raw[:at] + (b"A" if raw[at : at + 1] != b"A" else b"B") + raw[at + 1 :])
        assert "does not hold" in self.refused(system)

    @pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"payload": 1}', b"[]"])
    def test_what_is_no_envelope_is_nobodys(self, system, raw):
        assert accepted_in(raw) is None
        put(system, raw)
        assert self.refused(system) == "has not accepted"

    def test_without_trust_nobody_counts(self, system):
        system.accept(HEAD)
        board = system.check("organisation")
        assert row(board, "organisation.accepted").estimate == 0.0
        assert f"{HEAD}: trust.yaml pins no key of {HEAD} as owner" in row(board, "organisation.accepted").why

    def test_a_placeholder(self, system):
        for path in (("owners", "business", "contact"), ("owners", "single"), ("decisions", "tell", "accountable")):
            system.change(*path, to="business@fill-in.invalid")
        system.change("may", "decommission", to=["business@fill-in.invalid"])
        assert self.refused(system, "business@fill-in.invalid") == "is still the placeholder"

    def test_an_operator_who_names_no_replay(self, system):
        put(system, envelope(system, NIGHT, ["operator"]))
        assert self.refused(system, NIGHT) == "accepted without having found and replayed a quarantined record"

    def test_an_operator_who_names_somebody_elses_replay(self, system):
        system.replay_one(by=OPS)
        with system.project().open_ledger() as ledger:
            (theirs,) = (e.id for e in ledger.entries(kinds=("quarantine.replayed",)))
        put(system, envelope(system, NIGHT, ["operator"], refs=(theirs,)))
        assert self.refused(system, NIGHT) == "accepted without having found and replayed a quarantined record"

    @pytest.mark.parametrize("what", ["nonsense", "own-decision", "other-system"])
    def test_an_operator_whose_replay_was_only_written_down(self, system, what):
        """The entry is there, made by hand; no record was found, or none was decided."""
        with system.project().open_ledger() as ledger:
            decision, *_ = (e for e in ledger.entries(kinds=("decision",)) if e.header.disposition == "answered")
            broken, *_ = (e for e in ledger.entries(kinds=("decision",)) if e.header.disposition == "quarantined")
            record, became, name = {
                "nonsense": ("x", "y", "parity"),
                "own-decision": (broken.id, decision.id, "parity"),
                "other-system": (broken.id, decision.id, "other"),
            }[what]
            body = msgspec.json.encode({"record": record, "by": NIGHT, "became": became})
            forged = ledger.append(Draft(kind="quarantine.replayed", system=name, body=body))
        put(system, envelope(system, NIGHT, ["operator"], refs=(forged,)))
        assert self.refused(system, NIGHT) == "accepted without having found and replayed a quarantined record"

    def test_the_newest_reason_is_what_the_person_has_to_mend(self, system):
        put(system, envelope(system, HEAD, ["business"], release="sha256:" + "0" * 64))
        put(system, envelope(system, HEAD, ["business"], key=generate()))
        assert "signed by nobody who is pinned for it" in self.refused(system)


class TestWhichOneCounts:
    def test_the_newest_that_holds(self, system):
        now = time.time_ns()
        put(system, envelope(system, HEAD, ["business"], now_ns=now - 10**10))
        put(system, envelope(system, HEAD, ["business"], now_ns=now))
        put(system, envelope(system, HEAD, ["business"], key=generate()))
        assert people(system)[1][HEAD].accepted_at_ns == now // 10**9 * 10**9

    def test_the_newest_of_several_processes(self, system):
        """The stream that was opened first may hold the newest entry."""
        with system.project().open_ledger() as first:
            raw = envelope(system, HEAD, ["business"], simulated=True)
            first.append(Draft(kind="note", body=b""))
            with system.project().open_ledger() as second:
                second.append(Draft(kind=ACCEPTED, system="parity", body=raw))
            first.append(Draft(kind=ACCEPTED, system="parity", body=envelope(system, HEAD, ["business"])))
        assert people(system)[1][HEAD].simulated is False

    def test_a_key_that_is_pinned_as_simulated_makes_it_so(self, system):
        system.replay_one()
        system.accept()
        accepted, detail = people(system, system.trust(simulated=[BUILDER]))
        assert accepted.provenance == Provenance.SIMULATED.value
        assert [p.contact for p in detail.values() if p.simulated] == [BUILDER]

    def test_an_acceptance_that_says_so_is_simulated_whatever_the_trust_file_says(self, system):
        system.replay_one()
        system.accept(simulated=True)
        accepted, _ = people(system)
        assert (accepted.standing, accepted.provenance) == (Standing.MET, Provenance.SIMULATED.value)


class TestWhenNamesChange:
    def test_mending_one_address_leaves_what_the_others_signed(self, system):
        system.replay_one()
        system.accept()
        assert people(system)[0].standing is Standing.MET
        release = system.project().release.digest
        moved = "head-of-claims@example.org"
        for path in (("owners", "business", "contact"), ("owners", "single"), ("decisions", "tell", "accountable")):
            system.change(*path, to=moved)
        system.change("may", "decommission", to=[moved])
        assert system.project().release.digest == release, "an address makes no new release"
        before = row(system.gate(system.trust()), "organisation.accepted")
        assert (before.standing, before.estimate) == (Standing.NOT_MET, 0.8), "it shows before anything is run again"
        assert moved in before.why
        assert "When it was last assessed: 5 of 5 named owners and operators accepted" in before.why
        accepted, detail = people(system)
        assert accepted.estimate == 0.8
        assert [p.contact for p in detail.values() if p.accepted_at_ns is None] == [moved]

    def test_what_does_not_depend_on_people_stays(self, system):
        before = system.check("evaluation")
        system.change("owners", "business", "name", to="Head of Numbers")
        after = system.gate()
        assert row(after, "evaluation.accuracy").standing is row(before, "evaluation.accuracy").standing is Standing.MET

    def test_naming_another_person_asks_that_person(self, system):
        system.replay_one()
        system.accept()
        system.change("owners", "operations", "members", to=[NIGHT, "day-shift@example.org"])
        accepted, detail = people(system)
        assert accepted.counts == "census of 6"
        assert detail["day-shift@example.org"].why != ""
        assert detail[NIGHT].accepted_at_ns

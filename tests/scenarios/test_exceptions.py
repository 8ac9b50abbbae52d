"""The one way round a verdict: signed by the setter, for one release and named conditions, and seen until it ends."""

from __future__ import annotations

import time

import pytest
from cli.tiny_system import OPERATOR, PEOPLE

from plimsoll.assembly.checking import gate
from plimsoll.assembly.excepting import promote_excepted
from plimsoll.assembly.project import Project
from plimsoll.assembly.serving import open_running
from plimsoll.attest import read_exception, read_private, sign_exception
from plimsoll.errors import InputError, NotReady, VerificationFailed
from plimsoll.ledger import Draft
from plimsoll.rollout import EXCEPTED

DAY_NS = 86_400 * 10**9
SETTER = PEOPLE["leader"]
REASON = "the regulator's deadline is tomorrow"


@pytest.fixture(scope="module")
def measured(let_through, tmp_path_factory):
    """Another release of a system that was let through: kept and measured, and accepted by nobody."""
    system = let_through.copy_to(tmp_path_factory.mktemp("excepted") / "copy")
    system.change("parity.py", "def predict", "# a word more\ndef predict")
    system.digest = system.run("rollout", "build", "--by", "builder@example.org").stdout.strip()
    checked = system.run("check", "--trust", system.trust, "--json", timeout=120)
    assert checked.code == 3, checked
    assert [p["message"].partition(" ")[0] for p in checked.problems] == ["organisation.accepted"]
    return system


@pytest.fixture
def system(measured, tmp_path):
    copied = measured.copy_to(tmp_path / "copy")
    copied.digest = measured.digest
    return copied


def signed(system, *more, key=SETTER):
    arguments = ("--key", system.key(key), "--trust", system.trust, "--reason", REASON, *more)
    return system.run("threshold", "except", *arguments, "--json")


def promoted(system, exception, release=None):
    arguments = (release or system.digest, "--exception", exception, "--by", "ops@example.org", "--trust", system.trust)
    return system.run("rollout", "promote", *arguments, "--json")


def board(system):
    return system.run("gate", "--trust", system.trust, "--json").data["board"]


def live(system):
    lines = system.run("rollout", "list", "--json").data
    return next((line for line in lines if line["state"] == "live"), None)


def test_a_release_goes_live_on_an_exception_and_every_board_says_so_until_it_stands_on_more(system):
    made = signed(system)
    assert made.code == 0, made
    assert made.data["conditions"] == ["organisation.accepted = 100%"]
    assert any("may go live on an exception until" in note for note in board(system)["notes"])

    went = promoted(system, made.data["entry"])
    assert went.code == 0, went
    line = live(system)
    assert (line["release"], line["steps"][-1]["exception"]) == (system.digest, made.data["entry"])
    assert "is live on an exception until" in line["excepted"]
    assert "is live on an exception until" in system.run("rollout", "list").stdout
    [warned] = [w for w in board(system)["warnings"] if "exception" in w]
    assert REASON in warned
    assert "organisation.accepted = 100%" in warned
    with open_running(system.manifest, None, with_tokens=False) as running:
        assert running.notes["exception"]().startswith("the live release is live on an exception until")
        assert REASON not in running.notes["exception"](), "anybody may ask"
    assert promoted(system, made.data["entry"]).code == 3, "it is live already"
    assert system.run("gate", "--trust", system.trust, "--report", "report.html").code == 3
    assert "is live on an exception until" in (system.folder / "report.html").read_text()

    # Once the condition is met it is promoted on an attestation, and the exception is nobody's business any more.
    for contact in (*PEOPLE.values(), OPERATOR):
        assert system.run("accept", "--as", contact, "--key", system.key(contact)).code == 0
    assert system.run("check", "--only", "organisation", "--trust", system.trust).code == 0
    attested = system.run("gate", "--trust", system.trust, "--attest", "out.json", "--key", system.key("pipeline"))
    assert attested.code == 0, attested
    by = ("--attestation", "out.json", "--by", "ops@example.org", "--trust", system.trust)
    assert system.run("rollout", "promote", system.digest, *by).code == 0
    assert live(system)["excepted"] == ""
    assert not any("exception" in w for w in board(system)["warnings"])
    assert system.run("rollout", "promote", system.digest, *by).code == 3, "it is live already"
    assert signed(system).code == 3, "there is nothing to leave aside any more"


def test_when_it_ends_the_release_stays_and_the_board_says_that_nothing_stands_for_it(system):
    made = signed(system)
    assert promoted(system, made.data["entry"]).code == 0
    later = time.time_ns() + 8 * DAY_NS
    project = Project(system.manifest)
    seen = gate(project, trust_file=system.trust, clock_ns=lambda: later).board
    [warned] = [w for w in seen.warnings if "exception" in w]
    assert "that ended at" in warned
    assert "roll back" in warned
    with pytest.raises(VerificationFailed, match="ended at"):
        _promote(system, made.data["entry"], clock_ns=lambda: later)


def _promote(system, exception, *, release=None, **more):
    return promote_excepted(
        Project(system.manifest),
        release or system.digest,
        exception=exception,
        trust_file=system.trust,
        by="ops@example.org",
        reason="test",
        **more,
    )


def test_nobody_but_the_setter_can_sign_one(system):
    ran = signed(system, key="head@example.org")
    assert ran.code == 5, ran
    assert not board(system)["notes"] or not any("exception" in note for note in board(system)["notes"])


def test_a_forged_one_in_the_ledger_lets_nothing_through(system):
    project = Project(system.manifest)
    line = project.manifest.threshold
    raw = sign_exception(
        system="parity",
        release=system.digest,
        threshold=line.digest,
        set_by=line.set_by,
        conditions=[str(c) for c in line.conditions],
        reason=REASON,
        until_ns=time.time_ns() + DAY_NS,
        key=read_private(system.key("head@example.org")),
        now_ns=time.time_ns(),
    )
    with project.open_ledger() as ledger:
        entry = ledger.append(Draft(kind=EXCEPTED, system="parity", body=raw))
    ran = promoted(system, entry)
    assert ran.code == 5, ran
    assert live(system) is None
    assert not any("exception" in text for text in (*board(system)["notes"], *board(system)["warnings"]))


def test_it_is_for_one_release(system):
    made = signed(system)
    system.change("parity.py", "# a word more", "# two words more")
    other = system.run("rollout", "build", "--by", "builder@example.org").stdout.strip()
    ran = promoted(system, made.data["entry"], other)
    assert ran.code == 5, ran
    assert ran.problems[0]["code"] == "verification.exception-release"
    assert promoted(system, made.data["entry"]).code == 0, "the one that it is for is kept, though another lies here"
    assert live(system)["release"] == system.digest


def test_a_condition_that_it_does_not_name_must_be_met(system):
    made = signed(system)
    with Project(system.manifest).open_ledger(read_only=True) as ledger:
        assert read_exception(ledger.body(ledger.get(made.data["entry"]))).conditions == (
            "organisation.accepted = 100%",
        )
    # Six days on it still holds; what was measured is too old by then.
    system.change("plimsoll.yaml", "  load_window: 200 ms", "  load_window: 200 ms\n  max_age: 5 days")
    assert system.run("threshold", "sign", "--key", system.key(SETTER)).code == 0
    made = signed(system)
    assert made.code == 0, made
    with pytest.raises(NotReady, match="does not name evaluation"):
        _promote(system, made.data["entry"], clock_ns=lambda: time.time_ns() + 6 * DAY_NS)


def test_one_for_another_line_does_not_count(system):
    made = signed(system)
    system.change("plimsoll.yaml", "evaluation.accuracy >= 95%", "evaluation.accuracy >= 96%")
    assert system.run("threshold", "sign", "--key", system.key(SETTER)).code == 0
    ran = promoted(system, made.data["entry"])
    assert ran.code == 5, ran
    assert "for the line" in ran.problems[0]["message"]


def test_a_draft_has_no_exceptions(system):
    system.change("plimsoll.yaml", "evaluation.accuracy >= 95%", "evaluation.accuracy >= 96%")
    ran = signed(system)
    assert ran.code == 3, ran
    assert "DRAFT" in ran.problems[0]["message"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--until", "tomorrow"), "is no day"),
        (("--until", "2020-01-01"), "is over"),
        (("--until", "2099-01-01"), "30 days"),
    ],
    ids=["no day", "past", "too long"],
)
def test_an_end_that_makes_no_sense_is_refused(system, more, said):
    ran = signed(system, *more)
    assert ran.code == 2, ran
    assert said in ran.problems[0]["message"]


def test_what_is_no_exception_is_told(system):
    with pytest.raises(InputError, match="there is no exception"):
        _promote(system, "nowhere-1")
    neither = system.run("rollout", "promote", system.digest, "--by", "ops@example.org")
    assert neither.code == 2

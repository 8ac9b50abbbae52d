"""Accountability: what the map lacks is named, and decisions are reconstructed from the ledger alone, or not."""

from __future__ import annotations

import contextlib
import math
import random
import sqlite3

import msgspec
import pytest
from assess.a_system import HEAD, OPS, System, row

from plimsoll.assess.accountability import (
    SAMPLE,
    _built_releases,
    assess_accountability,
    draw_decisions,
    map_row,
    why_not_reconstructed,
)
from plimsoll.assess.run import About, Run
from plimsoll.guard import Guard, GuardedType, GuardSettings, PythonTarget
from plimsoll.ledger import Draft, Ledger
from plimsoll.model.board import Standing
from plimsoll.model.canonical import canonical, digest
from plimsoll.model.decision import Tier
from plimsoll.model.evidence import Evidence
from plimsoll.rollout import Release, release_digest
from plimsoll.stats import clopper_pearson_lower

PARTS = {"manifest": digest(1), "source:a.py": digest(2)}
RELEASE = release_digest(PARTS)
OTHER = "sha256:" + "d" * 64
TIERS = {"tell": "automatic", "deny": "human-only", "ask": "reviewed"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path):
    with Ledger.open(path) as opened:
        yield opened


def build(ledger, parts=PARTS, name=RELEASE):
    release = Release(
        system="parity", digest=name, parts=dict(parts), covered=(), interpreter="cpython", environment=()
    )
    return ledger.append(Draft(kind="release.built", system="parity", body=canonical(release)))


def decide(ledger, count=1, *, type_="tell", release=RELEASE, target=lambda r: r, given=None, subject=None, **more):
    kinds = {
        name: GuardedType(name=name, tier=Tier(tier), accountable=HEAD, review_below=None, next=HEAD)
        for name, tier in TIERS.items()
    }
    guard_settings = GuardSettings(system="parity", release=release, types=kinds, **more)
    target = PythonTarget(target, "t")
    with Guard(guard_settings, ledger=ledger, target=target, inputs={}, default_input=None, output=None) as guard:
        return [guard.decide(type_, {"n": n} if given is None else given, subject=subject).record for n in range(count)]


def gap(ledger, record):
    entry = ledger.get(record)
    return why_not_reconstructed(ledger, entry, _built_releases(ledger, "parity"), TIERS)


def alter(path, sql, *values):
    """As whoever can write the file could, past everything of ours."""
    with contextlib.closing(sqlite3.connect(path)) as con, con:
        assert con.execute(sql, values).rowcount


def assess(ledger, manifest, placeholders=(), sample=SAMPLE):
    about = About(system="parity", release=RELEASE, threshold="t", people="p")
    with Run(ledger, about, assessment="accountability", protocol={}) as run:
        detail = assess_accountability(
            run, ledger, manifest, placeholders=placeholders, chance=random.Random(RELEASE), sample=sample
        )
    found = [msgspec.json.decode(ledger.body(e), type=Evidence) for e in ledger.entries(kinds=("evidence",))]
    return detail, next(e for e in found if e.run == run.id)


@pytest.fixture
def system(tmp_path):
    return System(tmp_path / "s")


class TestTheMap:
    def lacks(self, system, placeholders=()):
        manifest = system.project().manifest
        return map_row("tell", manifest.decisions["tell"], manifest, placeholders).missing

    def test_a_complete_entry_lacks_nothing(self, system):
        assert self.lacks(system) == ()

    @pytest.mark.parametrize(
        ("path", "to", "said"),
        [
            (("decisions", "tell", "review_of_this_entry"), None, "no date to look at this entry again"),
            (("may", "override"), None, "who may override"),
            (("may", "retrain"), None, "who may override"),
            (("may", "decommission"), None, "who may override"),
            (("may",), None, "who may override"),
        ],
    )
    def test_each_thing_that_is_missing_is_named(self, system, path, to, said):
        system.change(*path, to=to)
        (missing,) = self.lacks(system)
        assert said in missing

    def test_what_people_review_needs_somebody_to_escalate_to(self, system):
        system.change("decisions", "tell", "tier", to="reviewed")
        system.change("review", to={"per_item": "30s", "capacity": "4h"})
        assert self.lacks(system) == ("no escalation path",)
        system.change("decisions", "tell", "escalation", to=[OPS])
        assert self.lacks(system) == ()

    @pytest.mark.parametrize("consequence", ["financial", "legal", "health", "customer"])
    def test_what_touches_people_needs_somebody_to_appeal_to(self, system, consequence):
        system.change("decisions", "tell", "tier", to="reviewed")
        system.change("decisions", "tell", "escalation", to=[OPS])
        system.change("decisions", "tell", "consequence", to=consequence)
        system.change("review", to={"per_item": "30s", "capacity": "4h"})
        assert self.lacks(system) == ("nobody to appeal to",)

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            (("accountable",), "the accountable contact is still the placeholder"),
            (("appeal",), "whom to appeal to is still the placeholder"),
        ],
    )
    def test_a_placeholder_stands_for_nobody(self, system, path, said):
        system.change("decisions", "tell", *path, to=OPS)
        assert said in self.lacks(system, placeholders=(OPS,))

    def test_nor_may_a_placeholder_step_in_or_be_escalated_to(self, system):
        system.change("decisions", "tell", "escalation", to=[OPS])
        missing = self.lacks(system, placeholders=(OPS,))
        assert "the escalation path holds a placeholder" in missing
        assert "a placeholder may override, retrain or decommission" in missing

    def test_what_init_writes_is_not_complete(self, system):
        system.change("owners", "operations", "contact", to="operations@fill-in.invalid")
        for key in ("override", "retrain"):
            system.change("may", key, to=["operations@fill-in.invalid"])
        system.change("threshold", "consulted", to=None)
        system.change("decisions", "tell", "appeal", to="appeals@fill-in.invalid")
        said = row(system.check("accountability"), "accountability.complete")
        assert said.standing is Standing.NOT_MET
        assert "whom to appeal to is still the placeholder" in said.why


class TestReconstruction:
    @pytest.mark.parametrize(
        ("type_", "target", "given"),
        [
            ("tell", lambda r: r, None),
            ("tell", lambda _: 1 / 0, None),
            ("tell", lambda _: float("nan"), None),
            ("ask", lambda r: r, None),
            ("deny", lambda r: r, None),
            ("undeclared", lambda r: r, None),
            ("tell", lambda r: r, b"\xff{"),
            ("tell", lambda r: r, b"[" * 100_000),
            ("tell", lambda r: r, {"n": float("nan")}),
            ("tell", lambda r: r, object()),
        ],
    )
    @pytest.mark.parametrize("seal", [True, False])
    def test_however_it_ended_the_ledger_tells_all(self, ledger, type_, target, given, seal):
        build(ledger)
        (record,) = decide(ledger, type_=type_, target=target, given=given, seal=seal)
        assert gap(ledger, record) == ""

    def test_a_release_that_was_never_recorded_is_named(self, ledger):
        (record,) = decide(ledger)
        assert gap(ledger, record) == f"its release {RELEASE[:19]}… was never recorded"

    def test_a_release_that_was_taken_away_is_named(self, ledger, path):
        build(ledger)
        (record,) = decide(ledger)
        alter(path, "DELETE FROM entries WHERE kind='release.built'")
        assert "was never recorded" in gap(ledger, record)

    def test_a_release_whose_parts_are_others_is_named(self, ledger):
        build(ledger, parts=PARTS | {"source:a.py": digest(3)})
        (record,) = decide(ledger)
        assert gap(ledger, record) == "the recorded parts of its release do not give its digest"

    def test_a_recorded_release_that_cannot_be_read_tells_nothing(self, ledger, path):
        build(ledger)
        (record,) = decide(ledger)
        alter(path, "UPDATE entries SET body=x'ff' WHERE kind='release.built'")
        assert "was never recorded" in gap(ledger, record)

    @pytest.mark.parametrize(
        "change",
        ["disposition='held'", "tier='reviewed'", "type='ask'", "called=0", "time_ns=time_ns+1", "system='other'"],
    )
    def test_an_altered_header_is_named(self, ledger, path, change):
        build(ledger)
        (record,) = decide(ledger)
        alter(path, f"UPDATE entries SET {change} WHERE kind='decision'")
        assert "altered after it was written" in gap(ledger, record)

    @pytest.mark.parametrize("seal", [True, False])
    def test_an_altered_body_is_named(self, ledger, path, seal):
        build(ledger)
        (record,) = decide(ledger, seal=seal)
        alter(
            path,
            "UPDATE entries SET body=CAST(substr(body,1,30)||x'ff'||substr(body,32) AS BLOB) WHERE kind='decision'",
        )
        assert "altered after it was written" in gap(ledger, record)

    def test_an_entry_that_is_gone_is_named(self, ledger, path):
        build(ledger)
        entry = ledger.get(decide(ledger)[0])
        alter(path, "DELETE FROM entries WHERE kind='decision'")
        assert why_not_reconstructed(ledger, entry, {}, TIERS) == "the entry is not found, or has no header"

    def test_a_decision_under_another_tier_than_the_release_declares_is_named(self, ledger):
        """Written so from the start, by a guard that was told otherwise: no hash can tell."""
        build(ledger)
        (record,) = decide(ledger, type_="ask")
        found = why_not_reconstructed(
            ledger, ledger.get(record), _built_releases(ledger, "parity"), TIERS | {"ask": "human-only"}
        )
        assert found == "it was taken as reviewed, which the release does not declare 'ask' to be"

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b'{"release": "R", "disposition": "answered"}', "what was asked is not in the record"),
            (b'{"release": "R", "disposition": "held", "input": 1}', "header and record disagree on how it ended"),
            (b'{"release": "R", "disposition": "answered", "input": 1}', "the answer is not in the record"),
            (b'{"release": "R", "disposition": "answered", "input": 1, "output": 2}', "nobody stands for it"),
            (b'{"release": "R"}', "its record cannot be read"),
            (b"{", "its record cannot be read"),
        ],
    )
    def test_a_record_that_says_too_little_is_named(self, ledger, body, said):
        from plimsoll.ledger import Header  # noqa: PLC0415 - beside the one place that writes by hand

        build(ledger)
        header = Header(type="tell", tier="automatic", called=True, disposition="answered")
        body = body.replace(b'"R"', f'"{RELEASE}"'.encode())
        record = ledger.append(Draft(kind="decision", system="parity", body=body, header=header))
        assert said in gap(ledger, record)

    def test_an_erased_decision_is_not_drawn(self, ledger):
        build(ledger)
        decide(ledger, 3, subject="claim-1")
        kept = decide(ledger, 2, subject="claim-2")
        ledger.erase("claim-1", by=HEAD, reason="asked for")
        drawn = draw_decisions(ledger, "parity", RELEASE, random.Random(0), 10)
        assert [e.id for e in drawn.entries] == kept
        assert drawn.population == 2


class TestTheSample:
    def test_without_a_decision_nothing_is_proved(self, ledger, system):
        build(ledger)
        _, evidence = assess(ledger, system.project().manifest)
        assert (evidence.sample.count, evidence.sample.total) == (1, 2)
        assert "no decision of this release is recorded yet" in evidence.sample.missing[0]

    def test_decisions_of_another_release_or_system_prove_nothing(self, ledger, system):
        build(ledger)
        decide(ledger, 5, release=OTHER)
        _, evidence = assess(ledger, system.project().manifest)
        assert evidence.sample.count < evidence.sample.total

    def test_the_same_ledger_gives_the_same_sample(self, ledger):
        decide(ledger, 60)
        draws = {
            tuple(e.id for e in draw_decisions(ledger, "parity", RELEASE, random.Random(RELEASE), 20).sample)
            for _ in range(3)
        }
        assert len(draws) == 1
        assert len(next(iter(draws))) == 20

    def test_every_decision_is_equally_likely(self, ledger):
        ids = decide(ledger, 30)
        counts = dict.fromkeys(ids, 0)
        for seed in range(400):
            for entry in draw_decisions(ledger, "parity", RELEASE, random.Random(seed), 10).sample:
                counts[entry.id] += 1
        # 400 draws of 10 in 30: 133 expected each, standard deviation 9.4; five of them either way
        assert all(133 - 47 < count < 133 + 47 for count in counts.values()), counts

    def test_what_failed_once_is_looked_at_again_however_many_decisions_come_after(self, ledger, path, system):
        """Otherwise a sample that fails could be drawn again, among more decisions, until it passes."""
        manifest = system.project().manifest
        build(ledger)
        (bad,) = decide(ledger, seal=False)
        alter(path, "UPDATE entries SET disposition='held' WHERE kind='decision'")
        _, evidence = assess(ledger, manifest, sample=5)
        assert bad in evidence.sample.missing[0]
        decide(ledger, 300, seal=False)
        drawn = draw_decisions(ledger, "parity", RELEASE, random.Random(RELEASE), 5)
        assert bad not in {e.id for e in drawn.entries}, "by chance alone it would have gone"
        detail, evidence = assess(ledger, manifest, sample=5)
        assert (detail.sampled, detail.reconstructed, detail.named, detail.decisions) == (6, 5, 1, 301)
        assert "5 of 300 decisions" in detail.looked_at
        assert "and 1 that an earlier run could not reconstruct" in detail.looked_at
        assert bad in evidence.sample.missing[0]

    def test_an_altered_record_is_not_passed_over(self, ledger, path, system):
        """Whatever cannot be opened any more could be of this release: it counts as not reconstructed."""
        build(ledger)
        decide(ledger, 3, seal=True)
        alter(path, "UPDATE entries SET body=zeroblob(200) WHERE kind='decision'")
        detail, _ = assess(ledger, system.project().manifest)
        assert (detail.sampled, detail.reconstructed) == (3, 0)
        assert all("altered after it was written" in f for f in detail.findings)


class TestWhatWasLookedAt:
    """A sample among the cases must not hide behind the word census."""

    @pytest.fixture
    def manifest(self, system):
        return system.project().manifest

    def test_all_decisions_where_there_are_few(self, ledger, manifest):
        build(ledger)
        decide(ledger, 3)
        detail, evidence = assess(ledger, manifest)
        assert evidence.sample.looked_at == "the one decision type of the map, and all 3 decisions of this release"
        assert (detail.decisions, detail.sampled, detail.lower) == (3, 3, None)

    def test_how_many_of_how_many_and_the_bound_for_all_where_there_are_more(self, ledger, manifest):
        build(ledger)
        decide(ledger, 60)
        detail, evidence = assess(ledger, manifest, sample=20)
        assert evidence.sample.looked_at == (
            "the one decision type of the map, and 20 of 60 decisions of this release, drawn uniformly at random; with 95% "
            "confidence at least 86.0% of those 60 can be reconstructed"
        )
        assert detail.lower == pytest.approx(0.05 ** (1 / 20))
        assert evidence.finding.endswith(f"Looked at: {evidence.sample.looked_at}.")

    def test_no_decision_where_there_is_none(self, ledger, manifest):
        detail, evidence = assess(ledger, manifest)
        assert evidence.sample.looked_at.endswith("and no decision, since none of this release is recorded")
        assert detail.lower is None

    def test_the_board_says_it_and_not_that_every_case_was(self, system):
        said = row(system.check("evaluation", "accountability"), "accountability.complete")
        assert said.standing is Standing.MET
        assert said.counts == "101 looked at"
        assert said.why == "Looked at: the one decision type of the map, and all 100 decisions of this release."

    @pytest.mark.parametrize(("population", "n"), [(30, 10), (60, 20), (201, 200), (40, 1)])
    def test_the_bound_holds_for_a_draw_without_replacement(self, population, n):
        """By exact enumeration: however many cannot be reconstructed, in at most 5% of draws is the bound above the truth."""
        for good in range(population + 1):
            wrong = sum(
                math.comb(good, k) * math.comb(population - good, n - k)
                for k in range(n + 1)
                if clopper_pearson_lower(k, n, 0.95) > good / population
            )
            assert wrong / math.comb(population, n) <= 0.05, good


def test_end_to_end_a_release_taken_from_the_record_is_named_on_the_board(system):
    assert row(system.check("evaluation", "accountability"), "accountability.complete").standing is Standing.MET
    alter(system.ledger, "DELETE FROM entries WHERE kind='release.built'")
    project = system.project()
    with project.open_ledger() as ledger:
        releases = _built_releases(ledger, "parity")
        assert not releases
        drawn = draw_decisions(ledger, "parity", project.release.digest, random.Random(0), 5)
        assert {why_not_reconstructed(ledger, e, releases, TIERS)[:11] for e in drawn.entries} == {"its release"}

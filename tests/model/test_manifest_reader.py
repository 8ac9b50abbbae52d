from __future__ import annotations

import re

import pytest

from plimsoll.errors import InvalidFile, Problem
from plimsoll.model.decision import Tier
from plimsoll.model.manifest import Classification, Consequence, FallbackWord, Manifest
from plimsoll.model.manifest_reader import PLANNED, read_manifest, read_manifest_bytes
from plimsoll.model.quantity import Quantity

# Line and column, code, and what to do. The order is that of the file.
THIRTY_FAULTS = [
    (1, 11, "manifest.wrong-type", "write 1"),
    (2, 9, "manifest.name", "write claims-reader"),
    (3, 10, "manifest.unanswered", "name who or what it is now; what nobody has decided cannot go live"),
    (4, 1, "manifest.unknown-key", "did you mean 'owners'?"),
    (7, 22, "manifest.unanswered", "name who or what it is now; what nobody has decided cannot go live"),
    (7, 65, "manifest.wrong-type", "write [builder-1@example.org]"),
    (8, 50, "manifest.unanswered", "name who or what it is now; what nobody has decided cannot go live"),
    (9, 56, "manifest.contact", "write coo@example.org alone"),
    (10, 15, "manifest.unknown-contact", "did you mean 'head-of-claims@example.org'?"),
    (11, 7, "manifest.unknown-key", "did you mean 'override'?"),
    (11, 68, "manifest.repeated", "remove one"),
    (13, 11, "manifest.callable", "did you mean 'claims_reader.model:predict'?"),
    (14, 13, "manifest.quantity", "write a duration in ms s min h day days, such as 300ms"),
    (15, 16, "manifest.range", "write at least 1"),
    (16, 3, "manifest.missing-key", "add 'on': the kinds of failure after which it is asked again"),
    (17, 14, "manifest.word", "write {constant: …}, with what it is"),
    (17, 24, "manifest.word", "did you mean 'hold'?"),
    (19, 3, "manifest.name", "write read-amount"),
    (21, 5, "manifest.review-below", "remove it, or write tier: reviewed"),
    (21, 19, "manifest.range", "write at most 100%"),
    (22, 18, "manifest.automatic", "write tier: reviewed, or human-only"),
    (23, 18, "manifest.wrong-type", "write true"),
    (26, 13, "manifest.unanswered", "name who or what it is now; what nobody has decided cannot go live"),
    (27, 27, "manifest.quantity", "write a duration in ms s min h day days, such as 90 days"),
    (28, 5, "manifest.unknown-key", "it belongs under target"),
    (29, 3, "manifest.missing-key", "add 'tier': automatic or reviewed or human-only"),
    (29, 29, "manifest.word", "did you mean 'legal'?"),
    (29, 50, "manifest.unknown-contact", "name them under owners first, as a contact or a member"),
    (31, 19, "manifest.word", "write one of these"),
    (32, 11, "manifest.wrong-type", "write [contracts/scan.odcs.yaml]"),
    (33, 14, "manifest.quantity", "write a rate in /s /day, such as 50/s"),
    (33, 28, "manifest.quantity", "did you mean '/day'?"),
    (34, 35, "manifest.quantity", "write a duration in ms s min h day days, such as 300ms"),
    (36, 10, "manifest.empty", "write JSON Lines with known answers, or remove the key"),
    (37, 13, "manifest.word", "did you mean 'batched'?"),
    (40, 15, "manifest.range", "write below 100%"),
    (41, 3, "manifest.dimension", "add a condition, such as organisation.accepted = 100%"),
    (41, 3, "manifest.dimension", "add a condition, such as accountability.complete = 100%"),
    (42, 7, "manifest.condition", "did you mean 'stability.load'?"),
    (43, 7, "manifest.condition", "write a duration, such as 300ms"),
    (44, 7, "manifest.condition", "write stability.error_rate <= 0.5%"),
    (45, 7, "manifest.condition", "write evaluation.accuracy >= 95%"),
    (46, 7, "manifest.condition-limit", "write evaluation.answered_share >= 99.9%, or what can be borne"),
    (48, 7, "manifest.condition-repeated", "keep the stricter one: contracts.valid_rate >= 97%"),
    (49, 7, "manifest.condition", "did you mean '='?"),
    (50, 7, "manifest.unanswered", "name who or what it is now; what nobody has decided cannot go live"),
]


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(InvalidFile) as caught:
        read_manifest(text, "plimsoll.yaml")
    return list(caught.value.problems)


def the_problem(text: str) -> Problem:
    (problem,) = problems_of(text)
    return problem


def at(problem: Problem) -> tuple[int, int]:
    assert problem.where is not None
    return problem.where.line, problem.where.column


def without(text: str, start: str) -> str:
    """The text without the lines that begin with this."""
    return "\n".join(line for line in text.split("\n") if not line.strip().startswith(start))


def test_the_design_pages_example_loads_with_all_it_declares(example: str) -> None:
    manifest = read_manifest(example, "plimsoll.yaml")
    assert manifest.system == "claims-reader"
    assert manifest.owners.technical.members == ("builder-1@example.org", "builder-2@example.org")
    assert manifest.target.deadline == Quantity(300, "ms")
    assert manifest.target.fallback == (FallbackWord.HOLD,)
    amount, deny = manifest.decisions["read-amount"], manifest.decisions["deny-claim"]
    assert (amount.tier, amount.consequence, amount.recoverable) == (Tier.REVIEWED, Consequence.FINANCIAL, True)
    assert amount.review_of_this_entry == Quantity(90, "days")
    assert (deny.tier, deny.recoverable, deny.escalation) == (Tier.HUMAN_ONLY, False, ())
    assert manifest.data.classification is Classification.PERSONAL
    assert manifest.load.expected == Quantity(3000, "/day")
    assert len(manifest.threshold.conditions) == 13
    assert manifest.threshold.missing_dimensions == ()
    assert read_manifest_bytes(example.encode(), "plimsoll.yaml") == manifest


def test_thirty_faults_and_more_are_all_named_in_one_pass(thirty_faults: str) -> None:
    found = problems_of(thirty_faults)
    assert [(*at(p), p.code, p.fix) for p in found] == THIRTY_FAULTS
    assert all(p.message for p in found)


def test_a_later_format_is_said_to_be_one_and_nothing_else_is_judged() -> None:
    problem = the_problem("plimsoll: 2\nsomething: new\n")
    assert problem.code == "manifest.version"
    assert "version 2" in problem.message
    assert "upgrade" in problem.fix


@pytest.mark.parametrize("text", ["- a\n- b\n", "just a sentence\n", "42\n"])
def test_a_file_that_is_no_group_of_keys_says_which_keys_it_needs(text: str) -> None:
    problem = the_problem(text)
    assert problem.code == "manifest.wrong-type"
    assert "owners" in problem.message


@pytest.mark.parametrize("role", ["business", "technical", "operations", "leader", "single"])
def test_nobody_who_stands_for_the_system_may_be_missing(example: str, role: str) -> None:
    found = problems_of(without(example, f"{role}:"))
    missing = next(p for p in found if p.code == "manifest.missing-key")
    assert at(missing) == (4, 1)
    assert f"'owners' has no '{role}'" in missing.message


@pytest.mark.parametrize("key", ["tier: ", "accountable: "])
def test_a_decision_type_needs_its_tier_and_its_accountable_contact(example: str, key: str) -> None:
    problem = the_problem(without(example, key))
    assert problem.code == "manifest.missing-key"
    assert at(problem) == (17, 3)
    assert key.strip(" :") in problem.message


@pytest.mark.parametrize(
    "nothing",
    ["TBD", "tbd", "later", "n/a", "todo", '"?"', '"-"', "xxx", "to be defined", '" "', '""', "TBC, ask Ann", "<name>"],
)
@pytest.mark.parametrize(
    "answer",
    [
        "name: Head of Claims",
        "contact: head-of-claims@example.org",
        "single:     head-of-claims@example.org",
        "appeal: claims-appeals@example.org",
        "deadline: 300ms",
        "peak: 50/s",
        "set_by: chief-operating-officer@example.org",
        "- stability.load >= 3x",
        "purpose: Read the handwritten amount on scanned claim forms into the claims ledger.",
        "review_of_this_entry: every 90 days",
        "per_item: 20s",
    ],
)
def test_putting_an_answer_off_is_no_answer(example: str, answer: str, nothing: str) -> None:
    value = re.search(r"(?::\s+|- )(\S.*)", answer)
    assert value is not None
    before = example[: example.index(answer)]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n") + value.start(1)
    found = problems_of(example.replace(answer, answer[: value.start(1)] + nothing, 1))
    here = [p for p in found if at(p) == (line, column)]
    assert {p.code for p in here} <= {"manifest.unanswered", "manifest.empty", "manifest.condition"}
    assert here


def test_a_null_is_an_empty_answer_and_says_what_to_write(example: str) -> None:
    problem = the_problem(example.replace("deadline: 300ms", "deadline:"))
    assert problem.code == "manifest.empty"
    assert "what the caller waits" in problem.fix
    assert "remove the key" in problem.fix


@pytest.mark.parametrize(
    "contact",
    [
        "+49 30 1234567",
        "#claims-ops",
        "@claims-team",
        "https://chat.example.org/claims",
        "Room 4.12",
        "a+b@example.org",
    ],
)
def test_whatever_reaches_somebody_is_a_contact(example: str, contact: str) -> None:
    manifest = read_manifest(example.replace("appeal: claims-appeals@example.org", f'appeal: "{contact}"'), "f")
    assert manifest.decisions["read-amount"].appeal == contact


@pytest.mark.parametrize("contact", ["a@b@c", "ops@", "a @b.org", "a@b.org, c@d.org", "Ann <ann@example.org>"])
def test_an_address_that_is_none_is_refused(example: str, contact: str) -> None:
    problem = the_problem(example.replace("appeal: claims-appeals@example.org", f'appeal: "{contact}"'))
    assert problem.code == "manifest.contact"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("single:     head-of-claims@", "single:     head-of-claim@"),
        ("override: [claims-ops@", "override: [claim-ops@"),
        ("accountable: head-of-claims@", "accountable: haed-of-claims@"),
        ("escalation: [claims-ops@", "escalation: [claims-op@"),
        ("consulted: [doc-ai@", "consulted: [doc-a@"),
        ("set_by: chief-operating-officer@", "set_by: chief-operating-oficer@"),
    ],
)
def test_a_name_that_leads_nowhere_names_the_nearest_contact(example: str, old: str, new: str) -> None:
    found = problems_of(example.replace(old, new, 1))
    assert [p.code for p in found] == ["manifest.unknown-contact"]
    assert old.rsplit(maxsplit=1)[-1].strip("[") in found[0].fix


def test_a_demonstrations_persons_stand_under_owners(example: str) -> None:
    manifest = read_manifest(
        example + "demonstration: {persons: [operator-1@example.org], resent: resent.jsonl}\n", "f"
    )
    assert manifest.demonstration is not None
    assert manifest.demonstration.resent == "resent.jsonl"
    problem = the_problem(example + "demonstration: {persons: [actor@example.org]}\n")
    assert problem.code == "manifest.unknown-contact"
    assert the_problem(example + "demonstration: {persons: []}\n").code == "manifest.empty"


def test_an_appeal_may_go_to_an_address_of_its_own(example: str) -> None:
    assert read_manifest(example, "f").decisions["read-amount"].appeal == "claims-appeals@example.org"


@pytest.mark.parametrize(("group", "key"), sorted(PLANNED))
def test_a_planned_key_is_said_to_be_planned_and_no_word_is_guessed(example: str, group: str, key: str) -> None:
    places = {
        "Target": ("  deadline:", "  "),
        "DecisionType": ("    tier: reviewed", "    "),
        "Manifest": ("load:", ""),
    }
    before, indent = places[group]
    problem = the_problem(example.replace(before, f"{indent}{key}: {{a: 1}}\n{before}", 1))
    assert problem.code == "manifest.planned"
    assert "planned, not in this version" in problem.message
    assert "did you mean" not in problem.fix


@pytest.mark.parametrize("kind", ["http: https://example.org", "openai: gpt", "onnx: model.onnx"])
def test_a_kind_of_target_without_its_keys_is_one_fault(example: str, kind: str) -> None:
    problem = the_problem(example.replace("python: claims_reader.model:predict", kind))
    assert problem.code == "manifest.wrong-type"
    assert problem.fix.startswith("write the keys below it, such as ")


def test_planned_words_are_said_to_be_planned(example: str) -> None:
    assert the_problem(example.replace("review_below: 90%", "review_below: calibrated")).code == "manifest.planned"


def test_a_misspelt_required_key_is_one_fault(example: str) -> None:
    problem = the_problem(example.replace("purpose:", "purpse:"))
    assert (problem.code, problem.fix) == ("manifest.unknown-key", "did you mean 'purpose'?")


def test_a_key_in_the_wrong_group_is_sent_to_its_own(example: str) -> None:
    problem = the_problem(example + "deadline: 1s\n")
    assert problem.fix == "it belongs under target"
    problem = the_problem(example.replace("  deadline: 300ms", "  durability: batched"))
    assert "left margin" in problem.fix


@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [
        ("availability: 99.5%", "availability: 0.995", "write 99.5%"),
        ("availability: 99.5%", "availability: 5s", "write a ratio in %, such as 95%"),
        ("deadline: 300ms", "deadline: 300 msec", "did you mean 'ms'?"),
        ("deadline: 300ms", "deadline: 0s", "write above 0 ms"),
        ("deadline: 300ms", "deadline: -1s", "write above 0 ms"),
        ("deadline: 300ms", "deadline: every 3s", "write a duration in ms s min h day days, such as 300ms"),
        ("cooling_off: 7 days", "cooling_off: 1 week", "write a duration in ms s min h day days, such as 300ms"),
        ("concurrency: 16", 'concurrency: "16"', "write 16"),
        ("concurrency: 16", "concurrency: 16.0", "write 16"),
        ("concurrency: 16", "concurrency: true", "write a whole number"),
        ("concurrency: 16", "concurrency: 2000", "write at most 1024"),
        ("recoverable: true", "recoverable: on", "write true"),
        ("recoverable: true", "recoverable: maybe", "write true or false"),
        ("system: claims-reader", "system: 42", "put it in quotes"),
        ("system: claims-reader", "system: claims_reader", "write claims-reader"),
        (
            "python: claims_reader.model:predict",
            "python: claims_reader.predict",
            "did you mean 'claims_reader:predict'?",
        ),
        ("python: claims_reader.model:predict", "python: 1x:predict", "write package.module:callable"),
        ("purpose: Read", "purpose: [Read", None),
        ("fallback: [hold]", "fallback: hold", "write [hold]"),
        ("plimsoll: 1", "plimsoll: 0", "write at least 1"),
        ("inputs:  [contracts/scan.odcs.yaml]", 'inputs:  [" "]', "write what is asked for"),
    ],
)
def test_a_wrong_value_says_what_to_write(example: str, old: str, new: str, fix: str | None) -> None:
    assert old in example
    found = problems_of(example.replace(old, new, 1))
    assert fix is None or [p.fix for p in found] == [fix]


def test_a_message_never_carries_a_terminals_control_characters(example: str) -> None:
    problem = the_problem(example.replace("appeal: claims-appeals@example.org", 'appeal: "ann\\e[2J@ example.org"'))
    assert "\x1b" not in str(problem)


def test_values_are_read_without_the_blanks_around_them(example: str) -> None:
    manifest = read_manifest(example.replace("name: Head of Claims,", 'name: "  Head of Claims ",'), "f")
    assert manifest == read_manifest(example, "f")


def test_yaml_problems_come_before_any_other(example: str) -> None:
    problem = the_problem(example + "system: again\n")
    assert problem.code == "yaml.duplicate-key"


def test_the_digests_tell_people_from_the_release_and_the_threshold(example: str) -> None:
    """Mending an e-mail address voids no evidence; a condition changes the threshold alone."""

    def read(old: str, new: str) -> Manifest:
        assert old in example
        return read_manifest(example.replace(old, new), "f")

    def parts(manifest: Manifest) -> tuple[str, str, object]:
        return manifest.people_digest, manifest.threshold.digest, manifest.release_part

    people, threshold, release = parts(read_manifest(example, "f"))
    assert parts(read("doc-ai@example.org", "document-ai@example.org"))[1:] == (threshold, release)
    assert parts(read("doc-ai@example.org", "document-ai@example.org"))[0] != people
    assert parts(read("claims-appeals@example.org", "appeals@example.org"))[0] != people
    tighter = parts(read("stability.load >= 3x", "stability.load >= 4x"))
    assert tighter[1] != threshold
    assert (tighter[0], tighter[2]) == (people, release)
    assert parts(read("cooling_off: 7 days", "cooling_off: 8 days"))[1] != threshold
    longer = parts(read("cooling_off: 7 days", "cooling_off: 7 days\n  load_window: 6 s"))
    assert longer[1] != threshold
    assert (longer[0], longer[2]) == (people, release)
    said = parts(read("cooling_off: 7 days", "cooling_off: 7 days\n  load_window: 5s"))
    assert said == (people, threshold, release)  # what it is when nothing is said
    slower = parts(read("deadline: 300ms", "deadline: 400ms"))
    assert slower[2] != release
    assert slower[:2] == (people, threshold)
    assert parts(read("review_below: 90%", "review_below: 91%"))[2] != release
    assert parts(read("recoverable: true", "recoverable: false"))[2] != release
    reordered = parts(
        read("[doc-ai@example.org, claims-ops@example.org]", "[claims-ops@example.org, doc-ai@example.org]")
    )
    assert reordered == (people, threshold, release)
    first, second = "- stability.load >= 3x", "- contracts.lost_records = 0"
    swapped = example.replace(first, "- FIRST").replace(second, first).replace("- FIRST", second)
    assert read_manifest(swapped, "f").threshold.digest == threshold


def test_how_a_manifest_is_laid_out_changes_no_digest(example: str) -> None:
    spaced = example.replace("deadline: 300ms", "deadline:   '300 ms'   # as promised").replace("99.5%", "99.50 %")
    one, two = read_manifest(example, "f"), read_manifest(spaced, "g")
    assert one == two
    assert one.people_digest == two.people_digest

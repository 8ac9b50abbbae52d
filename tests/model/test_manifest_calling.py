"""How a manifest says that its target is called: retry, breaker, concurrency, queue, fallback."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from plimsoll.errors import InvalidFile, Problem
from plimsoll.guard.target import FAULTS
from plimsoll.model.canonical import canonical
from plimsoll.model.manifest import Breaker, FailureKind, FallbackGroup, FallbackWord, Retry, Target
from plimsoll.model.manifest_reader import read_manifest
from plimsoll.model.manifest_schema import manifest_schema
from plimsoll.model.quantity import Quantity
from plimsoll.model.share_of import ShareOf
from plimsoll.model.yaml_source import load

SCHEMA = jsonschema_rs.Draft7Validator(manifest_schema())
IN_PLACE_OF = "  concurrency: 16\n  fallback: [hold]\n"  # in the example; line 14


def target(example: str, text: str) -> str:
    """The example, with these lines in place of its own under ``target``."""
    assert IN_PLACE_OF in example
    return example.replace(IN_PLACE_OF, text)


def read(example: str, text: str) -> Target:
    whole = target(example, text)
    assert list(SCHEMA.iter_errors(load(whole, "f").data)) == []
    return read_manifest(whole, "f").target


def problems(example: str, text: str) -> list[Problem]:
    with pytest.raises(InvalidFile) as caught:
        read_manifest(target(example, text), "f")
    return list(caught.value.problems)


def test_all_of_it_is_read(example: str) -> None:
    found = read(
        example,
        """\
  idempotent: true
  retry: {attempts: 3, on: [timeout, unavailable], budget: 5%}
  breaker: {open_after: 30% of 10, half_open_after: 500ms}
  concurrency: 4
  queue: 0
  fallback:
    - previous-release
    - {target: {python: other.model:predict, artifacts: [other.bin], concurrency: 2, breaker: {}}}
    - {constant: {label: unknown, parts: [1, 2.5, null, true]}}
    - hold
""",
    )
    assert found.retry == Retry(
        attempts=3,
        on=(FailureKind.TIMEOUT, FailureKind.UNAVAILABLE),
        budget=Quantity(5, "%"),
    )
    assert found.breaker == Breaker(open_after=ShareOf(Quantity(30, "%"), 10), half_open_after=Quantity(500, "ms"))
    assert (found.concurrency, found.queue) == (4, 0)
    other = Target(python="other.model:predict", artifacts=("other.bin",), concurrency=2, breaker=Breaker())
    assert found.fallback == (
        FallbackWord.PREVIOUS_RELEASE,
        FallbackGroup(target=other),
        FallbackGroup(constant={"label": "unknown", "parts": [1, 2.5, None, True]}),
        FallbackWord.HOLD,
    )
    assert found.standbys == (other,)


def test_the_example_of_the_page_is_read(example: str) -> None:
    page = (Path(__file__).parents[2] / "docs/reference/manifest.md").read_text(encoding="utf-8")
    shown = page.partition("## How a target is called\n\n```text\n")[2].partition("```")[0]
    begins, ends = example.index("target:\n"), example.index("decisions:\n")
    found = read_manifest(example[:begins] + shown + example[ends:], "f").target
    assert (len(found.fallback), found.queue, found.retry is None) == (4, 64, False)


def test_left_out_a_target_is_asked_once_and_whatever_it_does(example: str) -> None:
    found = read(example, "")
    assert (found.retry, found.breaker, found.concurrency, found.queue, found.fallback) == (None, None, 16, None, ())


def test_the_defaults_are_those_of_the_page(example: str) -> None:
    found = read(example, "  breaker: {}\n  retry: {attempts: 2, on: [unavailable]}\n")
    assert found.breaker is not None
    assert (str(found.breaker.open_after), str(found.breaker.half_open_after)) == ("50% of 20", "5 s")
    assert found.retry is not None
    assert (str(found.retry.budget), found.idempotent) == ("10%", False)


@pytest.mark.parametrize("value", ["0", '""', "false", "[]", "{}", "[a, {b: c}]", "1.5", "unknown"])
def test_any_value_but_none_is_a_constant(example: str, value: str) -> None:
    (step,) = read(example, f"  fallback: [{{constant: {value}}}]\n").fallback
    assert isinstance(step, FallbackGroup)
    assert step.constant is not None
    assert canonical(step)


def test_what_was_written_before_keeps_its_digest(example: str) -> None:
    """A release is what runs: naming no new key makes no new release."""
    assert msgspec.json.decode(canonical(read(example, IN_PLACE_OF))) == {
        "python": "claims_reader.model:predict",
        "deadline": {"amount": 300.0, "unit": "ms"},
        "fallback": ["hold"],
    }


def test_the_kinds_of_failure_are_those_that_targets_give() -> None:
    assert tuple(kind.value for kind in FailureKind) == FAULTS


@pytest.mark.parametrize(
    ("text", "line", "code", "fix"),
    [
        ("  retry: {attempts: 2}\n", 14, "manifest.missing-key", "add 'on': the kinds of failure after which it is asked again"),
        ("  retry: {attempts: 1, on: [unavailable]}\n", 14, "manifest.range", "write at least 2"),
        ("  retry: {attempts: 11, on: [unavailable]}\n", 14, "manifest.range", "write at most 10"),
        ("  retry: {attempts: 2, on: []}\n", 14, "manifest.empty", "write the kinds of failure after which it is asked again"),
        ("  retry: {attempts: 2, on: [timout]}\n", 14, "manifest.word", "did you mean 'timeout'?"),
        ("  retry: {attempts: 2, on: unavailable}\n", 14, "manifest.wrong-type", "write [unavailable]"),
        ("  retry: {attempts: 2, on: [unavailable, error]}\n", 14, "manifest.retry", "write idempotent: true beside retry where that is so, or remove error"),
        ("  idempotent: false\n  retry: {attempts: 2, on: [crash]}\n", 15, "manifest.retry", "write idempotent: true beside retry where that is so, or remove crash"),
        ("  retry: {attempts: 2, on: [unavailable], budget: 200%}\n", 14, "manifest.range", "write at most 100%"),
        ("  retry: {attempts: 2, on: [unavailable], idempotent: true}\n", 14, "manifest.unknown-key", "write it beside retry, under the target: `target.idempotent` is for retries and connections"),
        ("  retry: 3\n", 14, "manifest.wrong-type", "write the keys below it, such as attempts: …"),
        ("  breaker: {open_after: 50%}\n", 14, "manifest.quantity", "write it as 50% of 20"),
        ("  breaker: {open_after: 50}\n", 14, "manifest.wrong-type", "write it as 50% of 20"),
        ("  breaker: {open_after: 0% of 20}\n", 14, "manifest.quantity", "write above 0%, at most 100%"),
        ("  breaker: {open_after: 101% of 20}\n", 14, "manifest.quantity", "write above 0%, at most 100%"),
        ("  breaker: {open_after: 1e999% of 20}\n", 14, "manifest.quantity", "write it as 50% of 20"),
        ("  breaker: {open_after: 50% of 0}\n", 14, "manifest.quantity", "write from 1 to 1000"),
        ("  breaker: {open_after: 50% of 5000}\n", 14, "manifest.quantity", "write from 1 to 1000"),
        ("  breaker: {open_after: 50% of ٣}\n", 14, "manifest.quantity", "write it as 50% of 20"),
        ("  breaker: {open_after: TBD}\n", 14, "manifest.unanswered", "name who or what it is now; what nobody has decided cannot go live"),
        ("  breaker: {half_open_after: 0s}\n", 14, "manifest.range", "write above 0 ms"),
        ("  breaker: {opens_after: 50% of 20}\n", 14, "manifest.unknown-key", "did you mean 'open_after'?"),
        ("  queue: -1\n", 14, "manifest.range", "write at least 0"),
        ("  queue: 70000\n", 14, "manifest.range", "write at most 65536"),
        ("  fallback: [constant]\n", 14, "manifest.word", "write {constant: …}, with what it is"),
        ("  fallback: [target]\n", 14, "manifest.word", "write {target: …}, with what it is"),
        ("  fallback: [previous-relase]\n", 14, "manifest.word", "did you mean 'previous-release'?"),
        ("  fallback: [7]\n", 14, "manifest.wrong-type", None),
        ("  fallback: [{}]\n", 14, "manifest.fallback", "write {target: …} or {constant: …}, each as a step of its own"),
        ("  fallback: [{constant: 1, target: {python: 'a:b'}}]\n", 14, "manifest.fallback", "write {target: …} or {constant: …}, each as a step of its own"),
        ("  fallback: [{constant: }]\n", 14, "manifest.empty", None),
        ("  fallback: [{constants: 1}]\n", 14, "manifest.unknown-key", "did you mean 'constant'?"),
        ("  fallback: [{target: {pyton: 'a:b'}}]\n", 14, "manifest.unknown-key", "did you mean 'python'?"),
        ("  fallback: [hold, hold]\n", 14, "manifest.repeated", None),
        ("  fallback: [hold, previous-release]\n", 14, "manifest.fallback", "move 'hold' behind it, or remove one of the two"),
        ("  fallback: [{constant: 1}, previous-release, hold]\n", 14, "manifest.fallback", "move 'constant' behind it, or remove one of the two"),
        ("  fallback: [{constant: 1}, {constant: 2}]\n", 14, "manifest.fallback", "move 'constant' behind it, or remove one of the two"),
        ("  fallback: [{target: {python: 'a:b', deadline: 1s}}]\n", 14, "manifest.fallback", "remove it; 'target.deadline' is the one that counts"),
        ("  fallback: [{target: {python: 'a:b', fallback: [hold]}}]\n", 14, "manifest.fallback", "remove it; 'target.fallback' is the one that counts"),
        ("  fallback: [{target: {python: 'a:b', retry: {attempts: 2, on: [invalid]}}}]\n", 14, "manifest.retry", "write idempotent: true beside retry where that is so, or remove invalid"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_what_to_write(
    example: str, text: str, line: int, code: str, fix: str | None
) -> None:
    problem = problems(example, text)[0]
    assert problem.where is not None
    assert (problem.where.line, problem.code) == (line, code)
    assert fix is None or problem.fix == fix
    assert len(problems(example, text)) <= 2


def test_a_constant_may_stand_before_people(example: str) -> None:
    assert len(read(example, "  fallback: [{constant: 1}, hold]\n").fallback) == 2


@pytest.mark.parametrize(("text", "written"), [("50% of 20", "50% of 20"), (" 7.5 %  of 100 ", "7.5% of 100")])
def test_a_share_of_a_number_is_read_and_written(text: str, written: str) -> None:
    assert str(ShareOf.parse(text)) == written
    assert ShareOf.parse(str(ShareOf.parse(text))) == ShareOf.parse(text)


@pytest.mark.parametrize("step", ["[hold]", "[[hold]]", "7", "~"])
def test_a_fallback_step_that_is_neither_a_word_nor_keys_is_said_and_not_fallen_over(example, step):
    [problem] = problems(example, f"  fallback: [{step}]\n")
    assert problem.code.startswith("manifest.")
    assert "target.fallback" in problem.message

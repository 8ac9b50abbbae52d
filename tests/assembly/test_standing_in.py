"""What stands in for sources, put together from a manifest: refused when it could not stand in."""

from __future__ import annotations

import pytest
from assess.a_system import CONTRACT, System

from plimsoll import Disposition, Guard, Unavailable
from plimsoll.errors import InvalidFile

FALLBACK = "customProperties:\n  - property: plimsollFallback\n    value: {{owner: ops@example.org, {}}}\n"


@pytest.fixture
def system(tmp_path):
    return System(tmp_path / "parity")


def declare(system, steps):
    system.write("numbers.odcs.yaml", CONTRACT + FALLBACK.format(steps))
    system.project()
    return system.folder / "plimsoll.yaml"


def test_what_a_contract_declares_stands_in_for_its_source(system):
    with Guard.open(declare(system, "onUnavailable: {use: default, value: {number: 3}}")) as guard:
        answer = guard.decide("tell", Unavailable("refused"), source="counter")
    assert (answer.disposition, answer.output) == (Disposition.ANSWERED, {"parity": "odd"})


@pytest.mark.parametrize(
    ("steps", "said", "fix"),
    [
        ("onStale: {use: default, value: {number: few}}", "the default value breaks the contract: '/number'", "mend"),
        ("onMalformed: {use: otherSource, source: countre}", "has a source 'countre'", "there is no other"),
    ],
)
def test_what_could_not_stand_in_is_refused_with_its_line_before_it_is_needed(system, steps, said, fix):
    with pytest.raises(InvalidFile) as caught, Guard.open(declare(system, steps)):
        pass
    [problem] = caught.value.problems
    assert said in problem.message
    assert fix in problem.fix
    assert str(problem.where).endswith("numbers.odcs.yaml:16:1")


@pytest.mark.parametrize(
    ("over", "classification", "said"),
    [("countre", "", "has a source 'countre'"), ("other", ", classification: restricted", "'size' is not classified")],
)
def test_a_precedence_that_could_not_be_kept_is_refused_with_its_line(system, over, classification, said):
    field = "      - {name: size, logicalType: integer%s}\n"
    declared = (
        "customProperties:\n  - property: plimsollPrecedence\n"
        "    value: {key: [number], fields: [size], within: 1 h, over: [%s]}\n"
    )
    system.write("numbers.odcs.yaml", CONTRACT + field % "" + declared % over)
    system.write("other.odcs.yaml", CONTRACT.replace("counter", "other") + field % classification)
    system.change("data", "inputs", to=["numbers.odcs.yaml", "other.odcs.yaml"])
    system.project()
    with pytest.raises(InvalidFile) as caught, Guard.open(system.folder):
        pass
    assert said in str(caught.value)
    assert "numbers.odcs.yaml:17:1" in str(caught.value)

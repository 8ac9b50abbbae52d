"""The governance page as part of a system: its release, its board, and what happens when it cannot be read."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from assess.a_system import System

from plimsoll.assembly.governing import open_governance
from plimsoll.assembly.project import Project
from plimsoll.errors import InputError, InvalidFile
from plimsoll.model.egress import EgressVerdict

PAGE = (Path(__file__).parent.parent / "model" / "governance_example.yaml").read_text()


@pytest.fixture
def system(tmp_path: Path) -> System:
    made = System(tmp_path / "s", ECHO)
    made.change("governance", to="../governance.yaml")
    (tmp_path / "governance.yaml").write_text(PAGE)
    return made


ECHO = "def predict(record):\n    return {'parity': 'even'}\n"


def test_the_page_is_part_of_the_release_as_far_as_it_concerns_the_system(system: System, tmp_path: Path) -> None:
    page = tmp_path / "governance.yaml"
    release = system.project().release
    assert "governance" in release.parts

    page.write_text(PAGE.replace("dpo@example.org", "privacy@example.org"))
    assert system.project().release.digest == release.digest
    page.write_text(PAGE.replace("us-provider: needs-approval", "us-provider: forbidden"))
    assert system.project().release.digest != release.digest


def test_a_page_that_changes_while_something_is_measured_is_noticed(system: System, tmp_path: Path) -> None:
    from plimsoll.assembly.checking import OPENED  # noqa: PLC0415 - one watcher for the whole process

    project = system.project()
    _ = project.release
    (tmp_path / "governance.yaml").write_text(PAGE.replace("pii: personal", "pii: special"))
    assert any("governance (changed" in found for found in project.uncovered(OPENED))


def test_without_a_page_there_is_no_such_part_and_the_board_says_so(tmp_path: Path) -> None:
    system = System(tmp_path / "s", ECHO)
    system.change("governance", to=None)
    assert "governance" not in system.project().release.parts
    assert any("nothing governs egress" in note for note in system.gate().notes)


def test_with_a_page_the_board_says_nothing_of_it(system: System) -> None:
    assert not any("egress" in note for note in system.gate().notes)


@pytest.mark.parametrize("text", [None, "", "governance: 1", PAGE.replace("allowed", "alowed", 1)])
def test_a_page_that_cannot_be_read_lets_nothing_run(system: System, tmp_path: Path, text: str | None) -> None:
    page = tmp_path / "governance.yaml"
    if text is None:
        page.unlink()
    else:
        page.write_text(text)
    with pytest.raises((InputError, InvalidFile)):
        system.project()


def test_each_source_has_its_own_gatekeeper_by_its_own_contract(system: System) -> None:
    project: Project = system.project()
    assert set(project.gatekeepers) == {"counter"}
    keeper = project.gatekeepers["counter"]
    now = time.time_ns()
    # The manifest says nothing of its data, so it is personal; eu-provider needs an approval that this system lacks.
    assert keeper.admit("api.eu.example.com", {"number": 1}, now_ns=now).verdict is EgressVerdict.REFUSED
    assert keeper.admit("", {"number": 1}, now_ns=now).verdict is EgressVerdict.ALLOWED
    assert project.default_gatekeeper.admit("evil.test", {}, now_ns=now).verdict is EgressVerdict.REFUSED


def test_a_page_is_found_by_file_or_by_folder(tmp_path: Path) -> None:
    (tmp_path / "governance.yaml").write_text(PAGE)
    assert open_governance(str(tmp_path)) == open_governance(str(tmp_path / "governance.yaml"))
    with pytest.raises(InputError, match="no governance page"):
        open_governance(str(tmp_path / "other.yaml"))

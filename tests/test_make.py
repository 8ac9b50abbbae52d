"""What `make test` and `.ci/run` run, and that either fails when any part of it does: with stand-ins for the tools."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAND_IN = """\
#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0") $*" in
  *"$FAILS"*) exit "$CODE" ;;
esac
"""
COMPILE = "python -m compileall -q src"
TOGETHER = "python -m pytest -n 4 --dist worksteal -m not alone and not slow"
ALONE = "python -m pytest -m alone and not slow"


@pytest.fixture
def project(tmp_path):
    """The real Makefile and `.ci/run` over tools that only write down how they were called."""
    for name in ("Makefile", ".ci/run", "pyproject.toml", "requirements/dev.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("python", "ruff", "mypy", "lint-imports"):
        stand_in(tmp_path / ".venv" / "bin" / name)
    stand_in(tmp_path / "scripts" / "system-packages.sh")
    (tmp_path / ".venv" / ".ready").touch()
    return tmp_path


def stand_in(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STAND_IN)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def run(project, *command, fails="nothing at all", code=1):
    calls = project / "calls"
    calls.unlink(missing_ok=True)
    env = {"PATH": os.environ["PATH"], "CALLS": str(calls), "FAILS": fails, "CODE": str(code)}
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, calls.read_text().splitlines()


def test_what_measures_load_runs_after_the_others_and_one_by_one(project):
    code, calls = run(project, "make", "test")
    assert code == 0
    assert calls == ["system-packages.sh ", COMPILE, TOGETHER, ALONE]


@pytest.mark.parametrize("fails", ["system-packages.sh", "not alone", "-m alone"])
@pytest.mark.parametrize("code", [1, 5], ids=["a failure", "no tests ran"])
def test_whichever_part_fails_all_has_failed(project, fails, code):
    assert run(project, "make", "test", fails=fails, code=code)[0] != 0
    assert run(project, "./.ci/run", fails=fails, code=code)[0] != 0


@pytest.mark.parametrize("fails", ["ruff format", "ruff check", "mypy", "lint-imports"])
def test_continuous_integration_checks_before_it_tests(project, fails):
    code, calls = run(project, "./.ci/run")
    assert code == 0
    assert calls[-2:] == [TOGETHER, ALONE]
    code, calls = run(project, "./.ci/run", fails=fails)
    assert code != 0
    assert TOGETHER not in calls


@pytest.mark.parametrize("more", [(), ("-n", "2", "--dist", "worksteal")])
def test_a_suite_in_which_nothing_is_selected_has_failed(tmp_path, more):
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *more, "-c", ROOT / "pyproject.toml", "-m", "alone and not slow", tmp_path],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 5, done.stdout + done.stderr

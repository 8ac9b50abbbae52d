"""Which opened files are noticed, and which are rightly left alone: real targets that really open them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import py_compile
import sqlite3
import sysconfig
import textwrap
import uuid
from pathlib import Path

import numpy as np
import pytest
from assess.a_system import System, run_python

from plimsoll.assembly.checking import OPENED
from plimsoll.assembly.project import Project
from plimsoll.assess.feed import Feed
from plimsoll.guard import Ask, TargetFault
from plimsoll.rollout import OpenedFiles, uncovered

APART = """
import sys
from pathlib import Path
from plimsoll.assembly.checking import OPENED
from plimsoll.assembly.project import Project

project = Project(Path(sys.argv[1]))
project.release
OPENED.start(project.watched_as)
predict = project.load_target().call
{before}
predict({{"number": 1}})
OPENED.stop()
for file in project.uncovered(OPENED):
    print("uncovered:", file)
"""


@pytest.fixture
def outside(tmp_path):
    """What a target in this folder opens that its release does not cover."""

    def look(target, *, files=None, artifacts=(), meanwhile=lambda _: None):
        project = make(tmp_path / "s", target, files, artifacts).project()
        _ = project.release
        OPENED.start(project.watched_as)
        try:
            predict = project.load_target().call
            meanwhile(project)
            predict({"number": 1})
        finally:
            OPENED.stop()
        return list(project.uncovered(OPENED))

    return look


@pytest.fixture
def outside_apart(tmp_path):
    """The same in a process of its own, for what a test process must not do."""

    def look(target, *, before=""):
        system = make(tmp_path / "s", target)
        file = system.project().file
        done = run_python(APART.format(before=before), file, cwd=system.folder)
        assert done.returncode == 0, done.stderr
        return [line.removeprefix("uncovered: ") for line in done.stdout.splitlines() if line.startswith("uncovered: ")]

    return look


def make(folder, target, files=None, artifacts=()):
    system = System(folder, target)
    for name, content in (files or {"secret.txt": b"42"}).items():
        system.write(name, content)
    system.change("target", "artifacts", to=list(artifacts) or None)
    return system


def name_of_its_own():
    return f"beside_{uuid.uuid4().hex}"


def reads(how, *, top=""):
    """A target that does something with a path in its folder."""
    return f"""
import json, os, pathlib, threading
HERE = pathlib.Path(__file__).parent
SECRET = HERE / "secret.txt"
{textwrap.dedent(top)}
def predict(record):
{textwrap.indent(textwrap.dedent(how).strip(), "    ")}
    return 1
"""


@pytest.mark.parametrize(
    "how",
    [
        "open(SECRET).close()",
        "open(str(SECRET), 'rb').close()",
        "open(os.fsencode(SECRET)).close()",
        "SECRET.read_bytes()",
        "SECRET.read_text()",
        "os.close(os.open(SECRET, os.O_RDONLY))",
        "import contextlib\nwith contextlib.chdir(HERE): open('secret.txt').close()",
        "open(HERE / 'x' / '..' / 'secret.txt').close() if (HERE / 'x').mkdir() is None else 0",
        "open(SECRET, 'r+').close()",
        "open(SECRET, 'a+').close()",
        "t = threading.Thread(target=SECRET.read_bytes); t.start(); t.join()",
        "import numpy; numpy.fromfile(SECRET, dtype='u1')",
        "import numpy; numpy.loadtxt(SECRET)",
        "import configparser; configparser.ConfigParser().read_string('[a]'); open(SECRET).close()",
        "import mmap\nwith open(SECRET, 'rb') as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ): pass",
        "import shutil; shutil.copyfile(SECRET, HERE / 'copy.txt')",
        "import linecache; linecache.getline(str(SECRET), 1)",
        "import asyncio\nasync def a(): SECRET.read_bytes()\nasyncio.run(a())",
        "import concurrent.futures as c\nwith c.ThreadPoolExecutor() as pool: pool.submit(SECRET.read_bytes).result()",
        "exec('open(SECRET).close()')",
    ],
)
def test_however_it_is_read_it_is_noticed(outside, how):
    assert outside(reads(how)) == ["secret.txt"]


def test_what_is_read_while_the_target_is_imported_is_noticed(outside):
    """Most targets load their weights at import."""
    assert outside(reads("pass", top="DATA = SECRET.read_bytes()")) == ["secret.txt"]


def test_a_declared_artifact_is_covered(outside):
    assert outside(reads("SECRET.read_bytes()"), artifacts=["secret.txt"]) == []


@pytest.mark.parametrize("link", ["secret.txt", "other.txt"])
def test_a_link_is_the_file_that_it_leads_to(outside, tmp_path, link):
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("42")
    target = reads(f"p = HERE / 'link-{link}'; p.symlink_to({str(elsewhere)!r}); p.read_bytes()")
    assert outside(target) == [str(elsewhere)]


def test_a_link_that_leads_elsewhere_later_was_read_where_it_led_then(outside):
    how = """
    link = HERE / "link"
    link.symlink_to(SECRET)
    link.read_bytes()
    link.unlink()
    link.symlink_to(HERE / "weights.txt")
    link.read_bytes()
    """
    files = {"secret.txt": b"42", "weights.txt": b"1"}
    assert outside(reads(how), files=files, artifacts=["weights.txt"]) == ["secret.txt"]


def test_a_file_that_is_deleted_after_it_was_read_was_read(outside):
    assert outside(reads("SECRET.read_bytes(); SECRET.unlink()")) == ["secret.txt"]


def test_a_file_that_is_looked_for_and_not_there_is_none(outside):
    how = """
    for name in (".env", "settings.toml"):
        try:
            open(HERE / name)
        except FileNotFoundError:
            pass
    """
    assert outside(reads(how)) == []


@pytest.mark.parametrize(
    "how",
    [
        "open(HERE / 'log.txt', 'w').close()",
        "open(HERE / 'log.txt', 'a').close()",
        "open(HERE / 'log.txt', 'x').close()",
        "(HERE / 'cache').write_text('1'); (HERE / 'cache').read_text()",
        "open(HERE / 'w', 'w+').close(); open(HERE / 'w').close()",
        "(HERE / 'part').write_text('1'); os.replace(HERE / 'part', HERE / 'whole'); (HERE / 'whole').read_text()",
        "import tempfile\nwith tempfile.TemporaryFile() as f: f.write(b'1')",
        "import tempfile\nwith tempfile.NamedTemporaryFile() as f: f.write(b'1'); f.flush(); open(f.name).close()",
        "import tempfile\nfd, name = tempfile.mkstemp(); os.close(fd); open(name).close(); os.unlink(name)",
        "os.listdir(HERE); HERE.stat(); os.scandir(HERE).close()",
        "open('/dev/null').close(); open('/proc/self/status').close(); os.urandom(3)",
        "import zoneinfo; zoneinfo.ZoneInfo('UTC')",
        "import decimal, csv, sqlite3, numpy.linalg, email.mime.text",
        "raise_later = lambda: 1 / 0",
    ],
)
def test_what_it_writes_itself_and_what_is_not_its_own_is_left_alone(outside, how):
    assert outside(reads(how)) == []


def test_an_old_file_that_is_appended_to_and_read_was_there_before(outside):
    how = """
    with SECRET.open("a") as more:
        more.write("x")
    SECRET.read_text()
    """
    assert outside(reads(how)) == ["secret.txt"]


@pytest.mark.parametrize("where", ["top", "how"])
def test_a_local_module_beside_the_package_is_named(outside, where):
    name = name_of_its_own()
    target = reads("pass", top=f"import {name}") if where == "top" else reads(f"import {name}")
    assert outside(target, files={f"{name}.py": b"X = 1\n"}) == [f"{name}.py"]


def test_a_local_module_from_its_byte_code_is_named_by_its_source(outside, tmp_path):
    name = name_of_its_own()
    source = tmp_path / "s" / f"{name}.py"
    source.parent.mkdir()
    source.write_text("X = 1\n")
    py_compile.compile(str(source))
    assert outside(reads(f"import {name}"), files={source.name: source.read_bytes()}) == [source.name]


@pytest.mark.parametrize("mode", list(py_compile.PycInvalidationMode))
def test_byte_code_that_is_not_of_its_source_is_named(tmp_path, mode):
    """A cached file may say that nobody has to compare it with its source; then Python runs it as it is."""
    system = make(tmp_path / "s", "def predict(record):\n    return 'bad'\n")
    source = system.folder / f"{system.module}.py"
    other = tmp_path / "other.py"
    other.write_text("def predict(record):\n    return 'god'\n")
    cached = Path(importlib.util.cache_from_source(str(source)))
    if mode is py_compile.PycInvalidationMode.TIMESTAMP:
        os.utime(other, ns=(source.stat().st_atime_ns, source.stat().st_mtime_ns))  # and they are of one size
    py_compile.compile(str(other), cfile=str(cached), dfile=str(source), invalidation_mode=mode)
    project = system.project()
    _ = project.release
    OPENED.start(project.watched_as)
    said = project.load_target().call({})
    OPENED.stop()
    looked = mode is py_compile.PycInvalidationMode.CHECKED_HASH
    assert said == ("bad" if looked else "god")
    named = [str(cached.relative_to(system.folder))]
    assert list(project.uncovered(OPENED)) == ([] if looked else named)


def test_old_byte_code_that_nobody_runs_is_not_held_against_the_target(tmp_path):
    """It is opened, found to be of another time, and left."""
    system = make(tmp_path / "s", reads("pass"))
    source = system.folder / f"{system.module}.py"
    py_compile.compile(str(source))
    source.write_text(source.read_text() + "# edited since\n")
    cached = importlib.util.cache_from_source(str(source))
    assert uncovered([cached], system.project().release.covered) == ()


def test_byte_code_of_its_own_source_is_covered(tmp_path):
    system = make(tmp_path / "s", reads("pass"))
    source = system.folder / f"{system.module}.py"
    for level in (0, 1, 2):
        py_compile.compile(str(source), optimize=level)
    project = system.project()
    cached = [str(p) for p in source.parent.glob("__pycache__/*.pyc")]
    assert len(cached) == 3
    assert uncovered(cached, project.release.covered) == ()


def test_byte_code_without_a_source_is_named(outside, tmp_path):
    name = name_of_its_own()
    source = tmp_path / f"{name}.py"
    source.write_text("X = 1\n")
    compiled = Path(py_compile.compile(str(source), cfile=str(tmp_path / f"{name}.pyc")))
    assert outside(reads(f"import {name}"), files={compiled.name: compiled.read_bytes()}) == [compiled.name]


def test_an_extension_module_beside_the_package_is_named(outside):
    """It is not opened but loaded, and Python says so in another way."""
    extension = next((Path(sysconfig.get_path("stdlib")) / "lib-dynload").glob("_heapq.*.so"))
    how = """
    from importlib.machinery import ExtensionFileLoader
    from importlib.util import module_from_spec, spec_from_loader
    path = str(next(HERE.glob("_heapq.*.so")))
    module_from_spec(spec_from_loader("_heapq", ExtensionFileLoader("_heapq", path)))
    """
    assert outside(reads(how), files={extension.name: extension.read_bytes()}) == [extension.name]


def test_a_shared_library_is_named(outside):
    """A copy of one that is here already: no compiler is needed, and none is left out."""
    library = next((Path(sysconfig.get_path("stdlib")) / "lib-dynload").glob("_heapq.*.so"))
    files = {"x.so": library.read_bytes()}
    how = "import ctypes; assert ctypes.PyDLL(str(HERE / 'x.so')).PyInit__heapq"
    assert outside(reads(how), files=files) == ["x.so"]


@pytest.mark.parametrize("name", ["str(HERE / 'facts.db')", "f'file:{HERE}/facts.db?mode=ro', uri=True"])
def test_a_database_is_named(outside, tmp_path, name):
    with contextlib.closing(sqlite3.connect(tmp_path / "facts.db")) as con:
        con.execute("CREATE TABLE facts (x)")
    files = {"facts.db": (tmp_path / "facts.db").read_bytes()}
    assert outside(reads(f"import sqlite3; sqlite3.connect({name}).close()"), files=files) == ["facts.db"]


@pytest.mark.parametrize(
    "how",
    [
        "import subprocess, sys; subprocess.run([sys.executable, 'other.py'], cwd=HERE, check=True)",
        "import subprocess; subprocess.run('cat other.py > /dev/null', shell=True, cwd=HERE, check=True)",
        "import subprocess; subprocess.run(['/bin/cat', HERE / 'other.py'], stdout=subprocess.DEVNULL, check=True)",
        "os.system(f'cat {HERE}/other.py > /dev/null')",
        "os.waitpid(os.posix_spawn('/bin/true', ['true', str(HERE / 'other.py')], {}), 0)",
    ],
)
def test_a_file_that_another_process_is_started_with_is_named(outside, how):
    assert outside(reads(how), files={"other.py": b"print(1)\n"}) == ["other.py"]


def test_arrays_that_are_mapped_are_named(outside, tmp_path):
    np.save(tmp_path / "w.npy", np.arange(4))
    files = {"w.npy": (tmp_path / "w.npy").read_bytes()}
    assert outside(reads("import numpy; numpy.load(HERE / 'w.npy', mmap_mode='r')"), files=files) == ["w.npy"]


@pytest.mark.parametrize("name", ["golden.jsonl", "feed/counter.jsonl", "plimsoll.yaml", ".plimsoll/hidden.json"])
def test_a_target_that_looks_up_the_answers_is_found_out(outside, name):
    """What we read to measure is no business of the target's; the state folder is no hiding place."""
    files = {".plimsoll/hidden.json": b"{}"}
    assert outside(reads(f"(HERE / {name!r}).read_bytes()"), files=files) == [name]


def test_what_we_read_ourselves_is_not_held_against_the_target(outside):
    def meanwhile(project):
        list(Feed.open(project.folder / "feed", ("tell",)).lines())
        project.open_ledger().close()
        type(project)(project.file).release.digest  # noqa: B018 - reads manifest, contracts and sources

    assert outside(reads("pass"), meanwhile=meanwhile) == []


def test_only_what_happens_between_start_and_stop_is_noted(tmp_path):
    project = make(tmp_path / "s", reads("SECRET.read_bytes()")).project()
    predict = project.load_target().call
    OPENED.start(project.watched_as)
    OPENED.stop()
    predict({})
    assert project.uncovered(OPENED) == ()


def test_what_was_noted_stays_when_it_is_watched_again(tmp_path):
    """A module is imported once in a process; what it read then it has read for every later check, too."""
    project = make(tmp_path / "s", reads("pass", top="SECRET.read_bytes()")).project()
    for _ in range(2):
        OPENED.start(project.watched_as)
        project.load_target()
        OPENED.stop()
    assert project.uncovered(OPENED) == ("secret.txt",)


def test_one_project_does_not_answer_for_another(outside, tmp_path):
    second = make(tmp_path / "other", reads("pass", top="(HERE / 'golden.jsonl').read_bytes()")).project()
    OPENED.start(second.watched_as)
    second.load_target()
    OPENED.stop()
    assert outside(reads("SECRET.read_bytes()")) == ["secret.txt"]
    assert second.uncovered(OPENED) == ("golden.jsonl",)


def test_nobody_can_hide_a_file_behind_very_many_others(tmp_path):
    watch = OpenedFiles(most=20)
    names = [tmp_path / str(n) for n in range(25)]
    for name in names:
        name.touch()
    watch.start()
    for name in names * 2:
        name.read_bytes()
    watch.stop()
    assert len(watch.of()) == 21
    assert "more than 20 different files" in uncovered(watch.of(), covered=map(str, names))


def test_as_many_as_are_kept_are_all_named(tmp_path):
    watch = OpenedFiles(most=20)
    names = [tmp_path / str(n) for n in range(20)]
    for name in names:
        name.touch()
    watch.start()
    for name in names * 2:
        name.read_bytes()
    watch.stop()
    assert watch.of() == {str(name) for name in names}


def test_where_the_interpreter_is_installed_is_no_hiding_place(outside_apart):
    """A project may lie below the interpreter's prefix, such as /usr/src/app; its files are its own all the same."""
    before = "sys.prefix = sys.base_prefix = sys.exec_prefix = str(project.folder.parent)"
    assert outside_apart(reads("SECRET.read_bytes()"), before=before) == ["secret.txt"]


@pytest.mark.parametrize("weird", ["'a\\0b'", "b'\\xff\\xfe'", "9999", "''"])
def test_a_name_that_is_none_is_the_targets_error_and_not_ours(outside, weird):
    how = f"""
    try:
        open({weird})
    except (ValueError, OSError) as error:
        assert "embedded null" in str(error) or error.errno, repr(error)
    """
    assert outside(reads(how)) == []


def test_a_working_folder_that_is_gone_disturbs_nothing(outside_apart):
    how = """
    (HERE / "gone").mkdir()
    os.chdir(HERE / "gone")
    os.rmdir(HERE / "gone")
    open(SECRET).close()
    try:
        open("relative")
    except FileNotFoundError:
        pass
    os.chdir(HERE)
    """
    assert outside_apart(reads(how)) == ["secret.txt"]


def test_a_file_of_the_release_that_changes_meanwhile_is_named(outside):
    how = "p = pathlib.Path(__file__); p.write_text(p.read_text() + '# more')"
    (name,) = outside(reads(how))
    assert name.startswith("source:parity_")
    assert name.endswith("(changed while it was measured)")


def test_a_file_of_the_release_that_is_taken_away_meanwhile_is_named(outside):
    found = outside(reads("SECRET.unlink()"), artifacts=["secret.txt"])
    assert any("secret.txt' cannot be read: No such file or directory" in name for name in found)


def in_workers(folder, target, files=None):
    """What a target that runs in worker processes opens that its release does not cover."""
    system = make(folder, target, files)
    system.change("target", "workers", to=1)
    project = system.project()
    _ = project.release
    project.watch(OPENED)
    loaded = project.load_target()
    try:
        for _ in range(2):
            asyncio.run(loaded.ask(Ask(record={"number": 1}, deadline_s=10.0)))
    finally:
        loaded.close()
        OPENED.stop()
    return list(project.uncovered(OPENED))


@pytest.mark.parametrize(
    ("how", "top"),
    [
        ("SECRET.read_bytes()", ""),
        ("pass", "SECRET.read_bytes()"),
        ("SECRET.read_bytes(); raise ValueError", ""),
        ("import subprocess; subprocess.run(['/bin/cat', SECRET], stdout=subprocess.DEVNULL)", ""),
    ],
)
def test_a_file_that_a_worker_process_opens_is_named(tmp_path, how, top):
    with contextlib.suppress(TargetFault):
        in_workers(tmp_path / "s", reads(how, top=top))
    project = Project(tmp_path / "s" / "plimsoll.yaml")
    assert list(project.uncovered(OPENED)) == ["secret.txt"]


def test_what_is_covered_and_what_we_open_ourselves_is_not_held_against_worker_processes(tmp_path):
    assert in_workers(tmp_path / "s", reads("import sqlite3, decimal")) == []


def test_nobody_watches_worker_processes_that_are_not_measured(tmp_path):
    system = make(tmp_path / "s", reads("SECRET.read_bytes()"))
    system.change("target", "workers", to=1)
    project = system.project()
    loaded = project.load_target()
    asyncio.run(loaded.ask(Ask(record={"number": 1}, deadline_s=10.0)))
    loaded.close()
    assert project.uncovered(OPENED) == ()

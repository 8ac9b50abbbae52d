"""Whose code a release covers: functions as programs really hand them over, from files, shells, notebooks, archives."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import py_compile
import sys
import types
import uuid
import zipfile

import pytest
from assess.a_system import ECHO, System, run_python

from plimsoll.rollout import build_release, code_outside

COVERED = """
import asyncio, collections, contextlib, dataclasses, enum, functools, math, operator, typing

THRESHOLD = 3

def predict(record):
    return {"parity": "odd" if record["number"] % 2 else "even"}

async def apredict(record):
    await asyncio.sleep(0)
    return predict(record)

calm = lambda record: {"parity": "even"}

def twice(function):
    @functools.wraps(function)
    def wrapper(record):
        return function(record)
    return wrapper

def bare(function):
    def wrapper(record):
        return function(record)
    return wrapper

def by_default(function):
    def wrapper(record, f=function, *, g=function):
        return f(record)
    return wrapper

decorated = twice(predict)
closed = bare(predict)
cached = functools.lru_cache(predict)
partial = functools.partial(predict)

@functools.singledispatch
def dispatched(record):
    return predict(record)

class Model:
    threshold = 3
    def __init__(self):
        self.helper = predict
    def __call__(self, record):
        return self.predict(record)
    def predict(self, record):
        return self.helper(record)
    @classmethod
    def of_class(cls, record): return predict(record)
    @staticmethod
    def static(record): return predict(record)
    @property
    def name(self): return "model"

class Child(Model):
    pass

@dataclasses.dataclass(frozen=True, order=True)
class Data:
    a: int = 1
    def __call__(self, record):
        return predict(record)

class Point(collections.namedtuple("Point", "x y")):
    def __call__(self, record):
        return predict(record)

class Typed(typing.NamedTuple):
    x: int = 1
    def __call__(self, record):
        return predict(record)

class Colour(enum.Enum):
    RED = 1
    def __call__(self, record):
        return predict(record)

@contextlib.contextmanager
def managed(record):
    yield

def holding(value):
    def inside(record):
        return value
    return inside
"""


class Fixture:
    def __init__(self, system, module, release):
        self.system = system
        self.module = module
        self.release = release

    def outside(self, function):
        return code_outside(function, self.release)


@pytest.fixture(scope="module")
def covered(tmp_path_factory):
    system = System(tmp_path_factory.mktemp("code") / "s", COVERED)
    project = system.project()
    project.load_target()
    return Fixture(system, sys.modules[system.module], project.release)


@pytest.mark.parametrize(
    "name",
    ["predict", "apredict", "calm", "decorated", "closed", "cached", "partial", "dispatched", "Model", "Model().predict",
     "Model()", "Child()", "Model.of_class", "Model.static", "Child().static", "Data()", "Data", "Point(1, 2)", "Typed()",
     "Colour.RED", "by_default(predict)", "holding(7)", "holding([predict])", "holding(math)", "holding(None)", "managed",
     "functools.partial(functools.partial(predict), {})", "twice(twice(bare(Model().predict)))", "math.sqrt", "len",
     "'{}'.format", "operator.itemgetter('a')", "dict.fromkeys", "[].append", "str.upper", "dict", "int.__add__", "(1).__add__",
     "json_dumps", "np_sum", "np_sin", "cython", "functools.partial(math.pow, 2)"],
)  # fmt: skip
def test_what_comes_from_the_release_the_interpreter_or_what_is_installed_is_covered(covered, name):
    import json  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415
    from sklearn.utils._isfinite import cy_isfinite  # noqa: PLC0415

    installed = {"json_dumps": json.dumps, "np_sum": np.sum, "np_sin": np.sin, "cython": cy_isfinite}
    assert covered.outside(eval(name, {**vars(covered.module), **installed})) is None


def local(record):
    return {"parity": "even"}


class Local:
    def __call__(self, record):
        return record


class Harmless:
    def predict(self, record):
        return record


@pytest.mark.parametrize(
    "make",
    [
        lambda _: local,
        lambda _: lambda record: record,
        lambda m: m.twice(local),
        lambda m: m.bare(local),
        lambda m: m.by_default(local),
        lambda m: m.holding(Harmless()),
        lambda m: m.holding(Harmless),
        lambda _: functools.partial(local),
        lambda m: functools.partial(m.holding, local),
        lambda m: functools.partial(m.predict, key=local),
        lambda _: functools.lru_cache(local),
        lambda _: functools.singledispatch(local),
        lambda m: functools.wraps(m.predict)(local),
        lambda _: Local(),
        lambda _: Local,
        lambda _: Local().__call__,
        lambda _: Harmless().predict,
        lambda m: type("Sub", (m.Model,), {"predict": local})(),
        lambda m: type("Sub", (m.Model,), {"predict": local, "__module__": m.__name__})(),
        lambda m: type("Sub", (m.Model,), {"extra": property(local), "__module__": m.__name__})(),
        lambda m: type("Sub", (m.Model,), {"helper": staticmethod(local), "__module__": m.__name__})(),
        lambda m: type("Sub", (m.Model,), {"helper": functools.partial(local), "__module__": m.__name__})(),
        lambda m: type("Sub", (m.Model,), {"helper": functools.partialmethod(local), "__module__": m.__name__})(),
        lambda m: types.MethodType(local, m.Model()),
        lambda m: types.MethodType(m.Model.predict, Harmless()),
    ],
)  # fmt: skip
def test_whatever_it_is_wrapped_in_code_from_elsewhere_is_named_by_its_file(covered, make):
    found = covered.outside(make(covered.module))
    assert found is not None
    assert found.where == __file__
    assert not found.changed


def test_a_function_that_was_put_into_an_object_of_the_release_is_named(covered):
    model = covered.module.Model()
    model.helper = local
    assert covered.outside(model).where == __file__
    assert covered.outside(model.predict).where == __file__


@pytest.mark.parametrize("file", ["<string>", "<stdin>", "<ipython-input-7-0a1b2c>", "/tmp/ipykernel_71/1234.py", ""])
def test_what_was_typed_in_is_named_by_what_it_says_of_itself(covered, file):
    """As a shell and a notebook do: compiled from a text, run in the main module."""
    cell = {"__name__": "__main__"}
    exec(compile("def typed(record): return 1\nodd = lambda record: 2\n", file, "exec"), cell)
    for name in ("typed", "odd"):
        assert covered.outside(cell[name]) == (cell[name].__qualname__, file, False)


def test_code_that_claims_to_be_of_a_covered_file_is_not_believed(covered):
    file = covered.module.__file__
    made = compile("def predict(record): return {'parity': 'odd'}", file, "exec")
    own = {"__name__": covered.module.__name__}
    exec(made, own)
    assert covered.outside(own["predict"]).where == file  # its globals are not the module's
    inside = types.FunctionType(made.co_consts[0], vars(covered.module))
    assert covered.outside(inside) == ("predict", file, True)


def test_generated_methods_are_no_way_in(covered):
    """What a class statement has made for it is left to the class; a function of such a name alone is looked at."""
    made = compile("def __init__(record): return 1", "<string>", "exec")
    smuggled = types.FunctionType(made.co_consts[0], vars(covered.module))
    assert covered.outside(smuggled).where == "<string>"
    called = compile("def __call__(self, record): return 1", "<string>", "exec")
    kind = type("Sub", (), {"__call__": types.FunctionType(called.co_consts[0], vars(covered.module)), "__module__": covered.module.__name__})  # fmt: skip
    assert covered.outside(kind()).where == "<string>"


def test_a_function_of_a_shared_library_is_not_known(covered):
    import ctypes  # noqa: PLC0415

    assert "shared library" in covered.outside(ctypes.CDLL(None).abs).where


def test_whoever_holds_very_much_is_refused_and_not_followed(covered):
    function = covered.module.predict
    for _ in range(10_001):
        function = covered.module.bare(function)
    assert covered.outside(function).where == "more than 10,000 parts"


def test_a_function_that_was_called_very_often_is_the_same(covered):
    """The interpreter rewrites the code of what is hot; it is of its file all the same."""
    for number in range(20_000):
        covered.module.predict({"number": number})
    assert covered.outside(covered.module.predict) is None


class TestWhatChangesBetween:
    def fixture(self, tmp_path, source=ECHO):
        system = System(tmp_path / "s", source)
        project = system.project()
        project.load_target()
        return Fixture(system, sys.modules[system.module], project.release)

    def test_a_file_that_was_edited_after_the_release_was_taken(self, tmp_path):
        mine = self.fixture(tmp_path)
        source = mine.system.folder / f"{mine.system.module}.py"
        source.write_text(source.read_text() + "# more\n")
        assert mine.outside(mine.module.predict) == ("predict", str(source), True)

    def test_a_file_that_was_edited_and_loaded_anew(self, tmp_path):
        mine = self.fixture(tmp_path)
        source = mine.system.folder / f"{mine.system.module}.py"
        source.write_text("def predict(record):\n    return {'parity': 'odd'}\n")
        importlib.invalidate_caches()
        importlib.reload(mine.module)
        assert mine.outside(mine.module.predict).changed
        again = build_release(mine.system.project().manifest, mine.system.folder)
        assert code_outside(mine.module.predict, again) is None

    def test_a_function_that_is_older_than_the_file(self, tmp_path):
        """Loaded, then the file was edited, then the release was taken: it is not what the function runs."""
        mine = self.fixture(tmp_path)
        source = mine.system.folder / f"{mine.system.module}.py"
        source.write_text(source.read_text().replace('"odd"', '"strange"'))
        later = build_release(mine.system.project().manifest, mine.system.folder)
        assert code_outside(mine.module.predict, later).changed

    def test_a_file_that_is_gone(self, tmp_path):
        mine = self.fixture(tmp_path)
        (mine.system.folder / f"{mine.system.module}.py").unlink()
        assert mine.outside(mine.module.predict) is not None


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_a_file_that_artifacts_name_is_covered(tmp_path):
    system = System(tmp_path / "s")
    path = system.write("beside.py", "def rule(record):\n    return 1\n")
    beside = load(f"beside_{uuid.uuid4().hex}", path)
    project = system.project()
    assert code_outside(beside.rule, project.release) == ("rule", str(path), False)
    system.change("target", "artifacts", to=["beside.py"])
    assert code_outside(beside.rule, system.project().release) is None


def test_through_a_link_it_is_the_file_that_it_leads_to(tmp_path):
    system = System(tmp_path / "s")
    path = system.write("beside.py", "def rule(record):\n    return 1\n")
    link = tmp_path / "link.py"
    link.symlink_to(path)
    linked = load(f"linked_{uuid.uuid4().hex}", link)
    system.change("target", "artifacts", to=["beside.py"])
    assert code_outside(linked.rule, system.project().release) is None


def test_byte_code_without_a_source_is_covered_by_itself(tmp_path):
    system = System(tmp_path / "s")
    source = tmp_path / "gone" / "rule.py"
    source.parent.mkdir()
    source.write_text("def rule(record):\n    return 1\n")
    compiled = system.folder / "rule.pyc"
    py_compile.compile(str(source), cfile=str(compiled))
    source.unlink()
    name = f"rule_{uuid.uuid4().hex}"
    module = load(name, compiled)
    assert code_outside(module.rule, system.project().release) is not None
    system.change("target", "artifacts", to=["rule.pyc"])
    assert code_outside(module.rule, system.project().release) is None
    other = {"__name__": name}
    exec("def rule(record): return 2", other)
    module.rule.__code__ = other["rule"].__code__
    assert code_outside(module.rule, system.project().release) is not None


def test_an_archive_is_covered_as_a_whole(tmp_path):
    """In a process of its own: an archive on the import path is opened by every later import."""
    system = System(tmp_path / "s")
    with zipfile.ZipFile(system.folder / "app.zip", "w") as archive:
        archive.writestr("packed.py", "def rule(record):\n    return 1\n")
    code = """
        import sys
        from pathlib import Path
        from plimsoll.assembly.project import Project
        from plimsoll.rollout import code_outside
        sys.path.insert(0, sys.argv[2])
        import packed
        print(code_outside(packed.rule, Project(Path(sys.argv[1])).release))
    """
    refused = run_python(code, system.project().file, system.folder / "app.zip")
    assert "app.zip" in refused.stdout, refused.stderr
    system.change("target", "artifacts", to=["app.zip"])
    assert run_python(code, system.project().file, system.folder / "app.zip").stdout.strip() == "None"


PROGRAM = """
import sys
from plimsoll import Guard
from plimsoll.errors import UsageError

def rule(record):
    return {"parity": "odd" if record["number"] % 2 else "even"}

if __name__ == "__main__":
    with Guard.open(sys.argv[1]) as guard:
        try:
            print(guard.decision("tell")(rule)({"number": 1}).output)
        except UsageError as refused:
            print(refused.message, "|", refused.fix)
"""


def test_a_program_that_is_run_is_covered_where_artifacts_name_it(tmp_path):
    system = System(tmp_path / "s")
    script = system.write("run.py", PROGRAM)
    run = f"import runpy, sys; runpy.run_path({str(script)!r}, run_name='__main__')"
    refused = run_python(run, system.project().file)
    assert f"the code of 'rule' is in {script}, which the release does not cover" in refused.stdout, refused.stderr
    assert f"put it into a file of '{system.module}'" in refused.stdout
    assert "or name its file under target.artifacts" in refused.stdout
    system.change("target", "artifacts", to=["run.py"])
    assert run_python(run, system.project().file).stdout.strip() == "{'parity': 'odd'}"


@pytest.mark.parametrize("how", ["-c", "-"])
def test_a_program_that_was_typed_in_is_never_covered(tmp_path, how):
    import subprocess  # noqa: PLC0415

    system = System(tmp_path / "s")
    file = system.project().file
    command = [sys.executable, "-c", PROGRAM, str(file)] if how == "-c" else [sys.executable, "-", str(file)]
    done = subprocess.run(
        command, input=PROGRAM if how == "-" else "", capture_output=True, text=True, timeout=60, check=False
    )
    named = "<string>" if how == "-c" else "<stdin>"
    assert f"the code of 'rule' is in {named}, which the release does not cover" in done.stdout, done.stderr

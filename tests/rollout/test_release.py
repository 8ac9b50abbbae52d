"""The release digest: what changes it, what does not, and that anybody can take it again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from assess.a_system import ECHO, OPS, System, environment, run_python
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.errors import InputError, TargetError
from plimsoll.model.canonical import canonical, digest, digest_bytes
from plimsoll.rollout import Release, build_release, release_digest


@pytest.fixture
def system(tmp_path):
    made = System(tmp_path / "s")
    made.write("weights.bin", b"\x00\x01")
    made.change("target", "artifacts", to=["weights.bin"])
    made.write("out.odcs.yaml", (made.folder / "numbers.odcs.yaml").read_text().replace("numbers", "out"))
    made.change("data", "outputs", to=["out.odcs.yaml"])
    return made


def build(system, **more):
    project = system.project()
    return build_release(project.manifest, project.folder, **more)


def changed(system, before):
    """Which parts differ now."""
    after = build(system)
    assert (after.digest != before.digest) is (after.parts != before.parts)
    return {name for name in {*before.parts, *after.parts} if before.parts.get(name) != after.parts.get(name)}


class TestWhatChangesIt:
    @pytest.mark.parametrize(
        ("file", "part"),
        [
            ("MODULE.py", "source:MODULE.py"),
            ("weights.bin", "artifact:weights.bin"),
            ("numbers.odcs.yaml", "contract:numbers.odcs.yaml"),
            ("out.odcs.yaml", "contract:out.odcs.yaml"),
        ],
    )
    def test_one_byte_of_a_covered_file(self, system, file, part):
        before = build(system)
        path = system.folder / file.replace("MODULE", system.module)
        path.write_bytes(path.read_bytes() + b" ")
        assert changed(system, before) == {part.replace("MODULE", system.module)}

    @pytest.mark.parametrize(
        ("path", "to"),
        [
            (("decisions", "tell", "tier"), "human-only"),
            (("decisions", "tell", "consequence"), "operational"),
            (("target", "deadline"), "150ms"),
            (("target", "concurrency"), 3),
            (("target", "fallback"), ["hold"]),
            (("load", "peak"), "50/s"),
            (("durability",), "batched"),
            (("data", "classification"), "public"),
        ],
    )
    def test_how_the_system_runs(self, system, path, to):
        system.change("review", to={"per_item": "30s", "capacity": "4h"})
        before = build(system)
        system.change(*path, to=to)
        assert changed(system, before) == {"manifest"}

    def test_a_declared_variable(self, system):
        """Another value, none, an empty one, and one more name: each is another release."""
        system.change("target", "environment", to=["MODEL", "REGION"])
        digests = {
            build(system, variables=given).digest
            for given in ({"MODEL": "a"}, {"MODEL": "b"}, {"MODEL": ""}, {}, {"MODEL": "a", "REGION": "eu"})
        }
        assert len(digests) == 5
        before = build(system)
        system.change("target", "environment", to=["MODEL"])
        assert changed(system, before) == {"manifest", "variable:REGION"}

    def test_a_variable_that_is_not_declared_does_not(self, system):
        system.change("target", "environment", to=["MODEL"])
        one, other = ({"MODEL": "a", "HOME": home} for home in ("/a", "/b"))
        assert build(system, variables=one) == build(system, variables=other)

    def test_a_value_is_nowhere_in_the_release(self, system):
        """Its SHA-256 is, so that anybody with the value can take the digest again."""
        system.change("target", "environment", to=["MODEL", "KEY"])
        release = build(system, variables={"MODEL": "the value itself \udcff"})
        assert release.parts["variable:MODEL"] == digest_bytes(os.fsencode("the value itself \udcff"))
        assert release.parts["variable:KEY"] == "unset"
        assert b"the value itself" not in canonical(release)

    def test_the_declared_services(self, system):
        before = build(system)
        system.change("target", "services", to=["api.example.org:443"])
        assert changed(system, before) == {"manifest"}

    @pytest.mark.parametrize(
        ("path", "to"),
        [
            (("target", "queue"), 3),
            (("target", "breaker"), {}),
            (("target", "breaker"), {"open_after": "10% of 5"}),
            (("target", "retry"), {"attempts": 2, "on": ["unavailable"]}),
            (("target", "fallback"), [{"constant": {"parity": "even"}}]),
            (("target", "fallback"), ["previous-release"]),
        ],
    )
    def test_how_its_target_is_called(self, system, path, to):
        before = build(system)
        system.change(*path, to=to)
        assert changed(system, before) == {"manifest"}

    def test_a_target_that_stands_in_with_its_code_and_artifacts(self, system):
        system.write(f"{system.module}_other.py", "def predict(record): return 1\n")
        system.write("other.bin", b"\x02")
        other = {"python": f"{system.module}_other:predict", "artifacts": ["other.bin"]}
        before = build(system)
        system.change("target", "fallback", to=[{"target": other}])
        added = {f"source:{system.module}_other.py", "artifact:other.bin"}
        assert changed(system, before) == {"manifest", *added}
        before = build(system)
        for part in added:
            path = system.folder / part.partition(":")[2]
            path.write_bytes(path.read_bytes() + b" ")
        assert changed(system, before) == added

    def test_a_target_of_the_same_module_is_covered_once(self, system):
        before = build(system)
        system.change("target", "fallback", to=[{"target": {"python": f"{system.module}:other"}}])
        assert changed(system, before) == {"manifest"}

    def test_the_confidence_below_which_people_look(self, system):
        system.change("review", to={"per_item": "30s", "capacity": "4h"})
        system.change("decisions", "tell", "tier", to="reviewed")
        before = build(system)
        system.change("decisions", "tell", "review_below", to="90%")
        assert changed(system, before) == {"manifest"}

    def test_which_contract_stands_for_sources_that_none_names(self, system):
        """The order of the inputs decides it, and moving one to the outputs takes it away."""
        system.write("second.odcs.yaml", (system.folder / "numbers.odcs.yaml").read_text().replace("counter", "desk"))
        system.change("data", "inputs", to=["numbers.odcs.yaml", "second.odcs.yaml"])
        before = build(system)
        system.change("data", "inputs", to=["second.odcs.yaml", "numbers.odcs.yaml"])
        assert changed(system, before) == {"contracts"}
        system.change("data", "inputs", to=["numbers.odcs.yaml"])
        system.change("data", "outputs", to=["second.odcs.yaml"])
        assert "contracts" in changed(system, before)

    def test_an_installed_distribution(self, system):
        assert build(system, environment=["a==1"]).digest != build(system, environment=["a==2"]).digest
        assert build(system, environment=["a==1"]).digest == build(system, environment=["a==1"]).digest

    def test_a_distribution_that_is_really_installed(self, system, tmp_path):
        """In a process of its own, with one more folder of installed packages on the import path."""
        system.project()
        site = tmp_path / "site-packages"
        info = site / "extra_thing-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra-thing\nVersion: 1.0\n")
        code = """
            import sys
            from pathlib import Path
            from plimsoll.assembly.project import Project
            release = Project(Path(sys.argv[1])).release
            print(release.digest, "extra-thing==1.0" in release.environment)
        """
        plain = run_python(code, system.folder / "plimsoll.yaml").stdout.split()
        more = subprocess.run(
            [
                sys.executable,
                "-c",
                "\n".join(line.strip() for line in code.splitlines()),
                system.folder / "plimsoll.yaml",
            ],
            env=environment() | {"PYTHONPATH": os.pathsep.join([environment()["PYTHONPATH"], str(site)])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        assert (plain[1], more[1]) == ("False", "True")
        assert plain[0] != more[0]

    def test_the_interpreter(self, system):
        release = build(system)
        assert release.interpreter.split()[1] == ".".join(map(str, sys.version_info[:3]))
        assert release.parts["interpreter"] == digest(release.interpreter)
        assert release_digest(release.parts | {"interpreter": digest("cpython 3.99")}) != release.digest


class TestWhatDoesNot:
    def test_people_threshold_and_what_is_expected_of_them(self, system):
        before = build(system)
        system.change("owners", "business", "name", to="Head of Numbers")
        system.change("decisions", "tell", "accountable", to=OPS)
        system.change("decisions", "tell", "escalation", to=[OPS])
        system.change("may", "override", to=[OPS])
        system.change("threshold", "conditions", to=[*system.manifest["threshold"]["conditions"][1:], "evaluation.accuracy >= 99%"])  # fmt: skip
        system.change("purpose", to="Another sentence.")
        assert changed(system, before) == set()

    def test_the_form_of_the_manifest(self, system):
        before = build(system)
        system.manifest = dict(reversed(system.manifest.items()))
        file = system.project().file
        file.write_text("# a comment\n" + file.read_text() + "\n\n")
        project_release = build(system)
        assert project_release.digest == before.digest

    def test_where_the_folder_lies(self, system, tmp_path):
        before = build(system)
        shutil.copytree(system.folder, tmp_path / "deeper" / "elsewhere")
        system.folder = tmp_path / "deeper" / "elsewhere"
        after = build(system)
        assert (after.digest, after.parts) == (before.digest, before.parts)
        assert after.covered != before.covered

    def test_whether_the_target_is_loaded_already(self, system):
        """Loading puts the folder on the import path, and with it what an old build has left there."""
        system.write("stale.egg-info/PKG-INFO", "Metadata-Version: 2.1\nName: stale\nVersion: 9\n")
        before = build(system)
        system.project().load_target()
        assert build(system).digest == before.digest
        assert not any(name.startswith("stale") for name in before.environment)

    def test_what_running_it_leaves_behind(self, system):
        before = build(system)
        system.check("evaluation")
        assert changed(system, before) == set()

    def test_from_which_folder_it_is_started(self, system, tmp_path):
        system.project()
        code = """
            import sys
            from pathlib import Path
            from plimsoll.assembly.project import Project
            print(Project(Path(sys.argv[1])).release.digest)
        """
        runs = [
            run_python(code, "plimsoll.yaml", cwd=system.folder),
            run_python(code, system.folder / "plimsoll.yaml", cwd=tmp_path),
            run_python(code, os.path.relpath(system.folder / "plimsoll.yaml", "/"), cwd="/"),
        ]
        assert {r.stdout.strip() for r in runs} == {build(system).digest}


class TestTakenAgain:
    def test_from_the_recorded_entry(self, system):
        project = system.project()
        with project.open_ledger() as ledger:
            entry = ledger.get(project.record_release(ledger))
            kept = msgspec.json.decode(ledger.body(entry), type=Release)
            assert project.record_release(ledger) == entry.id, "it is written down once"
        assert release_digest(kept.parts) == kept.digest == project.release.digest
        assert kept.parts["environment"] == digest(kept.environment)
        assert kept.parts["interpreter"] == digest(kept.interpreter)
        assert kept == project.release

    @given(parts=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=6), data=st.data())
    def test_it_depends_on_every_part_and_on_no_order(self, parts, data):
        whole = release_digest(parts)
        assert release_digest(dict(data.draw(st.permutations(list(parts.items()))))) == whole
        for name in parts:
            assert release_digest({k: v for k, v in parts.items() if k != name}) != whole
            assert release_digest(parts | {name: parts[name] + "x"}) != whole

    def test_what_is_written_is_canonical(self, system):
        release = build(system)
        assert msgspec.json.decode(canonical(release), type=Release) == release


class TestWhereTheTargetIs:
    def names(self, system):
        return {name for name in build(system).parts if name.startswith("source:")}

    def place(self, system, reference, **files):
        (system.folder / f"{system.module}.py").unlink(missing_ok=True)
        for name, text in files.items():
            system.write(name.replace("__", "/").replace("_py", ".py").replace("INIT", "__init__"), text)
        system.change("target", "python", to=reference)

    def test_a_package_with_all_below_it(self, system):
        self.place(
            system, "pkg.model:predict", pkg__INIT_py="", pkg__model_py=ECHO, pkg__sub__a_py="", pkg__sub__INIT_py=""
        )
        assert self.names(system) == {
            f"source:pkg/{n}" for n in ("__init__.py", "model.py", "sub/a.py", "sub/__init__.py")
        }

    def test_a_namespace_package(self, system):
        self.place(system, "space.model:predict", space__model_py=ECHO, space__deep__x_py="")
        assert self.names(system) == {"source:space/model.py", "source:space/deep/x.py"}

    def test_a_module_beside_a_folder_of_the_same_name(self, system):
        """Python imports the module: a folder without __init__ gives way."""
        self.place(system, "model:predict", model_py=ECHO, model__weights_py="")
        assert self.names(system) == {"source:model.py"}

    def test_a_package_goes_before_a_module_of_the_same_name(self, system):
        self.place(system, "both:predict", both_py="", both__INIT_py=ECHO)
        assert self.names(system) == {"source:both/__init__.py"}

    def test_another_folder_to_import_from(self, system):
        self.place(system, "inside:predict", src__inside_py=ECHO)
        system.change("target", "path", to=["src"])
        assert self.names(system) == {"source:src/inside.py"}

    def test_beside_the_project_every_file_has_a_name_of_its_own(self, system):
        """Two __init__.py outside the project's folder are two files; once, the second took the first's place."""
        library = system.folder.parent / "library"
        for name in ("lib/__init__.py", "lib/one/__init__.py", "lib/two/__init__.py", "lib/one/x.py", "lib/two/x.py"):
            path = library / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# {name}\n")
        (library / "lib" / "model.py").write_text(ECHO)
        system.change("target", "path", to=["../library"])
        system.change("target", "python", to="lib.model:predict")
        release = build(system)
        sources = {name for name in release.parts if name.startswith("source:")}
        assert sources == {
            f"source:lib/{n}"
            for n in ("__init__.py", "model.py", "one/__init__.py", "one/x.py", "two/__init__.py", "two/x.py")
        }
        (library / "lib" / "one" / "x.py").write_text("# changed\n")
        assert changed(system, release) == {"source:lib/one/x.py"}
        shutil.move(library, library.with_name("moved"))
        system.change("target", "path", to=["../moved"])
        assert "source:lib/model.py" not in changed(system, release), "a file's name is where it is imported from"

    def test_two_portions_of_a_namespace_package_with_files_of_one_name(self, system):
        self.place(system, "wide.model:predict", a__wide__model_py=ECHO, a__wide__x_py="1", b__wide__x_py="2")
        system.change("target", "path", to=["a", "b"])
        assert self.names(system) == {"source:a/wide/model.py", "source:a/wide/x.py", "source:b/wide/x.py"}

    def test_a_package_that_is_installed(self, system):
        self.place(system, "msgspec.json:decode")
        sources = self.names(system)
        assert {"source:msgspec/__init__.py", "source:msgspec/json.py"} <= sources
        assert any(".so" in name for name in sources), "compiled code is code"

    def test_a_module_that_is_built_in_is_the_interpreters(self, system):
        self.place(system, "itertools:count")
        assert self.names(system) == set()

    def test_code_without_a_source_is_covered_too(self, system):
        self.place(system, "pkg.model:predict", pkg__INIT_py="", pkg__model_py=ECHO)
        system.write("pkg/fast.cpython-311-x86_64-linux-gnu.so", b"\x7fELF")
        system.write("pkg/frozen.pyc", b"\x00")
        system.write("pkg/__pycache__/model.cpython-311.pyc", b"\x00")
        system.write("pkg/notes.txt", b"")
        assert self.names(system) == {
            f"source:pkg/{n}" for n in ("__init__.py", "model.py", "fast.cpython-311-x86_64-linux-gnu.so", "frozen.pyc")
        }

    def test_there_is_none(self, system):
        system.change("target", "python", to="nowhere_at_all.model:predict")
        with pytest.raises(TargetError, match="no module 'nowhere_at_all' beside the manifest") as caught:
            build(system)
        assert "target.path" in caught.value.fix


class TestWhatCannotBeRead:
    def test_an_artifact_that_is_missing_is_said_plainly(self, system):
        (system.folder / "weights.bin").unlink()
        with pytest.raises(InputError, match=r"the artifact '.*weights\.bin' cannot be read: No such file") as caught:
            build(system)
        assert caught.value.fix == "mend its path in the manifest (artifact)"
        assert caught.value.exit_code == 2

    def test_a_folder_is_no_artifact(self, system):
        (system.folder / "model").mkdir()
        system.change("target", "artifacts", to=["model"])
        with pytest.raises(InputError, match="Is a directory"):
            build(system)

    def test_a_contract_beside_the_project_may_share_its_name_with_another(self, system):
        """Both are covered; once, the second took the first's place."""
        text = (system.folder / "numbers.odcs.yaml").read_text()
        for folder, source in (("east", "desk"), ("west", "phone")):
            path = system.folder.parent / folder / "c.odcs.yaml"
            path.parent.mkdir()
            path.write_text(text.replace("counter", source))
        system.change("data", "inputs", to=["../east/c.odcs.yaml", "../west/c.odcs.yaml"])
        before = build(system)
        for folder in ("east", "west"):
            path = system.folder.parent / folder / "c.odcs.yaml"
            path.write_text(path.read_text() + "# changed\n")
            assert f"contract:../{folder}/c.odcs.yaml" in changed(system, before)


def test_a_release_does_not_name_the_machine_it_was_built_on(system, tmp_path):
    release = build(system)
    assert not any(str(tmp_path) in name for name in release.parts)
    assert all(Path(path).is_absolute() for path in release.covered)

"""Systems that scenarios begin with."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.tiny_system import OPERATOR, PEOPLE, TinySystem

from plimsoll.attest import Role, generate, save_private, trust_entry

ROLES = {
    **dict.fromkeys(PEOPLE.values(), (Role.OWNER,)),
    OPERATOR: (Role.OPERATOR,),
    PEOPLE["leader"]: (Role.SETTER, Role.OWNER),
}


@pytest.fixture
def tiny(tmp_path) -> TinySystem:
    return TinySystem(tmp_path / "parity")


@pytest.fixture(autouse=True)
def own_modules() -> Iterator[None]:
    """Each test has a module `parity` of its own."""
    path = list(sys.path)
    sys.modules.pop("parity", None)
    yield
    sys.path[:] = path
    sys.modules.pop("parity", None)


class Signed(TinySystem):
    """A tiny system with people who have keys, and an organisation that pins them."""

    @property
    def trust(self) -> Path:
        return self.folder.parent / "organisation" / "trust.yaml"

    def key(self, who: str) -> Path:
        return self.folder.parent / "organisation" / f"{who}.key"

    def make_keys(self) -> None:
        self.trust.parent.mkdir()
        entries = []
        for who, roles in {**ROLES, "pipeline": (Role.GATE,), "server": (Role.LEDGER,)}.items():
            key = generate()
            save_private(key, self.key(who))
            entries.append(trust_entry(who, roles, key.public))
        self.trust.write_text("plimsoll-trust: 1\nkeys:\n" + "".join(entries))
        (self.folder / ".plimsoll").mkdir()
        shutil.copy(self.key("server"), self.folder / ".plimsoll" / "ledger.key")

    def copy_to(self, folder: Path) -> Signed:
        """The same, elsewhere, to be changed."""
        shutil.copytree(self.folder.parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
        copied = Signed.__new__(Signed)
        copied.folder = folder / self.folder.name
        return copied


@pytest.fixture(scope="session")
def let_through(tmp_path_factory) -> Signed:
    """A system that was measured, signed and accepted by people with keys of their own, and is READY."""
    system = Signed(tmp_path_factory.mktemp("ready") / "parity")
    system.make_keys()
    assert system.run("threshold", "sign", "--key", system.key("coo@example.org")).code == 0
    first = system.run("check", "--trust", system.trust, "--json")
    assert first.code == 3, first
    assert [p["code"] for p in first.problems] == ["gate.not-met"], first  # nobody has accepted it yet
    assert "organisation.accepted" in first.problems[0]["message"]

    waiting = system.run("quarantine", "list", "--records", "--json").data["records"]
    record = next(r["record"] for r in waiting if r["source"] == "counter")
    mended = system.write("mended.json", '{"number": 7}\n')
    assert system.run("quarantine", "replay", record, "--fixed", mended, "--by", OPERATOR).code == 0
    for contact in (*PEOPLE.values(), OPERATOR):
        assert system.run("accept", "--as", contact, "--key", system.key(contact)).code == 0
    ready = system.run("check", "--only", "organisation", "--trust", system.trust, "--json")
    assert ready.code == 0, ready
    return system

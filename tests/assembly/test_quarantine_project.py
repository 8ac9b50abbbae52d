"""The quarantine of a project: whose records they are, and that nobody reads them beside the ledger."""

from __future__ import annotations

import base64

import pytest
from cli.tiny_system import CONTRACT, MANIFEST, TARGET

from plimsoll.assembly.project import Project
from plimsoll.assembly.quarantining import list_quarantine, show_quarantined

SECRET = b'{"number": "0x5ec2e7-of-nobody-known"'


def project_in(folder, *, manifest=MANIFEST, contract=CONTRACT):
    folder.mkdir(exist_ok=True)
    (folder / "plimsoll.yaml").write_text(manifest.replace("samples: {golden: golden.jsonl, feed: feed}\n", ""))
    (folder / "numbers.odcs.yaml").write_text(contract)
    (folder / "parity.py").write_text(TARGET)
    return Project(folder / "plimsoll.yaml")


def offer(project, raw, **more):
    with project.open_ledger() as ledger, project.open_guard(ledger) as guard:
        return guard.decide("tell-parity", raw, **more).record


def in_the_files(project):
    forms = (b"0x5ec2e7", base64.b64encode(SECRET))
    return any(form in file.read_bytes() for file in project.state.rglob("*") if file.is_file() for form in forms)


@pytest.mark.parametrize(
    ("data", "field", "sealed"),
    [
        ("personal", "", True),
        ("internal", "", False),
        ("internal", ", classification: personal", True),
    ],
    ids=["classified-as-a-whole", "open", "one-classified-field"],
)
def test_what_cannot_be_read_is_encrypted_where_anything_is_classified(tmp_path, data, field, sealed):
    """Of a record that is cut, nobody knows whose it is: it lies under the stream's own key."""
    contract = CONTRACT.replace("logicalType: integer,", f"logicalType: integer{field},")
    project = project_in(tmp_path / "p", manifest=MANIFEST.replace("personal", data), contract=contract)
    record = offer(project, SECRET, source="counter", offset="counter.jsonl:3")
    shown = show_quarantined(project, record)
    assert (shown.raw, shown.sealed, shown.quarantined.offset) == (SECRET, sealed, "counter.jsonl:3")
    list_quarantine(project, records=True)  # the view, too, is in the file
    assert in_the_files(project) is not sealed


TEAM = "team:\n  members:\n    - {username: ann@example.org, role: analyst}\n    - {username: olga@example.org, role: Data Owner}\n"
FALLBACK = (
    "customProperties:\n  - property: plimsollFallback\n    value:\n      owner: feed-desk@example.org\n"
    "      onUnavailable: {use: hold}\n"
)


@pytest.mark.parametrize(
    ("more", "owner"),
    [("", "ops@example.org"), (TEAM, "olga@example.org"), (TEAM + FALLBACK, "feed-desk@example.org")],
    ids=["who-runs-the-system", "the-owner-in-the-team", "who-answers-for-the-fallback"],
)
def test_a_group_names_who_answers_for_its_source(tmp_path, more, owner):
    project = project_in(tmp_path / "p", contract=CONTRACT + more)
    record = offer(project, b"{", source="counter")
    (group,) = list_quarantine(project).groups
    assert (group.owner, group.count, group.source) == (owner, 1, "counter")
    assert show_quarantined(project, record).owner == owner

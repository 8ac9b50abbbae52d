"""trust.yaml: who may sign what; every mistake in it is named with its place."""

from __future__ import annotations

import pytest

from plimsoll.attest.keys import generate
from plimsoll.attest.moments import from_text
from plimsoll.attest.trust import Role, Trust, read_trust, trust_entry
from plimsoll.errors import InvalidFile

A, B = generate().public, generate("ecdsa-p256").public
NOW = from_text("2026-11-21T02:30:00Z")


def test_a_good_file_is_read() -> None:
    trust = read_trust(
        f"""
plimsoll-trust: 1
keys:
  - contact: coo@example.org     # a person
    roles: [setter, owner]
    key: "{A.line}"
  - name: release pipeline
    roles: [gate]
    key: {B.line}
    simulated: true
    until: 2027-01-31
"""
    )

    coo, gate = trust.keys
    assert (coo.who, coo.roles, coo.key, coo.simulated, coo.until_ns) == (
        "coo@example.org",
        (Role.SETTER, Role.OWNER),
        A,
        False,
        None,
    )
    assert (gate.who, gate.key, gate.simulated) == ("release pipeline", B, True)


def test_keys_are_found_by_role_person_and_moment() -> None:
    text = "plimsoll-trust: 1\nkeys:\n" + trust_entry("coo@example.org", [Role.SETTER, Role.OWNER], A)
    trust = read_trust(text + "    until: 2027-01-31\n")

    assert [k.key for k in trust.keys_for("setter", at_ns=NOW)] == [A]
    assert [k.key for k in trust.keys_for(Role.OWNER, "coo@example.org", at_ns=NOW)] == [A]
    assert trust.keys_for("owner", "other@example.org", at_ns=NOW) == ()
    assert trust.keys_for("gate", at_ns=NOW) == ()
    assert trust.find(A) == trust.keys[0]
    assert trust.find(B) is None


def test_a_key_counts_through_its_last_day() -> None:
    text = "plimsoll-trust: 1\nkeys:\n" + trust_entry("ci", [Role.GATE], A) + "    until: 2027-01-31\n"
    trust = read_trust(text)

    assert trust.keys_for("gate", at_ns=from_text("2027-01-31T23:59:59Z"))
    assert not trust.keys_for("gate", at_ns=from_text("2027-02-01T00:00:00Z"))


def test_a_key_as_pem_is_read() -> None:
    pem = "\n".join("      " + line for line in A.pem.decode().strip().splitlines())

    assert (
        read_trust(f"plimsoll-trust: 1\nkeys:\n  - name: ci\n    roles: [gate]\n    key: |\n{pem}\n").keys[0].key == A
    )


@pytest.mark.parametrize(("who", "roles"), [('a "quoted": name', [Role.GATE]), ("ö@example.org", [Role.OPERATOR])])
def test_a_printed_entry_reads_back(who: str, roles: list[Role]) -> None:
    [read] = read_trust("plimsoll-trust: 1\nkeys:\n" + trust_entry(who, roles, B, simulated=True)).keys

    assert (read.who, list(read.roles), read.key, read.simulated) == (who, roles, B, True)


def test_an_empty_trust_trusts_nobody() -> None:
    assert Trust().keys_for("gate", at_ns=NOW) == ()


def problems(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(InvalidFile) as caught:
        read_trust(text, "trust.yaml")
    assert all(p.where is not None and p.where.file == "trust.yaml" for p in caught.value.problems)
    return [(p.where.line, p.where.column, f"{p.message} | {p.fix}") for p in caught.value.problems if p.where]


def test_every_mistake_is_found_in_one_pass_with_its_place() -> None:
    found = problems(
        f"""plimsoll-trust: 2
kyes: []
keys:
  - contact: coo@example.org
    roles: [setter, gaet]
    key: {A.line}
  - name: boss
    roles: [owner]
    key: {B.line}
    simulated: yes
    until: next year
  - roles: []
    key: rsa:AAAA
    colour: blue
  - contact: TBD
    name: x
    roles: owner
  - just text
  - contact: later
    roles: [operator]
    key: {A.line}x
"""
    )
    said = [(line, column, text.split(" | ", maxsplit=1)[0]) for line, column, text in found]

    assert said == [
        (1, 17, "'plimsoll-trust' is 2; it must be 1"),
        (2, 1, "'kyes' is not a key of this file"),
        (5, 21, "'gaet' is not a role"),
        (7, 11, "the role 'owner' is a person's"),
        (10, 16, "'yes' is neither true nor false"),
        (11, 12, "'next year' is not a day"),
        (12, 5, "the entry has neither 'contact' nor 'name'"),
        (12, 12, "'roles' must be a list of at least one role"),
        (13, 10, "this is no public key: it begins neither with 'ed25519:' nor with 'ecdsa-p256:' nor as PEM"),
        (14, 5, "'colour' is not a key of this file"),
        (15, 5, "the entry has both 'contact' and 'name'"),
        (15, 5, "'key' must be a public key"),
        (17, 12, "'roles' must be a list of at least one role"),
        (18, 5, "'just text' is not an entry"),
        (19, 14, "'later' names nobody"),
        (21, 10, "what follows 'ed25519:' is not 32 bytes in base64"),
    ]
    assert "did you mean 'keys'?" in found[1][2]
    assert "did you mean 'gate'?" in found[2][2]


def test_one_key_stands_for_one_person() -> None:
    """Two people with one key could each be the other."""
    text = "plimsoll-trust: 1\nkeys:\n" + trust_entry("a@example.org", [Role.OWNER], A)
    [(line, _, said)] = problems(text + trust_entry("b@example.org", [Role.OWNER], A))

    assert line == 8
    assert "pinned already on line 5" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("[]", "a trust file is a group of keys"),
        ("plimsoll-trust: true\nkeys: []\n", "must be 1"),
        ("keys: []\n", "'plimsoll-trust' is missing"),
        ("plimsoll-trust: 1\n", "'keys' must be a list"),
        ("plimsoll-trust: 1\nkeys: [\n", "not well-formed"),
    ],
)
def test_a_file_of_another_shape_is_said(text: str, says: str) -> None:
    assert any(says in said for _, _, said in problems(text))


def test_a_private_key_pasted_by_mistake_is_named_as_such() -> None:
    pem = "\n".join("      " + line for line in generate().pem.decode().strip().splitlines())
    [(_, _, said)] = problems(f"plimsoll-trust: 1\nkeys:\n  - name: ci\n    roles: [gate]\n    key: |\n{pem}\n")

    assert "a private key where a public one belongs" in said
    assert pem.splitlines()[1].strip() not in said

"""What a governance page may say, and what is said of one that does not."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.errors import InvalidFile, Problem
from plimsoll.model.asked import keys_of
from plimsoll.model.governance import Governance, Ruling
from plimsoll.model.governance_reader import read_governance, read_governance_bytes
from plimsoll.model.governance_schema import GOVERNANCE_SHIPPED, governance_schema, governance_schema_text
from plimsoll.model.hosts import HostPattern, plain_host
from plimsoll.model.manifest import Classification
from plimsoll.model.money import Money, read_amount
from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.yaml_source import load

EXAMPLE = (Path(__file__).parent / "governance_example.yaml").read_text()


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(InvalidFile) as caught:
        read_governance(text, "governance.yaml")
    return list(caught.value.problems)


def changed(old: str, new: str) -> str:
    assert EXAMPLE.count(old) == 1, old
    return EXAMPLE.replace(old, new)


def test_the_example_is_read() -> None:
    governance = read_governance_bytes(EXAMPLE.encode(), "governance.yaml")
    assert governance.places == ("in-process", "own-network", "eu-provider", "us-provider")
    assert governance.data.of(Classification.PERSONAL)["eu-provider"] is Ruling.NEEDS_APPROVAL
    assert governance.exceptions.longest.base == 90 * 86400


FAULTS = [
    ("organisation: Example Mutual Insurance", "organisation: TBD", "governance.unanswered", 2, "name who"),
    ("contact: dpo@example.org", "contact: later", "governance.unanswered", 4, "name who"),
    ("\nreview:\n", "\nreviews:\n", "governance.unknown-key", 19, "did you mean 'review'?"),
    ("[special]", "[specal]", "governance.word", 20, "did you mean 'special'?"),
    ("special:      {in-process: allowed, own-network: forbidden", "special:      {in-process: allowed, own-network: frobidden",
     "governance.word", 16, "did you mean 'forbidden'?"),
    ("public:       {in-process: allowed, ", "public:       {", "governance.no-ruling", 12, "add 'in-process'"),
    ("us-provider: needs-approval", "us-provder: needs-approval", "governance.destination", 13, "did you mean 'us-provider'?"),
    ("  us-provider: {personal: pse", "  us-provider: {}\n  mars: {personal: pse", "governance.destination", 19, "declare it"),
    ("to: eu-provider", "to: eu", "governance.destination", 30, "declare it"),
    ("to: eu-provider", "to: unknown", "governance.destination", 30, "remove it"),
    ("  own-network: {hosts", "  unknown: {hosts: [a.test]}\n  own-network: {hosts", "governance.reserved", 8, "remove it"),
    ("  own-network: {hosts", "  in-process: {hosts: [a.test]}\n  own-network: {hosts", "governance.reserved", 8, "rule on it"),
    ('["*.example.com"]', '["*.example.com", API.eu.example.com]', "governance.host-twice", 10, "leave it in one"),
    ('["*.example.com"]', '["*"]', "governance.host", 10, "name the hosts"),
    ('["*.example.com"]', '["https://api.example.com/v1"]', "governance.host", 10, "write api.example.com alone"),
    ('["*.example.com"]', '["api.example.com:443"]', "governance.host", 10, "write api.example.com alone"),
    ('["*.example.com"]', '["bücher.example"]', "governance.host", 10, "xn--"),
    ('["*.example.com"]', '["*.exa mple.com"]', "governance.host", 10, "write a host"),
    ("10.0.0.0/8", "10.0.0.1/8", "governance.host", 8, "write 10.0.0.0/8"),
    ("10.0.0.0/8", "0.0.0.0/0", "governance.host", 8, "name the hosts"),
    ("own-network: forbidden, eu-provider: forbidden", "own-network: forbidden, eu-provider: allowed",
     "governance.order", 16, "write needs-approval here"),
    ("words: {pii: personal", "words: {personal: special, pii: personal", "governance.word-taken", 23, "remove it"),
    ("approved_by: cro@example.org", "approved_by: cr@example.org", "governance.approver", 32, "did you mean 'cro@example.org'?"),
    ("until: 2027-01-29", "until: 2027-01-30", "governance.exception-longest", 34, "write 2027-01-29 at the latest"),
    ("until: 2027-01-29", "until: 2026-10-01", "governance.exception-ends", 34, "exchange"),
    ("until: 2027-01-29", "until: 2027-02-30", "governance.day", 34, "2027-01-31"),
    ("until: 2027-01-29", "until: 2027-W04-5", "governance.day", 34, "2027-01-31"),
    ("until: 2027-01-29", "until: someday", "governance.unanswered", 34, "name who or what"),
    ("data: personal\n", "data: special\n", "governance.exception-forbidden", 28, "needs-approval"),
    ("governance: 1", "governance: 2", "governance.version", 1, "upgrade"),
    ("governance: 1", 'governance: "1"', "governance.wrong-type", 1, "write 1"),
    ("longest: 90 days", "longest: 90", "governance.quantity", 26, "90 days"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "fix"), FAULTS, ids=[f"{c}-{i}" for i, (_, _, c, _, _) in enumerate(FAULTS)]
)
def test_a_fault_is_named_with_its_place_and_what_to_do(old: str, new: str, code: str, line: int, fix: str) -> None:
    (problem,) = problems_of(changed(old, new))
    assert (problem.code, problem.where.line if problem.where else 0) == (code, line), problem
    assert fix in problem.fix


def test_all_faults_are_found_in_one_pass_in_the_order_of_the_file() -> None:
    text = EXAMPLE
    chosen = [FAULTS[at] for at in (26, 4, 0, 3, 1, 11)]
    for old, new, _, _, _ in chosen:
        text = text.replace(old, new)
    found = problems_of(text)
    assert [p.code for p in found] == [code for _, _, code, _, _ in sorted(chosen, key=lambda fault: fault[3])]


@pytest.mark.parametrize("key", [k for k, v in keys_of(Governance).items() if v.required])
def test_what_a_page_must_say_cannot_be_left_out(key: str) -> None:
    data = load(EXAMPLE, "f").data
    del data[key]
    codes = {p.code for p in problems_of(_yaml(data))}
    assert "governance.missing-key" in codes


@pytest.mark.parametrize(
    "text", ["", "[]", "governance", "7", "governance: 1", "{data: 7, destinations: [], exceptions: {granted: 1}}"]
)
def test_what_is_no_page_is_refused_and_nothing_breaks(text: str) -> None:
    assert problems_of(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["allowed", "personal"]),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["governance", "data", "hosts", "destinations", "exceptions", "granted", "public", "fields", "words", "to"]), inner, max_size=4)))  # fmt: skip
def test_no_value_makes_the_reader_break(value: object) -> None:
    import json  # noqa: PLC0415 - JSON is YAML, and cannot be written wrongly

    with pytest.raises(InvalidFile):
        read_governance(json.dumps(value), "f")


def _yaml(data: object) -> str:
    import yaml  # noqa: PLC0415 - to write, not to read

    return yaml.safe_dump(data, sort_keys=False)


# -- the digest


def test_only_what_decides_how_a_system_runs_is_in_its_digest() -> None:
    digest = read_governance(EXAMPLE, "f").digest_for("claims-reader")

    def changes(old: str, new: str, system: str = "claims-reader") -> bool:
        governance = read_governance(EXAMPLE.replace(old, new), "f")
        return governance.digest_for(system) != digest

    assert not changes("dpo@example.org", "privacy@example.org")
    assert not changes("Pilot of the new reader", "Pilot")
    assert not changes("cro@example.org", "risk@example.org")
    assert not changes('"*.corp.example.org", 10.0.0.0/8', '10.0.0.0/8, "*.corp.example.org"')
    assert changes("us-provider: needs-approval", "us-provider: forbidden")
    assert changes("until: 2027-01-29", "until: 2027-01-28")
    assert changes("pseudonymise", "redact")
    assert changes("api.eu.example.com", "api2.eu.example.com")
    assert changes("consequence: [legal, health]", "consequence: [legal]")
    assert changes("pii: personal", "pii: special")
    assert changes("treat-as-personal", "report")


def test_an_exception_of_one_system_makes_no_new_release_of_another() -> None:
    later = EXAMPLE.replace("until: 2027-01-29", "until: 2027-01-28")
    one, two = (read_governance(t, "f").digest_for("other") for t in (EXAMPLE, later))
    assert one == two


# -- the schema


def test_the_shipped_file_is_what_the_types_give() -> None:
    shipped = resources.files("plimsoll.model").joinpath(GOVERNANCE_SHIPPED).read_text()
    assert shipped == governance_schema_text(), "run `python -m plimsoll.model.governance_schema` and put it there"


def test_it_is_a_draft_07_schema_that_takes_the_example() -> None:
    schema = governance_schema()
    jsonschema_rs.meta.validate(schema)
    validator = jsonschema_rs.Draft7Validator(schema)
    assert list(validator.iter_errors(load(EXAMPLE, "f").data)) == []
    for definition in schema["definitions"].values():
        for example in definition.get("examples", []):
            assert jsonschema_rs.Draft7Validator({**definition}).is_valid(example), example


def test_it_finds_the_faults_of_shape() -> None:
    validator = jsonschema_rs.Draft7Validator(governance_schema())
    for old, new, code, _, _ in FAULTS:
        if code in {"governance.word", "governance.unknown-key", "governance.wrong-type", "governance.quantity"}:
            assert list(validator.iter_errors(load(changed(old, new), "f").data)), new


# -- hosts and money


@pytest.mark.parametrize(
    ("pattern", "named", "not_named"),
    [
        ("api.example.com", ["api.example.com"], ["x.api.example.com", "example.com", "apiXexample.com"]),
        (
            "*.example.com",
            ["a.example.com", "a.b.example.com"],
            ["example.com", "aexample.com", "example.com.evil.test"],
        ),
        ("10.0.0.0/8", ["10.1.2.3"], ["11.0.0.1", "10.example.com", "::ffff:10.0.0.1"]),
        ("2001:db8::/32", ["2001:db8::7"], ["2001:db9::7", "10.0.0.1"]),
        ("192.0.2.7", ["192.0.2.7"], ["192.0.2.70", "192.0.2"]),
    ],
)
def test_a_pattern_names_its_hosts_and_no_others(pattern: str, named: list[str], not_named: list[str]) -> None:
    read = HostPattern.parse(pattern)
    assert all(read.rank(plain_host(h)) for h in named)
    assert not any(read.rank(plain_host(h)) for h in not_named)


@given(st.text(max_size=40))
def test_any_text_is_a_host_or_none_and_nothing_breaks(text: str) -> None:
    host = plain_host(text)
    assert host == "" or plain_host(host) == host
    try:
        pattern = HostPattern.parse(text)
    except NotUnderstood:
        return
    assert pattern.text


def test_odd_ways_to_write_an_address_are_no_host_of_a_network() -> None:
    network = HostPattern.parse("127.0.0.0/8")
    assert network.rank("127.0.0.1")
    for odd in ("2130706433", "0x7f.1", "127.1", "0177.0.0.1"):
        assert not network.rank(plain_host(odd))


@pytest.mark.parametrize(("text", "amount"), [("50 EUR", "50"), ("0.10USD", "0.10"), ("  7.5   CHF ", "7.5")])
def test_money_is_read_as_written(text: str, amount: str) -> None:
    assert str(Money.parse(text).amount) == amount


@pytest.mark.parametrize(
    "text",
    ["50", "EUR", "-1 EUR", "1e3 EUR", "1,000 EUR", "50 eur", "50 EURO", "", "1.2.3 EUR", "1234567890123456 EUR"],
)
def test_what_is_no_money_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        Money.parse(text)


@pytest.mark.parametrize("data", [-1, "-1", "x", 0.1 + 0.2, 1e-300, 1e300, True, None, [], "1e3", float("nan")])
def test_what_is_no_price_is_refused(data: object) -> None:
    with pytest.raises(NotUnderstood):
        read_amount(data)

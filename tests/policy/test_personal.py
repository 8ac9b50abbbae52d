"""What is found in texts, what is not, that no value is told, and that no text can make it slow."""

from __future__ import annotations

import doctest
import time

import pytest
from benchmarks import personal as generated
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.policy import identifiers, personal, personal_forms, pseudonyms, spend
from plimsoll.policy.personal import scan, scan_text


def found(text: str, name: str = "") -> list[tuple[str, str]]:
    return [(s.kind.value, text[s.start : s.end]) for s in scan_text(text, name)]


@pytest.mark.parametrize("module", [identifiers, personal, personal_forms, pseudonyms, spend])
def test_the_examples_of_a_module_hold(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Write to ann.lee+x@mail.example.co.uk.", "email", "ann.lee+x@mail.example.co.uk"),
        ("<jürgen@bücher.example>", "email", "jürgen@bücher.example"),
        ("IBAN DE89 3704 0044 0532 0130 00!", "iban", "DE89 3704 0044 0532 0130 00"),
        ("gb29nwbk60161331926819", "iban", "gb29nwbk60161331926819"),
        ("MT84MALT011000012345MTLCAST001S", "iban", "MT84MALT011000012345MTLCAST001S"),
        ("card 4111-1111-1111-1111 exp 12/27", "card", "4111-1111-1111-1111"),
        ("x=378282246310005;", "card", "378282246310005"),
        ("3782 822463 10005", "card", "3782 822463 10005"),
        ("2 55 08 14 168 025 38", "fr-nir", "2 55 08 14 168 025 38"),
        ("255082A16802597", "fr-nir", "255082A16802597"),
        ("rssmra85t10a562s", "it-codice-fiscale", "rssmra85t10a562s"),
        ("IdNr. 86 095 742 719", "de-steuer-id", "86 095 742 719"),
        ("DNI 12345678-Z", "es-dni", "12345678-Z"),
        ("NIE X1234567L", "es-dni", "X1234567L"),
        ("536-90-4399", "us-ssn", "536-90-4399"),
        ("my social security number is 536904399", "us-ssn", "536904399"),
        ("AB 12 34 56 C", "uk-nino", "AB 12 34 56 C"),
        ("bsn 111222333", "nl-bsn", "111222333"),
        ("call +49 (0)30 1234-567 today", "phone", "+49 (0)30 1234-567"),
        ("00441632960961", "phone", "00441632960961"),
        ("(555) 234-5678", "phone", "(555) 234-5678"),
        ("01.23.45.67.89", "phone", "01.23.45.67.89"),
        ("0171/1234567", "phone", "0171/1234567"),
        ("Tel.: 0301234567", "phone", "0301234567"),
        ("order 1234 4111 1111 1111 1111", "card", "4111 1111 1111 1111"),  # behind digits that are no card with it
        ("NIE X-1234567-L", "es-dni", "X-1234567-L"),
        ("NINO AB 123456 C", "uk-nino", "AB 123456 C"),
    ],
)
def test_it_is_found_with_its_place(text, kind, value):
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "", "@", "a@b", "@team", "ann@localhost", "3 @ 2.50 each", "2026-11-25T12:30:00.123456+01:00", "01.02.2026 14:30",
        "12,345,678.90", "4111111111111112", "1234567812345670", "DE88370400440532013000", "86095742718", "12345678A",
        "666-12-3456", "000-12-3456", "GB 12 34 56 C", "111222333", "192.168.100.200", "v1.2.3456789",
        "550e8400-e29b-41d4-a716-446655440000", "0x4111111111111111", "abc4111111111111111", "41111111111111111111",
        "978-3-16-148410-0", "Room 030, floor 12", "rssmra85t10a562t",
    ],
)  # fmt: skip
def test_it_is_not_taken_for_personal(text):
    assert found(text) == []


def test_what_is_found_twice_is_told_once_as_the_surer():
    assert found("phone 4111 1111 1111 1111") == [("card", "4111 1111 1111 1111")]
    assert found("ann@example.org 0171/1234567 ann@example.org") == [
        ("email", "ann@example.org"), ("phone", "0171/1234567"), ("email", "ann@example.org"),
    ]  # fmt: skip


def test_the_name_of_a_field_says_what_its_digits_are():
    assert found("301234567", "phone_number") == [("phone", "301234567")]
    assert found("111222333", "bsn") == [("nl-bsn", "111222333")]
    assert found("536904399", "customer_ssn") == [("us-ssn", "536904399")]
    assert found("301234567", "order") == []


def test_findings_name_the_kind_and_the_place_and_never_the_value():
    record = {
        "note": "x ann@example.org",
        "lines": [{"a/b": 4111111111111111}],
        "bob@example.org": {"deep": "0171/1234567"},
    }
    findings = list(scan(record))
    assert {(f.kind.value, f.path, f.in_name) for f in findings} == {
        ("email", "/*", True), ("email", "/note", False), ("card", "/lines/0/a~1b", False), ("phone", "/*/deep", False),
    }  # fmt: skip
    said = repr(findings)
    assert not any(value in said for value in ("ann", "bob", "4111", "0171"))


def test_a_value_that_holds_itself_is_given_up():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="100,000 characters"):
        list(scan(loop))


# -- check digits


@given(st.data())
def test_one_wrong_digit_is_noticed(data):
    """Every check here finds each single wrong digit; that is what it is for."""
    kind = data.draw(st.sampled_from(["iban", "card", "de-steuer-id", "es-dni", "fr-nir", "nl-bsn"]))
    r = data.draw(st.randoms(use_true_random=False))
    holds = {
        "iban": identifiers.is_iban,
        "card": identifiers.luhn,
        "de-steuer-id": identifiers.is_de_steuer_id,
        "es-dni": identifiers.is_es_dni,
        "fr-nir": identifiers.is_fr_nir,
        "nl-bsn": identifiers.is_nl_bsn,
    }[kind]
    text = "".join(c for c in generated.PERSONAL[kind](r) if c.isalnum())
    if kind == "nl-bsn":
        text = text[-9:]
    assert holds(text)
    at = data.draw(st.sampled_from([i for i, c in enumerate(text) if c.isdigit()]))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != text[at]]))
    assert not holds(text[:at] + other + text[at + 1 :])


# -- bounded time

REPEATED = [
    "a@a.", "a1 ", "1 ", "a", "1", "@", "a@", "1-", "+1", "DE12 ", "tel ", "a.", "0 ", "(0", "x@y.zz ", "A1B2", "4" * 19 + " ",
    "1" * 19 + "a", "AA11", "RSSMRA85T10A562S ", "é", "111-11-1111 ", "tel 1234567 ", "4111 1111 1111 1111 ", "ssn", "1()./ -",
    "a-a.", "[" , "\x00", "+(1)", "0123 ", "DE00" * 8, "X1234567L-",
]  # fmt: skip


@pytest.mark.parametrize("piece", REPEATED)
def test_the_time_grows_with_the_length_and_with_nothing_else(piece):
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            scan_text(text)
            best = min(best, time.process_time() - began)
        return best

    short, long = seconds(30_000), seconds(300_000)
    # Ten times the text takes ten times as long; a quadratic pattern takes a hundred times. 0.5 s is far from both.
    assert long < max(40 * short, 0.1), (short, long)
    assert long < 2.0


@given(st.text(alphabet="01 9-./()+@aAzZ,:X\n", max_size=400))
def test_any_text_gives_spans_that_are_inside_it_and_apart(text):
    spans = scan_text(text)
    at = 0
    for span in spans:
        assert at <= span.start < span.end <= len(text)
        at = span.end


# -- rates


def test_the_rates_are_those_that_the_reference_shows():
    from docs.pages import DOCS  # noqa: PLC0415 - beside the only test that reads it

    table = generated.table(generated.measure())
    assert table in (DOCS / "reference" / "governance.md").read_text(encoding="utf-8"), f"write it there:\n{table}"


def test_what_is_found_does_not_depend_on_its_neighbours():
    """A codice fiscale with letters for digits has too few digits to be looked for, beside a number too."""
    assert found("RSSMRA85TMLARSNS") == found("RSSMRA85TMLARSNS 7 12345678") == []
    alone, beside = found("X-1234567-L"), found("X-1234567-L, 99 12345678")
    assert alone == beside == [("es-dni", "X-1234567-L")]

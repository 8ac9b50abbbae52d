from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plimsoll.model.not_understood import NotUnderstood
from plimsoll.model.quantity import Quantity, UnitKind, example_of, units_of

UNITS = ["%", "ms", "s", "min", "h", "day", "days", "x", "/s", "/day", ""]


@pytest.mark.parametrize(
    ("text", "kind", "base"),
    [
        ("300ms", UnitKind.DURATION, 0.3),
        ("0.5 %", UnitKind.RATIO, 0.005),
        (" 3x ", UnitKind.MULTIPLE, 3.0),
        ("50/s", UnitKind.RATE, 50.0),
        ("50 /s", UnitKind.RATE, 50.0),
        ("86400/day", UnitKind.RATE, 1.0),
        ("1 day", UnitKind.DURATION, 86400.0),
        ("7 days", UnitKind.DURATION, 604800.0),
        ("1.5h", UnitKind.DURATION, 5400.0),
        ("2min", UnitKind.DURATION, 120.0),
        ("0", UnitKind.COUNT, 0.0),
        (".5s", UnitKind.DURATION, 0.5),
        ("1e3ms", UnitKind.DURATION, 1.0),
        ("-3 s", UnitKind.DURATION, -3.0),
    ],
)
def test_a_quantity_is_a_number_with_a_unit(text: str, kind: UnitKind, base: float) -> None:
    quantity = Quantity.parse(text)
    assert (quantity.kind, quantity.base) == (kind, base)


@pytest.mark.parametrize(
    "text", ["", "ms", "TBD", "3 parsecs", "1,5s", "1:30", "3x3", "nan", "inf", "1e999s", "٣ms", "5%%", "1 s s", "0x10"]
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood):
        Quantity.parse(text)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("3 sec", "s"),
        ("3 minutes", "min"),
        ("3m", "min"),
        ("3 hours", "h"),
        ("5 percent", "%"),
        ("9 rps", "/s"),
        ("3 MS", "ms"),
        ("3 dyas", "days"),
        ("3/second", "/s"),
    ],
)
def test_a_unit_that_was_meant_is_named(text: str, unit: str) -> None:
    with pytest.raises(NotUnderstood) as caught:
        Quantity.parse(text)
    assert caught.value.fix == f"did you mean '{unit}'?"


@given(amount=st.floats(allow_nan=False, allow_infinity=False), unit=st.sampled_from(UNITS))
def test_what_is_written_reads_back_as_the_same_number(amount: float, unit: str) -> None:
    assume(math.isfinite(amount * 86400))
    quantity = Quantity(amount, unit)
    assert Quantity.parse(str(quantity)) == quantity


@given(one=st.floats(0, 1e6), two=st.floats(0, 1e6))
def test_order_is_that_of_the_base_values(one: float, two: float) -> None:
    a, b = Quantity(one, "ms"), Quantity(two, "min")
    assert (a < b) == (a.base < b.base)
    assert (a > b) == (a.base > b.base)


def test_unlike_things_are_not_compared() -> None:
    with pytest.raises(ValueError, match="do not measure the same thing"):
        _ = Quantity(1, "s") < Quantity(1, "%")


def test_two_limits_that_differ_in_the_seventh_digit_are_written_differently() -> None:
    assert str(Quantity.parse("0.1234567%")) != str(Quantity.parse("0.1234568%"))
    assert str(Quantity.parse("1234567/day")) == "1234567/day"


def test_a_quantity_beyond_what_a_number_can_hold_is_refused() -> None:
    with pytest.raises(NotUnderstood, match="finite"):
        Quantity(1e308, "days")
    with pytest.raises(NotUnderstood, match="finite"):
        Quantity(math.nan, "s")


@given(base=st.floats(1e-6, 1e6), unit=st.sampled_from(UNITS))
def test_another_figure_in_the_same_unit_keeps_three_digits(base: float, unit: str) -> None:
    shown = Quantity.parse(Quantity(1, unit).like(base))
    assert shown.base == pytest.approx(base, rel=0.005)


@pytest.mark.parametrize("kind", list(UnitKind))
def test_every_kind_has_units_and_an_example_of_its_own(kind: UnitKind) -> None:
    assert Quantity.parse(example_of(kind)).kind is kind
    assert all(Quantity(1, unit).kind is kind for unit in units_of(kind))

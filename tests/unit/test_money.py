from decimal import Decimal, Inexact, InvalidOperation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.rules.money import ZERO, exact, plain, trimmed


@given(st.decimals(min_value=0, max_value=10**12, places=30))
def test_a_printed_amount_has_no_exponent_and_reads_back_as_the_same_digits(
    dollars: Decimal,
) -> None:
    printed = plain(dollars)
    assert "E" not in printed.upper()
    assert Decimal(printed).as_tuple() == dollars.as_tuple()


@pytest.mark.parametrize(
    ("dollars", "printed"),
    [
        ("1E-7", "0.0000001"),
        ("1E-30", "0.000000000000000000000000000001"),
        ("0E-10", "0.0000000000"),
        ("1E+3", "1000"),
        ("0.001000", "0.001000"),
        ("0.012493750000000001", "0.012493750000000001"),
    ],
)
def test_an_amount_is_printed_digit_by_digit(dollars: str, printed: str) -> None:
    assert plain(Decimal(dollars)) == printed


def test_a_sum_keeps_every_digit_where_the_default_context_would_round() -> None:
    large, small = Decimal(999_999_999_999), Decimal("1E-30")
    assert large + small == large
    with exact():
        assert plain(large + small) == "999999999999.000000000000000000000000000001"


def test_a_sum_that_would_lose_a_digit_is_an_error() -> None:
    with exact(), pytest.raises(Inexact):
        Decimal(1) / Decimal(3)
    with exact(), pytest.raises(InvalidOperation):
        Decimal("Infinity") - Decimal("Infinity")


def test_the_context_ends_with_its_block() -> None:
    with exact():
        pass
    assert Decimal(1) / Decimal(3) != ZERO


def test_a_computed_amount_loses_the_zeros_at_its_end_and_nothing_else() -> None:
    for written, shown in [("1.500", "1.5"), ("500", "500"), ("0E-30", "0"), ("120.00", "120")]:
        assert plain(trimmed(Decimal(written))) == shown
    long = Decimal("123456789012.123456789012345678901234567891")
    assert trimmed(long) == long

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from components import formats
from data.rules.calendar import Preset, Window, resolve, whole_days

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        ("0", "$0.0000"),
        ("0.01249375", "$0.0125"),
        ("0.00005", "$0.0001"),
        ("0.00004999", "<$0.0001"),
        ("12.48", "$12.4800"),
        ("1204.5", "$1,204.5000"),
        ("0.61435", "$0.6144"),
        ("999999999999.999949999999999999999999999999", "$999,999,999,999.9999"),
    ],
)
def test_a_rows_dollars_have_four_decimals_rounded_half_up(dollars: str, text: str) -> None:
    assert formats.row_dollars(Decimal(dollars)) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        ("0", "$0.00"),
        ("500", "$500.00"),
        ("500.000", "$500.00"),
        ("12.345", "$12.345"),
        ("10.00005", "$10.00005"),
        ("0.00001", "$0.00001"),
        ("1234567.8", "$1,234,567.80"),
        ("1E+6", "$1,000,000.00"),
    ],
)
def test_a_limit_has_its_cents_and_every_further_digit(dollars: str, text: str) -> None:
    assert formats.limit_dollars(Decimal(dollars)) == text


@pytest.mark.parametrize(
    ("dollars", "part", "shown"),
    [
        ("0.0813", "0.0213", ("$0.0600", "$0.0213")),
        # 0.05995 and 0.02125 would each be rounded up to more than the whole.
        ("0.0812", "0.02125", ("$0.0599", "$0.0213")),
        ("0.5", "0.00001", ("$0.5000", "<$0.0001")),
        ("0.5", "0.5", ("$0.0000", "$0.5000")),
    ],
)
def test_the_parts_of_a_cost_add_up_as_shown(
    dollars: str, part: str, shown: tuple[str, str]
) -> None:
    assert formats.split_dollars(Decimal(dollars), Decimal(part)) == shown


def test_exact_dollars_show_every_digit_and_no_exponent() -> None:
    assert formats.exact_dollars(Decimal("1E-7")) == "$0.0000001"
    assert formats.exact_dollars(Decimal("0.012493750000000001")) == "$0.012493750000000001"
    longest = "999999999999.999999999999999999999999999999"
    assert formats.exact_dollars(Decimal(longest)) == f"${longest}"
    assert formats.exact_dollars(Decimal(f"-{longest}")) == f"\N{MINUS SIGN}${longest}"


def test_counts_are_written_in_full() -> None:
    assert formats.count(91_167_718) == "91,167,718"


def test_times_are_those_of_the_reporting_zone() -> None:
    instant = datetime(2026, 11, 1, 23, 38, 4, 999_999, tzinfo=UTC)
    assert formats.second(instant, ZoneInfo("UTC")) == "1 Nov 2026 23:38:04"
    assert formats.second(instant, BERLIN) == "2 Nov 2026 00:38:04"
    assert formats.minute(instant, BERLIN) == "2 Nov 2026 00:38"


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (41_799, "41.8 s"),
        (41_750, "41.8 s"),
        (59_949, "59.9 s"),
        (59_950, "1 min 00 s"),
        (123_000, "2 min 03 s"),
        (3_599_499, "59 min 59 s"),
        (3_599_500, "1 h 00 min"),
        (3_720_000, "1 h 02 min"),
        (2_147_483_647, "596 h 31 min"),
        (36_000_000_000, "10,000 h 00 min"),
    ],
)
def test_a_duration_has_as_many_digits_as_one_reads(milliseconds: int, text: str) -> None:
    assert formats.duration(milliseconds) == text


def test_what_ran_over_midnight_names_both_days() -> None:
    start = datetime(2026, 11, 1, 22, 59, 30, tzinfo=UTC)
    end = datetime(2026, 11, 1, 23, 1, 2, tzinfo=UTC)
    utc = ZoneInfo("UTC")
    assert formats.seconds(start, end, utc) == "1 Nov 2026 22:59:30 – 23:01:02"
    assert formats.seconds(start, end, BERLIN) == "1 Nov 2026 23:59:30 – 2 Nov 2026 00:01:02"
    assert formats.seconds(start, None, utc) == "1 Nov 2026 22:59:30"


def test_a_window_of_whole_days_is_written_by_its_days() -> None:
    october = whole_days(date(2026, 10, 1), date(2026, 10, 31), BERLIN)
    assert formats.window_in_words(october, BERLIN) == "1 Oct 2026 – 31 Oct 2026 Europe/Berlin"
    assert formats.days_shown(october, BERLIN) == (date(2026, 10, 1), date(2026, 10, 31))
    single = whole_days(date(2026, 10, 25), date(2026, 10, 25), BERLIN)
    assert formats.window_in_words(single, BERLIN) == "25 Oct 2026 Europe/Berlin"


def test_a_preset_is_written_with_its_name_to_the_minute() -> None:
    window = resolve(Preset.DAYS_30, datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC), ZoneInfo("UTC"))
    assert (
        formats.window_in_words(window, ZoneInfo("UTC"))
        == "30d: 23 Oct 2026 12:00 – 22 Nov 2026 12:00 UTC"
    )


def test_the_first_instant_of_a_month_has_an_empty_window_that_can_be_written() -> None:
    first = datetime(2026, 11, 1, tzinfo=UTC)
    window = resolve(Preset.MONTH_TO_DATE, first, ZoneInfo("UTC"))
    assert window == Window(first, first, Preset.MONTH_TO_DATE)
    assert (
        formats.window_in_words(window, ZoneInfo("UTC"))
        == "MTD: 1 Nov 2026 00:00 – 1 Nov 2026 00:00 UTC"
    )
    assert formats.days_shown(window, ZoneInfo("UTC")) == (date(2026, 11, 1), date(2026, 11, 1))

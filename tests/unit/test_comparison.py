"""What a window is compared with."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.rules.calendar import Span
from data.rules.comparison import comparison_of
from tests.support.platform import utc

BERLIN = ZoneInfo("Europe/Berlin")
LATER = utc("2030-01-01")


@pytest.mark.parametrize(
    ("window", "previous"),
    [
        # A rolling window: as long a span that ends where it starts.
        (("2026-11-15 09:30", "2026-11-22 09:30"), ("2026-11-08 09:30", "2026-11-15 09:30")),
        # Month to date: the same days of last month, at the same time.
        (("2026-11-01", "2026-11-22 09:30"), ("2026-10-01", "2026-10-22 09:30")),
        (("2026-03-01", "2026-03-30 09:30"), ("2026-02-01", "2026-03-01")),
        (("2026-11-01", "2026-11-01"), ("2026-10-01", "2026-10-01")),
        # Whole months: as many before.
        (("2026-10-01", "2026-11-01"), ("2026-09-01", "2026-10-01")),
        (("2026-01-01", "2026-04-01"), ("2025-10-01", "2026-01-01")),
        # Whole days: as many before.
        (("2026-11-03", "2026-11-05"), ("2026-11-01", "2026-11-03")),
        (("2026-11-01", "2026-11-06"), ("2026-10-01", "2026-10-06")),
        # One day, whichever it is: the day before.
        (("2026-11-01", "2026-11-02"), ("2026-10-31", "2026-11-01")),
        (("2026-11-02", "2026-11-03"), ("2026-11-01", "2026-11-02")),
    ],
)
def test_a_window_is_compared_with_the_one_before(
    window: tuple[str, str], previous: tuple[str, str]
) -> None:
    assert comparison_of(Span(*map(utc, window)), UTC, LATER) == Span(*map(utc, previous))


def test_days_and_months_are_those_of_the_zone() -> None:
    # 25 October has 25 hours in Berlin.
    day = Span(utc("2026-10-24 22:00"), utc("2026-10-25 23:00"))
    assert comparison_of(day, BERLIN, LATER) == Span(
        utc("2026-10-23 22:00"), utc("2026-10-24 22:00")
    )
    to_date = Span(utc("2026-10-31 23:00"), utc("2026-11-22 09:30"))
    assert comparison_of(to_date, BERLIN, LATER) == Span(
        utc("2026-09-30 22:00"), utc("2026-10-22 08:30")
    )


def test_before_all_days_there_is_nothing_to_compare_with() -> None:
    assert comparison_of(Span(utc("1970-01-01"), utc("1970-02-01")), UTC, LATER) is None
    assert comparison_of(Span(utc("1970-01-01 05:00"), utc("9999-01-01")), UTC, LATER) is None


@pytest.mark.parametrize(
    ("window", "previous"),
    [
        # Today.
        (("2026-11-25", "2026-11-26"), ("2026-11-24", "2026-11-24 20:16")),
        (("2026-11-23", "2026-11-28"), ("2026-11-18", "2026-11-20 20:16")),
        # This month, and months up to this one.
        (("2026-11-01", "2026-12-01"), ("2026-10-01", "2026-10-25 20:16")),
        (("2026-11-01", "2026-11-29"), ("2026-10-01", "2026-10-25 20:16")),
        (("2026-09-01", "2026-12-01"), ("2026-06-01", "2026-08-25 20:16")),
        # Anything else.
        (("2026-11-25 18:16", "2026-11-25 22:16"), ("2026-11-25 14:16", "2026-11-25 16:16")),
        # What has not begun is compared as a whole.
        (("2026-11-26", "2026-11-28"), ("2026-11-24", "2026-11-26")),
    ],
)
def test_what_has_passed_of_a_window_is_compared_with_as_much(
    window: tuple[str, str], previous: tuple[str, str]
) -> None:
    now = utc("2026-11-25 20:16")
    assert comparison_of(Span(*map(utc, window)), UTC, now) == Span(*map(utc, previous))


instants = st.integers(0, 10**7).map(lambda minutes: utc("2020-01-01") + timedelta(0, minutes * 60))


@given(
    ends=st.tuples(instants, instants).map(sorted),
    now=instants,
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana"]),
)
def test_it_lies_before_the_window_and_is_no_longer_than_a_day_more(
    ends: list[datetime], now: datetime, zone: str
) -> None:
    window = Span(*ends)
    previous = comparison_of(window, ZoneInfo(zone), now)
    assert previous
    assert previous.start <= previous.end <= window.start
    assert previous.end - previous.start <= window.end - window.start + timedelta(days=4)

"""What a window is compared with, and the steps it is drawn in."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.periods import Span
from data.steps import Unit, previous_of, steps_of, unit_of
from tests.platform import utc

BERLIN = ZoneInfo("Europe/Berlin")


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
    ],
)
def test_a_window_is_compared_with_the_one_before(
    window: tuple[str, str], previous: tuple[str, str]
) -> None:
    assert previous_of(Span(*map(utc, window)), UTC) == Span(*map(utc, previous))


def test_days_and_months_are_those_of_the_zone() -> None:
    # 25 October has 25 hours in Berlin.
    day = Span(utc("2026-10-24 22:00"), utc("2026-10-25 23:00"))
    assert previous_of(day, BERLIN) == Span(utc("2026-10-23 22:00"), utc("2026-10-24 22:00"))
    to_date = Span(utc("2026-10-31 23:00"), utc("2026-11-22 09:30"))
    assert previous_of(to_date, BERLIN) == Span(utc("2026-09-30 22:00"), utc("2026-10-22 08:30"))


def test_before_all_days_there_is_nothing_to_compare_with() -> None:
    assert previous_of(Span(utc("1970-01-01"), utc("1970-02-01")), UTC) is None
    assert previous_of(Span(utc("1970-01-01 05:00"), utc("9999-01-01")), UTC) is None


@pytest.mark.parametrize(
    ("window", "unit", "count"),
    [
        (("2026-11-21 09:30", "2026-11-22 09:30"), Unit.HOUR, 25),
        (("2026-11-21", "2026-11-23"), Unit.HOUR, 48),
        (("2026-11-15 09:30", "2026-11-22 09:30"), Unit.DAY, 8),
        (("2026-01-01", "2027-01-01"), Unit.DAY, 365),
        (("2024-01-01", "2027-01-01"), Unit.MONTH, 36),
    ],
)
def test_the_unit_follows_the_length(window: tuple[str, str], unit: Unit, count: int) -> None:
    span = Span(*map(utc, window))
    assert unit_of(span) is unit
    assert len(steps_of(span, unit, UTC)) == count


instants = st.integers(0, 10**7).map(lambda minutes: utc("2020-01-01") + timedelta(0, minutes * 60))


@given(
    ends=st.tuples(instants, instants).map(sorted),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana"]),
)
def test_steps_make_up_the_window(ends: list[datetime], zone: str) -> None:
    start, end = ends
    window = Span(start, end)
    steps = steps_of(window, unit_of(window), ZoneInfo(zone))
    if window.start == window.end:
        assert steps == []
        return
    assert (steps[0].start, steps[-1].end) == (start, end)
    assert all(before.end == after.start for before, after in pairwise(steps))
    assert all(step.start < step.end for step in steps)

"""Periods of subscriptions against a calendar that is walked month by month."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.rules.calendar import EVER, LAST_DAY, day_start
from data.rules.cycles import Endless, Interval, Months, Steps
from tests.support.periods import walked
from tests.support.platform import utc

MICROSECOND = timedelta(microseconds=1)
ZONES = [UTC, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]

anchors = st.builds(
    lambda day, time: day.replace(hour=time // 60, minute=time % 60),
    st.sampled_from(
        [utc(f"2026-{month:02}-{day}") for month in (1, 3, 4, 12) for day in (28, 29, 30)]
        + [utc("2026-01-31"), utc("2026-05-31"), utc("2024-02-29"), utc("2026-02-28")]
    ),
    st.integers(0, 1439),
)
instants = st.integers(0, 15 * 365 * 86_400).map(
    lambda seconds: utc("2019-01-01") + timedelta(seconds=seconds)
)


@given(anchors, instants, st.sampled_from(Interval), st.sampled_from(ZONES))
@example(utc("2024-02-29"), utc("2028-02-29"), Interval.YEAR, UTC)
@example(utc("2024-02-29"), utc("2025-02-28"), Interval.YEAR, UTC)
@example(utc("2026-01-31 18:30"), utc("2026-02-28 18:30"), Interval.MONTH, ZONES[2])
def test_a_period_lies_between_two_neighbours_of_a_calendar_that_is_walked(
    anchor: datetime, instant: datetime, interval: Interval, zone: ZoneInfo
) -> None:
    steps = Steps.of(anchor, None, interval, zone)
    starts = list(walked(anchor, anchor.day, yearly=interval is Interval.YEAR))
    later = next(place for place, start in enumerate(starts) if start > instant)
    held = steps.at(instant)
    assert (held.span.start, held.span.end) == (starts[later - 1], starts[later])
    assert held.reconstructed == (starts[later - 1] < anchor)


@given(anchors, instants, st.sampled_from(Interval), st.sampled_from(ZONES))
def test_periods_follow_on_each_other_without_a_gap_or_an_overlap(
    anchor: datetime, instant: datetime, interval: Interval, zone: ZoneInfo
) -> None:
    steps = Steps.of(anchor, None, interval, zone)
    span = steps.at(instant).span
    assert instant in span
    assert steps.at(span.start).span == steps.at(span.end - MICROSECOND).span == span
    assert steps.at(span.end).span.start == span.end
    assert steps.at(span.start - MICROSECOND).span.end == span.start


@pytest.mark.parametrize(
    ("start", "end", "starts"),
    [
        # One end on the last day of its month tells nothing that the other does not.
        ("2026-01-31", "2026-02-28", ["01-31", "02-28", "03-31", "04-30"]),
        ("2026-02-28", "2026-03-31", ["01-31", "02-28", "03-31", "04-30"]),
        ("2026-02-28", "2026-03-30", ["01-30", "02-28", "03-30", "04-30"]),
        ("2026-02-28", "2026-03-28", ["01-28", "02-28", "03-28", "04-28"]),
        ("2026-04-30", "2026-05-31", ["03-31", "04-30", "05-31", "06-30"]),
        ("2026-04-30", "2026-05-30", ["03-30", "04-30", "05-30", "06-30"]),
        ("2026-01-30", "2026-02-28", ["01-30", "02-28", "03-30", "04-30"]),
        ("2026-11-05 09:15", "2026-12-05 09:15", ["10-05", "11-05", "12-05"]),
        # What is stored starts where it says, wherever it is to end.
        ("2026-11-05", "2026-11-30", ["10-05", "11-05", "12-05"]),
        ("2026-11-05", "2026-11-01", ["10-05", "11-05", "12-05"]),
        ("2026-11-05", None, ["10-05", "11-05", "12-05"]),
    ],
)
def test_the_day_of_the_anchor_is_the_greater_one_where_the_other_is_its_months_last(
    start: str, end: str | None, starts: list[str]
) -> None:
    steps = Steps.of(utc(start), utc(end) if end else None, None, UTC)
    held = steps.at(utc(f"2026-{starts[0]} 12:00"))
    found = [held.span.start]
    while len(found) < len(starts):
        held = steps.at(held.span.end)
        found.append(held.span.start)
    time = utc(start).time()
    assert [f"{at:%m-%d}" for at in found] == starts
    assert {at.time() for at in found} == {time}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-11-05", "2026-12-05", ("2026-11-05", "2026-12-05")),
        ("2026-11-05", "2027-02-05", ("2026-11-05", "2026-12-05")),
        ("2026-11-05", "2027-11-05", ("2026-11-05", "2027-11-05")),
        ("2024-02-29", "2025-02-28", ("2026-02-28", "2027-02-28")),
        ("2027-02-28", "2028-02-29", ("2026-02-28", "2027-02-28")),
    ],
)
def test_an_interval_that_is_not_stored_is_a_year_where_the_period_is_long(
    start: str, end: str, expected: tuple[str, str]
) -> None:
    span = Steps.of(utc(start), utc(end), None, UTC).at(utc("2026-11-28")).span
    assert (span.start, span.end) == tuple(map(utc, expected))


def test_the_interval_that_is_stored_counts_whatever_the_period_says() -> None:
    start, end = utc("2026-11-05"), utc("2027-11-05")
    assert Steps.of(start, end, Interval.MONTH, UTC).at(start).span.end == utc("2026-12-05")
    yearly = Steps.of(start, utc("2026-12-05"), Interval.YEAR, UTC)
    assert yearly.at(start).span.end == end


@pytest.mark.parametrize(
    ("zone", "anchor", "instant", "name"),
    [
        (UTC, "2026-11-05", "2026-11-28", "5 Nov – 5 Dec"),
        (UTC, "2026-11-05", "2026-12-28", "5 Dec 2026 – 5 Jan 2027"),
        # The same instants, as the calendar of the zone shows them.
        (ZONES[1], "2026-11-05", "2026-11-28", "4 Nov – 4 Dec"),
        (ZONES[2], "2026-10-31 20:00", "2026-11-28", "1 Nov – 1 Dec"),
    ],
)
def test_a_period_is_named_by_its_days_in_the_reporting_zone(
    zone: ZoneInfo, anchor: str, instant: str, name: str
) -> None:
    assert Steps.of(utc(anchor), None, None, zone).at(utc(instant)).name == name


@pytest.mark.parametrize("interval", Interval)
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "anchor", ["1970-01-31", "2026-11-05 09:15", "2024-02-29", "2026-12-31 23:00"]
)
def test_whatever_a_window_can_show_lies_in_a_period(
    interval: Interval, zone: ZoneInfo, anchor: str
) -> None:
    steps = Steps.of(utc(anchor), None, interval, zone)
    end = day_start(LAST_DAY, zone) + timedelta(days=1)
    for instant in (EVER.start, utc("1970-01-01"), end - MICROSECOND, EVER.end - MICROSECOND):
        held = steps.at(instant)
        assert instant in held.span
        assert held.name


def test_months_are_never_reconstructed_and_the_endless_period_is_named_so() -> None:
    month = Months(ZONES[1]).at(utc("2026-11-01 03:59"))
    assert (month.name, month.reconstructed) == ("October", False)
    endless = Endless().at(utc("2026-11-28"))
    assert (endless.span, endless.name) == (EVER, "since the beginning")
    assert utc("1970-01-01") in endless.span

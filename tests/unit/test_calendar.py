import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.rules.calendar import (
    FIRST_DAY,
    LAST_DAY,
    Preset,
    Span,
    Window,
    day_start,
    days_of,
    local_day,
    month_at,
    resolve,
    slices,
    whole_days,
)
from tests.support.platform import utc

MICROSECOND = timedelta(microseconds=1)
HAVANA = ZoneInfo("America/Havana")
NEW_YORK = ZoneInfo("America/New_York")
SANTIAGO = ZoneInfo("America/Santiago")
KOLKATA = ZoneInfo("Asia/Kolkata")
KIRITIMATI = ZoneInfo("Pacific/Kiritimati")

MONTH_STARTS = [
    ("UTC", date(2026, 11, 1), "2026-11-01 00:00"),
    ("Asia/Kolkata", date(2026, 11, 1), "2026-10-31 18:30"),
    ("America/New_York", date(2026, 11, 1), "2026-11-01 04:00"),
    ("America/New_York", date(2026, 12, 1), "2026-12-01 05:00"),
    ("America/Havana", date(2026, 11, 1), "2026-11-01 04:00"),
    ("America/Santiago", date(2026, 9, 1), "2026-09-01 04:00"),
    ("America/Santiago", date(2026, 10, 1), "2026-10-01 03:00"),
    ("Pacific/Kiritimati", date(2026, 11, 1), "2026-10-31 10:00"),
    ("Pacific/Kiritimati", date(1995, 1, 1), "1994-12-31 10:00"),
]

zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
instants = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis takes naive bounds and adds the zone
    max_value=datetime(2037, 12, 31),  # noqa: DTZ001 - as above
    timezones=st.just(UTC),
)


@pytest.mark.parametrize(("zone", "month", "start"), MONTH_STARTS)
def test_a_month_starts_at_its_earliest_instant(zone: str, month: date, start: str) -> None:
    period = month_at(utc(start), ZoneInfo(zone))
    assert (period.start, period.first) == (utc(start), month)
    before = month_at(utc(start) - MICROSECOND, ZoneInfo(zone))
    assert before.end == utc(start)
    assert before.first < month


def test_a_midnight_that_comes_twice_starts_its_day_the_first_time() -> None:
    assert day_start(date(2026, 11, 1), HAVANA) == utc("2026-11-01 04:00")
    assert local_day(utc("2026-11-01 04:59"), HAVANA) == date(2026, 11, 1)
    assert local_day(utc("2026-11-01 03:59"), HAVANA) == date(2026, 10, 31)


def test_a_midnight_that_never_comes_starts_its_day_at_the_jump() -> None:
    assert day_start(date(2026, 9, 6), SANTIAGO) == utc("2026-09-06 04:00")
    assert local_day(utc("2026-09-06 03:59"), SANTIAGO) == date(2026, 9, 5)


def test_a_second_pass_of_the_evening_before_belongs_to_the_new_day() -> None:
    # St. John's was set back from 00:01 to 23:01 until 2011.
    zone = ZoneInfo("America/St_Johns")
    start = day_start(date(2010, 11, 7), zone)
    evening_again = start + timedelta(minutes=30)
    assert evening_again.astimezone(zone).date() == date(2010, 11, 6)
    assert local_day(evening_again, zone) == date(2010, 11, 7)


def test_a_day_that_was_skipped_has_no_length() -> None:
    skipped, after = date(1994, 12, 31), date(1995, 1, 1)
    assert day_start(skipped, KIRITIMATI) == day_start(after, KIRITIMATI)
    december = month_at(utc("1994-12-15"), KIRITIMATI)
    days = days_of(december, KIRITIMATI)
    assert len(days) == 30
    assert all(day.start < day.end for day in days)


@given(instant=instants, zone=zones)
def test_in_every_zone_an_instant_lies_in_its_day_and_in_its_month(
    instant: datetime, zone: ZoneInfo
) -> None:
    day = local_day(instant, zone)
    assert day_start(day, zone) <= instant < day_start(day + timedelta(days=1), zone)
    period = month_at(instant, zone)
    assert instant in period
    assert period.first == day.replace(day=1)
    assert month_at(period.start, zone) == period
    assert month_at(period.end, zone).start == period.end


@given(day=st.dates(date(1990, 1, 1), date(2037, 12, 31)), zone=zones)
def test_in_every_zone_no_instant_before_a_days_start_shows_that_day(
    day: date, zone: ZoneInfo
) -> None:
    start = day_start(day, zone)
    assert start.astimezone(zone).date() >= day
    assert (start - MICROSECOND).astimezone(zone).date() < day


@given(instant=instants, zone=zones)
def test_the_days_of_a_month_are_its_instants_each_once(instant: datetime, zone: ZoneInfo) -> None:
    period = month_at(instant, zone)
    days = days_of(period, zone)
    assert days[0].start == period.start
    assert days[-1].end == period.end
    assert all(one.end == other.start for one, other in itertools.pairwise(days))
    assert all(timedelta(0) < day.end - day.start <= timedelta(hours=48) for day in days)


def test_slices_are_the_span_cut_into_steps_with_the_rest_last() -> None:
    hour = Span(utc("2026-10-01"), utc("2026-10-01 00:50"))
    cut = slices(hour, timedelta(minutes=15))
    assert [piece.end for piece in cut] == [
        utc("2026-10-01 00:15"),
        utc("2026-10-01 00:30"),
        utc("2026-10-01 00:45"),
        utc("2026-10-01 00:50"),
    ]
    assert cut[0].start == hour.start
    assert slices(Span(hour.start, hour.start), timedelta(seconds=1)) == []


def test_a_span_holds_its_start_and_not_its_end() -> None:
    span = Span(utc("2026-10-01"), utc("2026-10-02"))
    assert utc("2026-10-01") in span
    assert utc("2026-10-02") not in span
    assert utc("2026-10-01") not in Span(utc("2026-10-01"), utc("2026-10-01"))


def test_a_span_refuses_reversed_ends_and_naive_instants() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        Span(utc("2026-10-02"), utc("2026-10-01"))
    for start, end in [
        (utc("2026-10-01").replace(tzinfo=None), utc("2026-10-02")),
        (utc("2026-10-01"), utc("2026-10-02").replace(tzinfo=None)),
    ]:
        with pytest.raises(ValueError, match="time zone"):
            Span(start, end)


@pytest.mark.parametrize(
    ("preset", "hours"), [(Preset.DAY, 24), (Preset.WEEK, 7 * 24), (Preset.DAYS_30, 30 * 24)]
)
@pytest.mark.parametrize("now", ["2026-11-01 12:00:00.123456", "2026-03-08 12:00", "2026-01-01"])
def test_the_last_days_are_exact_hours_up_to_now_whatever_the_clocks_do(
    preset: Preset, hours: int, now: str
) -> None:
    window = resolve(preset, utc(now).astimezone(NEW_YORK), NEW_YORK)
    assert window == Window(utc(now) - timedelta(hours=hours), utc(now), preset)
    assert window.start.tzinfo is UTC
    assert window.end.tzinfo is UTC


@pytest.mark.parametrize(("zone", "month", "start"), MONTH_STARTS)
def test_month_to_date_is_empty_at_the_months_first_instant_and_last_month_ends_there(
    zone: str, month: date, start: str
) -> None:
    here, first = ZoneInfo(zone), utc(start)
    at_once = resolve(Preset.MONTH_TO_DATE, first, here)
    assert (at_once.start, at_once.end) == (first, first)
    assert first not in at_once
    later = resolve(Preset.MONTH_TO_DATE, first + timedelta(days=3), here)
    assert (later.start, later.end) == (first, first + timedelta(days=3))
    eve = resolve(Preset.MONTH_TO_DATE, first - MICROSECOND, here)
    last = resolve(Preset.LAST_MONTH, first, here)
    assert (last.start, last.end, last.preset) == (eve.start, first, Preset.LAST_MONTH)
    assert last.start == day_start((month - timedelta(days=1)).replace(day=1), here)


def test_last_month_in_january_is_december() -> None:
    window = resolve(Preset.LAST_MONTH, utc("2027-01-31 23:00"), UTC)
    assert (window.start, window.end) == (utc("2026-12-01"), utc("2027-01-01"))


@pytest.mark.parametrize(
    ("zone", "days", "start", "end", "hours"),
    [
        (UTC, (date(2026, 10, 1), date(2026, 10, 31)), "2026-10-01", "2026-11-01", 31 * 24),
        (
            KOLKATA,
            (date(2026, 10, 1), date(2026, 10, 1)),
            "2026-09-30 18:30",
            "2026-10-01 18:30",
            24,
        ),
        (
            NEW_YORK,
            (date(2026, 3, 8), date(2026, 3, 8)),
            "2026-03-08 05:00",
            "2026-03-09 04:00",
            23,
        ),
        (
            NEW_YORK,
            (date(2026, 11, 1), date(2026, 11, 1)),
            "2026-11-01 04:00",
            "2026-11-02 05:00",
            25,
        ),
        (
            HAVANA,
            (date(2026, 11, 1), date(2026, 11, 1)),
            "2026-11-01 04:00",
            "2026-11-02 05:00",
            25,
        ),
        (
            SANTIAGO,
            (date(2026, 9, 6), date(2026, 9, 6)),
            "2026-09-06 04:00",
            "2026-09-07 03:00",
            23,
        ),
    ],
)
def test_the_pickers_days_are_whole_days_with_both_ends_included(
    zone: ZoneInfo, days: tuple[date, date], start: str, end: str, hours: int
) -> None:
    window = whole_days(*days, zone)
    assert window == Window(utc(start), utc(end), None)
    assert window.end - window.start == timedelta(hours=hours)


@pytest.mark.parametrize("zone", [UTC, KIRITIMATI, ZoneInfo("Etc/GMT+12"), ZoneInfo("Etc/GMT-14")])
def test_the_first_and_last_days_can_be_asked_for_in_every_zone(zone: ZoneInfo) -> None:
    window = whole_days(FIRST_DAY, LAST_DAY, zone)
    assert window.start.year in {1969, 1970}
    assert window.end.year in {9998, 9999}
    assert month_at(window.end - MICROSECOND, zone).first == date(9998, 12, 1)

"""A window beside itself and in pieces: the window it is compared with, the steps it is drawn in.

Standard library only, like the rules of time that it follows.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise
from typing import Final

from data.periods import (
    FIRST_DAY,
    Span,
    billing_period,
    billing_periods_of,
    day_start,
    days_of,
    local_day,
    slices,
)

_HOUR: Final = timedelta(hours=1)
_MICROSECOND: Final = timedelta(microseconds=1)
# A day or two, also where the clock is set back in them.
_BY_HOUR_AT_MOST: Final = timedelta(hours=50)
_BY_DAY_AT_MOST: Final = timedelta(days=400)


class Unit(StrEnum):
    """How long a step is; the first and the last may be cut by the window."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


def unit_of(window: Span) -> Unit:
    """Return the unit in which ``window`` is drawn."""
    length = window.end - window.start
    if length <= _BY_HOUR_AT_MOST:
        return Unit.HOUR
    return Unit.DAY if length <= _BY_DAY_AT_MOST else Unit.MONTH


def steps_of(window: Span, unit: Unit, zone: tzinfo) -> list[Span]:
    """Cut ``window`` into steps of the calendar in ``zone``; an empty one has none."""
    if window.start == window.end:
        return []
    if unit is Unit.DAY:
        return days_of(window, zone)
    if unit is Unit.MONTH:
        months = billing_periods_of(window.start, window.end - _MICROSECOND, zone)
        return _within(window, months)
    first_day = day_start(local_day(window.start, zone), zone)
    days = days_of(Span(first_day, window.end), zone)
    return _within(window, [hour for day in days for hour in slices(day, _HOUR)])


def previous_of(window: Span, zone: tzinfo) -> Span | None:
    """Return the window that ``window`` is compared with; None where that is before all days.

    For whole months as many months before, for the first days of a month the same days of the month
    before, for whole days as many days before, else as long a span that ends where this one starts.
    """
    try:
        previous = _previous(window, zone)
    except (OverflowError, ValueError):
        return None
    return previous if previous.start >= day_start(FIRST_DAY, zone) else None


def _previous(window: Span, zone: tzinfo) -> Span:
    start, end = window.start, window.end
    first_month = billing_period(start, zone)
    if start == first_month.start:
        if end <= first_month.end:
            before = billing_period(start - _MICROSECOND, zone)
            whole = end == first_month.end
            return Span(before.start, before.end if whole else _same_time(end, before, zone))
        last_month = billing_period(end - _MICROSECOND, zone)
        if end == last_month.end:
            months = len(billing_periods_of(start, end - _MICROSECOND, zone))
            for _ in range(months):
                start = billing_period(start - _MICROSECOND, zone).start
            return Span(start, window.start)
    first, last = local_day(start, zone), local_day(end, zone)
    if start < end and (start, end) == (day_start(first, zone), day_start(last, zone)):
        return Span(day_start(first - (last - first), zone), start)
    return Span(start - (end - start), start)


def _same_time(instant: datetime, month: Span, zone: tzinfo) -> datetime:
    """Return the instant of ``month`` that its calendar shows as that of the month after it."""
    local = instant.astimezone(zone)
    first = local_day(month.start, zone)
    try:
        day = date(first.year, first.month, local_day(instant, zone).day)
    except ValueError:  # there is no 30th of February
        return month.end
    shown = datetime.combine(day, local.time(), tzinfo=zone).astimezone(UTC)
    return min(max(shown, month.start), month.end)


def _within(window: Span, steps: Sequence[Span]) -> list[Span]:
    edges = sorted({window.start, window.end, *(s.start for s in steps if s.start in window)})
    return [Span(*ends) for ends in pairwise(edges)]

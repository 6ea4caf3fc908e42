"""The window that a window is compared with.

Standard library only, like the rules of time that it follows.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from data.rules.calendar import FIRST_DAY, Span, day_start, local_day, month_at

_DAY: Final = timedelta(days=1)
_MONTHS_A_YEAR: Final = 12


def comparison_of(window: Span, zone: tzinfo, now: datetime) -> Span | None:
    """Return the window that ``window`` is compared with; None where that is before all days.

    For whole days as many days before; for whole months as many months before, for the first days
    of a month the same days of the month before; else as long a span that ends where this one
    starts. Of a window that is under way ``now``, what has passed is compared with as much.
    """
    end = now if now in window else window.end
    try:
        back = _way_back(window, zone)
        previous = Span(back(window.start), back(end))
    except (OverflowError, ValueError):
        return None
    return previous if previous.start >= day_start(FIRST_DAY, zone) else None


def _way_back(window: Span, zone: tzinfo) -> Callable[[datetime], datetime]:
    """Return what leads from an instant of ``window`` to the one that it is compared with."""
    start, end = window.start, window.end
    days = _whole_days(window, zone)
    if days != 1 and (months := _months(window, zone)):
        return lambda instant: _months_before(instant, zone, months)
    if days:
        return lambda instant: _days_before(instant, zone, days)
    return lambda instant: instant - (end - start)


def _whole_days(window: Span, zone: tzinfo) -> int:
    """Count the days of ``window``; 0 where it is not made of whole ones."""
    first, last = local_day(window.start, zone), local_day(window.end, zone)
    whole = (window.start, window.end) == (day_start(first, zone), day_start(last, zone))
    return (last - first).days if whole else 0


def _months(window: Span, zone: tzinfo) -> int:
    """Count the months of ``window``, or one that has begun; 0 where it is something else."""
    month = month_at(window.start, zone)
    if window.start != month.start:
        return 0
    if window.end <= month.end:
        return 1
    after = month_at(window.end, zone)
    return _number(after.first) - _number(month.first) if window.end == after.start else 0


def _number(month: date) -> int:
    return month.year * _MONTHS_A_YEAR + month.month - 1


def _days_before(instant: datetime, zone: tzinfo, days: int) -> datetime:
    return _same_time(instant, zone, local_day(instant, zone) - days * _DAY)


def _months_before(instant: datetime, zone: tzinfo, months: int) -> datetime:
    """Return the same time of the same day of an earlier month, or that month's end."""
    own = local_day(instant, zone)
    year, month = divmod(_number(own) - months, _MONTHS_A_YEAR)
    first = date(year, month + 1, 1)
    try:
        return _same_time(instant, zone, first.replace(day=own.day))
    except ValueError:  # there is no 30th of February
        return month_at(day_start(first, zone), zone).end


def _same_time(instant: datetime, zone: tzinfo, day: date) -> datetime:
    """Return the instant of ``day`` at which the clock shows what it shows at ``instant``."""
    begins, ends = day_start(day, zone), day_start(day + _DAY, zone)
    if instant == day_start(local_day(instant, zone), zone):
        return begins
    shown = datetime.combine(day, instant.astimezone(zone).time(), tzinfo=zone).astimezone(UTC)
    return min(max(shown, begins), ends)

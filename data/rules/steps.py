"""The steps in which a window is drawn.

Standard library only, like the rules of time that it follows.
"""

from collections.abc import Iterable
from datetime import timedelta, tzinfo
from enum import StrEnum
from typing import Final

from data.rules.calendar import Span, day_start, days_of, local_day, slices

_HOUR: Final = timedelta(hours=1)
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
    """Cut ``window`` into days or hours of the calendar in ``zone``; an empty one has none."""
    if window.start == window.end:
        return []
    if unit is Unit.DAY:
        return days_of(window, zone)
    first_day = day_start(local_day(window.start, zone), zone)
    days = days_of(Span(first_day, window.end), zone)
    return parts_of(window, [hour for day in days for hour in slices(day, _HOUR)])


def parts_of(window: Span, spans: Iterable[Span]) -> list[Span]:
    """Return what of each of ``spans`` lies in ``window``."""
    parts = [(max(span.start, window.start), min(span.end, window.end)) for span in spans]
    return [Span(start, end) for start, end in parts if start < end]

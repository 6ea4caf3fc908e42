"""Spans of time: days and months of the calendar, and the window that is shown.

The only place that knows where a day or a month begins. Standard library only; "now" is always an
argument. All instants are aware datetimes in UTC.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final, TypeVar

# Beyond these a day has no successor that every part (Python, PostgreSQL, a time zone) can express.
FIRST_DAY: Final = date(1970, 1, 1)
LAST_DAY: Final = date(9998, 12, 31)

_SECOND: Final = timedelta(seconds=1)


class Preset(StrEnum):
    """The five windows of the toolbar; the value is the spelling in URLs."""

    DAY = "1d"
    WEEK = "7d"
    DAYS_30 = "30d"
    MONTH_TO_DATE = "mtd"
    LAST_MONTH = "last_month"


DEFAULT_PRESET: Final = Preset.DAYS_30


@dataclass(frozen=True)
class Span:
    """A half-open span of time, ``start <= instant < end``; empty where both are equal.

    Every window, month, billing period and step obeys this one rule. Raises ValueError when the
    ends are reversed or carry no time zone.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a span needs instants with a time zone")
        if self.start > self.end:
            raise ValueError("a span cannot end before it starts")

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


@dataclass(frozen=True)
class Window(Span):
    """The span that a viewer asked for, and the preset it came from, if any."""

    preset: Preset | None = None


@dataclass(frozen=True)
class Month(Span):
    """A calendar month of the reporting time zone; ``first`` is its first day."""

    first: date


_T = TypeVar("_T", bound=Span)

# What any window can show: a day more than FIRST_DAY to LAST_DAY at both ends, for the time zones.
EVER: Final = Span(datetime(1969, 12, 31, tzinfo=UTC), datetime(9999, 1, 3, tzinfo=UTC))


@lru_cache(maxsize=4096)
def day_start(day: date, zone: tzinfo) -> datetime:
    """Return the earliest instant (UTC) at which the calendar in ``zone`` shows ``day`` or later.

    Midnight may come twice (Havana, 2026-11-01) or not at all (Santiago, 2026-09-06).
    """
    midnights = (
        datetime(day.year, day.month, day.day, tzinfo=zone, fold=fold).astimezone(UTC)
        for fold in (0, 1)
    )
    early, late = sorted(midnights)
    if early.astimezone(zone).date() >= day:
        return early
    # The clock jumped over midnight: find the jump. Zone data changes on whole seconds.
    while late - early > _SECOND:
        middle = early + (late - early) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).date() >= day:
            late = middle
        else:
            early = middle
    return late


def local_day(instant: datetime, zone: tzinfo) -> date:
    """Return the day to which ``instant`` is counted, in agreement with :func:`day_start`."""
    day = instant.astimezone(zone).date()
    # Where the clock is set back over midnight, the second pass belongs to the new day already.
    following = day + timedelta(days=1)
    return following if instant >= day_start(following, zone) else day


def _month_after(month: date) -> date:
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def _month_before(month: date) -> date:
    return (month.replace(day=1) - timedelta(days=1)).replace(day=1)


def month_at(instant: datetime, zone: tzinfo) -> Month:
    """Return the calendar month that holds ``instant``."""
    first = local_day(instant, zone).replace(day=1)
    return Month(day_start(first, zone), day_start(_month_after(first), zone), first)


def days_of(period: Span, zone: tzinfo) -> list[Span]:
    """Cut ``period`` into the days of ``zone``; the first and last may be parts of a day."""
    edges = [period.start]
    day = local_day(period.start, zone) + timedelta(days=1)
    while (edge := day_start(day, zone)) < period.end:
        if edge > edges[-1]:  # a skipped day (Kiritimati, 1994-12-31) has no length
            edges.append(edge)
        day += timedelta(days=1)
    edges.append(period.end)
    return [Span(start, end) for start, end in pairwise(edges)]


def spans_between(
    first: datetime | None, last: datetime | None, span_at: Callable[[datetime], _T]
) -> list[_T]:
    """Return the spans, each by ``span_at``, from that of ``first`` to that of ``last``.

    There are none where an end is None.
    """
    if first is None or last is None:
        return []
    spans = [span_at(first)]
    while spans[-1].end <= last:
        spans.append(span_at(spans[-1].end))
    return spans


def slices(span: Span, step: timedelta) -> list[Span]:
    """Cut ``span`` into pieces of ``step``; the last may be shorter."""
    pieces = []
    start = span.start
    while start < span.end:
        # Not the sum: beyond the end there may be no date.
        end = start + min(step, span.end - start)
        pieces.append(Span(start, end))
        start = end
    return pieces


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return ascending ``spans`` with neighbours as one."""
    found: list[Span] = []
    for span in spans:
        start = found.pop().start if found and found[-1].end == span.start else span.start
        found.append(Span(start, span.end))
    return found


def resolve(preset: Preset, now: datetime, zone: tzinfo) -> Window:
    """Return the window of ``preset`` as seen at the instant ``now``."""
    now = now.astimezone(UTC)
    month = local_day(now, zone).replace(day=1)
    match preset:
        case Preset.DAY:
            start, end = now - timedelta(hours=24), now
        case Preset.WEEK:
            start, end = now - timedelta(days=7), now
        case Preset.DAYS_30:
            start, end = now - timedelta(days=30), now
        case Preset.MONTH_TO_DATE:
            start, end = day_start(month, zone), now
        case Preset.LAST_MONTH:
            start, end = day_start(_month_before(month), zone), day_start(month, zone)
    return Window(start, end, preset)


def whole_days(first: date, last: date, zone: tzinfo) -> Window:
    """Return the window of the days ``first`` to ``last``, both included."""
    return Window(day_start(first, zone), day_start(last + timedelta(days=1), zone))

"""How billing periods follow on each other: calendar months, steps from an anchor, or one alone.

Standard library only. Of each kind the periods are half-open and together all time, without a gap
or an overlap; which one holds an instant is computed, not searched.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final, NamedTuple, Self

from data.rules.calendar import EVER, Span, local_day, month_at

_MONTHS_A_YEAR: Final = 12
# No month and no quarter is as long, and no year as short.
_LONGER_THAN_MONTHS: Final = timedelta(days=100)

_LAST_NAMED: Final = EVER.end - timedelta(days=1)


class Interval(StrEnum):
    """How long a step of a subscription is."""

    MONTH = "month"
    YEAR = "year"


class Held(NamedTuple):
    """The period that holds an instant, what people call it, and whether it is reconstructed."""

    span: Span
    name: str
    reconstructed: bool = False


@dataclass(frozen=True)
class Months:
    """The calendar months of ``zone``."""

    zone: tzinfo

    def at(self, instant: datetime) -> Held:
        """Return the month that holds ``instant``."""
        month = month_at(instant, self.zone)
        return Held(Span(month.start, month.end), f"{month.first:%B}")


@dataclass(frozen=True)
class Endless:
    """One period without an end."""

    def at(self, instant: datetime) -> Held:
        """Return that period, whatever ``instant`` is."""
        del instant
        return Held(EVER, "since the beginning")


@dataclass(frozen=True)
class Steps:
    """The periods of a subscription: calendar steps in UTC, each from ``anchor``.

    ``day`` is the day of the month on which they start, the last one where a month has fewer;
    ``months`` is how many a step has. They are named by their days in ``zone``.
    """

    anchor: datetime
    day: int
    months: int
    zone: tzinfo

    @classmethod
    def of(
        cls, start: datetime, end: datetime | None, interval: Interval | None, zone: tzinfo
    ) -> Self:
        """Return the periods of which one, as far as is known, goes from ``start`` to ``end``.

        Where no ``interval`` is stored, a period of more than 100 days is a year's.
        """
        start = start.astimezone(UTC)
        end = max(start, (end or start).astimezone(UTC))
        if interval is None:
            interval = Interval.YEAR if end - start > _LONGER_THAN_MONTHS else Interval.MONTH
        # A start on the 28th of February may stand for the 31st; the end tells.
        day = max(start.day, end.day) if start.day == _last_day(start) else start.day
        return cls(start, day, 1 if interval is Interval.MONTH else _MONTHS_A_YEAR, zone)

    def at(self, instant: datetime) -> Held:
        """Return the period that holds ``instant``."""
        instant = instant.astimezone(UTC)
        number = (_month_number(instant) - _month_number(self.anchor)) // self.months
        if instant < self._start(number):
            number -= 1
        elif instant >= self._start(number + 1):
            number += 1
        span = Span(self._start(number), self._start(number + 1))
        return Held(span, self._name(span), span.start < self.anchor)

    def _start(self, number: int) -> datetime:
        """Return the start of the period so many steps after that of the anchor."""
        year, month = divmod(_month_number(self.anchor) + number * self.months, _MONTHS_A_YEAR)
        if year > EVER.end.year:
            return EVER.end
        first = self.anchor.replace(year=year, month=month + 1, day=1)
        return first.replace(day=min(self.day, _last_day(first)))

    def _name(self, span: Span) -> str:
        # No calendar has a day after the last one that a period can end on.
        ends = (span.start, min(span.end, _LAST_NAMED))
        first, last = (local_day(instant, self.zone) for instant in ends)
        year = " %Y" if first.year != last.year else ""
        return " – ".join(f"{day.day} {day:%b{year}}" for day in (first, last))


Cycle = Months | Steps | Endless


def _month_number(instant: datetime) -> int:
    return instant.year * _MONTHS_A_YEAR + instant.month - 1


def _last_day(instant: datetime) -> int:
    return monthrange(instant.year, instant.month)[1]

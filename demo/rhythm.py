"""When the demo's executions start: four months of hours, each as busy as its rhythm has it."""

from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Final, Literal, NamedTuple, Self

Rhythm = Literal["office", "night", "always"]

_MONTHS: Final = 4
_MONTHLY_GROWTH: Final = 1.04
_WEEKEND: Final = 0.3
_SATURDAY: Final = 5
_MILLISECOND: Final = timedelta(milliseconds=1)
_QUARTER: Final = 15 * 60 * 1000  # milliseconds
_FINE_CLOCK: Final = 0.02  # so many executions carry microseconds

# How busy each hour of the day (UTC) is.
HOURS: Final[dict[Rhythm, tuple[int, ...]]] = {
    "office": (1, 1, 1, 1, 1, 2, 8, 25, 60, 90, 95, 85, 60, 80, 95, 90, 70, 40, 20, 9, 5, 4, 2, 1),
    "night": (0, 5, 9, 9, 5, *[0] * 17, 3, 3),
    "always": (4, 3, 3, 3, 3, 4, 5, 7, 9, 9, 9, 9, 9, 9, 9, 9, 9, 8, 8, 7, 7, 6, 6, 5),
}


def first_day(now: datetime) -> datetime:
    """Midnight of this day of the month (the 28th at most) four months ago."""
    year, month = divmod(now.year * 12 + now.month - 1 - _MONTHS, 12)
    return datetime(year, month + 1, min(now.day, 28))  # noqa: DTZ001 - naive UTC


class Slots(NamedTuple):
    """The hours ``[start, start + 1 h)`` from the first day to ``now``, and how busy each is."""

    now: datetime
    starts: list[datetime]
    shares: list[float]  # summed up
    nightly: bool

    @classmethod
    def until(cls, now: datetime, rhythm: Rhythm) -> Self:
        """Lay out the hours; weekends are calm (nights are alike), every month a little busier."""
        first = first_day(now)
        hours = range(-(-(now - first) // timedelta(hours=1)))
        starts = [first + timedelta(hours=hour) for hour in hours]
        shares = []
        for start in starts:
            calm = _WEEKEND if start.weekday() >= _SATURDAY and rhythm != "night" else 1.0
            growth = _MONTHLY_GROWTH ** ((start - first) / timedelta(days=30))
            part = min(1.0, (now - start) / timedelta(hours=1))
            shares.append(HOURS[rhythm][start.hour] * calm * growth * part)
        return cls(now, starts, list(accumulate(shares)), rhythm == "night")

    def draw(self, rng: Random) -> datetime:
        """Draw a moment; schedules fire at quarter-hours and take a second or two to begin."""
        start = rng.choices(self.starts, cum_weights=self.shares)[0]
        left = min(timedelta(hours=1), self.now - start) // _MILLISECOND
        milliseconds = rng.randrange(max(1, left))
        if self.nightly:
            milliseconds = milliseconds // _QUARTER * _QUARTER + milliseconds % 1_500
        micro = rng.randrange(1000) if rng.random() < _FINE_CLOCK else 0
        return min(start + timedelta(milliseconds=milliseconds, microseconds=micro), self.now)

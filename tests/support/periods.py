"""The periods of a subscription as somebody finds them who walks through a calendar."""

from collections.abc import Iterator
from datetime import datetime


def walked(anchor: datetime, day: int, *, yearly: bool) -> Iterator[datetime]:
    """Give every start of a period from 2017 to 2035: the last day that there is, up to ``day``."""
    for year in range(2017, 2036):
        for month in [anchor.month] if yearly else range(1, 13):
            for tried in range(day, 27, -1):
                try:
                    yield anchor.replace(year=year, month=month, day=tried)
                except ValueError:
                    continue
                break

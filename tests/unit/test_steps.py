"""The steps that a window is drawn in."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.rules.calendar import Span
from data.rules.steps import Unit, steps_of, unit_of
from tests.support.platform import utc


@pytest.mark.parametrize(
    ("window", "unit", "count"),
    [
        (("2026-11-21 09:30", "2026-11-22 09:30"), Unit.HOUR, 25),
        (("2026-11-21", "2026-11-23"), Unit.HOUR, 48),
        (("2026-11-15 09:30", "2026-11-22 09:30"), Unit.DAY, 8),
        (("2026-01-01", "2027-01-01"), Unit.DAY, 365),
    ],
)
def test_the_unit_follows_the_length(window: tuple[str, str], unit: Unit, count: int) -> None:
    span = Span(*map(utc, window))
    assert unit_of(span) is unit
    assert len(steps_of(span, unit, UTC)) == count


def test_years_are_drawn_by_the_month() -> None:
    assert unit_of(Span(utc("2024-01-01"), utc("2027-01-01"))) is Unit.MONTH


instants = st.integers(0, 10**7).map(lambda minutes: utc("2020-01-01") + timedelta(0, minutes * 60))


@given(
    ends=st.tuples(instants, instants).map(sorted),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana"]),
)
def test_steps_make_up_the_window(ends: list[datetime], zone: str) -> None:
    start, end = ends
    window = Span(start, end)
    unit = unit_of(window)
    steps = steps_of(window, Unit.DAY if unit is Unit.MONTH else unit, ZoneInfo(zone))
    if window.start == window.end:
        assert steps == []
        return
    assert (steps[0].start, steps[-1].end) == (start, end)
    assert all(before.end == after.start for before, after in pairwise(steps))
    assert all(step.start < step.end for step in steps)

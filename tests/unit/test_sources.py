"""Which source answers which part of a span; no database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from data.rules.calendar import Span
from data.sums.sources import Source, spans_by_source
from tests.support.platform import utc

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NONE: Final = timedelta(0)
GRAINS: Final = {Source.HOURS: timedelta(hours=1), Source.MINUTES: timedelta(minutes=1)}
# Around the epoch, today, and the last day that a window can touch.
BASES: Final = (utc("1969-12-31"), EPOCH, utc("2026-10-10 12:00"), utc("9998-12-31 23:00"))
STEPS: Final = (
    *(timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)),
    *(timedelta(seconds=1), timedelta(microseconds=1), timedelta(hours=1, microseconds=-1)),
)


@st.composite
def ascending(draw: st.DrawFn) -> list[Span]:
    """Draw spans in order, apart or side by side, some of them empty."""
    instant = draw(st.sampled_from(BASES)) + draw(st.integers(-3, 3)) * draw(st.sampled_from(STEPS))
    spans = []
    for _ in range(draw(st.integers(0, 5))):
        gap, length = (
            draw(st.integers(0, 9)) * draw(st.sampled_from(STEPS))
            + draw(st.integers(0, 2)) * draw(st.sampled_from(STEPS))
            for _ in range(2)
        )
        start = instant + gap
        instant = start + length
        spans.append(Span(start, instant))
    return spans


def joined(spans: Sequence[Span]) -> list[Span]:
    """Join neighbours, which must not overlap; empty spans vanish."""
    together: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if span.start == span.end:
            continue
        start = span.start
        if together:
            assert together[-1].end <= start
            if together[-1].end == start:
                start = together.pop().start
        together.append(Span(start, span.end))
    return together


def whole(span: Span, step: timedelta) -> Span:
    """Return what is left of ``span`` when it may only begin and end on multiples of ``step``."""
    start = EPOCH - (EPOCH - span.start) // step * step
    end = EPOCH + (span.end - EPOCH) // step * step
    return Span(start, end) if start < end else Span(span.start, span.start)


def length(spans: Sequence[Span]) -> timedelta:
    return sum((span.end - span.start for span in spans), NONE)


@given(spans=ascending())
def test_the_parts_of_all_sources_are_the_spans_without_overlap(spans: list[Span]) -> None:
    parts = spans_by_source(spans, rollup=True)
    changes = parts.pop(Source.CHANGES, [])
    assert joined([part for of_source in parts.values() for part in of_source]) == joined(spans)
    parts.pop(Source.EXECUTIONS, [])
    assert changes == joined([part for of_source in parts.values() for part in of_source])


@given(spans=ascending())
def test_each_part_is_of_its_sources_grain_and_none_could_be_coarser(spans: list[Span]) -> None:
    parts = spans_by_source(spans, rollup=True)
    answered = NONE
    for source, step in GRAINS.items():
        of_source = parts.get(source, [])
        assert all((edge - EPOCH) % step == NONE for p in of_source for edge in (p.start, p.end))
        answered += length(of_source)
        assert answered == length([whole(span, step) for span in spans])


@given(spans=ascending())
def test_parts_come_in_order_none_is_empty_and_neighbours_are_one(spans: list[Span]) -> None:
    for of_source in spans_by_source(spans, rollup=True).values():
        assert of_source
        assert all(part.start < part.end for part in of_source)
        assert all(before.end < after.start for before, after in pairwise(of_source))


@given(spans=ascending())
def test_without_the_rollup_the_executions_answer_everything(spans: list[Span]) -> None:
    parts = spans_by_source(spans, rollup=False)
    assert set(parts) <= {Source.EXECUTIONS}
    assert parts.get(Source.EXECUTIONS, []) == joined(spans)


def test_a_window_is_hours_with_minutes_and_seconds_at_its_ends() -> None:
    spans = [Span(utc("2026-10-10 12:58:30"), utc("2026-10-10 15:02:00.5"))]
    assert spans_by_source(spans, rollup=True) == {
        Source.EXECUTIONS: [
            Span(utc("2026-10-10 12:58:30"), utc("2026-10-10 12:59")),
            Span(utc("2026-10-10 15:02"), utc("2026-10-10 15:02:00.5")),
        ],
        Source.MINUTES: [
            Span(utc("2026-10-10 12:59"), utc("2026-10-10 13:00")),
            Span(utc("2026-10-10 15:00"), utc("2026-10-10 15:02")),
        ],
        Source.HOURS: [Span(utc("2026-10-10 13:00"), utc("2026-10-10 15:00"))],
        Source.CHANGES: [Span(utc("2026-10-10 12:59"), utc("2026-10-10 15:02"))],
    }

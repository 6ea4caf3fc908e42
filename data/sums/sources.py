"""Which source of sums answers which part of a span: the coarsest that fits, finer at the ends."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from data.rules.calendar import Span, joined

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Source(StrEnum):
    """Where sums come from; ``CHANGES`` is what has changed since the last folding."""

    EXECUTIONS = "executions"
    MINUTES = "minutes"
    QUARTERS = "quarters"
    HOURS = "hours"
    CHANGES = "changes"


Sources = tuple[tuple[Source, timedelta], ...]

_ONE_BY_ONE: Final = (Source.EXECUTIONS, timedelta(microseconds=1))
# The sources of totals, and those of groups by workflow or model; the coarsest comes first.
OF_TOTALS: Final[Sources] = (
    (Source.HOURS, timedelta(hours=1)),
    (Source.MINUTES, timedelta(minutes=1)),
    _ONE_BY_ONE,
)
OF_GROUPS: Final[Sources] = ((Source.QUARTERS, timedelta(minutes=15)), _ONE_BY_ONE)


def spans_by_source(
    spans: Sequence[Span], *, rollup: bool, sources: Sources = OF_TOTALS
) -> dict[Source, list[Span]]:
    """Cut ascending ``spans`` into what each of ``sources`` is to answer, each part by one.

    Without the ``rollup`` the executions answer everything. Changes go with what is folded. A
    source with nothing to answer is left out; neighbours are one span.
    """
    asked = sources if rollup else sources[-1:]
    found: dict[Source, list[Span]] = {}
    for span in spans:
        for source, part in _cut(span, *asked):
            found.setdefault(source, []).append(part)
            if source is not Source.EXECUTIONS:
                found.setdefault(Source.CHANGES, []).append(part)
    return {source: joined(parts) for source, parts in found.items()}


def _cut(
    span: Span, coarsest: tuple[Source, timedelta], *finer: tuple[Source, timedelta]
) -> Iterator[tuple[Source, Span]]:
    source, step = coarsest
    start = span.start + (_EPOCH - span.start) % step
    end = span.end - (span.end - _EPOCH) % step
    if start < end:
        if finer:
            yield from _cut(Span(span.start, start), *finer)
        yield source, Span(start, end)
        if finer:
            yield from _cut(Span(end, span.end), *finer)
    elif finer:
        yield from _cut(span, *finer)

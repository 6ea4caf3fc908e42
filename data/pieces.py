"""Which source of sums answers which part of a span: the coarsest that fits, finer at the ends."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from data.periods import Span

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Source(StrEnum):
    """Where sums come from; ``CHANGES`` is what has changed since the last folding."""

    EXECUTIONS = "executions"
    MINUTES = "minutes"
    HOURS = "hours"
    CHANGES = "changes"


_COARSEST_FIRST: Final = (
    (Source.HOURS, timedelta(hours=1)),
    (Source.MINUTES, timedelta(minutes=1)),
    (Source.EXECUTIONS, timedelta(microseconds=1)),
)


def pieces_of(spans: Sequence[Span], *, rollup: bool) -> dict[Source, list[Span]]:
    """Cut ascending ``spans`` into what each source is to answer, each part by one.

    Without the ``rollup`` the executions answer everything. Changes go with minutes and
    hours. A source with nothing to answer is left out; neighbours are one piece.
    """
    steps = _COARSEST_FIRST if rollup else _COARSEST_FIRST[-1:]
    pieces: dict[Source, list[Span]] = {}
    for span in spans:
        for source, piece in _cut(span, *steps):
            _append(pieces.setdefault(source, []), piece)
            if source is not Source.EXECUTIONS:
                _append(pieces.setdefault(Source.CHANGES, []), piece)
    return pieces


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


def _append(pieces: list[Span], piece: Span) -> None:
    if pieces and pieces[-1].end == piece.start:
        piece = Span(pieces.pop().start, piece.end)
    pieces.append(piece)

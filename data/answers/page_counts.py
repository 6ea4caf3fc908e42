"""Counts around a page: how many rows there are, how many before it, where one can go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from data.platform.counts import count_selected, count_within, has_newer, has_older
from data.platform.rows import count_tied
from data.platform.selection import Selection
from data.question.cursor import Cursor, Direction
from data.question.query import UsageQuery
from data.rules.calendar import Span
from data.rules.execution import Execution
from data.rules.position import Position
from data.sums.totals import Totals

_MICROSECOND: Final = timedelta(microseconds=1)
# Filtered rows are counted one by one; a page is worth more than its number.
_COUNTED_WITHIN_SECONDS: Final = 2


@dataclass(frozen=True)
class PageCounts:
    """How many rows of a window are around a page.

    ``newer`` counts those before the first one shown, ``total`` all of them; both are None where
    counting takes too long. The cursors lead on, and are None where nothing follows.
    """

    total: int | None
    newer: int | None
    next_cursor: Cursor | None
    previous_cursor: Cursor | None


def count_of(totals: Totals, selection: Selection) -> int:
    """Count the executions of a window, however long that takes."""
    if not selection.filters:
        return _summed(totals, selection, None)[0]
    return count_selected(totals.snapshot, selection)


def page_counts_of(
    totals: Totals,
    selection: Selection,
    query: UsageQuery,
    rows: Sequence[Execution],
    position: Position | None,
) -> PageCounts:
    """Return the counts around the page of ``rows`` that was read from ``position``."""
    total: int | None
    newer: int | None
    if counted := _counted(totals, selection, query, rows, position):
        total, newer = counted
        before, behind = newer > 0, total - newer - len(rows) > 0
    else:
        total = newer = None
        first, last = _ends(rows, position, query.direction)
        before = has_newer(totals.snapshot, selection, first)
        behind = has_older(totals.snapshot, selection, last)
    return PageCounts(
        total,
        newer,
        _next_cursor(query, rows, position) if behind else None,
        _previous_cursor(query, rows, position) if before else None,
    )


def _counted(
    totals: Totals,
    selection: Selection,
    query: UsageQuery,
    rows: Sequence[Execution],
    position: Position | None,
) -> tuple[int, int] | None:
    """Count the rows of the window, and those of them that come before the page's first one."""
    first = _place(rows, 0) if position and rows else None
    if not selection.filters:
        total, newer = _summed(totals, selection, first)
    else:
        found = count_within(totals.snapshot, selection, first, _COUNTED_WITHIN_SECONDS)
        if found is None:
            return None
        total, newer = found
    if not rows and position and query.direction is Direction.OLDER:
        newer = total
    return total, newer


def _summed(totals: Totals, selection: Selection, first: Position | None) -> tuple[int, int]:
    window, of_workspace = selection.window, [selection.workspace_id]
    if first is None:
        [total] = totals.by_span(of_workspace, [window], "executions")["executions"]
        return total, 0
    later = first.started_at + _MICROSECOND
    spans = [Span(window.start, later), Span(later, window.end)]
    older, newer = totals.by_span(of_workspace, spans, "executions")["executions"]
    tied = count_tied(totals.snapshot, selection.workspace_id, first)
    return older + newer, newer + tied


def _ends(
    rows: Sequence[Execution], position: Position | None, direction: Direction
) -> tuple[Position | None, Position | None]:
    """Return the places beyond which there may be more rows, on either side of the page."""
    if rows:
        return _place(rows, 0), _place(rows, -1)
    if position is None:
        return None, None
    # The place itself belongs to the side that was not read.
    if direction is Direction.OLDER:
        return Position(position.started_at, ""), None
    return None, Position(position.started_at + _MICROSECOND, "")


def _next_cursor(query: UsageQuery, rows: Sequence[Execution], position: Position | None) -> Cursor:
    if rows:
        position = _place(rows, -1)
    elif position:  # nothing newer than this place, so everything older begins with it
        position = Position(position.started_at + _MICROSECOND, "")
    else:
        raise AssertionError("a window without rows has none that are older")
    return Cursor(query.workspace_id, query.window, position, query.filters)


def _previous_cursor(
    query: UsageQuery, rows: Sequence[Execution], position: Position | None
) -> Cursor:
    if rows:
        position = _place(rows, 0)
    elif position:  # nothing older than this place, so everything newer begins with it
        position = Position(position.started_at, "")
    else:
        raise AssertionError("the first page has no rows that are newer")
    return Cursor(query.workspace_id, query.window, position, query.filters)


def _place(rows: Sequence[Execution], place: int) -> Position:
    return Position(rows[place].started_at, rows[place].id)

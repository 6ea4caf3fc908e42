"""A page of the ledger: its rows with their labels, and how many are around them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from data.answers.crossings import Crossings
from data.answers.page_counts import page_counts_of
from data.platform.rows import extent_of, latest_start, page_rows, position_of, spans_in_use
from data.platform.selection import Selection
from data.platform.terms import Account
from data.question.cursor import Cursor
from data.question.query import UsageQuery
from data.rules.allowance import Crossing, classify, frame_of
from data.rules.calendar import Window
from data.sums.totals import Totals


@dataclass(frozen=True)
class Page:
    """Up to ``limit`` executions of a window, newest first, and how many are around them.

    ``rows`` has the columns of ``allowance.frame_of``, ``type`` and ``on_demand``, of dtype
    ``object``. ``newer`` counts the rows of the window before the first one shown, ``total`` all of
    them; both are None where counting took too long. ``latest`` is when the workspace's last
    execution started, asked only where there are no rows.
    """

    account: Account
    window: Window
    rows: pd.DataFrame
    crossings: list[Crossing]
    total: int | None
    newer: int | None
    next_cursor: Cursor | None
    previous_cursor: Cursor | None
    latest: datetime | None


def page_of(
    totals: Totals, crossings: Crossings, account: Account, query: UsageQuery, *, cut: bool = False
) -> Page:
    """Read the page that ``query`` asks for; ``cut`` as for select_executions."""
    snapshot = totals.snapshot
    selection = selection_of(totals, crossings, account, query)
    position = position_of(snapshot, query)
    rows = page_rows(snapshot, selection, query, position, cut=cut)
    counts = page_counts_of(totals, selection, query, rows, position)
    periods = account.terms.periods_at(row.started_at for row in rows)
    found = list(crossings.of(totals, account, periods).values())
    return Page(
        account=account,
        window=query.window,
        rows=classify(frame_of(rows), found),
        crossings=found,
        total=counts.total,
        newer=counts.newer,
        next_cursor=counts.next_cursor,
        previous_cursor=counts.previous_cursor,
        latest=None if rows else latest_start(snapshot, query.workspace_id),
    )


def selection_of(
    totals: Totals,
    crossings: Crossings,
    account: Account,
    query: UsageQuery,
    *,
    labels: bool = False,
) -> Selection:
    """Return the executions that ``query`` means, with the Crossings that Types need to be told.

    They are needed for ``labels``, and by a filter by Type.
    """
    snapshot, workspace_id = totals.snapshot, query.workspace_id
    found: Iterable[Crossing] = ()
    if labels or query.filters.usage_type:
        extent = extent_of(snapshot, [workspace_id], query.window)
        periods = spans_in_use(snapshot, [workspace_id], extent, account.terms.period_at)
        found = crossings.of(totals, account, periods).values()
    return Selection(snapshot.executions, workspace_id, query.window, query.filters, tuple(found))

"""The ledger of executions: a page of it, its sums, all of it for export; each one snapshot."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection, Engine, select

from data.access import Account, LimitScope, Viewer, Workspace, account_of, workspaces_of
from data.allowance import Crossing, classify
from data.crossings import Crossings
from data.engine import snapshot
from data.executions import (
    NEWEST_FIRST,
    count_tied,
    extent_of,
    latest_start,
    page_rows,
    position_of,
    select_executions,
)
from data.export import ROW_LIMIT
from data.labels import rfc3339
from data.money import trimmed
from data.paging import Cursor, Direction, Position
from data.periods import Span, Window, billing_period, billing_periods, billing_periods_of
from data.query import UsageQuery
from data.rollup.trust import is_installed
from data.sums import Sums, sums_of
from data.totals import Totals

_LOG: Final = logging.getLogger(__name__)

_MICROSECOND: Final = timedelta(microseconds=1)
_EXPORT_BATCH: Final = 1000


@dataclass(frozen=True)
class Page:
    """Up to ``limit`` executions of a window, newest first, and what surrounds them.

    ``rows`` has the columns id, execution_id, started_at, status, trigger, workflow_id,
    workflow_name (None: deleted), models (list), tokens (int or None), cost (Decimal or None),
    type and on_demand, of dtype ``object``. ``newer`` counts the rows of the window before the
    first one shown, ``total`` all rows of the window. ``latest`` is when the workspace's last
    execution started, asked only where the window is empty.
    """

    account: Account
    window: Window
    rows: pd.DataFrame
    crossings: list[Crossing]
    total: int
    newer: int
    next_cursor: Cursor | None
    previous_cursor: Cursor | None
    latest: datetime | None


@dataclass(frozen=True)
class Summary:
    """What a whole window adds up to, and how the account stands at its end.

    ``crossing`` and ``running_total`` (of the account, in full dollars) are those of the billing
    period that holds the window's last instant; the total is None for viewers to whom it would
    tell of other people's workspaces.
    """

    account: Account
    window: Window
    sums: Sums
    crossing: Crossing | None
    running_total: Decimal | None


@dataclass(frozen=True)
class Export:
    """The newest ``ROW_LIMIT`` executions of a window, newest first, read as they are consumed.

    Each of ``rows`` has the names of Page's columns up to ``cost``; ``total`` counts the window.
    """

    rows: Iterable[Any]
    total: int


class Ledger:
    """Answers questions about executions out of the platform's database.

    Every question takes the Viewer who asks. ``zone`` is the reporting time zone, ``scope`` what
    the running total covers. Whatever is not there for that viewer is a NotFoundError, a database
    that does not answer an UnavailableError.
    """

    def __init__(self, engine: Engine, *, zone: tzinfo, scope: LimitScope) -> None:
        self.zone = zone
        self._engine = engine
        self._scope = scope
        self._crossings = Crossings(zone)
        self._by_rollup = True

    def ready(self) -> None:
        """Return where the database answers."""
        with snapshot(self._engine) as connection:
            connection.execute(select(1))

    def workspaces(self, viewer: Viewer) -> list[Workspace]:
        """Return the workspaces that the viewer may see, by name."""
        with snapshot(self._engine) as connection:
            return workspaces_of(connection, viewer)

    def account(self, viewer: Viewer, workspace_id: str) -> Account:
        """Return who pays for a workspace."""
        with snapshot(self._engine) as connection:
            return account_of(connection, viewer, workspace_id, self._scope)

    def page(self, viewer: Viewer, query: UsageQuery) -> Page:
        """Return one page of the window that ``query`` asks for."""
        with snapshot(self._engine) as connection:
            account = account_of(connection, viewer, query.workspace_id, self._scope)
            totals = self._totals(connection)
            position = position_of(connection, query)
            rows = page_rows(connection, query, position)
            total, newer = _counts(totals, query, rows, position)
            periods = billing_periods(list(rows["started_at"]), self.zone)
            crossings = list(self._crossings.of(totals, account, periods).values())
            latest = None if total else latest_start(connection, query.workspace_id)
        older = total - newer - len(rows)
        return Page(
            account=account,
            window=query.window,
            rows=classify(rows, crossings),
            crossings=crossings,
            total=total,
            newer=newer,
            next_cursor=_next_cursor(query, rows, position) if older else None,
            previous_cursor=_previous_cursor(query, rows, position) if newer else None,
            latest=latest,
        )

    def _totals(self, connection: Connection) -> Totals:
        """Return this snapshot's sums; the log tells once when a rollup cannot be trusted."""
        totals = Totals.of(connection)
        if self._by_rollup and not totals.rollup and is_installed(connection):
            _LOG.warning("the rollup is not whole: sums come from the executions. See: verify")
        self._by_rollup = totals.rollup
        return totals

    def summary(self, viewer: Viewer, query: UsageQuery) -> Summary:
        """Return the sums of the whole window, whatever page ``query`` asks for."""
        window = query.window
        with snapshot(self._engine) as connection:
            account = account_of(connection, viewer, query.workspace_id, self._scope)
            totals = self._totals(connection)
            first_and_last = extent_of(connection, query.workspace_id, window)
            periods = billing_periods_of(*first_and_last, self.zone)
            last = None
            if window.start < window.end:
                last = billing_period(window.end - _MICROSECOND, self.zone)
            crossings = self._crossings.of(totals, account, {*periods, last} if last else periods)
            sums = sums_of(totals, query.workspace_id, window, crossings.values())
            running_total = None
            if last and (self._scope == "workspace" or viewer.user_id == account.payer_id):
                spent = totals.by_span(account.workspace_ids, [last], "cost")["cost"]
                running_total = trimmed(spent.iloc[0])
        return Summary(
            account=account,
            window=window,
            sums=sums,
            crossing=crossings.get(last) if last else None,
            running_total=running_total,
        )

    @contextmanager
    def export(self, viewer: Viewer, query: UsageQuery) -> Iterator[Export]:
        """Open the newest rows of the window for export, whatever page ``query`` asks for."""
        with snapshot(self._engine) as connection:
            account_of(connection, viewer, query.workspace_id, self._scope)
            [total] = self._totals(connection).by_span(
                [query.workspace_id], [query.window], "executions"
            )["executions"]
            statement = select_executions(query.workspace_id, query.window)
            with connection.execution_options(yield_per=_EXPORT_BATCH).execute(
                statement.order_by(*NEWEST_FIRST).limit(ROW_LIMIT)
            ) as rows:
                _LOG.info(
                    "export: %s, workspace %s, from %s to %s, %d rows",
                    viewer.name,
                    query.workspace_id,
                    rfc3339(query.window.start),
                    rfc3339(query.window.end),
                    min(total, ROW_LIMIT),
                )
                yield Export(rows, total)


def _counts(
    totals: Totals, query: UsageQuery, rows: pd.DataFrame, position: Position | None
) -> tuple[int, int]:
    """Count the rows of the window, and those of them that come before the page's first one."""
    window = query.window
    if position is None or rows.empty:
        [total] = totals.by_span([query.workspace_id], [window], "executions")["executions"]
        return total, total if position and query.direction is Direction.OLDER else 0
    first = _place(rows, 0)
    later = first.started_at + _MICROSECOND
    spans = [Span(window.start, later), Span(later, window.end)]
    older, newer = totals.by_span([query.workspace_id], spans, "executions")["executions"]
    return older + newer, newer + count_tied(totals.connection, query.workspace_id, first)


def _next_cursor(query: UsageQuery, rows: pd.DataFrame, position: Position | None) -> Cursor:
    if not rows.empty:
        position = _place(rows, -1)
    elif position:  # nothing newer than this place, so everything older begins with it
        position = Position(position.started_at + _MICROSECOND, "")
    else:
        raise AssertionError("a window without rows has none that are older")
    return Cursor(query.workspace_id, query.window, position)


def _previous_cursor(query: UsageQuery, rows: pd.DataFrame, position: Position | None) -> Cursor:
    if not rows.empty:
        position = _place(rows, 0)
    elif position:  # nothing older than this place, so everything newer begins with it
        position = Position(position.started_at, "")
    else:
        raise AssertionError("the first page has no rows that are newer")
    return Cursor(query.workspace_id, query.window, position)


def _place(rows: pd.DataFrame, place: int) -> Position:
    row = rows.iloc[place]
    return Position(row["started_at"], row["id"])

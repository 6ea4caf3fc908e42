"""The ledger of executions: a page of it, its sums, all of it for export; each one snapshot."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection, Engine

from data.answers.crossings import Crossings
from data.answers.detail import Detail
from data.answers.figures import Figures, figures_of
from data.answers.filter_options import FilterOptions, filter_options_of
from data.answers.page_counts import count_of, page_counts_of
from data.files.csv import ROW_LIMIT
from data.platform import readiness
from data.platform.access import Account, LimitScope, Viewer, Workspace, account_of, workspaces_of
from data.platform.connection import let_idle, snapshot
from data.platform.executions import (
    NEWEST_FIRST,
    extent_of,
    latest_start,
    page_rows,
    periods_in_use,
    position_of,
    select_executions,
)
from data.platform.labelled import labelled, select_labelled
from data.platform.selection import Selection
from data.question.cursor import Cursor
from data.question.file_options import STANDARD, FileOptions
from data.question.query import Split, UsageQuery
from data.rules.allowance import Crossing, classify
from data.rules.calendar import Window, billing_periods
from data.rules.labels import rfc3339
from data.rules.shown import quoted
from data.sums.rollup.trust import is_installed
from data.sums.totals import Totals

_LOG: Final = logging.getLogger(__name__)

_EXPORT_BATCH: Final = 1000


@dataclass(frozen=True)
class Page:
    """Up to ``limit`` executions of a window, newest first, and what surrounds them.

    ``rows`` has the columns id, execution_id, started_at, status, trigger, workflow_id,
    workflow_name (None: deleted), models (list), tokens (int or None), cost (Decimal or None),
    type and on_demand, of dtype ``object``. ``newer`` counts the rows of the window before the
    first one shown, ``total`` all of them; both are None where counting took too long. ``latest``
    is when the workspace's last execution started, asked only where there are no rows.
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


@dataclass(frozen=True)
class Export:
    """The newest ``ROW_LIMIT`` executions of a window, newest first, read as they are consumed.

    Each of ``rows`` has the names of Page's columns up to ``cost``, or is a LabelledRow where the
    FileOptions needs labels; ``total`` counts the window.
    """

    account: Account
    rows: Iterable[Any]
    total: int


class Ledger:
    """Answers questions about executions out of the platform's database.

    Every question takes the Viewer who asks. ``zone`` is the reporting time zone, ``scope`` what
    the running total covers; ``file_turn`` is held while a file is read. Whatever is not there for
    that viewer is a NotFoundError, a database that does not answer an UnavailableError.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        zone: tzinfo,
        scope: LimitScope,
        file_turn: Callable[[Viewer], AbstractContextManager[None]] | None = None,
    ) -> None:
        self.zone = zone
        self._engine = engine
        self._scope = scope
        self._file_turn = file_turn or (lambda _: nullcontext())
        self._crossings = Crossings(zone)
        self._by_rollup = True

    def ready(self, *, sessions: bool = False) -> None:
        """Return where the database answers and lets everything be read that answers need.

        ``sessions`` says whether the platform's sessions sign people in.
        """
        with snapshot(self._engine) as connection:
            readiness.check(connection, sessions=sessions)

    def workspaces(self, viewer: Viewer, *, cut: bool = False) -> list[Workspace]:
        """Return the workspaces that the viewer may see, by name; ``cut`` as for ``page``."""
        with snapshot(self._engine) as connection:
            return workspaces_of(connection, viewer, cut=cut)

    def account(self, viewer: Viewer, workspace_id: str) -> Account:
        """Return who pays for a workspace."""
        with snapshot(self._engine) as connection:
            return account_of(connection, viewer, workspace_id, self._scope)

    def page(self, viewer: Viewer, query: UsageQuery, *, cut: bool = False) -> Page:
        """Return one page of the window that ``query`` asks for.

        For whom only shows texts, they are ``cut``; what is shown of them is the same.
        """
        with snapshot(self._engine) as connection:
            account = account_of(connection, viewer, query.workspace_id, self._scope)
            totals = self._totals(connection)
            selection = self._selection(totals, account, query)
            position = position_of(connection, query)
            rows = page_rows(connection, selection, query, position, cut=cut)
            around = page_counts_of(totals, selection, query, rows, position)
            periods = billing_periods(list(rows["started_at"]), self.zone)
            crossings = list(self._crossings.of(totals, account, periods).values())
            latest = latest_start(connection, query.workspace_id) if rows.empty else None
        return Page(
            account=account,
            window=query.window,
            rows=classify(rows, crossings),
            crossings=crossings,
            total=around.total,
            newer=around.newer,
            next_cursor=around.next_cursor,
            previous_cursor=around.previous_cursor,
            latest=latest,
        )

    def _selection(
        self, totals: Totals, account: Account, query: UsageQuery, *, labelled: bool = False
    ) -> Selection:
        """Return the executions that ``query`` means; only a Type needs to know of Crossings."""
        crossings: Iterable[Crossing] = ()
        if labelled or query.filters.usage_type:
            extent = extent_of(totals.connection, query.workspace_id, query.window)
            periods = periods_in_use(totals.connection, query.workspace_id, extent, self.zone)
            crossings = self._crossings.of(totals, account, periods).values()
        return Selection(query.workspace_id, query.window, query.filters, tuple(crossings))

    def _totals(self, connection: Connection) -> Totals:
        """Return this snapshot's sums; the log tells once when a rollup cannot be trusted."""
        totals = Totals.of(connection)
        if self._by_rollup and not totals.rollup and is_installed(connection):
            _LOG.warning(
                "the rollup is not whole: sums come from the executions. app.py verify says why"
            )
        self._by_rollup = totals.rollup
        return totals

    def _tells_totals(self, viewer: Viewer, account: Account) -> bool:
        """Tell whether the running total may be told: it can speak of other workspaces too."""
        return self._scope == "workspace" or viewer.user_id == account.payer_id

    def summary(self, viewer: Viewer, query: UsageQuery) -> Figures:
        """Return the sums of the whole window, whatever page ``query`` asks for."""
        return self.figures(viewer, query, drawn=False)

    def figures(
        self, viewer: Viewer, query: UsageQuery, split: Split = Split.TYPE, *, drawn: bool = True
    ) -> Figures:
        """Return the figures of the whole window, step by step where they are ``drawn``."""
        with snapshot(self._engine) as connection:
            account = account_of(connection, viewer, query.workspace_id, self._scope)
            return figures_of(
                self._totals(connection),
                self._crossings,
                account,
                query,
                split,
                drawn=drawn,
                tells_totals=self._tells_totals(viewer, account),
            )

    def filter_options(self, viewer: Viewer, query: UsageQuery) -> FilterOptions:
        """Return what the window of ``query`` can be filtered by."""
        with snapshot(self._engine) as connection:
            account_of(connection, viewer, query.workspace_id, self._scope)
            return filter_options_of(self._totals(connection), query)

    @contextmanager
    def export(
        self, viewer: Viewer, query: UsageQuery, options: FileOptions = STANDARD
    ) -> Iterator[Export]:
        """Open the newest rows of the window for export, whatever page ``query`` asks for."""
        with self._file_turn(viewer), snapshot(self._engine) as connection:
            let_idle(connection)
            account = account_of(connection, viewer, query.workspace_id, self._scope)
            totals = self._totals(connection)
            selection = self._selection(totals, account, query, labelled=options.labelled)
            total = count_of(totals, selection)
            select_rows = select_labelled if options.labelled else select_executions
            statement = select_rows(selection)
            with connection.execution_options(yield_per=_EXPORT_BATCH).execute(
                statement.order_by(*NEWEST_FIRST).limit(ROW_LIMIT)
            ) as rows:
                _LOG.info(
                    "export: %s, workspace %s, from %s to %s, %d rows",
                    viewer.name,
                    quoted(query.workspace_id),
                    rfc3339(query.window.start),
                    rfc3339(query.window.end),
                    min(total, ROW_LIMIT),
                )
                told = labelled(rows, selection.crossings) if options.labelled else rows
                yield Export(account, told, total)

    def execution(self, viewer: Viewer, workspace_id: str, row_id: str) -> Detail:
        """Return everything known of one execution."""
        with snapshot(self._engine) as connection:
            account = account_of(connection, viewer, workspace_id, self._scope)
            tells_totals = self._tells_totals(viewer, account)
            totals = self._totals(connection)
            return Detail.of(totals, self._crossings, account, row_id, tells_totals=tells_totals)

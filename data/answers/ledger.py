"""The ledger of executions: a page of it, its sums, all of it for export; each one snapshot."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Final

from sqlalchemy import Engine

from data.answers.crossings import Crossings
from data.answers.detail import Detail
from data.answers.figures import Figures, figures_of
from data.answers.filter_options import FilterOptions, filter_options_of
from data.answers.page import Page, page_of, selection_of
from data.answers.page_counts import count_of
from data.files.export import ROW_LIMIT, Export
from data.platform import readiness
from data.platform.access import Viewer, Workspace, workspaces_of
from data.platform.connection import let_idle, transaction
from data.platform.rows import newest_first, read_executions, select_executions
from data.platform.snapshot import Snapshot, snapshot
from data.platform.terms import Account, account_of
from data.question.cursor import Direction
from data.question.file_options import STANDARD, FileOptions
from data.question.query import Split, UsageQuery
from data.rules.allowance import with_labels
from data.rules.billing import Billing
from data.rules.labels import rfc3339
from data.rules.shown import quoted
from data.sums.rollup.trust import is_installed
from data.sums.totals import Totals

_LOG: Final = logging.getLogger(__name__)

_EXPORT_BATCH: Final = 1000


class Ledger:
    """Answers questions about executions out of the platform's database.

    Every question takes the Viewer who asks. ``billing`` has the reporting time zone, and by which
    rules accounts are billed; ``file_turn`` is held while a file is read. Whatever is not there for
    that viewer is a NotFoundError, a database that does not answer an UnavailableError.
    """

    def __init__(
        self,
        engine: Engine,
        billing: Billing,
        *,
        file_turn: Callable[[Viewer], AbstractContextManager[None]] | None = None,
    ) -> None:
        self.zone = billing.zone
        self._engine = engine
        self._billing = billing
        self._file_turn = file_turn or (lambda _: nullcontext())
        self._crossings = Crossings(billing.zone)
        self._by_rollup = True

    def ready(self, *, sessions: bool = False) -> None:
        """Return where the database answers and lets everything be read that answers need.

        ``sessions`` says whether the platform's sessions sign people in.
        """
        with transaction(self._engine) as connection:
            readiness.check(connection, sessions=sessions)

    def workspaces(self, viewer: Viewer, *, cut: bool = False) -> list[Workspace]:
        """Return the workspaces that the viewer may see, by name; ``cut`` to be shown."""
        with snapshot(self._engine) as opened:
            return workspaces_of(opened, viewer, cut=cut)

    def account(self, viewer: Viewer, workspace_id: str) -> Account:
        """Return who pays for a workspace."""
        with snapshot(self._engine) as opened:
            return self._account(opened, viewer, workspace_id)

    def page(self, viewer: Viewer, query: UsageQuery) -> Page:
        """Return one page of the window that ``query`` asks for."""
        with snapshot(self._engine) as opened:
            account = self._account(opened, viewer, query.workspace_id)
            return page_of(self._totals(opened), self._crossings, account, query)

    def page_shown(self, viewer: Viewer, query: UsageQuery) -> tuple[Page, list[Workspace]]:
        """Return a page for whoever only shows its texts, which are cut, and what else is open.

        Going back past a late row ends in a full page, not in a short one.
        """
        with snapshot(self._engine) as opened:
            account = self._account(opened, viewer, query.workspace_id)
            totals = self._totals(opened)
            page = page_of(totals, self._crossings, account, query, cut=True)
            short = len(page.rows) < query.limit and page.next_cursor is not None
            if query.direction is Direction.NEWER and short:
                first = replace(query, cursor=None, direction=Direction.OLDER)
                page = page_of(totals, self._crossings, account, first, cut=True)
            return page, workspaces_of(opened, viewer, cut=True)

    def summary(self, viewer: Viewer, query: UsageQuery) -> Figures:
        """Return the sums of the whole window, whatever page ``query`` asks for."""
        return self.figures(viewer, query, drawn=False)

    def figures(
        self, viewer: Viewer, query: UsageQuery, split: Split = Split.TYPE, *, drawn: bool = True
    ) -> Figures:
        """Return the figures of the whole window, step by step where they are ``drawn``."""
        with snapshot(self._engine) as opened:
            account = self._account(opened, viewer, query.workspace_id)
            return figures_of(
                self._totals(opened), self._crossings, account, query, split, drawn=drawn
            )

    def figures_shown(
        self, viewer: Viewer, query: UsageQuery, split: Split = Split.TYPE
    ) -> tuple[Figures, FilterOptions]:
        """Return the figures of the whole window, and what it can be filtered by."""
        with snapshot(self._engine) as opened:
            account = self._account(opened, viewer, query.workspace_id)
            totals = self._totals(opened)
            figures = figures_of(totals, self._crossings, account, query, split, drawn=True)
            return figures, filter_options_of(totals, query)

    def execution(self, viewer: Viewer, workspace_id: str, row_id: str) -> Detail:
        """Return everything known of one execution."""
        with snapshot(self._engine) as opened:
            account = self._account(opened, viewer, workspace_id)
            return Detail.of(self._totals(opened), self._crossings, account, row_id)

    @contextmanager
    def export(
        self, viewer: Viewer, query: UsageQuery, options: FileOptions = STANDARD
    ) -> Iterator[Export]:
        """Open the newest rows of the window for export, whatever page ``query`` asks for."""
        with self._file_turn(viewer), snapshot(self._engine) as opened:
            let_idle(opened.connection)
            account = self._account(opened, viewer, query.workspace_id)
            totals = self._totals(opened)
            labels = options.needs_labels
            selection = selection_of(totals, self._crossings, account, query, labels=labels)
            total = count_of(totals, selection)
            statement = select_executions(selection, sent_and_received=labels)
            statement = statement.order_by(*newest_first(selection.executions)).limit(ROW_LIMIT)
            streamed = opened.connection.execution_options(yield_per=_EXPORT_BATCH)
            with streamed.execute(statement) as rows:
                _LOG.info(
                    "export: %s, workspace %s, from %s to %s, %d rows",
                    viewer.name,
                    quoted(query.workspace_id),
                    rfc3339(query.window.start),
                    rfc3339(query.window.end),
                    min(total, ROW_LIMIT),
                )
                read = read_executions(rows)
                told = with_labels(read, selection.crossings) if labels else read
                yield Export(account, told, total)

    def _account(self, opened: Snapshot, viewer: Viewer, workspace_id: str) -> Account:
        return account_of(opened, viewer, workspace_id, self._billing)

    def _totals(self, opened: Snapshot) -> Totals:
        """Return this snapshot's sums; the log tells once when a rollup cannot be trusted."""
        totals = Totals.of(opened)
        if self._by_rollup and not totals.rollup and is_installed(opened.connection):
            _LOG.warning(
                "the rollup is not whole: sums come from the executions. app.py verify says why"
            )
        self._by_rollup = totals.rollup
        return totals

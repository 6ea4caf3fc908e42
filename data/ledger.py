"""The ledger of executions: a page of it, or all of it for export, each as one snapshot."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

import pandas as pd
from psycopg.errors import QueryCanceled
from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, or_, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from data.access import Account, LimitScope, Viewer, Workspace, account_of, workspaces_of
from data.allowance import Crossing, classify, first_above
from data.cost import models, tokens, total
from data.engine import STATEMENT_TIMEOUT_SECONDS
from data.errors import BadRequestError, UnavailableError
from data.export import ROW_LIMIT
from data.money import ZERO
from data.paging import Cursor, Direction, Position
from data.periods import BillingPeriod, Span, Window, billing_periods, days_of, slices
from data.query import UsageQuery
from data.schema import execution, workflow
from data.totals import totals_by_span

_QUARTER_HOUR: Final = timedelta(minutes=15)
_SECOND: Final = timedelta(seconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)
# A quarter-hour busier than this is searched by the second before its executions are read.
_FEW_EXECUTIONS: Final = 1000
_EXPORT_BATCH: Final = 1000

_ledger_id: Final = execution.c.id.collate("C")
_NEWEST_FIRST: Final = (execution.c.started_at.desc(), _ledger_id.desc())
_OLDEST_FIRST: Final = (execution.c.started_at, _ledger_id)


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
class Export:
    """The newest ``ROW_LIMIT`` executions of a window, newest first, read as they are consumed.

    Each of ``rows`` has the names of Page's columns up to ``cost``; ``total`` counts the window.
    """

    rows: Iterable[Any]
    total: int


class Ledger:
    """Answers questions about executions out of the platform's database.

    Every question takes the Viewer who asks. ``zone`` is the reporting time zone, ``scope`` what
    the running total covers.
    """

    def __init__(self, engine: Engine, *, zone: tzinfo, scope: LimitScope) -> None:
        self.zone = zone
        self._engine = engine
        self._scope = scope

    def ready(self) -> None:
        """Return where the database answers; raises UnavailableError where it does not."""
        with self._snapshot() as connection:
            connection.execute(select(1))

    def workspaces(self, viewer: Viewer) -> list[Workspace]:
        """Return the workspaces that the viewer may see, by name."""
        with self._snapshot() as connection:
            return workspaces_of(connection, viewer)

    def account(self, viewer: Viewer, workspace_id: str) -> Account:
        """Return who pays for a workspace; raises NotFoundError where the viewer may not see it."""
        with self._snapshot() as connection:
            return account_of(connection, viewer, workspace_id, self._scope)

    def page(self, viewer: Viewer, query: UsageQuery) -> Page:
        """Return one page of the window that ``query`` asks for."""
        with self._snapshot() as connection:
            account = account_of(connection, viewer, query.workspace_id, self._scope)
            position = _position(connection, query)
            rows = _page_rows(connection, query, position)
            total, newer = _counts(connection, query, rows, position)
            crossings = self._crossings(connection, account, rows)
            latest = None if total else _latest(connection, query.workspace_id)
        rows = classify(rows, crossings)
        older = total - newer - len(rows)
        return Page(
            account=account,
            window=query.window,
            rows=rows,
            crossings=crossings,
            total=total,
            newer=newer,
            next_cursor=_next_cursor(query, rows, position) if older else None,
            previous_cursor=_previous_cursor(query, rows, position) if newer else None,
            latest=latest,
        )

    @contextmanager
    def export(self, viewer: Viewer, query: UsageQuery) -> Iterator[Export]:
        """Open the newest rows of the window for export, whatever page ``query`` asks for."""
        with self._snapshot() as connection:
            account_of(connection, viewer, query.workspace_id, self._scope)
            condition = _in_window(query.workspace_id, query.window)
            total: int = connection.execute(
                select(func.count()).select_from(execution).where(condition)
            ).scalar_one()
            rows = connection.execution_options(yield_per=_EXPORT_BATCH).execute(
                _executions(condition).order_by(*_NEWEST_FIRST).limit(ROW_LIMIT)
            )
            yield Export(rows, total)

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        """Open one read-only transaction: all that is read in it belongs to one instant."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except OperationalError as failure:
            if isinstance(failure.orig, QueryCanceled):
                raise UnavailableError(
                    f"The database did not answer within {STATEMENT_TIMEOUT_SECONDS} s. "
                    "Choose a shorter window, or try again.",
                    code="database_timeout",
                ) from failure
            raise _unreachable() from failure
        except (InterfaceError, PoolTimeoutError) as failure:
            raise _unreachable() from failure

    def _crossings(
        self, connection: Connection, account: Account, rows: pd.DataFrame
    ) -> list[Crossing]:
        """Find the Crossing of every billing period that ``rows`` touch."""
        found = (
            self._crossing(connection, account, period)
            for period in billing_periods(list(rows["started_at"]), self.zone)
        )
        return [crossing for crossing in found if crossing]

    def _crossing(
        self, connection: Connection, account: Account, period: BillingPeriod
    ) -> Crossing | None:
        """Narrow a period down: the day, the quarter-hour, the execution that passes the limit."""
        if account.limit is None:
            return None
        before = ZERO
        spans = days_of(period, self.zone)
        for finer in (_QUARTER_HOUR, _SECOND, None):
            totals = totals_by_span(connection, account.workspace_ids, spans)
            found = first_above(totals["cost"], before, account.limit)
            if found is None:
                return None
            place, before, _ = found
            span = spans[place]
            if finer is None or totals["executions"].iloc[place] <= _FEW_EXECUTIONS:
                break
            spans = slices(span, finer)
        rows = _costs_in(connection, account, span)
        found = first_above(rows["cost"], before, account.limit)
        if found is None:  # pragma: no cover - the span's own sum passed the limit
            raise AssertionError("a span passes the limit that its executions do not pass")
        place, before, after = found
        row = rows.iloc[place]
        position = Position(row["started_at"], row["id"])
        return Crossing(period, position, account.limit, before, after)


def _unreachable() -> UnavailableError:
    return UnavailableError("The database cannot be reached. Try again in a moment.")


def _in_window(workspace_id: str, window: Span) -> ColumnElement[bool]:
    return and_(
        execution.c.workspace_id == workspace_id,
        execution.c.started_at >= window.start,
        execution.c.started_at < window.end,
    )


def _older_than(position: Position) -> ColumnElement[bool]:
    # The first condition alone bounds the index scan.
    return and_(
        execution.c.started_at <= position.started_at,
        or_(execution.c.started_at < position.started_at, _ledger_id < position.id),
    )


def _newer_than(position: Position) -> ColumnElement[bool]:
    return and_(
        execution.c.started_at >= position.started_at,
        or_(execution.c.started_at > position.started_at, _ledger_id > position.id),
    )


def _executions(condition: ColumnElement[bool]) -> Select[Any]:
    """Select what page and export show of the executions that meet ``condition``."""
    return (
        select(
            execution.c.id,
            execution.c.execution_id,
            execution.c.started_at,
            execution.c.status,
            execution.c.trigger,
            workflow.c.id.label("workflow_id"),
            workflow.c.name.label("workflow_name"),
            models,
            tokens,
            total,
        )
        .select_from(execution.outerjoin(workflow, workflow.c.id == execution.c.workflow_id))
        .where(condition)
    )


def _position(connection: Connection, query: UsageQuery) -> Position | None:
    """Return the place at which ``query`` begins to read; a row's id is looked up."""
    if query.cursor is None:
        return None
    if isinstance(query.cursor, Cursor):
        return query.cursor.position
    row = None
    if "\0" not in query.cursor and query.cursor.isprintable():
        row = connection.execute(
            select(execution.c.started_at, execution.c.id).where(
                _in_window(query.workspace_id, query.window), execution.c.id == query.cursor
            )
        ).one_or_none()
    if row is None:
        raise BadRequestError(
            f"{query.direction.value} is neither a cursor nor the id of a row of this window. "
            "Use a cursor exactly as a response gave it, or leave it out to start at the newest "
            "row.",
            param=query.direction.value,
            code="cursor_invalid",
        )
    return Position(row.started_at, row.id)


def _page_rows(
    connection: Connection, query: UsageQuery, position: Position | None
) -> pd.DataFrame:
    """Read the page's rows, newest first."""
    condition = _in_window(query.workspace_id, query.window)
    if query.direction is Direction.NEWER and position:
        statement = _executions(and_(condition, _newer_than(position))).order_by(*_OLDEST_FIRST)
    elif position:
        statement = _executions(and_(condition, _older_than(position))).order_by(*_NEWEST_FIRST)
    else:
        statement = _executions(condition).order_by(*_NEWEST_FIRST)
    result = connection.execute(statement.limit(query.limit))
    rows = pd.DataFrame(result.all(), columns=list(result.keys()), dtype=object)
    if query.direction is Direction.NEWER:
        rows = rows.iloc[::-1].reset_index(drop=True)
    counts = [None if tokens is None else int(tokens) for tokens in rows["tokens"]]
    return rows.assign(tokens=pd.Series(counts, dtype=object))


def _counts(
    connection: Connection, query: UsageQuery, rows: pd.DataFrame, position: Position | None
) -> tuple[int, int]:
    """Count the window's rows, and those of them before the first row of the page."""
    counted = select(func.count()).select_from(execution)
    condition = _in_window(query.workspace_id, query.window)
    everything = counted.where(condition).scalar_subquery()
    if rows.empty:
        total: int = connection.execute(select(everything)).scalar_one()
        return total, 0 if query.direction is Direction.NEWER or position is None else total
    first = _position_of(rows, 0)
    # In two parts, so that the large one is answered by the index alone.
    later = counted.where(condition, execution.c.started_at > first.started_at).scalar_subquery()
    tied = counted.where(
        condition, execution.c.started_at == first.started_at, _ledger_id > first.id
    ).scalar_subquery()
    row = connection.execute(select(everything, later + tied)).one()
    return row[0], row[1]


def _next_cursor(query: UsageQuery, rows: pd.DataFrame, position: Position | None) -> Cursor:
    if not rows.empty:
        position = _position_of(rows, -1)
    elif position:  # nothing newer than this place, so everything older begins with it
        position = Position(position.started_at + _MICROSECOND, "")
    else:
        raise AssertionError("a window without rows has none that are older")
    return Cursor(query.workspace_id, query.window, position)


def _previous_cursor(query: UsageQuery, rows: pd.DataFrame, position: Position | None) -> Cursor:
    if not rows.empty:
        position = _position_of(rows, 0)
    elif position:  # nothing older than this place, so everything newer begins with it
        position = Position(position.started_at, "")
    else:
        raise AssertionError("the first page has no rows that are newer")
    return Cursor(query.workspace_id, query.window, position)


def _position_of(rows: pd.DataFrame, place: int) -> Position:
    row = rows.iloc[place]
    return Position(row["started_at"], row["id"])


def _latest(connection: Connection, workspace_id: str) -> datetime | None:
    found: datetime | None = connection.execute(
        select(func.max(execution.c.started_at)).where(execution.c.workspace_id == workspace_id)
    ).scalar_one()
    return found


def _costs_in(connection: Connection, account: Account, span: Span) -> pd.DataFrame:
    """Read the costs of the account's executions in ``span`` in ledger order, unknown as 0."""
    rows = connection.execute(
        select(
            execution.c.started_at,
            execution.c.id,
            func.coalesce(total, ZERO).label("cost"),
        )
        .where(
            execution.c.workspace_id == func.any(list(account.workspace_ids)),
            execution.c.started_at >= span.start,
            execution.c.started_at < span.end,
        )
        .order_by(*_OLDEST_FIRST)
    )
    return pd.DataFrame(rows.all(), columns=["started_at", "id", "cost"], dtype=object)

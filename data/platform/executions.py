"""The statements about executions: which rows, in which order, how many, their sums."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final, NamedTuple

import pandas as pd
from sqlalchemy import Column, ColumnElement, Connection, Select, func, select

from data.platform.charges import models, models_cut, tokens, total
from data.platform.schema import execution, workflow
from data.platform.selection import Selection, ledger_id, newer_than, older_than, starts_in
from data.question.cursor import Cursor, Direction, Position
from data.question.filters import is_text
from data.question.query import UsageQuery
from data.rules.calendar import EVER, BillingPeriod, Span, billing_period, billing_periods_of
from data.rules.errors import BadRequestError
from data.rules.labels import UsageType
from data.rules.money import ZERO
from data.rules.shown import READ_AT_MOST

_CENTURY: Final = timedelta(days=36525)
_MICROSECOND: Final = timedelta(microseconds=1)

_OLDEST_FIRST: Final = (execution.c.started_at, ledger_id)
NEWEST_FIRST: Final = (execution.c.started_at.desc(), ledger_id.desc())


class Execution(NamedTuple):
    """A row of a page: the columns of ``select_executions``, and how ``classify`` labels it.

    ``workflow_name`` is None where the workflow was deleted; ``tokens``, ``cost`` and ``on_demand``
    (dollars) are None where they are unknown.
    """

    id: str
    execution_id: str
    started_at: datetime
    status: str
    trigger: str
    workflow_id: str | None
    workflow_name: str | None
    models: list[str]
    tokens: int | None
    cost: Decimal | None
    type: UsageType
    on_demand: Decimal | None


def executions_of(rows: pd.DataFrame) -> list[Execution]:
    """Return the rows of a page one by one; pandas' own ``itertuples`` makes a class each time."""
    return [Execution._make(row) for row in rows.to_numpy().tolist()]


def select_executions(selection: Selection, *, cut: bool = False) -> Select[Any]:
    """Select what page and export show of the executions of a window.

    For what is only to be ``shown``, texts are ``cut``: the names of a page may be of any length.
    """
    text: Callable[[Column[str]], ColumnElement[str]] = _beginning if cut else _whole
    return (
        select(
            execution.c.id,
            text(execution.c.execution_id),
            execution.c.started_at,
            text(execution.c.status),
            text(execution.c.trigger),
            workflow.c.id.label("workflow_id"),
            text(workflow.c.name).label("workflow_name"),
            models_cut if cut else models,
            tokens,
            total,
        )
        .select_from(selection.tables)
        .where(selection.condition)
    )


def _whole(column: Column[str]) -> ColumnElement[str]:
    return column


def _beginning(column: Column[str]) -> ColumnElement[str]:
    return func.left(column, READ_AT_MOST + 1).label(column.name)


def position_of(connection: Connection, query: UsageQuery) -> Position | None:
    """Return the place at which ``query`` begins to read; a row's id is looked up."""
    if query.cursor is None:
        return None
    if isinstance(query.cursor, Cursor):
        return query.cursor.position
    row = None
    if is_text(query.cursor):
        row = connection.execute(
            select(execution.c.started_at, execution.c.id).where(
                Selection(query.workspace_id, query.window).condition,
                execution.c.id == query.cursor,
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


def page_rows(
    connection: Connection,
    selection: Selection,
    query: UsageQuery,
    position: Position | None,
    *,
    cut: bool,
) -> pd.DataFrame:
    """Read the page's rows, newest first; ``cut`` as for select_executions."""
    statement = select_executions(selection, cut=cut)
    if position is None:
        statement = statement.order_by(*NEWEST_FIRST)
    elif query.direction is Direction.OLDER:
        statement = statement.where(older_than(position)).order_by(*NEWEST_FIRST)
    else:
        statement = statement.where(newer_than(position)).order_by(*_OLDEST_FIRST)
    rows = read_executions(connection, statement.limit(query.limit))
    return rows.iloc[::-1].reset_index(drop=True) if query.direction is Direction.NEWER else rows


def read_executions(connection: Connection, statement: Select[Any]) -> pd.DataFrame:
    """Read what ``select_executions`` selects; tokens as int, everything of dtype ``object``."""
    result = connection.execute(statement)
    # Tuples, because pandas examines every attribute of a Row.
    rows = pd.DataFrame(list(map(tuple, result.all())), columns=list(result.keys()), dtype=object)
    counted = [None if number is None else int(number) for number in rows["tokens"]]
    rows["tokens"] = pd.Series(counted, dtype=object)
    return rows


def count_tied(connection: Connection, workspace_id: str, position: Position) -> int:
    """Count the executions that started with ``position`` and come before it on the page."""
    counted: int = connection.execute(
        select(func.count())
        .select_from(execution)
        .where(
            execution.c.workspace_id == workspace_id,
            execution.c.started_at == position.started_at,
            ledger_id > position.id,
        )
    ).scalar_one()
    return counted


def extent_of(
    connection: Connection, workspace_id: str, window: Span
) -> tuple[datetime | None, datetime | None]:
    """Return when the first and the last execution of a window started; None where it has none."""
    inside = Selection(workspace_id, window).condition
    at = select(execution.c.started_at).where(inside).limit(1)
    first = at.order_by(execution.c.started_at).scalar_subquery()
    last = at.order_by(execution.c.started_at.desc()).scalar_subquery()
    found = connection.execute(select(first.label("first"), last.label("last"))).one()
    return found.first, found.last


def periods_in_use(
    connection: Connection,
    workspace_id: str,
    extent: tuple[datetime | None, datetime | None],
    zone: tzinfo,
) -> list[BillingPeriod]:
    """Return the billing periods from that of the first execution to that of the last.

    ``extent`` is when they started. Of centuries, which a wrong clock makes, only the periods that
    have executions are returned.
    """
    start, last = extent
    if start is None or last is None or last - start < _CENTURY:
        return billing_periods_of(start, last, zone)
    periods = []
    while start is not None:
        periods.append(billing_period(start, zone))
        later = Span(periods[-1].end, max(periods[-1].end, last + _MICROSECOND))
        start, _ = extent_of(connection, workspace_id, later)
    return periods


def latest_start(connection: Connection, workspace_id: str) -> datetime | None:
    """Return when the last execution of the workspace started that a window can show."""
    return extent_of(connection, workspace_id, EVER)[1]


def costs_in(connection: Connection, workspace_ids: Sequence[str], span: Span) -> pd.DataFrame:
    """Read the costs of some workspaces' executions in ledger order, unknown ones as 0.

    Returns ``started_at``, ``id`` and ``cost`` (Decimal dollars), of dtype ``object``.
    """
    rows = connection.execute(
        select(execution.c.started_at, execution.c.id, func.coalesce(total, ZERO).label("cost"))
        .where(execution.c.workspace_id == func.any(list(workspace_ids)), starts_in(span))
        .order_by(*_OLDEST_FIRST)
    )
    return pd.DataFrame(rows.all(), columns=["started_at", "id", "cost"], dtype=object)

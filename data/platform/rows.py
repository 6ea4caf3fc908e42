"""Executions row by row: those of a page or a file, one by its id, what they cost in order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, Text, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from data.platform.executions import Executions
from data.platform.selection import Selection, between, newer_than, older_than
from data.platform.snapshot import Snapshot
from data.question.cursor import Cursor, Direction
from data.question.filters import is_text
from data.question.query import UsageQuery
from data.rules.calendar import EVER, Span, spans_between
from data.rules.errors import BadRequestError
from data.rules.execution import Execution
from data.rules.money import ZERO
from data.rules.position import Position
from data.rules.shown import READ_AT_MOST

_S = TypeVar("_S", bound=Span)

_CENTURY: Final = timedelta(days=36525)
_MICROSECOND: Final = timedelta(microseconds=1)


def newest_first(executions: Executions) -> tuple[ColumnElement[Any], ...]:
    """Return the order of the page: ledger order, backwards."""
    return executions.started_at.desc(), executions.place.desc()


def _oldest_first(executions: Executions) -> tuple[ColumnElement[Any], ...]:
    return executions.started_at, executions.place


def select_executions(
    selection: Selection, *, cut: bool = False, sent_and_received: bool = False
) -> Select[Any]:
    """Select what ``read_executions`` reads; ``sent_and_received`` adds these tokens.

    For what is only to be ``shown``, texts are ``cut``: the names of a page may be of any length.
    """
    executions = selection.executions
    text: Callable[[ColumnElement[str]], ColumnElement[str]] = _beginning if cut else _whole
    models = executions.models_cut(READ_AT_MOST + 1) if cut else executions.models
    return selection.select(
        executions.id,
        text(executions.execution_id),
        executions.workspace_id,
        executions.started_at,
        text(executions.status),
        text(executions.trigger),
        executions.workflows.c.id.label("workflow_id"),
        text(executions.workflows.c.name).label("workflow_name"),
        models.label("models"),
        executions.tokens.label("tokens"),
        executions.tokens_complete.label("tokens_complete"),
        executions.cost.label("cost"),
        *((executions.sent, executions.received) if sent_and_received else ()),
    )


def _whole(column: ColumnElement[str]) -> ColumnElement[str]:
    return column


def _beginning(column: ColumnElement[str]) -> ColumnElement[str]:
    return func.left(column, READ_AT_MOST + 1)


def read_executions(rows: Iterable[Any]) -> Iterator[Execution]:
    """Read rows of ``select_executions`` as they come; they have no labels yet."""
    for row in rows:
        *told, tokens, complete, cost = row[:12]
        sent, received = row[12:] or (None, None)
        of_tokens = (whole(tokens), complete)
        yield Execution._make((*told, *of_tokens, cost, whole(sent), whole(received), None))


def whole(number: Decimal | None) -> int | None:
    """Return tokens as a whole number, None where they are unknown."""
    return None if number is None else int(number)


def position_of(snapshot: Snapshot, query: UsageQuery) -> Position | None:
    """Return the place at which ``query`` begins to read; a row's id is looked up."""
    if query.cursor is None:
        return None
    if isinstance(query.cursor, Cursor):
        return query.cursor.position
    row = None
    if is_text(query.cursor):
        executions = snapshot.executions
        row = snapshot.connection.execute(
            select(executions.started_at, executions.id).where(
                Selection(executions, query.workspace_id, query.window).condition,
                executions.id == query.cursor,
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
    snapshot: Snapshot,
    selection: Selection,
    query: UsageQuery,
    position: Position | None,
    *,
    cut: bool,
) -> list[Execution]:
    """Read the page's rows, newest first; ``cut`` as for select_executions."""
    executions = selection.executions
    statement = select_executions(selection, cut=cut)
    if position is None:
        statement = statement.order_by(*newest_first(executions))
    elif query.direction is Direction.OLDER:
        statement = statement.where(older_than(executions, position))
        statement = statement.order_by(*newest_first(executions))
    else:
        statement = statement.where(newer_than(executions, position))
        statement = statement.order_by(*_oldest_first(executions))
    rows = list(read_executions(snapshot.connection.execute(statement.limit(query.limit))))
    return rows[::-1] if position and query.direction is Direction.NEWER else rows


def count_tied(snapshot: Snapshot, workspace_id: str, position: Position) -> int:
    """Count the executions that started with ``position`` and come before it on the page."""
    executions = snapshot.executions
    counted: int = snapshot.connection.execute(
        select(func.count())
        .select_from(executions.rows)
        .where(
            executions.workspace_id == workspace_id,
            executions.started_at == position.started_at,
            executions.place > position.id,
        )
    ).scalar_one()
    return counted


def extent_of(
    snapshot: Snapshot, workspace_ids: Sequence[str], window: Span
) -> tuple[datetime | None, datetime | None]:
    """Return when the first and the last execution of a window started; None where it has none."""
    executions = snapshot.executions
    started_at = executions.started_at
    # One after the other: the index has the order of one workspace only.
    ids = literal(list(workspace_ids), ARRAY(Text))
    each = func.unnest(ids).table_valued("id", name="each").render_derived()
    inside = between(started_at, window)
    at = select(started_at).where(executions.workspace_id == each.c.id, inside).limit(1)
    first = at.order_by(started_at).scalar_subquery()
    last = at.order_by(started_at.desc()).scalar_subquery()
    found = snapshot.connection.execute(
        select(func.min(first), func.max(last)).select_from(each)
    ).one()
    return found[0], found[1]


def spans_in_use(
    snapshot: Snapshot,
    workspace_ids: Sequence[str],
    extent: tuple[datetime | None, datetime | None],
    span_at: Callable[[datetime], _S],
) -> list[_S]:
    """Return the months, or billing periods, from that of the first execution to that of the last.

    ``extent`` is when they started, ``span_at`` names the month of an instant. Of centuries, which
    a wrong clock makes, only the spans that have executions are returned.
    """
    start, last = extent
    if start is None or last is None or last - start < _CENTURY:
        return spans_between(start, last, span_at)
    spans = []
    while start is not None:
        spans.append(span_at(start))
        later = Span(spans[-1].end, max(spans[-1].end, last + _MICROSECOND))
        start, _ = extent_of(snapshot, workspace_ids, later)
    return spans


def latest_start(snapshot: Snapshot, workspace_id: str) -> datetime | None:
    """Return when the last execution of the workspace started that a window can show."""
    return extent_of(snapshot, [workspace_id], EVER)[1]


class Spent(NamedTuple):
    """What an execution cost, in dollars, an unknown cost as 0."""

    position: Position
    cost: Decimal


def costs_in(snapshot: Snapshot, workspace_ids: Sequence[str], span: Span) -> list[Spent]:
    """Read the costs of some workspaces' executions in ledger order."""
    executions = snapshot.executions
    cost: ColumnElement[Decimal] = func.coalesce(executions.cost, ZERO)
    rows = snapshot.connection.execute(
        select(executions.started_at, executions.id, cost)
        .where(
            executions.workspace_id == func.any(list(workspace_ids)),
            between(executions.started_at, span),
        )
        .order_by(*_oldest_first(executions))
    )
    return [Spent(Position(started_at, row_id), cost) for started_at, row_id, cost in rows]

"""One execution opened: all that is known of it, and how its account stood before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, Connection, case, select, true

from data.answers.crossings import Crossings
from data.platform.access import Account
from data.platform.charges import lines, received, sent
from data.platform.executions import (
    Execution,
    costs_in,
    executions_of,
    read_executions,
    select_executions,
)
from data.platform.schema import execution
from data.platform.selection import Selection, between
from data.question.cursor import Position
from data.question.filters import is_text
from data.rules.allowance import Crossing, classify
from data.rules.calendar import EVER, BillingPeriod, Span, billing_period
from data.rules.errors import NotFoundError
from data.rules.money import ZERO, exact, trimmed
from data.sums.totals import Totals

_MICROSECOND: Final = timedelta(microseconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Part:
    """A line of an execution's cost, in dollars; ``tools`` are within ``cost``.

    ``model`` is None for what no model accounts for: base charge and tools. That is the rest up to
    the total, and so less than nothing where the models' parts add up to more than it.
    """

    model: str | None
    cost: Decimal | None
    tools: Decimal | None = None
    tokens: int | None = None
    sent: int | None = None
    received: int | None = None


@dataclass(frozen=True)
class Detail:
    """Everything known of one execution.

    ``parts`` add up to its cost to the last digit, an unknown part as 0; there are none where the
    cost is unknown. ``sent`` and ``received`` are tokens. ``crossing`` is that of its billing
    period. ``before`` and ``after`` are the account's running total around it, None for viewers to
    whom they would tell of other people's workspaces.
    """

    account: Account
    execution: Execution
    period: BillingPeriod
    ended_at: datetime | None
    duration_ms: int | None
    sent: int | None
    received: int | None
    parts: Sequence[Part]
    crossing: Crossing | None
    before: Decimal | None
    after: Decimal | None

    @property
    def included(self) -> Decimal | None:
        """The part of the cost within the limit; None where the cost is unknown."""
        cost, on_demand = self.execution.cost, self.execution.on_demand
        if cost is None or on_demand is None:
            return None
        with exact():
            return trimmed(cost - on_demand)

    @classmethod
    def of(
        cls,
        totals: Totals,
        crossings: Crossings,
        account: Account,
        row_id: str,
        *,
        tells_totals: bool,
    ) -> Self:
        """Read an execution of the account's workspace by its row's id.

        ``tells_totals`` says whether the viewer may know the running total. Raises NotFoundError.
        """
        connection = totals.connection
        one = execution.c.id == row_id
        selected = select_executions(Selection(account.workspace.id, EVER)).where(one)
        rows = read_executions(connection, selected) if is_text(row_id) else None
        if rows is None or rows.empty:
            raise NotFoundError(
                "There is no such execution in this workspace. Check its id; the platform may "
                "also have deleted it since.",
                param="id",
            )
        position = Position(rows["started_at"].iloc[0], row_id)
        period = billing_period(position.started_at, crossings.zone)
        crossing = crossings.of(totals, account, [period]).get(period)
        [row] = executions_of(classify(rows, [crossing] if crossing else []))
        beside = connection.execute(select(*_BESIDE).where(one)).one()
        before = after = None
        if tells_totals:
            before = _spent_before(totals, account, period, position)
            with exact():
                after = trimmed(before + (row.cost or ZERO))
        return cls(
            account=account,
            execution=row,
            period=period,
            ended_at=beside.ended_at,
            duration_ms=_duration(row.started_at, beside),
            sent=_whole(beside.sent),
            received=_whole(beside.received),
            parts=_parts(connection, row),
            crossing=crossing,
            before=before,
            after=after,
        )


_BESIDE: Final[tuple[ColumnElement[Any], ...]] = (
    # An end such as infinity is none.
    case((between(execution.c.ended_at, EVER), execution.c.ended_at)).label("ended_at"),
    execution.c.total_duration_ms,
    sent,
    received,
)


def _duration(started_at: datetime, beside: Any) -> int | None:
    """Return the milliseconds that the platform wrote, else those between start and end."""
    written: int | None = beside.total_duration_ms
    if written is None and beside.ended_at is not None:
        written = (beside.ended_at - started_at) // _MILLISECOND
    return None if written is None or written < 0 else written


def _parts(connection: Connection, row: Execution) -> list[Part]:
    if row.cost is None:
        return []
    found = connection.execute(
        select(*lines.c)
        .select_from(execution.join(lines, true()))
        .where(execution.c.id == row.id)
        .order_by(lines.c.place)
    )
    parts = [
        Part(
            line.model, line.cost, line.tools, *map(_whole, (line.tokens, line.sent, line.received))
        )
        for line in found
    ]
    with exact():
        rest = trimmed(row.cost - sum((part.cost or ZERO for part in parts), ZERO))
    return [*parts, Part(None, rest)] if rest else parts


def _spent_before(
    totals: Totals, account: Account, period: BillingPeriod, position: Position
) -> Decimal:
    at = position.started_at
    [spent] = totals.by_span(account.workspace_ids, [Span(period.start, at)], "cost")["cost"]
    tied = costs_in(totals.connection, account.workspace_ids, Span(at, at + _MICROSECOND))
    with exact():
        earlier = (
            cost
            for row_id, cost in zip(tied["id"], tied["cost"], strict=True)
            if Position(at, row_id) < position
        )
        return trimmed(sum(earlier, spent))


def _whole(number: Decimal | None) -> int | None:
    return None if number is None else int(number)

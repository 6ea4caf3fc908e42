"""One execution opened: all that is known of it, and how its account stood before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Self

from sqlalchemy import case, select, true

from data.answers.crossings import Crossings
from data.platform.rows import costs_in, read_executions, select_executions, whole
from data.platform.selection import Selection, between
from data.platform.snapshot import Snapshot
from data.platform.terms import Account
from data.question.filters import is_text
from data.rules.allowance import Crossing, label
from data.rules.billing import BillingPeriod
from data.rules.calendar import EVER, Span
from data.rules.errors import NotFoundError
from data.rules.execution import Execution
from data.rules.money import ZERO, exact, trimmed
from data.rules.position import Position
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
    cost is unknown. ``crossing`` is that of its billing period. ``before`` and ``after`` are the
    account's running total around it, None for viewers to whom they would tell of other people's
    workspaces.
    """

    account: Account
    execution: Execution
    period: BillingPeriod
    ended_at: datetime | None
    duration_ms: int | None
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
        snapshot = totals.snapshot
        read = _read(snapshot, account.workspace.id, row_id) if is_text(row_id) else None
        if read is None:
            raise NotFoundError(
                "There is no such execution in this workspace. Check its id; the platform may "
                "also have deleted it since.",
                param="id",
            )
        position = Position(read.started_at, row_id)
        period = account.terms.period_at(position.started_at)
        crossing = crossings.of(totals, account, [period]).get(period)
        row = read._replace(label=label(position, read.cost, [crossing] if crossing else []))
        ended_at, duration_ms = _ran(snapshot, row)
        before = after = None
        if tells_totals:
            before = _spent_before(totals, account, period, position)
            with exact():
                after = trimmed(before + (row.cost or ZERO))
        return cls(
            account=account,
            execution=row,
            period=period,
            ended_at=ended_at,
            duration_ms=duration_ms,
            parts=_parts(snapshot, row),
            crossing=crossing,
            before=before,
            after=after,
        )


def _read(snapshot: Snapshot, workspace_id: str, row_id: str) -> Execution | None:
    selection = Selection(snapshot.executions, workspace_id, EVER)
    statement = select_executions(selection, both_ways=True)
    rows = snapshot.connection.execute(statement.where(snapshot.executions.id == row_id))
    return next(read_executions(rows), None)


def _ran(snapshot: Snapshot, row: Execution) -> tuple[datetime | None, int | None]:
    """Return when it ended, and the milliseconds that the platform wrote, else those till then."""
    executions = snapshot.executions
    # An end such as infinity is none.
    ended_at = case((between(executions.ended_at, EVER), executions.ended_at))
    ended, written = snapshot.connection.execute(
        select(ended_at, executions.duration_ms).where(executions.id == row.id)
    ).one()
    if written is None and ended is not None:
        written = (ended - row.started_at) // _MILLISECOND
    return ended, None if written is None or written < 0 else written


def _parts(snapshot: Snapshot, row: Execution) -> list[Part]:
    if row.cost is None:
        return []
    executions = snapshot.executions
    charges = executions.charges
    found = snapshot.connection.execute(
        select(*charges.c)
        .select_from(executions.rows.join(charges, true()))
        .where(executions.id == row.id)
        .order_by(charges.c.place)
    )
    parts = [
        Part(
            line.model, line.cost, line.tools, *map(whole, (line.tokens, line.sent, line.received))
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
    tied = costs_in(totals.snapshot, account.workspace_ids, Span(at, at + _MICROSECOND))
    with exact():
        return trimmed(sum((row.cost for row in tied if row.position < position), spent))

"""One execution opened: all that is known of it, and how its account stood before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Self

from data.answers.crossings import Crossings
from data.platform.opened import charges_of, end_of, execution_named
from data.platform.rows import costs_in
from data.platform.terms import Account
from data.question.filters import is_text
from data.rules.allowance import Crossing, label
from data.rules.billing import BillingPeriod
from data.rules.calendar import Span
from data.rules.errors import NotFoundError
from data.rules.execution import Charge, Execution
from data.rules.money import ZERO, exact, trimmed
from data.rules.position import Position
from data.sums.totals import Totals

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Detail:
    """Everything known of one execution.

    ``charges`` add up to its cost to the last digit, an unknown one as 0; there are none where the
    cost is unknown. ``excess`` is by how many dollars they exceeded it before they were cut to it,
    None where none was. ``crossing`` is that of its billing period. ``before`` and ``after`` are
    the account's running total around it, None for viewers to whom they would tell of other
    people's workspaces.
    """

    account: Account
    execution: Execution
    period: BillingPeriod
    ended_at: datetime | None
    duration_ms: int | None
    charges: Sequence[Charge]
    excess: Decimal | None
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
    def of(cls, totals: Totals, crossings: Crossings, account: Account, row_id: str) -> Self:
        """Read an execution of the account's workspace by its row's id; raises NotFoundError."""
        snapshot = totals.snapshot
        read = execution_named(snapshot, account.workspace.id, row_id) if is_text(row_id) else None
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
        ended_at, duration_ms = end_of(snapshot, row)
        charges, excess = _within(row.cost, charges_of(snapshot, row))
        before = after = None
        if account.tells_amounts:
            before = _spent_before(totals, account, period, position)
            with exact():
                after = trimmed(before + (row.cost or ZERO))
        return cls(
            account=account,
            execution=row,
            period=period,
            ended_at=ended_at,
            duration_ms=duration_ms,
            charges=charges,
            excess=excess,
            crossing=crossing,
            before=before,
            after=after,
        )


def _within(
    total: Decimal | None, recorded: Sequence[Charge]
) -> tuple[list[Charge], Decimal | None]:
    """Return charges that add up to ``total``, and by how much the ``recorded`` ones exceed it.

    It is given to one after the other. How much of a charge that is cut are tools, nobody knows.
    """
    if total is None:
        return [], None
    left, charges = total, []
    with exact():
        for charge in recorded:
            known = charge.cost or ZERO
            within = known <= left
            charges.append(charge if within else charge._replace(cost=trimmed(left), tools=None))
            left -= known if within else left
        excess = sum((charge.cost or ZERO for charge in recorded), ZERO) - total
    if left:
        charges.append(Charge(None, trimmed(left)))
    return charges, trimmed(excess) if excess > 0 else None


def _spent_before(
    totals: Totals, account: Account, period: BillingPeriod, position: Position
) -> Decimal:
    at = position.started_at
    [spent] = totals.by_span(account.workspace_ids, [Span(period.start, at)], "cost")["cost"]
    tied = costs_in(totals.snapshot, account.workspace_ids, Span(at, at + _MICROSECOND))
    with exact():
        return trimmed(sum((row.cost for row in tied if row.position < position), spent))

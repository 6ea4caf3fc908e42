"""Where an account crossed its limit, found in one snapshot by sums over ever shorter spans."""

from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection

from data.access import Account
from data.allowance import Crossing, first_above
from data.executions import cost_since, costs_in
from data.money import ZERO, exact
from data.paging import Position
from data.periods import BillingPeriod, Span, billing_periods, days_of, slices
from data.totals import totals_by_span

_QUARTER_HOUR: Final = timedelta(minutes=15)
_SECOND: Final = timedelta(seconds=1)
# A span that is busier than this is cut once more before its executions are read.
_FEW_EXECUTIONS: Final = 1000


def crossings_of(
    connection: Connection, account: Account, instants: list[datetime], zone: tzinfo
) -> list[Crossing]:
    """Return the Crossing of every billing period that holds one of ``instants``, if it has one."""
    found = (
        crossing_in(connection, account, period, zone) for period in billing_periods(instants, zone)
    )
    return [crossing for crossing in found if crossing]


def crossing_in(
    connection: Connection, account: Account, period: BillingPeriod, zone: tzinfo
) -> Crossing | None:
    """Narrow a period down: the day, the quarter-hour, the execution that passes the limit."""
    if account.limit is None:
        return None
    before = ZERO
    spans = days_of(period, zone)
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
    rows = costs_in(connection, account.workspace_ids, span)
    found = first_above(rows["cost"], before, account.limit)
    if found is None:
        raise AssertionError("a span passes the limit that its executions do not pass")
    place, before, after = found
    row = rows.iloc[place]
    position = Position(row["started_at"], row["id"])
    return Crossing(period, position, account.limit, before, after)


def on_demand_in(
    connection: Connection, workspace_id: str, window: Span, crossings: list[Crossing]
) -> Decimal:
    """Sum the on-demand parts of a workspace's executions in ``window``, in dollars."""
    total = ZERO
    with exact():
        for crossing in crossings:
            start = max(window.start, crossing.period.start)
            end = min(window.end, crossing.period.end)
            if start >= end:
                continue
            cost, itself = cost_since(connection, workspace_id, Span(start, end), crossing.position)
            total += cost - (crossing.limit - crossing.before if itself else ZERO)
    return total

"""How an account stands in a billing period: its running total, and where that passed the limit.

Found in one snapshot by sums over ever shorter spans, for several periods at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from decimal import Decimal
from typing import Final

import pandas as pd

from data.access import Account
from data.allowance import Crossing, first_above
from data.executions import costs_in
from data.money import ZERO, exact
from data.paging import Position
from data.periods import BillingPeriod, Span, days_of, slices
from data.totals import Totals

# Days are cut into these, one after the other, until few executions are left to read.
_STEPS: Final = (timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))
_FEW_EXECUTIONS: Final = 1000

# A span, and the running total before it.
_Narrow = tuple[Span, Decimal]


@dataclass(frozen=True)
class Standing:
    """An account's ``total`` of a billing period, in dollars, and its Crossing, if it has one."""

    total: Decimal
    crossing: Crossing | None


def standings_of(
    totals: Totals, account: Account, periods: Sequence[BillingPeriod], zone: tzinfo
) -> dict[BillingPeriod, Standing]:
    """Add up each of ``periods``, and narrow it down to the execution that passes the limit."""
    days = {period: days_of(period, zone) for period in periods}
    sums = _sums(totals, account, days)
    crossings = {}
    if account.limit is not None:
        narrow = _narrowed(totals, account, account.limit, days, sums)
        for period, within in narrow.items():
            crossings[period] = _crossing(totals, account, account.limit, period, within)
    with exact():
        return {
            period: Standing(sum(rows["cost"], ZERO), crossings.get(period))
            for period, rows in sums.items()
        }


def _sums(
    totals: Totals, account: Account, spans: Mapping[BillingPeriod, Sequence[Span]]
) -> dict[BillingPeriod, pd.DataFrame]:
    """Sum the spans of all periods in one statement."""
    together = [span for of_period in spans.values() for span in of_period]
    rows = totals.by_span(account.workspace_ids, together, "cost", "executions")
    found = {}
    for period, of_period in spans.items():
        found[period], rows = rows.iloc[: len(of_period)], rows.iloc[len(of_period) :]
    return found


def _narrowed(
    totals: Totals,
    account: Account,
    limit: Decimal,
    spans: Mapping[BillingPeriod, Sequence[Span]],
    sums: Mapping[BillingPeriod, pd.DataFrame],
) -> dict[BillingPeriod, _Narrow]:
    """Find a short span in which each period's total passes the limit."""
    narrow = {}
    before = dict.fromkeys(spans, ZERO)
    for step in (*_STEPS, None):
        finer: dict[BillingPeriod, list[Span]] = {}
        for period, rows in sums.items():
            passed = first_above(rows["cost"], before[period], limit)
            if passed is None:
                continue
            place, before[period], _ = passed
            span = spans[period][place]
            if step is None or rows["executions"].iloc[place] <= _FEW_EXECUTIONS:
                narrow[period] = (span, before[period])
            else:
                finer[period] = slices(span, step)
        if not finer:
            break
        spans, sums = finer, _sums(totals, account, finer)
    return narrow


def _crossing(
    totals: Totals, account: Account, limit: Decimal, period: BillingPeriod, narrow: _Narrow
) -> Crossing:
    span, before = narrow
    rows = costs_in(totals.connection, account.workspace_ids, span)
    passed = first_above(rows["cost"], before, limit)
    if passed is None:
        raise AssertionError("a span passes the limit that its executions do not pass")
    place, before, after = passed
    row = rows.iloc[place]
    position = Position(row["started_at"], row["id"])
    return Crossing(period, position, limit, before, after)

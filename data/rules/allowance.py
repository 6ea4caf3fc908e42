"""What the plan includes: the running total against the limit, as pandas ``cumsum``.

Costs are never negative, so in one billing period the running total passes the limit once, at one
execution: the Crossing. Whoever knows it can label any row by its place alone. Frames here hold
Python objects (Decimal, datetime, None) in columns of dtype ``object``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd

from data.question.cursor import Position
from data.rules.calendar import BillingPeriod
from data.rules.labels import UsageType
from data.rules.money import ZERO, exact, trimmed


@dataclass(frozen=True)
class Crossing:
    """The execution that took an account over its limit, and the totals around it, in dollars."""

    period: BillingPeriod
    position: Position
    limit: Decimal
    before: Decimal
    after: Decimal


def first_above(
    costs: pd.Series, before: Decimal, limit: Decimal
) -> tuple[int, Decimal, Decimal] | None:
    """Find where a running total that stands at ``before`` first passes ``limit``.

    ``costs`` are known costs in dollars, in ledger order. Returns the position in ``costs`` with
    the running total before and after it, or None where the limit holds.
    """
    if costs.empty:
        return None
    with exact():
        running = costs.cumsum().map(lambda total: before + total)
        above = (running > limit).to_numpy(dtype=bool)
        if not above.any():
            return None
        place = int(above.argmax())
        after: Decimal = running.iloc[place]
        return place, after - costs.iloc[place], after


def classify(rows: pd.DataFrame, crossings: Iterable[Crossing]) -> pd.DataFrame:
    """Label executions: add the columns ``type`` and ``on_demand`` (dollars).

    ``rows`` has ``started_at``, ``id`` and ``cost`` (None: unknown). ``on_demand`` is the part of
    the cost above the limit, None where the cost is unknown. ``crossings`` are those of every
    billing period that the rows touch.
    """
    known = list(crossings)
    labels = [
        label(Position(started_at, row_id), cost, known)
        for started_at, row_id, cost in zip(
            rows["started_at"], rows["id"], rows["cost"], strict=True
        )
    ]
    labelled = pd.DataFrame(labels, index=rows.index, columns=["type", "on_demand"], dtype=object)
    return pd.concat([rows, labelled], axis="columns")


def label(
    position: Position, cost: Decimal | None, crossings: Sequence[Crossing]
) -> tuple[UsageType, Decimal | None]:
    """Return the Type of one execution and the part of its cost above the limit, as classify."""
    crossing = next((c for c in crossings if position.started_at in c.period), None)
    if crossing is None or position < crossing.position:
        return UsageType.INCLUDED, None if cost is None else ZERO
    if position == crossing.position:
        with exact():
            return UsageType.ON_DEMAND, trimmed(crossing.after - crossing.limit)
    return UsageType.ON_DEMAND, cost

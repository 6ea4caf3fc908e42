"""What the plan includes: the running total against the limit, as pandas ``cumsum``.

Costs are never negative, so in one billing period the running total passes the limit once, at one
execution: the Crossing. Whoever knows it can label any row by its place alone. Frames here hold
Python objects (Decimal, datetime, None) in columns of dtype ``object``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import pandas as pd

from data.rules.billing import BillingPeriod
from data.rules.execution import Execution, Label
from data.rules.labels import UsageType
from data.rules.money import ZERO, exact, trimmed
from data.rules.position import Position

# What a frame tells of an execution before it is labelled.
COLUMNS: Final = Execution._fields[: Execution._fields.index("cost") + 1]


@dataclass(frozen=True)
class Crossing:
    """The execution that took an account over its limit, and the totals around it, in dollars."""

    period: BillingPeriod
    position: Position
    before: Decimal
    after: Decimal

    @property
    def limit(self) -> Decimal:
        """The limit that was passed: that of the period, which has one."""
        if self.period.limit is None:
            raise LookupError("nothing is passed where no limit is set")
        return self.period.limit

    @property
    def over(self) -> Decimal:
        """How far past the limit it went: the part of its cost that is on demand."""
        with exact():
            return trimmed(self.after - self.limit)


def first_above(
    costs: Sequence[Decimal], before: Decimal, limit: Decimal
) -> tuple[int, Decimal, Decimal] | None:
    """Find where a running total that stands at ``before`` first passes ``limit``.

    ``costs`` are known costs in dollars, in ledger order. Returns the position in ``costs`` with
    the running total before and after it, or None where the limit holds.
    """
    if not costs:
        return None
    with exact():
        running = pd.Series(list(costs), dtype=object).cumsum().map(lambda total: before + total)
        above = (running > limit).to_numpy(dtype=bool)
        if not above.any():
            return None
        place = int(above.argmax())
        after: Decimal = running.iloc[place]
        return place, after - costs[place], after


def frame_of(executions: Sequence[Execution]) -> pd.DataFrame:
    """Return executions as ``classify`` takes them: a row each, a column for each of COLUMNS."""
    width = len(COLUMNS)
    return pd.DataFrame([each[:width] for each in executions], columns=COLUMNS, dtype=object)


def executions_in(rows: pd.DataFrame) -> list[Execution]:
    """Return what ``classify`` returned, row by row; pandas' own ``itertuples`` takes longer."""
    width = len(COLUMNS)
    return [
        Execution._make((*row[:width], None, None, Label._make(row[width:])))
        for row in rows.to_numpy().tolist()
    ]


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
    told = pd.DataFrame(labels, index=rows.index, columns=["type", "on_demand"], dtype=object)
    return pd.concat([rows, told], axis="columns")


def label(position: Position, cost: Decimal | None, crossings: Sequence[Crossing]) -> Label:
    """Return the Type of one execution and the part of its cost above the limit, as classify."""
    crossing = next((c for c in crossings if position.started_at in c.period), None)
    if crossing is None or position < crossing.position:
        return Label(UsageType.INCLUDED, None if cost is None else ZERO)
    return Label(UsageType.ON_DEMAND, crossing.over if position == crossing.position else cost)


def with_labels(rows: Iterable[Execution], crossings: Sequence[Crossing]) -> Iterator[Execution]:
    """Label executions as they come; ``crossings`` as for ``classify``."""
    for row in rows:
        position = Position(row.started_at, row.id)
        yield Execution._make((*row[:-1], label(position, row.cost, crossings)))

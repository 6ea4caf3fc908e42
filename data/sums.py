"""What the executions of a window add up to, and which part of it is billed on demand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from data.allowance import Crossing
from data.executions import costs_in
from data.money import ZERO, exact, trimmed
from data.paging import Position
from data.periods import Span
from data.totals import Totals

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Sums:
    """The sums of some executions, in dollars where not counted.

    ``cost`` is ``included`` plus ``on_demand``; ``unknown`` counts the costs that are not known and
    count as 0, ``running`` the executions that have not ended.
    """

    executions: int
    unknown: int
    running: int
    tokens: int
    cost: Decimal
    included: Decimal
    on_demand: Decimal


def sums_of(totals: Totals, workspace_id: str, window: Span, crossings: Iterable[Crossing]) -> Sums:
    """Add up a workspace's executions in ``window``.

    ``crossings`` are those of every billing period in which it has executions.
    """
    known = list(crossings)
    beyond = [
        Span(crossing.position.started_at + _MICROSECOND, crossing.period.end) for crossing in known
    ]
    edges = {edge for span in beyond for edge in (span.start, span.end) if edge in window}
    spans = [Span(*ends) for ends in pairwise(sorted({window.start, window.end, *edges}))]
    rows = totals.by_span(
        [workspace_id], spans, "executions", "unknown", "running", "tokens", "cost"
    )
    with exact():
        cost = sum(rows["cost"], ZERO)
        on_demand = sum(
            (
                amount
                for span, amount in zip(spans, rows["cost"], strict=True)
                if any(span.start in part for part in beyond)
            ),
            sum((_at(totals, workspace_id, window, crossing) for crossing in known), ZERO),
        )
        return Sums(
            executions=sum(rows["executions"]),
            unknown=sum(rows["unknown"]),
            running=sum(rows["running"]),
            tokens=sum(rows["tokens"]),
            cost=trimmed(cost),
            included=trimmed(cost - on_demand),
            on_demand=trimmed(on_demand),
        )


def _at(totals: Totals, workspace_id: str, window: Span, crossing: Crossing) -> Decimal:
    """Return what is on demand of the executions that started in the instant of ``crossing``."""
    at = crossing.position.started_at
    if at not in window:
        return ZERO
    on_demand = ZERO
    rows = costs_in(totals.connection, [workspace_id], Span(at, at + _MICROSECOND))
    for row_id, cost in zip(rows["id"], rows["cost"], strict=True):
        position = Position(at, row_id)
        if position == crossing.position:
            on_demand += crossing.after - crossing.limit
        elif position > crossing.position:
            on_demand += cost
    return on_demand

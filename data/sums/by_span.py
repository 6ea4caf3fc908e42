"""What executions add up to, span by span, and which part of it is billed on demand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from typing import Final

from sqlalchemy import ColumnElement, and_, case, literal_column, select

from data.platform.rows import costs_in
from data.platform.selection import Selection, since
from data.rules.allowance import Crossing, label
from data.rules.calendar import Span
from data.rules.money import ZERO, exact, trimmed
from data.sums.measures import MEASURES, added_by
from data.sums.places import by_place, instants
from data.sums.totals import Totals

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Sums:
    """The sums of some executions, in dollars where not counted.

    ``cost`` is ``included`` plus ``on_demand``; ``unknown`` counts the costs that are not known and
    count as 0, ``unfinished`` the executions that have not ended.
    """

    executions: int = 0
    unknown: int = 0
    unfinished: int = 0
    tokens: int = 0
    cost: Decimal = ZERO
    on_demand: Decimal = ZERO

    @property
    def included(self) -> Decimal:
        """The part of the cost that the plan includes."""
        with exact():
            return trimmed(self.cost - self.on_demand)

    def __add__(self, other: "Sums") -> "Sums":
        with exact():
            return Sums(
                self.executions + other.executions,
                self.unknown + other.unknown,
                self.unfinished + other.unfinished,
                self.tokens + other.tokens,
                trimmed(self.cost + other.cost),
                trimmed(self.on_demand + other.on_demand),
            )


def together(sums: Sequence[Sums]) -> Sums:
    """Add up the sums of spans that do not overlap."""
    return reduce(Sums.__add__, sums, Sums())


def sums_by(totals: Totals, selection: Selection, spans: Sequence[Span]) -> list[Sums]:
    """Add up the selected executions in each of ``spans``, which are ascending and do not overlap.

    The spans take the place of the selection's own window. Its crossings are those of every billing
    period in which the spans have executions.
    """
    if not spans:
        return []
    if selection.filters:
        return _one_by_one(totals, selection, spans)
    return _by_totals(totals, selection, spans)


def _by_totals(totals: Totals, selection: Selection, spans: Sequence[Span]) -> list[Sums]:
    beyond = [
        Span(crossing.position.started_at + _MICROSECOND, crossing.period.end)
        for crossing in selection.crossings
    ]
    edges = {edge for span in beyond for edge in (span.start, span.end)}
    parts = [(place, part) for place, span in enumerate(spans) for part in _cut_at(edges, span)]
    columns = totals.by_span([selection.workspace_id], [part for _, part in parts], *MEASURES)
    sums = [Sums()] * len(spans)
    for (place, part), row in zip(parts, zip(*columns.values(), strict=True), strict=True):
        found = Sums(*row)
        if any(part.start in span for span in beyond):
            found = replace(found, on_demand=found.cost)
        sums[place] += found
    for crossing in selection.crossings:
        at = crossing.position.started_at
        for place, span in enumerate(spans):
            if at in span:
                sums[place] += Sums(on_demand=_at(totals, selection.workspace_id, crossing))
    return sums


def _cut_at(edges: set[datetime], span: Span) -> list[Span]:
    inside = {edge for edge in edges if edge in span}
    return [Span(*ends) for ends in pairwise(sorted({span.start, span.end, *inside}))]


def _at(totals: Totals, workspace_id: str, crossing: Crossing) -> Decimal:
    """Return what is on demand of the executions that started in the instant of ``crossing``."""
    at = crossing.position.started_at
    rows = costs_in(totals.snapshot, [workspace_id], Span(at, at + _MICROSECOND))
    with exact():
        return sum((label(*row, [crossing]).on_demand or ZERO for row in rows), ZERO)


def _one_by_one(totals: Totals, selection: Selection, spans: Sequence[Span]) -> list[Sums]:
    """Read every execution that passes the filters, once."""
    executions = selection.executions
    edges = sorted({edge for span in spans for edge in (span.start, span.end)})
    adds = {**added_by(executions), "on_demand": _on_demand(selection)}
    read = (
        select(executions.started_at.label("at"), *(adds[name].label(name) for name in adds))
        .select_from(selection.tables)
        .where(selection.over(spans))
        .subquery("read")
    )
    question = by_place(read, instants("edges", edges), tuple(adds))
    by_start = {}
    for row in totals.snapshot.connection.execute(question):
        by_start[edges[row.place - 1]] = Sums(
            int(row.executions),
            int(row.unknown),
            int(row.unfinished),
            int(row.tokens),
            trimmed(row.cost),
            trimmed(row.on_demand),
        )
    return [by_start.get(span.start, Sums()) for span in spans]


def _on_demand(selection: Selection) -> ColumnElement[Decimal]:
    """Return what an execution adds to the On-Demand amount."""
    executions = selection.executions
    cost = added_by(executions)["cost"]
    parts = []
    for crossing in selection.crossings:
        at, row_id = crossing.position
        here = and_(executions.started_at == at, executions.id == row_id)
        parts += [(here, crossing.over), (since(executions, crossing), cost)]
    return case(*parts, else_=ZERO) if parts else literal_column("0::numeric")

"""Sums over spans of time: how many executions some workspaces had, what they cost.

From the rollup where it can be trusted, with the executions only for what is left over at the ends
of a span; else from the executions alone. Both give the same figures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Self

import pandas as pd
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Numeric,
    Select,
    Text,
    bindparam,
    cast,
    false,
    func,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from data.platform.charges import tokens_of, total_of
from data.platform.schema import UtcTimestamp, execution
from data.rules.calendar import Span
from data.rules.labels import UNFINISHED
from data.rules.money import ZERO
from data.sums.rollup import tables
from data.sums.rollup.trust import is_trusted
from data.sums.sources import Source, spans_by_source


def _of_execution(cost: str, status: ColumnElement[Any]) -> dict[str, ColumnElement[Any]]:
    """Return what an execution adds to each measure, out of its ``cost`` and ``status``."""
    total = literal_column(total_of(cost), Numeric)
    return {
        "executions": literal_column("1", Integer),
        "unknown": cast(total.is_(None), Integer),
        "unfinished": cast(func.coalesce(status.in_(UNFINISHED), false()), Integer),
        "tokens": func.coalesce(literal_column(tokens_of(cost), Numeric), ZERO),
        "cost": func.coalesce(total, ZERO),
    }


# What an execution adds to each measure.
OF_EXECUTION: Final = _of_execution("workflow_execution_logs.cost", execution.c.status)

# What a row adds, where the table does not say it itself.
_READ: Final = {
    Source.EXECUTIONS: OF_EXECUTION,
    # What was there before comes with a minus: many states of an execution, and the last remains.
    Source.CHANGES: {
        measure: tables.change.c.sign * added
        for measure, added in _of_execution("usage.change.cost", tables.change.c.status).items()
    },
}

# Each source's table, and its column of time.
_TABLES: Final = {
    Source.EXECUTIONS: (execution, execution.c.started_at),
    Source.MINUTES: (tables.minute, tables.minute.c.start),
    Source.HOURS: (tables.hour, tables.hour.c.start),
    Source.CHANGES: (tables.change, tables.change.c.started_at),
}


_EXECUTIONS_ALONE: Final = ((Source.EXECUTIONS, False),)
# So many spans are cheaper to tell apart than to group by.
_FEW: Final = 4


@dataclass(frozen=True)
class Totals:
    """Sums in one snapshot; ``rollup`` says whether the rollup may be asked."""

    connection: Connection
    rollup: bool

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Return the sums of this transaction's snapshot."""
        return cls(connection, is_trusted(connection))

    def by_span(
        self, workspace_ids: Sequence[str], spans: Sequence[Span], *measures: str
    ) -> pd.DataFrame:
        """Sum the executions of some workspaces in each of ``spans``, which may not overlap.

        Returns a row per span, in their order, with a column for each of ``measures``:
        ``executions``, ``unknown``, ``unfinished``, ``tokens`` (int) or ``cost`` (Decimal dollars),
        what is unknown as 0; dtype ``object``.
        """
        order = sorted(range(len(spans)), key=lambda place: (spans[place].start, spans[place].end))
        pieces = spans_by_source([spans[place] for place in order], rollup=self.rollup)
        sums = {measure: [_zero(measure)] * len(spans) for measure in measures}
        if pieces:
            shape = tuple((source, len(of_source) > 1) for source, of_source in pieces.items())
            values: dict[str, Any] = {"workspaces": list(workspace_ids)}
            values["starts"] = [spans[place].start for place in order]
            values["ends"] = [spans[place].end for place in order]
            for source, of_source in pieces.items():
                values |= _ends(source, of_source)
            few = len(spans) if len(spans) <= _FEW else None
            for row in self.connection.execute(_statement(shape, measures, few), values):
                for place, found in _placed(row, few):
                    for measure, value in zip(measures, found, strict=True):
                        if value is not None:
                            exact = value if measure == "cost" else int(value)
                            sums[measure][order[place - 1]] = exact
        return pd.DataFrame(sums, columns=list(measures), dtype=object)


def _zero(measure: str) -> Any:
    return ZERO if measure == "cost" else 0


def _ends(source: Source, spans: Sequence[Span]) -> dict[str, Any]:
    """Return the parameters that bound a source: one span as it is, several as arrays."""
    starts, ends = [span.start for span in spans], [span.end for span in spans]
    many = len(spans) > 1
    return {
        f"{source}_start": starts if many else starts[0],
        f"{source}_end": ends if many else ends[0],
    }


def _placed(row: Sequence[Any], few: int | None) -> Iterator[tuple[int, Sequence[Any]]]:
    """Give the sums of a row by their place, counted from 1; None is the sum of nothing."""
    if few is None:
        yield row[0], row[1:]
        return
    width = len(row) // few
    for place in range(few):
        yield place + 1, row[place * width : (place + 1) * width]


@cache
def _statement(
    shape: tuple[tuple[Source, bool], ...], measures: tuple[str, ...], few: int | None
) -> Select[Any]:
    """Sum ``measures`` by place: that of the span among the ``starts``, counted from 1.

    A ``few`` spans stand beside each other in one row, many are rows that begin with their place.
    """
    if few is None and shape == _EXECUTIONS_ALONE:
        return _each_apart(measures)
    part = union_all(*(_rows(source, many, measures) for source, many in shape)).subquery("part")
    starts = bindparam("starts", type_=ARRAY(UtcTimestamp))
    place = func.width_bucket(part.c.at, starts)
    if few is not None:
        sums = [func.sum(part.c[measure]) for measure in measures]
        return select(*(each.filter(place == at) for at in range(1, few + 1) for each in sums))
    # The offset keeps it a subquery: or as many places would be expected as instants, and sorted.
    placed = select(place.label("place"), *(part.c[measure] for measure in measures))
    rows = placed.offset(literal_column("0")).subquery("placed")
    sums = [func.sum(rows.c[measure]) for measure in measures]
    return select(rows.c.place, *sums).group_by(rows.c.place)


def _each_apart(measures: tuple[str, ...]) -> Select[Any]:
    """Sum executions span by span: plain sums in the order of the index, nothing to sort."""
    _, at = _TABLES[Source.EXECUTIONS]
    span = (
        func.unnest(
            bindparam("starts", type_=ARRAY(UtcTimestamp)),
            bindparam("ends", type_=ARRAY(UtcTimestamp)),
        )
        .table_valued("start", "end", with_ordinality="place", name="span")
        .render_derived()
    )
    sums = [func.sum(_READ[Source.EXECUTIONS][measure]).label(measure) for measure in measures]
    within = (
        select(*sums)
        .where(
            execution.c.workspace_id == func.any(bindparam("workspaces", type_=ARRAY(Text))),
            at >= span.c.start,
            at < span.c.end,
        )
        .lateral("within")
    )
    return select(span.c.place, *within.c).select_from(span.join(within, true()))


def _rows(source: Source, many: bool, measures: tuple[str, ...]) -> Select[Any]:  # noqa: FBT001
    table, at = _TABLES[source]
    of_row = _READ.get(source, table.c)
    values = [of_row[measure].label(measure) for measure in measures]
    workspaces = bindparam("workspaces", type_=ARRAY(Text))
    rows = select(at.label("at"), *values).where(table.c.workspace_id == func.any(workspaces))
    type_: Any = ARRAY(UtcTimestamp) if many else UtcTimestamp
    start = bindparam(f"{source}_start", type_=type_)
    end = bindparam(f"{source}_end", type_=type_)
    if not many:
        return rows.where(at >= start, at < end)
    span = func.unnest(start, end).table_valued("start", "end", name=f"{source}_span")
    span = span.render_derived()
    # The offset keeps it a subquery: as a join it would be planned for a third of the table.
    apart = rows.where(at >= span.c.start, at < span.c.end).offset(literal_column("0"))
    within = apart.lateral(f"{source}_in_span")
    return select(*within.c).select_from(span.join(within, true()))

"""Sums over spans of time: how many executions some workspaces had, what they cost.

From the rollup where it can be trusted, with the executions only for what is left over at the ends
of a span; else from the executions alone. Both give the same figures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Text,
    bindparam,
    func,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from data.platform.executions import Executions
from data.platform.generations import executions_of
from data.platform.revision import Revision
from data.platform.snapshot import Snapshot
from data.platform.types import UtcTimestamp
from data.rules.calendar import Span
from data.rules.money import ZERO
from data.sums.measures import added_by
from data.sums.places import by_place, instants, place_of
from data.sums.rollup import tables
from data.sums.rollup.pending import changed_rows, changed_states
from data.sums.rollup.trust import is_trusted
from data.sums.sources import Source, spans_by_source

# The rollup's tables of totals; each has its column of time, and says itself what a row adds.
_FOLDED: Final = {Source.MINUTES: tables.minute, Source.HOURS: tables.hour}

_EXECUTIONS_ALONE: Final = ((Source.EXECUTIONS, False),)
_ENDS: Final = ("start", "end")
# So many spans are cheaper to tell apart than to group by.
_FEW: Final = 4


@dataclass(frozen=True)
class Totals:
    """Sums in one snapshot; ``rollup`` says whether the rollup may be asked."""

    snapshot: Snapshot
    rollup: bool

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Return the sums of a snapshot."""
        return cls(snapshot, is_trusted(snapshot))

    def by_span(
        self, workspace_ids: Sequence[str], spans: Sequence[Span], *measures: str
    ) -> dict[str, list[Any]]:
        """Sum the executions of some workspaces in each of ``spans``, which may not overlap.

        Returns for each of ``measures`` (``executions``, ``unknown``, ``unfinished``, ``tokens``,
        int, or ``cost``, Decimal dollars) its sum in each span, in their order, what is unknown
        as 0.
        """
        order = sorted(range(len(spans)), key=lambda place: (spans[place].start, spans[place].end))
        sources = spans_by_source([spans[place] for place in order], rollup=self.rollup)
        sums = {measure: [_zero(measure)] * len(spans) for measure in measures}
        if sources:
            shape = tuple((source, len(of_source) > 1) for source, of_source in sources.items())
            values: dict[str, Any] = {"workspaces": list(workspace_ids)}
            values["starts"] = [spans[place].start for place in order]
            values["ends"] = [spans[place].end for place in order]
            for source, of_source in sources.items():
                values |= _ends(source, of_source)
            few = len(spans) if len(spans) <= _FEW else None
            statement = _statement(self.snapshot.revision, shape, measures, few)
            for row in self.snapshot.connection.execute(statement, values):
                for place, found in _placed(row, few):
                    for measure, value in zip(measures, found, strict=True):
                        if value is not None:
                            exact = value if measure == "cost" else int(value)
                            sums[measure][order[place - 1]] = exact
        return sums


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


class _Table(NamedTuple):
    """What a source reads: its rows, their time and workspace, what each adds to a measure."""

    rows: FromClause
    at: ColumnElement[Any]
    workspace_id: ColumnElement[str]
    adds: Any


def _table_of(source: Source, revision: Revision, measures: tuple[str, ...]) -> _Table:
    if source is Source.EXECUTIONS:
        executions = executions_of(revision)
        rows, at, workspace_id = executions.rows, executions.started_at, executions.workspace_id
        return _Table(rows, at, workspace_id, added_by(executions))
    if source is Source.CHANGES:
        changed = changed_states if "tokens" in measures else changed_rows
        change, sign = changed(revision)
        # What was there before has a minus: many states of an execution, and the last remains.
        adds = {name: sign * value for name, value in added_by(change).items()}
        return _Table(change.rows, change.started_at, change.workspace_id, adds)
    folded = _FOLDED[source]
    return _Table(folded, folded.c.start, folded.c.workspace_id, folded.c)


@cache
def _statement(
    revision: Revision,
    shape: tuple[tuple[Source, bool], ...],
    measures: tuple[str, ...],
    few: int | None,
) -> Select[Any]:
    """Sum ``measures`` by place: that of the span among the ``starts``, counted from 1.

    A ``few`` spans stand beside each other in one row, many are rows that begin with their place.
    """
    if few is None and shape == _EXECUTIONS_ALONE:
        return _each_apart(executions_of(revision), measures)
    rows = (
        _rows(source, _table_of(source, revision, measures), measures, many=many)
        for source, many in shape
    )
    part = union_all(*rows).subquery("part")
    starts = instants("starts")
    if few is None:
        return by_place(part, starts, measures)
    sums = [func.sum(part.c[measure]) for measure in measures]
    place = place_of(part, starts)
    return select(*(each.filter(place == at) for at in range(1, few + 1) for each in sums))


def _each_apart(executions: Executions, measures: tuple[str, ...]) -> Select[Any]:
    """Sum executions span by span: plain sums in the order of the index, nothing to sort."""
    at = executions.started_at
    span = (
        func.unnest(instants("starts"), instants("ends"))
        .table_valued("start", "end", with_ordinality="place", name="span")
        .render_derived()
    )
    adds = added_by(executions)
    within = (
        select(*(func.sum(adds[measure]).label(measure) for measure in measures))
        .where(
            executions.workspace_id == func.any(bindparam("workspaces", type_=ARRAY(Text))),
            at >= span.c.start,
            at < span.c.end,
        )
        .lateral("within")
    )
    return select(span.c.place, *within.c).select_from(span.join(within, true()))


def _rows(source: Source, table: _Table, measures: tuple[str, ...], *, many: bool) -> Select[Any]:
    values = [table.adds[measure].label(measure) for measure in measures]
    workspaces = bindparam("workspaces", type_=ARRAY(Text))
    rows = select(table.at.label("at"), *values).where(table.workspace_id == func.any(workspaces))
    if not many:
        start, end = (bindparam(f"{source}_{each}", type_=UtcTimestamp) for each in _ENDS)
        return rows.where(table.at >= start, table.at < end)
    ends = func.unnest(*(instants(f"{source}_{each}") for each in _ENDS))
    span = ends.table_valued(*_ENDS, name=f"{source}_span").render_derived()
    # The offset keeps it a subquery: as a join it would be planned for a third of the table.
    inside = rows.where(table.at >= span.c.start, table.at < span.c.end)
    within = inside.offset(literal_column("0")).lateral(f"{source}_in_span")
    return select(*within.c).select_from(span.join(within, true()))

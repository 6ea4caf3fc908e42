"""The executions that a question means, as SQL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, false, func, not_, or_, select

from data.platform.executions import Executions, any_of
from data.question.filters import DELETED, NO_FILTERS, Filters
from data.rules.allowance import Crossing
from data.rules.calendar import Span, joined
from data.rules.labels import DELETED_WORKFLOW, UsageType
from data.rules.position import Position


@dataclass(frozen=True)
class Selection:
    """The executions of a workspace in a window that pass the filters.

    ``crossings`` are those of every billing period in which the window has executions; without them
    a filter by Type means nothing.
    """

    executions: Executions
    workspace_id: str
    window: Span
    filters: Filters = NO_FILTERS
    crossings: tuple[Crossing, ...] = ()

    @property
    def tables(self) -> FromClause:
        """Executions, each with its workflow where that is still there."""
        workflows = self.executions.workflows
        return self.executions.rows.outerjoin(
            workflows, workflows.c.id == self.executions.workflow_id
        )

    @property
    def condition(self) -> ColumnElement[bool]:
        """What an execution has to be like."""
        return self.over([self.window])

    def over(self, spans: Sequence[Span]) -> ColumnElement[bool]:
        """Return the condition with ascending ``spans`` in the place of the window."""
        # Equality, because the index gives its order for one workspace only.
        return and_(
            self.executions.workspace_id == self.workspace_id,
            or_(*(between(self.executions.started_at, span) for span in joined(spans))),
            *self._filtered(),
        )

    def select(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """Select columns of the executions."""
        return select(*columns).select_from(self.tables).where(self.condition)

    def _filtered(self) -> Iterator[ColumnElement[bool]]:
        filters, executions = self.filters, self.executions
        if filters.workflow:
            known = executions.workflow_id == any_of(filters.workflow)
            gone = executions.workflow_id.is_(None)
            yield or_(known, gone) if DELETED in filters.workflow else known
        if filters.model:
            yield executions.uses_any(filters.model)
        if filters.trigger:
            yield executions.trigger == any_of(filters.trigger)
        if filters.status:
            yield executions.status == any_of(filters.status)
        if filters.q is not None:
            name = func.coalesce(executions.workflows.c.name, DELETED_WORKFLOW)
            yield or_(
                name.icontains(filters.q, autoescape=True),
                executions.execution_id.icontains(filters.q, autoescape=True),
            )
        if filters.min_cost_usd is not None:
            yield executions.cost >= filters.min_cost_usd
        if filters.usage_type:
            on_demand = or_(false(), *(since(executions, each) for each in self.crossings))
            yield on_demand if filters.usage_type is UsageType.ON_DEMAND else not_(on_demand)


def between(instant: ColumnElement[Any], span: Span) -> ColumnElement[bool]:
    """Return the condition that ``instant`` lies in ``span``."""
    return and_(instant >= span.start, instant < span.end)


def since(executions: Executions, crossing: Crossing) -> ColumnElement[bool]:
    """Return the condition that an execution is ``crossing``, or came after it in its period."""
    at, row_id = crossing.position
    return and_(
        executions.started_at >= at,
        executions.started_at < crossing.period.end,
        or_(executions.started_at > at, executions.place >= row_id),
    )


def older_than(executions: Executions, position: Position) -> ColumnElement[bool]:
    """Return the condition that an execution comes before ``position`` in ledger order."""
    # The first condition alone bounds the index scan.
    return and_(
        executions.started_at <= position.started_at,
        or_(executions.started_at < position.started_at, executions.place < position.id),
    )


def newer_than(executions: Executions, position: Position) -> ColumnElement[bool]:
    """Return the condition that an execution comes after ``position`` in ledger order."""
    return and_(
        executions.started_at >= position.started_at,
        or_(executions.started_at > position.started_at, executions.place > position.id),
    )

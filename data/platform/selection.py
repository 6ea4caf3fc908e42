"""The executions that a question means, as SQL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, and_, false, func, not_, or_

from data.platform.charges import any_of, total, uses_any
from data.platform.schema import execution, workflow
from data.question.cursor import Position
from data.question.filters import DELETED, NO_FILTERS, Filters
from data.rules.allowance import Crossing
from data.rules.calendar import Span, joined
from data.rules.labels import DELETED_WORKFLOW, UsageType

ledger_id: Final = execution.c.id.collate("C")


@dataclass(frozen=True)
class Selection:
    """The executions of a workspace in a window that pass the filters.

    ``crossings`` are those of every billing period in which the window has executions; without them
    a filter by Type means nothing.
    """

    workspace_id: str
    window: Span
    filters: Filters = NO_FILTERS
    crossings: tuple[Crossing, ...] = ()

    @property
    def tables(self) -> FromClause:
        """Executions, each with its workflow where that is still there."""
        return execution.outerjoin(workflow, workflow.c.id == execution.c.workflow_id)

    @property
    def condition(self) -> ColumnElement[bool]:
        """What an execution has to be like."""
        return self.over([self.window])

    def over(self, spans: Sequence[Span]) -> ColumnElement[bool]:
        """Return the condition with ascending ``spans`` in the place of the window."""
        # Equality, because the index gives its order for one workspace only.
        return and_(
            execution.c.workspace_id == self.workspace_id,
            or_(*(starts_in(span) for span in joined(spans))),
            *self._filtered(),
        )

    def _filtered(self) -> Iterator[ColumnElement[bool]]:
        filters = self.filters
        if filters.workflow:
            known = execution.c.workflow_id == any_of(filters.workflow)
            gone = execution.c.workflow_id.is_(None)
            yield or_(known, gone) if DELETED in filters.workflow else known
        if filters.model:
            yield uses_any(filters.model)
        if filters.trigger:
            yield execution.c.trigger == any_of(filters.trigger)
        if filters.status:
            yield execution.c.status == any_of(filters.status)
        if filters.q is not None:
            name = func.coalesce(workflow.c.name, DELETED_WORKFLOW)
            yield or_(
                name.icontains(filters.q, autoescape=True),
                execution.c.execution_id.icontains(filters.q, autoescape=True),
            )
        if filters.min_cost_usd is not None:
            yield total.element >= filters.min_cost_usd
        if filters.usage_type:
            on_demand = or_(false(), *(since(crossing) for crossing in self.crossings))
            yield on_demand if filters.usage_type is UsageType.ON_DEMAND else not_(on_demand)


def between(instant: ColumnElement[Any], span: Span) -> ColumnElement[bool]:
    """Return the condition that ``instant`` lies in ``span``."""
    return and_(instant >= span.start, instant < span.end)


def starts_in(span: Span) -> ColumnElement[bool]:
    """Return the condition that an execution started in ``span``."""
    return between(execution.c.started_at, span)


def since(crossing: Crossing) -> ColumnElement[bool]:
    """Return the condition that an execution is ``crossing``, or came after it in its period."""
    at, row_id = crossing.position
    return and_(
        execution.c.started_at >= at,
        execution.c.started_at < crossing.period.end,
        or_(execution.c.started_at > at, ledger_id >= row_id),
    )


def older_than(position: Position) -> ColumnElement[bool]:
    """Return the condition that an execution comes before ``position`` in ledger order."""
    # The first condition alone bounds the index scan.
    return and_(
        execution.c.started_at <= position.started_at,
        or_(execution.c.started_at < position.started_at, ledger_id < position.id),
    )


def newer_than(position: Position) -> ColumnElement[bool]:
    """Return the condition that an execution comes after ``position`` in ledger order."""
    return and_(
        execution.c.started_at >= position.started_at,
        or_(execution.c.started_at > position.started_at, ledger_id > position.id),
    )

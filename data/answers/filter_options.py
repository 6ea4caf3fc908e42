"""What a window can be filtered by: the workflows, models, triggers and statuses on offer."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from sqlalchemy import func, select

from data.platform.selection import Selection
from data.question.filters import LENGTH_AT_MOST
from data.question.query import UsageQuery
from data.rules.shown import READ_AT_MOST
from data.sums.rollup import tables
from data.sums.sources import OF_GROUPS, Source, spans_by_source
from data.sums.totals import Totals

# To look through all executions of a window would take longer than to list them.
_LOOKED_THROUGH: Final = 1000
_WORKFLOWS_AT_MOST: Final = 1000
# Of a word that no filter takes, no more is read than tells so.
_READ: Final = LENGTH_AT_MOST + 1


@dataclass(frozen=True)
class FilterOptions:
    """What can be chosen; ``workflows`` are names by id, in their order, cut to be ``shown``.

    ``models``, ``triggers`` and ``statuses`` are those of the window's newest executions, the
    models of all of them where there is a rollup; what the filters ask for is always among them.
    What is longer than a filter takes is not.
    """

    workflows: dict[str, str]
    models: Sequence[str]
    triggers: Sequence[str]
    statuses: Sequence[str]


def filter_options_of(totals: Totals, query: UsageQuery) -> FilterOptions:
    """Return what the window of ``query`` can be filtered by."""
    connection, executions = totals.snapshot.connection, totals.snapshot.executions
    seen = connection.execute(
        select(
            func.left(executions.trigger, _READ).label("trigger"),
            func.left(executions.status, _READ).label("status"),
            executions.models_cut(_READ).label("models"),
        )
        .where(Selection(executions, query.workspace_id, query.window).condition)
        .order_by(executions.started_at.desc())
        .limit(_LOOKED_THROUGH)
    ).all()
    workflows = executions.workflows
    name = func.left(workflows.c.name, READ_AT_MOST + 1).label("name")
    named = connection.execute(
        select(workflows.c.id, name)
        .where(
            workflows.c.workspace_id == query.workspace_id,
            func.length(workflows.c.id) <= LENGTH_AT_MOST,
        )
        .order_by(name, workflows.c.id)
        .limit(_WORKFLOWS_AT_MOST)
    )
    filters = query.filters
    return FilterOptions(
        workflows={row.id: row.name for row in named},
        models=_listed(*(row.models for row in seen), _folded_models(totals, query), filters.model),
        triggers=_listed([row.trigger for row in seen], filters.trigger),
        statuses=_listed([row.status for row in seen], filters.status),
    )


def _folded_models(totals: Totals, query: UsageQuery) -> Sequence[str]:
    """Return the models that the rollup knows of the window, all but those of its ragged ends."""
    table = tables.by_model
    sources = spans_by_source([query.window], rollup=totals.rollup, sources=OF_GROUPS)
    for span in sources.get(Source.QUARTERS, []):
        found = totals.snapshot.connection.execute(
            select(table.c.name)
            .where(
                table.c.workspace_id == query.workspace_id,
                table.c.start >= span.start,
                table.c.start < span.end,
                table.c.name != "",
                # A longer one was cut there: it is no name of a model's.
                func.length(table.c.name) < LENGTH_AT_MOST,
            )
            .group_by(table.c.name)
        )
        return found.scalars().all()
    return []


def _listed(*words: Sequence[str]) -> list[str]:
    return sorted({word for word in chain.from_iterable(words) if len(word) <= LENGTH_AT_MOST})

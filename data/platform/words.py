"""What executions can be filtered by, in the platform's own words."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from sqlalchemy import func, select

from data.platform.selection import Selection
from data.platform.snapshot import Snapshot
from data.rules.calendar import Span
from data.rules.shown import READ_AT_MOST


class Words(NamedTuple):
    """Triggers, statuses and names of models, as often as they were used."""

    triggers: Sequence[str]
    statuses: Sequence[str]
    models: Sequence[str]


def newest_words(
    snapshot: Snapshot, workspace_id: str, window: Span, executions_at_most: int, length: int
) -> Words:
    """Return the words of a window's newest executions, each cut to ``length`` characters."""
    executions = snapshot.executions
    rows = snapshot.connection.execute(
        select(
            func.left(executions.trigger, length),
            func.left(executions.status, length),
            executions.models_cut(length),
        )
        .where(Selection(executions, workspace_id, window).condition)
        .order_by(executions.started_at.desc())
        .limit(executions_at_most)
    ).all()
    return Words(
        [trigger for trigger, _, _ in rows],
        [status for _, status, _ in rows],
        list(chain.from_iterable(models for _, _, models in rows)),
    )


def workflows_of(
    snapshot: Snapshot, workspace_id: str, at_most: int, id_length: int
) -> dict[str, str]:
    """Return names of workflows by id, in the order of names, cut to be ``shown``.

    Those whose id is longer than ``id_length`` are left out.
    """
    workflows = snapshot.executions.workflows
    name = func.left(workflows.c.name, READ_AT_MOST + 1).label("name")
    named = snapshot.connection.execute(
        select(workflows.c.id, name)
        .where(workflows.c.workspace_id == workspace_id, func.length(workflows.c.id) <= id_length)
        .order_by(name, workflows.c.id)
        .limit(at_most)
    )
    return {row.id: row.name for row in named}

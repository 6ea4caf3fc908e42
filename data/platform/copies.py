"""What of executions is copied by whoever keeps sums, and what of it an execution is read from.

Copies are made by triggers, so they are columns as they are; costs are read out of them later, by
whoever asks. Where charges are lines of ``usage_log``, an execution is read from its row and its
lines together: see ``states``.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import Column, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB

from data.platform import schema
from data.platform.cost_columns import COUNTED_LINES
from data.platform.readiness import demand_costs
from data.platform.revision import Revision
from data.platform.types import UtcTimestamp

# The table of executions, and that of what they were charged for.
EXECUTIONS: Final = schema.execution.name
LINES: Final = "usage_log"

# What is copied of each, where the platform has it.
_COPIED: Final[dict[str, dict[str, Any]]] = {
    EXECUTIONS: {
        "workspace_id": Text,
        "started_at": UtcTimestamp,
        "workflow_id": Text,
        "status": Text,
        "cost": JSONB,
        "cost_total": Numeric,
        "execution_id": Text,
    },
    LINES: {"execution_id": Text, "description": Text, "cost": Numeric, "metadata": JSONB},
}


@dataclass(frozen=True)
class Copied:
    """What is copied of a ``table``: ``columns``, of the rows for which ``which`` holds.

    ``reads`` are all the columns that it takes to do so.
    """

    table: str
    columns: tuple[str, ...]
    which: str
    reads: tuple[str, ...]


def copied_columns(table: str) -> list[Column[Any]]:
    """Return new columns for a table that holds copies of this one, of any revision."""
    return [Column(name, type_) for name, type_ in _COPIED[table].items()]


@cache
def copied_of(revision: Revision) -> tuple[Copied, ...]:
    """Return what is copied of each table on a platform of this revision, executions first.

    Raises UnavailableError where it keeps costs nowhere.
    """
    demand_costs(revision)
    missing = {
        *(() if revision.cost_json else ("cost",)),
        *(() if revision.cost_total else ("cost_total",)),
        *(() if revision.usage_log else ("execution_id",)),
    }
    columns = tuple(name for name in _COPIED[EXECUTIONS] if name not in missing)
    executions = Copied(EXECUTIONS, columns, "true", columns)
    if not revision.usage_log:
        return (executions,)
    columns = tuple(_COPIED[LINES])
    counted = f"execution_id IS NOT NULL AND {COUNTED_LINES}"
    return executions, Copied(LINES, columns, counted, (*columns, "source", "category"))

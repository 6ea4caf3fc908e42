"""What of executions is copied by whoever keeps sums, and how a copy is read.

It is what the first generation's sums are made of; the costs stay the JSONB that they are.
"""

from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Numeric, Table, Text, literal_column
from sqlalchemy.dialects.postgresql import JSONB

from data.platform import cost_json, cost_sql, schema
from data.platform.executions import Counted, join_of_shares
from data.platform.types import UtcTimestamp

# The table of executions, and what of it is copied: see counted_in.
TABLE: Final = schema.execution.name
COPIED: Final[dict[str, Any]] = {
    "workspace_id": Text,
    "started_at": UtcTimestamp,
    "workflow_id": Text,
    "status": Text,
    "cost": JSONB,
}


def copied_columns() -> list[Column[Any]]:
    """Return new columns for a table that holds copies of what is added up."""
    return [Column(name, type_) for name, type_ in COPIED.items()]


def counted_in(table: Table) -> Counted:
    """Return what is added up of executions, read from a table that has ``copied_columns``."""
    cost = str(table.c.cost)
    return Counted(
        rows=table,
        workspace_id=table.c.workspace_id,
        workflow_id=table.c.workflow_id,
        started_at=table.c.started_at,
        status=table.c.status,
        cost=literal_column(cost_json.total_of(cost), Numeric()),
        tokens=literal_column(cost_json.tokens_of(cost), Numeric()),
        shares=join_of_shares(
            cost_sql.shares_of(cost_json.total_of(cost), cost_json.models_in(cost)), table.name
        ),
    )


class CopySql(NamedTuple):
    """SQL text of what a copy says of its cost.

    ``total`` (dollars) and ``tokens`` are expressions; ``parts`` selects ``model`` and ``part``,
    its dollars.
    """

    total: str
    tokens: str
    parts: str


def sql_of_copy(cost: str) -> CopySql:
    """Return how a copied ``cost``, which goes by this name, is read where SQL is text."""
    return CopySql(cost_json.total_of(cost), cost_json.tokens_of(cost), cost_json.parts_of(cost))

"""The rollup's own tables, in the schema ``usage`` of the platform's database.

``delta`` is what triggers append to: signed changes by minute, workflow and model. The others are
what they add up to once folded. In ``by_model`` the empty name is what no model accounts for: base
charge and tools. In ``by_workflow`` it is a workflow that was deleted.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, MetaData, Numeric, Table, Text

from data.schema import UtcTimestamp

SCHEMA: Final = "usage"
# What is counted and added up; tokens and cost (dollars) are exact, unknown ones count as 0.
MEASURES: Final = ("executions", "unknown", "running", "tokens", "cost")

metadata = MetaData(schema=SCHEMA)


def _measures() -> list[Column[object]]:
    counts = [Column(name, BigInteger, nullable=False) for name in MEASURES[:3]]
    return counts + [Column(name, Numeric, nullable=False) for name in MEASURES[3:]]


delta = Table(
    "delta",
    metadata,
    Column("workspace_id", Text, nullable=False),
    Column("minute", UtcTimestamp, nullable=False),
    Column("workflow_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    *_measures(),
    Index("delta_workspace_minute_idx", "workspace_id", "minute"),
)


def _folded(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("workspace_id", Text, primary_key=True),
        Column("start", UtcTimestamp, primary_key=True),
        Column("name", Text, primary_key=True),
        *_measures(),
        # A day of all workspaces is what gets verified at a time.
        Index(f"{name}_start_idx", "start"),
        # Room to count up in place.
        postgresql_with={"fillfactor": 70},
    )


minute: Final = _folded("minute")
hour: Final = _folded("hour")
by_workflow: Final = _folded("by_workflow")
by_model: Final = _folded("by_model")

_QUARTER_HOUR: Final = "date_bin('15 minutes', minute, '2000-01-01')"

# Each folded table: the SQL of its start and its name out of a delta. Splits are by quarter-hour,
# because every zone's midnight falls on one.
FOLDED: Final = {
    minute: ("minute", "''"),
    hour: ("date_trunc('hour', minute)", "''"),
    by_workflow: (_QUARTER_HOUR, "workflow_id"),
    by_model: (_QUARTER_HOUR, "model"),
}

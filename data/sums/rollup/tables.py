"""The rollup's own tables, in the schema ``usage`` of the platform's database.

``change`` and ``line`` are what triggers append to: what counts of an execution, and of a line of
its charges, before (-1) and after (1). The others are what changes add up to once folded. In
``by_model`` the empty name is what no model accounts for: base charge and tools. In ``by_workflow``
it is a workflow that was deleted.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, MetaData, Numeric, SmallInteger, Table, Text

from data.platform.copies import EXECUTIONS, LINES, copied_columns
from data.platform.types import UtcTimestamp
from data.sums.measures import MEASURES

SCHEMA: Final = "usage"

metadata = MetaData(schema=SCHEMA)


def _measures() -> list[Column[object]]:
    counts = [Column(name, BigInteger, nullable=False) for name in MEASURES[:3]]
    return counts + [Column(name, Numeric, nullable=False) for name in MEASURES[3:]]


# No constraint: nothing that a platform writes may be refused here. No index: it would cost writers
# more than it gives to readers of a table that is emptied every minute.
def _changes(name: str, of: str) -> Table:
    return Table(name, metadata, Column("sign", SmallInteger), *copied_columns(of))


change: Final = _changes("change", EXECUTIONS)
line: Final = _changes("line", LINES)

# The table of changes of each table that is copied.
CHANGES: Final = {EXECUTIONS: change, LINES: line}


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

# Each folded table: the SQL of its start and its name out of a cell. Splits are by quarter-hour,
# because every zone's midnight falls on one.
FOLDED: Final = {
    minute: ("minute", "''"),
    hour: ("date_trunc('hour', minute)", "''"),
    by_workflow: (_QUARTER_HOUR, "workflow_id"),
    by_model: (_QUARTER_HOUR, "model"),
}

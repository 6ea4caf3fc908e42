"""The columns of a file, and what of an execution stands in each; texts guarded."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from data.rules.execution import Execution
from data.rules.labels import model_label, rfc3339, type_label, workflow_label

COLUMNS: Final = ("Date", "Execution", "Workflow", "Trigger", "Model", "Tokens", "Cost (USD)")
MORE_COLUMNS: Final = (
    "Type",
    "On-Demand (USD)",
    "Status",
    "Input tokens",
    "Output tokens",
    "Row ID",
    "Workflow ID",
    "Workspace ID",
)
_RUN_BY_SPREADSHEETS: Final = ("=", "+", "-", "@", "\t", "\r")

Write = Callable[[Decimal], str]


def standard(row: Execution, dollars: Write) -> tuple[str, ...]:
    """Return the fields of COLUMNS; ``dollars`` writes an amount."""
    return (
        rfc3339(row.started_at),
        _guarded(row.execution_id),
        _guarded(workflow_label(row.workflow_name)),
        _guarded(row.trigger),
        _guarded(model_label(row.models)),
        "" if row.tokens is None else str(row.tokens),
        "" if row.cost is None else dollars(row.cost),
    )


def extended(row: Execution, dollars: Write) -> tuple[str, ...]:
    """Return the fields of COLUMNS and MORE_COLUMNS."""
    return (
        *standard(row, dollars),
        type_label(row.type),
        "" if row.on_demand is None else dollars(row.on_demand),
        _guarded(row.status),
        "" if row.sent is None else str(row.sent),
        "" if row.received is None else str(row.received),
        _guarded(row.id),
        _guarded(row.workflow_id or ""),
        _guarded(row.workspace_id),
    )


def _guarded(text: str) -> str:
    """Keep a spreadsheet from running ``text`` as a formula."""
    return f"'{text}" if text.startswith(_RUN_BY_SPREADSHEETS) else text

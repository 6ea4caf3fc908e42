"""Which revision of the platform this is: probed in the database, because versions tell little."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text


def _has(table: str, column: str) -> str:
    return f"""EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('{table}') AND attname = '{column}' AND NOT attisdropped
    )"""


_EXECUTIONS: Final = "workflow_execution_logs"
# By name: the SQL expression that tells whether it is here.
_PROBES: Final = {
    "organizations": _has("workspace", "organization_id"),
    "subscriptions": " AND ".join(
        f"to_regclass('{table}') IS NOT NULL"
        for table in ("organization", "member", "subscription")
    ),
    "billing_intervals": _has("subscription", "billing_interval"),
    "key_hashes": _has("api_key", "key_hash"),
    "cost_json": _has(_EXECUTIONS, "cost"),
    "cost_total": _has(_EXECUTIONS, "cost_total"),
    "models_used": _has(_EXECUTIONS, "models_used"),
    # Without the index an execution's charges would be looked for in the whole table.
    "usage_log": "to_regclass('usage_log_execution_id_idx') IS NOT NULL",
}
_REVISION: Final = text("SELECT " + ", ".join(f"{sql} AS {name}" for name, sql in _PROBES.items()))


@dataclass(frozen=True)
class Revision:
    """What later revisions of the platform brought, and whether it is here.

    ``organizations``: workspaces may belong to one, whose admins may see them; before, the owner of
    a workspace might. ``subscriptions``: people may be members of one all the same, and it and
    they may have a subscription; ``billing_intervals``: with the interval of its periods.
    ``key_hashes``: API keys are stored with a hash and found by it alone.

    Where costs are: ``cost_json`` in a JSONB of the execution, ``cost_total`` and ``models_used``
    in columns of it, ``usage_log`` its charges in a table that can be read by execution.
    """

    organizations: bool
    key_hashes: bool
    subscriptions: bool = True
    billing_intervals: bool = False
    cost_json: bool = True
    cost_total: bool = False
    models_used: bool = False
    usage_log: bool = False

    @property
    def costs_in_json_alone(self) -> bool:
        """Whether the JSONB has all that is known of costs: the first generation."""
        return self.cost_json and not (self.cost_total or self.models_used or self.usage_log)


def revision_of(connection: Connection) -> Revision:
    """Probe the platform's tables; any role may."""
    return Revision(**connection.execute(_REVISION).mappings().one())

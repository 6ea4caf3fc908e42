"""Whether everything that answers are made of can be read: each table, each column."""

from typing import Final

from sqlalchemy import Connection, text

from data.platform.revision import Revision, revision_of
from data.rules.errors import UnavailableError

# What the GRANTs of docs/install.md name, by table.
_Columns = dict[str, tuple[str, ...]]
LEDGER: Final[_Columns] = {
    "user_stats": ("user_id", "current_usage_limit"),
    '"user"': ("id", "name", "email"),
    "workspace": ("id", "name", "billed_account_user_id", "archived_at", "allow_personal_api_keys"),
    "permissions": ("user_id", "entity_type", "entity_id"),
    "workflow": ("id", "name", "workspace_id"),
    "workflow_execution_logs": (
        *("id", "execution_id", "workflow_id", "workspace_id", "started_at", "ended_at"),
        *("total_duration_ms", "status", "trigger"),
    ),
}
SIGN_IN: Final[_Columns] = {
    '"user"': ("banned", "ban_expires"),
    "api_key": ("key", "user_id", "workspace_id", "expires_at"),
}
SESSIONS: Final[_Columns] = {"session": ("token", "user_id", "expires_at")}
OWNERS: Final[_Columns] = {"workspace": ("owner_id",)}
COST_JSON: Final[_Columns] = {"workflow_execution_logs": ("cost",)}
# What a Revision brings, by the name of its flag.
BROUGHT: Final[dict[str, _Columns]] = {
    "organizations": {"workspace": ("organization_id",)},
    "subscriptions": {
        "organization": ("id", "name", "org_usage_limit", "credit_balance"),
        "member": ("user_id", "organization_id", "role"),
        "subscription": (
            *("id", "reference_id", "status", "plan", "seats", "period_start", "period_end"),
            "metadata",
        ),
        "user_stats": ("credit_balance",),
    },
    "billing_intervals": {"subscription": ("billing_interval",)},
    "key_hashes": {"api_key": ("key_hash",)},
    "cost_total": {"workflow_execution_logs": ("cost_total",)},
    "models_used": {"workflow_execution_logs": ("models_used",)},
    "usage_log": {
        "usage_log": ("execution_id", "source", "category", "description", "metadata", "cost")
    },
}


_UNREADABLE: Final = text("""
    SELECT needed.place, attribute.attname IS NULL AS missing
    FROM unnest(CAST(:tables AS text[]), CAST(:columns AS text[]))
        WITH ORDINALITY AS needed (of_table, of_column, place)
    LEFT JOIN pg_attribute AS attribute
        ON attribute.attrelid = to_regclass(needed.of_table)
        AND attribute.attname = needed.of_column AND NOT attribute.attisdropped
    WHERE attribute.attname IS NULL
        OR NOT has_column_privilege(attribute.attrelid, attribute.attnum, 'SELECT')
    ORDER BY needed.place LIMIT 1
""")


def check(connection: Connection, *, sessions: bool) -> None:
    """Raise UnavailableError for the first column that cannot be read.

    ``sessions`` says whether the platform's sessions sign people in. The catalogs are asked: a
    table that a migration has locked is waited for by answers, not by this.
    """
    needed = [
        (table, column)
        for columns_by_table in _needed(revision_of(connection), sessions=sessions)
        for table, columns in columns_by_table.items()
        for column in columns
    ]
    tables, columns = zip(*needed, strict=True)
    found = connection.execute(_UNREADABLE, {"tables": list(tables), "columns": list(columns)})
    unreadable = found.one_or_none()
    if unreadable:
        table, column = needed[unreadable.place - 1]
        why = "is not there" if unreadable.missing else "may not be read by this role"
        raise _cannot_read(column, table, why)


def demand_costs(revision: Revision) -> None:
    """Raise UnavailableError where the platform keeps costs nowhere."""
    if not (revision.cost_json or revision.cost_total):
        [(table, (column,))] = COST_JSON.items()
        raise _cannot_read(column, table, "is not there")


def _cannot_read(column: str, table: str, why: str) -> UnavailableError:
    """Return the error of a column that is needed; ``why`` it cannot be read."""
    return UnavailableError(
        f"The column {column} of {table} {why}. The GRANTs in docs/install.md name all that is "
        "needed.",
        code="database_unreadable",
    )


def _needed(revision: Revision, *, sessions: bool) -> list[_Columns]:
    return [
        LEDGER,
        SIGN_IN,
        *([SESSIONS] if sessions else []),
        *([] if revision.organizations else [OWNERS]),
        # Where costs are kept nowhere, the JSONB is what is missing.
        *([COST_JSON] if revision.cost_json or not revision.cost_total else []),
        *(columns for flag, columns in BROUGHT.items() if getattr(revision, flag)),
        # Where organizations pay, what they may use has to be there.
        *(
            [BROUGHT["subscriptions"]]
            if revision.organizations and not revision.subscriptions
            else []
        ),
    ]

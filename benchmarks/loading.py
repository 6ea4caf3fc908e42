"""Fills a bench database: rows are made inside PostgreSQL, indexes come after them."""

from datetime import datetime
from decimal import Decimal
from typing import Final, LiteralString, cast

import psycopg
from psycopg import sql
from sqlalchemy import NullPool, create_engine

from benchmarks.rows import fill
from benchmarks.world import (
    BURST,
    BURST_AROUND,
    BURST_EXECUTIONS,
    BURST_PAYER,
    BUSY,
    EARLIER_SHARE,
    PAYER,
    READER,
    SPARSE,
    SPARSE_EXECUTIONS,
    WORKFLOWS,
    Calendar,
)
from data.platform import schema
from data.platform.cost_json import total_of

# A long load with a short memory: what the cluster is set to while it loads, and only then.
BULK_SETTINGS: Final = {
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}

# Commits wait for the disk: what VACUUM finds not yet flushed it does not mark as visible to all.
_SESSION: Final = """
    SET maintenance_work_mem = '1GB'; SET jit = off;
    SET TIME ZONE 'UTC'; SELECT setseed(0.42)
"""

_EXECUTION: Final = sql.Identifier(schema.execution.name)


def load(url: str, executions: int, calendar: Calendar) -> None:
    """Create the tables in an empty database and fill them; ``url`` is its owner's.

    ``executions`` are those of the busy workspace in the month.
    """
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool
    )
    schema.metadata.create_all(engine)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_SESSION)
        _admit_reader(connection)
        kept = _drop_indexes(connection)
        with connection.transaction():
            # A table emptied in the transaction that fills it needs no log.
            connection.execute(sql.SQL("TRUNCATE {}").format(_EXECUTION))
            _people(connection, calendar)
            for window in reversed(calendar.earlier):
                fill(connection, BUSY, window, round(executions * EARLIER_SHARE))
            fill(connection, BUSY, calendar.month, executions)
            fill(connection, SPARSE, calendar.month, SPARSE_EXECUTIONS)
            fill(connection, BURST, calendar.month, BURST_AROUND)
            fill(connection, BURST, calendar.burst, BURST_EXECUTIONS)
            for statement in kept:
                connection.execute(statement)
        connection.execute("VACUUM (ANALYZE)")
        _set_limits(connection, calendar)
        connection.execute("VACUUM (ANALYZE) user_stats")
        connection.execute("CHECKPOINT")


def _admit_reader(connection: psycopg.Connection) -> None:
    """Let the role that the product runs as read all tables."""
    reader = sql.Identifier(READER)
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [READER]).fetchone()
    if known is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(reader))
    connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(reader))


def _drop_indexes(connection: psycopg.Connection) -> list[sql.Composed]:
    """Drop what would slow the load down; return the statements that bring it back."""
    keys = connection.execute(
        """
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'f') ORDER BY contype DESC
        """,
        [schema.execution.name],
    ).fetchall()
    again = []
    for name, definition in keys:
        connection.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(_EXECUTION, sql.Identifier(name))
        )
        again.append(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                _EXECUTION, sql.Identifier(name), sql.SQL(cast("LiteralString", definition))
            )
        )
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", [schema.execution.name]
    ).fetchall()
    for name, definition in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        again.append(sql.Composed([sql.SQL(cast("LiteralString", definition))]))
    return again


def _people(connection: psycopg.Connection, calendar: Calendar) -> None:
    then = calendar.year.start.replace(tzinfo=None)
    for user in (PAYER, BURST_PAYER):
        connection.execute(
            'INSERT INTO "user" (id, name, email, email_verified, created_at, updated_at)'
            " VALUES (%(id)s, %(id)s, %(id)s || '@example.com', true, %(then)s, %(then)s)",
            {"id": user, "then": then},
        )
        connection.execute(
            "INSERT INTO user_stats (id, user_id, current_usage_limit) VALUES (%s, %s, 0)",
            [f"stats_{user}", user],
        )
    for workspace, payer in ((BUSY, PAYER), (SPARSE, PAYER), (BURST, BURST_PAYER)):
        connection.execute(
            "INSERT INTO workspace (id, name, owner_id, billed_account_user_id)"
            " VALUES (%s, %s, %s, %s)",
            [workspace, f"Workspace {workspace}", payer, payer],
        )
        connection.execute(
            "INSERT INTO permissions (id, user_id, entity_type, entity_id, permission_type)"
            " VALUES (%s, %s, 'workspace', %s, 'read')",
            [f"permission_{workspace}", PAYER, workspace],
        )
        connection.execute(
            "INSERT INTO workflow"
            " (id, user_id, name, last_synced, created_at, updated_at, workspace_id)"
            " SELECT %(ws)s || '_flow_' || i, %(payer)s, 'Workflow number ' || i, %(then)s,"
            " %(then)s, %(then)s, %(ws)s FROM generate_series(0, %(count)s - 1) AS i",
            {"ws": workspace, "payer": payer, "then": then, "count": WORKFLOWS},
        )


def _set_limits(connection: psycopg.Connection, calendar: Calendar) -> None:
    """Let the payer cross in the middle of the month, the other in the middle of the burst."""
    month, burst = calendar.month, calendar.burst
    half = _spent(connection, PAYER, month.start, month.end) / 2
    before = _spent(connection, BURST_PAYER, month.start, burst.start)
    within = _spent(connection, BURST_PAYER, burst.start, burst.end)
    for user, limit in ((PAYER, half), (BURST_PAYER, before + within / 2)):
        connection.execute(
            "UPDATE user_stats SET current_usage_limit = round(%s, 2) WHERE user_id = %s",
            [limit, user],
        )


def sum_of_costs(payer: str, start: datetime, end: datetime) -> sql.Composed:
    """Return the one statement that adds up what an account spent: an indexed sum over a span."""
    return sql.SQL(
        "SELECT coalesce(sum({total}), 0) FROM workflow_execution_logs WHERE workspace_id = ANY("
        "ARRAY(SELECT id FROM workspace WHERE billed_account_user_id = {payer}))"
        " AND started_at >= {start} AND started_at < {end}"
    ).format(
        total=sql.SQL(total_of("cost")),
        payer=sql.Literal(payer),
        start=sql.Literal(start.replace(tzinfo=None)),
        end=sql.Literal(end.replace(tzinfo=None)),
    )


def _spent(connection: psycopg.Connection, payer: str, start: datetime, end: datetime) -> Decimal:
    row = connection.execute(sum_of_costs(payer, start, end)).fetchone()
    return Decimal(row[0]) if row else Decimal(0)

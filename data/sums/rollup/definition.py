"""What is put into the platform's database, who may read it, and how it is taken out again."""

from typing import Final

from sqlalchemy import Connection
from sqlalchemy.schema import CreateIndex, CreateTable

from data.platform.copies import EXECUTIONS, LINES
from data.rules.errors import UsageError
from data.sums.rollup import triggers
from data.sums.rollup.sessions import ask, patiently
from data.sums.rollup.tables import SCHEMA, change, metadata
from data.sums.rollup.trust import COMMENT, Trust

# Whoever else has a schema of this name has no such function in it.
_OURS: Final = f"""EXISTS (
    SELECT FROM pg_proc
    WHERE pronamespace = to_regnamespace('{SCHEMA}') AND proname = 'after_truncate'
)"""


def grant(connection: Connection, trust: Trust) -> None:
    """Let those read the sums who may read what they are made of."""
    readable = " AND ".join(
        f"has_column_privilege(rolname, '{each.table}', '{name}', 'SELECT')"
        for each in trust.copied
        for name in each.reads
    )
    connection.exec_driver_sql(f"""
        DO $$
        DECLARE reader name;
        BEGIN
            FOR reader IN
                SELECT rolname FROM pg_roles
                WHERE NOT rolsuper AND rolname !~ '^pg_' AND {readable}
            LOOP
                EXECUTE 'GRANT USAGE ON SCHEMA {SCHEMA} TO ' || quote_ident(reader);
                EXECUTE 'GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO ' || quote_ident(reader);
            END LOOP;
        END $$
    """)


def create(connection: Connection, trust: Trust) -> None:
    """Put schema, tables, functions and triggers in, to be filled; in a transaction."""
    connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
    # In the order in which writers lock them: charges come before what they sum up to.
    for copied in reversed(trust.copied):
        connection.exec_driver_sql(f"LOCK TABLE {copied.table} IN SHARE ROW EXCLUSIVE MODE")
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(CreateIndex(index))
    for statement in triggers.statements(trust.triggers):
        connection.exec_driver_sql(statement)
    grant(connection, trust)
    comment(connection, trust, trust.filling)


def _drop_triggers(connection: Connection) -> None:
    for table in (LINES, EXECUTIONS):
        for event in triggers.EVENTS:
            name = f"{triggers.PREFIX}{event}"
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {table}")


def _drop_tables(connection: Connection) -> None:
    connection.exec_driver_sql(f"DROP SCHEMA {SCHEMA} CASCADE")


def comment(connection: Connection, trust: Trust, state: str) -> None:
    """Set the rollup's state, with the fingerprint of its triggers as they are."""
    fingerprint = connection.exec_driver_sql(f"SELECT {trust.fingerprint}").scalar_one()
    connection.exec_driver_sql(f"COMMENT ON TABLE {change.fullname} IS '{state}{fingerprint}'")


def remove(connection: Connection) -> None:
    """Take everything out, where it is the rollup's."""
    # One after the other: who asks in between finds no triggers, and asks the executions.
    if ask(connection, _OURS):
        patiently(connection, _drop_triggers)
        patiently(connection, _drop_tables)


def demand_installed(connection: Connection, trust: Trust) -> None:
    """Raise UsageError where there is no rollup that all changes reach."""
    if not ask(connection, f"{trust.intact} AND {COMMENT} IS NOT NULL"):
        raise UsageError(
            "The rollup is not installed here, does not fit the platform's tables as they are now, "
            "or its triggers are off. Run: python app.py install"
        )

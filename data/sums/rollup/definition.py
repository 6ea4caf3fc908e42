"""What is put into the platform's database, who may read it, and how it is taken out again."""

from typing import Final

from sqlalchemy import Connection
from sqlalchemy.schema import CreateIndex, CreateTable

from data.platform.copies import TABLE
from data.rules.errors import UsageError
from data.sums.rollup import triggers, trust
from data.sums.rollup.sessions import ask, patiently
from data.sums.rollup.tables import SCHEMA, change, metadata

# Whoever else has a schema of this name has no such function in it.
_OURS: Final = f"""EXISTS (
    SELECT FROM pg_proc
    WHERE pronamespace = to_regnamespace('{SCHEMA}') AND proname = 'after_truncate'
)"""

# Whoever may read what is added up may read the sums.
GRANT: Final = f"""
    DO $$
    DECLARE reader name;
    BEGIN
        FOR reader IN
            SELECT rolname FROM pg_roles
            WHERE NOT rolsuper AND rolname !~ '^pg_' AND (
                SELECT bool_and(has_column_privilege(rolname, '{TABLE}', name, 'SELECT'))
                FROM unnest('{{{",".join(triggers.COLUMNS)}}}'::text[]) AS name
            )
        LOOP
            EXECUTE 'GRANT USAGE ON SCHEMA {SCHEMA} TO ' || quote_ident(reader);
            EXECUTE 'GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO ' || quote_ident(reader);
        END LOOP;
    END $$
"""


def create(connection: Connection) -> None:
    """Put schema, tables, functions and triggers in, to be filled; in a transaction."""
    connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
    # The executions first: writers lock in this order too.
    connection.exec_driver_sql(f"LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE")
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(CreateIndex(index))
    for statement in triggers.statements(trust.TRUNCATED):
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(GRANT)
    comment(connection, trust.FILLING)


def _drop_triggers(connection: Connection) -> None:
    for name in triggers.NAMES:
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {TABLE}")


def _drop_tables(connection: Connection) -> None:
    connection.exec_driver_sql(f"DROP SCHEMA {SCHEMA} CASCADE")


def comment(connection: Connection, state: str) -> None:
    """Set the rollup's state, with the fingerprint of its triggers as they are."""
    fingerprint = connection.exec_driver_sql(f"SELECT {trust.FINGERPRINT}").scalar_one()
    connection.exec_driver_sql(f"COMMENT ON TABLE {change.fullname} IS '{state}{fingerprint}'")


def remove(connection: Connection) -> None:
    """Take everything out, where it is the rollup's."""
    # One after the other: who asks in between finds no triggers, and asks the executions.
    if ask(connection, _OURS):
        patiently(connection, _drop_triggers)
        patiently(connection, _drop_tables)


def demand_installed(connection: Connection) -> None:
    """Raise UsageError where there is no rollup that changes reach."""
    if not ask(connection, f"{trust.INTACT} AND {trust.COMMENT} IS NOT NULL"):
        raise UsageError(
            "The rollup is not installed here, or its triggers are off. Run: python app.py install"
        )

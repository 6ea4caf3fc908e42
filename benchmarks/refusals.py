"""What writers would notice of the rollup if something were wrong with it."""

from typing import Final, LiteralString

import psycopg
from psycopg import sql

_ROLE: Final = sql.Identifier("usage_bench_writer")
_GRANT: Final = sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON workflow_execution_logs TO {}")
_INSERT: Final[LiteralString] = """
    INSERT INTO workflow_execution_logs
    SELECT (jsonb_populate_record(one, '{"id": "stranger", "execution_id": "stranger"}')).*
    FROM workflow_execution_logs AS one LIMIT 1
"""
_UPDATE: Final[LiteralString] = """
    UPDATE workflow_execution_logs SET cost = '{"total": 1}' WHERE id = 'stranger'
"""
_DELETE: Final[LiteralString] = "DELETE FROM workflow_execution_logs WHERE id = 'stranger'"


def of_a_stranger(url: str) -> list[str]:
    """Write as a role that has no rights on the rollup; return what was refused."""
    refused = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(_ROLE))
        connection.execute(_GRANT.format(_ROLE))
        connection.execute(sql.SQL("SET ROLE {}").format(_ROLE))
        for statement in (_INSERT, _UPDATE, _DELETE):
            try:
                connection.execute(statement)
            except psycopg.Error as error:
                refused.append(str(error).partition("\n")[0])
        connection.execute("RESET ROLE")
        connection.execute(sql.SQL("DROP OWNED BY {}").format(_ROLE))
        connection.execute(sql.SQL("DROP ROLE {}").format(_ROLE))
    return refused


def deadlocks(url: str) -> int:
    """Return how many deadlocks the database has counted."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    return int(row[0]) if row else 0

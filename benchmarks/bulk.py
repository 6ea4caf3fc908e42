"""Many executions in one statement, as when a platform moves house or clears up what is old."""

import os
import time
from collections.abc import Callable
from typing import Final, LiteralString

import psycopg

from benchmarks.world import BUSY

ROWS: Final = 100_000
KINDS: Final = ("one INSERT", "COPY", "one DELETE")

# Of the days before all others, so that a DELETE finds them by their index as a retention does.
_STAGED: Final[LiteralString] = """
    CREATE TEMPORARY TABLE staged AS
    SELECT i, workflow_id, level, trigger, status, cost,
        timestamp '2001-01-01' + i * interval '25 seconds' AS started_at
    FROM generate_series(1, %(rows)s) AS i JOIN (
        SELECT *, row_number() OVER () AS place FROM (
            SELECT * FROM workflow_execution_logs WHERE workspace_id = %(workspace)s LIMIT 5000
        ) AS drawn
    ) AS sample ON place = 1 + i %% 5000
"""
_COLUMNS: Final[LiteralString] = (
    "id, execution_id, workflow_id, level, trigger, status, cost, started_at, workspace_id"
)
_NEW: Final[LiteralString] = (
    "SELECT %(run)s || i, %(run)s || i, workflow_id, level, trigger, status, cost, started_at,"
    " %(workspace)s FROM staged"
)
_DELETE: Final[LiteralString] = (
    "DELETE FROM workflow_execution_logs WHERE started_at < '2002-01-01'"
)


def seconds(url: str) -> dict[str, float]:
    """Return how long each of KINDS took for ROWS executions, in seconds."""
    insert: LiteralString = f"INSERT INTO workflow_execution_logs ({_COLUMNS}) {_NEW}"
    with psycopg.connect(url, autocommit=True, options="-c TimeZone=UTC") as connection:
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(_STAGED, {"rows": ROWS, "workspace": BUSY})
            given = {"run": os.urandom(4).hex(), "workspace": BUSY}
            inserted = _took(lambda: cursor.execute(insert, given))
            cursor.execute(_DELETE)
            given["run"] = os.urandom(4).hex()
            with cursor.copy(f"COPY ({_NEW}) TO STDOUT", given) as copied:
                blocks = [bytes(block) for block in copied]
            copied_in = _took(lambda: _copy(cursor, blocks))
            deleted = _took(lambda: cursor.execute(_DELETE))
        connection.execute("VACUUM workflow_execution_logs")
    return dict(zip(KINDS, (inserted, copied_in, deleted), strict=True))


def _copy(cursor: psycopg.ClientCursor[tuple[object, ...]], blocks: list[bytes]) -> None:
    with cursor.copy(f"COPY workflow_execution_logs ({_COLUMNS}) FROM STDIN") as copy:
        for block in blocks:
            copy.write(block)


def _took(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun

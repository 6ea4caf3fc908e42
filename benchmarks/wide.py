"""A workspace whose file is large: ten thousand rows with a name of 20,000 letters."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from benchmarks.questions import Question, get
from benchmarks.stage import Scene
from benchmarks.world import BUSY, PRESET

_WIDE: Final = "ws_wide"
_LETTERS: Final = 20_000
_ROWS: Final = 10_000


@contextmanager
def workspace(scene: Scene) -> Iterator[Question]:
    """Have it for the length of the block; yield the question for its file."""
    with psycopg.connect(scene.url, autocommit=True) as connection:
        _forget(connection)  # a run that was broken off may have left it
        for table, column, change in (
            ("workspace", "id", {"id": _WIDE}),
            ("permissions", "entity_id", {"id": _WIDE, "entity_id": _WIDE}),
            ("workflow", "workspace_id", {"id": _WIDE, "workspace_id": _WIDE}),
        ):
            _copy(connection, table, column, change)
        connection.execute(
            "UPDATE workflow SET name = repeat('w', %s) WHERE id = %s", [_LETTERS, _WIDE]
        )
        connection.execute(
            """
            INSERT INTO workflow_execution_logs
            SELECT (jsonb_populate_record(one, jsonb_build_object(
                'id', %(wide)s || place, 'execution_id', %(wide)s || place,
                'workflow_id', %(wide)s, 'workspace_id', %(wide)s))).*
            FROM workflow_execution_logs AS one, generate_series(1, %(rows)s) AS place
            WHERE one.id = (
                SELECT id FROM workflow_execution_logs WHERE workspace_id = %(busy)s
                AND started_at >= %(start)s AND started_at < %(end)s LIMIT 1)
            """,
            {
                "wide": _WIDE,
                "busy": BUSY,
                "rows": _ROWS,
                "start": scene.calendar.month.start.replace(tzinfo=None),
                "end": scene.calendar.month.end.replace(tzinfo=None),
            },
        )
        try:
            yield get("usage/export", workspaceId=_WIDE, preset=PRESET.value)
        finally:
            _forget(connection)


def _forget(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    connection.execute("DELETE FROM workspace WHERE id = %s", [_WIDE])
    connection.execute("DELETE FROM permissions WHERE entity_id = %s", [_WIDE])


def _copy(
    connection: "psycopg.Connection[tuple[object, ...]]",
    table: str,
    column: str,
    change: dict[str, str],
) -> None:
    """Insert a row like one of the busy workspace's, with these columns changed."""
    connection.execute(
        sql.SQL(
            "INSERT INTO {table} SELECT (jsonb_populate_record(one, %s)).*"
            " FROM {table} AS one WHERE {column} = %s LIMIT 1"
        ).format(table=sql.Identifier(table), column=sql.Identifier(column)),
        [Jsonb(change), BUSY],
    )

"""Datasette over the same rows: what a well-kept data server of one process does with them."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import psycopg

from benchmarks.questions import Question
from benchmarks.serving import Server, listening
from benchmarks.stage import Scene
from benchmarks.world import BUSY
from data.files.export import ROW_LIMIT
from data.question.cursor import PAGE_SIZE

_TABLE: Final = "executions"
_DATABASE: Final = "ledger"

# Costs and tokens are taken out of the JSON beforehand, which spares Datasette that work.
_ROWS: Final = """
COPY (
    SELECT l.id, l.execution_id, l.workspace_id,
        to_char(l.started_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), l.status, l.trigger,
        w.name, (SELECT k FROM jsonb_object_keys(l.cost -> 'models') AS k LIMIT 1),
        l.cost #>> '{tokens,total}', l.cost ->> 'total'
    FROM workflow_execution_logs AS l LEFT JOIN workflow AS w ON w.id = l.workflow_id
) TO STDOUT
"""


@contextmanager
def serving(scene: Scene) -> Iterator[Server]:
    """Serve the scene's rows; default settings, but for files of as many rows as the product's."""
    command = [sys.executable, "-m", "datasette", "serve", str(_copied(scene))]
    options = ["--port", "{port}", "--setting", "max_returned_rows", str(ROW_LIMIT)]
    with listening([*command, *options], scene.scratch) as server:
        yield server


def page(**options: str) -> Question:
    """Ask for the newest rows of the busy workspace as JSON."""
    return _asked("json", PAGE_SIZE, options)


def csv() -> Question:
    """Ask for as many rows as the product exports."""
    return _asked("csv", ROW_LIMIT, {})


def _asked(form: str, rows: int, options: dict[str, str]) -> Question:
    params = {"workspace_id": BUSY, "_sort_desc": "started_at", "_size": str(rows), **options}
    return Question(f"/{_DATABASE}/{_TABLE}.{form}?{urlencode(params)}")


def _copied(scene: Scene) -> Path:
    """Return the SQLite file of the scene's rows, written when first asked for."""
    folder = scene.scratch / f"sqlite-{scene.executions}-{scene.calendar.month.start:%Y-%m}"
    path = folder / f"{_DATABASE}.db"
    if path.exists():
        return path
    folder.mkdir(exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(fresh)) as target,
        psycopg.connect(scene.url) as source,
        source.cursor().copy(_ROWS) as rows,
    ):
        target.execute(
            f"CREATE TABLE {_TABLE} (id TEXT PRIMARY KEY, execution_id TEXT, workspace_id TEXT,"
            " started_at TEXT, status TEXT, trigger TEXT, workflow TEXT, model TEXT,"
            " tokens INTEGER, cost TEXT)"
        )
        target.executemany(
            f"INSERT INTO {_TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant name
            rows.rows(),
        )
        target.execute(f"CREATE INDEX by_start ON {_TABLE} (workspace_id, started_at)")
        target.execute("ANALYZE")
        target.commit()
    fresh.rename(path)
    return path

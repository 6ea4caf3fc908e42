"""What the product's connections do in the database, as another connection sees it."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from tests.support.asking import ask
from tests.support.homes import LIST
from tests.support.serving import PATIENCE
from web.admission import TURNS

READING = """
    SELECT pid FROM pg_stat_activity
    WHERE application_name = 'usage-ledger' AND xact_start IS NOT NULL
"""
GONE = f"SELECT WHERE NOT EXISTS ({READING})"
# Those who have their turn wait for the table, in the database.
IN_TURN = """
    SELECT count(*) FROM pg_locks
    WHERE NOT granted AND relation = 'workflow_execution_logs'::regclass
"""


def awaited(watcher: "psycopg.Connection[Any]", statement: str) -> list[Any]:
    """Ask until there are rows; the questions themselves are the pauses."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if rows := watcher.execute(statement).fetchall():
            return rows
    return []


def end(watcher: "psycopg.Connection[Any]", pid: int) -> None:
    assert watcher.execute("SELECT pg_terminate_backend(%s)", [pid]).fetchone() == (True,)


def wait_for_turns(connection: "psycopg.Connection[Any]", count: int) -> None:
    """Ask until so many statements wait for a lock; the questions themselves are the pauses."""
    deadline = time.monotonic() + PATIENCE
    while connection.execute(IN_TURN).fetchone() != (count,):
        assert time.monotonic() < deadline


def all_turns_are_free(port: int, watcher: "psycopg.Connection[Any]") -> bool:
    """Let as many requests as there are turns wait in the database, all at once; then let go."""
    with ThreadPoolExecutor(TURNS) as clients:
        with watcher.transaction():
            watcher.execute("LOCK TABLE workflow_execution_logs IN ACCESS EXCLUSIVE MODE")
            answers = [clients.submit(ask, port, LIST) for _ in range(TURNS)]
            wait_for_turns(watcher, TURNS)
        return [answer.result().status for answer in answers] == [200] * TURNS

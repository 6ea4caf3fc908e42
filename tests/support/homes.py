"""A USAGE_HOME with long files in its own database, and the product over it."""

import http.client
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
from sqlalchemy import create_engine

import demo
from data.platform.connection import connect
from demo.local_postgres import LocalPostgres
from tests.support import serving
from tests.support.asking import asked
from tests.support.platform import Platform
from tests.support.serving import PATIENCE

WIDE, LONG, SHORT = "ws_wide", "ws_long", "ws_short"
ROWS: Final = 10_000
# Ten thousand of them are 50 MB, more than a server keeps for a client and two sockets hold.
WIDE_NAME: Final = "w" * 5_000
WINDOW: Final = {"from": "2026-10-01", "to": "2026-10-31"}
LIST: Final = f"/api/billing/usage?workspaceId={LONG}&from=2026-10-01&to=2026-10-31"


class Served:
    """The product over one home."""

    def __init__(self, home: Path, server: serving.Served) -> None:
        self.home = home
        self.port = server.port
        self.running = server

    def worker(self) -> psutil.Process:
        """Return the process that answers."""
        (worker,) = self.running.workers()
        return worker

    def export(self, workspace_id: str) -> AbstractContextManager[http.client.HTTPResponse]:
        """Ask for an export and read nothing of it yet."""
        return asked(self.port, "billing/usage/export", workspaceId=workspace_id, **WINDOW)


@contextmanager
def over(home: Path, **given: Any) -> Iterator[Served]:
    with serving.serving(USAGE_HOME=str(home), **given) as server:
        yield Served(home, server)


def fill(home: Path) -> None:
    """Make a USAGE_HOME with the demo's data and three workspaces that matter here."""
    with LocalPostgres(home) as server:
        url = server.start()
        demo.seed(url, now=datetime.now(UTC), executions=1000, progress=lambda *_: None)
        writer = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
        reader = connect(url)
        platform = Platform(url, writer, reader)
        for workspace, name, rows in (
            (WIDE, WIDE_NAME, ROWS),
            (LONG, "Triage of tickets", ROWS),
            (SHORT, "Triage", 200),
        ):
            platform.workspace(workspace, payer=demo.DEMO_VIEWER_ID)
            platform.grant(demo.DEMO_VIEWER_ID, workspace)
            platform.sql(
                "INSERT INTO workflow (id, user_id, name, workspace_id, last_synced, created_at,"
                " updated_at) VALUES (:id, :user, :name, :workspace, now(), now(), now())",
                id=f"wf-{workspace}",
                user=demo.DEMO_VIEWER_ID,
                name=name,
                workspace=workspace,
            )
            platform.sql(
                """
                INSERT INTO workflow_execution_logs
                    (id, execution_id, workflow_id, level, trigger, started_at, workspace_id, cost)
                SELECT :id || n, :id || n, :workflow, 'info', 'api',
                    timestamp '2026-10-10' + n * interval '1 second', :id,
                    '{"total": 0.0123, "tokens": 1843, "model": "gpt-4o"}'
                FROM generate_series(1, CAST(:rows AS integer)) AS n
                """,
                id=workspace,
                workflow=f"wf-{workspace}",
                rows=rows,
            )
        reader.dispose()
        writer.dispose()


def postmaster_of(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().split()[0])


def kill_database(home: Path) -> None:
    """Kill the database, and wait until its last process has noticed."""
    pid = postmaster_of(home)
    backends = psutil.Process(pid).children()
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs(backends, timeout=PATIENCE)

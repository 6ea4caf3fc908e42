"""A database that stops answering without closing a connection: a 503 in time, then right again."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from benchmarks.outages import stopped
from demo.local_postgres import LocalPostgres
from tests.support.asking import ask, broken_off
from tests.support.homes import (
    LIST,
    LONG,
    SHORT,
    WIDE,
    Served,
    kill_database,
    over,
    postmaster_of,
)
from tests.support.serving import PATIENCE
from tests.support.watching import all_turns_are_free, wait_for_turns
from web.admission import TURNS

# The order of the limits is the product's; only that they end is waited for.
CONNECTION: Final = "data.platform.connection"
SHORT_LIMITS: Final = {f"{CONNECTION}._ANSWER_SECONDS": 4, f"{CONNECTION}._ALIVE_SECONDS": 2}
QUESTION: Final = f"workspaceId={SHORT}&from=2026-10-01&to=2026-10-31"
PATHS: Final = (
    f"/api/billing/usage?{QUESTION}",
    f"/api/billing/usage/summary?{QUESTION}",
    f"/api/billing/usage/series?{QUESTION}",
    f"/api/billing/usage/export?{QUESTION}",
    f"/api/billing/usage/export/manifest?{QUESTION}",
    f"/api/billing/usage/execution?workspaceId={SHORT}&id={SHORT}7",
    "/api/billing/workspaces",
    "/",
    f"/workspace/{SHORT}/usage",
    "/readyz",
)


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Served]:
    with over(home, limits=SHORT_LIMITS) as server:
        yield server


def test_every_question_is_a_503_while_it_is_stopped_and_answered_afterwards(
    server: Served,
) -> None:
    answers = {path: ask(server.port, path).body for path in PATHS}
    with ThreadPoolExecutor(len(PATHS)) as clients:
        with stopped(postmaster_of(server.home)):
            asked = [clients.submit(ask, server.port, path) for path in PATHS]
            refused = [each.result(PATIENCE) for each in asked]
        assert [answer.status for answer in refused] == [503] * len(PATHS)
        assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
        assert ask(server.port, "/healthz").status == 200
    # Other answers tell when they were given.
    for path in PATHS:
        if "usage/export?" in path or path.endswith("workspaces"):
            assert ask(server.port, path).body == answers[path]
    assert [ask(server.port, path).status for path in PATHS] == [200] * len(PATHS)


def test_statements_under_way_are_left_when_it_stops(
    server: Served, watcher: "psycopg.Connection[Any]"
) -> None:
    with ThreadPoolExecutor(TURNS) as clients:
        with watcher.transaction():
            watcher.execute("LOCK TABLE workflow_execution_logs IN ACCESS EXCLUSIVE MODE")
            asked = [clients.submit(ask, server.port, LIST) for _ in range(TURNS)]
            wait_for_turns(watcher, TURNS)
            with stopped(postmaster_of(server.home)):
                answers = [each.result(PATIENCE) for each in asked]
        assert [answer.status for answer in answers] == [503] * TURNS
        codes = {json.loads(answer.body)["error"]["code"] for answer in answers}
        assert codes == {"database_unavailable"}
    assert [ask(server.port, LIST).status for _ in range(TURNS)] == [200] * TURNS


def test_a_file_under_way_breaks_off_when_it_stops(server: Served) -> None:
    with server.export(WIDE) as answer:
        assert answer.read(1000).startswith(b"Date,Execution")
        with stopped(postmaster_of(server.home)):
            assert broken_off(answer)
    with server.export(LONG) as answer:
        assert answer.read().count(b"\n") == 10_001


def test_a_server_that_has_no_connection_yet_makes_none_while_it_is_stopped(home: Path) -> None:
    limits = SHORT_LIMITS | {f"{CONNECTION}._CONNECT_SECONDS": 2}
    with over(home, limits=limits) as server:
        with stopped(postmaster_of(home)):
            assert ask(server.port, LIST).status == 503
            assert ask(server.port, "/readyz").status == 503
        assert ask(server.port, LIST).status == 200


def test_questions_while_it_is_killed_and_started_again_are_answered_or_refused(
    server: Served,
) -> None:
    statuses: set[int] = set()
    with LocalPostgres(server.home) as postgres, ThreadPoolExecutor(2) as clients:
        postgres.start()
        for _ in range(3):
            asked = [clients.submit(ask, server.port, path) for path in PATHS * 2]
            kill_database(server.home)
            statuses |= {each.result(PATIENCE).status for each in asked}
            assert ask(server.port, LIST).status == 503
            postgres.start()
            assert ask(server.port, LIST).status == 200
    assert statuses <= {200, 503}
    assert [ask(server.port, path).status for path in PATHS] == [200] * len(PATHS)


def test_a_file_breaks_off_where_the_database_is_killed_and_all_turns_come_back(
    server: Served,
) -> None:
    broken = 0
    with LocalPostgres(server.home) as postgres:
        url = postgres.start()
        for _ in range(3):
            with server.export(WIDE) as answer:
                assert answer.read(1000).startswith(b"Date,Execution")
                kill_database(server.home)
                broken += broken_off(answer)
            url = postgres.start()
        assert broken == 3
        with psycopg.connect(url, autocommit=True) as connection:
            assert all_turns_are_free(server.port, connection)

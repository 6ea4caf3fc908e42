"""The server under more questions than it can answer: it says so early, and it recovers."""

import http.client
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

import demo
from app import create_app
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.platform.connection import connect
from settings import Settings
from tests.support.asking import Answer, ask, is_refusal
from tests.support.calling import call_page
from tests.support.platform import Platform, Run, utc
from tests.support.serving import PATIENCE, Served, serving
from tests.support.signing import own_platform
from tests.support.watching import wait_for_turns
from web.admission import TURNS, Admission
from web.turns import WAITING, Turns

LIST = "/api/billing/usage?workspaceId=ws&from=2026-10-01&to=2026-10-31"
CLIENTS = TURNS + WAITING + 29


@pytest.fixture(scope="module")
def busy(cluster: str) -> Iterator[Platform]:
    with own_platform(cluster) as platform:
        platform.account(100, "ws", viewer="viewer")
        platform.account(100, "other", payer="other", viewer="viewer")
        platform.runs([Run("run", utc("2026-10-05 12:00"))])
        yield platform


@contextmanager
def serving_platform(
    platform: Platform, processes: int = 1, host: str = "127.0.0.1"
) -> Iterator[Served]:
    with serving(
        USAGE_HOST=host,
        DATABASE_URL=platform.url,
        USAGE_PROXY_HEADER="X-Usage-User",
        USAGE_PROXY_CIDRS="127.0.0.1/32",
        WEB_CONCURRENCY=str(processes),
    ) as server:
        yield server


@pytest.fixture(scope="module")
def server(busy: Platform) -> Iterator[Served]:
    with serving_platform(busy) as server:
        yield server


@contextmanager
def locked(platform: Platform) -> Iterator["psycopg.Connection[Any]"]:
    """Let nobody read executions; statements about them wait."""
    with psycopg.connect(platform.url) as connection:
        connection.execute("LOCK TABLE workflow_execution_logs IN ACCESS EXCLUSIVE MODE")
        yield connection


def first(asked: list["Future[Answer]"], count: int) -> list[Answer]:
    return [each.result() for each in islice(as_completed(asked, PATIENCE), count)]


def test_who_finds_no_turn_is_told_so_early_and_the_others_are_answered(
    server: Served, busy: Platform
) -> None:
    with ThreadPoolExecutor(CLIENTS) as clients:
        with locked(busy) as lock:
            asked = [clients.submit(ask, server.port, LIST) for _ in range(CLIENTS)]
            wait_for_turns(lock, TURNS)
            assert ask(server.port, "/healthz").status == 200
            assert ask(server.port, "/readyz").status == 200
            # That was while others waited for their turn.
            assert sum(each.done() for each in asked) < CLIENTS - TURNS
            refused = first(asked, CLIENTS - TURNS)
            assert all(is_refusal(answer) for answer in refused)
            assert {answer.headers["Retry-After"] for answer in refused} == {"5"}
        answered = [answer for each in asked if (answer := each.result()) not in refused]
    assert [answer.status for answer in answered] == [200] * TURNS
    assert ask(server.port, LIST).status == 200


def test_pages_and_callbacks_are_refused_in_their_own_way(server: Served, busy: Platform) -> None:
    with ThreadPoolExecutor(TURNS) as clients:
        with locked(busy) as lock:
            asked = [clients.submit(ask, server.port, LIST) for _ in range(TURNS)]
            wait_for_turns(lock, TURNS)
            home = ask(server.port, "/")
            shell = ask(server.port, "/workspace/ws/usage")
            assert ask(server.port, "/assets/20_base.css").status == 200
            assert ask(server.port, "/api/openapi.json").status == 200
        assert [answer.status for answer in first(asked, TURNS)] == [200] * TURNS
    for page in (home, shell):
        assert (page.status, page.headers["Retry-After"]) == (503, "5")
        assert page.headers["Content-Type"].startswith("text/html")
    assert "Too many are asking at once." in home.body
    assert ask(server.port, "/").status == 200


def test_a_callback_tells_it_in_the_page(demo_database: str) -> None:
    turns = Turns(1, waiting=0)
    admission = Admission(turns)
    engine = connect(demo_database)
    settings = Settings(_env_file=None)
    ledger = Ledger(engine, settings.billing)
    identify = admission.before(lambda: Viewer(demo.DEMO_VIEWER_ID))
    application = create_app(settings, ledger, identify).server
    application.wsgi_app = admission.over(application.wsgi_app)
    client = application.test_client()
    for _ in range(2):
        with turns.take():
            refused = call_page(client, "/workspace/ws_support/usage")
            assert refused.status_code == 200
            assert "Too many are asking at once." in refused.text
        with call_page(client, "/workspace/ws_support/usage") as answered:
            assert len(answered.get_json()["response"]["usage-table"]["data"]) == 100
    engine.dispose()


def test_not_ready_while_the_database_takes_no_connections(cluster: str) -> None:
    with (
        own_platform(cluster) as platform,
        psycopg.connect(cluster, autocommit=True) as other,
        serving_platform(platform) as server,
    ):
        name = make_url(platform.url).database
        assert ask(server.port, "/readyz").status == 200
        other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [name],
        )
        away = ask(server.port, "/readyz")
        assert (away.status, away.headers["Retry-After"]) == (503, "5")
        assert ask(server.port, "/healthz").status == 200
        other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
        assert ask(server.port, "/readyz").status == 200


def test_many_clients_that_keep_their_connections_hinder_nobody(server: Served) -> None:
    with ExitStack() as kept:
        for _ in range(2 * (TURNS + WAITING)):
            client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
            kept.enter_context(closing(client))
            client.request("GET", "/healthz")
            assert client.getresponse().read() == b"ok\n"
        assert ask(server.port, LIST).status == 200


def test_a_client_that_stops_in_the_middle_of_a_question_is_left(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as client:
        client.sendall(b"GET /healthz HT")
        assert client.recv(1) == b""


def test_two_processes_share_the_port_and_say_once_that_they_are_ready(busy: Platform) -> None:
    with serving_platform(busy, processes=2) as server:
        deadline = time.monotonic() + PATIENCE
        while len(server.workers()) < 2:
            assert time.monotonic() < deadline
        assert {ask(server.port, LIST).status for _ in range(20)} == {200}
        said = server.end()
    assert "is ready on" not in said


def test_an_address_of_the_sixth_version_is_served(busy: Platform) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("there is no ::1 here")
    with (
        serving_platform(busy, host="::1") as server,
        closing(http.client.HTTPConnection("::1", server.port, timeout=PATIENCE)) as client,
    ):
        client.request("GET", "/healthz")
        assert client.getresponse().read() == b"ok\n"

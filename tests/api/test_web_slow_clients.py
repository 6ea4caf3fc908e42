"""Clients that send or read slowly, or not at all: others are answered, all turns come back."""

import http.client
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from tests.support.asking import Answer, ask, asked, broken_off, is_refusal, listed
from tests.support.homes import LIST, LONG, WIDE, WINDOW, Served, over
from tests.support.serving import PATIENCE
from tests.support.watching import GONE, READING, all_turns_are_free, awaited, end
from web.admission import FILES_EACH, TURNS

FILE: Final = f"/api/billing/usage/export?workspaceId={WIDE}&from=2026-10-01&to=2026-10-31"
WAITING_FOR_KEYS: Final = (
    "SELECT FROM pg_locks WHERE NOT granted AND relation = 'api_key'::regclass"
)
# So little that the system's own buffers take nothing off the server's hands.
RECEIVE_BUFFER: Final = 4096


@contextmanager
def narrow(port: int, request: str, *, timeout: float = PATIENCE) -> Iterator[socket.socket]:
    """Send a request over a connection that takes little at a time."""
    with closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        client.settimeout(timeout)
        client.connect(("127.0.0.1", port))
        client.sendall(request.encode())
        yield client


def file_request() -> str:
    return f"GET {FILE} HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def impatient(home: Path) -> Iterator[Served]:
    """Yield a server that waits for clients for seconds only."""
    seconds = {"TAKEN_WITHIN": 1, "REQUEST_WITHIN": 5, "_IDLE": 1}
    limits = {f"web.connections.{name}": limit for name, limit in seconds.items()}
    with over(home, limits=limits) as server:
        yield server


def test_turns_come_back_where_the_session_behind_a_file_ends(
    server: Served, watcher: "psycopg.Connection[Any]"
) -> None:
    for place in range(20):
        with server.export(WIDE) as answer:
            assert answer.read(1000).startswith(b"Date,Execution")
            ((pid,),) = watcher.execute(READING).fetchall()
            end(watcher, pid)
            # Some read on, the others leave.
            assert place % 5 or broken_off(answer)
        assert awaited(watcher, GONE)
    assert all_turns_are_free(server.port, watcher)


def test_turns_come_back_where_nobody_reads(
    impatient: Served, watcher: "psycopg.Connection[Any]"
) -> None:
    with ExitStack() as clients:
        for _ in range(14):
            clients.enter_context(narrow(impatient.port, file_request()))
        # Two read for this viewer at once; nobody else gets as far.
        while len(watcher.execute(READING).fetchall()) < FILES_EACH:
            pass
        assert awaited(watcher, GONE)
        assert all_turns_are_free(impatient.port, watcher)
        assert [ask(impatient.port, LIST).status for _ in range(20)] == [200] * 20


def _read_to_the_end(client: socket.socket) -> bytes:
    taken = b""
    try:
        while piece := client.recv(1 << 16):
            taken += piece
    except ConnectionError:
        pass
    return taken


def test_a_file_that_is_taken_too_slowly_is_cut_off(
    home: Path, watcher: "psycopg.Connection[Any]"
) -> None:
    with (
        over(home, limits={"web.connections.ANSWER_WITHIN": 1}) as server,
        narrow(server.port, file_request()) as client,
    ):
        assert client.recv(12) == b"HTTP/1.1 200"
        # Byte by byte it would take an hour.
        while watcher.execute(READING).fetchall():
            client.recv(1)


def test_files_of_one_viewer_leave_one_to_others_and_the_next_is_told_so(
    server: Served, watcher: "psycopg.Connection[Any]"
) -> None:
    with ExitStack() as clients:
        for _ in range(FILES_EACH):
            reading = clients.enter_context(narrow(server.port, file_request()))
            assert reading.recv(12) == b"HTTP/1.1 200"
        third = ask(server.port, FILE)
        assert third.status == 503
        assert third.headers["Retry-After"] == "5"
        assert "Too many files are asked for at once." in third.body
        assert ask(server.port, LIST).status == 200
    assert awaited(watcher, GONE)
    with server.export(LONG) as answer:
        assert answer.status == 200
        assert answer.read().count(b"\n") == 10_001


def test_a_file_that_fits_leaves_the_database_though_nobody_reads_it(
    server: Served, watcher: "psycopg.Connection[Any]"
) -> None:
    request = file_request().replace(WIDE, LONG)
    with ExitStack() as clients:
        for _ in range(TURNS + 1):
            reading = clients.enter_context(narrow(server.port, request))
            assert reading.recv(12) == b"HTTP/1.1 200"
            assert awaited(watcher, GONE)
        assert all_turns_are_free(server.port, watcher)


def test_who_sends_a_header_byte_by_byte_is_left_and_hinders_nobody(impatient: Served) -> None:
    with ThreadPoolExecutor(90) as clients:
        begun = [clients.submit(_dribbles_until_closed, impatient.port) for _ in range(90)]
        answers: list[Answer] = []
        while not all(each.done() for each in begun):
            answers.append(ask(impatient.port, LIST))
        assert all(each.result() for each in begun)
    assert {answer.status for answer in answers} == {200}


def _dribbles_until_closed(port: int) -> bool:
    # The wait for an answer that does not come is what makes it slow.
    with narrow(port, "GET /healthz HTTP/1.1\r\nX-Slow: ", timeout=0.1) as client:
        while True:
            try:
                return client.recv(1) == b""
            except TimeoutError:
                # Where it is closed meanwhile, the next read tells.
                with suppress(ConnectionError):
                    client.sendall(b"x")
            except ConnectionError:
                return True


@pytest.mark.parametrize("sent", ["", "GET /healthz HTTP/1.1\r\nContent-Length: 10\r\n\r\nx"])
def test_who_sends_nothing_more_is_left(impatient: Served, sent: str) -> None:
    with narrow(impatient.port, sent) as client:
        assert client.recv(1) == b""


def test_who_sends_nothing_but_blank_lines_is_left(impatient: Served) -> None:
    with narrow(impatient.port, "\r\n\r\n", timeout=0.5) as client, suppress(ConnectionError):
        while True:
            client.sendall(b"\r\n\r\n")
            with suppress(TimeoutError):
                assert client.recv(1) == b""
                break


def test_requests_sent_in_advance_are_answered_in_their_order(server: Served) -> None:
    question = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = "GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n"
    with narrow(server.port, 40 * question + last) as client:
        answers = _read_to_the_end(client)
    assert re.findall(rb"HTTP/1\.1 (\d+) ", answers) == [b"200"] * 40 + [b"404"]


def test_of_requests_sent_in_advance_no_more_are_answered_than_are_taken(server: Served) -> None:
    script = "GET /assets/vendor/plotly-basic.min.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    worker = server.worker()
    before = worker.num_fds()
    with ExitStack() as clients:
        connected = [clients.enter_context(narrow(server.port, 30 * script)) for _ in range(120)]
        for client in connected:
            assert client.recv(12) == b"HTTP/1.1 200"
        # Who asks comes behind one more request of each of them.
        assert [ask(server.port, LIST).status for _ in range(20)] == [200] * 20
        # Each has its connection, and an answer in a file; some are the database's.
        assert worker.num_fds() < before + 3 * len(connected)


def test_a_connection_that_is_kept_serves_again_and_is_closed_when_it_idles(
    impatient: Served,
) -> None:
    question = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with narrow(impatient.port, question) as client:
        for _ in range(3):
            answer = b""
            while not answer.endswith(b"ok\n"):
                answer += client.recv(1000)
            client.sendall(question.encode())
        assert _read_to_the_end(client).endswith(b"ok\n")


def test_what_is_being_answered_ends_whole_after_the_server_was_told_to_stop(
    home: Path, watcher: "psycopg.Connection[Any]"
) -> None:
    with over(home) as server, ThreadPoolExecutor(1) as clients, server.export(WIDE) as file:
        process = server.running.process
        assert file.read(1000).startswith(b"Date,Execution")
        with watcher.transaction():
            watcher.execute("LOCK TABLE api_key IN ACCESS EXCLUSIVE MODE")
            listed = clients.submit(_asked_with_a_key, server.port)
            assert awaited(watcher, WAITING_FOR_KEYS)
            process.terminate()
            # Nothing new is taken.
            while _is_served(server.port):
                pass
        assert listed.result() == 401
        assert file.read().count(b"\n") == 10_000
        assert process.wait(PATIENCE) == 0


def _asked_with_a_key(port: int) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as client:
        client.request("GET", LIST, headers={"X-API-Key": "none"})
        return client.getresponse().status


def _is_served(port: int) -> bool:
    try:
        return ask(port, "/healthz").status == 200
    except ConnectionError:
        return False


def test_an_answer_that_does_not_end_is_cut_off_at_the_stop(
    home: Path, watcher: "psycopg.Connection[Any]"
) -> None:
    with (
        over(home, limits={"web.server.ENDS_WITHIN_SECONDS": 1}) as server,
        narrow(server.port, file_request()) as client,
    ):
        assert client.recv(12) == b"HTTP/1.1 200"
        server.running.process.terminate()
        assert server.running.process.wait(PATIENCE) == 0
        assert awaited(watcher, GONE)


def test_overloaded_is_told_in_the_same_shape_for_files(server: Served) -> None:
    with ExitStack() as clients:
        for _ in range(FILES_EACH):
            reading = clients.enter_context(narrow(server.port, file_request()))
            assert reading.recv(12) == b"HTTP/1.1 200"
        with asked(server.port, "billing/usage/export/manifest", workspaceId=LONG) as refused:
            body = refused.read().decode()
            answer = Answer(refused.status, refused.headers, body)
    assert answer.status == 503
    assert not is_refusal(answer)
    assert '"code":"overloaded"' in body
    assert listed(server.port, workspaceId=LONG, **WINDOW)["has_more"]

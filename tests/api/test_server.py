"""The API of a real server: what its clients see when the database or they themselves go away."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import psutil
import psycopg
import pytest

from demo.local_postgres import LocalPostgres
from tests.support import serving
from tests.support.asking import asked, broken_off, listed
from tests.support.homes import LONG, ROWS, SHORT, WIDE, WINDOW, Served, kill_database, over
from tests.support.serving import PATIENCE
from tests.support.watching import GONE, READING, awaited, end

MAY_GROW_BYTES: Final = 20 * 1024 * 1024


def test_a_whole_export_arrives_whole(server: Served) -> None:
    with server.export(LONG) as answer:
        assert answer.status == 200
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert answer.read().count(b"\n") == ROWS + 1


def test_an_export_whose_backend_is_ended_breaks_off(
    server: Served, watcher: "psycopg.Connection[Any]"
) -> None:
    with server.export(WIDE) as answer:
        assert answer.status == 200
        assert answer.read(1000).startswith(b"Date,Execution")
        ((pid,),) = watcher.execute(READING).fetchall()
        end(watcher, pid)
        assert broken_off(answer)
    assert listed(server.port, workspaceId=LONG, **WINDOW)["has_more"]


def test_an_export_whose_database_is_killed_breaks_off_and_the_next_works_when_it_is_back(
    server: Served,
) -> None:
    with server.export(WIDE) as answer:
        assert answer.read(1000).startswith(b"Date,Execution")
        kill_database(server.home)
        assert broken_off(answer)
    with asked(server.port, "billing/usage", workspaceId=LONG) as away:
        assert (away.status, away.headers["Retry-After"]) == (503, "5")
        assert json.loads(away.read())["error"]["code"] == "database_unavailable"
    with LocalPostgres(server.home) as postgres:
        postgres.start()
        assert listed(server.port, workspaceId=LONG, **WINDOW)["has_more"]
        with server.export(LONG) as answer:
            assert answer.read().count(b"\n") == ROWS + 1


def test_a_client_that_leaves_takes_its_transaction_with_it(
    server: Served, watcher: "psycopg.Connection[Any]"
) -> None:
    with server.export(WIDE) as answer:
        assert answer.read(1000).startswith(b"Date,Execution")
        ((pid,),) = awaited(watcher, READING)
    assert awaited(watcher, GONE)
    # The product has ended it and keeps the connection; the database's own patience would end both.
    state = watcher.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()
    assert state == ("idle",)


def test_more_clients_leave_than_there_are_connections_and_threads(server: Served) -> None:
    for _ in range(20):
        with server.export(WIDE) as answer:
            assert answer.read(1000).startswith(b"Date,Execution")
    assert listed(server.port, workspaceId=LONG, **WINDOW)["has_more"]


def _raw(port: int, request: str) -> tuple[str, bytes]:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(request.encode())
        answer = b""
        while piece := client.recv(1 << 16):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode().lower(), body


def test_http_1_0_gets_a_length_and_no_chunks(server: Served) -> None:
    query = urlencode({"workspaceId": LONG} | WINDOW)
    head, body = _raw(server.port, f"GET /api/billing/usage/export?{query} HTTP/1.0\r\n\r\n")
    assert head.split("\r\n")[0].endswith(" 200 ok")
    assert "transfer-encoding" not in head
    assert f"content-length: {len(body)}" in head
    assert body.count(b"\n") == ROWS + 1


def test_paths_are_read_as_they_were_sent(server: Served) -> None:
    for path in ("/api//billing/usage", "/api/../healthz", "/api/%2e%2e/healthz", "/api/%7f"):
        head, body = _raw(server.port, f"GET {path} HTTP/1.0\r\n\r\n")
        assert head.split("\r\n")[0].endswith(" 404 not found")
        assert json.loads(body)["error"]["code"] == "endpoint_unknown"


def test_an_address_may_be_long_and_one_that_is_too_long_is_told_so(server: Served) -> None:
    path = "/api/billing/usage?starting_after="
    for length, status in ((8100, " 400 "), (8200, " 414 ")):
        word = "x" * (length - len(path))
        head, body = _raw(server.port, f"GET {path}{word} HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert status in head.split("\r\n")[0] + " "
        assert json.loads(body)["error"]["type"] == "invalid_request_error"
    assert json.loads(body)["error"]["code"] == "address_too_long"


def _peak(process: psutil.Process) -> int:
    """Return the most memory that was resident, in bytes; now, where the system keeps no peak."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except FileNotFoundError:
        resident: int = process.memory_info().rss
        return resident
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def test_an_export_of_ten_thousand_rows_needs_little_memory(home: Path) -> None:
    """A server of its own, so that nothing before has raised its peak; a short export warms it."""
    with over(home) as fresh:
        with fresh.export(SHORT) as answer:
            assert answer.read().count(b"\n") == 201
        worker = fresh.worker()
        before = peak = _peak(worker)
        with fresh.export(LONG) as answer:
            lines = 0
            while piece := answer.read(1 << 14):
                lines += piece.count(b"\n")
                peak = max(peak, _peak(worker))
        assert lines == ROWS + 1
        assert max(peak, _peak(worker)) - before < MAY_GROW_BYTES


def test_a_cursor_and_an_id_hold_after_a_restart(home: Path) -> None:
    query = {"workspaceId": LONG, "limit": "5"}
    with over(home) as first:
        page = listed(first.port, **query, **WINDOW)
        following = listed(first.port, **query, starting_after=page["next_cursor"])
    with over(home) as second:
        again = listed(second.port, **query, starting_after=page["next_cursor"])
        by_id = listed(second.port, **query, **WINDOW, starting_after=page["data"][-1]["id"])
        back = listed(second.port, **query, ending_before=following["previous_cursor"])
    assert again["data"] == by_id["data"] == following["data"]
    assert again["period"] == following["period"]
    assert back["data"] == page["data"]


NGINX_CONF = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            {more}
        }}
    }}
}}
"""


@contextmanager
def proxied(server: Served, folder: Path, more: str = "") -> Iterator[int]:
    """Put nginx before the server, as Debian's defaults have it; yield its port."""
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed: on Debian, apt-get install nginx-light")
    port = serving.free_port()
    conf = folder / "nginx.conf"
    # Its workers would be another user, who cannot write below root's private directory: what does
    # not fit into their memory would break off by itself.
    user = "user root;" if os.geteuid() == 0 else ""
    conf.write_text(
        NGINX_CONF.format(user=user, folder=folder, port=port, upstream=server.port, more=more)
    )
    complaints = folder / "error.log"
    process = subprocess.Popen([nginx, "-p", folder, "-c", conf, "-e", complaints])
    try:
        deadline = time.monotonic() + PATIENCE
        while not _listens(port):
            assert process.poll() is None, complaints.read_text()
            assert time.monotonic() < deadline
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_through_nginx_a_whole_export_arrives_whole(server: Served, tmp_path: Path) -> None:
    with proxied(server, tmp_path) as port:
        query = {"workspaceId": LONG} | WINDOW
        with asked(port, "billing/usage/export", **query) as answer:
            body = answer.read()
    assert answer.headers["Content-Length"] == str(len(body))
    assert answer.headers["X-Export-Truncated"] == "0"
    assert body.count(b"\n") == ROWS + 1


# Without its limit nginx would take the whole file in before its client has read any of it.
STREAMED: Final = "proxy_http_version 1.1; proxy_max_temp_file_size 1m;"


@pytest.mark.parametrize("more", ["", STREAMED], ids=["defaults", "1.1"])
def test_through_nginx_an_export_whose_backend_is_ended_never_looks_whole(
    server: Served, watcher: "psycopg.Connection[Any]", tmp_path: Path, more: str
) -> None:
    fetching = f"{READING} AND query LIKE 'FETCH%'"
    with proxied(server, tmp_path, more) as port:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as client:
            query = urlencode({"workspaceId": WIDE} | WINDOW)
            client.request("GET", f"/api/billing/usage/export?{query}")
            if not more:  # the file is made whole before any of it is sent
                ((pid,),) = awaited(watcher, fetching)
                end(watcher, pid)
            with client.getresponse() as answer:
                if more:
                    assert answer.status == 200
                    assert answer.read(1000).startswith(b"Date,Execution")
                    ((pid,),) = watcher.execute(READING).fetchall()
                    end(watcher, pid)
                    assert broken_off(answer)
                else:
                    assert answer.status == 503
                    assert answer.headers["Retry-After"] == "5"
                    assert "Content-Disposition" not in answer.headers
                    assert json.loads(answer.read())["error"]["code"] == "database_unavailable"
        query_again = {"workspaceId": LONG} | WINDOW
        with asked(port, "billing/usage/export", **query_again) as answer:
            assert answer.read().count(b"\n") == ROWS + 1

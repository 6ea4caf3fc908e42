"""Thousands of requests over the wire that nobody should send: answered in words, never a 5xx."""

import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from tests.support.asking import ask, asked
from tests.support.homes import SHORT, WINDOW, Served, over
from tests.support.serving import PATIENCE

REQUESTS: Final = 4_000
SEED: Final = 20_261_128
QUERY: Final = urlencode({"workspaceId": SHORT} | WINDOW)
TARGETS: Final = (
    *(
        f"/api/billing/usage?{QUERY}",
        f"/api/billing/usage/summary?{QUERY}",
        "/api/billing/workspaces",
    ),
    *(f"/api/billing/usage/execution?workspaceId={SHORT}&id={SHORT}7", "/api/nope", "/healthz"),
    *("/", f"/workspace/{SHORT}/usage", "/_dash-layout", "/assets/20_base.css", "/readyz"),
)
ODD_TARGETS: Final = (
    *("*", "//api/billing/workspaces", "http://evil.example/api/billing/workspaces", "http://["),
    *("/api/%", "/api/%00", "/api/\x00", "/api/\xff\xfe", "/api/\t", "?", "#", "/api/#/x", "x"),
    *("/api/../healthz", "/api//billing/usage", "/_dash-component-suites/../../app.py", "/\\api\\"),
    *("/api/" + "a/" * 2000, "/api/billing/usage?" + "x" * 9000, "http://a:b@[::1]:99999/api/x"),
    *("/api/billing/usage?workspaceId=" + "%F0%9F%92%A9" * 300, "/workspace/\u202e/usage"),
)
METHODS: Final = ("GET",) * 12 + (
    "HEAD",
    "POST",
    "PUT",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "get",
    "G\0T",
)
VERSIONS: Final = ("HTTP/1.1",) * 12 + (
    "HTTP/1.0",
    "HTTP/2.0",
    "HTTP/9.9",
    "HTTP/x",
    "",
    "HTTP/1.1 ",
)
HEADERS: Final = (
    *("SCRIPT_NAME: /zzz", "Script-Name: /zzz", "PATH_INFO: /x", "X-Forwarded-Proto: https"),
    *("X-Forwarded-For: 8.8.8.8", "X-Forwarded-Host: evil", "X-Forwarded-Prefix: /zzz"),
    *("Forwarded: for=1.2.3.4;proto=https;host=evil", "X-Forwarded-Port: 0", "X-Script-Name: /z"),
    *("Content-Length: 5", "Content-Length: -1", "Content-Length: x", "Content-Length: 1e3"),
    *("Content-Length: 99999999999999999999", "Content-Length: " + "9" * 5000),
    *("Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Transfer-Encoding: \x0bchunked"),
    *("Expect: 100-continue", "Expect: nonsense", "Host:", "Host: \xff", "Host: a\tb", "no colon"),
    *(" folded", "\tfolded", "X-Null: \x00", "X-\xff: y", ": empty", "X : blank", "Cookie: \xff=;"),
    *("X-Large: " + "y" * 40_000, "Cookie: " + "a=b; " * 900, "Range: bytes=0-", "Upgrade: h2c"),
    *("X-API-Key: \xff\x00", "Authorization: Bearer " + "." * 200, "X-API-Key:", "Accept: \xff"),
    *("Connection: close, keep-alive", "Connection: \x00", "TE: trailers", "Accept-Encoding: q=x"),
    *("If-None-Match: \xff", "If-Modified-Since: 99", "Content-Type: application/json; charset=x"),
)
BODIES: Final = (
    *(b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"ffffffffffffffffff\r\nx", b"-1\r\n"),
    *(
        b"0\r\nX: y\r\n\r\n",
        b"\xff" * 100,
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"{" * 5000,
        b"x" * 3000,
    ),
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "server.log"


@pytest.fixture(scope="module")
def server(home: Path, log: Path) -> Iterator[Served]:
    with log.open("w") as file, over(home, log=file) as server:
        yield server


def sent(port: int, request: bytes) -> bytes:
    """Send bytes and nothing more; return all that comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        answer = b""
        try:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(1 << 16):
                answer += piece
        except OSError:  # refused before all of it was sent
            pass
        return answer


def requests(random: Random, callback: bytes) -> Iterator[bytes]:
    """Yield requests with this or that wrong about them, some of them valid."""
    for place in range(REQUESTS):
        if place % 4 == 0:
            yield _spoilt(random, _callback(random, callback))
            continue
        odd = random.random() < 0.3
        target = random.choice(ODD_TARGETS if odd else TARGETS)
        line = f"{random.choice(METHODS)} {target} {random.choice(VERSIONS)}"
        headers = [line, *random.sample(HEADERS, random.choice((0, 0, 1, 1, 2, 4)))]
        end = random.choice(("\r\n",) * 8 + ("\n", "\r"))
        head = (end.join(headers) + end * 2).encode("utf-8", "surrogateescape")
        yield _spoilt(random, head + random.choice(BODIES))


def _callback(random: Random, body: bytes) -> bytes:
    asked = json.loads(body)
    part = random.choice(("output", "outputs", "inputs", "state", "changedPropIds", "no"))
    values: tuple[Any, ...] = (None, [], {}, "x", 5, [[]], [{"id": {"a": 1}, "property": "x"}])
    if part in {"inputs", "state"} and random.random() < 0.8:
        for prop in asked[part]:
            if random.random() < 0.3:
                prop["value"] = random.choice(
                    (*values, "\udc80", "?" + "x" * 3000, 1e308, -1, "\0")
                )
    else:
        asked[part] = random.choice(values)
    content = json.dumps(asked).encode()
    head = (
        "POST /_dash-update-component HTTP/1.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def _spoilt(random: Random, request: bytes) -> bytes:
    """Cut a request, or change some of its bytes, now and then."""
    chance = random.random()
    place = random.randrange(len(request))
    if chance < 0.1:
        return request[:place]
    if chance < 0.25:
        return request[:place] + random.randbytes(random.randrange(1, 4)) + request[place + 1 :]
    return request


@pytest.fixture(scope="module")
def callback(server: Served) -> bytes:
    """Return what the page asks for its table."""
    listed = json.loads(ask(server.port, "/_dash-dependencies").body)
    one = next(one for one in listed if "usage-table.data" in one["output"])
    values = {"usage-location.pathname": f"/workspace/{SHORT}/usage"}
    asked = {
        "output": one["output"],
        "outputs": [
            dict(zip(("id", "property"), name.rsplit(".", 1), strict=True))
            for name in one["output"].strip(".").split("...")
        ],
        "changedPropIds": [],
    }
    for of in ("inputs", "state"):
        asked[of] = [
            prop | {"value": values.get(f"{prop['id']}.{prop['property']}")} for prop in one[of]
        ]
    return json.dumps(asked).encode()


def test_no_bytes_break_the_server_and_whoever_asks_the_api_is_told_in_its_shape(
    server: Served, log: Path, callback: bytes
) -> None:
    statuses: Counter[int] = Counter()
    for request in requests(Random(SEED), callback):
        answer = sent(server.port, request)
        found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
        if not found:
            # Where a request is not whole, there is nothing to answer.
            assert not answer, (request[:300], answer[:300])
            statuses[0] += 1
            continue
        status = int(found[1])
        statuses[status] += 1
        assert status < 500 or status == 501, (request[:300], answer[:600])
        head, _, body = answer.partition(b"\r\n\r\n")
        target = ([*request.split(b" "), b""])[1].partition(b"?")[0]
        if status >= 400 and target.startswith(b"/api/") and not request.startswith(b"HEAD"):
            assert b"Content-Type: application/json" in head, (request[:300], answer[:600])
            # What follows may be the answer to what looked like a request in the body.
            told = json.JSONDecoder().raw_decode(body.decode())[0]["error"]
            assert list(told) == ["type", "code", "message", "param"]
            assert told["message"].endswith("."), told
        assert b"Strict-Transport-Security" not in head
        assert b"zzz" not in head
    # Neither everything refused nor everything taken.
    assert {200, 400, 404, 405, 414, 431, 501} <= set(statuses)
    assert statuses[200] > REQUESTS / 20, statuses
    assert statuses[400] > REQUESTS / 20, statuses
    assert ask(server.port, f"/api/billing/usage?{QUERY}").status == 200
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    "header",
    [
        *("SCRIPT_NAME: /zzz", "Script-Name: /zzz", "X-Script-Name: /zzz", "PATH-INFO: /zzz"),
        *("X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example", "X-Forwarded-Port: 1"),
        *("X-Forwarded-For: 8.8.8.8", "X-Forwarded-Prefix: /zzz", "X-Forwarded-Ssl: on"),
        *("Forwarded: for=8.8.8.8;proto=https;host=evil.example", "X-Forwarded-By: 8.8.8.8"),
        *("Front-End-Https: on", "X-Url-Scheme: https", "X-Real-Ip: 8.8.8.8"),
    ],
)
def test_no_header_of_a_client_names_a_path_a_scheme_or_an_address(
    server: Served, header: str
) -> None:
    for path in ("/api/billing/workspaces", "/zzz/api/billing/workspaces", "/", "/zzz/", "/nope"):
        request = f"GET {path} HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n"
        plain = sent(server.port, f"{request}\r\n".encode())
        with_header = sent(server.port, f"{request}{header}\r\n\r\n".encode())
        assert _undated(with_header) == _undated(plain)


def _undated(answer: bytes) -> bytes:
    return re.sub(rb"Date: [^\r]+", b"", answer)


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"GET /api/x HTTP/1.1\r\nno colon\r\n\r\n", 400, "request_malformed"),
        (b"GET http://[/api/ HTTP/1.1\r\n\r\n", 400, "request_malformed"),
        (b"nonsense\r\n\r\n", 400, "request_malformed"),
        (b"POST /api/x HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", 413, "body_too_large"),
        (b"GET /api/" + b"x" * 8200 + b" HTTP/1.1\r\n\r\n", 414, "address_too_long"),
        (b"GET /api/" + b"x" * 50_000, 414, "address_too_long"),
        (b"\r\n\r\nGET /api/" + b"x" * 8200 + b" HTTP/1.1\r\n\r\n", 414, "address_too_long"),
        (
            b"POST /api/x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n",
            *(413, "body_too_large"),
        ),
        (b"GET /api/ HTTP/1.1\r\nA: " + b"x" * 40_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"POST /api/ HTTP/1.1\r\nTransfer-Encoding: br\r\n\r\n", 501, "encoding_unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_the_server_refuses_itself_is_told_as_the_api_tells_it(
    server: Served, request_: bytes, status: int, code: str
) -> None:
    head, _, body = sent(server.port, request_).partition(b"\r\n\r\n")
    assert head.startswith((f"HTTP/1.1 {status} ".encode(), f"HTTP/1.0 {status} ".encode()))
    assert b"Cache-Control: private, no-store" in head
    assert b"Server:" not in head
    error = json.loads(body)["error"]
    assert (error["code"], error["type"], error["param"]) == (
        code,
        "api_error" if status == 501 else "invalid_request_error",
        None,
    )


def test_a_person_is_told_in_a_sentence(server: Served) -> None:
    request = b"GET /workspace/ws/usage?" + b"x" * 8200 + b" HTTP/1.1\r\n\r\n"
    head, _, body = sent(server.port, request).partition(b"\r\n\r\n")
    assert b"Content-Type: text/plain; charset=utf-8" in head
    assert body == b"The address is too long: some 8,000 characters fit. Send fewer filters.\n"


def test_who_expects_to_be_asked_for_a_body_that_there_is_not_is_answered(server: Served) -> None:
    request = b"GET /healthz HTTP/1.1\r\nExpect: 100-continue\r\n\r\n"
    answer = sent(server.port, request)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"\r\n\r\nok\n")


def test_a_question_goes_on_after_a_refused_one(server: Served) -> None:
    with asked(server.port, "billing/workspaces") as answer:
        assert answer.status == 200

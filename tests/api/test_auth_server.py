"""The server as it is really started, over a platform's database: who gets in, on a real socket."""

import http.client
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.platform import Platform, Run, utc
from tests.support.serving import PATIENCE, serving
from tests.support.signing import (
    ENCRYPTION_KEY,
    SIGNED_WITH,
    Asker,
    add_key,
    add_session,
    by_cookie,
    by_key,
    encrypted,
    own_platform,
)

WINDOW = "from=2026-10-01&to=2026-10-31"
HEADER = "X-Usage-User"


@dataclass(frozen=True)
class Served:
    port: int
    log: Path


@pytest.fixture(scope="module")
def served(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Start the server once for all that is asked here."""
    cwd = tmp_path_factory.mktemp("cwd")
    with own_platform(cluster) as platform, (cwd / "log").open("w") as log:
        _fill(platform)
        with serving(
            cwd=cwd,
            log=log,
            DATABASE_URL=platform.url,
            BETTER_AUTH_SECRET=SIGNED_WITH,
            API_ENCRYPTION_KEY=ENCRYPTION_KEY,
            USAGE_PROXY_HEADER=HEADER,
            USAGE_PROXY_CIDRS="127.0.0.2/32",
        ) as server:
            yield Served(server.port, cwd / "log")


@pytest.fixture
def port(served: Served) -> int:
    return served.port


def _fill(platform: Platform) -> None:
    platform.account(100, "ws", viewer="viewer")
    platform.runs([Run("run", utc("2026-10-05 12:00"))])
    add_session(platform, "t-viewer", "viewer")
    add_key(platform, "sim_viewer", "viewer")
    add_key(platform, encrypted("sk-sim-of-ws"), "viewer", workspace_id="ws")


def _ask(port: int, path: str, asker: Asker) -> tuple[int, http.client.HTTPMessage, str]:
    """Ask from ``asker``'s own address, which is the socket's."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=PATIENCE, source_address=(asker.address, 0)
    )
    try:
        connection.request("GET", path, headers=dict(asker.headers))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def test_without_a_cookie_nobody_gets_in(port: int) -> None:
    nobody = Asker({})
    for path in ("/", "/workspace/ws/usage", "/workspace/nowhere/usage"):
        status, _, page = _ask(port, path, nobody)
        assert status == 401
        assert "You are not signed in" in page
    status, headers, body = _ask(port, "/api/billing/workspaces", nobody)
    assert status == 401
    assert headers["WWW-Authenticate"]
    assert json.loads(body)["error"]["type"] == "authentication_error"
    assert _ask(port, "/readyz", nobody)[0] == 200


def test_the_platforms_cookie_opens_the_page(port: int) -> None:
    status, _, page = _ask(port, "/workspace/ws/usage", by_cookie("t-viewer"))
    assert status == 200
    assert "react-entry-point" in page
    assert _ask(port, "/", by_cookie("t-viewer"))[:1] == (302,)
    assert _ask(port, "/workspace/nowhere/usage", by_cookie("t-viewer"))[0] == 404
    assert _ask(port, "/workspace/ws/usage", by_cookie("t-nobody"))[0] == 401


def test_keys_open_the_api(port: int) -> None:
    for path in (f"usage?workspaceId=ws&{WINDOW}", f"usage/export?workspaceId=ws&{WINDOW}"):
        for key in ("sim_viewer", "sk-sim-of-ws"):
            status, _, body = _ask(port, f"/api/billing/{path}", by_key(key))
            assert status == 200
            assert "execution-run" in body
    status, _, body = _ask(port, f"/api/billing/usage?{WINDOW}", by_key("sk-sim-of-ws"))
    assert (status, len(json.loads(body)["data"])) == (200, 1)
    assert _ask(port, "/api/billing/workspaces", by_key("sim_wrong"))[0] == 401


@pytest.mark.skipif(sys.platform == "darwin", reason="has 127.0.0.1 only, without more setup")
def test_the_proxy_is_known_by_the_address_of_its_socket(port: int) -> None:
    named = {HEADER: "viewer@example.com"}
    path = "/api/billing/workspaces"
    assert _ask(port, path, Asker(named, "127.0.0.2"))[0] == 200
    status, _, body = _ask(port, path, Asker(named))
    assert (status, json.loads(body)["error"]["code"]) == (401, "proxy_untrusted")


@pytest.mark.skipif(sys.platform == "darwin", reason="has 127.0.0.1 only, without more setup")
@pytest.mark.parametrize(
    "forged",
    [
        {"X-Forwarded-For": "127.0.0.2"},
        {"Forwarded": "for=127.0.0.2"},
        {"X-Real-IP": "127.0.0.2"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.2"},
        {"REMOTE-ADDR": "127.0.0.2"},
    ],
)
def test_a_forged_address_is_not_believed_on_a_real_socket(
    port: int, forged: dict[str, str]
) -> None:
    asker = Asker({HEADER: "viewer"} | forged)
    status, _, body = _ask(port, "/api/billing/workspaces", asker)
    assert (status, json.loads(body)["error"]["code"]) == (401, "proxy_untrusted")


@pytest.mark.skipif(sys.platform == "darwin", reason="has 127.0.0.1 only, without more setup")
def test_a_header_spelled_with_underscores_names_nobody(port: int) -> None:
    # A proxy that replaces X-Usage-User would let this one through.
    asker = Asker({HEADER.replace("-", "_"): "viewer"}, "127.0.0.2")
    status, _, body = _ask(port, "/api/billing/workspaces", asker)
    assert (status, json.loads(body)["error"]["code"]) == (401, "authentication_required")


def test_the_log_tells_of_refusals_and_of_no_credential(served: Served) -> None:
    path = "/api/billing/workspaces"
    askers = (
        by_cookie("t-viewer"),
        by_cookie("t-wrong"),
        by_key("sim_viewer"),
        by_key("sim_wrong"),
    )
    statuses = [_ask(served.port, path, asker)[0] for asker in askers]
    assert statuses == [200, 401, 200, 401]
    assert _ask(served.port, path, Asker({HEADER: "viewer"}))[0] == 401
    said = served.log.read_text()
    assert f"INFO web.auth refused GET '{path}'" in said
    assert f"WARNING web.auth.proxy {HEADER} came from 127.0.0.1" in said
    assert "Traceback" not in said
    for shown in (SIGNED_WITH, ENCRYPTION_KEY, "t-viewer", "t-wrong", "sim_viewer", "sim_wrong"):
        assert shown not in said

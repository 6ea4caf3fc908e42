import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from app import create_app
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.rules.billing import Billing
from data.rules.errors import UnauthenticatedError
from settings import Settings
from tests.conftest import Api
from tests.support.calling import call_page
from tests.support.platform import Platform

PAGE = "/workspace/ws/usage"
ORIGINS = "https://portal.example,https://intranet.example:8443"
EMBEDDING = {"USAGE_EMBED_SECRET": "x" * 32, "USAGE_EMBED_ORIGINS": ORIGINS}


@pytest.fixture
def client(platform: Platform, api_of: Callable[..., Api]) -> FlaskClient:
    platform.account(5)
    return api_of(platform.reader, **EMBEDDING).client


def rules(client: FlaskClient, path: str) -> dict[str, list[str]]:
    policy = client.get(path).headers["Content-Security-Policy"]
    return {name: sources for name, *sources in map(str.split, policy.split(";"))}


@pytest.mark.parametrize("path", ["/", PAGE, f"{PAGE}?embed=1", "/nope", "/api/docs"])
def test_every_page_runs_the_products_own_scripts_only(client: FlaskClient, path: str) -> None:
    found = rules(client, path)
    script, ancestors = found.pop("script-src"), found.pop("frame-ancestors")
    assert found == {
        "default-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
    }
    assert script[0] == "'self'"
    assert all(re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", source) for source in script[1:])
    assert ancestors


def test_a_page_is_framed_by_the_portals_and_only_where_it_says_so(client: FlaskClient) -> None:
    for path in ("/", PAGE, f"{PAGE}?embed=0", f"{PAGE}?embed=1&embed=1", "/?embed=1", "/nope"):
        assert rules(client, path)["frame-ancestors"] == ["'none'"]
        assert client.get(path).headers["X-Frame-Options"] == "DENY"
    embedded = f"{PAGE}?preset=7d&embed=1&theme=dark"
    assert rules(client, embedded)["frame-ancestors"] == ORIGINS.split(",")
    assert "X-Frame-Options" not in client.get(embedded).headers


def test_where_nothing_may_embed_nothing_frames(
    platform: Platform, api_of: Callable[..., Api]
) -> None:
    platform.account(5)
    client = api_of(platform.reader).client
    assert rules(client, f"{PAGE}?embed=1")["frame-ancestors"] == ["'none'"]
    assert client.get(f"{PAGE}?embed=1").headers["X-Frame-Options"] == "DENY"
    assert "usage-embed-origins" not in client.get(PAGE).text


@pytest.mark.parametrize(
    "path",
    ["/", PAGE, "/nope", "/healthz", "/api/billing/workspaces", "/api/nope", "/_dash-dependencies"],
)
def test_types_are_not_guessed_and_addresses_not_passed_on(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Set-Cookie" not in headers


SUITES = "/_dash-component-suites/dash"
NOT_STORED = [
    ("GET", "/", 302),
    ("HEAD", "/", 302),
    ("GET", PAGE, 200),
    ("GET", f"{PAGE}?embed=1", 200),
    ("GET", "/workspace/another/usage", 404),
    ("GET", "/nope", 404),
    ("POST", PAGE, 405),
    ("GET", "/healthz", 200),
    ("GET", "/readyz", 200),
    ("PUT", "/healthz", 405),
    ("GET", "/_dash-layout", 200),
    ("HEAD", "/_dash-layout", 200),
    ("OPTIONS", "/_dash-layout", 200),
    ("POST", "/_dash-layout", 405),
    ("GET", "/_dash-dependencies", 200),
    ("GET", "/_favicon.ico", 200),
    ("GET", "/_reload-hash", 404),
    ("POST", "/_dash-update-component", 400),
    ("GET", f"{SUITES}/nope.js", 404),
    ("OPTIONS", f"{SUITES}/dcc/dash_core_components.js", 200),
    ("GET", "/assets/nope.js", 404),
    ("GET", "/assets/nope.js?m=1763.5", 404),
    ("GET", "/api/billing/workspaces", 200),
    ("GET", "/api/billing/usage?workspaceId=ws", 200),
    ("GET", "/api/billing/usage/export?workspaceId=ws", 200),
    ("GET", "/api/billing/usage?workspaceId=ws&preset=x", 400),
    ("POST", "/api/billing/workspaces", 405),
    ("GET", "/api/nope", 404),
    ("GET", "/api/docs", 200),
    ("GET", "/api/openapi.json", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), NOT_STORED)
def test_what_does_not_say_that_it_may_be_kept_is_not(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    with client.open(path, method=method, buffered=True) as answer:
        assert answer.status_code == status
        assert answer.headers.getlist("Cache-Control") == ["private, no-store"]


def test_the_answer_to_a_callback_is_not_stored(client: FlaskClient) -> None:
    with call_page(client, PAGE) as answer:
        assert answer.status_code == 200
        assert answer.headers.getlist("Cache-Control") == ["private, no-store"]


def test_the_scripts_of_dash_are_kept_as_dash_says(client: FlaskClient) -> None:
    fingerprinted = re.findall(rf'src="({SUITES}[^"]*\.v\d[^"]*)"', client.get(PAGE).text)
    assert len(fingerprinted) > 2
    for path in fingerprinted:
        assert client.get(path).headers["Cache-Control"] == "max-age=31536000"
    plain = f"{SUITES}/dcc/dash_core_components.js"
    tag = client.get(plain).headers["ETag"]
    for status, asked in ((200, {}), (304, {"If-None-Match": tag})):
        answer = client.get(plain, headers=asked)
        assert answer.status_code == status
        assert "Cache-Control" not in answer.headers


def test_the_script_of_the_apis_description_is_asked_for_again(client: FlaskClient) -> None:
    with client.get("/api/viewer/rapidoc-min.js") as script:
        assert script.headers["Cache-Control"] == "no-cache"


def test_an_asset_is_kept_for_as_long_as_its_address_holds(client: FlaskClient) -> None:
    for path, kept in (
        ("/assets/usage.js?m=1763.5", "public, max-age=31536000, immutable"),
        ("/assets/usage.js", "no-cache"),
        ("/assets/nope.js?m=1763.5", "private, no-store"),
    ):
        with client.get(path) as asset:
            assert asset.headers.get("Cache-Control") == kept


def test_the_assets_that_dash_finds_have_such_an_address(client: FlaskClient) -> None:
    page = client.get(PAGE).text
    addresses = re.findall(r'(?:href|src)="([^"]*assets/[^"]+)"', page)
    assert len(addresses) > 2
    assert [address for address in addresses if "?m=" not in address] == ["/assets/theme.js"]


def test_a_refusal_is_guarded_as_an_answer_is(platform: Platform) -> None:
    def nobody() -> Viewer:
        raise UnauthenticatedError("Sign in first.")

    settings = Settings(_env_file=None)
    ledger = Ledger(platform.reader, Billing(settings.zone))
    answer = create_app(settings, ledger, nobody).server.test_client().get(PAGE)
    assert answer.status_code == 401
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("said", ["https", "HTTPS", "http", ""])
@pytest.mark.parametrize("peer", ["10.1.2.3", "10.1.3.3", "127.0.0.1"])
@pytest.mark.parametrize("configured", [False, True])
def test_https_is_asked_for_where_the_configured_proxy_says_it_is_there(
    platform: Platform, api_of: Callable[..., Api], *, configured: bool, peer: str, said: str
) -> None:
    settings = {"USAGE_PROXY_HEADER": "X-Usage-User", "USAGE_PROXY_CIDRS": "10.1.2.0/24"}
    platform.account(5)
    answer = api_of(platform.reader, **(settings if configured else {})).client.get(
        PAGE,
        base_url="https://usage.example",
        headers={"X-Forwarded-Proto": said},
        environ_overrides={"REMOTE_ADDR": peer},
    )
    believed = configured and peer == "10.1.2.3" and said.lower() == "https"
    expected = "max-age=31536000" if believed else None
    assert answer.headers.get("Strict-Transport-Security") == expected


def test_behind_a_prefix_the_page_is_embedded_all_the_same(
    platform: Platform, api_of: Callable[..., Api]
) -> None:
    platform.account(5)
    client = api_of(platform.reader, USAGE_URL_PREFIX="/finance/", **EMBEDDING).client
    for base in ("", "/finance"):
        assert rules(client, f"{base}{PAGE}?embed=1")["frame-ancestors"] == ORIGINS.split(",")
        assert rules(client, f"{base}{PAGE}")["frame-ancestors"] == ["'none'"]

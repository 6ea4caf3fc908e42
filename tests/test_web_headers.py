import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from app import create_app
from data.access import Viewer
from data.errors import UnauthenticatedError
from data.ledger import Ledger
from settings import Settings
from tests.conftest import Api
from tests.platform import Platform

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


def test_what_is_about_somebody_is_not_stored(client: FlaskClient) -> None:
    answers = [client.get(path) for path in ("/", PAGE, "/nope", "/api/billing/workspaces")]
    answers.append(client.post("/_dash-update-component", data=b"{}"))
    for answer in answers:
        assert answer.headers["Cache-Control"] == "private, no-store"
    with client.get("/assets/usage.js") as asset:
        assert "no-store" not in asset.headers.get("Cache-Control", "")


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
    ledger = Ledger(platform.reader, zone=settings.zone, scope="account")
    answer = create_app(settings, ledger, nobody).server.test_client().get(PAGE)
    assert answer.status_code == 401
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_https_is_asked_for_where_it_is_there(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get(PAGE).headers
    secure = client.get(PAGE, base_url="https://usage.example")
    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_behind_a_prefix_the_page_is_embedded_all_the_same(
    platform: Platform, api_of: Callable[..., Api]
) -> None:
    platform.account(5)
    client = api_of(platform.reader, USAGE_URL_PREFIX="/finance/", **EMBEDDING).client
    for base in ("", "/finance"):
        assert rules(client, f"{base}{PAGE}?embed=1")["frame-ancestors"] == ORIGINS.split(",")
        assert rules(client, f"{base}{PAGE}")["frame-ancestors"] == ["'none'"]

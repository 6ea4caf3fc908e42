"""No credential and no secret is told again: in no log, no answer, no page, no description."""

import json
import logging
from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import quote, unquote

import psycopg
import pytest

from data.platform.connection import connect
from tests.support.platform import Platform, Run, utc
from tests.support.signing import (
    NOBODY,
    PLAIN_NAME,
    SECURE_NAME,
    Asker,
    House,
    add_key,
    add_session,
    by_key,
    encrypted,
    own_platform,
    signed,
)

AUTH_KEY = "secret-Aq7vZp1-of-the-platform"
ENCRYPTION_KEY = "5ec2e7" + "ab" * 29
LEGACY = "sim_Legacy4kq9RtYwXcVbNmAsDf"
MODERN = "sk-sim-Modern8hJ2LpQoWiEuRyTz"
WRONG_KEY = "sim_Wrong6mNbVcXzLkJhGfDsA"
SESSION = "token-Hg5TfR4eDw3Sq"
NO_SESSION = "token-Bad0PlOkMiJnUh"
UNKNOWN_EMAIL = "Unknown7YgV@example.com"


def _cookie(value: str, name: str = PLAIN_NAME) -> Asker:
    return Asker({"Cookie": f"{name}={value}"})


SIGNED = signed(SESSION, AUTH_KEY)
ASKERS = {
    "nobody": NOBODY,
    "a good cookie": _cookie(SIGNED),
    "a good cookie over https": _cookie(SIGNED, SECURE_NAME),
    "a signed cookie without a session": _cookie(signed(NO_SESSION, AUTH_KEY)),
    "a cookie signed by another": _cookie(signed(NO_SESSION, "other")),
    "a good plain key": by_key(LEGACY),
    "a good encrypted key": by_key(MODERN),
    "a wrong key": by_key(WRONG_KEY),
    "a wrong key and a good cookie": Asker(
        {"X-API-Key": WRONG_KEY, "Cookie": f"{PLAIN_NAME}={SIGNED}"}
    ),
    "a proxy's unknown user": Asker({"X-Usage-User": UNKNOWN_EMAIL}, "10.1.2.3"),
    "a name from elsewhere": Asker({"X-Usage-User": UNKNOWN_EMAIL}, "203.0.113.9"),
}
SECRETS = {
    AUTH_KEY,
    ENCRYPTION_KEY,
    LEGACY,
    MODERN,
    WRONG_KEY,
    SESSION,
    NO_SESSION,
    SIGNED,
    unquote(SIGNED).rpartition(".")[2],
    quote(unquote(SIGNED).rpartition(".")[2]),
    encrypted(MODERN, ENCRYPTION_KEY),
    sha256(LEGACY.encode()).hexdigest(),
    UNKNOWN_EMAIL,
}


def _told(text: str) -> set[str]:
    lowered = text.lower()
    return {secret for secret in SECRETS if secret.lower() in lowered}


@pytest.fixture
def people(platform: Platform) -> Platform:
    _fill(platform)
    return platform


def _fill(platform: Platform) -> None:
    platform.account(100, "ws", viewer="viewer")
    platform.runs([Run("run", utc("2026-10-05 12:00"))])
    add_session(platform, SESSION, "viewer")
    add_key(platform, LEGACY, "viewer")
    add_key(platform, encrypted(MODERN, ENCRYPTION_KEY), "viewer")


def _house(platform: Platform) -> House:
    return House(
        platform.reader,
        BETTER_AUTH_SECRET=AUTH_KEY,
        API_ENCRYPTION_KEY=ENCRYPTION_KEY,
        USAGE_PROXY_HEADER="X-Usage-User",
        USAGE_PROXY_CIDRS="10.1.0.0/16",
    )


def _everything_said(house: House, asker: Asker) -> str:
    endpoints = (
        *(house.page, house.page_callback, house.export_callback),
        *(house.listed, house.summary, house.export),
    )
    answers = [
        endpoint(asker, name)
        for endpoint in endpoints
        for name in ("ws", "nowhere", "%00", "x" * 300)
    ]
    answers += [
        house.get(path, asker)
        for path in (
            *("/", "/nope", "/healthz", "/readyz", "/_dash-layout", "/_dash-dependencies"),
            *("/api/openapi.json", "/api/docs", "/api/nope", "/api/billing/workspaces"),
        )
    ]
    answers += [
        house.api("usage", asker, limit="no"),
        house.client.post("/api/billing/usage", headers=dict(asker.headers)),
    ]
    return "\n".join(f"{answer.status} {answer.headers} {answer.text}" for answer in answers)


@pytest.mark.parametrize("who", ASKERS)
def test_nothing_that_was_shown_or_set_is_told_again(
    people: Platform, caplog: pytest.LogCaptureFixture, who: str
) -> None:
    caplog.set_level(logging.DEBUG)
    said = _everything_said(_house(people), ASKERS[who])
    assert _told(said) == set()
    assert _told(caplog.text) == set()
    assert _told(json.dumps([str(vars(record)) for record in caplog.records])) == set()
    # It was said, and it was logged: there was something to look through.
    assert "You are not signed in" in said or "execution-run" in said
    refused = "You are not signed in" in said
    assert any(record.name == "web.auth" for record in caplog.records) == refused


def test_what_is_looked_for_would_be_found() -> None:
    for secret in SECRETS:
        assert secret in _told(f"x {secret.upper()} x")


def test_the_settings_do_not_show_their_secrets(people: Platform) -> None:
    settings = _house(people).settings
    assert settings.better_auth_secret == AUTH_KEY
    assert _told(f"{settings!r} {settings}") == set()


@pytest.fixture
def forgetful(cluster: str) -> Iterator[House]:
    """The product with a role that may not read the tables of signing in."""
    with own_platform(cluster) as platform:
        _fill(platform)
        with psycopg.connect(cluster, autocommit=True) as connection:
            connection.execute("CREATE ROLE forgotten_reader LOGIN")
        engine = connect(platform.url.replace("postgres@", "forgotten_reader@", 1))
        try:
            house = House(
                engine,
                BETTER_AUTH_SECRET=AUTH_KEY,
                API_ENCRYPTION_KEY=ENCRYPTION_KEY,
                USAGE_PROXY_HEADER="X-Usage-User",
                USAGE_PROXY_CIDRS="10.1.0.0/16",
            )
            yield house
        finally:
            engine.dispose()
            with psycopg.connect(cluster, autocommit=True) as connection:
                connection.execute("DROP ROLE forgotten_reader")


@pytest.mark.parametrize("who", ["a good cookie", "a good plain key", "a proxy's unknown user"])
def test_a_forgotten_grant_is_logged_by_its_table_and_without_what_was_asked_for(
    forgetful: House, caplog: pytest.LogCaptureFixture, who: str
) -> None:
    answer = forgetful.api("workspaces", ASKERS[who])
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "database_unreadable")
    assert "permission denied for table" in caplog.text
    assert _told(caplog.text + answer.text) == set()


def test_a_line_break_in_an_address_makes_no_line_in_the_log(
    people: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = _house(people).get("/workspace/x%0A2026-11-22 WARNING auth forged/usage", NOBODY)
    assert answer.status_code == 401
    lines = [record.getMessage() for record in caplog.records if record.name == "web.auth"]
    assert len(lines) == 1
    assert "forged" in lines[0]
    assert "\n" not in lines[0]

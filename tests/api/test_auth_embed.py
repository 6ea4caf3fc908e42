import base64
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import app
import demo
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.platform.connection import connect
from data.platform.identity import Identity
from data.rules.errors import UnauthenticatedError
from settings import Settings, SettingsError
from tests.support.calling import call, call_page
from tests.support.platform import FOUNDED, PAYER, Platform, Run
from web.auth import embed, identify_by

SECRET = "portal-secret-of-at-least-32-characters" * 2  # long enough for HS512 too
OTHER = "another-secret-of-at-least-32-characters"
EMBEDDING = {
    "USAGE_EMBED_SECRET": SECRET,
    "USAGE_EMBED_ORIGINS": "https://portal.example,http://localhost:8060",
}
OWN, PARTNER, CLOSED = "ws", "partner", "closed"


@pytest.fixture
def people(platform: Platform) -> Platform:
    """A viewer who may see two workspaces, and one more that he may not."""
    platform.account(5, OWN, PARTNER)
    platform.workspace(CLOSED)
    at = datetime.now(UTC) - timedelta(hours=1)
    platform.runs([Run(f"in-{name}", at, workspace=name) for name in (OWN, PARTNER, CLOSED)])
    return platform


def serve(
    platform: Platform, otherwise: Viewer | None = None, **variables: str
) -> tuple[Flask, FlaskClient]:
    defaults = {field.alias: field.default for field in Settings.model_fields.values()}
    settings = Settings.model_validate(defaults | EMBEDDING | variables)
    identify = identify_by(settings, Identity(platform.reader), otherwise)
    ledger = Ledger(platform.reader, settings.billing)
    server: Flask = app.create_app(settings, ledger, identify).server
    return server, server.test_client()


@pytest.fixture
def client(people: Platform) -> FlaskClient:
    return serve(people)[1]


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    whole = {
        "aud": "usage-ledger",
        "sub": "viewer",
        "workspace": OWN,
        "iat": now,
        "exp": now + 600,
    }
    return {name: value for name, value in (whole | changed).items() if value is not None}


def token(secret: str = SECRET, algorithm: str = "HS256", **changed: Any) -> str:
    return jwt.encode(claims(**changed), secret, algorithm)


def bearer(word: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {word}"}


def listed(client: FlaskClient, workspace_id: str, word: str) -> TestResponse:
    return client.get(
        "/api/billing/usage", query_string={"workspaceId": workspace_id}, headers=bearer(word)
    )


def refusal(client: FlaskClient, word: str) -> str:
    answer = listed(client, OWN, word)
    assert answer.status_code == 401, answer.text
    assert word not in answer.text or not word
    assert "WWW-Authenticate" in answer.headers
    code: str = answer.get_json()["error"]["code"]
    return code


def ask(
    client: FlaskClient, search: str, workspace_id: str = OWN, word: str = "", trigger: str = ""
) -> TestResponse:
    """Call the page's callback as its script does."""
    headers = bearer(word) if word else {}
    path = f"/workspace/{workspace_id}/usage"
    return call_page(client, path, search, None, trigger, headers=headers)


def test_a_token_opens_its_workspace_for_its_user(client: FlaskClient) -> None:
    answer = listed(client, OWN, token())
    assert [row["id"] for row in answer.get_json()["data"]] == ["in-ws"]
    page = ask(client, "?embed=1", word=token()).get_json()["response"]
    assert [row["id"] for row in page["usage-table"]["data"]] == ["in-ws"]


def test_what_mint_makes_is_believed_until_it_ends(client: FlaskClient) -> None:
    now = time.time()
    assert listed(client, OWN, embed.mint(SECRET, "viewer", OWN, 1, now)).status_code == 200
    assert listed(client, OWN, embed.mint(SECRET, "viewer", OWN, 600, now)).status_code == 200
    assert refusal(client, embed.mint(SECRET, "viewer", OWN, 60, now - 61)) == (
        "embed_token_expired"
    )


def test_the_lifetime_is_judged_by_the_second(people: Platform) -> None:
    server, _ = serve(people)
    now = [1_790_000_000.0]
    sign_in = embed.EmbedSignIn(Identity(people.reader), SECRET, lambda: now[0])
    word = embed.mint(SECRET, "viewer", OWN, 600, now[0])

    def through() -> Viewer | None:
        with server.test_request_context(headers=bearer(word)) as context:
            return sign_in(context.request)

    now[0] += 599.9
    assert through() == Viewer("viewer", workspace_id=OWN)
    now[0] += 0.1
    with pytest.raises(UnauthenticatedError) as expired:
        through()
    assert expired.value.code == "embed_token_expired"


def _unsigned(**changed: Any) -> str:
    parts = [{"alg": "none", "typ": "JWT"}, claims(**changed)]
    words = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join(word.rstrip("=") for word in words) + "."


def _other_payload() -> str:
    head, _, signature = token().split(".")
    return ".".join([head, token(OTHER, sub=PAYER).split(".")[1], signature])


NOW = int(time.time())
WRONG: dict[str, Callable[[], str]] = {
    "nothing": str,
    "a word": lambda: "x",
    "not ASCII": lambda: "é.é.é",
    "a bottomless header": lambda: (
        base64.urlsafe_b64encode(b"[" * 30_000).decode().rstrip("=") + ".e30.x"
    ),
    "tampered": _other_payload,
    "truncated": lambda: token()[:-3],
    "without its signature": lambda: token().rpartition(".")[0] + ".",
    "signed by somebody else": lambda: token(OTHER),
    "unsigned": _unsigned,
    "HS512": lambda: token(algorithm="HS512"),
    "HS384": lambda: token(algorithm="HS384"),
    "of the future": lambda: token(iat=NOW + 3600, exp=NOW + 4000),
    "not before an hour from now": lambda: token(nbf=NOW + 3600),
    "for another audience": lambda: token(aud="payroll"),
    "for no audience": lambda: token(aud=None),
    "without a user": lambda: token(sub=None),
    "with an empty user": lambda: token(sub=""),
    "with a user that is a number": lambda: token(sub=7),
    "with a user that no database could hold": lambda: token(sub="vie\0wer"),
    "with an e-mail address for a user": lambda: token(sub="viewer@example.com"),
    "for somebody unknown": lambda: token(sub="nobody"),
    "without a workspace": lambda: token(workspace=None),
    "with an empty workspace": lambda: token(workspace=""),
    "with all workspaces": lambda: token(workspace=["ws", "partner"]),
    "with a workspace that no database could hold": lambda: token(workspace="w\0s"),
    "without iat": lambda: token(iat=None),
    "without exp": lambda: token(exp=None),
    "without an end": lambda: token(exp=float("inf")),
    "with a word for exp": lambda: token(exp="never"),
    "with true for iat": lambda: token(iat=True),
    "of 601 seconds": lambda: token(exp=int(time.time()) + 601),
    "of a year": lambda: token(exp=NOW + 365 * 86_400),
    "that ends before it begins": lambda: token(iat=int(time.time()) + 4, exp=int(time.time()) + 3),
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_token_is_refused_and_never_falls_through(
    people: Platform, make: Callable[[], str]
) -> None:
    # A proxy that would name the viewer, and a demo that would take anybody, stand behind.
    _, client = serve(
        people,
        Viewer("viewer"),
        USAGE_PROXY_HEADER="X-Forwarded-User",
        USAGE_PROXY_CIDRS="127.0.0.1",
    )
    headers = bearer(make()) | {"X-Forwarded-User": "viewer"}
    answer = client.get("/api/billing/workspaces", headers=headers)
    assert answer.status_code == 401, answer.text
    assert answer.get_json()["error"]["code"] == "embed_token_invalid"


@pytest.mark.parametrize("sub", ["viewer", "nobody"])
def test_an_expired_token_is_told_apart_whoever_it_names(client: FlaskClient, sub: str) -> None:
    word = token(sub=sub, iat=NOW - 700, exp=NOW - 100)
    assert refusal(client, word) == "embed_token_expired"
    assert refusal(client, token(OTHER, iat=NOW - 700, exp=NOW - 100)) == "embed_token_invalid"


def test_other_schemes_of_authorization_are_none_of_its_business(people: Platform) -> None:
    _, client = serve(people, Viewer("viewer"))
    answer = client.get("/api/billing/workspaces", headers={"Authorization": "Basic eDp5"})
    assert answer.status_code == 200
    answer = client.get("/api/billing/workspaces", headers={"Authorization": f"bearer {token()}"})
    assert [workspace["id"] for workspace in answer.get_json()["data"]] == [OWN]


def test_a_key_counts_before_a_token(client: FlaskClient) -> None:
    answer = client.get("/api/billing/workspaces", headers=bearer(token()) | {"X-API-Key": "no"})
    assert answer.get_json()["error"]["code"] == "api_key_invalid"


def test_without_its_settings_a_token_means_nothing(people: Platform) -> None:
    _, client = serve(people, USAGE_EMBED_SECRET=None, USAGE_EMBED_ORIGINS=None)  # type: ignore[arg-type]  # unset
    answer = listed(client, OWN, token())
    assert answer.get_json()["error"]["code"] == "authentication_required"


def test_a_token_is_good_for_its_workspace_only(client: FlaskClient) -> None:
    headers = bearer(token())
    answer = client.get("/api/billing/workspaces", headers=headers)
    assert [workspace["id"] for workspace in answer.get_json()["data"]] == [OWN]
    reference = listed(client, "nowhere", token())
    assert reference.status_code == 404
    for workspace_id in (PARTNER, CLOSED):
        answer = listed(client, workspace_id, token())
        assert (answer.status_code, answer.data) == (404, reference.data)
        page = ask(client, "?embed=1", workspace_id, token())
        assert page.status_code == 404
        assert page.get_json()["response"]["usage-table"]["data"] == []


def test_a_token_gives_nobody_what_he_may_not_see(client: FlaskClient) -> None:
    for workspace_id in (CLOSED, "nowhere"):
        assert listed(client, workspace_id, token(workspace=workspace_id)).status_code == 404


def test_a_grant_that_is_revoked_ends_a_token(client: FlaskClient, people: Platform) -> None:
    word = token()
    assert listed(client, OWN, word).status_code == 200
    people.sql("DELETE FROM permissions WHERE entity_id = :id", id=OWN)
    assert listed(client, OWN, word).status_code == 404


def test_a_ban_ends_a_token_and_its_end_brings_it_back(
    client: FlaskClient, people: Platform
) -> None:
    word = token()
    people.sql("UPDATE \"user\" SET banned = true WHERE id = 'viewer'")
    assert refusal(client, word) == "embed_token_invalid"
    people.sql(
        "UPDATE \"user\" SET ban_expires = :over WHERE id = 'viewer'",
        over=FOUNDED.replace(tzinfo=None),
    )
    assert listed(client, OWN, word).status_code == 200


@pytest.mark.parametrize("changed", [{}, {"sub": "nobody"}, {"aud": "payroll"}, {"exp": NOW - 5}])
def test_no_token_is_ever_in_a_log_or_a_page(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, changed: dict[str, Any]
) -> None:
    caplog.set_level(0)
    word = token(iat=NOW - 60, **changed)
    for answer in (
        listed(client, OWN, word),
        listed(client, PARTNER, word),
        ask(client, "?preset=7d&embed=1", word=word),
        client.get("/workspace/ws/usage?embed=1", headers=bearer(word)),
    ):
        assert word not in answer.text
        assert word not in str(answer.headers)
    assert word not in caplog.text


def _lasting(answer: TestResponse) -> str:
    """Return a page but for the number that Dash draws for each of them."""
    return re.sub(r'"end_id":"[^"]+"', "", answer.text)


IDS = [
    "ws",
    "partner",
    "closed",
    "nowhere",
    "%00",
    "x" * 400,
    "%F0%9F%92%B8",
    "a%2Fb",
    "%0A",
    "a//b",
]


@pytest.mark.parametrize("workspace_id", IDS)
def test_the_embedded_shell_is_the_same_for_every_id_and_sets_no_cookie(
    client: FlaskClient, workspace_id: str
) -> None:
    reference = client.get("/workspace/ws/usage?embed=1&theme=dark")
    answer = client.get(f"/workspace/{workspace_id}/usage?embed=1&theme=dark")
    assert (answer.status_code, _lasting(answer)) == (200, _lasting(reference))
    assert b"react-entry-point" in answer.data
    assert (
        b'<meta name="usage-embed-origins" content="https://portal.example,http://localhost:8060">'
        in answer.data
    )
    assert "Set-Cookie" not in answer.headers
    assert client.head(f"/workspace/{workspace_id}/usage?embed=1").status_code == 200


@pytest.mark.parametrize("search", ["", "?embed=0", "?embed=1&embed=1", "?embed", "?theme=dark"])
def test_only_an_embedded_page_is_served_without_asking_who_it_is(
    client: FlaskClient, search: str
) -> None:
    assert client.get(f"/workspace/ws/usage{search}").status_code == 401
    assert client.get("/?embed=1").status_code == 401
    assert client.get("/workspace/ws/elsewhere?embed=1").status_code == 404


def test_without_embedding_the_gate_asks_as_ever(people: Platform) -> None:
    _, client = serve(people, USAGE_EMBED_SECRET=None, USAGE_EMBED_ORIGINS=None)  # type: ignore[arg-type]  # unset
    assert client.get("/workspace/ws/usage?embed=1").status_code == 401


def test_the_callback_decides_where_the_gate_did_not(client: FlaskClient) -> None:
    answer = ask(client, "?embed=1")
    assert answer.status_code == 401
    assert answer.get_json()["response"]["usage-table"]["data"] == []


@pytest.mark.parametrize("frame", ["embed=1", "theme=dark", "embed=1&theme=light"])
def test_where_the_page_is_shown_survives_every_click(client: FlaskClient, frame: str) -> None:
    opened = ask(client, f"?{frame}&preset=7d", word=token()).get_json()["response"]
    assert len(opened["usage-table"]["data"]) == 1
    assert "usage-location" not in opened  # nothing to write: the address says it already
    clicked = ask(client, f"?preset=7d&{frame}", word=token(), trigger="usage-preset-1d.n_clicks")
    assert clicked.get_json()["response"]["usage-location"]["search"] == f"?preset=1d&{frame}"
    links = opened["usage-workspace"]["children"]
    assert [link["props"]["href"] for link in links] == [f"/workspace/ws/usage?preset=7d&{frame}"]


def test_a_step_of_the_picture_leads_to_a_page_in_the_same_frame(client: FlaskClient) -> None:
    search = "?preset=7d&embed=1&theme=dark&split=model&execution=in-ws"
    opened = ask(client, search, word=token()).get_json()["response"]
    values = {
        "usage-subject.data": opened["usage-subject"]["data"],
        "usage-split.data": "model",
        "usage-location.search": search,
    }
    answer = call(client, "usage-summary.children", values, headers=bearer(token()))
    bars = answer.get_json()["response"]["usage-picture"]["data"]["data"][0]
    frames = [link.split("&", 2)[2] for link in bars["customdata"]]
    assert frames == ["embed=1&theme=dark&split=model"] * 8


def test_a_link_out_of_an_empty_window_keeps_the_frame(client: FlaskClient) -> None:
    answer = ask(client, "?from=2021-01-01&to=2021-01-02&embed=1&theme=dark", word=token())
    assert "&embed=1&theme=dark" in json.dumps(answer.get_json()["response"]["usage-empty"])


@pytest.mark.parametrize(
    ("search", "advice"),
    [
        ("embed=2", "Send embed=1, once"),
        ("embed=", "Send embed=1, once"),
        ("embed=1&embed=1", "Send embed=1, once"),
        ("theme=system", "Send theme=light or theme=dark, once"),
        ("embed=1&theme=dark&theme=light", "Send theme=light or theme=dark, once"),
        ("embed=1&token=x", "There is no parameter 'token'"),
    ],
)
def test_another_frame_than_there_is_is_told_and_the_next_click_leaves_it_behind(
    client: FlaskClient, search: str, advice: str
) -> None:
    answer = ask(client, f"?{search}", word=token()).get_json()["response"]
    assert advice in json.dumps(answer["usage-trouble-text"])
    clicked = ask(client, f"?{search}", word=token(), trigger="usage-preset-1d.n_clicks")
    assert "preset=1d" in clicked.get_json()["response"]["usage-location"]["search"]


def test_in_the_demo_a_token_counts_and_without_one_the_demo_viewer_looks(
    demo_database: str,
) -> None:
    reader = connect(demo.reader_url(demo_database))
    try:
        platform = Platform.__new__(Platform)
        platform.reader = reader
        _, client = serve(platform, Viewer(demo.DEMO_VIEWER_ID))
        assert len(client.get("/api/billing/workspaces").get_json()["data"]) == 4
        word = token(sub=demo.DEMO_VIEWER_ID, workspace="ws_finance")
        answer = client.get("/api/billing/workspaces", headers=bearer(word))
        assert [each["id"] for each in answer.get_json()["data"]] == ["ws_finance"]
        assert client.get("/api/billing/workspaces", headers=bearer("x")).status_code == 401
    finally:
        reader.dispose()


def test_the_command_prints_a_token_that_opens_the_page(client: FlaskClient) -> None:
    words = ["embed-token", "--user", "viewer", "--workspace", OWN, "--seconds", "60"]
    printed = CliRunner().invoke(app.main, words, env=EMBEDDING)
    assert printed.exit_code == 0, printed.output
    assert listed(client, OWN, printed.output.strip()).status_code == 200
    longer = CliRunner().invoke(app.main, [*words[:-1], "601"], env=EMBEDDING)
    assert longer.exit_code != 0


def test_the_command_needs_the_secret() -> None:
    words = ["embed-token", "--user", "viewer", "--workspace", OWN]
    refused = CliRunner().invoke(app.main, words, env=dict.fromkeys(EMBEDDING, ""))
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: USAGE_EMBED_SECRET")


def settings_with(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in (EMBEDDING | variables).items():
        monkeypatch.setenv(name, value)
    return Settings.read()


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://portal.example", ["https://portal.example"]),
        ("http://localhost:8060", ["http://localhost:8060"]),
        ("http://[::1]:8060", ["http://[::1]:8060"]),
        (" https://A.example:443 , http://b.example:80", ["https://a.example", "http://b.example"]),
    ],
)
def test_origins_are_read_as_browsers_write_them(
    monkeypatch: pytest.MonkeyPatch, given: str, read: list[str]
) -> None:
    settings = settings_with(monkeypatch, USAGE_EMBED_ORIGINS=given)
    assert settings.portals == read
    assert settings.can_sign_in
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "portal.example",
        "//portal.example",
        "https://*.example",
        "https://portal.example/",
        "https://portal.example/path",
        "https://portal.example?x",
        "https://portal.example#x",
        "https://user@portal.example",
        "https://portal.example:0",
        "https://portal.example:70000",
        "https://portal.example:",
        "ftp://portal.example",
        "https://portal.example; script-src *",
        'https://portal.example"',
        "https://portal.example,",
        "https://a.example https://b.example",
        "https://a.example\nhttps://b.example",
        "https://",
    ],
)
def test_anything_but_an_exact_origin_is_refused(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    with pytest.raises(SettingsError, match=r"^USAGE_EMBED_ORIGINS: must be origins such as"):
        settings_with(monkeypatch, USAGE_EMBED_ORIGINS=origin)


def test_a_short_secret_is_refused_without_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"^USAGE_EMBED_SECRET: ") as refused:
        settings_with(monkeypatch, USAGE_EMBED_SECRET=SECRET[:31])
    assert SECRET[:31] not in str(refused.value)


@pytest.mark.parametrize("missing", EMBEDDING)
def test_the_settings_of_embedding_go_together(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    with pytest.raises(SettingsError, match="go together; set both"):
        settings_with(monkeypatch, **{missing: ""})

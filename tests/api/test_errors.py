"""Every refusal of the API: its status, its shape, whom it blames, what to send instead."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine

import demo
from app import create_app
from data.platform.access import Viewer
from data.platform.connection import connect
from data.rules.errors import UnauthenticatedError
from tests.conftest import Api
from tests.support.platform import WORKSPACE, Platform, Run, utc

ENDPOINTS = (
    "billing/usage",
    "billing/usage/summary",
    "billing/usage/export",
    "billing/usage/export/manifest",
    "billing/workspaces",
    "openapi.json",
    "docs",
)
WINDOWED = ENDPOINTS[:4]
WS = {"workspaceId": WORKSPACE}
DAY = {"from": "2026-10-01", "to": "2026-10-31"}
# Digits to Python, but not to the API.
ARABIC_FIVE = "\u0665"
ARABIC_DAY = "2026-10-01".translate({ord(d): chr(0x660 + int(d)) for d in "0126"})

FORM = "must be YYYY-MM-DD or RFC 3339 with an offset"
NO_DAY = "names a day or a time that does not exist"


def _from(word: str) -> dict[str, str]:
    return WS | {"from": word, "to": "2026-10-31"}


def _to(word: str) -> dict[str, str]:
    return WS | {"from": "2026-10-01", "to": word}


# What is sent, and of the answer: the code, the parameter, a piece of the message.
BAD_WINDOWS: list[tuple[dict[str, Any], str, str, str]] = [
    ({}, "parameter_missing", "workspaceId", "/api/billing/workspaces lists yours"),
    ({"workspaceId": ""}, "parameter_empty", "workspaceId", "give it a value or leave it out"),
    ({"workspaceId": ["a", "b"]}, "parameter_repeated", "workspaceId", "send it once"),
    ({"workspaceId": ["a", "a"]}, "parameter_repeated", "workspaceId", "2 times"),
    (WS | {"frm": "2026-10-01"}, "parameter_unknown", "frm", "Known are: workspaceId, preset"),
    (WS | {"workspaceid": "x"}, "parameter_unknown", "workspaceid", "Known are: workspaceId"),
    (WS | {"": "x"}, "parameter_unknown", "", "Known are: workspaceId"),
    (WS | {"embed": "1"}, "parameter_unknown", "embed", "Known are: workspaceId"),
    (WS | {"preset": ""}, "parameter_empty", "preset", "leave it out"),
    (WS | {"preset": "90d"}, "parameter_invalid", "preset", "1d, 7d, 30d, mtd, last_month"),
    (WS | {"preset": "MTD"}, "parameter_invalid", "preset", "1d, 7d, 30d, mtd, last_month"),
    (WS | {"preset": "30d "}, "parameter_invalid", "preset", "1d, 7d, 30d, mtd, last_month"),
    (WS | {"preset": ["1d", "7d"]}, "parameter_repeated", "preset", "send it once"),
    (WS | DAY | {"preset": "7d"}, "parameters_exclusive", "preset", "not both"),
    (WS | {"preset": "7d", "to": "2026-10-01"}, "parameters_exclusive", "preset", "not both"),
    (WS | {"from": "2026-10-01"}, "parameter_missing", "to", "from needs to; send both"),
    (WS | {"to": "2026-10-01"}, "parameter_missing", "from", "to needs from; send both"),
    (_from("2026-11-01"), "range_reversed", "from", "earlier than to; swap them"),
    (
        WS | {"from": "2026-10-01T00:00:00Z", "to": "2026-10-01T02:00:00+02:00"},
        "range_reversed",
        "from",
        "earlier than to",
    ),
    (_from("yesterday"), "parameter_invalid", "from", FORM),
    (_to("20261001"), "parameter_invalid", "to", FORM),
    (_to("2026-10-1"), "parameter_invalid", "to", FORM),
    (_to("2026-W40-4"), "parameter_invalid", "to", FORM),
    (_to("2026-274"), "parameter_invalid", "to", FORM),
    (_to(" 2026-10-01"), "parameter_invalid", "to", FORM),
    (_to("2026-10-01\n"), "parameter_invalid", "to", FORM),
    (_to(ARABIC_DAY), "parameter_invalid", "to", FORM),
    (_to("2026-10-01T00:00:00"), "parameter_invalid", "to", "with an offset"),
    (_to("2026-10-01T00:00Z"), "parameter_invalid", "to", "2026-10-01T00:00:00Z"),
    (_to("2026-10-01T24:00:00Z"), "parameter_invalid", "to", FORM),
    (_to("2026-10-01 00:00:00Z"), "parameter_invalid", "to", FORM),
    (_to("2026-10-01T00:00:00.1234567Z"), "parameter_invalid", "to", "at most six decimals"),
    (_to("2026-10-01T00:00:00,5Z"), "parameter_invalid", "to", FORM),
    (_to("2026-10-01T00:00:00+0200"), "parameter_invalid", "to", FORM),
    (_to("2026-10-01T00:00:00 02:00"), "parameter_invalid", "to", "write it as %2B"),
    (_from("2026-10-01t00:00:00.5 02:00"), "parameter_invalid", "from", "write it as %2B"),
    (_to("1790812800"), "parameter_invalid", "to", FORM),
    (_to("2026-02-30"), "parameter_invalid", "to", NO_DAY),
    (_to("2026-13-01T00:00:00Z"), "parameter_invalid", "to", NO_DAY),
    (_to("2026-10-01T00:60:00Z"), "parameter_invalid", "to", NO_DAY),
    (_to("2026-10-01T00:00:60Z"), "parameter_invalid", "to", NO_DAY),
    (_from("0000-01-01"), "parameter_invalid", "from", NO_DAY),
    (_from("1969-12-31"), "parameter_invalid", "from", "between 1970-01-01 and 9998-12-31"),
    (_to("9999-01-01"), "parameter_invalid", "to", "between 1970-01-01 and 9998-12-31"),
    (_from("0001-01-01T00:00:00+23:59"), "parameter_invalid", "from", "check month, day"),
]
BAD_PAGES: list[tuple[dict[str, Any], str, str, str]] = [
    *(
        (WS | {"limit": word}, "parameter_invalid", "limit", "a whole number from 1 to 100")
        for word in (
            "0",
            "101",
            "-1",
            "+5",
            "1.0",
            "1e1",
            "ten",
            ARABIC_FIVE,
            " 5",
            "5 ",
            "9" * 5000,
        )
    ),
    (WS | {"limit": ""}, "parameter_empty", "limit", "leave it out"),
    (WS | {"limit": ["5", "5"]}, "parameter_repeated", "limit", "send it once"),
    (WS | {"starting_after": ""}, "parameter_empty", "starting_after", "leave it out"),
    (
        WS | {"starting_after": "a", "ending_before": "b"},
        "parameters_exclusive",
        "ending_before",
        "starting_after or ending_before, not both",
    ),
    (
        WS | {"starting_after": "nobody"},
        "cursor_invalid",
        "starting_after",
        "exactly as a response",
    ),
    (WS | {"ending_before": "a\0b"}, "cursor_invalid", "ending_before", "exactly as a response"),
]


def _cases(cases: list[tuple[dict[str, Any], str, str, str]]) -> list[Any]:
    return [
        pytest.param(*case, id=f"{place}-{case[1]}-{case[2]}") for place, case in enumerate(cases)
    ]


@pytest.mark.parametrize("path", WINDOWED)
@pytest.mark.parametrize(("params", "code", "param", "message"), _cases(BAD_WINDOWS))
def test_a_wrong_window_is_a_400_that_says_what_to_send_instead(
    platform: Platform, *, api: Api, path: str, params: Any, code: str, param: str, message: str
) -> None:
    platform.account()
    error = api.refusal(400, path, params)
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert error["param"] == param
    assert message in error["message"]
    assert error["message"].endswith(".")


@pytest.mark.parametrize(("params", "code", "param", "message"), _cases(BAD_PAGES))
def test_a_wrong_page_is_a_400_that_says_what_to_send_instead(
    platform: Platform, *, api: Api, params: Any, code: str, param: str, message: str
) -> None:
    platform.account()
    error = api.refusal(400, "billing/usage", params)
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert error["param"] == param
    assert message in error["message"]


@pytest.mark.parametrize("name", ["limit", "starting_after", "ending_before"])
@pytest.mark.parametrize("path", WINDOWED[1:])
def test_what_has_no_pages_refuses_the_parameters_of_paging(
    platform: Platform, api: Api, path: str, name: str
) -> None:
    platform.account()
    error = api.refusal(400, path, WS | {name: "5"})
    assert (error["code"], error["param"]) == ("parameter_unknown", name)
    assert "Known are: workspaceId, preset, from, to, workflow" in error["message"]


def test_the_list_of_workspaces_takes_no_parameters(platform: Platform, api: Api) -> None:
    platform.account()
    error = api.refusal(400, "billing/workspaces", WS)
    assert (error["code"], error["param"]) == ("parameter_unknown", "workspaceId")
    assert "leave 'workspaceId' out" in error["message"]


@pytest.mark.parametrize("path", WINDOWED)
def test_invisible_archived_missing_and_malformed_workspaces_are_one_404(
    platform: Platform, api: Api, path: str
) -> None:
    platform.account()
    platform.workspace("invisible")
    platform.workspace("archived", archived_at=utc("2026-10-10 12:00"))
    platform.grant("viewer", "archived")
    words = ["missing", "invisible", "archived", "w\0s", "x" * 300, "ws ", "WS", "\ud800", "ws%00"]
    # What browsers and proxies may still do to a lone surrogate is Python's to encode.
    answers = [
        api.get(path, {"workspaceId": word.encode("utf-8", "surrogatepass")}) for word in words
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    error = api.refusal(404, path, {"workspaceId": "missing"})
    assert (error["type"], error["code"]) == ("invalid_request_error", "resource_missing")
    assert error["param"] == "workspaceId"
    assert "Check its id, or ask its owner" in error["message"]


def test_a_wrong_parameter_of_an_invisible_workspace_tells_nothing_of_it(
    platform: Platform, api: Api
) -> None:
    platform.account()
    platform.workspace("invisible")
    platform.runs([Run("theirs", utc("2026-10-10 12:00"), workspace="invisible")])
    for cursor in ("theirs", "no-such-row"):
        params = {"workspaceId": "invisible", "starting_after": cursor} | DAY
        assert api.refusal(404, "billing/usage", params)["code"] == "resource_missing"
    params = WS | DAY | {"starting_after": "theirs"}
    assert api.refusal(400, "billing/usage", params)["code"] == "cursor_invalid"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nope",
        "billing",
        "billing/",
        "billing/usage/",
        "billing/usage/nope",
        "billing//usage",
        "/billing/usage",
        "Billing/usage",
        "openapi.yaml",
        "docs/",
        "viewer",
        "viewer/",
        "viewer/nope.js",
        "viewer/../../settings.py",
        "viewer/%2e%2e/%2e%2e/settings.py",
        "%00",
        "%ff",
        "a%0d%0ab",
        "_dash-layout",
    ],
)
def test_an_unknown_path_is_a_404_in_the_same_shape_by_any_method(api: Api, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "QUERY"):
        # The whole address, or the client would read //host out of it.
        answer = api.client.open(f"http://localhost/api/{path}", method=method, buffered=True)
        assert answer.status_code == 404
        assert answer.get_json() == {
            "error": {
                "type": "invalid_request_error",
                "code": "endpoint_unknown",
                "message": "There is no such endpoint; /api/openapi.json lists them.",
                "param": None,
            }
        }
        assert answer.headers["Cache-Control"] == "private, no-store"
    assert api.client.head(f"http://localhost/api/{path}").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY", "FOO"])
@pytest.mark.parametrize("path", ENDPOINTS)
def test_every_endpoint_is_for_reading_only(api: Api, path: str, method: str) -> None:
    answer = api.client.open(f"/api/{path}", method=method, json={"workspaceId": WORKSPACE})
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.get_json() == {
        "error": {
            "type": "invalid_request_error",
            "code": "method_not_allowed",
            "message": "Use GET or HEAD here.",
            "param": None,
        }
    }


def test_options_tells_what_may_be_asked(api: Api) -> None:
    for path in ENDPOINTS:
        answer = api.client.options(f"/api/{path}")
        assert (answer.status_code, answer.data) == (200, b"")
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_nothing_below_api_may_be_stored_but_for_the_viewers_own_script(
    platform: Platform, api: Api
) -> None:
    platform.account()
    asked: list[tuple[str, dict[str, Any], int]] = [
        *((path, WS, 200) for path in WINDOWED),
        *((path, {}, 200) for path in ENDPOINTS[len(WINDOWED) :]),
        *((path, WS | {"preset": "x"}, 400) for path in WINDOWED),
        *((path, {"workspaceId": "no"}, 404) for path in WINDOWED),
        ("nope", {}, 404),
        ("viewer/nope", {}, 404),
    ]
    for path, params, status in asked:
        answer = api.get(path, params)
        assert answer.status_code == status
        assert answer.headers["Cache-Control"] == "private, no-store"
    script = api.get("viewer/rapidoc-min.js")
    assert script.status_code == 200
    assert "no-store" not in script.headers["Cache-Control"]


@pytest.fixture
def unreachable(demo_database: str, cluster: str) -> Iterator[Engine]:
    name = conninfo_to_dict(demo_database)["dbname"]
    engine = connect(demo_database)
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        yield engine
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    engine.dispose()


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
def test_without_its_database_the_api_says_when_to_ask_again(
    unreachable: Engine, api_of: Callable[..., Api], protocol: str
) -> None:
    api = api_of(unreachable, demo.DEMO_VIEWER_ID)
    for path in ENDPOINTS[:4]:
        params = {"workspaceId": "ws_support"} if path in WINDOWED else None
        answer = api.get(path, params, environ_overrides={"SERVER_PROTOCOL": protocol})
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert "Content-Disposition" not in answer.headers
        assert answer.get_json() == {
            "error": {
                "type": "api_error",
                "code": "database_unavailable",
                "message": "The database cannot be reached. Try again in a moment.",
                "param": None,
            }
        }
    assert api.get("openapi.json").status_code == 200
    # A question that is wrong in itself is told so all the same.
    assert api.refusal(400, "billing/usage", {})["param"] == "workspaceId"


@pytest.mark.parametrize("path", ENDPOINTS[:4])
def test_who_is_nobody_is_a_401_before_anything_else_is_looked_at(
    platform: Platform, api: Api, path: str
) -> None:
    platform.account()

    def nobody() -> Viewer:
        raise UnauthenticatedError("Sign in.")

    client = create_app(api.settings, api.ledger, nobody).server.test_client()
    for method in ("GET", "HEAD"):
        for query in ("", "?workspaceId=ws", "?workspaceId=missing", "?nonsense=1"):
            answer = client.open(f"/api/{path}{query}", method=method)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"]
            assert answer.headers["Cache-Control"] == "private, no-store"
            assert "Content-Disposition" not in answer.headers
            if method == "GET":
                assert answer.get_json()["error"] == {
                    "type": "authentication_error",
                    "code": "authentication_required",
                    "message": "Sign in.",
                    "param": None,
                }
    assert client.post(f"/api/{path}").status_code == 405


def test_what_nobody_foresaw_is_a_500_in_the_same_shape_that_tells_nothing(
    platform: Platform,
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    platform.account()

    def fail(*_: object) -> None:
        raise ZeroDivisionError("the secret of the house")

    monkeypatch.setattr(api.ledger, "summary", fail)
    answer = api.get("billing/usage/summary", WS)
    assert answer.status_code == 500
    assert answer.get_json() == {
        "error": {
            "type": "api_error",
            "code": "internal_error",
            "message": "Something went wrong here. Try again later.",
            "param": None,
        }
    }
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "the secret of the house" in caplog.text

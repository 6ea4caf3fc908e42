import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, update

import demo
from app import create_app
from data.answers.ledger import Ledger
from data.platform import schema
from data.platform.access import Viewer
from data.rules.billing import Billing
from settings import Settings
from tests.support.calling import call, call_page, client_of
from tests.support.serving import PATIENCE

MISSING = [
    "/workspace/ws_partner/usage",
    "/workspace/ws_pilot/usage",
    "/workspace/nowhere/usage",
    "/workspace/%00/usage",
    "/workspace/" + "x" * 400 + "/usage",
    "/workspace/ws_support%20/usage",
    "/workspace/a%2Fb/usage",
    "/workspace/ws%255Fsupport/usage",
]


@pytest.fixture
def database(demo_database: str) -> str:
    return demo_database


@pytest.fixture
def client(engine: Engine) -> FlaskClient:
    return client_of(engine, demo.DEMO_VIEWER_ID)


@pytest.mark.parametrize("path", MISSING)
def test_what_the_viewer_may_not_see_and_what_is_not_there_are_the_same_404(
    client: FlaskClient, path: str
) -> None:
    answer, reference = client.get(path), client.get(MISSING[2])
    assert answer.status_code == 404
    assert answer.data == reference.data
    assert b"There is no such workspace among yours." in answer.data


def test_an_unknown_path_is_a_404_page_of_our_own(client: FlaskClient) -> None:
    for path in ("/nope", "/workspace", "/workspace/ws_support", "/workspace/ws_support/usage/x"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert b"Check the address" in answer.data


def test_the_home_page_lists_the_viewers_workspaces_by_name(client: FlaskClient) -> None:
    page = client.get("/").get_data(as_text=True)
    names = ["Finance ops, EMEA", "Quiet corner", "Research lab", "Support automation"]
    places = [page.index(name) for name in names]
    assert places == sorted(places)
    assert "Partner" not in page


def test_a_single_workspace_is_where_the_home_page_leads(engine: Engine, owner: Engine) -> None:
    with owner.begin() as connection:
        grants = schema.permissions
        connection.execute(grants.delete().where(grants.c.entity_id != "ws_finance"))
    answer = client_of(engine, demo.DEMO_VIEWER_ID, USAGE_URL_PREFIX="/finance").get("/finance/")
    assert answer.status_code == 302
    assert answer.location == "/finance/workspace/ws_finance/usage"


def test_a_viewer_without_workspaces_is_told_what_to_do(engine: Engine) -> None:
    answer = client_of(engine, "user_nobody").get("/")
    assert answer.status_code == 200
    assert b"Ask the owner of a workspace" in answer.data


def test_the_shell_of_the_page_carries_no_data(client: FlaskClient) -> None:
    for path in ("/workspace/ws_support/usage", "/_dash-layout", "/_dash-dependencies"):
        answer = client.get(path)
        assert answer.status_code == 200
        for word in (b"Support automation", b"Ticket triage", b"user_demo", b"$500"):
            assert word not in answer.data


def test_pages_answer_head_and_refuse_to_be_written_to(client: FlaskClient) -> None:
    assert client.head("/workspace/ws_support/usage").status_code == 200
    answer = client.post("/workspace/ws_support/usage")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def test_a_plain_page_finds_its_sheets(client: FlaskClient) -> None:
    page = client.get("/nope").get_data(as_text=True)
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)">', page)
    assert sheets
    for address in sheets:
        with client.get(address) as sheet:
            assert (sheet.status_code, sheet.mimetype) == (200, "text/css")


@pytest.mark.parametrize("prefix", ["/finance", "/finance/"])
@pytest.mark.parametrize("kept", [True, False])
def test_a_proxy_may_keep_the_prefix_or_strip_it(
    engine: Engine, prefix: str, *, kept: bool
) -> None:
    client = client_of(engine, demo.DEMO_VIEWER_ID, USAGE_URL_PREFIX=prefix)
    path = "/finance" if kept else ""
    page = client.get(f"{path}/workspace/ws_support/usage").get_data(as_text=True)
    assert "/finance/_dash-component-suites/" in page
    assert "/finance/assets/20_base.css" in page
    with client.get(f"{path}/assets/20_base.css") as sheet:
        assert sheet.status_code == 200
    assert client.get(f"{path}/healthz").status_code == 200
    assert '"/finance/workspace/ws_support/usage"' in client.get(f"{path}/").get_data(as_text=True)


@pytest.fixture
def unreachable(demo_database: str, cluster: str, engine: Engine) -> Iterator[Engine]:
    name = conninfo_to_dict(demo_database)["dbname"]
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        yield engine
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_a_database_that_is_away_makes_it_alive_but_not_ready(unreachable: Engine) -> None:
    client = client_of(unreachable, demo.DEMO_VIEWER_ID)
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, ready.headers["Retry-After"]) == (503, "5")
    assert "cannot be reached" in ready.get_data(as_text=True)


def test_whether_it_is_ready_is_asked_by_one_at_a_time(engine: Engine) -> None:
    asked, let_go = Event(), Event()
    at_once: list[int] = []

    def hang() -> None:
        at_once.append(1)
        asked.set()
        assert let_go.wait(PATIENCE)
        assert len(at_once) == 1
        at_once.pop()

    ledger = Ledger(engine, Billing(ZoneInfo("UTC")))
    settings = Settings(_env_file=None)
    server = create_app(settings, ledger, lambda: Viewer("anybody"), checks=[hang]).server

    def ask() -> int:
        status: int = server.test_client().get("/readyz").status_code
        return status

    with ThreadPoolExecutor(10) as clients:
        first = clients.submit(ask)
        assert asked.wait(PATIENCE)
        others = [clients.submit(ask) for _ in range(9)]
        # One finds the queue full, whatever the eight have who wait in it.
        assert next(as_completed(others)).result() == 503
        assert server.test_client().get("/healthz").status_code == 200
        let_go.set()
        assert first.result() == 200
        assert {other.result() for other in others} <= {200, 503}


def test_the_page_opens_without_its_database_to_tell_of_the_trouble(unreachable: Engine) -> None:
    client = client_of(unreachable, demo.DEMO_VIEWER_ID)
    page = client.get("/workspace/ws_support/usage")
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert b"react-entry-point" in page.data
    assert client.get("/").status_code == 503


def called(client: FlaskClient, pathname: str, shown: Any = None, trigger: str = "") -> Any:
    return call_page(client, pathname, "", shown, trigger)


def test_the_callback_shows_the_viewers_own_workspace(client: FlaskClient) -> None:
    answer = called(client, "/workspace/ws_support/usage")
    assert answer.status_code == 200
    assert len(answer.get_json()["response"]["usage-table"]["data"]) == 100


@pytest.mark.parametrize("path", MISSING)
def test_the_callback_refuses_as_the_page_does(client: FlaskClient, path: str) -> None:
    answer = called(client, path)
    response = answer.get_json()["response"]
    assert answer.status_code == 404
    assert response["usage-table"]["data"] == []
    assert "There is no such workspace among yours." in json.dumps(response["usage-trouble-text"])


def test_a_cursor_of_another_workspace_turns_no_page(client: FlaskClient) -> None:
    first = called(client, "/workspace/ws_finance/usage").get_json()["response"]
    shown = first["usage-view"]["data"]
    assert shown["starting_after"]
    answer = called(client, "/workspace/ws_support/usage", shown, "usage-next.n_clicks")
    response = answer.get_json()["response"]
    assert "data" not in response.get("usage-table", {})
    assert "another workspace" in json.dumps(response["usage-trouble-text"])


def test_a_grant_revoked_between_two_clicks_ends_the_walk(
    client: FlaskClient, owner: Engine
) -> None:
    first = called(client, "/workspace/ws_support/usage").get_json()["response"]
    with owner.begin() as connection:
        connection.execute(schema.permissions.delete())
    shown = first["usage-view"]["data"]
    answer = called(client, "/workspace/ws_support/usage", shown, "usage-next.n_clicks")
    assert answer.status_code == 404
    assert answer.get_json()["response"]["usage-table"]["data"] == []


@pytest.mark.parametrize("shown", [None, 7, "x", [], {}, {"params": 3}, {"starting_after": {}}])
def test_whatever_the_browser_sends_back_never_breaks_the_callback(
    client: FlaskClient, shown: Any
) -> None:
    for trigger in ("usage-next.n_clicks", "usage-prev.n_clicks", "usage-range.start_date", ""):
        answer = called(client, "/workspace/ws_support/usage", shown, trigger)
        assert answer.status_code in {200, 204}
    odd = {
        "usage-location.search": shown,
        "usage-location.pathname": "/workspace/ws_support/usage",
        "usage-subject.data": shown,
        "usage-split.data": shown,
        **{f"usage-filter-{name}.value": shown for name in ("workflow", "q", "min-cost-usd")},
        **{f"usage-filter-{name}.options": shown for name in ("workflow", "model")},
    }
    for output in ("usage-table.data", "usage-summary.children"):
        for trigger in ("usage-filter-workflow.value", "usage-clear-filters.n_clicks", ""):
            assert call(client, output, odd, trigger).status_code in {200, 204, 404}


def test_a_late_row_leaves_no_short_page_at_the_start(client: FlaskClient, owner: Engine) -> None:
    first = called(client, "/workspace/ws_support/usage").get_json()["response"]
    second = called(
        client, "/workspace/ws_support/usage", first["usage-view"]["data"], "usage-next.n_clicks"
    ).get_json()["response"]
    newest = first["usage-table"]["data"][0]["id"]
    with owner.begin() as connection:
        execution = schema.execution
        connection.execute(
            update(execution)
            .where(execution.c.id == newest)
            .values(started_at=datetime.now(UTC) - timedelta(days=300))
        )
    back = called(
        client, "/workspace/ws_support/usage", second["usage-view"]["data"], "usage-prev.n_clicks"
    ).get_json()["response"]
    assert len(back["usage-table"]["data"]) == 100
    assert "rows 1–100" in back["usage-caption"]["children"]


def test_this_view_in_the_api_shows_the_very_rows_on_the_screen(client: FlaskClient) -> None:
    pathname = "/workspace/ws_support/usage"
    page = called(client, pathname).get_json()["response"]
    for turn in ("usage-next", "usage-next", "usage-prev", "usage-prev"):
        linked = client.get(page["usage-api-link"]["href"]).get_json()
        shown = [row["id"] for row in page["usage-table"]["data"]]
        assert [row["id"] for row in linked["data"]] == shown
        assert linked["period"]["from"] == page["usage-view"]["data"]["window"]["from"]
        assert linked["period"]["to"] == page["usage-view"]["data"]["window"]["to"]
        page = called(client, pathname, page["usage-view"]["data"], f"{turn}.n_clicks").get_json()[
            "response"
        ]
    assert "starting_after" not in page["usage-api-link"]["href"]


def test_going_back_to_the_first_page_keeps_its_window(client: FlaskClient) -> None:
    pathname = "/workspace/ws_support/usage"
    first = called(client, pathname).get_json()["response"]["usage-view"]["data"]
    second = called(client, pathname, first, "usage-next.n_clicks").get_json()["response"]
    shown = second["usage-view"]["data"]
    back = called(client, pathname, shown, "usage-asked.data").get_json()["response"]
    assert back["usage-view"]["data"]["window"] == first["window"]
    assert "rows 1–100" in back["usage-caption"]["children"]
    again = called(client, pathname, shown, "usage-retry.n_clicks").get_json()["response"]
    assert again["usage-view"]["data"]["window"] != first["window"]


def test_what_is_refused_leaves_no_caption_and_no_figures_behind(
    client: FlaskClient, owner: Engine
) -> None:
    pathname = "/workspace/ws_support/usage"
    shown = called(client, pathname).get_json()["response"]["usage-view"]["data"]
    with owner.begin() as connection:
        connection.execute(schema.permissions.delete())
    refused = called(client, pathname, shown, "usage-preset-7d.n_clicks").get_json()["response"]
    assert refused["usage-caption"]["children"] == refused["usage-as-of"]["children"] == ""
    assert refused["usage-preset-30d"]["aria-pressed"] == "false"
    assert refused["usage-prev"]["disabled"] is refused["usage-next"]["disabled"] is True
    assert refused["usage-retry"]["hidden"] is True


def test_a_date_that_was_typed_in_vain_gives_way_to_the_one_on_the_screen(
    client: FlaskClient,
) -> None:
    pathname = "/workspace/ws_support/usage"
    shown = called(client, pathname).get_json()["response"]["usage-view"]["data"]
    answer = called(client, pathname, shown, "usage-range.start_date").get_json()["response"]
    assert answer == {"usage-range": {"start_date": shown["days"][0], "end_date": shown["days"][1]}}


def test_trying_again_asks_for_what_was_clicked_when_the_database_was_away(
    client: FlaskClient, unreachable: Engine
) -> None:
    del unreachable
    answer = called(client, "/workspace/ws_support/usage", None, "usage-preset-7d.n_clicks")
    assert answer.get_json()["response"]["usage-location"]["search"] == "?preset=7d"

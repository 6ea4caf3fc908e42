"""What goes wrong: nothing to show, wrong addresses, no database, no network, forged requests."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from data.answers.ledger import Ledger
from data.platform.connection import connect
from data.question.cursor import Cursor
from data.rules.position import Position
from tests.support.browsing import Site, Tab, served
from tests.support.serving import PATIENCE

pytestmark = pytest.mark.browser

SUPPORT, FINANCE, PARTNERS = "ws_support", "ws_finance", "ws_partner"
UNREACHABLE = "The database cannot be reached. Try again in a moment."


class Outage:
    """A database that can be made to refuse everybody, and to be there again."""

    def __init__(self, url: str, cluster: str) -> None:
        self._name = urlsplit(url).path.removeprefix("/")
        self._cluster = cluster

    def begin(self) -> None:
        self._allow("false")
        with psycopg.connect(self._cluster, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                [self._name],
            )

    def end(self) -> None:
        self._allow("true")

    def _allow(self, word: str) -> None:
        with psycopg.connect(self._cluster, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS {word}')


@contextmanager
def frail(database: str, cluster: str) -> Iterator[tuple[Site, Outage]]:
    """Serve a database of its own, which a test may stop."""
    engine = connect(database)
    outage = Outage(database, cluster)
    try:
        with served(lambda s: Ledger(engine, s.billing)) as site:
            yield site, outage
    finally:
        outage.end()
        engine.dispose()


def test_a_workspace_without_executions_says_so(tab: Tab) -> None:
    tab.open("ws_empty")
    seen = tab.until(lambda seen: seen.state == "empty")
    assert seen.empty == "No executions yetThe first one will appear here as soon as it starts."
    assert seen.caption.endswith(" Europe/Berlin · no rows")
    assert (seen.prev, seen.next, seen.rows) == (False, False, [])
    assert not tab.page.is_visible("#usage-table")
    assert tab.page.locator("#usage-empty a, #usage-empty button").count() == 0


def test_an_empty_window_names_the_latest_execution_and_shows_its_day(
    tab: Tab, big_database: str
) -> None:
    tab.open(FINANCE, {"from": "2021-03-01", "to": "2021-03-31"})
    seen = tab.until(lambda seen: seen.state == "empty")
    with psycopg.connect(big_database) as connection:
        row = connection.execute(
            "SELECT max(started_at) AT TIME ZONE 'UTC' FROM workflow_execution_logs "
            "WHERE workspace_id = %s",
            [FINANCE],
        ).fetchone()
    assert row
    latest = row[0].astimezone(tab.site.ledger.zone)
    day = f"{latest.day} {latest:%b %Y}"
    assert seen.empty == (
        "No executions in this windowNothing ran in 1 Mar 2021 – 31 Mar 2021 Europe/Berlin."
        f"The latest execution of this workspace started on {day} {latest:%H:%M} Europe/Berlin."
        f"Show {day}"
    )
    tab.page.click(f"text=Show {day}")
    shown = tab.shows(FINANCE, lambda seen: seen.state == "ready")
    assert shown.search == f"?from={latest:%Y-%m-%d}&to={latest:%Y-%m-%d}"
    assert shown.rows[0][0] == f"{day} {latest:%H:%M:%S}"
    assert shown.empty == ""
    assert tab.page.is_visible("#usage-table")


def test_a_page_that_loses_its_database_keeps_its_rows_and_recovers(
    demo_database: str, cluster: str, tab_on: Callable[..., Tab]
) -> None:
    with frail(demo_database, cluster) as (site, outage):
        tab = tab_on(site)
        tab.open(SUPPORT)
        before = tab.shows(SUPPORT)
        as_of = before.hint.removeprefix("As of ")
        outage.begin()
        tab.page.click("#usage-preset-7d")
        during = tab.until(lambda seen: seen.trouble != "")
        assert during.trouble == (
            f"Usage could not be refreshed. {UNREACHABLE} The figures below are those of {as_of}."
        )
        assert (during.rows, during.caption) == (before.rows, before.caption)
        # The figures are those that were there; what was asked for stands in the address.
        assert (during.pressed, during.search) == (before.pressed, "?preset=7d")
        tab.page.click("#usage-export")
        tab.until(lambda seen: seen.trouble.startswith("The file could not be made. "))
        outage.end()
        tab.page.click("#usage-retry")
        after = tab.shows(SUPPORT, lambda seen: seen.trouble == "")
        assert after.pressed == ["usage-preset-7d"]
        tab.page.click("#usage-preset-30d")
        tab.shows(SUPPORT, lambda seen: seen.pressed == ["usage-preset-30d"])


def test_a_page_opened_without_a_database_says_so_and_recovers(
    demo_database: str, cluster: str, tab_on: Callable[..., Tab]
) -> None:
    with frail(demo_database, cluster) as (site, outage):
        tab = tab_on(site)
        outage.begin()
        assert requests.get(f"{site.url}readyz", timeout=PATIENCE).status_code == 503
        assert requests.get(f"{site.url}healthz", timeout=PATIENCE).status_code == 200
        assert requests.get(site.url, timeout=PATIENCE).status_code == 503
        tab.open(SUPPORT, {"preset": "7d"})
        seen = tab.until(lambda seen: seen.trouble != "")
        assert seen.trouble == f"Usage could not be loaded. {UNREACHABLE}"
        assert (seen.rows, seen.caption, seen.prev, seen.next) == ([], "", False, False)
        tab.forgive("status of 503")
        outage.end()
        assert requests.get(f"{site.url}readyz", timeout=PATIENCE).status_code == 200
        tab.page.click("#usage-retry")
        seen = tab.shows(SUPPORT, lambda seen: seen.trouble == "")
        assert seen.pressed == ["usage-preset-7d"]
        assert seen.rows


def test_a_lost_network_is_told_and_the_rows_stay(tab: Tab) -> None:
    tab.open(SUPPORT)
    before = tab.shows(SUPPORT)
    tab.page.context.set_offline(offline=True)
    for clicked in ("#usage-preset-1d", "#usage-next"):
        _click_in_vain(tab, clicked)
        during = tab.until(lambda seen: seen.trouble != "")
        assert during.trouble == (
            "The server cannot be reached. Check your connection and try again. What is below is "
            f"a{before.hint[1:]}."
        )
        assert (during.rows, during.caption) == (before.rows, before.caption)
    tab.page.context.set_offline(offline=False)
    complaints = ("ERR_INTERNET_DISCONNECTED", "Callback failed: the server did not respond.")
    assert [line for line in tab.console if not any(each in line for each in complaints)] == []
    tab.console.clear()
    # What was clicked last is what is tried again.
    tab.page.click("#usage-retry")
    after = tab.until(lambda seen: seen.trouble == "" and "rows 101–200" in seen.caption)
    assert after.rows != before.rows
    assert after.pressed == before.pressed
    # It was asked for; trying again later means what is wrong then.
    tab.page.context.set_offline(offline=True)
    _click_in_vain(tab, "#usage-preset-mtd")
    tab.until(lambda seen: seen.trouble != "")
    tab.page.context.set_offline(offline=False)
    tab.console.clear()
    tab.page.click("#usage-preset-7d")
    tab.shows(SUPPORT, lambda seen: seen.pressed == ["usage-preset-7d"] and seen.trouble == "")
    tab.page.evaluate("document.getElementById('usage-retry').click()")
    tab.until(lambda _: _clicked(tab)[-1] == ["usage-retry.n_clicks"])


def _click_in_vain(tab: Tab, selector: str) -> None:
    with tab.page.expect_event("requestfailed"):
        tab.page.click(selector)


def _clicked(tab: Tab) -> list[list[str]]:
    """Return what each question about the table was asked for."""
    return [json.loads(each)["changedPropIds"] for each in tab.asked if "usage-table.data" in each]


def test_a_page_whose_first_answer_does_not_come_shows_no_figures_and_recovers(tab: Tab) -> None:
    tab.page.route("**/_dash-update-component*", lambda route: route.abort())
    tab.open(SUPPORT, {"preset": "7d"})
    seen = tab.until(lambda seen: seen.trouble != "")
    assert seen.trouble == "The server cannot be reached. Check your connection and try again."
    assert seen.state == "nothing"
    assert not tab.page.locator("#usage-summary").is_visible()
    tab.page.unroute("**/_dash-update-component*")
    complaints = ("ERR_FAILED", "Callback failed: the server did not respond.")
    assert [line for line in tab.console if not any(each in line for each in complaints)] == []
    tab.console.clear()
    tab.page.click("#usage-retry")
    assert tab.shows(SUPPORT, lambda seen: seen.trouble == "").pressed == ["usage-preset-7d"]


WRONG = {
    "preset=9d": "preset must be one of 1d, 7d, 30d, mtd, last_month.",
    "preset=": "preset is empty; give it a value or leave it out.",
    "preset=7d&preset=1d": "preset was given 2 times; send it once.",
    "preset=7d&from=2026-01-01": "Send preset, or from and to, not both.",
    "from=2026-01-01": "from needs to; send both.",
    "from=2026-02-01&to=2026-01-01": "from must be earlier than to; swap them or choose",
    "from=2026-02-30&to=2026-03-01": "from names a day or a time that does not exist;",
    "starting_after=x": "starting_after is neither a cursor nor the id of a row",
    "color=red": "There is no parameter 'color'. Known are: preset, from, to",
}


def test_a_wrong_parameter_is_named_in_one_sentence_and_a_preset_recovers(
    tab: Tab,
) -> None:
    for search, sentence in WRONG.items():
        _see_refused(tab, search, sentence)


def _see_refused(tab: Tab, search: str, sentence: str) -> None:
    tab.page.goto(f"{tab.site.address(FINANCE)}?{search}")
    seen = tab.until(lambda seen: seen.trouble != "")
    assert seen.trouble.startswith(f"Usage could not be loaded. {sentence}")
    assert seen.search == f"?{search}"
    assert seen.rows == []
    assert tab.page.locator("#usage-notice #usage-trouble").is_visible()
    tab.page.click("#usage-preset-30d")
    seen = tab.shows(FINANCE, lambda seen: seen.trouble == "")
    assert seen.search == "?preset=30d"
    assert seen.rows


def replay(
    tab: Tab, change: Callable[[dict[str, Any]], None], request: str = ""
) -> requests.Response:
    """Send a request of the browser to the callbacks again, changed; by default the latest."""
    body = json.loads(request or tab.asked[-1])
    change(body)
    url = f"{tab.site.url}_dash-update-component"
    return requests.post(url, json=body, timeout=PATIENCE)


def to_workspace(workspace_id: str) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        named = 0
        for each in (*body["inputs"], *body.get("state", [])):
            if isinstance(each, dict) and each.get("property") == "pathname":
                each["value"] = f"/workspace/{workspace_id}/usage"
                named += 1
            elif isinstance(each, dict) and each["id"] == "usage-subject" and each.get("value"):
                each["value"]["workspace"] = workspace_id
                named += 1
        assert named

    return change


def test_a_forged_request_for_another_workspace_is_a_404_without_rows(
    tab: Tab, big_database: str
) -> None:
    with psycopg.connect(big_database) as connection:
        foreign = connection.execute(
            "SELECT execution_id FROM workflow_execution_logs WHERE workspace_id = ANY(%s)",
            [[PARTNERS, "ws_pilot"]],
        ).fetchall()
    tab.open(FINANCE, {"preset": "7d"})
    tab.shows(FINANCE)
    honest = replay(tab, lambda _: None)
    assert (honest.status_code, "Expense questions" in honest.text) == (200, True)
    with tab.page.expect_download():
        tab.page.click("#usage-export")
    strangers = (PARTNERS, "ws_pilot", "ws_nowhere", "%00")
    forged = [
        replay(tab, to_workspace(workspace_id), request)
        for workspace_id in strangers
        for request in tab.asked
    ]
    assert len(forged) == 3 * len(strangers)
    for answer in forged:
        assert answer.status_code == 404
        assert "There is no such workspace among yours." in answer.text
        assert "Partner catalogue" not in answer.text
        assert "Pilot" not in answer.text
        assert [row for row in foreign if row[0] in answer.text] == []


def test_a_cursor_of_another_workspace_in_a_forged_state_gives_none_of_its_rows(
    tab: Tab, big_database: str
) -> None:
    with psycopg.connect(big_database) as connection:
        row = connection.execute(
            "SELECT id, started_at AT TIME ZONE 'UTC' FROM workflow_execution_logs "
            "WHERE workspace_id = %s ORDER BY started_at DESC LIMIT 1",
            [PARTNERS],
        ).fetchone()
    assert row
    tab.open(FINANCE, {"preset": "7d"})
    window = tab.shows(FINANCE).window
    tab.page.click("#usage-next")
    tab.until(lambda seen: "rows 101–" in seen.caption)
    cursor = Cursor(PARTNERS, window, Position(row[1], row[0])).encode()

    def forge(word: str) -> Callable[[dict[str, Any]], None]:
        def change(body: dict[str, Any]) -> None:
            shown = next(each for each in body["state"] if each["property"] == "data")["value"]
            shown["starting_after"] = word

        return change

    for word in (cursor, row[0]):
        answer = replay(tab, forge(word))
        text = json.dumps(answer.json())
        assert "Nothing has changed" in text
        assert "starting_after" in text
        assert '"usage-table"' not in text
        assert "Partner catalogue" not in text

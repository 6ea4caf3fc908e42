"""Addresses: history, shared links, the switcher, the list, what is not there, the prefix."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import requests

from data.answers.ledger import Ledger
from data.platform.access import Viewer
from settings import Settings
from tests.support.browsing import BERLIN, DEMO_VIEWER, Site, Tab, cells, served
from tests.support.platform import VIEWER, Platform, Run
from tests.support.serving import PATIENCE

pytestmark = pytest.mark.browser

SUPPORT, FINANCE, RESEARCH = "ws_support", "ws_finance", "ws_research"
NOT_FOUND = "Failed to load resource: the server responded with a status of 404"


def two_weeks() -> dict[str, str]:
    today = datetime.now(UTC).date()
    return {"from": str(today - timedelta(days=15)), "to": str(today - timedelta(days=2))}


def test_back_forward_and_reload_bring_back_window_and_page(tab: Tab) -> None:
    tab.open(FINANCE, two_weeks())
    first = tab.shows(FINANCE)
    tab.page.click("#usage-next")
    second = tab.until(lambda seen: "rows 101–200" in seen.caption and seen.rows != first.rows)
    tab.page.click("#usage-preset-last_month")
    third = tab.shows(FINANCE, lambda seen: seen.pressed == ["usage-preset-last_month"])
    tab.page.click("#usage-next")
    fourth = tab.until(lambda seen: "rows 101–200" in seen.caption and seen.rows != third.rows)
    for step, seen in (
        (tab.page.go_back, third),
        (tab.page.go_back, second),
        (tab.page.go_back, first),
        (tab.page.go_forward, second),
        (tab.page.reload, second),
        (tab.page.go_forward, third),
        (tab.page.go_forward, fourth),
        (tab.page.reload, fourth),
    ):
        step()
        again = tab.until(lambda now, seen=seen: (now.rows, now.days) == (seen.rows, seen.days))  # type: ignore[misc]  # mypy cannot see through the default
        assert (again.search, again.caption) == (seen.search, seen.caption)
        assert (again.pressed, again.days, again.window) == (seen.pressed, seen.days, seen.window)
        assert (again.prev, again.next) == (seen.prev, seen.next)


def test_a_shared_link_shows_the_same_rows_in_a_fresh_session_and_in_a_second_tab(
    tab: Tab, tab_on: Callable[..., Tab]
) -> None:
    tab.open(SUPPORT, {"preset": "7d"})
    first = tab.shows(SUPPORT)
    tab.page.click("#usage-next")
    shared = tab.until(lambda seen: "rows 101–200" in seen.caption and seen.rows != first.rows)
    pages = tab.site.pages(SUPPORT, shared.window)
    assert shared.rows == cells(pages[1], tab.site.ledger.zone)
    second_tab = Tab(tab.site, tab.page.context.new_page())
    for other in (tab_on(tab.site), second_tab):
        other.page.goto(tab.page.url)
        # The link carries the window as it was, not the last seven days of whoever opens it.
        seen = other.until(lambda seen: seen.rows == shared.rows)
        assert (seen.caption, seen.window) == (shared.caption, shared.window)
    second_tab.page.click("#usage-preset-1d")
    second_tab.shows(SUPPORT, lambda seen: seen.pressed == ["usage-preset-1d"])
    assert tab.see() == shared
    assert second_tab.console == []


def test_the_switcher_lists_the_viewers_workspaces_and_keeps_the_window_but_not_the_page(
    tab: Tab,
) -> None:
    days = two_weeks()
    tab.open(FINANCE, days)
    tab.shows(FINANCE)
    tab.page.click("#usage-next")
    tab.until(lambda seen: "rows 101–200" in seen.caption)
    tab.page.click("#usage-workspace button")
    names = tab.page.locator("#usage-workspace .dropdown-item").all_inner_texts()
    assert names == ["Finance ops, EMEA", "Quiet corner", "Research lab", "Support automation"]
    tab.page.click("#usage-workspace .dropdown-item >> text=Research lab")
    seen = tab.shows(RESEARCH, lambda seen: seen.workspace == "Research lab")
    assert (seen.path, seen.search) == (
        f"/workspace/{RESEARCH}/usage",
        f"?from={days['from']}&to={days['to']}",
    )
    assert seen.days == list(days.values())
    assert "rows 1–100" in seen.caption
    assert seen.note.startswith("There is no limit set")
    tab.page.go_back()
    tab.until(lambda seen: seen.workspace == "Finance ops, EMEA" and "rows 101–" in seen.caption)


def test_the_root_lists_the_viewers_workspaces(tab: Tab) -> None:
    tab.page.goto(tab.site.url)
    links = tab.page.locator("main a")
    assert links.all_inner_texts() == [
        "Finance ops, EMEA",
        "Quiet corner",
        "Research lab",
        "Support automation",
    ]
    links.nth(2).click()
    assert tab.shows(RESEARCH).workspace == "Research lab"


def test_the_root_leads_straight_to_a_single_workspace(
    platform: Platform, tab_on: Callable[..., Tab]
) -> None:
    platform.account(10, "only one")
    platform.runs([Run("a", datetime.now(UTC) - timedelta(hours=1), workspace="only one")])
    with served(lambda s: platform.ledger(s.zone), VIEWER) as site:
        tab = tab_on(site)
        tab.page.goto(site.url)
        seen = tab.shows("only one")
        assert seen.path == "/workspace/only%20one/usage"
        assert len(seen.rows) == 1


def test_the_root_tells_who_has_no_workspace_what_to_do(
    site: Site, tab_on: Callable[..., Tab]
) -> None:
    site.viewer = Viewer("user_stranger")
    try:
        tab = tab_on(site)
        tab.page.goto(site.url)
        assert tab.page.inner_text("main") == (
            "You have no workspaces\n\nAsk the owner of a workspace for access to it."
        )
        assert tab.page.locator("main a").count() == 0
    finally:
        site.viewer = DEMO_VIEWER


def test_a_workspace_that_may_not_be_seen_is_archived_missing_or_malformed_is_the_same_404(
    tab: Tab,
) -> None:
    assert requests.get(tab.site.address(SUPPORT), timeout=PATIENCE).status_code == 200
    strange = ("ws_partner", "ws_pilot", "ws_nowhere", "%00", "a%0Ab", "x" * 3000, "%20", "a%27b")
    answers = [requests.get(tab.site.address(each), timeout=PATIENCE) for each in strange]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    for workspace_id in ("ws_partner", "ws_nowhere"):
        tab.open(workspace_id)
        assert tab.page.inner_text("main") == (
            "Page not found\n\nThere is no such workspace among yours. Check its id, or ask its "
            "owner for access.\n\nYour workspaces"
        )
        tab.forgive(NOT_FOUND)


def test_an_unknown_path_is_a_404_and_a_page_takes_no_post(tab: Tab) -> None:
    for path in ("nowhere", "workspace", "workspace/", f"workspace/{SUPPORT}", "usage"):
        answer = requests.get(tab.site.url + path, timeout=PATIENCE)
        assert (path, answer.status_code) == (path, 404)
        assert "Page not found" in answer.text
    refused = requests.post(tab.site.address(SUPPORT), timeout=PATIENCE)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
    tab.page.goto(tab.site.url + "nowhere")
    assert tab.page.inner_text("main h2") == "Page not found"
    tab.forgive(NOT_FOUND)


def test_the_page_its_parts_and_its_links_work_under_a_prefix(
    big_ledger: Callable[[Settings], Ledger], tab_on: Callable[..., Tab]
) -> None:
    with served(big_ledger, variables=BERLIN | {"USAGE_URL_PREFIX": "/finance/"}) as site:
        tab = tab_on(site)
        paths: list[str] = []
        tab.page.on("request", lambda request: paths.append(request.url.removeprefix(site.url)))
        tab.page.goto(site.url)
        assert tab.page.evaluate("getComputedStyle(document.body).fontSize") == "13px"
        tab.page.click("main a >> text=Research lab")
        tab.shows(RESEARCH)
        tab.page.click("#usage-next")
        tab.until(lambda seen: "rows 101–200" in seen.caption)
        tab.page.click("#usage-preset-7d")
        seen = tab.shows(RESEARCH, lambda seen: seen.pressed == ["usage-preset-7d"])
        assert seen.path == f"/finance/workspace/{RESEARCH}/usage"
        tab.page.click("#usage-workspace button")
        tab.page.click("#usage-workspace .dropdown-item >> text=Finance ops")
        seen = tab.shows(FINANCE, lambda seen: seen.workspace.startswith("Finance"))
        assert (seen.path, seen.search) == (f"/finance/workspace/{FINANCE}/usage", "?preset=7d")
        api = tab.page.get_attribute("#usage-api-link", "href") or ""
        assert api.startswith(f"/finance/api/billing/usage?workspaceId={FINANCE}&from=")
        with tab.page.expect_download() as download:
            tab.page.click("#usage-export")
        assert download.value.suggested_filename.startswith(f"usage-{FINANCE}-")
        assert [path for path in paths if path.startswith(("http", "/"))] == []
        # A proxy that strips the prefix arrives at the same pages.
        stripped = site.url.replace("/finance/", f"/workspace/{quote(FINANCE)}/usage")
        assert requests.get(stripped, timeout=PATIENCE).status_code == 200

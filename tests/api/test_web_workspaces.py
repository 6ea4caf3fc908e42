"""Which workspaces can be asked for: all that an address can name."""

import re
from collections.abc import Callable
from html import unescape

import pytest

from tests.conftest import Api
from tests.support.calling import call_page
from tests.support.platform import VIEWER_ID, Platform

# Ids of every kind that PostgreSQL can hold.
NAMEABLE = [
    "a\nb",
    "a\r\n\tb",
    "\x7f\x9f",
    "a\u202eb",
    "\N{NO-BREAK SPACE}",
    "\U0010fffd",
    " a ",
    "a//b",
    "/x",
    "x/",
    "./a",
    "a/../b",
    "...",
    "a/usage",
    "a/usage/",
    "workspace/x/usage",
    "%2F",
    "%",
    "a?b#c&d=e;f+g",
    "a\\b",
    "<b>&amp;",
    "日本" * 100,
    "\U0001f600" * 255,
]
BEYOND = ["", ".", "..", "x" * 256, "x" * 100_000]


@pytest.mark.parametrize("workspace_id", NAMEABLE)
def test_a_workspace_that_an_address_can_name_opens(
    api: Api, platform: Platform, workspace_id: str
) -> None:
    platform.account(1, workspace_id)
    [listed] = api.json("billing/workspaces", {})["data"]
    assert api.client.get("/").location == listed["url"]
    page = api.client.get(listed["url"])
    assert (page.status_code, 'id="react-entry-point"' in page.text) == (200, True)
    path = listed["url"].partition("?")[0]
    answer = call_page(api.client, path)
    assert answer.status_code == 200
    [item] = answer.get_json()["response"]["usage-workspace"]["children"]
    assert item["props"]["href"].partition("?")[0] == listed["url"]
    assert api.page(workspaceId=workspace_id)["data"] == []
    name = api.export(workspaceId=workspace_id).headers["Content-Disposition"]
    assert name.isprintable()


@pytest.mark.parametrize("workspace_id", BEYOND)
def test_a_workspace_that_no_address_can_name_is_listed_without_a_link(
    api: Api, platform: Platform, workspace_id: str
) -> None:
    platform.account(1, workspace_id, "ws")
    platform.sql("UPDATE workspace SET name = 'Beyond' WHERE id <> 'ws'")
    listed = api.json("billing/workspaces", {})["data"]
    assert listed == [
        {"id": workspace_id, "name": "Beyond", "url": None},
        {"id": "ws", "name": "ws", "url": "/workspace/ws/usage"},
    ]
    home = api.client.get("/").text
    assert re.findall(r"<li>([^<]*)</li>", home) == ["Beyond · Its id cannot stand in an address"]
    assert re.findall('<li><a href="([^"]*)">', home) == ["/workspace/ws/usage"]
    answer = call_page(api.client, "/workspace/ws/usage").get_json()["response"]
    beyond, own = answer["usage-workspace"]["children"]
    assert (beyond["type"], "href" in beyond["props"]) == ("Span", False)
    assert beyond["props"]["title"] == "Its id cannot stand in an address"
    assert (own["type"], own["props"]["aria-current"]) == ("A", "page")


def test_a_single_workspace_that_no_address_can_name_leads_nowhere(
    platform: Platform, api_of: Callable[..., Api]
) -> None:
    platform.account(1, "..", viewer=VIEWER_ID)
    home = api_of(platform.reader).client.get("/")
    assert (home.status_code, "<li>.. · Its id" in unescape(home.text)) == (200, True)

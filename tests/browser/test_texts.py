"""Foreign texts of any length and direction, and workspaces of any id, as a browser shows them."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from playwright.sync_api import Page

from data.platform.access import Viewer
from tests.support.browsing import Site, Tab, served
from tests.support.platform import PAYER, Platform, Run, utc

pytestmark = pytest.mark.browser

MAY = {"from": "2026-05-01", "to": "2026-05-31"}
WORD = "M" * 200
HEBREW = "\u05e9\u05dc\u05d5\u05dd"
NAMES = {
    "word": WORD,
    "long": "n" * 1_000_000,
    "turned": "Invoice \u202e2026",
    "hebrew": f"{HEBREW} 12",
}
IDS = [
    "ws",
    "a\nb",
    "c\u202ed",
    "\N{NO-BREAK SPACE}",
    "a//b",
    "/e/",
    "f/usage",
    "%2F?#&;\\",
    "g" * 255,
]
BEYOND = [".", "..", "h" * 256]


@pytest.fixture
def hostile(platform: Platform) -> Iterator[Site]:
    """Serve workspaces of many ids; in one of them everything has a name that is hard to show."""
    platform.account(5, *IDS, *BEYOND)
    for workspace_id in (*IDS, *BEYOND):
        platform.grant(PAYER, workspace_id)
    platform.sql("UPDATE workspace SET name = :name WHERE id = 'ws'", name=WORD)
    for workflow_id, name in NAMES.items():
        platform.workflow(workflow_id, name)
    platform.runs(
        Run(
            workflow_id,
            utc("2026-05-02 08:00") + timedelta(hours=number),
            json.dumps({"total": 2, "models": {name: {"total": 1.25}, f"{name}!": {"total": 0.5}}}),
            workflow=workflow_id,
            execution_id=f"{name[:200]}{number}",
            trigger=name[:200],
            status=name[:200],
        )
        for number, (workflow_id, name) in enumerate(NAMES.items())
    )
    with served(lambda settings: platform.ledger(settings.zone), Viewer(PAYER)) as site:
        yield site


def sticks_out(page: Page) -> list[str]:
    """Return what stands beyond the window and is neither cut off there nor to be scrolled to."""
    found: list[str] = page.evaluate(
        """() => {
          const held = (each) => {
            for (let box = each.parentElement; box; box = box.parentElement) {
              if (getComputedStyle(box).overflowX !== "visible") return true;
            }
            return false;
          };
          return [document.documentElement, ...document.querySelectorAll("body *")]
            .filter((each) => each.getBoundingClientRect().width)
            .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !held(each)
              || each === document.documentElement && each.scrollWidth > innerWidth)
            .map((each) => each.tagName + "." + each.className);
        }"""
    )
    return found


@pytest.mark.parametrize("width", [1280, 420])
def test_a_word_without_blanks_breaks_no_part_of_the_page(
    hostile: Site, tab_on: Callable[..., Tab], width: int
) -> None:
    tab = tab_on(hostile, viewport={"width": width, "height": 1200})
    page = tab.page
    for split in ("workflow", "model"):
        tab.open("ws", MAY | {"split": split, "trigger": WORD})
        page.wait_for_selector("#usage-graph .main-svg")
        assert tab.until(lambda seen: bool(seen.filters)).rows
        assert sticks_out(page) == []
    page.click(".usage-course summary")
    assert sticks_out(page) == []
    page.click("#usage-workspace button")
    page.wait_for_selector("#usage-workspace .dropdown-menu.show")
    assert sticks_out(page) == []
    page.keyboard.press("Escape")
    page.click("#usage-filter-workflow")
    page.wait_for_selector(".dash-dropdown-content")
    clipped = page.eval_on_selector_all(
        ".dash-dropdown-option",
        "all => all.filter(each => each.scrollWidth > each.clientWidth + 1)",
    )
    assert (clipped, sticks_out(page)) == ([], [])
    page.keyboard.press("Escape")
    tab.open("ws", MAY | {"execution": "word"})
    page.wait_for_selector(f".usage-opened.show h2:text-is('{WORD}')")
    page.wait_for_selector(".usage-opened h3")
    panel = page.eval_on_selector(".usage-opened", "panel => panel.scrollWidth - panel.clientWidth")
    assert (panel, sticks_out(page)) == (0, [])
    page.goto(hostile.url)
    page.wait_for_selector("li")
    assert sticks_out(page) == []
    page.close()


def test_a_name_turns_no_amount_around_in_the_picture_or_anywhere(
    hostile: Site, tab_on: Callable[..., Tab]
) -> None:
    tab = tab_on(hostile)
    page = tab.page
    tab.open("ws", MAY | {"split": "workflow"})
    tab.until(lambda seen: len(seen.rows) == len(NAMES))
    page.wait_for_selector("#usage-graph .main-svg")
    page.hover("#usage-graph .nsewdrag", position={"x": 50, "y": 20})
    page.wait_for_selector("#usage-graph .hoverlayer .line", state="attached")
    lines = page.eval_on_selector_all(
        "#usage-graph .hoverlayer .line",
        """lines => lines.map(line => {
          const text = line.textContent, whole = line.closest("text");
          const before = [...whole.querySelectorAll(".line")]
            .slice(0, [...whole.querySelectorAll(".line")].indexOf(line))
            .reduce((sum, each) => sum + each.getNumberOfChars(), 0);
          const dollar = text.lastIndexOf("$");
          const at = [...text].map((_, place) => whole.getStartPositionOfChar(before + place).x);
          return {text, rising: dollar < 0 || at.slice(dollar).every(
            (x, place, all) => !place || x > all[place - 1])};
        })""",
    )
    assert [line["text"] for line in lines if not line["rising"]] == []
    cell = '#usage-table td[data-dash-column="workflow"] div'
    isolates = "cells => new Set(cells.map(cell => getComputedStyle(cell).unicodeBidi)).size"
    assert page.eval_on_selector_all(cell, isolates) == 1
    assert page.eval_on_selector(cell, "cell => getComputedStyle(cell).unicodeBidi") == "plaintext"
    told = " ".join(line["text"] for line in lines)
    assert f"\u2068{NAMES['hebrew']}\u2069 $2.00" in told
    assert "Invoice 2026 $2.00" in told
    assert "\u202e" not in page.content()
    page.close()


def test_a_row_whose_name_is_a_megabyte_opens_with_what_can_be_read_of_it(
    hostile: Site, tab_on: Callable[..., Tab]
) -> None:
    tab = tab_on(hostile)
    tab.open("ws", MAY)
    tab.until(lambda seen: len(seen.rows) == len(NAMES))
    tab.page.click(f'td[data-dash-row="{list(NAMES)[::-1].index("long")}"] a')
    title = tab.page.locator(".usage-opened.show h2", has_text="nnn")
    title.wait_for()
    assert title.inner_text() == f"{'n' * 199}…"
    tab.page.wait_for_selector("#usage-graph .main-svg")
    assert len(tab.page.content()) < 500_000
    tab.page.close()


def test_every_workspace_that_is_linked_opens_and_the_others_say_why(
    hostile: Site, tab_on: Callable[..., Tab]
) -> None:
    tab = tab_on(hostile)
    page = tab.page
    page.goto(hostile.url)
    links = page.eval_on_selector_all("li a", "links => links.map(link => link.href)")
    assert sorted(links) == sorted(
        f"{hostile.url}workspace/{quote(each, safe='')}/usage" for each in IDS
    )
    assert page.locator("li", has_text="Its id cannot stand in an address").count() == len(BEYOND)
    for link in links:
        page.goto(link)
        assert tab.until(lambda seen: bool(seen.caption)).state in {"ready", "empty"}
        shown = page.eval_on_selector_all(
            "#usage-workspace a", "items => items.map(item => item.href.split('?')[0])"
        )
        assert sorted(shown) == sorted(links)
        assert page.locator("#usage-workspace [aria-disabled=true]").count() == len(BEYOND)
    page.close()

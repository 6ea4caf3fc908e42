"""A row opened beside the table: by mouse, by keyboard, by its address."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from data.platform.access import Viewer
from tests.support.browsing import Site, Tab, served
from tests.support.platform import PAYER, WORKSPACE, Platform, Run, utc

pytestmark = pytest.mark.browser

SPRING = {"from": "2026-05-01", "to": "2026-05-31"}
PANEL = ".usage-opened"
LONG = "a-model-with-a-long-name-" * 12
CROSSING = f"""{{"total": 2.505, "tokens": {{"input": 1400, "output": 40}}, "models": {{
    "gpt-4o": {{"total": 2, "toolCost": 0.25, "tokens": {{"input": 1000, "output": 34}}}},
    "{LONG}": {{"total": 0.5, "tokens": {{"prompt": 400, "completion": 6}}}}}}}}"""
ROWS = ["a b/&?é", "crossing", "first"]


@pytest.fixture
def spring(platform: Platform) -> Iterator[Site]:
    """Serve a small account whose limit of $10 is crossed in May, as its payer sees it."""
    platform.account(10, WORKSPACE, "other")
    platform.grant(PAYER, WORKSPACE)
    platform.workflow("w/1", "Lead **enrichment**")
    platform.runs(
        [
            Run("elsewhere", utc("2026-05-02 08:00"), '{"total": 1}', "other"),
            Run("first", utc("2026-05-09 08:00"), '{"total": 8}'),
            Run("crossing", utc("2026-05-10 08:00"), CROSSING, workflow="w/1", execution_id="e&1"),
            Run("a b/&?é", utc("2026-05-11 08:00"), '{"total": "?"}'),
        ]
    )
    platform.sql(
        "UPDATE workflow_execution_logs SET ended_at = started_at + interval '41.8 s', "
        "total_duration_ms = 41800 WHERE id = 'crossing'"
    )
    with served(lambda settings: platform.ledger(settings.zone), Viewer(PAYER)) as site:
        yield site


@pytest.fixture
def spring_tab(spring: Site, tab_on: Callable[..., Tab]) -> Tab:
    return tab_on(spring)


def date(row: str) -> str:
    return f'td[data-dash-row="{ROWS.index(row)}"][data-dash-column="date"] a'


def opened(page: Page, title: str) -> str:
    """Wait until the panel tells of an execution, and return all it tells."""
    page.wait_for_selector(f"{PANEL}.show h2:text-is('{title}')")
    return page.inner_text(PANEL)


def closed(page: Page) -> None:
    page.wait_for_selector(PANEL, state="detached")


def lines(page: Page, heading: str) -> list[tuple[str, str]]:
    """Return the lines of the table below a heading."""
    found: list[Any] = page.eval_on_selector(
        f"{PANEL} h3:text-is('{heading}') ~ table",
        "table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText))",
    )
    return [(name.replace("\n", " | "), value) for name, value in found]


def opened_by(tab: Tab) -> list[str]:
    """Return the questions that were asked about one execution."""
    return [body for body in tab.asked if "usage-opened-body" in body]


def focused(page: Page) -> str:
    found: str = page.evaluate("document.activeElement.closest('td, [role=dialog]')?.className")
    return found


def test_a_click_on_a_date_tells_everything_of_that_execution(spring_tab: Tab) -> None:
    page = spring_tab.page
    spring_tab.open(WORKSPACE, SPRING)
    spring_tab.shows(WORKSPACE)
    asked = len(spring_tab.asked)
    assert opened_by(spring_tab) == []
    page.click(date("crossing"))
    text = opened(page, "Lead **enrichment**")
    assert "10 May 2026 10:00:00 – 10:00:41 Europe/Berlin · took 41.8 s · api · completed" in text
    assert lines(page, "Cost") == [
        ("gpt-4o | 1,034 tokens (1,000 in, 34 out) · of which $0.25 tools", "$2"),
        (f"{LONG[:199]}… | 406 tokens (400 in, 6 out)", "$0.5"),
        ("Base charge and tools", "$0.005"),
        ("Total | 1,440 tokens (1,400 in, 40 out)", "$2.505"),
    ]
    assert "On-Demand: this execution took the account over its limit of $10.00" in text
    assert lines(page, "Why On-Demand") == [
        ("Account running total before", "$9"),
        ("Limit", "$10.00"),
        ("Included part", "$1"),
        ("On-Demand part", "$1.505"),
        ("Running total after", "$11.505"),
    ]
    assert lines(page, "References") == [("Execution", "e&1"), ("Open", "Workflow · Log")]
    assert page.eval_on_selector_all(f"{PANEL} a", "all => all.map(a => a.href)") == [
        "https://app.example/workspace/ws/w/w%2F1",
        "https://app.example/workspace/ws/logs?executionId=e%261",
    ]
    assert page.eval_on_selector(PANEL, "panel => panel.offsetWidth") == 440
    assert spring_tab.see().search == "?from=2026-05-01&to=2026-05-31&execution=crossing"
    page.click("text=Close")
    closed(page)
    assert spring_tab.shows(WORKSPACE).search == "?from=2026-05-01&to=2026-05-31"
    assert len(opened_by(spring_tab)) == 1
    tables = [body for body in spring_tab.asked[asked:] if body not in opened_by(spring_tab)]
    assert len(tables) <= 2  # which find that nothing of theirs has changed


def test_back_closes_it_forward_opens_it_and_a_reload_keeps_it(spring_tab: Tab) -> None:
    page = spring_tab.page
    spring_tab.open(WORKSPACE, SPRING)
    spring_tab.shows(WORKSPACE)
    page.click(date("first"))
    assert "$8" in opened(page, "Deleted workflow")
    page.go_back()
    closed(page)
    assert spring_tab.shows(WORKSPACE).search == "?from=2026-05-01&to=2026-05-31"
    page.go_forward()
    opened(page, "Deleted workflow")
    page.reload()
    assert "$8" in opened(page, "Deleted workflow")
    spring_tab.shows(WORKSPACE)
    assert spring_tab.see().search.endswith("&execution=first")
    assert len(opened_by(spring_tab)) == 3


def test_the_keyboard_opens_it_closes_it_and_comes_back_to_where_it_was(spring_tab: Tab) -> None:
    page = spring_tab.page
    spring_tab.open(WORKSPACE, SPRING)
    spring_tab.shows(WORKSPACE)
    page.focus(date("a b/&?é"))
    page.keyboard.press("Tab")  # past a workflow that is no link
    assert page.evaluate(f"document.activeElement.matches('{date('crossing')}')")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    opened(page, "Lead **enrichment**")
    assert "usage-opened" in focused(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "usage-opened-close"
    page.keyboard.press("Escape")
    closed(page)
    assert page.evaluate(f"document.activeElement.matches('{date('crossing')}')")
    assert spring_tab.shows(WORKSPACE).search == "?from=2026-05-01&to=2026-05-31"


def test_an_address_opens_it_and_tells_where_there_is_none(spring_tab: Tab) -> None:
    page = spring_tab.page
    spring_tab.open(WORKSPACE, {**SPRING, "execution": "a b/&?é"})
    text = opened(page, "Deleted workflow")
    assert "Cost not recorded; counts as 0 in sums" in text
    assert lines(page, "Why On-Demand") == [
        ("Account running total before", "$11.505"),
        ("Limit", "$10.00"),
        ("Running total after", "$11.505"),
    ]
    spring_tab.shows(WORKSPACE)
    page.mouse.click(200, 400)  # beside it
    closed(page)
    spring_tab.open(WORKSPACE, {**SPRING, "execution": "elsewhere"})
    text = opened(page, "Execution")
    assert "There is no such execution in this workspace." in text
    spring_tab.shows(WORKSPACE)
    spring_tab.forgive("404")


def test_the_running_total_is_not_told_to_who_does_not_pay(
    spring: Site, spring_tab: Tab, platform: Platform
) -> None:
    platform.sql("UPDATE workflow SET name = '  '")
    spring.viewer = Viewer("viewer")
    spring_tab.open(WORKSPACE, {**SPRING, "execution": "crossing"})
    text = opened(spring_tab.page, "(no name)")
    assert lines(spring_tab.page, "Why On-Demand") == [
        ("Limit", "$10.00"),
        ("Included part", "$1"),
        ("On-Demand part", "$1.505"),
    ]
    assert "The running total is told to whoever pays" in text
    assert "11.505" not in text


def test_other_clicks_on_a_date_are_the_browsers_own(spring_tab: Tab) -> None:
    page = spring_tab.page
    spring_tab.open(WORKSPACE, SPRING)
    spring_tab.shows(WORKSPACE)
    with page.context.expect_page() as beside:
        page.click(date("first"), modifiers=["ControlOrMeta"])
    opened(beside.value, "Deleted workflow")
    beside.value.close()
    assert page.locator(PANEL).count() == 0
    assert spring_tab.see().search == "?from=2026-05-01&to=2026-05-31"


def test_it_opens_at_once_and_is_filled_when_the_answer_is_here(spring_tab: Tab) -> None:
    page = spring_tab.page
    spring_tab.open(WORKSPACE, SPRING)
    spring_tab.shows(WORKSPACE)
    page.evaluate(
        """() => {
          const ask = window.fetch;
          const released = new Promise((resolve) => { window.release = resolve; });
          window.fetch = (...given) => released.then(() => ask(...given));
        }"""
    )
    page.click(date("crossing"))
    page.wait_for_selector(f"{PANEL}.show #usage-opened-body:empty", state="attached")
    page.evaluate("window.release()")
    opened(page, "Lead **enrichment**")


def test_on_a_small_screen_it_takes_the_whole_width(
    spring: Site, tab_on: Callable[..., Tab]
) -> None:
    tab = tab_on(spring, viewport={"width": 420, "height": 800})
    tab.open(WORKSPACE, {**SPRING, "execution": "crossing"})
    opened(tab.page, "Lead **enrichment**")
    assert tab.page.eval_on_selector(PANEL, "panel => panel.offsetWidth") == 420
    assert tab.page.eval_on_selector(PANEL, "panel => panel.scrollWidth") <= 420
    tab.page.emulate_media(media="print")
    assert not tab.page.locator(PANEL).is_visible()

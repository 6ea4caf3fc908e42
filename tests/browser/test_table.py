"""The table in detail, the header's menus, the keyboard."""

from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from data.answers.ledger import Ledger
from settings import Settings
from tests.support.browsing import Site, Tab, served
from tests.support.platform import VIEWER, Platform, Run, utc

pytestmark = pytest.mark.browser

SUPPORT, FINANCE = "ws_support", "ws_finance"
SPRING = {"from": "2026-04-01", "to": "2026-05-31"}
NAMES = {
    "w/1": "Plain",
    "w2": "Two lines\nin one name",
    "w3": "**bold** [link](javascript:alert(1)) ![x](https://example.invalid/p.png)",
    "w4": "<b>Bold</b><script>alert(1)</script>",
    "w5": "ends in a backslash \\",
    "w6": "https://example.invalid/ & co. ~~struck~~ `code` | # 1. <https://x.example>",
}


def cost(total: str, models: str = "{}") -> str:
    return f'{{"total": {total}, "tokens": {{"total": 1234567}}, "models": {models}}}'


TWO_MODELS = '{"gpt-4o": {"total": 1}, "o4-mini": {"total": 2}}'


@pytest.fixture
def spring(platform: Platform) -> Iterator[Site]:
    """Serve two months of a small account whose limit of $10 is crossed in May."""
    platform.account(10)
    for workflow_id, name in NAMES.items():
        platform.workflow(workflow_id, name)
    platform.runs(
        [
            Run("april", utc("2026-04-30 21:59"), cost("9"), workflow="w/1"),
            Run("may", utc("2026-04-30 22:00"), cost("9"), workflow="w2"),
            Run("crossing", utc("2026-05-10 08:00"), cost("2.5", TWO_MODELS), workflow="w3"),
            Run("after", utc("2026-05-11 08:00"), cost("0.00004"), workflow="w4"),
            Run("free", utc("2026-05-12 08:00"), cost("0"), workflow="w5"),
            Run("unknown", utc("2026-05-13 08:00"), '{"total": "x"}', workflow="w6"),
            Run("running", utc("2026-05-14 08:00"), None, status="running"),
        ]
    )
    with served(lambda settings: platform.ledger(settings.zone), VIEWER) as site:
        yield site


ROWS = ("running", "unknown", "free", "after", "crossing", "may", "april")


def cell(row: str, column: str) -> str:
    return f'td[data-dash-row="{ROWS.index(row)}"][data-dash-column="{column}"]'


def drawn(tab: Tab, selector: str) -> str:
    """Return the text that the sheet draws behind an element, without its quotes."""
    found: str = tab.page.eval_on_selector(
        selector, "element => getComputedStyle(element, '::after').content"
    )
    return found.strip('"')


def tooltip(tab: Tab, selector: str, first_words: str) -> str:
    tab.page.mouse.move(2, 2)
    tab.page.hover(selector)
    found = tab.page.locator(".dash-table-tooltip", has_text=first_words)
    found.wait_for()
    return found.inner_text()


def test_the_crossing_and_the_month_are_drawn_and_every_tooltip_tells_why(
    spring: Site, tab_on: Callable[..., Tab]
) -> None:
    tab = tab_on(spring)
    tab.open("ws", SPRING)
    seen = tab.shows("ws")
    assert [row[1] for row in seen.rows] == ["On-Demand"] * 5 + ["Included"] * 2
    costs = ["—", "—", "Included", "<$0.0001", "$2.5000", "Included", "Included"]
    assert [row[5] for row in seen.rows] == costs
    assert drawn(tab, 'th[data-dash-column="date"] .column-header-name') == " Europe/Berlin"
    assert drawn(tab, 'th[data-dash-column="cost"] .column-header-name') == " USD"
    heads = tab.page.locator("#usage-table th").all_inner_texts()
    assert heads == ["Date", "Type", "Workflow", "Model", "Tokens", "Cost"]
    assert drawn(tab, cell("crossing", "date")) == (
        "Limit $10.00 crossed here: $1.0000 of this cost is Included, $1.5000 On-Demand. Earlier "
        "executions of May are Included."
    )
    assert drawn(tab, cell("may", "date")) == "1 May: the running total starts at $0"
    assert [drawn(tab, cell(row, "date")) for row in ("after", "april")] == ["none", "none"]
    heights = [
        tab.page.eval_on_selector(cell(row, "date"), "cell => cell.parentElement.offsetHeight")
        for row in ("after", "crossing", "may", "april")
    ]
    assert heights == [30, 52, 52, 30]
    instant = "10 May 2026 10:00:00 Europe/Berlin"
    for row, sentence in (
        ("may", f"Included: started before the account crossed its limit of $10.00 on {instant}"),
        ("after", f"On-Demand: started after the account crossed its limit of $10.00 on {instant}"),
        ("crossing", "On-Demand: this execution took the account over its limit of $10.00"),
        ("april", "Included: the account has not crossed its limit of $10.00 in April"),
    ):
        assert tooltip(tab, cell(row, "type"), sentence[:30]) == sentence
    for row, sentence in (
        ("crossing", "Exact cost $2.5; On-Demand part $1.5"),
        ("after", "Exact cost $0.00004; On-Demand part $0.00004"),
        (
            "free",
            "Included: this execution added nothing to the On-Demand amount. Exact cost $0",
        ),
        ("unknown", "Cost not recorded; counts as 0 in sums"),
        ("running", "Still running; cost not known yet"),
    ):
        assert tooltip(tab, cell(row, "cost"), sentence) == sentence
    assert tooltip(tab, cell("crossing", "model"), "gpt-4o") == "o4-mini\ngpt-4o"
    assert tooltip(tab, cell("running", "workflow"), "This workflow") == "This workflow was deleted"
    assert tooltip(tab, cell("may", "workflow"), "Two") == "Two lines in one name"


def test_a_crossing_that_is_not_among_the_rows_is_told_between_them(
    spring: Site, tab_on: Callable[..., Tab]
) -> None:
    tab = tab_on(spring)
    tab.page.goto(f"{spring.address('ws', SPRING)}&workflow=w4&workflow=w2&workflow=w%2F1")
    seen = tab.shows("ws")
    assert [row[1] for row in seen.rows] == ["On-Demand", "Included", "Included"]
    date = 'td[data-dash-row="{}"][data-dash-column="date"]'
    assert drawn(tab, date.format(0)) == (
        "Limit $10.00 crossed on 10 May 2026 10:00:00 Europe/Berlin, between these two executions. "
        "Earlier executions of May are Included."
    )
    assert drawn(tab, date.format(1)) == "1 May: the running total starts at $0"
    heights = [
        tab.page.eval_on_selector(date.format(row), "cell => cell.parentElement.offsetHeight")
        for row in range(3)
    ]
    assert heights == [52, 52, 30]


@pytest.mark.parametrize("width", [1280, 420])
def test_a_long_model_name_hides_neither_itself_nor_how_many_more_there_are(
    platform: Platform, tab_on: Callable[..., Tab], width: int
) -> None:
    platform.account(10)
    name = "openrouter/anthropic/claude-3.5-sonnet-20241022-preview"
    two = f'{{"{name}": {{"total": 2}}, "o4-mini": {{"total": 1}}}}'
    platform.runs([Run("long", utc("2026-05-10 08:00"), cost("3", two))])
    with served(lambda settings: platform.ledger(settings.zone), VIEWER) as site:
        tab = tab_on(site, viewport={"width": width, "height": 900})
        tab.open("ws", SPRING)
        tab.shows("ws")
        shown = tab.page.locator('td[data-dash-column="model"] div')
        assert shown.inner_text() == f"{name} +1"
        assert shown.evaluate("cell => cell.scrollWidth <= cell.parentElement.clientWidth")
        assert shown.evaluate("cell => cell.scrollHeight <= cell.parentElement.clientHeight")


def test_workflow_names_are_links_and_nothing_in_a_name_is_more_than_text(
    spring: Site, tab_on: Callable[..., Tab]
) -> None:
    tab = tab_on(spring)
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.open("ws", SPRING)
    tab.shows("ws")
    links = tab.page.eval_on_selector_all(
        '#usage-table td[data-dash-column="workflow"] a',
        "all => all.map(a => [a.getAttribute('href'), a.textContent])",
    )
    assert links == [
        [
            f"https://app.example/workspace/ws/w/{quote(workflow_id, safe='')}",
            " ".join(name.split()),
        ]
        for workflow_id, name in reversed(NAMES.items())
    ]
    assert tab.page.locator(f"{cell('running', 'workflow')}").inner_text() == "Deleted workflow"
    rich = "img, script, b, strong, em, del, code, a[href^=javascript], td a a"
    assert tab.page.locator(f"#usage-table td :is({rich})").count() == 0
    assert [url for url in asked if not url.startswith(spring.url)] == []


def test_workflow_names_are_plain_text_where_the_host_is_not_known(
    big_ledger: Callable[[Settings], Ledger], tab_on: Callable[..., Tab]
) -> None:
    spending = {"USAGE_SPENDING_URL": "https://app.example/{workspace_id}/spending"}
    with served(big_ledger, variables=spending) as site:
        tab = tab_on(site)
        tab.open(SUPPORT)
        seen = tab.shows(SUPPORT)
        assert " UTC · rows 1–100 of " in seen.caption
        assert drawn(tab, 'th[data-dash-column="date"] .column-header-name') == " UTC"
        links = tab.page.locator("#usage-table td a")
        assert links.count() == tab.page.locator('td[data-dash-column="date"] a').count() == 100
        href = tab.page.get_attribute("text=Spending", "href")
        assert href == "https://app.example/ws_support/spending"


def test_demo_names_show_as_they_are(tab: Tab) -> None:
    tab.open(SUPPORT)
    first = tab.shows(SUPPORT)
    assert tab.page.inner_text(".usage-badge") == "Demo data"
    assert tab.page.get_by_role("link", name="Spending").count() == 0
    names: set[str] = {row[2] for row in first.rows}
    pages = tab.site.pages(SUPPORT, first.window)
    awkward = next(
        n for n, page in enumerate(pages) if NAMES["w3"] in set(page.rows["workflow_name"])
    )
    for turned in range(1, awkward + 1):
        tab.page.click("#usage-next")
        seen = tab.until(lambda seen, n=turned: f"rows {n}01–" in seen.caption)  # type: ignore[misc]  # mypy cannot see through the default
        names |= {row[2] for row in seen.rows}
    tab.until(lambda seen: any(row[2] == NAMES["w3"] for row in seen.rows))
    assert tab.page.locator("#usage-table td :is(img, a[href^=javascript])").count() == 0
    assert "Two lines in one name" in names


def test_a_theme_is_chosen_remembered_and_follows_the_system_without_asking_the_server(
    tab: Tab,
) -> None:
    page = tab.page
    tab.open(FINANCE)
    tab.shows(FINANCE)
    asked: list[str] = []

    def choose(theme: str, shown: str) -> None:
        page.on("request", lambda request: asked.append(request.url))
        page.click("#usage-theme button")
        page.click(f"#usage-theme-{theme}")
        page.wait_for_selector(f"html[data-bs-theme={shown}]")
        page.wait_for_selector(f"text=Theme: {theme.title()}")

    assert page.inner_text("#usage-theme button") == "Theme: System"
    assert page.get_attribute("html", "data-bs-theme") == "light"
    choose("dark", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    assert asked == []
    page.reload()
    tab.shows(FINANCE)
    assert page.get_attribute("html", "data-bs-theme") == "dark"
    assert page.inner_text("#usage-theme button") == "Theme: Dark"
    asked.clear()
    choose("light", "light")
    choose("system", "light")
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("html[data-bs-theme=dark]")
    assert asked == []


def test_the_keyboard_reaches_every_control_in_order_with_a_visible_focus(tab: Tab) -> None:
    page = tab.page
    tab.open(FINANCE, {"preset": "30d"})
    tab.shows(FINANCE)
    reached: list[str] = []
    for _ in range(240):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => {
              const focused = document.activeElement;
              const style = getComputedStyle(focused);
              const owner = focused.closest("[id]:not([id^=react-aria])");
              return [focused.id && !focused.id.startsWith("react-aria") ? focused.id
                : focused.className === "usage-skip" ? "skip" : owner ? owner.id : "",
                style.outlineStyle + " " + style.outlineWidth];
            }"""
        )
        if name != "usage-table":  # the hundred dates and as many workflows
            reached.append(name)
        assert (name, outline) == (name, "solid 2px")
        if name == "usage-api-link":
            break
    wanted = [
        "skip",
        "usage-workspace",
        "usage-theme",
        *[f"usage-preset-{preset}" for preset in ("1d", "7d", "30d", "mtd", "last_month")],
        "usage-range",
        "usage-range-end-date",
        "usage-export",
        "usage-export-menu",
        "usage-summary",  # the unfinished ones
        "usage-split-type",
        "usage-split-workflow",
        "usage-split-model",
        "usage-course",
        *[f"usage-filter-{name}" for name in ("workflow", "model", "trigger", "type", "status")],
        "usage-filter-min-cost-usd",
        "usage-filter-q",
        "usage-next",  # Prev is disabled on the first page
        "usage-api-link",
    ]
    assert reached == wanted
    page.focus("#usage-preset-7d")
    page.keyboard.press("Enter")
    tab.shows(FINANCE, lambda seen: seen.pressed == ["usage-preset-7d"])
    page.focus("#usage-workspace button")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#usage-workspace .dropdown-item:focus")
    page.keyboard.press("Escape")


def test_a_viewer_of_a_workspace_without_limit_reads_that_everything_is_included(tab: Tab) -> None:
    tab.open("ws_research")
    seen = tab.shows("ws_research")
    assert {row[1] for row in seen.rows} == {"Included"}
    assert seen.note == (
        "There is no limit set for whoever pays for this workspace: everything is Included."
    )
    assert tooltip(tab, 'td[data-dash-row="0"][data-dash-column="type"]', "Included:") == (
        "Included: no limit set"
    )

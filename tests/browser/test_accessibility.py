"""What axe finds on the page, in both themes and every state, wide and narrow."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # has none

from tests.support.browsing import Site, Tab

pytestmark = pytest.mark.browser

# Dash's own parts set these wrongly; nothing outside of them is forgiven. An option of its
# Dropdown holds a box to be ticked, which is what the keyboard reaches.
_DASHS_OWN = {
    "[class^=dash-datepicker]": {"aria-allowed-attr", "aria-dialog-name", "label"},
    ".dash-dropdown-options": {"nested-interactive"},
}

OPENED = {
    "loaded": "ws_support/usage",
    "empty": "ws_empty/usage",
    "empty window": "ws_finance/usage?from=2021-01-01&to=2021-01-31",
    "error": "ws_support/usage?preset=9d",
}


def found(tab: Tab) -> list[tuple[str, str]]:
    """Return what axe finds serious or critical: the rule and the element."""
    violations = Axe().run(tab.page).response["violations"]
    return [
        (violation["id"], node["html"][:300])
        for violation in violations
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
        if not _is_dashs_own(tab, violation["id"], node["target"][0])
    ]


def _is_dashs_own(tab: Tab, rule: str, selector: str) -> bool:
    return any(
        rule in rules
        and tab.page.eval_on_selector(
            selector, "(element, part) => element.closest(part) !== null", part
        )
        for part, rules in _DASHS_OWN.items()
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_axe_finds_nothing_serious_in_any_state(
    site: Site, tab_on: Callable[..., Tab], theme: str, width: int
) -> None:
    tab = tab_on(site, color_scheme=theme, viewport={"width": width, "height": 900})
    for state, path in OPENED.items():
        tab.page.goto(f"{site.url}workspace/{path}")
        tab.until(lambda seen: bool(seen.rows or seen.empty or seen.trouble))
        assert tab.page.get_attribute("html", "data-bs-theme") == theme
        assert (state, found(tab)) == (state, [])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_what_opens(
    site: Site, tab_on: Callable[..., Tab], theme: str
) -> None:
    tab = tab_on(site, color_scheme=theme)
    today = datetime.now(UTC).date()
    tab.open("ws_support", {"from": str(today - timedelta(days=150)), "to": str(today)})
    tab.shows("ws_support")
    tab.page.click("#usage-export")
    tab.until(lambda seen: seen.question != "")
    assert found(tab) == []
    tab.page.click("#usage-workspace button")
    tab.page.wait_for_selector("#usage-workspace .dropdown-menu.show")
    assert found(tab) == []
    tab.page.keyboard.press("Escape")
    tab.page.click("#usage-range")
    tab.page.wait_for_selector(".dash-datepicker-content")
    assert found(tab) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_filters_split_menu_and_opened_row(
    site: Site, tab_on: Callable[..., Tab], theme: str
) -> None:
    tab = tab_on(site, color_scheme=theme)
    page = tab.page
    active = {"preset": "7d", "status": "completed", "min_cost_usd": "0.01", "split": "model"}
    tab.open("ws_finance", active)
    tab.shows("ws_finance")
    page.click("text=Show as a table")
    assert found(tab) == []
    page.click("#usage-export-menu summary")
    page.click("#usage-export-menu legend >> nth=0")
    assert found(tab) == []
    page.keyboard.press("Escape")
    page.click("#usage-filter-trigger")
    page.get_by_role("option").first.click()
    assert found(tab) == []
    page.keyboard.press("Escape")
    tab.shows("ws_finance", lambda seen: "trigger" in seen.filters)
    page.click('#usage-table td[data-dash-column="date"] a >> nth=0')
    page.wait_for_selector(".usage-opened.show #usage-opened-body table")
    assert found(tab) == []
    tab.open("ws_finance", {"preset": "7d", "embed": "1", "theme": theme})
    tab.shows("ws_finance")
    assert page.get_attribute("html", "data-embed") is not None
    assert found(tab) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_pages_around_it(
    site: Site, tab_on: Callable[..., Tab], theme: str
) -> None:
    tab = tab_on(site, color_scheme=theme)
    tab.page.goto(site.url)
    assert found(tab) == []
    tab.page.goto(f"{site.url}nowhere")
    tab.forgive("status of 404")
    assert found(tab) == []


def test_at_420_pixels_nothing_scrolls_sideways(site: Site, tab_on: Callable[..., Tab]) -> None:
    tab = tab_on(site, viewport={"width": 420, "height": 900})
    for path in OPENED.values():
        tab.page.goto(f"{site.url}workspace/{path}")
        tab.until(lambda seen: bool(seen.rows or seen.empty or seen.trouble))
        assert tab.js("document.documentElement.scrollWidth") == 420

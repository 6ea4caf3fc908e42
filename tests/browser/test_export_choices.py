"""The menu beside Export CSV: every options by mouse and by keyboard, the file that it leads to."""

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # has none

from data.rules.money import exact
from tests.support.browsing import Seen, Site, Tab

pytestmark = pytest.mark.browser

SUPPORT, FINANCE = "ws_support", "ws_finance"
FORMATS: Final = {
    "Commas": ("comma", "point", ","),
    "Semicolons": ("semicolon", "comma", ";"),
    "Tabs": ("tab", "point", "\t"),
}
MENU: Final = "#usage-export-menu"
CARET: Final = f"{MENU} summary"


def long_ago(days: int) -> dict[str, str]:
    today = datetime.now(UTC).date()
    return {"from": str(today - timedelta(days=days)), "to": str(today - timedelta(days=2))}


def choose(tab: Tab, *names: str) -> None:
    tab.page.click(CARET)
    for name in names:
        role: Any = "checkbox" if "manifest" in name else "radio"
        tab.page.get_by_role(role, name=name).check()
    tab.page.click(CARET)
    assert not is_open(tab)


def is_open(tab: Tab) -> bool:
    opened: bool = tab.page.eval_on_selector(MENU, "menu => menu.open")
    return opened


def saved(tab: Tab, button: str = "#usage-export") -> tuple[str, bytes]:
    """Click ``button`` and return the name and the bytes of what the browser saved."""
    with tab.page.expect_download() as event:
        tab.page.click(button)
    return event.value.suggested_filename, Path(event.value.path()).read_bytes()


def by_api(tab: Tab, workspace_id: str, seen: Seen, **options: str) -> bytes:
    """Return the file of the window on the screen as the API gives it."""
    params = {"workspaceId": workspace_id, "from": seen.start, "to": seen.end, **options}
    url = f"{tab.site.url}api/billing/usage/export?{urlencode(params)}"
    return tab.page.context.request.get(url).body()


def unpacked(content: bytes) -> tuple[str, bytes, dict[str, Any]]:
    """Return the file of an archive by name and content, and its manifest."""
    with zipfile.ZipFile(io.BytesIO(content)) as together:
        name, manifest = together.namelist()
        assert manifest == name.replace(".csv", ".manifest.json")
        return name, together.read(name), json.loads(together.read(manifest))


def test_every_choice_of_columns_and_format_is_the_file_that_the_api_gives(tab: Tab) -> None:
    tab.open(SUPPORT, {"preset": "7d"})
    seen = tab.shows(SUPPORT)
    assert saved(tab)[1] == by_api(tab, SUPPORT, seen)
    for columns in ("Extended", "Standard"):
        for form, (separator, decimal, delimiter) in FORMATS.items():
            choose(tab, columns, form)
            name, content = saved(tab)
            assert re.fullmatch(r"usage-ws_support-[0-9-]{10}\.csv", name)
            options = {"columns": columns.lower(), "separator": separator, "decimal": decimal}
            assert content == by_api(tab, SUPPORT, seen, **options)
            text = content.decode("utf-8-sig")
            rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
            mark = "," if decimal == "comma" else "."
            assert all(set(row["Cost (USD)"]) <= {*"0123456789", mark} for row in rows)
            assert len(rows[0]) == (15 if columns == "Extended" else 7)
            if columns == "Extended":
                types = [row["Type"] for row in rows[: len(seen.rows)]]
                assert types == [shown[1] for shown in seen.rows]


def test_the_manifest_proves_the_file_that_comes_with_it(tab: Tab) -> None:
    tab.open(FINANCE, long_ago(15))
    seen = tab.shows(FINANCE)
    choose(tab, "Extended", "Semicolons", "With a manifest")
    name, archive = saved(tab)
    file, content, told = unpacked(archive)
    assert name == file.replace(".csv", ".zip")
    assert content == by_api(
        tab, FINANCE, seen, columns="extended", separator="semicolon", decimal="comma"
    )
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert (told["columns"], told["separator"], told["decimal"]) == (
        "extended",
        "semicolon",
        "comma",
    )
    assert (told["file_name"], told["bytes"]) == (file, len(content))
    text = content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))
    assert (told["rows"], told["executions"], told["truncated"]) == (len(rows), len(rows), False)
    for total, column in (("cost_usd", "Cost (USD)"), ("on_demand_usd", "On-Demand (USD)")):
        amounts = [Decimal(row[column].replace(",", ".")) for row in rows if row[column]]
        with exact():
            assert Decimal(told["sums"][total]) == sum(amounts)
    assert [told[place]["id"] for place in ("first", "last")] == [
        rows[place]["Row ID"] for place in (0, -1)
    ]


def test_the_choices_hold_for_what_is_asked_about_first(tab: Tab) -> None:
    tab.open(SUPPORT, long_ago(150))
    seen = tab.shows(SUPPORT)
    choose(tab, "Tabs", "With a manifest")
    tab.page.click("#usage-export")
    tab.until(lambda seen: seen.question != "")
    _, archive = saved(tab, "#usage-confirm")
    _, content, told = unpacked(archive)
    assert content == by_api(tab, SUPPORT, seen, separator="tab")
    assert (told["rows"], told["truncated"]) == (10_000, True)
    assert seen.hint.startswith(f"{told['executions']:,} rows · a file holds 10,000 · ")


def test_the_menu_names_the_file_and_downloads_it(tab: Tab) -> None:
    tab.open(SUPPORT, {"preset": "7d"})
    seen = tab.shows(SUPPORT)
    tab.page.click(CARET)
    tab.page.get_by_role("radio", name="Semicolons").check()
    named = tab.page.inner_text("#usage-export-name")
    name, content = saved(tab, "#usage-export-chosen")
    assert name == named
    assert content == by_api(tab, SUPPORT, seen, separator="semicolon", decimal="comma")
    assert not is_open(tab)


def test_the_keyboard_does_all_of_it_and_escape_closes(tab: Tab) -> None:
    page = tab.page
    tab.open(FINANCE, {"preset": "1d"})
    seen = tab.shows(FINANCE)
    page.focus("#usage-export")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.ariaLabel") == "Export choices"
    page.keyboard.press("Enter")
    assert is_open(tab)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    assert not is_open(tab)
    assert page.evaluate("document.activeElement.ariaLabel") == "Export choices"
    page.keyboard.press("Shift+Tab")
    with page.expect_download() as event:
        page.keyboard.press("Enter")
    _, content, _ = unpacked(Path(event.value.path()).read_bytes())
    assert content == by_api(tab, FINANCE, seen, columns="extended", separator="tab")


def test_a_press_elsewhere_and_leaving_by_tab_close_the_menu(tab: Tab) -> None:
    tab.open(FINANCE, {"preset": "1d"})
    tab.shows(FINANCE)
    leaving: list[Callable[[], None]] = [
        lambda: tab.page.click("#usage-caption"),
        lambda: tab.page.focus("#usage-preset-7d"),
        lambda: tab.page.keyboard.press("Escape"),
        lambda: tab.page.click(CARET),
    ]
    for leave in leaving:
        tab.page.click(CARET)
        tab.page.click(f"{MENU} legend")
        assert is_open(tab)
        leave()
        assert not is_open(tab)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_the_menu_fits_and_axe_finds_nothing_in_it(
    site: Site, tab_on: Callable[..., Tab], theme: str, width: int
) -> None:
    tab = tab_on(site, color_scheme=theme, viewport={"width": width, "height": 900})
    tab.open(FINANCE, {"preset": "1d"})
    tab.shows(FINANCE)
    tab.page.click(CARET)
    tab.page.get_by_role("radio", name="Extended").check()
    box = tab.page.locator(".usage-menu").bounding_box()
    assert box
    assert box["width"] == 372
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert tab.js("document.documentElement.scrollWidth") == width
    found = Axe().run(tab.page, context=".usage-export").response["violations"]
    assert [violation["id"] for violation in found] == []

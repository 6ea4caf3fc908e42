"""The filters: each alone and together, by mouse and by keyboard, in the URL, pages and files."""

import csv
import io
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from data.answers.ledger import Ledger
from data.answers.page import Page
from data.platform.access import Viewer, Workspace
from data.question.filters import Filters
from data.question.query import UsageQuery
from settings import Settings
from tests.support.browsing import Seen, Tab, cells, served
from tests.support.filtering import passes
from tests.support.platform import rows_of
from tests.support.serving import PATIENCE

pytestmark = pytest.mark.browser

FINANCE: Final = "ws_finance"
BAR: Final = ".usage-filters"
POPUP: Final = ".dash-dropdown-content"
CLEAR: Final = "#usage-clear-filters"
MIN_COST, TEXT = "#usage-filter-min-cost-usd", "#usage-filter-q"


def chip(name: str) -> str:
    return f"#usage-filter-{name}"


def choose(tab: Tab, name: str, *labels: str) -> None:
    """Open a filter with the mouse, and click what is to be chosen."""
    tab.page.click(chip(name))
    for label in labels:
        tab.page.get_by_role("option", name=label, exact=True).click()
    tab.page.keyboard.press("Escape")
    tab.page.wait_for_selector(POPUP, state="detached")


def focused(tab: Tab) -> str:
    return str(tab.js("document.activeElement.id"))


def shown(tab: Tab, name: str) -> str:
    """Return what a filter says of itself, with what the sheet puts before it."""
    said: str = tab.js(
        f"""(() => {{
          const value = document.querySelector("{chip(name)} .dash-dropdown-value");
          const before = getComputedStyle(value, "::before").content;
          return (before === "none" ? "" : JSON.parse(before)) + value.textContent;
        }})()"""
    )
    return said


class Weeks:
    """Every execution of two weeks, and a tab that shows those that pass its filters."""

    def __init__(self, tab: Tab) -> None:
        today = datetime.now(UTC).astimezone(tab.site.ledger.zone).date()
        self.tab = tab
        self.days = {"from": str(today - timedelta(15)), "to": str(today - timedelta(2))}
        self.search = f"?from={self.days['from']}&to={self.days['to']}"
        self.rows: list[tuple[dict[str, Any], list[str]]] = []

    def open(self) -> Seen:
        self.tab.open(FINANCE, self.days)
        seen = self.tab.shows(FINANCE)
        for page in self.tab.site.pages(FINANCE, seen.window):
            self.rows += zip(rows_of(page), cells(page, self.tab.site.ledger.zone), strict=True)
        assert len(self.rows) > 200
        return seen

    def passing(self, filters: Mapping[str, list[str]]) -> list[list[str]]:
        """Choose rows by the words of the contract, on its own."""
        parsed = Filters.parse(filters)
        return [shown for row, shown in self.rows if passes(row, parsed)]

    def show(self, filters: Mapping[str, list[str]], *, empty: bool = False) -> Seen:
        """Wait until table, caption, figures and address are those of the filters."""
        rows = self.passing(filters)
        assert bool(rows) is not empty
        wanted = (filters, rows[:100], f"{len(rows):,}")
        seen = self.tab.until(lambda seen: (seen.filters, seen.rows, seen.sums[6]) == wanted)
        end = f" · rows 1–{min(100, len(rows))} of {len(rows):,}" if rows else " · no rows"
        assert seen.caption.endswith(end)
        assert seen.search.startswith(self.search)
        assert self.tab.page.is_visible(CLEAR) is bool(filters)
        assert seen.trouble == ""
        return seen


@pytest.fixture
def weeks(tab: Tab) -> Weeks:
    return Weeks(tab)


CHOICES: Final = {
    "workflow": ("Deleted workflow", "deleted"),
    "model": ("gpt-4o", "gpt-4o"),
    "trigger": ("api", "api"),
    "type": ("On-Demand", "on_demand"),
    "status": ("failed", "failed"),
}


def test_each_filter_alone_is_chosen_by_mouse_shown_and_taken_away(weeks: Weeks) -> None:
    tab, page = weeks.tab, weeks.tab.page
    weeks.open()
    for name, (label, value) in CHOICES.items():
        assert shown(tab, name) == f"+ {name.title()}"
        choose(tab, name, label)
        seen = weeks.show({name: [value]})
        assert shown(tab, name) == f"{name.title()}: {label}"
        assert seen.search == f"{weeks.search}&{name}={value}"
        page.click(f"{chip(name)} .dash-dropdown-clear")
        assert weeks.show({}).search == weeks.search
    for box, name, typed, value in (
        (TEXT, "q", "INVOICE", "INVOICE"),
        (MIN_COST, "min_cost_usd", "$ 0.10", "0.10"),
    ):
        page.fill(box, typed)
        page.press(box, "Enter")
        weeks.show({name: [value]})
        assert page.input_value(box) == value
        page.fill(box, "")
        page.press(box, "Enter")
        weeks.show({})


def test_the_keyboard_chooses_two_together_and_takes_them_away(weeks: Weeks) -> None:
    tab, keyboard = weeks.tab, weeks.tab.page.keyboard
    weeks.open()
    tab.page.focus(chip("workflow"))
    for _ in range(2):
        keyboard.press("Tab")
    assert focused(tab) == "usage-filter-trigger"
    assert tab.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    keyboard.press("Enter")
    tab.page.wait_for_selector(f"{POPUP} input:focus")
    keyboard.type("web")
    option = "[role=option]"
    tab.page.wait_for_selector(f"{POPUP}:not(:has({option} ~ {option})) {option}")
    keyboard.press("ArrowDown")
    tab.page.wait_for_selector(f"{POPUP} [value=webhook]:focus")
    keyboard.press("Space")
    tab.page.wait_for_selector(f"{POPUP} [value=webhook]:checked")
    keyboard.press("Escape")
    weeks.show({"trigger": ["webhook"]})
    assert focused(tab) == "usage-filter-trigger"
    keyboard.press("Tab")
    keyboard.press("Enter")
    tab.page.wait_for_selector(f"{POPUP} [value=included]:focus")
    keyboard.press("Space")
    tab.page.wait_for_selector(f"{POPUP} [value=included]:checked")
    keyboard.press("Escape")
    seen = weeks.show({"trigger": ["webhook"], "type": ["included"]})
    assert [shown(tab, name) for name in ("trigger", "type")] == [
        "Trigger: webhook",
        "Type: Included",
    ]
    assert {row[1] for row in seen.rows} == {"Included"}
    assert focused(tab) == "usage-filter-type"
    keyboard.press("Backspace")
    weeks.show({"trigger": ["webhook"]})
    tab.asked.clear()
    for _ in range(3):
        keyboard.press("Tab")
    assert focused(tab) == "usage-clear-filters"
    keyboard.press("Enter")
    weeks.show({})
    # Who only comes by a control has asked for nothing.
    assert ["usage-table.data" in body for body in tab.asked] == [True, False]


def test_any_of_several_values_will_do_and_deselecting_all_takes_them_away(weeks: Weeks) -> None:
    tab, page = weeks.tab, weeks.tab.page
    weeks.open()
    choose(tab, "trigger", "chat", "api")
    seen = weeks.show({"trigger": ["api", "chat"]})
    assert shown(tab, "trigger") == "Trigger: apichat"  # the sheet puts a comma between
    choose(tab, "model", "gpt-4o")
    weeks.show({"trigger": ["api", "chat"], "model": ["gpt-4o"]})
    page.click(CLEAR)
    weeks.show({})
    assert shown(tab, "trigger") == "+ Trigger"
    page.go_back()
    page.go_back()
    assert weeks.show({"trigger": ["api", "chat"]}).rows == seen.rows
    page.click(chip("trigger"))
    page.click("text=Deselect All")
    page.keyboard.press("Escape")
    weeks.show({})


def test_back_forward_reload_and_a_shared_link_bring_filters_back(
    weeks: Weeks, tab_on: Callable[..., Tab]
) -> None:
    tab, page = weeks.tab, weeks.tab.page
    weeks.open()
    choose(tab, "trigger", "schedule")
    weeks.show(first := {"trigger": ["schedule"]})
    page.fill(TEXT, "check")
    page.press(TEXT, "Enter")
    weeks.show(second := first | {"q": ["check"]})
    choose(tab, "status", "completed")
    weeks.show(third := second | {"status": ["completed"]})
    steps: list[tuple[Callable[[], Any], dict[str, list[str]]]] = [
        (page.go_back, second),
        (page.go_back, first),
        (page.go_back, {}),
        (page.go_forward, first),
        (page.go_forward, second),
        (page.go_forward, third),
        (page.reload, third),
    ]
    for step, filters in steps:
        step()
        weeks.show(filters)
        for name in ("trigger", "status"):
            [value] = filters.get(name, [""])
            title = name.title()
            assert shown(tab, name) == (f"{title}: {value}" if value else f"+ {title}")
        assert page.input_value(TEXT) == "".join(filters.get("q", []))
    other = tab_on(tab.site)
    other.page.goto(page.url)
    shared = other.shows(FINANCE, lambda seen: seen.filters == third)
    assert (shared.rows, shared.sums) == (tab.see().rows, tab.see().sums)
    assert shown(other, "status") == "Status: completed"


def test_pages_and_files_hold_what_the_filters_leave(weeks: Weeks) -> None:
    tab, page = weeks.tab, weeks.tab.page
    weeks.open()
    choose(tab, "status", "completed")
    weeks.show(filters := {"status": ["completed"]})
    rows = weeks.passing(filters)
    assert len(rows) > 200
    figures = tab.see().sums
    for number in (1, 2):
        page.click("#usage-next")
        part = rows[100 * number : 100 * number + 100]
        seen = tab.until(lambda seen, part=part: seen.rows == part)  # type: ignore[misc]  # mypy cannot see through the default
        first = 100 * number + 1
        assert seen.caption.endswith(f" · rows {first}–{first + len(part) - 1} of {len(rows):,}")
        assert (seen.sums, shown(tab, "status")) == (figures, "Status: completed")
    with page.expect_download() as event:
        page.click("#usage-export")
    text = Path(event.value.path()).read_text("utf-8-sig")
    exported = [row["Execution"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    parsed = Filters.parse(filters)
    assert exported == [row["execution_id"] for row, _ in weeks.rows if passes(row, parsed)]
    # Another filter begins at the first page, and going back returns to the page that was left.
    choose(tab, "type", "Included")
    weeks.show(filters | {"type": ["included"]})
    page.go_back()
    tab.until(lambda now: (now.rows, now.filters) == (seen.rows, seen.filters))
    page.click("#usage-prev")
    tab.until(lambda seen: seen.rows == rows[100:200])


def test_a_least_cost_that_is_none_is_told_and_the_rows_stay(weeks: Weeks) -> None:
    tab, page = weeks.tab, weeks.tab.page
    before = weeks.open()
    page.fill(MIN_COST, "abc")
    page.press(MIN_COST, "Enter")
    seen = tab.until(lambda seen: seen.trouble != "")
    assert seen.trouble.startswith(
        "Nothing has changed. Minimum cost must be an amount of dollars in digits, such as 0.5"
    )
    assert (seen.rows, seen.sums, seen.caption) == (before.rows, before.sums, before.caption)
    assert seen.search == weeks.search
    assert page.input_value(MIN_COST) == ""
    # A comma may be that of thousands or that of decimals: it is not guessed at.
    page.fill(MIN_COST, "0,25")
    page.press(MIN_COST, "Enter")
    tab.until(lambda seen: seen.trouble != "" and page.input_value(MIN_COST) == "")
    page.fill(MIN_COST, "0.25")
    page.press(MIN_COST, "Enter")
    weeks.show({"min_cost_usd": ["0.25"]})
    # The same once more, as people may write it.
    page.fill(MIN_COST, "$0.25 ")
    page.press(MIN_COST, "Enter")
    tab.until(lambda _: page.input_value(MIN_COST) == "0.25")


def test_what_is_chosen_while_an_answer_is_on_its_way_is_asked_for_too(
    big_ledger: Callable[[Settings], Ledger],
    tab_on: Callable[..., Tab],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with served(big_ledger) as site:
        answer = site.ledger.page_shown
        let_go = threading.Event()

        def answer_late(viewer: Viewer, query: UsageQuery) -> tuple[Page, list[Workspace]]:
            assert let_go.wait(PATIENCE)
            return answer(viewer, query)

        def each_is_asked_for(*clicks: Callable[[], None]) -> None:
            """Do what asks, each before there is an answer to the one before it; then let go."""
            let_go.clear()
            for click in clicks:
                with tab.page.expect_request("**/_dash-update-component*"):
                    click()
            let_go.set()

        tab = tab_on(site)
        tab.open(FINANCE, {"preset": "7d"})
        tab.shows(FINANCE)
        with monkeypatch.context() as patch:
            patch.setattr(site.ledger, "page_shown", answer_late)
            each_is_asked_for(
                lambda: choose(tab, "trigger", "api"), lambda: choose(tab, "status", "completed")
            )
            both = {"trigger": ["api"], "status": ["completed"]}
            tab.until(lambda seen: seen.filters == both)
            buttons = (CLEAR, "#usage-preset-1d", "#usage-preset-30d")
            each_is_asked_for(*(partial(tab.page.click, button) for button in buttons))
            tab.until(lambda seen: (seen.pressed, seen.filters) == (["usage-preset-30d"], {}))
            # A split needs no new table, and is kept all the same.
            let_go.clear()
            with tab.page.expect_request("**/_dash-update-component*"):
                tab.page.click("#usage-preset-mtd")
            tab.page.click("#usage-split-model")
            let_go.set()
            tab.until(lambda seen: seen.search == "?preset=mtd&split=model")
        tab.shows(FINANCE, lambda seen: "MTD: " in seen.caption)
        pressed = tab.page.locator('[id^=usage-split-][aria-pressed="true"]')
        tab.until(lambda _: pressed.all_inner_texts() == ["Model"])


def test_the_count_of_unfinished_executions_leads_to_them(tab: Tab) -> None:
    tab.open(FINANCE, {"preset": "7d"})
    tab.shows(FINANCE)
    link = tab.page.locator("#usage-summary a")
    count = int(link.inner_text().removesuffix(" unfinished"))
    assert count > 0
    link.click()
    seen = tab.until(
        lambda seen: seen.filters == {"status": ["paused", "pending", "redacting", "running"]}
    )
    assert len(tab.shows(FINANCE).rows) == count
    assert seen.pressed == ["usage-preset-7d"]
    tab.page.go_back()
    tab.until(lambda seen: seen.filters == {})


def test_filters_that_leave_nothing_say_so_and_offer_the_way_out(weeks: Weeks) -> None:
    tab, page = weeks.tab, weeks.tab.page
    weeks.open()
    page.fill(TEXT, "no such <b>thing</b>")
    page.press(TEXT, "Enter")
    seen = weeks.show({"q": ["no such <b>thing</b>"]}, empty=True)
    assert seen.state == "empty"
    assert "passes these filters." in seen.empty
    assert seen.sums[0::2] == ["$0.00", "$0.00", "$0.00", "0", "0"]
    page.click("text=Clear filters")
    seen = weeks.show({})
    assert (seen.empty, page.input_value(TEXT)) == ("", "")
    assert tab.page.inner_text(BAR).count("+ ") == 5

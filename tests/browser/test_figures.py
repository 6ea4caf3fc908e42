"""The figures above the table: sums, limit and picture, what a click on them leads to."""

import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import pytest
from playwright.sync_api import Route

from data.answers.figures import Figures
from data.answers.filter_options import FilterOptions
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.question.filters import Filters
from data.question.query import Split
from data.rules.calendar import Window
from data.rules.errors import UnavailableError
from settings import Settings
from tests.support.browsing import DEMO_VIEWER, Seen, Site, Tab, served
from tests.support.platform import rows_of

pytestmark = pytest.mark.browser

SUPPORT, FINANCE, RESEARCH = "ws_support", "ws_finance", "ws_research"
FOUNDER: Final = Viewer("user_founder")  # owns what the demo's viewer pays for
BARS: Final = "#usage-graph .bars path"
TABLE: Final = "#usage-course table"


def figures_of(
    tab: Tab, workspace_id: str, seen: Seen, split: Split = Split.TYPE, viewer: Viewer = DEMO_VIEWER
) -> Figures:
    """Ask the ledger for the figures of what is on the screen."""
    query = tab.site.query(workspace_id, seen.window, Filters.parse(seen.filters))
    return tab.site.ledger.figures(viewer, query, split)


def dollars(amount: Decimal) -> str:
    """Write a sum as people read it; on its own, so that the page's way is checked."""
    if 0 < amount < Decimal("0.00005"):
        return "<$0.0001"
    places = Decimal("0.01" if abs(amount) >= 1 or not amount else "0.0001")
    sign = "−" if amount < 0 else ""  # noqa: RUF001 - the sign, not the hyphen
    return f"{sign}${abs(amount).quantize(places, ROUND_HALF_UP):,}"


def change(now: Decimal | int, before: Decimal | int, written: str) -> str:
    if not before:
        return f"from {written}"
    tenths = ((now - before) * Decimal(100) / before).quantize(Decimal("0.1"), ROUND_HALF_UP)
    sign = "−" if tenths < 0 else "+" if tenths else ""  # noqa: RUF001 - likewise
    return f"{sign}{abs(tenths):,}% from {written}"


def sums_in_words(figures: Figures) -> list[str]:
    words = []
    for name in ("cost", "included", "on_demand", "executions", "tokens"):
        now, before = (getattr(sums, name) for sums in (figures.sums, figures.earlier))
        written = [
            f"{each:,}" if isinstance(each, int) else dollars(each) for each in (now, before)
        ]
        words += [written[0], change(now, before, written[1])]
    return words


def limit_in_words(tab: Tab, figures: Figures) -> str:
    assert figures.period
    assert figures.account.terms.limit is not None
    assert figures.running_total is not None
    spent, limit = figures.running_total, figures.account.terms.limit
    month = figures.period.name
    beginning = f"Dana Weiss · {month}, limit ${limit:,.2f}, whole account{dollars(spent)} used"
    if figures.crossing is None:
        return f"{beginning}, {dollars(limit - spent)} left"
    since = figures.crossing.position.started_at.astimezone(tab.site.ledger.zone)
    at = f"{since.day} {since:%b %Y %H:%M:%S} Europe/Berlin"
    return f"{beginning}: ${limit:,.2f} Included, {dollars(spent - limit)} On-Demand since {at}"


def agree(tab: Tab, workspace_id: str, condition: Callable[[Seen], bool]) -> tuple[Seen, Figures]:
    """Wait until rows, sums and limit are what the ledger says of the window on the screen."""
    seen = tab.shows(workspace_id, condition)
    figures = figures_of(tab, workspace_id, seen)
    expected = sums_in_words(figures)
    seen = tab.until(lambda seen: seen.sums == expected)
    assert seen.limit == limit_in_words(tab, figures)
    return seen, figures


def rows_in_table(tab: Tab) -> list[list[str]]:
    rows: list[list[str]] = tab.page.eval_on_selector(
        TABLE, "table => [...table.rows].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return rows


def legend(tab: Tab) -> list[str]:
    return tab.page.locator("#usage-legend > span").all_inner_texts()


def asked_for_figures(tab: Tab) -> list[bool]:
    return ["usage-summary" in body for body in tab.asked]


def click_bar(tab: Tab, place: int) -> None:
    """Click the bar of a step: the highest of those that stand over one another there."""
    boxes = [box for bar in tab.page.locator(BARS).all() if (box := bar.bounding_box())]
    highest: dict[int, Any] = {}
    for box in sorted(boxes, key=lambda box: box["height"]):
        highest[round(box["x"] + box["width"] / 2)] = box
    middle = sorted(highest)[place]
    tab.page.mouse.click(middle, highest[middle]["y"] + highest[middle]["height"] / 2)


def test_sums_changes_and_limit_are_what_the_ledger_says(tab: Tab) -> None:
    tab.open(FINANCE, {"preset": "7d"})
    seen, figures = agree(tab, FINANCE, lambda seen: seen.pressed == ["usage-preset-7d"])
    rows = [row for page in tab.site.pages(FINANCE, seen.window) for row in rows_of(page)]
    costs = [
        sum((row[name] or Decimal(0) for row in rows), Decimal(0)) for name in ("cost", "on_demand")
    ]
    assert [figures.sums.cost, figures.sums.on_demand] == costs
    assert figures.sums.tokens == sum(row["tokens"] or 0 for row in rows)
    for preset in ("30d", "last_month", "1d"):
        tab.page.click(f"#usage-preset-{preset}")
        agree(tab, FINANCE, lambda seen, preset=preset: seen.pressed == [f"usage-preset-{preset}"])  # type: ignore[misc]  # mypy cannot see through the default
    # What does not pass is not in the sums, and changes nothing about the limit.
    limit = tab.see().limit
    tab.page.click("#usage-preset-30d")
    agree(tab, FINANCE, lambda seen: seen.pressed == ["usage-preset-30d"])
    tab.page.fill("#usage-filter-q", "invoice")
    tab.page.press("#usage-filter-q", "Enter")
    seen, figures = agree(
        tab, FINANCE, lambda seen: seen.filters == {"q": ["invoice"]} and "30d" in seen.search
    )
    assert figures.filtered
    assert seen.limit == limit
    exact = tab.page.get_attribute("#usage-summary dd >> nth=0", "title")
    assert exact == f"${figures.sums.cost.normalize():f}"


def test_a_click_on_a_bar_narrows_the_window_to_it_and_back_returns(tab: Tab) -> None:
    page = tab.page
    tab.open(FINANCE, {"preset": "7d"})
    seen, figures = agree(tab, FINANCE, lambda _: True)
    page.fill("#usage-filter-min-cost-usd", "0.001")
    page.press("#usage-filter-min-cost-usd", "Enter")
    filters = {"min_cost_usd": ["0.001"]}
    whole, figures = agree(tab, FINANCE, lambda seen: seen.filters == filters)
    for place in (0, 3):  # a day that the window cuts, and a whole one
        step = figures.steps[place]
        click_bar(tab, place)
        window = Window(step.start, step.end)
        seen, narrowed = agree(
            tab,
            FINANCE,
            lambda seen, window=window: seen.window == window,  # type: ignore[misc]  # mypy cannot see through the default
        )
        assert seen.filters == filters
        assert narrowed.sums == figures.by_step[place]
        assert seen.pressed == []
        page.go_back()
        seen, _ = agree(tab, FINANCE, lambda seen: seen.pressed == ["usage-preset-7d"])
        assert seen.search == whole.search
    day = figures.steps[3].start.astimezone(tab.site.ledger.zone).date()
    page.go_forward()
    agree(tab, FINANCE, lambda seen: seen.days == [f"{day}", f"{day}"])
    # Of a day, the bars are hours.
    click_bar(tab, 9)
    hour = timedelta(hours=1)
    agree(tab, FINANCE, lambda seen: seen.window.end - seen.window.start == hour)


def test_the_table_beside_the_picture_has_its_figures_and_leads_where_its_bars_do(
    tab: Tab,
) -> None:
    page = tab.page
    tab.open(FINANCE, {"preset": "30d"})
    _, figures = agree(tab, FINANCE, lambda _: True)
    assert not page.is_visible(TABLE)
    page.click("text=Show as a table")
    assert page.is_visible(TABLE)
    head, *rows, total = rows_in_table(tab)
    assert head == ["Day", "Included", "On-Demand", "Cost", "Executions", "Running total"]
    assert [row[1:-1] for row in (*rows, total)] == [
        [
            dollars(sums.included),
            dollars(sums.on_demand),
            dollars(sums.cost),
            f"{sums.executions:,}",
        ]
        for sums in (*figures.by_step, figures.sums)
    ]
    assert figures.running_total is not None
    assert (rows[-1][-1], total[-1]) == (dollars(figures.running_total), "")
    days = [step.start.astimezone(tab.site.ledger.zone) for step in figures.steps]
    assert [re.sub(" (from|to) .*", "", row[0]) for row in rows] == [
        f"{day.day} {day:%b}" for day in days
    ]
    # The bars are the same.
    drawn = page.eval_on_selector(
        "#usage-graph .js-plotly-plot",
        "plot => plot.data.slice(0, 2).map(bars => [...bars.y].map(y => y || 0))",
    )
    assert drawn == [
        [float(sums.included) for sums in figures.by_step],
        [float(sums.on_demand) for sums in figures.by_step],
    ]
    dearest = max(figures.by_step, key=lambda sums: sums.cost)
    sentence = page.text_content("#usage-course p") or ""
    assert sentence.startswith(f"{dollars(figures.sums.cost)} in {len(days)} days. The dearest day")
    assert f" with {dollars(dearest.cost)}." in sentence
    page.click(f"{TABLE} tbody tr:nth-child(3) a")
    seen, narrowed = agree(tab, FINANCE, lambda seen: seen.pressed == [])
    assert seen.window == Window(figures.steps[2].start, figures.steps[2].end)
    assert narrowed.sums == figures.by_step[2]


def test_a_split_asks_only_for_the_figures_and_stands_in_the_url(tab: Tab) -> None:
    page = tab.page
    tab.open(FINANCE, {"preset": "30d"})
    seen, figures = agree(tab, FINANCE, lambda _: True)
    plain = legend(tab)
    assert plain == ["Included", "On-Demand", "Running total", "Limit"]
    assert asked_for_figures(tab) == [False, True]

    def split_by(split: Split, do: Callable[[], Any]) -> None:
        """Do what changes the split, and see that the figures alone were asked for."""
        tab.asked.clear()
        do()
        groups = figures_of(tab, FINANCE, seen, split).groups
        wanted = [*(group.label for group in groups), *plain[-2:]] if groups else plain
        tab.until(lambda _: legend(tab) == wanted)
        assert asked_for_figures(tab) == [True]
        pressed = page.locator('[id^=usage-split-][aria-pressed="true"]').all_inner_texts()
        assert pressed == [split.value.title()]
        end = "" if split is Split.TYPE else f"&split={split}"
        assert tab.see().search == f"?preset=30d{end}"
        assert tab.see().rows == seen.rows

    split_by(Split.WORKFLOW, lambda: page.click("#usage-split-workflow"))
    split_by(Split.MODEL, lambda: page.click("#usage-split-model"))
    page.click("text=Show as a table")
    groups = figures_of(tab, FINANCE, seen, Split.MODEL).groups
    head, *rows, total = rows_in_table(tab)
    names = [group.label for group in groups]
    assert head == ["Day", *names, "Cost", "Executions", "Running total"]
    for place, row in enumerate(rows):
        costs = [group.costs[place] for group in groups]
        assert row[1:-2] == [dollars(each) for each in (*costs, sum(costs, Decimal(0)))]
    costs = [sum(group.costs, Decimal(0)) for group in groups]
    assert total[1:-2] == [dollars(each) for each in (*costs, figures.sums.cost)]
    # Turning the page never asks for figures, and keeps the split.
    tab.asked.clear()
    page.click("#usage-next")
    second = tab.until(lambda now: "rows 101–200" in now.caption)
    assert second.search.endswith("&split=model")
    assert asked_for_figures(tab) == [False]
    page.go_back()
    tab.until(lambda now: now.rows == seen.rows)
    assert asked_for_figures(tab) == [False, False]
    split_by(Split.WORKFLOW, page.go_back)
    split_by(Split.TYPE, page.go_back)
    split_by(Split.WORKFLOW, page.go_forward)
    page.reload()
    labels = [group.label for group in figures_of(tab, FINANCE, seen, Split.WORKFLOW).groups]
    tab.until(lambda _: legend(tab)[: len(labels)] == labels)
    assert figures.sums.cost == sum(
        sum(group.costs) for group in figures_of(tab, FINANCE, seen, Split.WORKFLOW).groups
    )


def test_the_picture_follows_the_theme_without_asking(tab: Tab) -> None:
    page = tab.page
    tab.open(FINANCE, {"preset": "last_month"})
    tab.shows(FINANCE)
    asked = len(tab.asked)

    def colours() -> list[str]:
        found: list[str] = tab.js(
            f"""(() => {{
              const sheet = getComputedStyle(document.documentElement);
              const probe = document.body.appendChild(document.createElement("i"));
              probe.style.color = sheet.getPropertyValue("--usage-included");
              const wanted = getComputedStyle(probe).color;
              probe.remove();
              return [wanted, getComputedStyle(document.querySelector("{BARS}")).fill];
            }})()"""
        )
        return found

    def drawn_in(before: list[str]) -> list[str]:
        tab.until(lambda _: len({*colours()}) == 1 and colours() != before)
        return colours()

    light = drawn_in([])
    page.emulate_media(color_scheme="dark")
    dark = drawn_in(light)
    page.click("#usage-theme button")
    page.click("#usage-theme-light")
    assert drawn_in(dark) == light
    assert len(tab.asked) == asked


def test_the_table_is_painted_before_the_pictures_library_comes_and_nothing_leaves_the_host(
    tab: Tab,
) -> None:
    page = tab.page
    held: list[Route] = []
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.route("**/plotly-basic*", lambda route: held.append(route))  # noqa: PLW0108 - Playwright wraps functions only
    tab.open(FINANCE, {"preset": "7d"})
    page.wait_for_selector('#usage-table td[data-dash-column="date"]')
    page.wait_for_selector("#usage-summary > :last-child .usage-sum:not(:empty)")
    seen = tab.see()
    assert seen.rows == tab.site.first_rows(FINANCE, seen.window)
    with page.expect_request("**/plotly-basic*") if not held else nullcontext():
        pass
    assert page.locator("#usage-graph .main-svg").count() == 0
    held[0].continue_()
    tab.shows(FINANCE)
    plotly = next(place for place, url in enumerate(urls) if "plotly-basic" in url)
    table = next(place for place, url in enumerate(urls) if "_dash-update-component" in url)
    assert table < plotly
    assert [url for url in urls if not url.startswith(tab.site.url)] == []
    assert [url for url in urls if "plotly" in url] == [urls[plotly]]


@pytest.fixture(scope="module")
def founders(big_ledger: Callable[[Settings], Ledger]) -> Iterator[Site]:
    """Serve the demo's data to somebody who does not pay."""
    with served(big_ledger, FOUNDER) as site:
        yield site


def test_who_does_not_pay_is_told_of_the_limit_but_of_no_running_total(
    founders: Site, tab_on: Callable[..., Tab]
) -> None:
    tab = tab_on(founders)
    bodies: list[str] = []
    tab.page.on(
        "response",
        lambda answer: bodies.append(answer.text()) if "_dash-update" in answer.url else None,
    )
    tab.open(FINANCE, {"preset": "30d"})
    seen = tab.shows(FINANCE)
    payers = figures_of(tab, FINANCE, seen)
    assert payers.crossing
    assert payers.running_total is not None
    since = payers.crossing.position.started_at.astimezone(founders.ledger.zone)
    at = f"{since.day} {since:%b %Y %H:%M:%S} Europe/Berlin"
    assert payers.account.terms.limit is not None
    assert payers.period
    limit = f"${payers.account.terms.limit:,.2f}"
    assert seen.limit == (
        f"The payer · {payers.period.name}, limit {limit}, whole accountLimit crossed {at}"
    )
    assert seen.sums == sums_in_words(payers)
    assert tab.page.locator(".usage-bar").count() == 0
    assert legend(tab) == ["Included", "On-Demand"]
    drawn = tab.page.eval_on_selector("#usage-graph .js-plotly-plot", "plot => plot.data.length")
    assert drawn == 2
    assert len(bodies) == 2
    for amount in (payers.running_total, payers.running_total - payers.account.terms.limit):
        assert dollars(amount) not in "".join(bodies)
        assert str(float(amount)) not in "".join(bodies)


def test_a_workspace_without_a_limit_says_so(tab: Tab) -> None:
    tab.open(RESEARCH, {"preset": "30d"})
    seen = tab.shows(RESEARCH)
    assert re.fullmatch(
        r"The payer · \w+, no limit set, whole accountEverything is Included", seen.limit
    )
    assert legend(tab) == ["Included", "On-Demand"]
    figures = figures_of(tab, RESEARCH, seen)
    assert seen.sums == sums_in_words(figures)
    assert seen.sums[4] == "$0.00"
    tab.open("ws_empty", {"preset": "30d"})
    seen = tab.until(lambda seen: seen.state == "empty")
    assert seen.sums[0::2] == ["$0.00", "$0.00", "$0.00", "0", "0"]
    assert {*seen.sums[1::2]} == {"no earlier data"}


def test_figures_that_do_not_come_are_told_and_hidden_while_the_table_stays(
    big_ledger: Callable[[Settings], Ledger],
    tab_on: Callable[..., Tab],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_given: Any, **_more: Any) -> tuple[Figures, FilterOptions]:
        raise UnavailableError("The database took too long to answer. Try again in a moment.")

    with served(big_ledger) as site, monkeypatch.context() as patch:
        tab = tab_on(site)
        tab.open(FINANCE, {"preset": "30d"})
        agree(tab, FINANCE, lambda _: True)
        patch.setattr(site.ledger, "figures_shown", refuse)
        tab.page.click("#usage-preset-7d")
        tab.until(lambda seen: seen.figures_trouble != "")
        seen = tab.shows(FINANCE, lambda seen: seen.pressed == ["usage-preset-7d"])
        assert seen.figures_trouble == (
            "The figures could not be added up. The database took too long to answer. "
            "Try again in a moment."
        )
        assert seen.trouble == ""
        for place in ("#usage-summary", "#usage-limit", "#usage-chart", "#usage-course"):
            assert not tab.page.is_visible(place)
        patch.undo()
        tab.page.click("#usage-figures-retry")
        seen, _ = agree(tab, FINANCE, lambda seen: seen.pressed == ["usage-preset-7d"])
        assert seen.figures_trouble == ""
        assert tab.page.is_visible("#usage-summary")

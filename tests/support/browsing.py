"""The page in a real browser: a served product, what a screen shows, what it ought to show."""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
import pytest
from dash import Dash
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, sync_playwright
from selenium.webdriver.chrome.options import Options

import demo
from app import create_app
from data.answers.ledger import Ledger
from data.answers.page import Page as LedgerPage
from data.platform.access import Viewer
from data.platform.connection import connect
from data.question.filters import FILTER_PARAMS, NO_FILTERS, Filters
from data.question.query import UsageQuery
from data.rules.calendar import Window
from data.rules.labels import UsageType
from settings import Settings
from tests.support.hosting import Host, hosted
from tests.support.platform import walk
from tests.support.serving import PATIENCE

DEMO_VIEWER: Final = Viewer(demo.DEMO_VIEWER_ID)
EXECUTIONS: Final = 22_000  # so many that one workspace has more than a file holds
BERLIN: Final = {"USAGE_TIMEZONE": "Europe/Berlin", "USAGE_APP_URL": "https://app.example"}

_BROWSERS: Final = (
    "chromium",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
# Seconds between two looks at a page. A look takes the page's own thread some 16 ms, so one every
# 30 ms held up what was waited for; nothing is taken for done because this time has passed.
_LOOKS_EVERY: Final = 0.1
_SWITCHES: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
    "--window-size=1280,900",
)

# All that is seen at one instant.
_SEEN: Final = """(() => {
  const text = (id) => (document.getElementById(id)?.textContent || "").trim();
  const shown = (id) => {
    const found = document.getElementById(id);
    return found && !found.hidden ? found.textContent.trim() : "";
  };
  const main = document.getElementById("usage-main");
  const api = document.getElementById("usage-api-link")?.href;
  const bounds = api ? new URL(api).searchParams : new URLSearchParams();
  const table = document.querySelector("#usage-table .dash-spreadsheet-container");
  const figures = document.getElementById("usage-figures");
  const drawing = document.querySelector("#usage-chart > *");
  const drawn = !drawing || document.querySelector("#usage-graph .main-svg") !== null;
  const filters = {};
  for (const [name, value] of bounds) {
    if (FILTERS.includes(name)) (filters[name] ||= []).push(value);
  }
  return {
    path: location.pathname,
    search: location.search,
    title: document.title,
    ready: main !== null && main.dataset.state !== "loading" && main.ariaBusy !== "true" && drawn
      && (main.dataset.state === "nothing"
        || (figures.dataset.state !== "loading" && figures.ariaBusy !== "true")),
    state: main?.dataset.state || "",
    caption: text("usage-caption"),
    hint: text("usage-as-of"),
    note: text("usage-limit-note"),
    workspace: document.querySelector("#usage-workspace button")?.textContent || "",
    trouble: shown("usage-trouble").replace(/Try again$/, ""),
    question: shown("usage-question-text") && !document.getElementById("usage-question").hidden
      ? text("usage-question-text") : "",
    empty: shown("usage-empty"),
    pressed: [...document.querySelectorAll('.usage-toolbar [aria-pressed="true"]')].map(
      (e) => e.id),
    filters,
    sums: [...document.querySelectorAll("#usage-summary dd")].map((e) => e.textContent),
    limit: text("usage-limit"),
    figures_trouble: shown("usage-figures-trouble").replace(/Try again$/, ""),
    days: [...document.querySelectorAll(".usage-range-box input")].map((e) => e.value),
    prev: document.getElementById("usage-prev")?.disabled === false,
    next: document.getElementById("usage-next")?.disabled === false,
    start: bounds.get("from") || "",
    end: bounds.get("to") || "",
    scrolled: table ? table.scrollTop : 0,
    rows: [...document.querySelectorAll('#usage-table td[data-dash-column="date"]')].map((date) =>
      [...date.parentElement.querySelectorAll("td")].map(
        (cell) => cell.textContent.trim().replace(/\\s+/g, " "))),
  };
})()""".replace("FILTERS", json.dumps(FILTER_PARAMS))


def pytest_setup_options() -> Any:
    """Tell dash[testing] which browser to start, and how."""
    options: Any = Options()
    options.binary_location = chromium()
    for switch in _SWITCHES:
        options.add_argument(switch)
    return options


def chromium() -> str:
    """Return the path of an installed Chromium."""
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    assert found, "the browser tests need Chromium; tests/support/tools.sh tells how to get it"
    return found


@dataclass(frozen=True)
class Seen:
    """What the page shows at one instant; ``prev`` and ``next`` tell whether they can be used."""

    path: str
    search: str
    title: str
    ready: bool
    state: str
    caption: str
    hint: str
    note: str
    workspace: str
    trouble: str
    question: str
    empty: str
    pressed: list[str]
    filters: dict[str, list[str]]
    sums: list[str]
    limit: str
    figures_trouble: str
    days: list[str]
    prev: bool
    next: bool
    start: str
    end: str
    scrolled: int
    rows: list[list[str]]

    @property
    def window(self) -> Window:
        """The exact window, as the link into the API names it."""
        return Window(datetime.fromisoformat(self.start), datetime.fromisoformat(self.end))


@dataclass
class Site(Host):
    """A served product; ``viewer`` is who asks, and may be changed between two questions."""

    url: str
    ledger: Ledger
    viewer: Viewer

    def address(self, workspace_id: str, params: Mapping[str, str] | None = None) -> str:
        search = f"?{urlencode(params)}" if params else ""
        return f"{self.url}workspace/{workspace_id}/usage{search}"

    def query(self, workspace_id: str, window: Window, filters: Filters = NO_FILTERS) -> UsageQuery:
        return UsageQuery(workspace_id, window, filters=filters)

    def days(self, window: Window) -> list[str]:
        """Return the first and the last day that a window touches."""
        last = max(window.start, window.end - timedelta(microseconds=1))
        zone = self.ledger.zone
        return [f"{instant.astimezone(zone):%Y-%m-%d}" for instant in (window.start, last)]

    def pages(self, workspace_id: str, window: Window) -> list[LedgerPage]:
        """Return every page of a window, the newest first."""
        return list(walk(self.ledger, workspace_id, window=window, viewer=self.viewer))

    def first_rows(
        self, workspace_id: str, window: Window, filters: Filters = NO_FILTERS
    ) -> list[list[str]]:
        """Return the cells of the first page of a window."""
        page = self.ledger.page(self.viewer, self.query(workspace_id, window, filters))
        return cells(page, self.ledger.zone)


class Screen:
    """One tab on a Site; ``js`` evaluates an expression in it."""

    def __init__(self, site: Site, js: Callable[[str], Any]) -> None:
        self.site = site
        self.js = js

    def see(self) -> Seen:
        return Seen(**self.js(_SEEN))

    def until(self, condition: Callable[[Seen], bool]) -> Seen:
        """Wait until what is seen meets ``condition``, and return it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            seen = self.see()
            if seen.ready and condition(seen):
                return seen
            assert time.monotonic() < deadline, f"waited in vain; last seen: {seen}"
            assert "Something went wrong" not in seen.trouble, "a callback failed"
            # Only so as not to look all the time: what ends the wait is the condition.
            time.sleep(_LOOKS_EVERY)

    def shows(self, workspace_id: str, condition: Callable[[Seen], bool] | None = None) -> Seen:
        """Wait until the first page of the window on the screen is what the ledger says of it."""

        def agrees(seen: Seen) -> bool:
            if (condition and not condition(seen)) or not seen.start:
                return False
            # Every part of the page shows its piece of the one answer, the picker a little late.
            return (
                seen.days == self.site.days(seen.window)
                and seen.caption.split(" · ")[0] in seen.title
                and seen.rows
                == self.site.first_rows(workspace_id, seen.window, Filters.parse(seen.filters))
            )

        return self.until(agrees)


class Duo(Screen):
    """A tab of the browser that dash[testing] starts."""

    def __init__(self, site: Site, duo: Any) -> None:
        super().__init__(site, lambda code: duo.driver.execute_script(f"return {code}"))
        self.duo = duo
        self.driver = duo.driver

    def open(self, workspace_id: str, params: Mapping[str, str] | None = None) -> None:
        self.duo.wait_for_page(self.site.address(workspace_id, params), timeout=PATIENCE)

    def click(self, selector: str) -> None:
        self.duo.wait_for_element(selector, timeout=PATIENCE).click()

    def logs(self) -> list[Any]:
        """Return what the console complained about."""
        logs: list[Any] = self.duo.get_logs()
        return logs


class Tab(Screen):
    """A tab of Playwright's; ``console`` is what it complained about."""

    def __init__(self, site: Site, page: Page) -> None:
        super().__init__(site, page.evaluate)
        self.page = site.visited_by(page)
        self.console: list[str] = []
        self.asked: list[str] = []  # bodies of the requests to the server's callbacks
        page.on("console", self._heard)
        page.on("pageerror", self._failed)
        page.on("request", self._sent)

    def open(self, workspace_id: str, params: Mapping[str, str] | None = None) -> None:
        self.page.goto(self.site.address(workspace_id, params))

    def forgive(self, complaint: str, times: int = 1) -> None:
        """Take complaints that belong to what was tried; anything else stays."""
        assert [complaint in line for line in self.console] == [True] * times
        self.console.clear()

    def _failed(self, error: Error) -> None:
        self.console.append(str(error))

    def _sent(self, request: Request) -> None:
        if "_dash-update-component" in request.url:
            self.asked.append(request.post_data or "")

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.console.append(f"{message.text} {message.location['url']}")


def cells(page: LedgerPage, zone: tzinfo) -> list[list[str]]:
    """Write a page's rows as people read them; on its own, so that the page's way is checked."""
    rows: Iterable[Any] = page.rows.itertuples()
    return [
        [
            _second(row.started_at, zone),
            {UsageType.INCLUDED: "Included", UsageType.ON_DEMAND: "On-Demand"}[row.type],
            " ".join((row.workflow_name or "Deleted workflow").split()),
            _models(row.models),
            _tokens(row.tokens, complete=row.tokens_complete),
            _cost(row.cost, row.on_demand),
        ]
        for row in rows
    ]


def _second(instant: datetime, zone: tzinfo) -> str:
    local = instant.astimezone(zone)
    return f"{local.day} {local:%b %Y %H:%M:%S}"


def _tokens(tokens: int | None, *, complete: bool) -> str:
    return "—" if tokens is None else f"{'' if complete else '≥ '}{tokens:,}"


def _models(models: list[str]) -> str:
    if not models:
        return "—"
    return models[0] + (f" +{len(models) - 1}" if len(models) > 1 else "")


def _cost(cost: Decimal | None, on_demand: Decimal) -> str:
    if cost is None:
        return "—"
    if not on_demand:
        return "Included"
    rounded = cost.quantize(Decimal("0.0001"), ROUND_HALF_UP)
    return f"${rounded:,}" if rounded else "<$0.0001"


def make_app(
    ledger_of: Callable[[Settings], Ledger], viewer: Viewer, variables: Mapping[str, str]
) -> tuple[Dash, Site]:
    """Put the product together as app.py does."""
    settings = Settings.model_validate(
        {field.alias: field.default for field in Settings.model_fields.values()} | dict(variables)
    )
    site = Site("", ledger_of(settings), viewer)
    return create_app(settings, site.ledger, lambda: site.viewer), site


@contextmanager
def served(
    ledger_of: Callable[[Settings], Ledger],
    viewer: Viewer = DEMO_VIEWER,
    variables: Mapping[str, str] = BERLIN,
) -> Iterator[Site]:
    """Serve the product for the length of the block, at whose end the tabs on it close first."""
    app, site = make_app(ledger_of, viewer, variables)
    with hosted(site, app.server) as origin:
        site.url = f"{origin}{variables.get('USAGE_URL_PREFIX', '/')}"
        yield site


@pytest.fixture(scope="session")
def big_database(cluster: str) -> str:
    """Return the URL of a database with the demo's data, which no test changes."""
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute("CREATE DATABASE big")
    url = cluster.replace("/postgres?", "/big?")
    demo.seed(url, now=datetime.now(UTC), executions=EXECUTIONS, progress=lambda *_: None)
    return url


@pytest.fixture(scope="session")
def big_ledger(big_database: str) -> Iterator[Callable[[Settings], Ledger]]:
    """Yield a ledger of the demo's data, made as the settings say."""
    engine = connect(big_database)
    yield lambda settings: Ledger(engine, settings.billing)
    engine.dispose()


@pytest.fixture(scope="session")
def site(big_ledger: Callable[[Settings], Ledger]) -> Iterator[Site]:
    """Yield the product over the demo's data: Berlin's time, names are links."""
    with served(big_ledger) as site:
        yield site


@pytest.fixture
def duo(dash_duo: Any, site: Site) -> Duo:
    """Return a tab of dash[testing]'s browser, which ends with the test, its server much later."""
    return Duo(site, dash_duo)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a browser of Playwright's for the tests of one module."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def tab_on(browser: Browser) -> Iterator[Callable[..., Tab]]:
    """Yield a function that opens a tab on a Site in a session of its own.

    Its clock is far from the product's. At the end every console has to be clean.
    """
    tabs: list[Tab] = []

    def open_tab(site: Site, **options: Any) -> Tab:
        defaults = {
            "viewport": {"width": 1280, "height": 900},
            "reduced_motion": "reduce",
            "timezone_id": "Pacific/Auckland",
        }
        context = browser.new_context(**(defaults | options))
        context.set_default_timeout(PATIENCE * 1000)
        tabs.append(Tab(site, context.new_page()))
        return tabs[-1]

    yield open_tab
    complaints = [tab.console for tab in tabs]
    for tab in tabs:
        tab.page.context.close()
    assert complaints == [[] for _ in tabs]


@pytest.fixture
def tab(tab_on: Callable[..., Tab], site: Site) -> Tab:
    """Return a tab on the product over the demo's data."""
    return tab_on(site)

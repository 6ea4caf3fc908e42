"""Takes the pictures of the page that the documents show, into the folder that it is given."""

import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

import demo
from data.answers.ledger import Ledger
from data.platform.connection import connect
from data.question.cursor import Cursor, Direction
from data.question.query import UsageQuery
from data.rules.calendar import DEFAULT_PRESET, Window, month_at, resolve
from data.rules.errors import NotFoundError, UnavailableError
from data.rules.labels import rfc3339
from data.rules.position import Position
from data.sums import rollup
from demo.local_postgres import LocalPostgres
from settings import Settings
from tests.support.browsing import DEMO_VIEWER, Site, chromium, served

WORKSPACE: Final = "ws_support"
_SETTINGS: Final = {
    "USAGE_APP_URL": "https://app.example",
    "USAGE_SPENDING_URL": "https://app.example/workspace/{workspace_id}/spending",
    "USAGE_EMBED_SECRET": "of-no-importance-for-pictures-of-the-page",
    "USAGE_EMBED_ORIGINS": "https://portal.example",
}
_WIDE: Final[ViewportSize] = {"width": 1280, "height": 1130}
_NARROW: Final[ViewportSize] = {"width": 420, "height": 1500}
_DRAWN: Final = "#usage-graph .main-svg"


def take(folder: Path) -> None:
    """Take every picture of the demo, into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with _demo() as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for name, open_page in {
            "light": lambda page: _at_the_crossing(page, site),
            "dark": lambda page: _split_and_filtered(page, site),
            "narrow": lambda page: _drawn(page, site.address(WORKSPACE)),
            "opened": lambda page: _opened(page, site),
            "embedded": lambda page: _drawn(page, site.address(WORKSPACE, {"embed": "1"})),
            "empty": lambda page: _empty(page, site),
            "loading": lambda page: _loading(page, site),
            "error": lambda page: _in_trouble(page, site),
        }.items():
            _shoot(browser, folder / f"{name}.png", open_page)
        browser.close()


def _shoot(browser: Browser, path: Path, open_page: Any) -> None:
    context = browser.new_context(
        viewport=_NARROW if path.stem == "narrow" else _WIDE,
        color_scheme="dark" if path.stem == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    open_page(page)
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(0, 0)
    page.screenshot(path=path)
    page.unroute_all(behavior="ignoreErrors")
    context.close()


def _drawn(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(_DRAWN)
    page.wait_for_selector('#usage-figures:not([aria-busy="true"])')


def _at_the_crossing(page: Page, site: Site) -> None:
    """Open the latest page on which a limit was crossed, a few rows above that one."""
    workspace_id, window, position = next(_crossings(site))
    newer = Cursor(workspace_id, window, position)
    query = UsageQuery(workspace_id, window, 8, newer, Direction.NEWER)
    above = site.ledger.page(DEMO_VIEWER, query).rows
    asked = {"from": rfc3339(window.start), "to": rfc3339(window.end)}
    if window.preset:
        asked = {"preset": window.preset.value}
    _drawn(page, site.address(workspace_id, asked | {"starting_after": above["id"].iloc[0]}))


def _crossings(site: Site) -> Iterator[tuple[str, Window, Position]]:
    """Return those that the viewer may see, by 30d and by months, the latest first."""
    window = resolve(DEFAULT_PRESET, datetime.now(UTC), UTC)
    while True:
        figures = site.ledger.figures(DEMO_VIEWER, UsageQuery(WORKSPACE, window))
        for crossing in reversed(figures.crossings):
            if workspace_id := _workspace_of(site, crossing.position.id):
                yield workspace_id, window, crossing.position
        month = month_at(window.start - timedelta(days=1), UTC)
        window = Window(month.start, month.end)
        if not figures.sums.executions:
            raise AssertionError("the demo has no crossing that its viewer may see")


def _workspace_of(site: Site, row_id: str) -> str | None:
    """Return the workspace in which an execution ran, None where the viewer may not see it."""
    for workspace in site.ledger.workspaces(DEMO_VIEWER):
        with suppress(NotFoundError):
            site.ledger.execution(DEMO_VIEWER, workspace.id, row_id)
            return workspace.id
    return None


def _split_and_filtered(page: Page, site: Site) -> None:
    _drawn(page, f"{site.address(WORKSPACE)}?preset=mtd&trigger=api&trigger=chat&split=model")


def _opened(page: Page, site: Site) -> None:
    _at_the_crossing(page, site)
    page.click(
        '#usage-table tr:has(td[style*="--usage-note-crossing"]) td[data-dash-column="date"] a'
    )
    page.wait_for_selector("#usage-opened-body table")
    page.wait_for_selector(".usage-opened.show")


def _empty(page: Page, site: Site) -> None:
    _drawn(page, f"{site.address(WORKSPACE)}?preset=30d&trigger=mcp&min_cost_usd=900")
    page.wait_for_selector("#usage-empty:not([hidden])")


def _loading(page: Page, site: Site) -> None:
    page.route("**/_dash-update-component*", lambda _route: None)
    page.goto(site.address(WORKSPACE))
    page.wait_for_selector('#usage-main[data-state="loading"] #usage-table td')


def _in_trouble(page: Page, site: Site) -> None:
    _drawn(page, site.address(WORKSPACE))

    def away(*_: Any, **__: Any) -> Any:
        raise UnavailableError("The database cannot be reached. Try again in a moment.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.ledger, "page_shown", away)
        page.click("#usage-preset-7d")
        page.wait_for_selector("#usage-trouble:not([hidden])")
        page.wait_for_selector('#usage-main:not([aria-busy="true"])')


@contextmanager
def _demo() -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as home:
        server = LocalPostgres(Path(home))
        url = server.start()
        try:
            demo.seed(url, now=datetime.now(UTC), executions=demo.EXECUTIONS, progress=_silent)
            rollup.install(url)
            engine = connect(url)

            def ledger_of(settings: Settings) -> Ledger:
                return Ledger(engine, settings.billing)

            with served(ledger_of, variables=_SETTINGS) as site:
                yield site
            engine.dispose()
        finally:
            server.stop()


def _silent(done: int, total: int) -> None:
    del done, total


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    take(Path(sys.argv[1]))

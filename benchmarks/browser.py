"""What a person waits for: the first load in Chromium, a click on a preset, a click on Next."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.section import Section, Table, kilobytes, milliseconds
from benchmarks.serving import Server, product
from benchmarks.stage import Scene
from benchmarks.world import BUSY, PAYER, PROXY_HEADER
from components import ids
from data.rules.calendar import Preset

_SAMPLES: Final = 15
_LOADS: Final = 7
_CHROMIUM: Final = (
    "chromium",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_SWITCHES: Final = ["--no-sandbox", "--disable-dev-shm-usage"]
_KINDS: Final = ("js", "css", "json", "html", "other")
_PRESETS: Final = (Preset.DAYS_30, Preset.LAST_MONTH)

# Resolves with the milliseconds until the rows are in a painted frame.
_ROWS_PAINTED: Final = f"""() => new Promise((resolve) => {{
  const look = () => document.querySelector('#{ids.TABLE} td[data-dash-column="date"]')
    ? requestAnimationFrame(() => setTimeout(() => resolve(performance.now())))
    : requestAnimationFrame(look);
  look();
}})"""

# The same from a click on an element until the page shows another window or other rows.
_CLICKED: Final = f"""(id) => new Promise((resolve) => {{
  const shown = () => document.getElementById('{ids.API_LINK}').href + [...document
    .querySelectorAll('#{ids.TABLE} td[data-dash-column="date"]')].map((cell) => cell.textContent);
  const main = document.getElementById('{ids.MAIN}');
  const before = shown();
  const start = performance.now();
  const look = () => shown() !== before && main.dataset.state !== 'loading'
    && main.ariaBusy !== 'true'
    ? requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)))
    : requestAnimationFrame(look);
  document.getElementById(id).click();
  look();
}})"""


@dataclass(frozen=True)
class _Load:
    """One load of the page: seconds until rows are painted, and each file with its bytes sent."""

    seconds: float
    files: list[tuple[str, str, int]]

    def bytes_of(self, kind: str) -> int:
        return sum(size for _, each, size in self.files if each == kind)


def measure(scene: Scene) -> list[Section]:
    """Load and click, with the rollup where there is one."""
    scene.use_rollup(scene.options.rollup[-1])
    with product(scene) as server, _chromium() as browser:
        cold, warm = _loads(browser, server)
        clicks = _clicks(browser, server)
    figures = _figures(cold, warm, clicks)
    return [
        Section(
            key="browser",
            title=f"In a browser, at {scene.executions:,} executions",
            prose=(
                f"Headless Chromium on the same machine, {scene.rollup_words}; from the start of "
                "the navigation, or from the click, until a frame with the rows is painted. "
                f"Medians: {_LOADS} first visits with an empty cache, {_LOADS} later ones, "
                f"{_SAMPLES} clicks each. kB are as sent, compressed and with their headers."
            ),
            tables=[_waits(figures), _sizes(cold[-1], warm[-1]), _largest(cold[-1])],
            figures=figures,
        )
    ]


@contextmanager
def _chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_SWITCHES)
        try:
            yield browser
        finally:
            browser.close()


def _loads(browser: Browser, server: Server) -> tuple[list[_Load], list[_Load]]:
    """Return first visits, and a second visit after each."""
    cold, warm = [], []
    for _ in range(_LOADS):
        with _visitor(browser) as context:
            cold.append(_load(context, server))
            warm.append(_load(context, server))
    return cold, warm


@contextmanager
def _visitor(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, extra_http_headers={PROXY_HEADER: PAYER}
    )
    try:
        yield context
    finally:
        context.close()


def _load(context: BrowserContext, server: Server) -> _Load:
    page = context.new_page()
    kinds: dict[str, tuple[str, str]] = {}
    files: list[tuple[str, str, int]] = []
    session = context.new_cdp_session(page)

    def answered(event: dict[str, Any]) -> None:
        answer = event["response"]
        kinds[event["requestId"]] = (_name(answer["url"]), _kind(answer["mimeType"]))

    def finished(event: dict[str, Any]) -> None:
        if event["requestId"] in kinds:
            files.append((*kinds[event["requestId"]], round(event["encodedDataLength"])))

    session.on("Network.responseReceived", answered)
    session.on("Network.loadingFinished", finished)
    session.send("Network.enable")
    page.goto(_address(server), wait_until="commit")
    seconds = page.evaluate(_ROWS_PAINTED) / 1000
    page.wait_for_load_state("networkidle")
    page.close()
    # What the browser kept costs no bytes and is no request.
    return _Load(seconds, [file for file in files if file[2]])


def _clicks(browser: Browser, server: Server) -> dict[str, list[float]]:
    with _visitor(browser) as context:
        page = context.new_page()
        page.goto(_address(server))
        page.evaluate(_ROWS_PAINTED)
        presets = [ids.PRESETS[_PRESETS[place % 2]] for place in range(1, _SAMPLES + 3)]
        return {
            "click on a preset": _seconds(page, presets)[2:],
            "click on Next": _seconds(page, [ids.NEXT] * (_SAMPLES + 2))[2:],
        }


def _seconds(page: Page, clicked: list[str]) -> list[float]:
    return [page.evaluate(_CLICKED, element) / 1000 for element in clicked]


def _address(server: Server) -> str:
    return f"{server.url}/workspace/{BUSY}/usage?preset={_PRESETS[0].value}"


def _name(url: str) -> str:
    """Leave out of an address what changes from day to day."""
    path = url.partition("://")[2].partition("/")[2].partition("?")[0]
    return re.sub(r"\.v[\w]+m\d+", "", path)


def _kind(mime: str) -> str:
    word = mime.rpartition("/")[2].replace("javascript", "js")
    return word if word in _KINDS else "other"


def _figures(
    cold: list[_Load], warm: list[_Load], clicks: dict[str, list[float]]
) -> dict[str, float]:
    figures = {f"{name}/p50": median(seconds) for name, seconds in clicks.items()}
    for name, loads in (("first visit", cold), ("later visit", warm)):
        figures[f"{name}/p50"] = median(load.seconds for load in loads)
        figures[f"{name}/requests"] = len(loads[-1].files)
        for kind in _KINDS:
            figures[f"{name}/bytes/{kind}"] = loads[-1].bytes_of(kind)
    return figures


def _waits(figures: dict[str, float]) -> Table:
    names = ("first visit", "later visit", "click on a preset", "click on Next")
    return Table(
        ("until the rows are painted", "p50, ms"),
        [(name, milliseconds(figures[f"{name}/p50"])) for name in names],
    )


def _sizes(cold: _Load, warm: _Load) -> Table:
    rows = [
        (
            kind,
            *(
                words
                for load in (cold, warm)
                for words in (
                    f"{sum(each == kind for _, each, _ in load.files)}",
                    kilobytes(load.bytes_of(kind)),
                )
            ),
        )
        for kind in _KINDS
    ]
    totals = [
        words
        for load in (cold, warm)
        for words in (
            f"{len(load.files)}",
            kilobytes(sum(load.bytes_of(kind) for kind in _KINDS)),
        )
    ]
    header = ("kind", "requests, first", "kB", "requests, later", "kB")
    return Table(header, [*rows, ("all", *totals)])


def _largest(load: _Load) -> Table:
    files = sorted(load.files, key=lambda file: -file[2])[:12]
    return Table(
        ("largest files of the first visit", "kB"),
        [(name, kilobytes(size)) for name, _, size in files],
    )

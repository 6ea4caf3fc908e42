"""The page in a portal's frame: two origins, a real browser, tokens that come and go."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, jsonify
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Frame, Page, Request

import demo
from app import create_app
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.platform.identity import Identity
from settings import Settings
from tests.support.browsing import DEMO_VIEWER, Screen, Site
from tests.support.hosting import Host, hosted
from tests.support.serving import PATIENCE
from web.auth import embed, identify_by

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
KEY = "portal-secret-of-at-least-32-characters"
FINANCE, SUPPORT = "ws_finance", "ws_support"
BOX = "allow-scripts allow-same-origin allow-downloads"

# The portal of these tests: it logs what it is asked, and answers as its address says.
PORTAL = """<!DOCTYPE html><html lang="en">
<head><title>Portal</title><link rel="icon" href="data:,"></head><body><script>
window.asked = [];
const frame = document.createElement("iframe"), usage = "USAGE";
frame.style = "width: 1200px; height: 800px";
frame.sandbox = "BOX";
window.addEventListener("message", async (event) => {
  if (event.source !== frame.contentWindow || event.origin !== usage) return;
  window.asked.push(event.data.type);
  if (location.search.includes("silent")) return;
  const { token } = await (await fetch("/usage-token", { method: "POST" })).json();
  frame.contentWindow.postMessage({ type: "usage-token", token }, usage);
});
frame.src = usage + "/workspace/" + decodeURIComponent(location.hash.slice(1));
document.body.append(frame);
</script></body></html>"""


@dataclass
class Portal(Host):
    """A portal; ``mints`` are what it answers next, then ``usual`` ones; ``minted`` what it did."""

    url: str = ""
    usage: str = ""
    workspace: str = FINANCE
    usual: Callable[["Portal"], str] = field(default=lambda portal: portal.good())
    mints: list[str] = field(default_factory=list)
    minted: list[str] = field(default_factory=list)

    def good(self, seconds: int = 600, ago: float = 0) -> str:
        now = time.time() - ago
        return embed.mint(KEY, demo.DEMO_VIEWER_ID, self.workspace, seconds, now)

    def token(self) -> Any:
        self.minted.append(self.mints.pop(0) if self.mints else self.usual(self))
        return jsonify(token=self.minted[-1])

    def page(self) -> str:
        return PORTAL.replace("USAGE", self.usage).replace("BOX", BOX)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def portal(big_ledger: Callable[[Settings], Ledger]) -> Iterator[Portal]:
    """Yield a portal on localhost, and a product on 127.0.0.1 that it may embed."""
    with product(big_ledger) as portal:
        yield portal


@contextmanager
def product(
    big_ledger: Callable[[Settings], Ledger],
    otherwise: Viewer | None = None,
    portal_port: int = 0,
) -> Iterator[Portal]:
    portal = Portal()
    pages = Flask("portal")
    pages.add_url_rule("/", view_func=portal.page)
    pages.add_url_rule("/usage-token", view_func=portal.token, methods=["POST"])
    # A port that is only known once the portal runs, or one where somebody else's will.
    with hosted(portal, pages, "localhost") as portal.url:
        others = f"http://localhost:{portal_port or 1}"
        settings = Settings.model_validate(
            {each.alias: each.default for each in Settings.model_fields.values()}
            | {
                "USAGE_EMBED_SECRET": KEY,
                "USAGE_EMBED_ORIGINS": f"{others},{portal.url}",
                "USAGE_APP_URL": "https://app.example",
            }
        )
        ledger = big_ledger(settings)
        identify = identify_by(settings, Identity(ledger._engine), otherwise)
        app = create_app(settings, ledger, identify)
        with hosted(portal, app.server) as portal.usage:
            yield portal


class Window(Screen):
    """The page inside a portal, and everything that the browser did for it."""

    def __init__(self, portal: Portal, context: BrowserContext, ledger: Ledger) -> None:
        self.context = context
        self.page: Page = portal.visited_by(context.new_page())
        self.console: list[str] = []
        self.sent: list[Request] = []
        self.portal = portal
        site = Site(f"{portal.usage}/", ledger, DEMO_VIEWER)
        super().__init__(site, self._evaluated)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        context.on("request", lambda request: self.sent.append(request))  # noqa: PLW0108 - Playwright wraps functions only

    @property
    def frame(self) -> Frame:
        found = self.page.query_selector("iframe")
        frame = found.content_frame() if found else None
        assert frame
        return frame

    def open(self, search: str = "embed=1", *, portal: str = "", workspace: str = FINANCE) -> None:
        self.page.goto(f"{self.portal.url}/?{portal}#{workspace}/usage%3F{search}")
        self.page.wait_for_function(
            "document.querySelector('iframe').contentWindow.location !== null"
        )

    def see(self) -> Any:
        self.frame.wait_for_selector("#usage-main", state="attached")
        return super().see()

    @property
    def callbacks(self) -> list[Request]:
        return [each for each in self.sent if "_dash-update-component" in each.url]

    def bearers(self) -> list[str]:
        return [each.headers.get("authorization", "") for each in self.callbacks]

    def asked(self) -> list[str]:
        asked: list[str] = self.page.evaluate("window.asked")
        return asked

    def _evaluated(self, code: str) -> Any:
        return self.frame.evaluate(code)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.console.append(f"{message.text} {message.location['url']}")


@pytest.fixture
def window_on(
    browser: Browser, big_ledger: Callable[[Settings], Ledger]
) -> Iterator[Callable[[Portal], Window]]:
    """Yield a function that opens a portal; no console may complain, no cookie may be set."""
    windows: list[Window] = []

    def open_window(portal: Portal) -> Window:
        context = browser.new_context(
            viewport={"width": 1280, "height": 900}, reduced_motion="reduce", accept_downloads=True
        )
        context.set_default_timeout(PATIENCE * 1000)
        windows.append(Window(portal, context, big_ledger(Settings(_env_file=None))))
        return windows[-1]

    yield open_window
    cookies = [window.context.cookies() for window in windows]
    addresses = [each.url for window in windows for each in window.sent]
    complaints = [window.console for window in windows]
    for window in windows:
        window.context.close()
    assert complaints == [[] for _ in windows]
    assert cookies == [[] for _ in windows]
    minted = [token for window in windows for token in window.portal.minted]
    assert not [url for url in addresses if any(token in url for token in minted)]


@pytest.fixture
def window(window_on: Callable[[Portal], Window], portal: Portal) -> Window:
    return window_on(portal)


def test_the_page_opens_in_its_portal_without_a_header_in_the_portals_theme(
    window: Window, portal: Portal
) -> None:
    window.open("embed=1%26theme=dark")
    window.shows(FINANCE)
    assert window.frame.get_attribute("html", "data-bs-theme") == "dark"
    assert not window.frame.is_visible(".usage-header")
    padding = "getComputedStyle(document.getElementById('usage-main')).paddingLeft"
    assert window.frame.evaluate(padding) == "16px"
    badges = window.frame.locator(".usage-badge >> visible=true")
    assert badges.all_inner_texts() == ["Demo data"]
    after = "(badge) => badge.nextElementSibling.id"
    assert badges.first.evaluate(after) == "usage-as-of"
    # One token served them all, and nothing was asked without it.
    assert window.asked() == ["usage-token-request"]
    assert set(window.bearers()) == {f"Bearer {portal.minted[0]}"}


def test_every_click_keeps_the_frame_and_the_theme(window: Window) -> None:
    window.open("embed=1%26theme=light")
    first = window.shows(FINANCE)
    window.frame.click("#usage-next")
    seen = window.until(lambda seen: "rows 101–200" in seen.caption and seen.rows != first.rows)
    assert seen.search.endswith("&embed=1&theme=light")
    window.frame.click("#usage-preset-7d")
    seen = window.shows(FINANCE, lambda seen: seen.pressed == ["usage-preset-7d"])
    assert seen.search == "?preset=7d&embed=1&theme=light"
    window.page.evaluate("history.back()")
    window.until(lambda seen: "rows 101–200" in seen.caption)
    window.frame.evaluate("location.reload()")
    window.until(lambda seen: "rows 101–200" in seen.caption)
    assert not window.frame.is_visible(".usage-header")


def test_a_file_comes_out_of_a_sandboxed_frame(window: Window) -> None:
    window.open("embed=1%26preset=7d")
    window.shows(FINANCE)
    with window.page.expect_download() as event:
        window.frame.click("#usage-export")
    assert re.fullmatch(rf"usage-{FINANCE}-\d{{4}}-\d\d-\d\d\.csv", event.value.suggested_filename)
    text = Path(event.value.path()).read_text()
    assert text.startswith("Date,Execution,Workflow,Trigger,Model,Tokens,Cost (USD)\n")
    assert text.count("\n") > 10


def test_a_token_that_ran_out_is_renewed_before_anybody_notices(
    window: Window, portal: Portal
) -> None:
    # The first has half a minute left: enough for now, too little for the next question.
    portal.mints = [portal.good(30)]
    window.open()
    window.shows(FINANCE)
    window.frame.click("#usage-preset-7d")
    window.shows(FINANCE, lambda seen: seen.pressed == ["usage-preset-7d"])
    window.frame.click("#usage-preset-1d")
    window.until(lambda seen: seen.pressed == ["usage-preset-1d"])
    assert len(portal.minted) == 2
    assert window.bearers()[-1] == f"Bearer {portal.minted[1]}"


def test_a_token_that_the_server_refuses_is_replaced_and_the_question_asked_again(
    window: Window, portal: Portal
) -> None:
    # One that looks good to the browser, and is not to the server: signed with a former secret.
    stale = embed.mint("x" * 40, demo.DEMO_VIEWER_ID, FINANCE, 600, time.time())
    portal.mints = [stale]
    window.open()
    seen = window.shows(FINANCE)
    assert seen.trouble == ""
    assert portal.minted[0] == stale
    assert len(portal.minted) == 2
    # The table twice, then the figures.
    assert len(window.callbacks) == 3
    _forgive(window, "401")


def test_an_expired_token_from_a_portal_is_asked_for_once_more(
    window: Window, portal: Portal
) -> None:
    portal.mints = [portal.good(), portal.good(60, ago=120), portal.good()]
    window.open()
    window.shows(FINANCE)
    portal.minted.clear()
    # To the browser the first has run out; what the portal then sends has run out indeed.
    window.frame.evaluate("Date.now = () => 4e12")
    window.frame.click("#usage-preset-7d")
    seen = window.shows(FINANCE, lambda seen: seen.pressed == ["usage-preset-7d"])
    assert seen.trouble == ""
    # Twice for the table; by this clock the figures need another one.
    assert len(portal.minted) == 3
    _forgive(window, "401")


def test_a_portal_whose_tokens_are_all_wrong_is_asked_twice_and_told_of(
    window: Window, portal: Portal
) -> None:
    portal.usual = lambda _: "nonsense"
    window.open()
    seen = window.until(lambda seen: seen.trouble != "")
    assert "The portal's token was not signed by a portal of ours" in seen.trouble
    assert seen.rows == []
    assert len(portal.minted) == 2
    portal.usual = lambda portal: portal.good()
    window.frame.click("#usage-retry")
    window.shows(FINANCE, lambda seen: seen.trouble == "")
    _forgive(window, "401", times=2)


def test_a_portal_that_says_nothing_is_told_of_and_may_be_asked_again(window: Window) -> None:
    window.page.clock.install()
    window.open(portal="silent")
    window.page.wait_for_function("window.asked.length === 1")
    window.page.clock.run_for(10_000)
    seen = window.until(lambda seen: seen.trouble != "")
    assert seen.trouble.startswith("The portal around this page has not said who you are.")
    assert window.callbacks == []
    window.page.evaluate("history.replaceState(null, '', '/')")
    window.frame.click("#usage-retry")
    window.shows(FINANCE, lambda seen: seen.trouble == "")


def test_another_workspace_than_the_tokens_is_not_there(window: Window, portal: Portal) -> None:
    portal.workspace = SUPPORT
    window.open()
    seen = window.until(lambda seen: seen.trouble != "")
    assert "There is no such workspace among yours." in seen.trouble
    assert seen.rows == []
    _forgive(window, "404")


def test_an_origin_that_is_not_listed_cannot_frame_the_page(
    window: Window, portal: Portal, window_on: Callable[[Portal], Window]
) -> None:
    foreign = Portal(usage=portal.usage)
    pages = Flask("foreign")
    pages.add_url_rule("/", view_func=foreign.page)
    with hosted(foreign, pages, "localhost") as foreign.url:
        stranger = window_on(foreign)
        stranger.page.goto(f"{foreign.url}/#{FINANCE}/usage%3Fembed=1")
        _until(lambda: stranger.console, stranger)
        (blocked,) = stranger.console
        assert f"frame-ancestors http://localhost:1 {portal.url}" in blocked
        assert stranger.asked() == []
        assert stranger.callbacks == []
    stranger.console.clear()
    # Nor can a listed one frame what is not meant for frames.
    window.page.goto(f"{portal.url}/#{FINANCE}/usage")
    _until(lambda: len(window.console) > 1, window)
    assert "frame-ancestors 'none'" in window.console.pop(0)
    _forgive(window, "401")
    assert window.asked() == []
    assert window.callbacks == []


def test_only_the_parent_is_believed_and_nothing_but_a_token(
    window: Window, portal: Portal
) -> None:
    window.open(portal="silent")
    window.page.wait_for_function("window.asked.length === 1")
    evil, good = portal.good(500), portal.good(600)
    say = "(token) => window.postMessage({type: 'usage-token', token}, '*')"
    # From the frame to itself; from another window of the portal's own origin.
    window.frame.evaluate(say, evil)
    window.page.evaluate(
        """(token) => {
          const other = document.createElement("iframe");
          document.body.append(other);
          const script = other.contentDocument.createElement("script");
          script.textContent = `parent.frames[0].postMessage(
            {type: "usage-token", token: ${JSON.stringify(token)}}, "*")`;
          other.contentDocument.body.append(script);
          // From the parent, but no token.
          for (const data of [null, 7, {type: "usage-token"}, {type: "usage-token", token: {}},
                              {type: "usage-token", token: ""}, {token}])
            frames[0].postMessage(data, "*");
        }""",
        evil,
    )
    # Messages come in the order in which they were sent: any that is believed is asked with first.
    window.page.evaluate(
        "(token) => frames[0].postMessage({type: 'usage-token', token}, '*')", good
    )
    window.shows(FINANCE)
    assert set(window.bearers()) == {f"Bearer {good}"}


def test_a_page_that_is_not_framed_asks_nobody(window: Window, portal: Portal) -> None:
    window.page.goto(f"{portal.usage}/workspace/{FINANCE}/usage?embed=1")
    window.page.wait_for_selector("#usage-trouble:not([hidden])")
    assert "Sign in to the platform first" in window.page.inner_text("#usage-trouble")
    assert window.bearers() == [""]
    _forgive(window, "401")


def test_links_out_of_the_page_open_beside_the_portal(window: Window) -> None:
    window.open("embed=1%26preset=30d")
    window.shows(FINANCE)
    target = """(selector) => {
      const link = document.querySelector(selector);
      link.addEventListener("click", (event) => event.preventDefault());
      link.click();
      return link.target;
    }"""
    cell = '#usage-table td[data-dash-column="{}"] a'
    assert window.frame.evaluate(target, cell.format("workflow")) == "_blank"
    assert window.frame.evaluate(target, cell.format("date")) == "_self"
    assert window.frame.evaluate(target, "#usage-api-link") == "_blank"
    assert window.frame.evaluate(target, ".usage-skip") == ""


def test_the_example_portal_shows_the_demo(
    big_ledger: Callable[[Settings], Ledger],
    window_on: Callable[[Portal], Window],
) -> None:
    port = _free_port()
    with product(big_ledger, DEMO_VIEWER, portal_port=port) as portal:
        process = subprocess.Popen(
            [sys.executable, "examples/portal/portal.py"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "USAGE_EMBED_SECRET": KEY,
                "USAGE_ORIGIN": portal.usage,
                "PORTAL_PORT": str(port),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert f"http://localhost:{port}" in process.stdout.readline()
            _until(lambda: _answers(port))
            window = window_on(portal)
            window.page.goto(f"http://localhost:{port}/")
            window.shows(SUPPORT)
            with window.page.expect_download():
                window.frame.click("#usage-export")
            assert all(word.startswith("Bearer ey") for word in window.bearers())
            hosts = {urlsplit(each.url).netloc for each in window.sent if "http" in each.url[:4]}
            assert hosts == {f"localhost:{port}", urlsplit(portal.usage).netloc}
        finally:
            portal.leave()
            process.terminate()
            process.communicate(timeout=PATIENCE)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("localhost", port)) == 0


def _until(condition: Callable[[], Any], window: Window | None = None) -> None:
    """Wait for ``condition``; what a window hears comes while it is the one that waits."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        if window:
            window.page.wait_for_timeout(50)
        else:
            time.sleep(0.05)


def _forgive(window: Window, status: str, times: int = 1) -> None:
    """Take what a browser itself says of a refusal that was tried."""
    assert [status in line for line in window.console] == [True] * times, window.console
    window.console.clear()

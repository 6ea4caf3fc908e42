"""The URLs of pages: the Usage page, the list of workspaces, what is not there, health."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from dash import Dash
from flask import Flask, Response, make_response, redirect, render_template, request
from markupsafe import escape

from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.rules.errors import NotFoundError, UnauthenticatedError, UnavailableError, UsageError
from data.rules.labels import told_apart
from data.rules.shown import named
from settings import Settings
from settings.addresses import NOT_ADDRESSED, is_addressed, usage_path, workspace_in
from web.headers import asks_to_be_embedded
from web.turns import Turns

# What Dash serves itself: its callbacks, its scripts, this product's assets.
_DASH: Final = re.compile(
    r"_dash-(layout|dependencies|update-component)$|_dash-component-suites/.|assets/.|_favicon\.ico$"
)
# Dash fills in most of it, as it does any index page.
_INDEX: Final = Path(__file__).parent / "templates" / "index.html"
_ASSETS: Final = Path(__file__).parent.parent / "assets"
_PLOTLY: Final = "vendor/plotly-basic.min.js"
# Those of a plain page's own parts.
_MESSAGE_SHEETS: Final = (
    "00_bootstrap.min.css",
    "10_tokens.css",
    "20_base.css",
    "30_header.css",
    "80_messages.css",
)
# Beside every 503.
_LATER: Final = {"Retry-After": "5"}


def register(
    app: Dash,
    ledger: Ledger,
    identify: Callable[[], Viewer],
    settings: Settings,
    checks: Sequence[Callable[[], None]] = (),
) -> None:
    """Answer for every URL that is not Dash's own; ``checks`` are of what else has to be ready."""
    server: Flask = app.server
    portals = f'<meta name="usage-embed-origins" content="{escape(settings.embed_origins or "")}">'
    # Loaded once there is something to draw; a new version of it has another address.
    plotly = f"{app.get_asset_url(_PLOTLY)}?m={(_ASSETS / _PLOTLY).stat().st_mtime_ns}"
    app.index_string = (
        _INDEX.read_text("utf-8")
        .removesuffix("\n")
        .replace("{%theme%}", app.get_asset_url("theme.js"))
        .replace("{%portals%}", portals if settings.portals else "")
        .replace("{%plotly%}", plotly)
    )

    @server.before_request
    def gate() -> Any:
        path = request.path.removeprefix("/")
        if path in {"healthz", "readyz"} or path.startswith("api/") or _DASH.match(path):
            return None
        if request.method not in {"GET", "HEAD"}:
            return make_response("Only GET and HEAD.\n", 405, {"Allow": "GET, HEAD"})
        workspace_id = workspace_in(quote(request.path), "/")
        try:
            if not path:
                return _home(app, ledger, identify, settings)
            if workspace_id:
                return _usage(app, ledger, identify, workspace_id, settings)
        except UnauthenticatedError as refusal:
            return _signed_out(app, refusal, settings)
        return _not_found(app, 404, "Check the address, or start from your workspaces.", settings)

    def is_ready() -> None:
        ledger.ready(sessions=bool(settings.better_auth_secret))
        for check in checks:
            check()

    _tell_health(server, is_ready)


def _tell_health(server: Flask, is_ready: Callable[[], None]) -> None:
    """Tell whoever runs this whether it lives, and whether it can answer."""
    # The one connection that no turn can hold is asked one question at a time.
    asking = Turns(1, waiting=8)

    @server.get("/healthz")
    def health() -> Response:
        return make_response("ok\n", 200, {"Content-Type": "text/plain"})

    @server.get("/readyz")
    def ready() -> Response:
        try:
            with asking.take():
                is_ready()
        except UsageError as error:
            plain = {"Content-Type": "text/plain", **_LATER}
            return make_response(f"{error.sentence}\n", 503, plain)
        return make_response("ready\n", 200, {"Content-Type": "text/plain"})


def _home(app: Dash, ledger: Ledger, identify: Callable[[], Viewer], settings: Settings) -> Any:
    """List the viewer's workspaces; with a single one, go straight to it."""
    try:
        workspaces = ledger.workspaces(identify(), cut=True)
    except UnavailableError as error:
        page = _message(app, "Usage could not be loaded", error.status, error.sentence)
        return make_response(page, _LATER)
    names = told_apart({workspace.id: workspace.name for workspace in workspaces}, named)
    links = [
        {"href": usage_path(settings.url_prefix, key, {}), "name": name}
        if is_addressed(key)
        else {"name": name, "why": NOT_ADDRESSED}
        for key, name in names.items()
    ]
    if not links:
        sentence = "Ask the owner of a workspace for access to it."
        return _message(app, "You have no workspaces", 200, sentence)
    return (
        redirect(links[0]["href"])
        if len(links) == 1 and "href" in links[0]
        else _message(app, "Your workspaces", 200, links=links)
    )


def _usage(
    app: Dash,
    ledger: Ledger,
    identify: Callable[[], Viewer],
    workspace_id: str,
    settings: Settings,
) -> Any:
    """Return the page for the viewer's own workspaces; nothing else is there.

    A portal's frame gets the same page for every id: who looks is known once it has a token.
    """
    if asks_to_be_embedded(settings):
        return app.index()  # type: ignore[no-untyped-call]  # Dash's own gap
    try:
        ledger.account(identify(), workspace_id)
    except NotFoundError as error:
        return _not_found(app, error.status, error.sentence, settings)
    except UnavailableError as error:
        # The page itself tells of the trouble, and recovers without a reload.
        shell = app.index()  # type: ignore[no-untyped-call]  # Dash's own gap
        return make_response(shell, error.status, _LATER)
    # Not left to Dash's own route, which takes no line break in an id.
    return app.index()  # type: ignore[no-untyped-call]  # Dash's own gap


def _not_found(app: Dash, status: int, sentence: str, settings: Settings) -> Response:
    links = [{"href": settings.url_prefix, "name": "Your workspaces"}]
    return _message(app, "Page not found", status, sentence, links)


def _signed_out(app: Dash, refusal: UnauthenticatedError, settings: Settings) -> Response:
    links = [{"href": settings.app_url, "name": "Open the platform"}] if settings.app_url else []
    return _message(app, "You are not signed in", refusal.status, refusal.sentence, links)


def _message(
    app: Dash,
    title: str,
    status: int,
    sentence: str = "",
    links: Sequence[Mapping[str, str]] = (),
) -> Response:
    page = render_template(
        "message.html",
        title=title,
        sentence=sentence,
        links=links,
        sheets=[app.get_asset_url(name) for name in _MESSAGE_SHEETS],
        theme=app.get_asset_url("theme.js"),
        # Without it a browser asks for /favicon.ico, which is not there.
        icon=f"{app.config.requests_pathname_prefix}_favicon.ico",
    )
    return make_response(page, status)

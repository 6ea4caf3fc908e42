"""The application: page, API and sign-in over one ledger, as the web server calls it."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from dash import Dash, set_props
from sqlalchemy import Engine
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import components
from components import ids
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.platform.identity import Identity
from settings import Settings
from web import api, guard, headers, pages
from web.admission import Admission
from web.auth import identify_by

_LOG: Final = logging.getLogger("usage")

_ASSETS: Final = Path(__file__).parent.parent / "assets"
_TEMPLATES: Final = Path(__file__).parent / "templates"


def create_app(
    settings: Settings,
    ledger: Ledger,
    identify: Callable[[], Viewer],
    checks: Sequence[Callable[[], None]] = (),
) -> Dash:
    """Return the application: pages and callbacks over ``ledger``, for whom ``identify`` names.

    Each of ``checks`` raises UnavailableError where it is not ready.
    """
    app = Dash(
        "usage",
        assets_folder=str(_ASSETS),
        assets_ignore=r"theme\.js|plotly-basic\.min\.js|.*LICENSE.*",
        title="Usage",
        update_title="",
        compress=True,
        enable_mcp=False,
        requests_pathname_prefix=settings.url_prefix,
        routes_pathname_prefix="/",
        on_error=_unexpected,
    )
    app.server.template_folder = str(_TEMPLATES)
    # A proxy may strip the prefix or keep it: both arrive at the same routes.
    if settings.url_prefix != "/":
        app.server.wsgi_app = DispatcherMiddleware(
            app.server.wsgi_app, {settings.url_prefix.rstrip("/"): app.server.wsgi_app}
        )
    guard.register(app)
    pages.register(app, ledger, identify, settings, checks)
    api.register(app.server, ledger, identify, settings)
    components.register(app, ledger, identify, settings)
    headers.register(app.server, app.csp_hashes(), settings)
    return app


def _unexpected(error: Exception) -> None:
    """Log what nobody foresaw, and tell the viewer that something went wrong."""
    _LOG.error("a callback failed", exc_info=error)
    set_props(ids.TROUBLE_TEXT, {"children": "Something went wrong here. Try again in a moment."})
    set_props(ids.TROUBLE, {"hidden": False})


def application(settings: Settings, engine: Engine, otherwise: Viewer | None = None) -> Any:
    """Return what the web server calls (WSGI): the application, each request in its turn."""
    admission = Admission()
    ledger = Ledger(engine, settings.billing, file_turn=admission.file)
    identify = admission.before(identify_by(settings, Identity(engine), otherwise))
    return admission.over(create_app(settings, ledger, identify, [admission.check]).server)

"""What every answer tells browsers: where it may load from, who may frame it, what to keep."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from flask import Flask, Response, request

from settings import Settings
from settings.addresses import workspace_in
from web.auth.proxy import is_listed

_YEAR: Final = 365 * 24 * 60 * 60
_CALLBACKS: Final = "/_dash-update-component"


def register(server: Flask, script_hashes: Sequence[str], settings: Settings) -> None:
    """Put the headers on every answer of ``server``.

    ``script_hashes`` are those of the scripts that a page holds itself: Dash's own start.
    """
    closed = _policy(script_hashes, ["'none'"])
    open_to_portals = _policy(script_hashes, settings.portals)

    @server.after_request
    def guard(response: Response) -> Response:
        headers = response.headers
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        embedded = asks_to_be_embedded(settings)
        if not embedded:
            headers["X-Frame-Options"] = "DENY"
        # "Not modified" has no body, whatever type it is given.
        page = response.mimetype == "text/html" and response.status_code != HTTPStatus.NOT_MODIFIED
        if page:
            headers["Content-Security-Policy"] = open_to_portals if embedded else closed
        if page or request.path == _CALLBACKS or not _says_what_may_be_kept(response):
            headers["Cache-Control"] = "private, no-store"
        elif _is_fingerprinted_asset():
            headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
        if _came_by_https(settings):
            headers["Strict-Transport-Security"] = f"max-age={_YEAR}"
        return response


def _came_by_https(settings: Settings) -> bool:
    """Tell whether the browser did, which only the proxy that is configured can know."""
    peer = request.environ.get("REMOTE_ADDR", "")
    said = request.headers.get("X-Forwarded-Proto", "")
    return said.lower() == "https" and is_listed(peer, settings.proxy_networks)


def _says_what_may_be_kept(response: Response) -> bool:
    """Tell whether it says so itself: for how long, or how to ask whether it is still the same."""
    headers = response.headers
    unchanged = response.status_code == HTTPStatus.NOT_MODIFIED
    return unchanged or "Cache-Control" in headers or "ETag" in headers


def _is_fingerprinted_asset() -> bool:
    """Tell whether the address would be another one if the file had changed: Dash adds its time."""
    return request.path.startswith("/assets/") and "m" in request.args


def asks_to_be_embedded(settings: Settings) -> bool:
    """Tell whether the request is for the page in a portal's frame, and a portal is set up."""
    shell = workspace_in(quote(request.path), "/") and request.args.getlist("embed") == ["1"]
    return bool(settings.portals and shell)


def _policy(script_hashes: Sequence[str], ancestors: Sequence[str]) -> str:
    rules = {
        "default-src": ["'self'"],
        "script-src": ["'self'", *script_hashes],
        # Dash's components and Bootstrap's set styles on their elements.
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ancestors,
    }
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in rules.items())

"""What is served to programs: the endpoints and their description."""

from collections.abc import Callable

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from data.answers.ledger import Ledger
from data.platform.access import Viewer
from settings import Settings
from web.api import errors, routes


def register(
    server: Flask, ledger: Ledger, identify: Callable[[], Viewer], settings: Settings
) -> None:
    """Answer everything below ``/api/``; ``identify`` tells who asks, at every question."""
    server.register_blueprint(routes.blueprint(ledger, identify, settings))
    endpoints = {
        rule.rule
        for rule in server.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and not rule.arguments
    }

    @server.before_request
    def astray() -> Response | None:
        """Refuse what Dash would take for a page, such as ``/api//billing/usage``."""
        below = request.path.startswith("/api/")
        return errors.not_found() if below and request.url_rule and not request.blueprint else None

    @server.after_request
    def never_stored(response: Response) -> Response:
        asset = request.endpoint == "api.static" and response.status_code < 400
        if request.path.startswith("/api/") and not asset:
            response.headers["Cache-Control"] = "private, no-store"
        return response

    @server.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response | HTTPException:
        """Tell a refusal that no endpoint made, such as that of a method, in the API's shape."""
        if not request.path.startswith("/api/"):
            return error
        return errors.answer(error) if request.path in endpoints else errors.not_found()

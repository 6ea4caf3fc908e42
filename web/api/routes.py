"""The routes of the API: one for each endpoint of the table, and two that describe them."""

from collections.abc import Callable

import orjson
from flask import Blueprint, Response, render_template
from pydantic import BaseModel

from data.answers.ledger import Ledger
from data.platform.access import Viewer
from settings import Settings
from web.api import errors, openapi
from web.api.endpoint import Call, Endpoint
from web.api.endpoints import ENDPOINTS


def blueprint(ledger: Ledger, identify: Callable[[], Viewer], settings: Settings) -> Blueprint:
    """Return the API over ``ledger``."""
    api = Blueprint("api", __name__, static_folder="viewer", static_url_path="/api/viewer")
    api.register_error_handler(Exception, errors.answer)

    def answering(endpoint: Endpoint) -> Callable[[], Response]:
        def answer() -> Response:
            body = endpoint.answer(Call(endpoint, ledger, identify(), settings))
            return _json(body) if isinstance(body, BaseModel) else body

        return answer

    for endpoint in ENDPOINTS:
        api.add_url_rule(endpoint.path, endpoint.operation_id, answering(endpoint))
    _describe(api, settings)

    @api.get("/api/", defaults={"rest": ""})
    @api.get("/api/<path:rest>")
    def unknown(rest: str) -> Response:
        del rest
        return errors.not_found()

    return api


def _describe(api: Blueprint, settings: Settings) -> None:
    """Serve the description of the API, to programs and to people."""

    @api.get("/api/openapi.json")
    def document() -> Response:
        described = orjson.dumps(openapi.document(settings.url_prefix))
        return Response(described, mimetype="application/json")

    @api.get("/api/docs")
    def docs() -> str:
        base = f"{settings.url_prefix}api"
        return render_template(
            "docs.html",
            viewer=f"{base}/viewer/rapidoc-min.js",
            document=f"{base}/openapi.json",
            icon=f"{settings.url_prefix}_favicon.ico",
        )


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(by_alias=True), mimetype="application/json")

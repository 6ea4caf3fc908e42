"""The endpoints: each reads a UsageQuery, asks the ledger, and answers with a typed body."""

from collections.abc import Callable
from typing import Final

import orjson
from flask import Blueprint, Response, render_template_string
from pydantic import BaseModel

from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.question.params import one_of, single_values, workspace_named
from data.question.query import Split
from data.rules.errors import BadRequestError
from settings import Settings
from web.api import bodies, errors, exporting, figure_bodies, openapi
from web.api.asking import params_given, params_known, query_of
from web.api.params import ExecutionParams, FilterParams, ListParams, SeriesParams

_DOCS: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · Usage</title><link rel="icon" href="{{ icon }}">
<script type="module" src="{{ viewer }}"></script>
</head>
<body>
<rapi-doc spec-url="{{ document }}" load-fonts="false" show-header="false" render-style="read"
 schema-description-expanded="true" allow-authentication="false" allow-server-selection="false"
 regular-font="system-ui, sans-serif" primary-color="#1f57c3"></rapi-doc>
</body>
</html>"""


def blueprint(ledger: Ledger, identify: Callable[[], Viewer], settings: Settings) -> Blueprint:
    """Return the API over ``ledger``."""
    api = Blueprint(
        "api", __name__, url_prefix="/api", static_folder="viewer", static_url_path="/viewer"
    )
    api.register_error_handler(Exception, errors.answer)

    @api.get("/billing/usage")
    def usage() -> Response:
        viewer = identify()
        query = query_of(ledger, viewer, ListParams)
        return _json(bodies.usage_list(ledger.page(viewer, query), query, settings))

    @api.get("/billing/usage/summary")
    def summary() -> Response:
        viewer = identify()
        query = query_of(ledger, viewer, FilterParams)
        return _json(figure_bodies.usage_summary(ledger.summary(viewer, query), settings))

    @api.get("/billing/usage/series")
    def series() -> Response:
        viewer = identify()
        query = query_of(ledger, viewer, SeriesParams)
        split = one_of(Split, "split", params_given())
        return _json(
            figure_bodies.usage_series(ledger.figures(viewer, query, split), split, settings)
        )

    @api.get("/billing/usage/execution")
    def execution() -> Response:
        viewer = identify()
        workspace_id, row_id = _execution_named(viewer)
        return _json(
            bodies.usage_execution(ledger.execution(viewer, workspace_id, row_id), settings)
        )

    @api.get("/billing/usage/export")
    def export() -> Response:
        return exporting.export(ledger, identify())

    @api.get("/billing/usage/export/manifest")
    def manifest() -> Response:
        return _json(exporting.manifest(ledger, identify()))

    @api.get("/billing/workspaces")
    def workspaces() -> Response:
        viewer = identify()
        single_values(params_given(), known=())
        return _json(bodies.workspace_list(ledger.workspaces(viewer), settings))

    _describe(api, settings)

    @api.get("/", defaults={"rest": ""})
    @api.get("/<path:rest>")
    def unknown(rest: str) -> Response:
        del rest
        return errors.not_found()

    return api


def _describe(api: Blueprint, settings: Settings) -> None:
    """Serve the description of the API, to programs and to people."""

    @api.get("/openapi.json")
    def document() -> Response:
        described = orjson.dumps(openapi.document(settings.url_prefix))
        return Response(described, mimetype="application/json")

    @api.get("/docs")
    def docs() -> str:
        base = f"{settings.url_prefix}api"
        return render_template_string(
            _DOCS,
            viewer=f"{base}/viewer/rapidoc-min.js",
            document=f"{base}/openapi.json",
            icon=f"{settings.url_prefix}_favicon.ico",
        )


def _execution_named(viewer: Viewer) -> tuple[str, str]:
    single = single_values(params_given(), params_known(ExecutionParams))
    workspace_id = workspace_named(single, viewer.workspace_id)
    if "id" not in single:
        raise BadRequestError(
            "id is missing; the list gives that of every row.", param="id", code="parameter_missing"
        )
    return workspace_id, single["id"]


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(by_alias=True), mimetype="application/json")

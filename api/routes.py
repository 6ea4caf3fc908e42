"""The endpoints: each reads a UsageQuery, asks the ledger, and answers with a typed body."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Final
from urllib.parse import quote

import orjson
from flask import Blueprint, Response, render_template_string, request
from pydantic import BaseModel

from api import bodies, errors, openapi
from api.models import ExecutionParams, FilterParams, ListParams, WindowParams
from data.access import Viewer
from data.errors import BadRequestError
from data.export import ROW_LIMIT, file_name, write_csv
from data.ledger import Ledger
from data.query import UsageQuery, single_values, workspace_named
from settings import Settings

_LINES_A_CHUNK: Final = 500

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
        query = _query(ledger, viewer, ListParams)
        return _json(bodies.usage_list(ledger.page(viewer, query), query, settings))

    @api.get("/billing/usage/summary")
    def summary() -> Response:
        viewer = identify()
        query = _query(ledger, viewer, FilterParams)
        return _json(bodies.usage_summary(ledger.summary(viewer, query), settings))

    @api.get("/billing/usage/execution")
    def execution() -> Response:
        viewer = identify()
        workspace_id, row_id = _execution_named(viewer)
        return _json(
            bodies.usage_execution(ledger.execution(viewer, workspace_id, row_id), settings)
        )

    @api.get("/billing/usage/export")
    def export() -> Response:
        return _export(ledger, identify())

    @api.get("/billing/workspaces")
    def workspaces() -> Response:
        viewer = identify()
        single_values(request.args.to_dict(flat=False), known=())
        return _json(bodies.workspace_list(ledger.workspaces(viewer), settings))

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

    @api.get("/", defaults={"rest": ""})
    @api.get("/<path:rest>")
    def unknown(rest: str) -> Response:
        del rest
        return errors.not_found()

    return api


def _query(ledger: Ledger, viewer: Viewer, params: type[WindowParams]) -> UsageQuery:
    return UsageQuery.parse(
        request.args.to_dict(flat=False),
        workspace_id=viewer.workspace_id,
        now=datetime.now(UTC),
        zone=ledger.zone,
        known=_known(params),
    )


def _execution_named(viewer: Viewer) -> tuple[str, str]:
    single = single_values(request.args.to_dict(flat=False), _known(ExecutionParams))
    workspace_id = workspace_named(single, viewer.workspace_id)
    if "id" not in single:
        raise BadRequestError(
            "id is missing; the list gives that of every row.", param="id", code="parameter_missing"
        )
    return workspace_id, single["id"]


def _known(params: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in params.model_fields.items()]


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(by_alias=True), mimetype="application/json")


def _export(ledger: Ledger, viewer: Viewer) -> Response:
    """Stream the file; what goes wrong before its first rows is still told as an error."""
    now = datetime.now(UTC)
    query = _query(ledger, viewer, FilterParams)
    with ExitStack() as stack:
        answer = stack.enter_context(ledger.export(viewer, query))
        chunks = _chunks(write_csv(answer.rows))
        # Only its length tells a client of HTTP/1.0 a short file from a whole one.
        whole = request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0"
        body = b"".join(chunks) if whole else chain([next(chunks)], chunks)
        response = Response(body, mimetype="text/csv")
        if not whole:
            response.call_on_close(stack.pop_all().close)
    name = file_name(query.workspace_id, now, ledger.zone)
    response.headers["Content-Disposition"] = _attachment(name)
    response.headers["X-Export-Truncated"] = "1" if answer.total > ROW_LIMIT else "0"
    response.headers["X-Export-Row-Limit"] = str(ROW_LIMIT)
    return response


def _attachment(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    # The second form is for ids beyond ASCII only: RFC 6266.
    beyond = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{beyond}'


def _chunks(lines: Iterable[str]) -> Iterator[bytes]:
    """Gather lines, so that not every one of them is sent by itself."""
    rest = iter(lines)
    while gathered := "".join(islice(rest, _LINES_A_CHUNK)):
        yield gathered.encode()

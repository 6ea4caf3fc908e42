"""The OpenAPI document, derived from the types of what the API takes and gives."""

from functools import cache
from typing import Any, Final

from openapi_pydantic import (
    Components,
    Header,
    Info,
    MediaType,
    OpenAPI,
    Operation,
    Parameter,
    PathItem,
    Reference,
    Response,
    Schema,
)
from openapi_pydantic.util import PydanticSchema, construct_open_api_with_schema_class
from pydantic import BaseModel

from data.files.columns import COLUMNS, MORE_COLUMNS
from data.files.export import ROW_LIMIT
from settings import VERSION
from web.api import figure_models, file_models, models, params

_JSON: Final = "application/json"
_REFUSALS: Final = {
    "400": "A parameter is unknown, empty, doubled, malformed or contradicts another; `param` "
    "names it, `message` says what to send instead.",
    "401": "Nobody can be named who asks: no credential was sent, or one that does not hold.",
    "404": "There is no such workspace among the viewer's.",
    "405": "Only GET and HEAD.",
    "503": "The database did not answer in time, or too many ask at once; ask again after "
    "`Retry-After` seconds.",
}


def _header(description: str, **schema: Any) -> Header | Reference:
    return Header(
        description=description, required=True, param_schema=Schema(type="string", **schema)
    )


_BESIDE: Final = {
    "401": {"WWW-Authenticate": _header("How to say who asks.")},
    "405": {"Allow": _header("The methods that are answered.")},
    "503": {"Retry-After": _header("Seconds after which to ask again.")},
}


@cache
def document(prefix: str) -> dict[str, Any]:
    """Return the document for an API that is served below ``prefix``."""
    described = OpenAPI(
        info=Info(
            title="Usage Ledger",
            version=VERSION,
            description="What every workflow execution cost, which of it the plan includes and "
            "which is billed on demand. Money is decimal strings with every stored digit, times "
            "are RFC 3339 in UTC, windows are half open: `[from, to)`.",
        ),
        servers=[{"url": prefix.rstrip("/") or "/"}],
        paths={
            "/api/billing/usage": _get(
                "listUsage",
                "A page of executions, newest first",
                "Walk to older rows with `starting_after`: `next_cursor`, to newer ones with "
                "`ending_before`: `previous_cursor`; null is the end. A cursor keeps the window as "
                "it was first resolved, works in any process, and grants nothing.",
                params.ListParams,
                _body(models.UsageList, "The page."),
            ),
            "/api/billing/usage/summary": _get(
                "summarizeUsage",
                "Sums over the whole window",
                "They equal the sums of all pages to the last digit.",
                params.FilterParams,
                _body(figure_models.UsageSummary, "The sums."),
            ),
            "/api/billing/usage/series": _get(
                "chartUsage",
                "The course of the window's costs",
                "By the hour for a day or two, by the day up to 400 of them, else by the month.",
                params.SeriesParams,
                _body(figure_models.UsageSeries, "The course."),
            ),
            "/api/billing/usage/export": _get(
                "exportUsage",
                "The window as CSV",
                f"The newest {ROW_LIMIT:,} rows, newest first, with the columns "
                f"`{','.join(COLUMNS)}`; extended by `{','.join(MORE_COLUMNS)}`. A connection that "
                "breaks off is an incomplete file.",
                params.ExportParams,
                _file(),
            ),
            "/api/billing/usage/export/manifest": _get(
                "describeExport",
                "What proves a file of the window complete",
                "Describes the file that the same question gives now: as long as nothing changed, "
                "its bytes have this hash.",
                params.ManifestParams,
                _body(file_models.ExportManifest, "The manifest."),
            ),
            "/api/billing/usage/execution": _get(
                "getExecution",
                "Everything known of one execution",
                "Where it is not in that workspace, the 404 names `id`.",
                params.ExecutionParams,
                _body(models.UsageExecution, "The execution."),
            ),
            "/api/billing/workspaces": _get(
                "listWorkspaces",
                "The viewer's workspaces, by name",
                "",
                params.NoParams,
                _body(models.WorkspaceList, "The workspaces."),
                refusals=("400", "401", "405", "503"),
            ),
        },
        components=Components(),
    )
    filled = construct_open_api_with_schema_class(described)
    written: dict[str, Any] = filled.model_dump(mode="json", by_alias=True, exclude_none=True)
    return written


def _get(
    operation_id: str,
    summary: str,
    description: str,
    taken: type[BaseModel],
    success: Response,
    *,
    refusals: tuple[str, ...] = tuple(_REFUSALS),
) -> PathItem:
    responses: dict[str, Response | Reference] = {"200": success}
    for status in refusals:
        refusal = _body(models.Error, _REFUSALS[status])
        refusal.headers = _BESIDE.get(status)
        responses[status] = refusal
    return PathItem(
        get=Operation(
            tags=["Billing"],
            operationId=operation_id,
            summary=summary,
            description=description or None,
            parameters=_parameters(taken),
            responses=responses,
        )
    )


def _parameters(taken: type[BaseModel]) -> list[Parameter | Reference]:
    schema = taken.model_json_schema(by_alias=True, ref_template="#/components/schemas/{model}")
    definitions = schema.get("$defs", {})
    return [
        Parameter.model_validate(
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "description": field.pop("description", None),
                "schema": _single(field, definitions),
            }
        )
        for name, field in schema["properties"].items()
    ]


def _single(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter's schema: a query string has no null, and no name for its type."""
    default = {"default": field["default"]} if field.get("default") is not None else {}
    kinds: list[Any] = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    kind: dict[str, Any] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if "$ref" in kind:
        kind = definitions[kind["$ref"].rpartition("/")[2]]
    return {key: value for key, value in kind.items() if key not in {"title", "default"}} | default


def _body(model: type[BaseModel], description: str) -> Response:
    return Response(
        description=description,
        content={_JSON: MediaType(media_type_schema=PydanticSchema(schema_class=model))},
    )


def _file() -> Response:
    return Response(
        description="The file; with `manifest=1`, the archive that holds it.",
        content={
            "text/csv": MediaType(media_type_schema=Schema(type="string")),
            "application/zip": MediaType(media_type_schema=Schema(type="string")),
        },
        headers={
            "Content-Disposition": _header(
                "`attachment` with `usage-<workspaceId>-<YYYY-MM-DD>.csv`, or `.zip`."
            ),
            "X-Export-Truncated": _header(
                "1 where the window holds more rows than the file.", enum=["0", "1"]
            ),
            "X-Export-Row-Limit": _header("The most rows that a file holds."),
        },
    )

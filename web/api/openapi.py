"""The OpenAPI document, derived from the table of endpoints and the types that it names."""

from functools import cache
from typing import Any

from openapi_pydantic import Components, Info, OpenAPI, Operation, Parameter, PathItem, Reference
from openapi_pydantic.util import construct_open_api_with_schema_class
from pydantic import BaseModel

from settings import VERSION
from web.api.endpoint import Endpoint
from web.api.endpoints import ENDPOINTS
from web.api.params import WorkspaceParams
from web.api.responses import REFUSALS


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
        paths={endpoint.path: PathItem(get=_operation(endpoint)) for endpoint in ENDPOINTS},
        components=Components(),
    )
    filled = construct_open_api_with_schema_class(described)
    written: dict[str, Any] = filled.model_dump(mode="json", by_alias=True, exclude_none=True)
    return written


def _operation(endpoint: Endpoint) -> Operation:
    refusals = dict(REFUSALS)
    if not issubclass(endpoint.params, WorkspaceParams):
        del refusals["404"]
    return Operation(
        tags=["Billing"],
        operationId=endpoint.operation_id,
        summary=endpoint.summary,
        description=endpoint.description or None,
        parameters=_parameters(endpoint.params),
        responses={"200": endpoint.success, **refusals},
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

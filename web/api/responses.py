"""Responses as the OpenAPI document describes them."""

from typing import Any, Final

from openapi_pydantic import Header, MediaType, Reference, Response, Schema
from openapi_pydantic.util import PydanticSchema
from pydantic import BaseModel

from web.api.models import Error


def json_body(model: type[BaseModel], description: str) -> Response:
    """Return the response whose body is ``model``."""
    return Response(
        description=description,
        content={
            "application/json": MediaType(media_type_schema=PydanticSchema(schema_class=model))
        },
    )


def header(description: str, **schema: Any) -> Header | Reference:
    """Return a header of a response."""
    return Header(
        description=description, required=True, param_schema=Schema(type="string", **schema)
    )


def _refusal(description: str, **headers: Header | Reference) -> Response:
    refusal = json_body(Error, description)
    refusal.headers = {name.replace("_", "-"): told for name, told in headers.items()} or None
    return refusal


REFUSALS: Final = {
    "400": _refusal(
        "A parameter is unknown, empty, doubled, malformed or contradicts another; `param` "
        "names it, `message` says what to send instead."
    ),
    "401": _refusal(
        "Nobody can be named who asks: no credential was sent, or one that does not hold.",
        WWW_Authenticate=header("How to say who asks."),
    ),
    "404": _refusal("There is no such workspace among the viewer's."),
    "405": _refusal("Only GET and HEAD.", Allow=header("The methods that are answered.")),
    "503": _refusal(
        "The database did not answer in time, or too many ask at once; ask again after "
        "`Retry-After` seconds.",
        Retry_After=header("Seconds after which to ask again."),
    ),
}

"""What a request asks, read by the types that describe it."""

from datetime import UTC, datetime
from urllib.parse import unquote, unquote_to_bytes

from flask import request
from pydantic import BaseModel

from api.models import WindowParams
from data.access import Viewer
from data.errors import BadRequestError
from data.ledger import Ledger
from data.query import UsageQuery


def params_given() -> dict[str, list[str]]:
    """Return the parameters of the request, each with all of its values; refuse what is no text."""
    for pair in request.query_string.split(b"&"):
        name, _, value = pair.partition(b"=")
        try:
            unquote_to_bytes(value).decode()
        except UnicodeDecodeError:
            word = unquote(name.decode("ascii", "replace"))[:80]
            raise BadRequestError(
                f"{word} is not UTF-8; write each byte of the text as % and two digits.", param=word
            ) from None
    return request.args.to_dict(flat=False)


def params_known(params: type[BaseModel]) -> list[str]:
    """Return the names of the parameters that an endpoint takes."""
    return [field.alias or name for name, field in params.model_fields.items()]


def query_of(ledger: Ledger, viewer: Viewer, params: type[WindowParams]) -> UsageQuery:
    """Return the question that the request asks of an endpoint which takes ``params``."""
    return UsageQuery.parse(
        params_given(),
        workspace_id=viewer.workspace_id,
        now=datetime.now(UTC),
        zone=ledger.zone,
        known=params_known(params),
    )

"""What a request asks, read by the types that describe it."""

from datetime import UTC, datetime
from urllib.parse import unquote, unquote_to_bytes

from flask import request
from pydantic import BaseModel

from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.question.filters import FILTER_PARAMS
from data.question.query import UsageQuery
from data.rules.errors import BadRequestError
from web.api.params import WindowParams


def params_given() -> dict[str, list[str]]:
    """Return the parameters of the request, each with all of its values.

    A filter that is no text is refused; a workspace that is none is not there, like any other.
    """
    for pair in request.query_string.split(b"&"):
        name, _, value = pair.partition(b"=")
        word = unquote(name.decode("ascii", "replace"))
        if word in FILTER_PARAMS and not _is_utf_8(unquote_to_bytes(value)):
            raise BadRequestError(
                f"{word} is not UTF-8; write each byte of the text as % and two digits.", param=word
            )
    return request.args.to_dict(flat=False)


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


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

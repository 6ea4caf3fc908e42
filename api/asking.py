"""What a request asks, read by the types that describe it."""

from datetime import UTC, datetime

from flask import request
from pydantic import BaseModel

from api.models import WindowParams
from data.access import Viewer
from data.ledger import Ledger
from data.query import UsageQuery


def params_given() -> dict[str, list[str]]:
    """Return the parameters of the request, each with all of its values."""
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

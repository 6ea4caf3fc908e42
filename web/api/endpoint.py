"""What an endpoint is, and what its answer is made from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote, unquote_to_bytes

from flask import Response, request
from openapi_pydantic import Response as DescribedResponse
from pydantic import BaseModel

from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.question.filters import FILTER_PARAMS
from data.question.query import UsageQuery
from data.rules.errors import BadRequestError
from settings import Settings


@dataclass(frozen=True, eq=False)
class Endpoint:
    """An address of the API: what it takes, who answers, and how both are described."""

    path: str
    operation_id: str
    summary: str
    description: str
    params: type[BaseModel]
    answer: Callable[["Call"], BaseModel | Response]
    success: DescribedResponse

    @property
    def known(self) -> list[str]:
        """The names of the parameters that a request may carry."""
        return [field.alias or name for name, field in self.params.model_fields.items()]


@dataclass(frozen=True)
class Call:
    """A request of ``viewer`` to ``endpoint``."""

    endpoint: Endpoint
    ledger: Ledger
    viewer: Viewer
    settings: Settings

    def given(self) -> dict[str, list[str]]:
        """Return the parameters of the request, each with all of its values.

        A filter that is no text is refused; a workspace that is none is not there, like any other.
        """
        for pair in request.query_string.split(b"&"):
            name, _, value = pair.partition(b"=")
            word = unquote(name.decode("ascii", "replace"))
            if word in FILTER_PARAMS and not _is_utf_8(unquote_to_bytes(value)):
                raise BadRequestError(
                    f"{word} is not UTF-8; write each byte of the text as % and two digits.",
                    param=word,
                )
        return request.args.to_dict(flat=False)

    def query(self) -> UsageQuery:
        """Return the question that the request asks."""
        return UsageQuery.parse(
            self.given(),
            workspace_id=self.viewer.workspace_id,
            now=datetime.now(UTC),
            zone=self.ledger.zone,
            known=self.endpoint.known,
        )


def _is_utf_8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True

"""What several answers of the API share, as types; the OpenAPI document is derived from them.

Money is a decimal string with every stored digit, times are RFC 3339 in UTC with microseconds.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from data.rules.calendar import Preset
from data.rules.labels import UsageType

Instant = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-11-22T09:15:27.412000Z"]}
    ),
]
Dollars = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "examples": ["0.012493750000000001"]}
    ),
]
Unfinished = Annotated[
    int,
    Field(
        description="Executions whose status is running, pending, paused or redacting; "
        "their cost so far counts."
    ),
]


class Model(BaseModel):
    """A type of the API; a field that is not named here is a mistake."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Period(Model):
    """The window of an answer, as it was resolved."""

    from_: Instant = Field(alias="from")
    to: Instant
    timezone: str
    preset: Preset | None


class BillingPeriod(Model):
    """The span of one running total."""

    from_: Instant = Field(alias="from")
    to: Instant | None = Field(
        description="Null where it has no end: since the beginning, of a payer without a "
        "subscription."
    )
    name: str = Field(description="Its name to people, such as `November` or `5 Nov – 5 Dec`.")


class Workflow(Model):
    """The workflow that ran."""

    id: str | None = Field(description="Null where the workflow was deleted.")
    name: str
    url: str | None = Field(description="Null where the host platform's address is not set.")


class Execution(Model):
    """One execution of a workflow."""

    id: str
    execution_id: str
    date: Instant = Field(description="When it started.")
    type: UsageType = Field(
        description="`included` while the payer's running total is at most the limit."
    )
    status: str
    trigger: str
    workflow: Workflow
    model: str | None = Field(description="The dearest of `models`.")
    models: list[str]
    tokens: int | None = Field(description="Input and output; null where unknown.")
    tokens_complete: bool = Field(
        description="False where a model was used of which the platform recorded no tokens: there "
        "were at least `tokens`, or, where these are null, nobody knows how many. Sums count what "
        "is recorded."
    )
    cost_usd: Dollars | None = Field(description="Null where the cost was not recorded.")
    on_demand_usd: Dollars | None = Field(description="The part of the cost above the limit.")


class Answer(Model):
    """What every answer about a window begins with."""

    object: str
    period: Period
    as_of: Instant


class Sums(Model):
    """What some executions add up to."""

    executions: int
    tokens: int
    cost_usd: Dollars = Field(description="`included_usd` and `on_demand_usd` together.")
    included_usd: Dollars
    on_demand_usd: Dollars
    unknown: int = Field(description="Executions whose cost was not recorded; 0 in the sums.")


class SpanSums(Sums):
    """The sums of a span of time."""

    unfinished: Unfinished
    from_: Instant = Field(alias="from")
    to: Instant


class ErrorType(StrEnum):
    """Whose mistake it is."""

    INVALID_REQUEST = "invalid_request_error"
    AUTHENTICATION = "authentication_error"
    API = "api_error"


class Trouble(Model):
    """What went wrong."""

    type: ErrorType
    code: str = Field(description="For programs; stable.")
    message: str = Field(description="For people: what to send instead.")
    param: str | None = Field(description="The parameter that is meant.")


class Error(Model):
    """The one shape of every error."""

    error: Trouble

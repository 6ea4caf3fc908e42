"""What the API gives, as types; the OpenAPI document is derived from them.

Money is a decimal string with every stored digit, times are RFC 3339 in UTC with microseconds.
"""

from enum import StrEnum
from typing import Annotated, Literal

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
SignedDollars = Annotated[
    str,
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["0.005"]}),
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
    cost_usd: Dollars | None = Field(description="Null where the cost was not recorded.")
    on_demand_usd: Dollars | None = Field(description="The part of the cost above the limit.")


class UsageList(Model):
    """A page of executions, newest first."""

    object: Literal["list"] = "list"
    url: str
    has_more: bool = Field(description="Whether there are more rows in the direction asked for.")
    next_cursor: str | None = Field(description="For `starting_after`: older rows.")
    previous_cursor: str | None = Field(description="For `ending_before`: newer rows.")
    period: Period
    as_of: Instant = Field(description="The instant of the snapshot that was read.")
    data: list[Execution]


class Part(Model):
    """A line of an execution's cost."""

    model: str | None = Field(
        description="Null for what no model accounts for: base charge and tools."
    )
    cost_usd: SignedDollars | None = Field(
        description="With the model's own tools; null, and 0 in the total, where unknown. Without "
        "a model it is the rest up to the total, below 0 where the models add up to more than that."
    )
    input_tokens: int | None
    output_tokens: int | None
    tokens: int | None


class UsageExecution(Execution):
    """Everything known of one execution."""

    object: Literal["usage_execution"] = "usage_execution"
    as_of: Instant = Field(description="The instant of the snapshot that was read.")
    ended_at: Instant | None
    duration_ms: int | None
    input_tokens: int | None
    output_tokens: int | None
    parts: list[Part] = Field(
        description="They add up to `cost_usd`, the dearest model first; empty where that is null."
    )
    limit_usd: Dollars | None = Field(description="The payer's limit; null where none is set.")
    crossed_at: Instant | None = Field(
        description="When the payer crossed the limit in this execution's billing period."
    )
    included_usd: Dollars | None = Field(description="The part of the cost within the limit.")
    running_total_before_usd: Dollars | None = Field(
        description="The payer's total of the billing period before this execution; told to the "
        "payer only."
    )
    running_total_after_usd: Dollars | None = Field(description="Likewise, with this execution.")
    log_url: str | None = Field(description="Null where the host platform's address is not set.")


class Workspace(Model):
    """A workspace that the viewer may see."""

    id: str
    name: str
    url: str | None = Field(
        description="Its Usage page; null where its id cannot stand in an address."
    )


class WorkspaceList(Model):
    """The viewer's workspaces, by name."""

    object: Literal["list"] = "list"
    data: list[Workspace]


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

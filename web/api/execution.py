"""One execution."""

from typing import Literal

from pydantic import Field

from data.answers.detail import Detail
from data.question.params import single_values, workspace_named
from data.rules.errors import BadRequestError
from data.rules.labels import rfc3339
from settings import Settings
from settings.addresses import log_url
from web.api.bodies import dollars, execution_of
from web.api.endpoint import Call
from web.api.models import Dollars, Execution, Instant, Model


class Part(Model):
    """A line of an execution's cost."""

    model: str | None = Field(
        description="Null for what no model accounts for: base charge and tools."
    )
    cost_usd: Dollars | None = Field(
        description="With the model's own tools; null, and 0 in the total, where unknown. Without "
        "a model it is the rest up to the total. Where parts add up to more than that, it goes to "
        "the dearest first and the others are cut to what is left."
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
    lines_exceed_usd: Dollars | None = Field(
        description="By how much the lines that the platform recorded exceed `cost_usd`, before "
        "`parts` were cut to it; null where none was."
    )
    limit_usd: Dollars | None = Field(description="The payer's limit; null where none is set.")
    crossed_at: Instant | None = Field(
        description="When the payer crossed the limit in this execution's billing period."
    )
    included_usd: Dollars | None = Field(description="The part of the cost within the limit.")
    running_total_before_usd: Dollars | None = Field(
        description="The payer's total of the billing period before this execution; told to "
        "whoever pays, and to owners and admins of the organization that pays."
    )
    running_total_after_usd: Dollars | None = Field(description="Likewise, with this execution.")
    log_url: str | None = Field(description="Null where the host platform's address is not set.")


def answer(call: Call) -> UsageExecution:
    """Return the execution that the request names."""
    workspace_id, row_id = _execution_named(call)
    return _usage_execution(call.ledger.execution(call.viewer, workspace_id, row_id), call.settings)


def _execution_named(call: Call) -> tuple[str, str]:
    single = single_values(call.given(), call.endpoint.known)
    workspace_id = workspace_named(single, call.viewer.workspace_id)
    if "id" not in single:
        raise BadRequestError(
            "id is missing; the list gives that of every row.", param="id", code="parameter_missing"
        )
    return workspace_id, single["id"]


def _usage_execution(detail: Detail, settings: Settings) -> UsageExecution:
    """Return everything known of one execution."""
    base, row, crossing = settings.app_url, detail.execution, detail.crossing
    workspace_id = detail.account.workspace.id
    return UsageExecution(
        **dict(execution_of(row, workspace_id, settings)),
        as_of=rfc3339(detail.account.as_of),
        ended_at=detail.ended_at and rfc3339(detail.ended_at),
        duration_ms=detail.duration_ms,
        input_tokens=row.sent,
        output_tokens=row.received,
        parts=[
            Part(
                model=part.model,
                cost_usd=dollars(part.cost),
                input_tokens=part.sent,
                output_tokens=part.received,
                tokens=part.tokens,
            )
            for part in detail.charges
        ],
        lines_exceed_usd=dollars(detail.excess),
        limit_usd=dollars(detail.account.terms.limit),
        crossed_at=crossing and rfc3339(crossing.position.started_at),
        included_usd=dollars(detail.included),
        running_total_before_usd=dollars(detail.before),
        running_total_after_usd=dollars(detail.after),
        log_url=log_url(base, workspace_id, row.execution_id) if base else None,
    )

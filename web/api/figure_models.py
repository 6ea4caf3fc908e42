"""What the API gives of a whole window: its sums, and their course."""

from typing import Annotated, Literal

from pydantic import Field

from data.question.query import Split
from data.rules.steps import Unit
from web.api.models import Dollars, Instant, Model, Period

Unfinished = Annotated[
    int,
    Field(
        description="Executions whose status is running, pending, paused or redacting; "
        "their cost so far counts."
    ),
]


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


class UsageSummary(Sums, Answer):
    """Sums over the whole window, and the limit of the billing period that holds its end."""

    object: Literal["usage_summary"] = "usage_summary"
    limit_usd: Dollars | None = Field(description="The payer's limit; null where none is set.")
    crossed_at: Instant | None = Field(
        description="When the payer crossed the limit in that billing period."
    )
    running_total_usd: Dollars | None = Field(
        description="The payer's total of that billing period; told to the payer only."
    )
    unfinished: Unfinished
    previous: SpanSums | None = Field(
        description="The same filters over the window before; null where there is no earlier data."
    )


class Share(Model):
    """One part of a split."""

    key: str | None = Field(
        description="The model's name, or the workflow's id or `deleted`; null for Other, and for "
        "Base and tools."
    )
    label: str
    costs_usd: list[str] = Field(description="Its dollars in each of `steps`.")


class RunningTotal(Model):
    """The payer's running total at an instant."""

    at: Instant
    usd: Dollars


class RunningMonth(Model):
    """The course of the payer's running total in a billing period."""

    month: str = Field(description="`YYYY-MM`.")
    points: list[RunningTotal]


class Crossed(Model):
    """When the payer crossed the limit."""

    month: str = Field(description="`YYYY-MM`.")
    at: Instant


class UsageSeries(Answer):
    """The course of the window's costs, step by step; all steps together cost what it cost."""

    object: Literal["usage_series"] = "usage_series"
    unit: Unit
    split: Split
    steps: list[SpanSums] = Field(
        description="By the month, from the first to the last one with executions; over a century "
        "apart, only those with executions."
    )
    shares: list[Share] = Field(
        description="Split by workflow or model: the dearest, Other, and what no model accounts "
        "for. Their dollars add up to the cost of each step."
    )
    limit_usd: Dollars | None = Field(description="The payer's limit; null where none is set.")
    crossings: list[Crossed]
    running_total: list[RunningMonth] | None = Field(description="Told to the payer only.")

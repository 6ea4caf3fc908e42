"""The course of a window's costs."""

from typing import Any, Literal

from pydantic import Field

from data.answers.figures import Figures
from data.question.params import one_of
from data.question.query import Split
from data.rules import billing
from data.rules.calendar import local_day
from data.rules.labels import rfc3339
from data.rules.money import plain
from data.rules.steps import Unit
from settings import Settings
from web.api.bodies import billing_period_of, ends_of, period_of, sums_of
from web.api.endpoint import Call
from web.api.models import Answer, BillingPeriod, Dollars, Instant, Model, SpanSums


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


class InPeriod(Model):
    """What belongs to one billing period."""

    month: str | None = Field(description="`YYYY-MM`; null where billing periods are no months.")
    period: BillingPeriod


class RunningMonth(InPeriod):
    """The course of the payer's running total in a billing period."""

    points: list[RunningTotal]


class Crossed(InPeriod):
    """When the payer crossed the limit."""

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
    running_total: list[RunningMonth] | None = Field(
        description="Told to whoever pays, and to owners and admins of the organization that pays."
    )


def answer(call: Call) -> UsageSeries:
    """Return the course that the request asks for."""
    query = call.query()
    split = one_of(Split, "split", call.given())
    return _usage_series(call.ledger.figures(call.viewer, query, split), split, call.settings)


def _usage_series(figures: Figures, split: Split, settings: Settings) -> UsageSeries:
    """Return the course of a window's costs."""
    limit = figures.account.terms.limit
    return UsageSeries(
        period=period_of(figures.window, settings),
        as_of=rfc3339(figures.account.as_of),
        unit=figures.unit,
        split=split,
        steps=[
            SpanSums(**sums_of(sums), **ends_of(step))
            for step, sums in zip(figures.steps, figures.by_step, strict=True)
        ],
        shares=[
            Share(key=group.key, label=group.label, costs_usd=[plain(cost) for cost in group.costs])
            for group in figures.groups
        ],
        limit_usd=None if limit is None else plain(limit),
        crossings=[
            Crossed(
                **_in_period(crossing.period, settings),
                at=rfc3339(crossing.position.started_at),
            )
            for crossing in figures.crossings
        ],
        running_total=None
        if figures.running_total is None
        else [
            RunningMonth(
                **_in_period(of_period.period, settings),
                points=[
                    RunningTotal(at=rfc3339(at), usd=plain(total)) for at, total in of_period.points
                ],
            )
            for of_period in figures.running_totals
        ],
    )


def _in_period(period: billing.BillingPeriod, settings: Settings) -> dict[str, Any]:
    month = None
    if period.kind is billing.PeriodKind.MONTH:
        month = f"{local_day(period.start, settings.zone):%Y-%m}"
    return {"month": month, "period": billing_period_of(period)}

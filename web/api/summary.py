"""Sums over a window."""

from typing import Literal

from pydantic import Field

from data.answers.figures import Figures
from data.rules.labels import rfc3339
from data.rules.money import plain
from settings import Settings
from web.api.bodies import billing_period_of, ends_of, period_of, sums_of
from web.api.endpoint import Call
from web.api.models import Answer, BillingPeriod, Dollars, Instant, SpanSums, Sums, Unfinished


class UsageSummary(Sums, Answer):
    """Sums over the whole window, and the limit of its billing period."""

    object: Literal["usage_summary"] = "usage_summary"
    limit_usd: Dollars | None = Field(description="The payer's limit; null where none is set.")
    crossed_at: Instant | None = Field(
        description="When the payer crossed the limit in that billing period."
    )
    running_total_usd: Dollars | None = Field(
        description="The payer's total of that billing period; told to whoever pays, and to owners "
        "and admins of the organization that pays."
    )
    unfinished: Unfinished
    previous: SpanSums | None = Field(
        description="The same filters over the window before; null where there is no earlier data."
    )
    billing_period: BillingPeriod | None = Field(
        description="The one of which limit, crossing and running total speak: that of the "
        "window's last instant, or of now where that is earlier; null where the window is empty."
    )


def answer(call: Call) -> UsageSummary:
    """Return the sums that the request asks for."""
    return _usage_summary(call.ledger.summary(call.viewer, call.query()), call.settings)


def _usage_summary(figures: Figures, settings: Settings) -> UsageSummary:
    """Return the sums of a window."""
    crossing, total = figures.crossing, figures.running_total
    limit = figures.account.terms.limit
    return UsageSummary(
        **sums_of(figures.sums),
        period=period_of(figures.window, settings),
        as_of=rfc3339(figures.account.as_of),
        limit_usd=None if limit is None else plain(limit),
        crossed_at=crossing and rfc3339(crossing.position.started_at),
        running_total_usd=None if total is None else plain(total),
        previous=SpanSums(**sums_of(figures.earlier), **ends_of(figures.comparison))
        if figures.earlier and figures.comparison
        else None,
        billing_period=figures.period and billing_period_of(figures.period),
    )

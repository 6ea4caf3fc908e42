"""The ledger's figures as bodies of the API."""

from typing import Any

from data.answers.figures import Figures
from data.question.query import Split
from data.rules.billing import BillingPeriod
from data.rules.calendar import Span, local_day
from data.rules.labels import rfc3339
from data.rules.money import plain
from data.sums.by_span import Sums
from settings import Settings
from web.api import figure_models as models
from web.api.bodies import period_of


def usage_summary(figures: Figures, settings: Settings) -> models.UsageSummary:
    """Return the sums of a window."""
    crossing, total = figures.crossing, figures.running_total
    limit = figures.account.terms.limit
    return models.UsageSummary(
        **_sums(figures.sums),
        period=period_of(figures.window, settings),
        as_of=rfc3339(figures.account.as_of),
        limit_usd=None if limit is None else plain(limit),
        crossed_at=crossing and rfc3339(crossing.position.started_at),
        running_total_usd=None if total is None else plain(total),
        previous=models.SpanSums(**_sums(figures.earlier), **_ends(figures.comparison))
        if figures.earlier and figures.comparison
        else None,
    )


def usage_series(figures: Figures, split: Split, settings: Settings) -> models.UsageSeries:
    """Return the course of a window's costs."""
    limit = figures.account.terms.limit
    return models.UsageSeries(
        period=period_of(figures.window, settings),
        as_of=rfc3339(figures.account.as_of),
        unit=figures.unit,
        split=split,
        steps=[
            models.SpanSums(**_sums(sums), **_ends(step))
            for step, sums in zip(figures.steps, figures.by_step, strict=True)
        ],
        shares=[
            models.Share(
                key=group.key, label=group.label, costs_usd=[plain(cost) for cost in group.costs]
            )
            for group in figures.groups
        ],
        limit_usd=None if limit is None else plain(limit),
        crossings=[
            models.Crossed(
                month=_month(crossing.period, settings), at=rfc3339(crossing.position.started_at)
            )
            for crossing in figures.crossings
        ],
        running_total=None
        if figures.running_total is None
        else [
            models.RunningMonth(
                month=_month(of_period.period, settings),
                points=[
                    models.RunningTotal(at=rfc3339(at), usd=plain(total))
                    for at, total in of_period.points
                ],
            )
            for of_period in figures.running_totals
        ],
    )


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "executions": sums.executions,
        "tokens": sums.tokens,
        "cost_usd": plain(sums.cost),
        "included_usd": plain(sums.included),
        "on_demand_usd": plain(sums.on_demand),
        "unknown": sums.unknown,
        "unfinished": sums.unfinished,
    }


def _month(period: BillingPeriod, settings: Settings) -> str:
    return f"{local_day(period.start, settings.zone):%Y-%m}"


def _ends(span: Span) -> dict[str, str]:
    return {"from_": rfc3339(span.start), "to": rfc3339(span.end)}

"""What several answers of the API share, made from the ledger's answers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from data.rules.billing import BillingPeriod
from data.rules.calendar import Span, Window
from data.rules.execution import Execution
from data.rules.labels import rfc3339, workflow_label
from data.rules.money import plain
from data.sums.by_span import Sums
from settings import Settings
from settings.addresses import workflow_url
from web.api import models

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


def period_of(window: Window, settings: Settings) -> models.Period:
    """Return a window as it was resolved."""
    return models.Period(
        from_=rfc3339(window.start),
        to=rfc3339(window.end),
        timezone=settings.timezone,
        preset=window.preset,
    )


def billing_period_of(period: BillingPeriod) -> models.BillingPeriod:
    """Return a billing period by its ends and its name."""
    if period.endless:
        return models.BillingPeriod(from_=rfc3339(_BEGINNING), to=None, name=period.name)
    return models.BillingPeriod(**ends_of(period), name=period.name)


def dollars(amount: Decimal | None) -> str | None:
    """Return an amount with every stored digit."""
    return None if amount is None else plain(amount)


def execution_of(row: Execution, workspace_id: str, settings: Settings) -> models.Execution:
    """Return a row of the list."""
    base, workflow_id = settings.app_url, row.workflow_id
    return models.Execution(
        id=row.id,
        execution_id=row.execution_id,
        date=rfc3339(row.started_at),
        type=row.type,
        status=row.status,
        trigger=row.trigger,
        workflow=models.Workflow(
            id=workflow_id,
            name=workflow_label(row.workflow_name),
            url=workflow_url(base, workspace_id, workflow_id) if base and workflow_id else None,
        ),
        model=row.models[0] if row.models else None,
        models=row.models,
        tokens=row.tokens,
        tokens_complete=row.tokens_complete,
        cost_usd=dollars(row.cost),
        on_demand_usd=dollars(row.on_demand),
    )


def sums_of(sums: Sums) -> dict[str, Any]:
    """Return the fields of some sums."""
    return {
        "executions": sums.executions,
        "tokens": sums.tokens,
        "cost_usd": plain(sums.cost),
        "included_usd": plain(sums.included),
        "on_demand_usd": plain(sums.on_demand),
        "unknown": sums.unknown,
        "unfinished": sums.unfinished,
    }


def ends_of(span: Span) -> dict[str, str]:
    """Return the fields that say from when to when."""
    return {"from_": rfc3339(span.start), "to": rfc3339(span.end)}

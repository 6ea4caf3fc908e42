"""The ledger's answers as bodies of the API."""

from collections.abc import Sequence
from decimal import Decimal

from data.answers.detail import Detail
from data.answers.page import Page
from data.platform.access import Workspace
from data.question.cursor import Direction
from data.question.query import UsageQuery
from data.rules.allowance import executions_in
from data.rules.calendar import Window
from data.rules.execution import Execution
from data.rules.labels import rfc3339, workflow_label
from data.rules.money import plain
from settings import Settings
from settings.addresses import is_addressed, log_url, usage_path, workflow_url
from web.api import models

LIST_URL = "/api/billing/usage"


def usage_list(page: Page, query: UsageQuery, settings: Settings) -> models.UsageList:
    """Return a page of executions."""
    onward = page.next_cursor if query.direction is Direction.OLDER else page.previous_cursor
    return models.UsageList(
        url=LIST_URL,
        has_more=onward is not None,
        next_cursor=page.next_cursor and page.next_cursor.encode(),
        previous_cursor=page.previous_cursor and page.previous_cursor.encode(),
        period=period_of(page.window, settings),
        as_of=rfc3339(page.account.as_of),
        data=[
            _execution(row, page.account.workspace.id, settings) for row in executions_in(page.rows)
        ],
    )


def usage_execution(detail: Detail, settings: Settings) -> models.UsageExecution:
    """Return everything known of one execution."""
    base, row, crossing = settings.app_url, detail.execution, detail.crossing
    workspace_id = detail.account.workspace.id
    return models.UsageExecution(
        **dict(_execution(row, workspace_id, settings)),
        as_of=rfc3339(detail.account.as_of),
        ended_at=detail.ended_at and rfc3339(detail.ended_at),
        duration_ms=detail.duration_ms,
        input_tokens=row.sent,
        output_tokens=row.received,
        parts=[
            models.Part(
                model=part.model,
                cost_usd=_dollars(part.cost),
                input_tokens=part.sent,
                output_tokens=part.received,
                tokens=part.tokens,
            )
            for part in detail.parts
        ],
        limit_usd=_dollars(detail.account.terms.limit),
        crossed_at=crossing and rfc3339(crossing.position.started_at),
        included_usd=_dollars(detail.included),
        running_total_before_usd=_dollars(detail.before),
        running_total_after_usd=_dollars(detail.after),
        log_url=log_url(base, workspace_id, row.execution_id) if base else None,
    )


def workspace_list(workspaces: Sequence[Workspace], settings: Settings) -> models.WorkspaceList:
    """Return the viewer's workspaces."""
    return models.WorkspaceList(
        data=[
            models.Workspace(
                id=workspace.id,
                name=workspace.name,
                url=usage_path(settings.url_prefix, workspace.id, {})
                if is_addressed(workspace.id)
                else None,
            )
            for workspace in workspaces
        ]
    )


def period_of(window: Window, settings: Settings) -> models.Period:
    """Return a window as it was resolved."""
    return models.Period(
        from_=rfc3339(window.start),
        to=rfc3339(window.end),
        timezone=settings.timezone,
        preset=window.preset,
    )


def _dollars(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _execution(row: Execution, workspace_id: str, settings: Settings) -> models.Execution:
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
        cost_usd=_dollars(row.cost),
        on_demand_usd=_dollars(row.on_demand),
    )

"""A page of executions."""

from typing import Literal

from pydantic import Field

from data.answers.page import Page
from data.question.cursor import Direction
from data.question.query import UsageQuery
from data.rules.allowance import executions_in
from data.rules.labels import rfc3339
from web.api.bodies import execution_of, period_of
from web.api.endpoint import Call
from web.api.models import Execution, Instant, Model, Period


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


def answer(call: Call) -> UsageList:
    """Return the page that the request asks for."""
    query = call.query()
    return _usage_list(call.ledger.page(call.viewer, query), query, call)


def _usage_list(page: Page, query: UsageQuery, call: Call) -> UsageList:
    """Return a page of executions."""
    onward = page.next_cursor if query.direction is Direction.OLDER else page.previous_cursor
    return UsageList(
        url=call.endpoint.path,
        has_more=onward is not None,
        next_cursor=page.next_cursor and page.next_cursor.encode(),
        previous_cursor=page.previous_cursor and page.previous_cursor.encode(),
        period=period_of(page.window, call.settings),
        as_of=rfc3339(page.account.as_of),
        data=[
            execution_of(row, page.account.workspace.id, call.settings)
            for row in executions_in(page.rows)
        ],
    )

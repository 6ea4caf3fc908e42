"""Why a row reads as it does: the tooltips of its cells and the second lines under rows."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from components import formats
from components.account_words import during, earlier_in
from components.scope_words import SCOPE_WORDS
from components.usage.view import View
from data.rules.allowance import Crossing
from data.rules.billing import Terms
from data.rules.calendar import local_day
from data.rules.execution import Execution
from data.rules.labels import UNFINISHED, UsageType, rfc3339, type_label
from data.rules.position import Position
from data.rules.shown import named
from settings import Settings

TOKENS_INCOMPLETE: Final = "A model was used of which the platform recorded no tokens"
# More of them would not fit into a tooltip.
_MODELS_AT_MOST: Final = 20


def of_cells(view: View, row: Execution) -> dict[str, str]:
    """Return the reason behind each cell of ``row``, by column."""
    return {
        "date": rfc3339(row.started_at),
        "type": of_type(row, _crossing_of(view, row), view.page.account.terms, view.settings),
        "workflow": (
            "This workflow was deleted" if row.workflow_name is None else named(row.workflow_name)
        ),
        "model": _models(row.models),
        **({} if row.tokens_complete else {"tokens": TOKENS_INCOMPLETE}),
        "cost": of_cost(row),
    }


def _models(models: Sequence[str]) -> str:
    lines = [named(model) for model in models[:_MODELS_AT_MOST]]
    if more := len(models) - len(lines):
        lines.append(f"and {formats.count(more)} more")
    return "\n".join(lines) or "No model was used"


def of_crossing(view: View, row: Execution) -> str | None:
    """Tell what became of the cost of the execution that crossed the limit; None for others."""
    crossing = _crossing_of(view, row)
    if crossing is None or crossing.position != Position(row.started_at, row.id):
        return None
    if row.cost is None or row.on_demand is None:
        raise AssertionError("an execution whose cost is not known crosses no limit")
    included, on_demand = formats.split_dollars(row.cost, row.on_demand)
    parts = f"{included} of this cost is Included, {on_demand} On-Demand"
    if row.on_demand == row.cost:
        parts = "all of this cost is On-Demand"
    return (
        f"Limit {formats.limit_dollars(crossing.limit)} crossed here: {parts}. "
        f"{earlier_in(crossing.period)} are Included."
    )


def of_hidden_crossings(view: View, rows: Sequence[Execution]) -> dict[int, str]:
    """Return, by place, what to say between two rows where the limit was crossed by neither.

    That was an execution of another workspace, or one that the filters leave out.
    """
    said = {}
    for place, (row, older) in enumerate(pairwise(rows)):
        crossing = _crossing_of(view, row)
        if (
            crossing
            and older.started_at in crossing.period
            and Position(older.started_at, older.id) < crossing.position
            and crossing.position < Position(row.started_at, row.id)
        ):
            instant = formats.second(crossing.position.started_at, view.zone)
            said[place] = (
                f"Limit {formats.limit_dollars(crossing.limit)} crossed on {instant} {view.zone}, "
                "between these two executions. "
                f"{earlier_in(crossing.period)} are Included."
            )
    return said


def of_period_starts(view: View, rows: Sequence[Execution]) -> dict[int, str]:
    """Return, by place, what to say under the first row of a period that follows another."""
    periods = [view.page.account.terms.period_at(row.started_at) for row in rows]
    said = {}
    for place, (period, older) in enumerate(pairwise(periods)):
        if period != older:
            day = local_day(period.start, view.zone)
            said[place] = f"{day.day} {day:%B}: the running total starts at $0"
    return said


def of_type(row: Execution, crossing: Crossing | None, terms: Terms, settings: Settings) -> str:
    """Tell why ``row`` is of its Type; ``crossing`` is that of its billing period."""
    if terms.limit is None:
        return "Included: no limit set"
    subject = SCOPE_WORDS[settings.limit_scope].subject
    dollars = formats.limit_dollars(terms.limit)
    if crossing is None:
        if terms.no_end:
            return "Included: no end set for on-demand use"
        when = during(terms.period_at(row.started_at))
        return f"Included: {subject} has not crossed its limit of {dollars} {when}"
    if crossing.position == Position(row.started_at, row.id):
        return f"On-Demand: this execution took {subject} over its limit of {dollars}"
    side = "before" if row.type is UsageType.INCLUDED else "after"
    instant = formats.second(crossing.position.started_at, settings.zone)
    return (
        f"{type_label(row.type)}: started {side} {subject} crossed its limit of {dollars} on "
        f"{instant} {settings.zone}"
    )


def of_cost(row: Execution) -> str:
    """Tell the exact cost, or why there is none."""
    if row.cost is None:
        if row.status in UNFINISHED:
            return f"Still {row.status}; cost not known yet"
        return "Cost not recorded; counts as 0 in sums"
    exact = f"Exact cost {formats.exact_dollars(row.cost)}"
    if row.status in UNFINISHED:
        exact = f"Still {row.status}. {exact} so far"
    if row.on_demand:
        return f"{exact}; On-Demand part {formats.exact_dollars(row.on_demand)}"
    return f"Included: this execution added nothing to the On-Demand amount. {exact}"


def _crossing_of(view: View, row: Execution) -> Crossing | None:
    return next((c for c in view.page.crossings if row.started_at in c.period), None)

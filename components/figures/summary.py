"""The summary of the whole window: five sums, each beside that of the window before."""

from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from components import formats, ids
from data.answers.figures import Figures
from data.rules.calendar import local_day
from data.sums.by_span import Sums

_NAMES = ("Cost", "Included", "On-Demand", "Executions", "Tokens")


def layout() -> Component:
    """Return the band with places for its figures."""
    return html.Dl([_cell(name) for name in _NAMES], id=ids.SUMMARY, className="usage-summary")


def show(figures: Figures, zone: tzinfo, unfinished: str) -> list[Component]:
    """Return the cells; the query string ``unfinished`` leads to the rows that are not final."""
    sums, earlier = figures.sums, figures.earlier
    before_it = _before(figures, zone)
    dollars = {"Cost": "cost", "Included": "included", "On-Demand": "on_demand"}
    cells = []
    for name in _NAMES:
        field = dollars.get(name, name.lower())
        now = getattr(sums, field)
        before = None if earlier is None else getattr(earlier, field)
        write = formats.total_dollars if name in dollars else formats.count
        exact = formats.exact_dollars(now) if name in dollars else None
        notes = _notes(sums, unfinished) if name == "Cost" else []
        change = html.Span(_change(now, before, write, figures, zone), title=before_it)
        cells.append(_cell(name, write(now), change, exact, notes))
    return cells


def _cell(
    name: str,
    value: str | None = None,
    change: Component | None = None,
    exact: str | None = None,
    notes: list[Component] | None = None,
) -> Component:
    key = {"Included": "usage-key", "On-Demand": "usage-key usage-key-ondemand"}.get(name)
    return html.Div(
        [
            html.Dt([name, *([html.I(className=key)] if key else []), *(notes or [])]),
            html.Dd(value, className="usage-sum", title=exact),
            html.Dd(change, className="usage-change"),
        ]
    )


def _notes(sums: Sums, unfinished: str) -> list[Component]:
    notes: list[Component] = []
    if sums.unknown:
        reason = "The cost of these executions was not recorded; it counts as 0 in the sums"
        text = f"{formats.count(sums.unknown)} unknown"
        notes.append(html.Span(text, className="usage-remark", title=reason))
    if sums.unfinished:
        reason = "Show these executions: they have not finished; their cost so far is counted"
        text = f"{formats.count(sums.unfinished)} unfinished"
        notes.append(dcc.Link(text, href=unfinished, className="usage-remark", title=reason))
    return notes


def _change(now: Any, before: Any, write: Any, figures: Figures, zone: tzinfo) -> str:
    if before is None:
        return "no earlier data"
    if since := _begins_within(figures):
        return f"from {write(before)} since {formats.day(local_day(since, zone))}"
    percent = formats.percent(Decimal(now), Decimal(before))
    return f"{percent} from {write(before)}".strip()


def _before(figures: Figures, zone: tzinfo) -> str | None:
    """Say what the sums are compared with."""
    if figures.comparison is None or figures.earlier is None:
        return None
    compared = f"Compared with {formats.span_in_words(figures.comparison, zone)} {zone}"
    if since := _begins_within(figures):
        return f"{compared}, in which the first execution started on {formats.minute(since, zone)}"
    return compared


def _begins_within(figures: Figures) -> datetime | None:
    """Return when executions began, where that was within the window before: it is no measure."""
    if figures.comparison is None or figures.earliest is None:
        return None
    return figures.earliest if figures.earliest > figures.comparison.start else None

"""What stands in the table's place when there is nothing to list."""

from datetime import datetime
from typing import Any, Final

from dash import Output, dcc, html
from dash.development.base_component import Component

from components import formats, ids
from components.usage.view import View
from data.rules.calendar import local_day

OUTPUTS: Final = {
    "children": Output(ids.EMPTY, "children"),
    "hidden": Output(ids.EMPTY, "hidden"),
}

CLEAR: Final[dict[str, Any]] = {"children": None, "hidden": True}


def layout() -> Component:
    """Return the empty state, hidden."""
    return html.Div(id=ids.EMPTY, className="usage-empty", hidden=True)


def show(view: View) -> dict[str, Any]:
    """Say why there are no rows, and offer the way to some."""
    page = view.page
    if not page.rows.empty:
        return CLEAR
    if page.total:
        return _said("No more executions here", "This window has no rows on this side of the page.")
    if page.latest is None:
        return _said("No executions yet", "The first one will appear here as soon as it starts.")
    span = formats.span_in_words(view.window, view.zone)
    nothing = f"No execution of {span} {view.zone} passes these filters."
    ways: list[Component] = []
    if view.filters:
        without = view.path(view.workspace, view.params)
        ways.append(dcc.Link("Clear filters", href=without, className="btn"))
    else:
        nothing = f"Nothing ran in {span} {view.zone}."
    if page.latest not in view.window:
        ways.append(_latest_day(view, page.latest))
    return _said(
        "No executions in this window",
        nothing,
        f"The latest execution of this workspace started on "
        f"{formats.minute(page.latest, view.zone)} {view.zone}.",
        html.Span(ways, className="usage-ways"),
    )


def _latest_day(view: View, latest: datetime) -> Component:
    day = local_day(latest, view.zone)
    return dcc.Link(
        f"Show {formats.day(day)}",
        href=view.path(view.workspace, {"from": day.isoformat(), "to": day.isoformat()}),
        className="btn",
    )


def _said(title: str, *lines: str | Component) -> dict[str, Any]:
    return {"children": [html.H2(title), *(html.P(line) for line in lines)], "hidden": False}

"""The line above everything: which workspace, whose data, which theme."""

from typing import Any, Final

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, html
from dash.development.base_component import Component

from components import ids
from components.aria import aria
from components.usage.view import View
from data.rules.labels import told_apart
from data.rules.shown import named
from settings import Settings
from settings.addresses import NOT_ADDRESSED, is_addressed, spending_url

THEMES: Final = ("system", "light", "dark")

OUTPUTS: Final = {
    "workspace": Output(ids.WORKSPACE, "label"),
    "workspaces": Output(ids.WORKSPACE, "children"),
}


def layout(settings: Settings) -> Component:
    """Return the header; the names of workspaces come with the data."""
    end: list[Component] = [
        dbc.DropdownMenu(
            [dbc.DropdownMenuItem(theme.title(), id=f"{ids.THEME}-{theme}") for theme in THEMES],
            id=ids.THEME,
            label="Theme: System",
            color="link",
            toggle_class_name="btn-quiet",
            align_end=True,
            class_name="usage-wide-only",
        )
    ]
    if settings.spending_url:
        end.insert(0, html.A("Spending", id=ids.SPENDING, className="btn btn-quiet"))
    return html.Header(
        [
            html.H1("Usage"),
            html.Span("/", className="usage-separator", **aria(hidden="true")),
            dbc.DropdownMenu(
                id=ids.WORKSPACE, label="Workspace", color="link", toggle_class_name="btn-quiet"
            ),
            *demo_badge(settings),
            html.Div(end, className="usage-header-end"),
        ],
        className="usage-header",
    )


def outputs(settings: Settings) -> dict[str, Output]:
    """Return what :func:`show` fills."""
    if settings.spending_url:
        return OUTPUTS | {"spending": Output(ids.SPENDING, "href")}
    return OUTPUTS


def show(view: View) -> dict[str, Any]:
    """Name the workspace and offer the others; the window stays, the page of it does not.

    Filters stay too, but for those by workflow: another workspace has others.
    """
    stays = {name: words for name, words in view.filters.items() if name != "workflow"}
    names = told_apart({each.id: each.name for each in view.workspaces}, named)
    shown = {
        "workspace": names.get(view.workspace.id) or named(view.workspace.name),
        "workspaces": [
            _item(
                names[workspace.id],
                view.path(workspace, {**view.params, **stays}),
                shown=workspace.id == view.workspace.id,
            )
            if is_addressed(workspace.id)
            else _beyond_reach(names[workspace.id])
            for workspace in view.workspaces
        ],
    }
    if view.settings.spending_url:
        shown["spending"] = spending_url(view.settings.spending_url, view.workspace.id)
    return shown


def register(app: Dash) -> None:
    """Let the theme follow its menu; the browser remembers it."""
    app.clientside_callback(  # type: ignore[no-untyped-call]  # Dash's own gap
        ClientsideFunction("usage", "chooseTheme"),
        Output(ids.THEME, "label"),
        [Input(f"{ids.THEME}-{theme}", "n_clicks") for theme in THEMES],
    )


def _item(name: str, href: str, *, shown: bool) -> Component:
    """Return a link of the menu; dbc's own item puts aria-selected where no link may have it."""
    attributes: dict[str, Any] = aria(current="page") if shown else {}
    # By this mark the menu finds its items for the arrow keys.
    attributes["data-rr-ui-dropdown-item"] = ""
    active = "dropdown-item active" if shown else "dropdown-item"
    return html.A(name, href=href, className=active, title=name, **attributes)


def _beyond_reach(name: str) -> Component:
    return html.Span(
        name, className="dropdown-item disabled", title=NOT_ADDRESSED, **aria(disabled="true")
    )


def demo_badge(settings: Settings, place: str = "") -> list[Component]:
    """Say that the figures are made up, where they are; ``place`` is one more class."""
    if settings.database_url is not None:
        return []
    return [
        html.Span(
            "Demo data",
            className=f"usage-badge {place}".strip(),
            title="Made-up executions from the built-in database",
        )
    ]

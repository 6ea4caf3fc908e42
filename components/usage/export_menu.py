"""How a file is to be written, chosen in a menu beside the button."""

from collections.abc import Mapping
from typing import Any, Final

import dash_bootstrap_components as dbc
from dash import Output, State, html
from dash.development.base_component import Component

from components import ids
from components.aria import aria
from components.usage.view import View
from data.files.export import file_name
from data.question.file_options import Columns, FileOptions, Mark, Separator
from data.rules.errors import BadRequestError
from data.rules.shown import shown

STATES: Final = {
    "columns": State(ids.EXPORT_COLUMNS, "value"),
    "marks": State(ids.EXPORT_FORMAT, "value"),
    "manifest": State(ids.EXPORT_MANIFEST, "value"),
}

OUTPUTS: Final = {"name": Output(ids.EXPORT_NAME, "children")}

# What a spreadsheet wants follows from the country it was made for, so one choice sets both.
_MARKS: Final = {
    Separator.COMMA.value: Mark.POINT,
    Separator.SEMICOLON.value: Mark.COMMA,
    Separator.TAB.value: Mark.POINT,
}


def layout() -> Component:
    """Return the menu, closed, and what opens it."""
    return html.Details(
        [
            html.Summary(
                html.I(className="usage-caret", **aria(hidden="true")),
                className="btn usage-split",
                title="Export choices",
                **aria(label="Export choices"),
            ),
            html.Div([_columns(), _marks(), _manifest(), _end()], className="usage-menu"),
        ],
        id=ids.EXPORT_MENU,
    )


def show(view: View) -> dict[str, Any]:
    """Name the file that the window would be."""
    return {"name": shown(file_name(view.workspace.id, view.page.account.as_of, view.zone))}


def file_options_of(chosen: Mapping[str, Any]) -> FileOptions:
    """Read the values of ``STATES``, which a browser may send as it likes."""
    columns = str(chosen["columns"] or Columns.STANDARD)
    separator = str(chosen["marks"] or Separator.COMMA)
    if columns not in list(Columns) or separator not in _MARKS:
        raise BadRequestError("There is no such kind of file. Choose one of the menu's.")
    return FileOptions(
        Columns(columns), Separator(separator), _MARKS[separator], chosen["manifest"] is True
    )


def _columns() -> Component:
    return _group(
        "Columns",
        ids.EXPORT_COLUMNS,
        {
            Columns.STANDARD: (
                "Standard",
                "Date, Execution, Workflow, Trigger, Model, Tokens, Cost",
            ),
            Columns.EXTENDED: (
                "Extended",
                "plus Type, On-Demand part, Status, input and output tokens, ids",
            ),
        },
    )


def _marks() -> Component:
    return _group(
        "Spreadsheet format",
        ids.EXPORT_FORMAT,
        {
            Separator.COMMA: ("Commas, 1234.56", "US, UK; most programs"),
            Separator.SEMICOLON: ("Semicolons, 1234,56", "Germany, France and most of Europe"),
            Separator.TAB: ("Tabs, 1234.56", "to paste or to import"),
        },
    )


def _manifest() -> Component:
    label = _labelled(
        "With a manifest",
        "a ZIP with window, filters, rows, sums and SHA-256: proves the file complete",
    )
    box: Component = dbc.Checkbox(id=ids.EXPORT_MANIFEST, value=False, label=label)
    return box


def _end() -> Component:
    download = html.Button(
        "Download", id=ids.EXPORT_CHOSEN, className="btn btn-sm btn-primary", type="button"
    )
    return html.Div([html.Small(id=ids.EXPORT_NAME), download], className="usage-menu-end")


def _group(name: str, element: str, choices: Mapping[Any, tuple[str, str]]) -> Component:
    first = next(iter(choices))
    return html.Fieldset(
        [
            html.Legend(name),
            dbc.RadioItems(
                id=element,
                name=element,
                options=[
                    {"value": value.value, "label": _labelled(*texts)}
                    for value, texts in choices.items()
                ],
                value=first.value,
            ),
        ]
    )


def _labelled(name: str, help_text: str) -> Component:
    return html.Span([name, html.Small(help_text)])

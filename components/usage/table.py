"""The table of executions; the one module that knows the DataTable."""

import re
from typing import Any, Final

from dash import Output
from dash.dash_table.DataTable import DataTable
from dash.development.base_component import Component

from components import formats, ids
from components.usage import reasons
from components.usage.view import View
from data.rules.allowance import executions_in
from data.rules.execution import Execution
from data.rules.labels import UsageType, model_label, type_label, workflow_label
from data.rules.shown import NO_NAME, named, one_line, shown
from settings import Settings
from settings.addresses import fits, workflow_url

COLUMNS: Final = {
    "date": "Date",
    "type": "Type",
    "workflow": "Workflow",
    "model": "Model",
    "tokens": "Tokens",
    "cost": "Cost",
}
_LINKED: Final = {"presentation": "markdown"}
_SKELETON_ROWS: Final = 15
# So that a cell has room for how many more there are.
_MODEL_AT_MOST: Final = 60
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&:/@])")

# Rows cannot carry a class: the sheet finds them by the variable in the Date cell's style.
_STYLES: Final[list[dict[str, Any]]] = [
    {
        "if": {"filter_query": '{type} = "On-Demand"', "column_id": "date"},
        "boxShadow": "inset 3px 0 0 var(--usage-ondemand)",
    },
    {
        "if": {"filter_query": '{type} = "On-Demand"', "column_id": "type"},
        "color": "var(--usage-ondemand-ink)",
        "fontWeight": "600",
    },
    {
        "if": {"filter_query": '{type} = "Included"', "column_id": "type"},
        "color": "var(--bs-secondary-color)",
    },
    *(
        {
            "if": {"filter_query": f'{{{column}}} = "{text}"', "column_id": column},
            "color": "var(--bs-secondary-color)",
        }
        for column, text in (
            ("cost", "Included"),
            ("cost", formats.UNKNOWN),
            ("tokens", formats.UNKNOWN),
            ("model", formats.UNKNOWN),
        )
    ),
]

OUTPUTS: Final = {
    "data": Output(ids.TABLE, "data"),
    "tooltips": Output(ids.TABLE, "tooltip_data"),
    "styles": Output(ids.TABLE, "style_data_conditional"),
    "css": Output(ids.TABLE, "css"),
}

CLEAR: Final[dict[str, Any]] = {"data": [], "tooltips": [], "styles": _STYLES, "css": []}


def layout(settings: Settings) -> Component:
    """Return the table with rows to be filled.

    A date opens its row; a workflow's name leads to it where the host is known.
    """
    linked = {"date", "workflow"} if settings.app_url else {"date"}
    columns: list[Any] = [
        {"id": column, "name": name, **(_LINKED if column in linked else {})}
        for column, name in COLUMNS.items()
    ]
    return DataTable(
        id=ids.TABLE,
        columns=columns,
        data=[dict.fromkeys(COLUMNS, "") for _ in range(_SKELETON_ROWS)],
        page_action="none",
        cell_selectable=False,
        markdown_options={"html": False, "link_target": "_self"},
        tooltip_delay=300,
        tooltip_duration=None,
        style_data_conditional=_STYLES,
    )


def show(view: View) -> dict[str, Any]:
    """Return the rows as people read them, newest first."""
    rows = executions_in(view.page.rows)
    notes = _notes(view, rows)
    return {
        "data": [_cells(view, row) for row in rows],
        "tooltips": [
            {
                column: {"value": text, "type": "text"}
                for column, text in reasons.of_cells(view, row).items()
            }
            for row in rows
        ],
        "styles": _STYLES
        + [
            {
                "if": {"row_index": place, "column_id": "date"},
                "boxShadow": f"inset 3px 0 0 var({variable})",
            }
            for place, (variable, _) in notes.items()
        ],
        "css": [
            {
                "selector": 'th[data-dash-column="date"] .column-header-name::after',
                "rule": f"content: {_css_string(f' {view.zone}')}",
            },
            *(
                {
                    "selector": f'td[data-dash-row="{place}"][data-dash-column="date"]::after',
                    "rule": f"content: {_css_string(text)}",
                }
                for place, (_, text) in notes.items()
            ),
        ],
    }


def _notes(view: View, rows: list[Execution]) -> dict[int, tuple[str, str]]:
    """Return the second lines of rows: by place, the sheet's variable for it and the text."""
    starts = reasons.of_period_starts(view, rows)
    hidden = reasons.of_hidden_crossings(view, rows)
    notes = {}
    for place, row in enumerate(rows):
        start, crossed = starts.get(place), reasons.of_crossing(view, row)
        if crossed:
            notes[place] = ("--usage-note-crossing", f"{crossed} {start}" if start else crossed)
        elif place in hidden:
            notes[place] = ("--usage-note-crossed", hidden[place])
        elif start:
            on_demand = row.type is UsageType.ON_DEMAND
            variable = "--usage-note-month-ondemand" if on_demand else "--usage-note-month"
            notes[place] = (variable, start)
    return notes


def _cells(view: View, row: Execution) -> dict[str, str]:
    date, opened = formats.second(row.started_at, view.zone), view.here(execution=row.id)
    linked = fits(opened)
    return {
        "id": row.id if linked else shown(row.id),
        "date": _link(date, opened) if linked else _label(date),
        "type": type_label(row.type),
        "workflow": _workflow(view, row),
        "model": _model(row),
        "tokens": _tokens(row),
        "cost": _cost(row),
    }


def _model(row: Execution) -> str:
    if not row.models:
        return formats.UNKNOWN
    return model_label([named(row.models[0], _MODEL_AT_MOST), *row.models[1:]])


def _tokens(row: Execution) -> str:
    if row.tokens is None:
        return formats.UNKNOWN
    return formats.at_least(row.tokens, complete=row.tokens_complete)


def _cost(row: Execution) -> str:
    if row.cost is None:
        return formats.UNKNOWN
    return formats.row_dollars(row.cost) if row.on_demand else "Included"


def _workflow(view: View, row: Execution) -> str:
    name = one_line(workflow_label(row.workflow_name)) or NO_NAME
    base = view.settings.app_url
    if not base:
        return name
    url = workflow_url(base, view.workspace.id, row.workflow_id) if row.workflow_id else ""
    return _link(name, url) if url and fits(url) else _label(name)


def _link(text: str, url: str) -> str:
    return f"[{_label(text)}]({url})"


def _label(text: str) -> str:
    """Write a text so that Markdown takes nothing in it for more than text."""
    return _MARKDOWN.sub(r"\\\1", text)


def _css_string(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"").replace("\n", " ")
    return f'"{escaped}"'

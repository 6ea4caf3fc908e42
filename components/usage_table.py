"""The table of executions; the one module that knows the DataTable."""

import re
from itertools import pairwise
from typing import Any, Final
from urllib.parse import quote

import pandas as pd
from dash import Output
from dash.dash_table.DataTable import DataTable
from dash.development.base_component import Component

from components import formats, ids
from components.view import View
from data.allowance import Crossing, UsageType
from data.labels import model_label, rfc3339, workflow_label
from data.paging import Position
from data.periods import billing_period
from settings import Settings

COLUMNS: Final = {
    "date": "Date",
    "type": "Type",
    "workflow": "Workflow",
    "model": "Model",
    "tokens": "Tokens",
    "cost": "Cost",
}
_SKELETON_ROWS: Final = 15
_TYPES: Final = {UsageType.INCLUDED: "Included", UsageType.ON_DEMAND: "On-Demand"}
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
    """Return the table with rows to be filled; workflow names are links where the host is known."""
    linked = {"presentation": "markdown"} if settings.app_url else {}
    return DataTable(
        id=ids.TABLE,
        columns=[
            {"id": column, "name": name, **(linked if column == "workflow" else {})}
            for column, name in COLUMNS.items()
        ],
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
    rows = view.page.rows
    labels = _labels(view)
    zone = str(view.zone)
    return {
        "data": [_cells(view, row) for row in rows.itertuples()],
        "tooltips": [
            {
                column: {"value": text, "type": "text"}
                for column, text in _tooltips(view, row).items()
            }
            for row in rows.itertuples()
        ],
        "styles": _STYLES + [style for place, (style, _) in labels.items()],
        "css": [
            {
                "selector": 'th[data-dash-column="date"] .column-header-name::after',
                "rule": f"content: {_css_string(' ' + zone)}",
            },
            *(
                {
                    "selector": f'td[data-dash-row="{place}"][data-dash-column="date"]::after',
                    "rule": f"content: {_css_string(text)}",
                }
                for place, (_, text) in labels.items()
            ),
        ],
    }


def _cells(view: View, row: Any) -> dict[str, str]:
    return {
        "id": row.id,
        "date": formats.second(row.started_at, view.zone),
        "type": _TYPES[row.type],
        "workflow": _workflow(view, row),
        "model": model_label(row.models) or formats.UNKNOWN,
        "tokens": formats.UNKNOWN if row.tokens is None else formats.count(row.tokens),
        "cost": _cost(row),
    }


def _cost(row: Any) -> str:
    if row.cost is None:
        return formats.UNKNOWN
    return formats.row_dollars(row.cost) if row.on_demand else "Included"


def _workflow(view: View, row: Any) -> str:
    name = workflow_label(row.workflow_name)
    if not view.settings.app_url:
        return name
    label = _MARKDOWN.sub(r"\\\1", " ".join(name.split()))
    if row.workflow_id is None:
        return label
    base = view.settings.app_url.rstrip("/")
    workspace, workflow = (quote(part, safe="") for part in (view.workspace.id, row.workflow_id))
    return f"[{label}]({base}/workspace/{workspace}/w/{workflow})"


def _tooltips(view: View, row: Any) -> dict[str, str]:
    return {
        "date": rfc3339(row.started_at),
        "type": _why_type(view, row),
        "workflow": "This workflow was deleted" if row.workflow_name is None else row.workflow_name,
        "model": "\n".join(row.models) or "No model was used",
        "cost": _why_cost(row),
    }


def _why_type(view: View, row: Any) -> str:
    limit = view.page.account.limit
    if limit is None:
        return "Included: no limit set"
    crossing = _crossing_at(view, row)
    dollars = formats.sum_dollars(limit)
    if crossing is None:
        month = billing_period(row.started_at, view.zone).month
        return f"Included: {view.subject} has not crossed its limit of {dollars} in {month:%B}"
    if crossing.position == Position(row.started_at, row.id):
        return f"On-Demand: this execution took {view.subject} over its limit of {dollars}"
    side = "before" if row.type is UsageType.INCLUDED else "after"
    return (
        f"{_TYPES[row.type]}: started {side} {view.subject} crossed its limit of {dollars} on "
        f"{formats.second(crossing.position.started_at, view.zone)} {view.zone}"
    )


def _why_cost(row: Any) -> str:
    if row.cost is None:
        running = row.status in {"running", "pending"}
        return (
            "Still running; cost not known yet"
            if running
            else "Cost not recorded; counts as 0 in sums"
        )
    exact = f"Exact cost {formats.exact_dollars(row.cost)}"
    if row.on_demand:
        return f"{exact}; On-Demand part {formats.exact_dollars(row.on_demand)}"
    return f"Included: this execution added nothing to the On-Demand amount. {exact}"


def _crossing_at(view: View, row: Any) -> Crossing | None:
    return next((c for c in view.page.crossings if row.started_at in c.period), None)


def _labels(view: View) -> dict[int, tuple[dict[str, Any], str]]:
    """Return the second lines of rows: by place, the Date cell's style and the text."""
    rows = view.page.rows
    labels: dict[int, tuple[dict[str, Any], str]] = {}
    months = [billing_period(started_at, view.zone).month for started_at in rows["started_at"]]
    places = {(row.started_at, row.id): place for place, row in enumerate(rows.itertuples())}
    for place, (month, older) in enumerate(pairwise(months)):
        if month != older:
            text = f"{month.day} {month:%B}: the running total starts at $0"
            labels[place] = _marked(place, rows, "--usage-month"), text
    for crossing in view.page.crossings:
        if crossing.position in places:
            place = places[crossing.position]
            beyond = [labels[place][1]] if place in labels else []
            text = " ".join([_crossed(rows.iloc[place], crossing), *beyond])
            labels[place] = _marked(place, rows, "--usage-crossing"), text
    return labels


def _marked(place: int, rows: pd.DataFrame, variable: str) -> dict[str, Any]:
    colour = variable
    if variable == "--usage-month" and rows["type"].iloc[place] is UsageType.ON_DEMAND:
        colour = "--usage-month-ondemand"
    return {
        "if": {"row_index": place, "column_id": "date"},
        "boxShadow": f"inset 3px 0 0 var({colour})",
    }


def _crossed(row: Any, crossing: Crossing) -> str:
    return (
        f"Limit {formats.sum_dollars(crossing.limit)} crossed here: "
        f"{formats.row_dollars(row['cost'] - row['on_demand'])} of this cost is Included, "
        f"{formats.row_dollars(row['on_demand'])} On-Demand. "
        f"Earlier executions of {crossing.period.month:%B} are Included."
    )


def _css_string(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"").replace("\n", " ")
    return f'"{escaped}"'

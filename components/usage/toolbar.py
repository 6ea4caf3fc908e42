"""Presets, the date range, how fresh the figures are."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

from dash import Output, dcc, html
from dash.development.base_component import Component

from components import formats, ids
from components.aria import aria
from components.buttons import button_group
from components.usage.state import unless_same
from components.usage.view import View
from data.files.export import ROW_LIMIT
from data.rules.calendar import FIRST_DAY, Preset

OUTPUTS: Final = {
    "pressed": {
        preset.value: Output(element, "aria-pressed") for preset, element in ids.PRESETS.items()
    },
    "start": Output(ids.RANGE, "start_date"),
    "end": Output(ids.RANGE, "end_date"),
    "as_of": Output(ids.AS_OF, "children"),
}

CLEAR: Final[dict[str, Any]] = {
    "pressed": dict.fromkeys((preset.value for preset in Preset), "false"),
    "start": None,
    "end": None,
    "as_of": "",
}


def layout(today: date, badge: Sequence[Component], export_button: Component) -> Component:
    """Return the toolbar; ``today`` is the last day that can be picked."""
    return html.Div(
        [
            button_group(
                {element: formats.preset_name(preset) for preset, element in ids.PRESETS.items()},
                "Preset window",
            ),
            html.Div(
                dcc.DatePickerRange(
                    id=ids.RANGE,
                    min_date_allowed=FIRST_DAY.isoformat(),
                    max_date_allowed=today.isoformat(),
                    initial_visible_month=(today.replace(day=1) - timedelta(days=1)).isoformat(),
                    number_of_months_shown=2,
                    minimum_nights=0,
                    first_day_of_week=1,
                    display_format="YYYY-MM-DD",
                    updatemode="bothdates",
                    clearable=False,
                ),
                className="usage-range-box",
            ),
            html.Div(
                [*badge, html.Span(id=ids.AS_OF, className="usage-hint"), export_button],
                className="usage-export-box",
            ),
        ],
        className="usage-toolbar",
        role="group",
        **aria(label="Window and export"),
    )


def show(view: View, days: tuple[Any, Any]) -> dict[str, Any]:
    """Mark the preset, fill the picker, say how fresh the figures are and what a file can hold.

    ``days`` are those that were asked with.
    """
    first, last = formats.days_shown(view.window, view.zone)
    total = view.page.total
    hint = f"As of {formats.minute(view.page.account.as_of, view.zone)} {view.zone}"
    if total is not None and total > ROW_LIMIT:
        hint = f"{formats.count(total)} rows · a file holds {formats.count(ROW_LIMIT)} · {hint}"
    return {
        "pressed": {
            preset.value: "true" if preset is view.window.preset else "false" for preset in Preset
        },
        "start": unless_same(first.isoformat(), days[0]),
        "end": unless_same(last.isoformat(), days[1]),
        "as_of": hint,
    }

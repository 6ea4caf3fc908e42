"""Buttons of which one is pressed."""

from collections.abc import Mapping

from dash import html
from dash.development.base_component import Component

from components.aria import aria


def button_group(names: Mapping[str, str], label: str, class_name: str = "btn") -> Component:
    """Return a button for each element's id, with its text; none of them is pressed yet."""
    return html.Div(
        [
            html.Button(
                text, id=element, className=class_name, type="button", **aria(pressed="false")
            )
            for element, text in names.items()
        ],
        className="btn-group",
        role="group",
        **aria(label=label),
    )

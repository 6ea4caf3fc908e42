"""A row opened: everything known of one execution, in a panel beside the table.

Which one stands in the URL, so that Back closes the panel and a link opens it.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, ctx, dcc, html
from dash.development.base_component import Component

from components import ids
from components.usage.opened_lines import show
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.rules.errors import UsageError
from settings import Settings
from settings.addresses import workspace_in

_LOG: Final = logging.getLogger(__name__)

OUTPUTS: Final = {
    "title": Output(ids.OPENED_TITLE, "children"),
    "body": Output(ids.OPENED_BODY, "children"),
}


def layout() -> Component:
    """Return the panel, closed."""
    close = html.Button(
        "Close", id=ids.OPENED_CLOSE, className="btn btn-sm btn-quiet", type="button"
    )
    return html.Div(
        [
            # Which execution of which path is asked for.
            dcc.Store(id=ids.OPENED_ROW),
            dbc.Offcanvas(
                [
                    html.Div([html.H2(id=ids.OPENED_TITLE), close], className="usage-opened-head"),
                    html.Div(id=ids.OPENED_BODY),
                ],
                id=ids.OPENED,
                placement="end",
                is_open=False,
                close_button=False,
                labelledby=ids.OPENED_TITLE,
                class_name="usage-opened",
                backdrop_class_name="usage-opened-backdrop",
            ),
        ]
    )


def register(app: Dash, ledger: Ledger, identify: Callable[[], Viewer], settings: Settings) -> None:
    """Let the URL open the panel, and whatever closes the panel change the URL."""

    @app.callback(output=OUTPUTS, inputs=[Input(ids.OPENED_ROW, "data")], prevent_initial_call=True)
    def fill(asked: Any) -> dict[str, Any]:
        asked = asked if isinstance(asked, dict) else {}
        workspace_id = workspace_in(asked.get("pathname"), settings.url_prefix)
        try:
            return show(ledger.execution(identify(), workspace_id, str(asked.get("id"))), settings)
        except UsageError as error:
            _LOG.warning("opened row: %s", error.sentence)
            if error.status in {401, 404}:
                # The same answer as the API's; the browser shows the body all the same.
                ctx.response.callback_response.status_code = error.status
            return {"title": "Execution", "body": html.P(error.sentence)}

    # The browser's own, so that a page without an opened row asks the server for nothing.
    app.clientside_callback(  # type: ignore[no-untyped-call]  # Dash's own gap
        ClientsideFunction("usage", "openRow"),
        Output(ids.OPENED_ROW, "data"),
        # Once, as the page opens. Not the Location's, which wait for the table's answer.
        Input(ids.OPENED_ROW, "id"),
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]  # likewise
        ClientsideFunction("usage", "closeRow"),
        Output(ids.OPENED, "id"),
        Input(ids.OPENED, "is_open"),
        Input(ids.OPENED_CLOSE, "n_clicks"),
        prevent_initial_call=True,
    )

"""The address of the page, as the browser reads it: what asks the server, and what does not.

A change of it that puts no other question, such as a split or an opened row, asks for no rows.
"""

from collections.abc import Sequence

from dash import ClientsideFunction, Dash, Input, Output, State, dcc
from dash.development.base_component import Component

from components import ids


def layout() -> Sequence[Component]:
    """Return what remembers the address, and what goes on behind the page; nothing is seen."""
    return [
        dcc.Location(id=ids.LOCATION, refresh="callback-nav"),
        # The question that the address puts, and the address that was answered last.
        dcc.Store(id=ids.ASKED),
        dcc.Store(id=ids.ANSWERED),
        dcc.Store(id=ids.VIEW),
        dcc.Store(id=ids.TURN),
    ]


def register(app: Dash) -> None:
    """Let the browser read the address, and follow what the server answers."""
    app.clientside_callback(  # type: ignore[no-untyped-call]  # Dash's own gap
        ClientsideFunction("usage", "readAddress"),
        Output(ids.ASKED, "data"),
        Output(ids.SPLIT, "data"),
        Input(ids.LOCATION, "search"),
        Input(ids.LOCATION, "pathname"),
        State(ids.ANSWERED, "data"),
        State(ids.SPLIT, "data"),
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]  # Dash's own gap
        ClientsideFunction("usage", "keepSplit"),
        Output(ids.ANSWERED, "id"),
        Input(ids.ANSWERED, "data"),
        State(ids.LOCATION, "search"),
        prevent_initial_call=True,
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]  # Dash's own gap
        ClientsideFunction("usage", "turnPage"), Output(ids.VIEW, "id"), Input(ids.VIEW, "data")
    )
    # A question that was put while another was on its way waits for the renderer's next turn.
    app.clientside_callback(  # type: ignore[no-untyped-call]  # Dash's own gap
        ClientsideFunction("usage", "takeTurn"),
        Output(ids.TURN, "id"),
        Input(ids.TURN, "data"),
        prevent_initial_call=True,
    )

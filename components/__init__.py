"""What is seen: the page in ``usage``, its figures in ``figures``, what both need beside them."""

from collections.abc import Callable

from dash import Dash, dcc, html

from components import ids
from components.usage import page as usage_page
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from settings import Settings


def register(app: Dash, ledger: Ledger, identify: Callable[[], Viewer], settings: Settings) -> None:
    """Put the Usage page on ``app``; ``identify`` tells who asks, at every question."""
    # A function, because the last day that can be picked is today.
    app.layout = lambda: usage_page.layout(settings)
    # The picture is made by the browser, once there is something to draw.
    known = html.Div([usage_page.layout(settings), dcc.Graph(id=ids.GRAPH)])
    app.validation_layout = known  # type: ignore[assignment]  # Dash's own gap
    usage_page.register(app, ledger, identify, settings)

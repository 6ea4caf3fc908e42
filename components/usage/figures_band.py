"""The figures above the table: summary, limit and picture, asked for once per window and filters.

Turning a page asks for nothing here: the figures are of the whole window.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from components import ids
from components.aria import state
from components.figures import chart, summary
from components.figures import limit as limit_band
from components.figures.picture import picture
from components.figures.step_words import searches_of
from components.usage import filter_bar
from components.usage.state import framed, search_of
from data.answers.figures import Figures
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.question.filters import FILTER_PARAMS
from data.question.params import one_of
from data.question.query import CURSOR_PARAMS, Split, UsageQuery
from data.rules.errors import UsageError
from data.rules.labels import UNFINISHED
from settings import Settings
from settings.addresses import params_in, params_of, readable

_LOG: Final = logging.getLogger(__name__)

OUTPUTS: Final = {
    "summary": Output(ids.SUMMARY, "children"),
    "limit": Output(ids.LIMIT, "children"),
    "legend": Output(ids.LEGEND, "children"),
    "course": Output(ids.COURSE, "children"),
    "picture": Output(ids.PICTURE, "data"),
    "pressed": {
        split.value: Output(element, "aria-pressed") for split, element in ids.SPLITS.items()
    },
    "offers": filter_bar.OFFERS,
    "state": Output(ids.FIGURES, "data-state"),
    "trouble": Output(ids.FIGURES_TROUBLE_TEXT, "children"),
    "untroubled": Output(ids.FIGURES_TROUBLE, "hidden"),
}


def layout() -> Component:
    """Return the bands, with skeletons in the places of their figures."""
    return html.Div(
        [
            dcc.Store(id=ids.SUBJECT),
            dcc.Store(id=ids.SPLIT, data=Split.TYPE.value),
            html.Div(
                [
                    html.Span(id=ids.FIGURES_TROUBLE_TEXT),
                    html.Button(
                        "Try again", id=ids.FIGURES_RETRY, className="btn btn-sm", type="button"
                    ),
                ],
                id=ids.FIGURES_TROUBLE,
                className="usage-notice usage-notice-warn",
                role="status",
                hidden=True,
            ),
            html.Div([summary.layout(), limit_band.layout(), chart.layout()]),
        ],
        id=ids.FIGURES,
        className="usage-figures",
        **state("loading"),
    )


def register(app: Dash, ledger: Ledger, identify: Callable[[], Viewer], settings: Settings) -> None:
    """Let the figures follow window, filters and split."""

    @app.callback(
        output=OUTPUTS,
        inputs={
            "subject": Input(ids.SUBJECT, "data"),
            "split": Input(ids.SPLIT, "data"),
            "again": Input(ids.FIGURES_RETRY, "n_clicks"),
        },
        state={"search": State(ids.LOCATION, "search")},
        prevent_initial_call=True,
    )
    def show(subject: Any, split: Any, again: Any, search: Any) -> dict[str, Any]:
        del again
        if not isinstance(subject, dict):
            raise PreventUpdate
        asked = params_of(subject.get("asked"))
        try:
            chosen = one_of(Split, "split", {"split": [str(split or Split.TYPE)]})
            query = UsageQuery.parse(
                asked,
                workspace_id=str(subject.get("workspace")),
                now=datetime.now(UTC),
                zone=ledger.zone,
            )
            figures, options = ledger.figures_shown(identify(), query, chosen)
        except UsageError as error:
            return _failed(error)
        filters = {name: words for name, words in asked.items() if name in FILTER_PARAMS}
        frame, shown = framed(params_in(readable(search)))
        first_page = {name: words for name, words in shown.items() if name not in CURSOR_PARAMS}
        unfinished = search_of(first_page | {"status": list(UNFINISHED)}, frame)
        return _shown(figures, chosen, filters | frame, unfinished, settings) | {
            "offers": filter_bar.offer(options, query.filters.params())
        }

    app.clientside_callback(  # type: ignore[no-untyped-call]  # Dash's own gap
        ClientsideFunction("usage", "drawPicture"),
        Output(ids.CHART, "children"),
        Input(ids.PICTURE, "data"),
        Input(ids.THEME, "label"),
        prevent_initial_call=True,
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]  # likewise
        ClientsideFunction("usage", "narrowTo"),
        Output(ids.CHART, "id"),
        Input(ids.GRAPH, "clickData"),
        prevent_initial_call=True,
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]  # likewise
        ClientsideFunction("usage", "chooseSplit"),
        Output(ids.FIGURES, "id"),
        [Input(element, "n_clicks") for element in ids.SPLITS.values()],
        prevent_initial_call=True,
    )


def _shown(
    figures: Figures, split: Split, rest: Mapping[str, Any], unfinished: str, settings: Settings
) -> dict[str, Any]:
    searches = searches_of(figures.steps, figures.unit, settings.zone, rest)
    return {
        "summary": summary.show(figures, settings.zone, unfinished),
        "limit": limit_band.show(figures, settings),
        "legend": chart.legend(figures),
        "course": chart.course(figures, settings, searches),
        "picture": picture(figures, settings.zone, searches),
        "pressed": chart.pressed(split),
        "state": "ready",
        "trouble": "",
        "untroubled": True,
    }


def _failed(error: UsageError) -> dict[str, Any]:
    """Tell what happened; what was there is hidden, for it is of another window or filter."""
    _LOG.warning("figures: %s", error.sentence)
    if error.status in {401, 404}:
        # The same answer as the page's; the browser shows the body all the same.
        ctx.response.callback_response.status_code = error.status
    told = [html.B("The figures could not be added up. "), error.sentence]
    return _unchanged() | {"state": "failed", "trouble": told, "untroubled": False}


def _unchanged() -> dict[str, Any]:
    return {
        name: dict.fromkeys(output, no_update) if isinstance(output, dict) else no_update
        for name, output in OUTPUTS.items()
    }

"""The Usage page: its parts in their places, and the one callback that owns its state.

The state is in the URL. Whatever is clicked becomes parameters, the parameters become a UsageQuery,
the ledger answers it, and every part of the page shows its own piece of that one answer.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from dash import Dash, Input, Output, State, ctx, html, no_update
from dash.development.base_component import Component

from components import ids
from components.aria import state
from components.usage import (
    address,
    empty,
    export_button,
    export_menu,
    figures_band,
    filter_bar,
    header,
    notice,
    opened_row,
    pager,
    toolbar,
)
from components.usage import table as usage_table
from components.usage.answer import answer
from components.usage.state import asked_by, framed, pinned_by, search_of, stored, subject
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.rules.calendar import local_day
from data.rules.errors import BadRequestError, UnavailableError, UsageError
from settings import Settings
from settings.addresses import params_in, params_of, readable, workspace_in

_LOG: Final = logging.getLogger(__name__)

_READY, _EMPTY, _LOADING, _NOTHING = "ready", "empty", "loading", "nothing"
# What asks for more of the window that is on the screen.
_KEEP_WINDOW: Final = {ids.ASKED, *ids.FILTERS.values()}


def layout(settings: Settings) -> Component:
    """Return the page as it stands before any answer: skeleton rows, no figures."""
    today = local_day(datetime.now(UTC), settings.zone)
    return html.Div(
        [
            *address.layout(),
            html.A("Skip to the table", href=f"#{ids.TABLE}", className="usage-skip"),
            header.layout(settings),
            html.Main(
                [
                    toolbar.layout(
                        today,
                        header.demo_badge(settings, "usage-embed-only"),
                        export_button.layout(),
                    ),
                    notice.layout(export_button.question()),
                    figures_band.layout(),
                    filter_bar.layout(),
                    html.Div(usage_table.layout(settings), className="usage-table"),
                    empty.layout(),
                    pager.layout(),
                ],
                id=ids.MAIN,
                className="usage-main",
                **state(_LOADING),
            ),
            opened_row.layout(),
        ]
    )


def register(app: Dash, ledger: Ledger, identify: Callable[[], Viewer], settings: Settings) -> None:
    """Let every control of the page ask for the window and the page it stands for."""
    outputs = {
        "search": Output(ids.LOCATION, "search"),
        "answered": Output(ids.ANSWERED, "data"),
        "view": Output(ids.VIEW, "data"),
        "subject": Output(ids.SUBJECT, "data"),
        "state": Output(ids.MAIN, "data-state"),
        "header": header.outputs(settings),
        "toolbar": toolbar.OUTPUTS,
        "export": export_menu.OUTPUTS,
        "notice": notice.OUTPUTS,
        "filters": filter_bar.OUTPUTS,
        "table": usage_table.OUTPUTS,
        "empty": empty.OUTPUTS,
        "pager": pager.OUTPUTS,
    }

    @app.callback(
        output=outputs,
        inputs={
            "question": Input(ids.ASKED, "data"),
            "days": (Input(ids.RANGE, "start_date"), Input(ids.RANGE, "end_date")),
            "values": filter_bar.INPUTS,
            "clicks": [
                Input(element, "n_clicks")
                for element in (*ids.PRESETS.values(), ids.PREV, ids.NEXT, ids.RETRY)
            ],
        },
        state={
            "screen": {
                "search": State(ids.LOCATION, "search"),
                "pathname": State(ids.LOCATION, "pathname"),
                "shown": State(ids.VIEW, "data"),
                "known": filter_bar.KNOWN,
                "subject": State(ids.SUBJECT, "data"),
            }
        },
    )
    def show(
        question: Any,
        days: tuple[Any, Any],
        values: dict[str, Any],
        clicks: list[Any],
        screen: dict[str, Any],
    ) -> dict[str, Any]:
        del question, clicks
        shown = screen["shown"] if isinstance(screen["shown"], dict) else {}
        search = readable(screen["search"])
        frame, params = framed(params_in(search))
        clicked = list(ctx.triggered_prop_ids.values())
        if set(clicked) == {ids.RANGE} and None in days:
            half: dict[str, Any] = _unchanged(outputs)
            return half | {"toolbar": _days_again(shown)}
        asked = asked_by(clicked, params, days, filter_bar.chosen_in(values), shown)
        pinned = pinned_by(asked, shown) if set(clicked) <= _KEEP_WINDOW and clicked else None
        written = search if asked == params else search_of(asked, frame)
        try:
            view = answer(
                ledger,
                identify(),
                workspace_in(screen["pathname"], settings.url_prefix),
                asked,
                pinned=pinned,
                frame=frame,
                settings=settings,
            )
        except UsageError as error:
            failed = _failed(outputs, error, shown) | {"answered": search}
            if isinstance(error, UnavailableError):
                # So that trying again asks for this, not for what was there before.
                failed |= {"search": written, "answered": written}
            return failed
        of = subject(view)
        # Another page of it has the same figures.
        same = of == screen["subject"] and shown and ids.RETRY not in clicked
        return {
            "search": no_update if asked == params else written,
            "answered": written,
            "view": stored(view),
            "subject": no_update if same else of,
            "state": _EMPTY if view.page.rows.empty else _READY,
            "header": header.show(view),
            "toolbar": toolbar.show(view, days),
            "export": export_menu.show(view),
            "notice": notice.CLEAR,
            "filters": filter_bar.show(view, screen["known"], values),
            "table": usage_table.show(view),
            "empty": empty.show(view),
            "pager": pager.show(view),
        }

    header.register(app)
    export_button.register(app, ledger, identify, settings)
    filter_bar.register(app)
    figures_band.register(app, ledger, identify, settings)
    opened_row.register(app, ledger, identify, settings)
    address.register(app)


def _failed(
    outputs: Mapping[str, Any], error: UsageError, shown: Mapping[str, Any]
) -> dict[str, Any]:
    """Tell what happened and keep what was there, unless the viewer may no longer see it."""
    _LOG.warning("usage page: %s", error.sentence)
    answer: dict[str, Any] = _unchanged(outputs)
    hide = error.status in {401, 404}
    if hide:
        # The same answer as the page's and the API's; the browser shows the body all the same.
        ctx.response.callback_response.status_code = error.status
        answer |= {"toolbar": toolbar.CLEAR, "pager": pager.CLEAR}
    elif isinstance(error, BadRequestError):
        answer["toolbar"] = _days_again(shown)
        # Whatever was typed gives way to what is on the screen.
        answer["filters"] |= {"values": filter_bar.values_of(params_of(shown.get("filters")))}
    nothing_known = hide or not shown
    answer["notice"] = notice.show(error, None if nothing_known else str(shown.get("as_of")))
    if nothing_known:
        answer |= {
            "view": None,
            "state": _NOTHING,
            "table": usage_table.CLEAR,
            "empty": empty.CLEAR,
        }
    return answer


def _days_again(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Let the picker show the days that are on the screen, whatever was typed into it."""
    answer: dict[str, Any] = _unchanged(toolbar.OUTPUTS)
    days = shown.get("days")
    if isinstance(days, list) and len(days) == 2:  # noqa: PLR2004 - first and last
        answer |= {"start": days[0], "end": days[1]}
    return answer


def _unchanged(outputs: Any) -> Any:
    if isinstance(outputs, Mapping):
        return {name: _unchanged(output) for name, output in outputs.items()}
    return no_update

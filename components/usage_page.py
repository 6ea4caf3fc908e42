"""The Usage page: its parts in their places, and the one callback that owns its state.

The state is in the URL. Whatever is clicked becomes parameters, the parameters become a UsageQuery,
the ledger answers it, and every part of the page shows its own piece of that one answer.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from components import (
    empty,
    export_button,
    header,
    ids,
    notice,
    pager,
    toolbar,
    usage_table,
)
from components.state import (
    asked_by,
    framed,
    pinned_by,
    refuse_other_frames,
    search_of,
    stored,
)
from components.view import View
from data.access import Viewer
from data.errors import BadRequestError, UnavailableError, UsageError
from data.ledger import Ledger, Page
from data.paging import Direction
from data.periods import local_day
from data.query import CURSOR_PARAMS, UsageQuery
from links import params_in, workspace_in
from settings import Settings

_LOG: Final = logging.getLogger(__name__)

_READY, _EMPTY, _LOADING = "ready", "empty", "loading"


def layout(settings: Settings) -> Component:
    """Return the page as it stands before any answer: skeleton rows, no figures."""
    today = local_day(datetime.now(UTC), settings.zone)
    return html.Div(
        [
            dcc.Location(id=ids.LOCATION, refresh="callback-nav"),
            dcc.Store(id=ids.VIEW),
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
                    html.Div(usage_table.layout(settings), className="usage-table"),
                    empty.layout(),
                    pager.layout(),
                ],
                id=ids.MAIN,
                className="usage-main",
                **_state(_LOADING),
            ),
        ]
    )


def register(app: Dash, ledger: Ledger, identify: Callable[[], Viewer], settings: Settings) -> None:
    """Let every control of the page ask for the window and the page it stands for."""
    outputs = {
        "search": Output(ids.LOCATION, "search"),
        "view": Output(ids.VIEW, "data"),
        "state": Output(ids.MAIN, "data-state"),
        "header": header.outputs(settings),
        "toolbar": toolbar.OUTPUTS,
        "notice": notice.OUTPUTS,
        "table": usage_table.OUTPUTS,
        "empty": empty.OUTPUTS,
        "pager": pager.OUTPUTS,
    }

    @app.callback(
        output=outputs,
        inputs={
            "search": Input(ids.LOCATION, "search"),
            "pathname": Input(ids.LOCATION, "pathname"),
            "days": (Input(ids.RANGE, "start_date"), Input(ids.RANGE, "end_date")),
            "clicks": [
                Input(element, "n_clicks")
                for element in (*ids.PRESETS.values(), ids.PREV, ids.NEXT, ids.RETRY)
            ],
        },
        state={"shown": State(ids.VIEW, "data")},
    )
    def show(
        search: Any, pathname: Any, days: tuple[Any, Any], clicks: list[Any], shown: Any
    ) -> dict[str, Any]:
        del clicks
        shown = shown if isinstance(shown, dict) else {}
        frame, params = framed(params_in(search))
        if ctx.triggered_id == ids.RANGE and None in days:
            again: dict[str, Any] = _unchanged(outputs)
            return again | {"toolbar": _days_again(shown)}
        asked = asked_by(ctx.triggered_id, params, days, shown)
        pinned = pinned_by(asked, shown) if ctx.triggered_id == ids.LOCATION else None
        try:
            view = _answer(
                ledger,
                identify(),
                workspace_in(pathname, settings.url_prefix),
                asked,
                pinned=pinned,
                frame=frame,
                settings=settings,
            )
        except UsageError as error:
            failed = _failed(outputs, error, shown)
            if isinstance(error, UnavailableError):
                # So that trying again asks for this, not for what was there before.
                failed["search"] = search_of(asked, frame)
            return failed
        return {
            "search": no_update if asked == params else search_of(asked, frame),
            "view": stored(view),
            "state": _EMPTY if view.page.rows.empty else _READY,
            "header": header.show(view),
            "toolbar": toolbar.show(view),
            "notice": notice.CLEAR,
            "table": usage_table.show(view),
            "empty": empty.show(view),
            "pager": pager.show(view),
        }

    header.register(app)
    export_button.register(app, ledger, identify, settings)
    app.clientside_callback(  # type: ignore[no-untyped-call]  # Dash's own gap
        ClientsideFunction("usage", "turnPage"), Output(ids.VIEW, "id"), Input(ids.VIEW, "data")
    )


def _answer(
    ledger: Ledger,
    viewer: Viewer,
    workspace_id: str,
    asked: Mapping[str, list[str]],
    *,
    pinned: Mapping[str, list[str]] | None,
    frame: Mapping[str, str],
    settings: Settings,
) -> View:
    now = datetime.now(UTC)
    try:
        refuse_other_frames(asked)
        query = UsageQuery.parse(asked, workspace_id=workspace_id, now=now, zone=ledger.zone)
    except BadRequestError:
        # Where there is nothing to see, that is the answer, however the question was put.
        ledger.account(viewer, workspace_id)
        raise
    if pinned:
        kept = UsageQuery.parse(pinned, workspace_id=workspace_id, now=now, zone=ledger.zone)
        query = replace(query, window=replace(kept.window, preset=query.window.preset))
    page = _whole_first_page(ledger, viewer, query)
    params = {name: value for name, (value,) in asked.items() if name not in CURSOR_PARAMS}
    if not params and query.window.preset:
        params = {"preset": query.window.preset.value}
    cursor = {name: value for name, (value,) in asked.items() if name in CURSOR_PARAMS}
    # The first page needs none, and may not be the one that was asked for.
    cursor = cursor if page.previous_cursor else {}
    return View(page, ledger.workspaces(viewer), params, cursor, frame, settings)


def _whole_first_page(ledger: Ledger, viewer: Viewer, query: UsageQuery) -> Page:
    """Answer ``query``; going back past a late row ends in a full page, not in a short one."""
    page = ledger.page(viewer, query)
    short = len(page.rows) < query.limit and page.next_cursor is not None
    if query.direction is Direction.NEWER and short:
        return ledger.page(viewer, replace(query, cursor=None, direction=Direction.OLDER))
    return page


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
    nothing_known = hide or not shown
    answer["notice"] = notice.show(error, None if nothing_known else str(shown.get("as_of")))
    if nothing_known:
        answer |= {"view": None, "state": _READY, "table": usage_table.CLEAR, "empty": empty.CLEAR}
    return answer


def _days_again(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Let the picker show the days that are on the screen, whatever was typed into it."""
    answer: dict[str, Any] = _unchanged(toolbar.OUTPUTS)
    days = shown.get("days")
    if isinstance(days, list) and len(days) == 2:  # noqa: PLR2004 - first and last
        answer |= {"start": days[0], "end": days[1]}
    return answer


def _state(word: str) -> dict[str, Any]:
    return {"data-state": word}


def _unchanged(outputs: Any) -> Any:
    if isinstance(outputs, Mapping):
        return {name: _unchanged(output) for name, output in outputs.items()}
    return no_update

"""Export CSV: the button, the question before a window that one file cannot hold, the file."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from components import formats, ids
from components.aria import aria
from components.usage import export_menu, notice
from data.answers.ledger import Ledger
from data.files.csv import write_csv
from data.files.export import ROW_LIMIT, Export, file_name
from data.files.manifest import ProvenFile
from data.platform.access import Viewer
from data.question.file_options import FileOptions
from data.question.filters import Filters
from data.question.query import UsageQuery
from data.rules.errors import BadRequestError, UsageError
from settings import Settings
from settings.addresses import params_of, workspace_in

OUTPUTS: Final = {
    "file": Output(ids.DOWNLOAD, "data"),
    "question": Output(ids.QUESTION_TEXT, "children"),
    "question_hidden": Output(ids.QUESTION, "hidden"),
    "trouble": {
        name: Output(output.component_id, output.component_property, allow_duplicate=True)
        for name, output in notice.OUTPUTS.items()
    },
}


def layout() -> Component:
    """Return the button, its menu and the place of its file."""
    return html.Div(
        [
            html.Button("Export CSV", id=ids.EXPORT, className="btn", type="button"),
            export_menu.layout(),
            dcc.Download(id=ids.DOWNLOAD),
        ],
        className="usage-export",
        role="group",
        **aria(label="Export"),
    )


def question() -> Component:
    """Return the question before a long export, hidden."""
    newest = f"Export newest {formats.count(ROW_LIMIT)}"
    return html.Div(
        [
            html.Span(id=ids.QUESTION_TEXT),
            html.Button(newest, id=ids.CONFIRM, className="btn btn-sm", type="button"),
            html.Button("Cancel", id=ids.CANCEL, className="btn btn-sm btn-quiet", type="button"),
        ],
        id=ids.QUESTION,
        className="usage-notice usage-notice-warn",
        hidden=True,
    )


def register(app: Dash, ledger: Ledger, identify: Callable[[], Viewer], settings: Settings) -> None:
    """Let the button send the file of the window on the screen, all of its pages."""

    @app.callback(
        output=OUTPUTS,
        inputs={
            "clicks": [
                Input(element, "n_clicks")
                for element in (ids.EXPORT, ids.EXPORT_CHOSEN, ids.CONFIRM)
            ],
        },
        state={
            "shown": State(ids.VIEW, "data"),
            "pathname": State(ids.LOCATION, "pathname"),
            "choices": export_menu.STATES,
        },
        running=[
            (Output(ids.EXPORT, "disabled"), True, False),
            (Output(ids.EXPORT, "children"), "Exporting …", "Export CSV"),
        ],
        prevent_initial_call=True,
    )
    def export(
        clicks: list[Any], shown: Any, pathname: str, choices: dict[str, Any]
    ) -> dict[str, Any]:
        del clicks
        shown = shown if isinstance(shown, dict) else {}
        window = params_of(shown.get("window"))
        now = datetime.now(UTC)
        try:
            if not window:
                raise BadRequestError("There is no window on the screen yet. Choose one first.")
            query = UsageQuery.parse(
                window | params_of(shown.get("filters")),
                workspace_id=workspace_in(pathname, settings.url_prefix),
                now=now,
                zone=ledger.zone,
            )
            options = export_menu.file_options_of(choices)
            with ledger.export(identify(), query, options) as answer:
                if answer.total > ROW_LIMIT and ctx.triggered_id != ids.CONFIRM:
                    return _asked(answer.total, query.filters)
                return _sent(_file(answer, query, options, now, ledger.zone))
        except UsageError as error:
            return _failed(error)

    app.clientside_callback(  # type: ignore[no-untyped-call]  # Dash's own gap
        ClientsideFunction("usage", "closeQuestion"),
        Output(ids.QUESTION, "hidden", allow_duplicate=True),
        Input(ids.CANCEL, "n_clicks"),
        Input(ids.VIEW, "data"),
        prevent_initial_call=True,
    )


def _file(
    answer: Export, query: UsageQuery, options: FileOptions, now: datetime, zone: tzinfo
) -> dict[str, Any]:
    """Return what the browser saves: the file, or an archive with its manifest."""
    if not options.manifest:
        text = "".join(write_csv(answer.rows, options))
        name = file_name(query.workspace_id, now, zone)
        return {"content": text, "filename": name, "type": "text/csv;charset=utf-8"}
    proven = ProvenFile.of(answer, query, options, now, zone)
    return {
        "content": b64encode(proven.zipped()).decode(),
        "filename": f"{proven.name}.zip",
        "type": "application/zip",
        "base64": True,
    }


def _asked(total: int, filters: Filters) -> dict[str, Any]:
    cap, many = formats.count(ROW_LIMIT), formats.count(total)
    holds = f"{'These filters leave' if filters else 'This window holds'} {many} executions; "
    holds += f"a file holds at most {cap}."
    gets = f" You would get the newest {cap}. Narrow the range, or page through the API, for all."
    return _answer(question=[html.B(holds), gets], question_hidden=False)


def _sent(file: dict[str, Any]) -> dict[str, Any]:
    return _answer(file=file, question_hidden=True, trouble=notice.CLEAR)


def _failed(error: UsageError) -> dict[str, Any]:
    if error.status in {401, 404}:
        ctx.response.callback_response.status_code = error.status  # as the page's own callback does
    text = [html.B("The file could not be made. "), error.sentence]
    return _answer(
        trouble={"text": text, "hidden": False, "again_hidden": isinstance(error, BadRequestError)}
    )


def _answer(**given: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(OUTPUTS, no_update) | {
        "trouble": dict.fromkeys(notice.OUTPUTS, no_update)
    }
    return nothing | given

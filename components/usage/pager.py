"""The line below the table: what is shown, the pages before and after, the same view in the API."""

from typing import Any, Final
from urllib.parse import urlencode

from dash import Output, html
from dash.development.base_component import Component

from components import formats, ids
from components.account_words import each_period, pays
from components.aria import aria
from components.scope_words import SCOPE_WORDS
from components.usage.view import View
from data.rules.labels import rfc3339

OUTPUTS: Final = {
    "caption": Output(ids.CAPTION, "children"),
    "prev_disabled": Output(ids.PREV, "disabled"),
    "next_disabled": Output(ids.NEXT, "disabled"),
    "limit": Output(ids.LIMIT_NOTE, "children"),
    "api": Output(ids.API_LINK, "href"),
}

CLEAR: Final[dict[str, Any]] = {
    "caption": "",
    "prev_disabled": True,
    "next_disabled": True,
    "limit": "",
    "api": None,
}


def layout() -> Component:
    """Return the foot of the table and the note beneath it."""
    return html.Div(
        [
            html.Div(
                [
                    html.Span(id=ids.CAPTION, **aria(live="polite")),
                    html.Div(
                        [
                            _button("Prev", ids.PREV, "Newer executions"),
                            _button("Next", ids.NEXT, "Older executions"),
                        ],
                        className="usage-pager",
                    ),
                ],
                className="usage-foot",
            ),
            html.Div(
                [
                    html.Span(id=ids.LIMIT_NOTE),
                    html.A("This view in the API", id=ids.API_LINK),
                ],
                className="usage-note",
            ),
        ]
    )


def _button(text: str, element: str, title: str) -> Component:
    return html.Button(
        text, id=element, title=title, className="btn btn-sm", type="button", disabled=True
    )


def show(view: View) -> dict[str, Any]:
    """Say what is shown, and open the pages that there are."""
    page = view.page
    return {
        "caption": f"{formats.window_in_words(view.window, view.zone)} · {_rows(view)}",
        "prev_disabled": page.previous_cursor is None,
        "next_disabled": page.next_cursor is None,
        "limit": _limit(view),
        "api": f"{view.settings.url_prefix}api/billing/usage?"
        + urlencode(
            {
                "workspaceId": view.workspace.id,
                "from": rfc3339(view.window.start),
                "to": rfc3339(view.window.end),
                **view.filters,
                **view.cursor,
            },
            doseq=True,
        ),
    }


def _rows(view: View) -> str:
    page = view.page
    if page.rows.empty:
        return "no rows"
    if page.newer is None or page.total is None:
        return f"{formats.count(len(page.rows))} rows; too many to count"
    first, last = page.newer + 1, page.newer + len(page.rows)
    return f"rows {formats.count(first)}–{formats.count(last)} of {formats.count(page.total)}"


def _limit(view: View) -> str:
    account = view.page.account
    terms, payer = account.terms, pays(account.payer)
    if terms.limit is None:
        return f"There is no limit set for {payer}: everything is Included."
    if terms.no_end:
        return f"There is no end set for on-demand use by {payer}."
    each = each_period(terms.period_at(account.as_of))
    covered = SCOPE_WORDS[view.settings.limit_scope].covered
    return (
        f"The limit of {formats.limit_dollars(terms.limit)} {each} is that of {payer}; the running "
        f"total {covered} counts against it."
    )

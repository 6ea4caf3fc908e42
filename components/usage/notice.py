"""Where trouble is told: a sentence, and a way to try again."""

from typing import Any, Final

from dash import Output, html
from dash.development.base_component import Component

from components import ids
from components.aria import aria
from data.rules.errors import BadRequestError, NotFoundError, UsageError

OUTPUTS: Final = {
    "text": Output(ids.TROUBLE_TEXT, "children"),
    "hidden": Output(ids.TROUBLE, "hidden"),
    "again_hidden": Output(ids.RETRY, "hidden"),
}

CLEAR: Final = {"text": "", "hidden": True, "again_hidden": False}

# Parameters that are typed into the page have a name there.
_NAMES: Final = {"min_cost_usd": "Minimum cost"}


def layout(question: Component) -> Component:
    """Return the place of notices, with the question before a long export."""
    return html.Div(
        [
            html.Div(
                [
                    html.Span(id=ids.TROUBLE_TEXT),
                    html.Button("Try again", id=ids.RETRY, className="btn btn-sm", type="button"),
                ],
                id=ids.TROUBLE,
                className="usage-notice usage-notice-error",
                hidden=True,
            ),
            question,
        ],
        id=ids.NOTICE,
        role="status",
        **aria(live="polite"),
    )


def show(error: UsageError, kept: str | None) -> dict[str, Any]:
    """Tell what happened; ``kept`` is the instant of the figures that stay below, if any."""
    wrong = isinstance(error, BadRequestError)
    if kept:
        lead = "Nothing has changed. " if wrong else "Usage could not be refreshed. "
        rest = f" The figures below are those of {kept}."
    else:
        lead, rest = "Usage could not be loaded. ", ""
        if wrong:
            rest = " Or choose one of the presets above."
    param = error.param or ""
    sentence = error.sentence.replace(param, _NAMES.get(param, param))
    text = [html.B(lead), f"{sentence}{rest}"]
    # To ask the same again would not help.
    return {
        "text": text,
        "hidden": False,
        "again_hidden": wrong or isinstance(error, NotFoundError),
    }

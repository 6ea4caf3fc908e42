"""The limit: how much of it is spent in the month at the window's end, and since when."""

from decimal import Decimal

from dash import html
from dash.development.base_component import Component

from components import formats, ids
from components.aria import aria
from components.scope_words import SCOPE_WORDS
from data.answers.figures import Figures
from data.rules.money import exact
from settings import Settings


def layout() -> Component:
    """Return the band, empty."""
    return html.Div(id=ids.LIMIT, className="usage-limit")


def show(figures: Figures, settings: Settings) -> list[Component]:
    """Say how the account stands; amounts only where its running total may be told."""
    limit, period = figures.account.terms.limit, figures.period
    if limit is None:
        return [html.Span("No limit set: everything is Included")]
    dollars = formats.limit_dollars(limit)
    if period is None:
        return [html.Span(f"Limit {dollars}")]

    since = None
    if figures.crossing:
        instant = formats.second(figures.crossing.position.started_at, settings.zone)
        since = f"{instant} {settings.zone}"
    if figures.running_total is None:
        told = f"crossed {since}" if since else f"not crossed in {period.name}"
        return [html.Span([html.B(f"Limit {dollars}"), f" {told}"])]

    spent = figures.running_total
    with exact():
        over = spent - limit
    state: list[Component | str]
    if since:
        state = [html.B(formats.total_dollars(over)), f" On-Demand since {since}"]
    else:
        state = [html.B(formats.total_dollars(-over)), " left"]
    return [
        html.Span(
            [
                html.B(formats.total_dollars(spent)),
                f" of {dollars} limit ",
                _muted(period.name, SCOPE_WORDS[settings.limit_scope].beside),
            ]
        ),
        _bar(spent, limit),
        html.Span(state),
    ]


def _muted(period: str, whole: str) -> Component:
    return html.Span(f"· {period}, {whole}", className="usage-muted")


def _bar(spent: Decimal, limit: Decimal) -> Component:
    """Draw the spent part; beyond the limit the track is what was spent, with a tick at the limit.

    The words beside it say the same.
    """
    whole = max(spent, limit) or Decimal(1)
    within = f"{min(spent, limit) / whole:.4%}"
    parts: list[Component] = [html.I(style={"width": within})]
    if spent > limit:
        beyond = {"left": within, "right": 0}
        parts += [html.I(className="usage-beyond", style=beyond), html.U(style={"left": within})]
    return html.Div(parts, className="usage-bar", **aria(hidden="true"))

"""Who pays, and the limit: how much of it is used in the billing period of the window."""

from collections.abc import Iterator
from decimal import Decimal

from dash import html
from dash.development.base_component import Component

from components import formats, ids
from components.account_words import RECONSTRUCTED, limit_of, name_of
from components.aria import aria
from components.scope_words import SCOPE_WORDS
from data.answers.figures import Figures
from data.platform.payer import UNNAMED
from data.rules.money import exact
from settings import Settings


def layout() -> Component:
    """Return the band, empty."""
    return html.Div(id=ids.LIMIT, className="usage-limit")


def show(figures: Figures, settings: Settings) -> list[Component]:
    """Name the account and say how it stands; amounts only where they may be told."""
    account, period = figures.account, figures.period
    beside = [limit_of(account.terms), SCOPE_WORDS[settings.limit_scope].beside]
    title = None
    if period:
        beside.insert(0, period.name + (" (reconstructed)" if period.reconstructed else ""))
        title = RECONSTRUCTED if period.reconstructed else None
    words = html.Span(f" · {', '.join(beside)}", className="usage-muted", title=title)
    lines = [html.Div([html.B(_capital(name_of(account.payer))), words])]
    if period:
        lines.append(html.Div(list(_state(figures, settings))))
    limit, spent = account.terms.limit, figures.running_total
    bars = [] if limit is None or spent is None or account.terms.no_end else [_bar(spent, limit)]
    return [html.Div(lines), *bars]


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:] if name == UNNAMED else name


def _state(figures: Figures, settings: Settings) -> Iterator[Component | str]:
    """Say how much is used, what is left of the limit or beyond it, and since when."""
    terms, spent, crossing = figures.account.terms, figures.running_total, figures.crossing
    if spent is not None:
        yield html.B(formats.total_dollars(spent))
        yield " used"
    if terms.limit is None:
        yield "Everything is Included" if spent is None else ": everything is Included"
    elif crossing:
        since = f"{formats.second(crossing.position.started_at, settings.zone)} {settings.zone}"
        if spent is None:
            yield f"Limit crossed {since}"
            return
        with exact():
            over = spent - terms.limit
        yield f": {formats.limit_dollars(terms.limit)} Included, "
        yield html.B(formats.total_dollars(over), className="usage-beyond-amount")
        yield f" On-Demand since {since}"
    elif terms.no_end:
        yield "On-demand use has no end set" if spent is None else ": on-demand use has no end set"
    elif spent is None:
        yield "Limit not crossed"
    else:
        with exact():
            left = terms.limit - spent
        yield ", "
        yield html.B(formats.total_dollars(left))
        yield " left"


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

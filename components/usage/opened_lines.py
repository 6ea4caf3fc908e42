"""What an opened row tells: when it ran, what it cost line by line, why it is of its Type."""

from collections.abc import Iterator
from typing import Any

from dash import html
from dash.development.base_component import Component

from components import formats
from components.scope_words import SCOPE_WORDS
from components.usage import reasons
from data.answers.detail import Detail
from data.rules.billing import Terms
from data.rules.execution import Charge, Execution
from data.rules.labels import UNFINISHED, type_label, workflow_label
from data.rules.shown import named, shown
from settings import Settings
from settings.addresses import fits, log_url, workflow_url


def show(detail: Detail, settings: Settings) -> dict[str, Any]:
    """Tell when the execution ran, what it cost, why it is of its Type, where to read on."""
    row, zone = detail.execution, settings.zone
    took = [] if detail.duration_ms is None else [f"took {formats.duration(detail.duration_ms)}"]
    ran = f"{formats.seconds(row.started_at, detail.ended_at, zone)} {zone}"
    return {
        "title": named(workflow_label(row.workflow_name)),
        "body": [
            html.P(
                " · ".join([ran, *took, shown(row.trigger), shown(row.status)]),
                className="usage-muted",
            ),
            html.H3("Cost"),
            *_cost(detail),
            html.H3(f"Why {type_label(row.type)}"),
            *_why(detail, settings),
            html.H3("References"),
            _table(_references(detail, settings)),
        ],
    }


def _cost(detail: Detail) -> Iterator[Component]:
    row = detail.execution
    if row.cost is None:
        yield html.P(reasons.of_cost(row))
        if row.tokens is not None:
            yield _table([("Tokens", _tokens_of(row))])
        yield from _missing_tokens(row)
        return
    if row.status in UNFINISHED:
        yield html.P(f"Still {row.status}: this is what it cost so far.")
    # A single line tells them already.
    told = len(detail.charges) == 1 and detail.charges[0].tokens and row.tokens_complete
    total = _named("Total", "" if told else _tokens_of(row))
    lines = [(_line(detail, charge), _dollars(charge)) for charge in detail.charges]
    yield _table(lines, last=(total, formats.exact_dollars(row.cost)))
    if detail.excess is not None:
        yield html.P(
            f"Its lines exceed the recorded cost by {formats.exact_dollars(detail.excess)}: they "
            "count up to it, the dearest first.",
            className="usage-muted",
        )
    yield from _missing_tokens(row)


def _missing_tokens(row: Execution) -> Iterator[Component]:
    if not row.tokens_complete:
        yield html.P(f"{reasons.TOKENS_INCOMPLETE}.", className="usage-muted")


def _line(detail: Detail, charge: Charge) -> Component:
    if charge.model is None:
        return html.Span(_rest(detail))
    tokens = _tokens(charge.tokens, charge.sent, charge.received)
    tools = f"of which {formats.exact_dollars(charge.tools)} tools" if charge.tools else ""
    return _named(named(charge.model), " · ".join(filter(None, (tokens, tools))))


def _rest(detail: Detail) -> str:
    """Name what no model accounts for; base charge and tools only where it can be nothing else."""
    models = [charge for charge in detail.charges if charge.model is not None]
    if any(charge.cost is None for charge in models):
        return "Everything else"
    if not models and (detail.execution.models or detail.execution.tokens != 0):
        return "Not broken down by model"
    return "Base charge and tools"


def _dollars(charge: Charge) -> str:
    return formats.UNKNOWN if charge.cost is None else formats.exact_dollars(charge.cost)


def _tokens_of(row: Execution) -> str:
    return _tokens(row.tokens, row.sent, row.received, complete=row.tokens_complete)


def _tokens(
    total: int | None, sent: int | None, received: int | None, *, complete: bool = True
) -> str:
    if total is None:
        return ""
    ways = [
        f"{formats.count(number)} {way}"
        for number, way in ((sent, "in"), (received, "out"))
        if number is not None
    ]
    noun = "token" if total == 1 else "tokens"
    return f"{formats.at_least(total, complete=complete)} {noun}" + (
        f" ({', '.join(ways)})" if ways else ""
    )


def _why(detail: Detail, settings: Settings) -> Iterator[Component]:
    row, terms = detail.execution, detail.account.terms
    yield html.P(reasons.of_type(row, detail.crossing, terms, settings))
    whose = SCOPE_WORDS[settings.limit_scope].name
    amounts = [
        (f"{whose} running total before", detail.before),
        ("Included part", detail.included),
        ("On-Demand part", row.on_demand),
    ]
    rows = [(name, formats.exact_dollars(amount)) for name, amount in amounts if amount is not None]
    rows.insert(
        0 if detail.before is None else 1,
        ("Limit", _limit(terms)),
    )
    after = None
    if detail.after is not None:
        after = ("Running total after", formats.exact_dollars(detail.after))
    yield _table(rows, last=after)
    if after is None:
        yield html.P(
            "The running total is told to whoever pays, or administers the organization that pays: "
            "it speaks of other workspaces too.",
            className="usage-muted",
        )


def _limit(terms: Terms) -> str:
    if terms.limit is None:
        return "none set"
    return "no end set" if terms.no_end else formats.limit_dollars(terms.limit)


def _references(detail: Detail, settings: Settings) -> Iterator[tuple[str, Any]]:
    row, base = detail.execution, settings.app_url
    yield "Execution", shown(row.execution_id)
    if not base:
        return
    workspace_id = detail.account.workspace.id
    urls = {"Log": log_url(base, workspace_id, row.execution_id)}
    if row.workflow_id is not None:
        urls = {"Workflow": workflow_url(base, workspace_id, row.workflow_id), **urls}
    links: list[Any] = [html.A(name, href=url) for name, url in urls.items() if fits(url)]
    if links:
        yield "Open", [part for link in links for part in (" · ", link)][1:]


def _named(name: str, more: str) -> Component:
    return html.Span([name, html.Small(more)] if more else name)


def _table(rows: Any, last: tuple[Any, Any] | None = None) -> Component:
    return html.Table(
        html.Tbody(
            [
                *(_row(name, value) for name, value in rows),
                *([_row(*last, class_name="usage-opened-sum")] if last else []),
            ]
        )
    )


def _row(name: Any, value: Any, class_name: str = "") -> Component:
    return html.Tr([html.Th(name, scope="row"), html.Td(value)], className=class_name)

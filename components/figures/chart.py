"""The picture's frame: its legend, what it is split by, and the same figures as words and table."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from components import formats, ids
from components.aria import aria
from components.buttons import button_group
from components.figures.bars import labels_of, shade_of
from components.figures.step_words import name_of
from data.answers.figures import Figures
from data.question.query import Split
from settings import Settings


def layout() -> Component:
    """Return the frame, empty."""
    return html.Figure(
        [
            html.Figcaption(
                [
                    html.H2("Cost over time"),
                    html.Div(id=ids.LEGEND, className="usage-legend"),
                    button_group(
                        {element: split.value.title() for split, element in ids.SPLITS.items()},
                        "Split costs by",
                        "btn btn-sm",
                    ),
                ]
            ),
            html.Div(id=ids.CHART, className="usage-chart-place", **aria(hidden="true")),
            html.Div(id=ids.COURSE, className="usage-course"),
            dcc.Store(id=ids.PICTURE),
        ],
        className="usage-chart",
    )


def pressed(split: Split) -> dict[str, str]:
    """Tell which of the buttons is pressed."""
    return {each.value: "true" if each is split else "false" for each in Split}


def legend(figures: Figures) -> list[Component]:
    """Name what the colours mean, in the order in which they are stacked."""
    keys: list[Component]
    if figures.groups:
        keys = [
            _key(label, f"usage-key {shade_of(number, group)}")
            for number, (label, group) in enumerate(
                zip(labels_of(figures.groups), figures.groups, strict=True)
            )
        ]
    else:
        keys = [
            _key("Included", "usage-key"),
            _key("On-Demand", "usage-key usage-key-ondemand"),
        ]
    if figures.running_totals:
        keys.append(_key("Running total", "usage-key usage-key-line"))
        terms = figures.account.terms
        if terms.limit is not None and not terms.no_end:
            keys.append(_key("Limit", "usage-key usage-key-limit"))
    return keys


def course(figures: Figures, settings: Settings, searches: Sequence[str]) -> list[Component]:
    """Say in a sentence what the picture shows, and put its figures into a table to be opened."""
    if not figures.steps:
        return []
    return [
        html.P(_sentence(figures, settings), className="visually-hidden"),
        html.Details(
            [
                html.Summary("Show as a table"),
                html.Div(_table(figures, settings, searches), className="usage-course-table"),
            ]
        ),
    ]


def _key(label: str, class_name: str) -> Component:
    return html.Span([html.I(className=class_name), html.Span(label)], title=label)


def _sentence(figures: Figures, settings: Settings) -> str:
    unit, zone = figures.unit, settings.zone
    costs = [sums.cost for sums in figures.by_step]
    most = max(costs)
    span = formats.counted(len(costs), unit)
    words = [f"{formats.total_dollars(figures.sums.cost)} in {span}."]
    if most:
        dearest = name_of(figures.steps[costs.index(most)], unit, zone)
        words.append(f"The dearest {unit} was {dearest} with {formats.total_dollars(most)}.")
    for crossing in figures.crossings:
        instant = formats.second(crossing.position.started_at, zone)
        limit = formats.limit_dollars(crossing.limit)
        words.append(f"The limit of {limit} was crossed on {instant} {zone}.")
    return " ".join(words)


def _table(figures: Figures, settings: Settings, searches: Sequence[str]) -> Component:
    """Return the table of steps; each name narrows the page to its step."""
    columns: list[tuple[str, Sequence[Decimal], Decimal]]
    if figures.groups:
        labels = labels_of(figures.groups)
        columns = [
            (label, group.costs, group.cost)
            for label, group in zip(labels, figures.groups, strict=True)
        ]
    else:
        included = [sums.included for sums in figures.by_step]
        on_demand = [sums.on_demand for sums in figures.by_step]
        columns = [
            ("Included", included, figures.sums.included),
            ("On-Demand", on_demand, figures.sums.on_demand),
        ]
    columns.append(("Cost", [sums.cost for sums in figures.by_step], figures.sums.cost))
    running_totals = figures.running_total_by_step if figures.running_totals else []
    rows = [
        html.Tr(
            [
                html.Th(
                    dcc.Link(name_of(step, figures.unit, settings.zone), href=searches[place]),
                    scope="row",
                ),
                *(_dollars(costs[place]) for _, costs, _ in columns),
                html.Td(formats.count(figures.by_step[place].executions)),
                *(_dollars(total) for total in running_totals[place : place + 1]),
            ]
        )
        for place, step in enumerate(figures.steps)
    ]
    total = [
        html.Th("Total", scope="row"),
        *(_dollars(total) for _, _, total in columns),
        html.Td(formats.count(figures.sums.executions)),
        *([html.Td()] if running_totals else []),
    ]
    names = [figures.unit.title(), *(name for name, _, _ in columns), "Executions"]
    names += ["Running total"] if running_totals else []
    heads: list[Any] = [html.Th(name, scope="col", title=name) for name in names]
    return html.Table([html.Thead(html.Tr(heads)), html.Tbody(rows), html.Tfoot(html.Tr(total))])


def _dollars(amount: Decimal | None) -> Component:
    if amount is None:
        return html.Td()
    return html.Td(formats.total_dollars(amount), title=formats.exact_dollars(amount))

"""The bars of the picture: what each step cost, Included and On-Demand or by group; pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from functools import partial
from typing import Any, Final

from components import formats
from components.figures.marks import MUTED, at
from components.figures.step_words import name_of
from data.answers.figures import Figures
from data.question.filters import DELETED
from data.rules.calendar import Span
from data.rules.labels import BASE_AND_TOOLS, told_apart
from data.rules.shown import SHOWN_AT_MOST, named
from data.sums.groups import Group

_FILLED: Final = 0.72
# A line of what hovers over a bar has no room for more.
_NAME_AT_MOST: Final = 40
_HATCH: Final = {"shape": "/", "size": 5, "solidity": 0.4, "fillmode": "replace"}
_ORANGE: Final = "--usage-ondemand"


def bars(
    figures: Figures, spans: Sequence[Span], zone: tzinfo, searches: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the bars in the order in which they are stacked; the first one tells of all."""
    common = {
        "type": "bar",
        "x": [at(middle_of(span)) for span in spans],
        "width": [(span.end - span.start) / timedelta(milliseconds=1) * _FILLED for span in spans],
        "customdata": list(searches),
    }
    labels = labels_of(figures.groups, _NAME_AT_MOST)
    told = {
        # As plain text, or Plotly would add the place on its axis: an instant in UTC.
        "hovertext": [_hover(figures, labels, place, zone) for place in range(len(figures.steps))],
        "hoverinfo": "text",
    }
    parts = _by_group(figures, labels) if figures.groups else _by_type(figures)
    return [
        {**common, **({"hoverinfo": "skip"} if number else told), **part}
        for number, part in enumerate(parts)
    ]


def middle_of(span: Span) -> datetime:
    """Return the instant over which the bar of a step stands."""
    return span.start + (span.end - span.start) / 2


def shade_of(number: int, group: Group) -> str:
    """Return the class of a group's swatch, which is also the name of its colour."""
    if group.key is not None:
        return f"usage-share-{number + 1}"
    return "usage-share-base" if group.label == BASE_AND_TOOLS else "usage-share-rest"


def labels_of(groups: Sequence[Group], most: int = SHOWN_AT_MOST) -> list[str]:
    """Name groups as people read them, each name cut to ``most`` characters."""
    spell = partial(named, most=most)
    # A model's key is its name, and tells no more than that.
    ids = {
        group.key: group.name
        for group in groups
        if group.key is not None and group.key not in {DELETED, group.name}
    }
    apart = told_apart(ids, spell)
    return [apart.get(group.key or "") or spell(group.name) for group in groups]


def _by_type(figures: Figures) -> list[dict[str, Any]]:
    hatched = {
        "color": _ORANGE,
        "line": {"color": _ORANGE, "width": 1},
        "pattern": {**_HATCH, "fgcolor": _ORANGE, "bgcolor": "--bs-body-bg"},
    }
    return [
        {
            "name": "Included",
            "y": [float(sums.included) for sums in figures.by_step],
            "marker": {"color": "--usage-included"},
        },
        {
            "name": "On-Demand",
            # A bar of nothing would still be an orange line.
            "y": [float(sums.on_demand) or None for sums in figures.by_step],
            "marker": hatched,
        },
    ]


def _by_group(figures: Figures, labels: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": label,
            "y": [float(cost) or None if number else float(cost) for cost in group.costs],
            "marker": _marker(shade_of(number, group)),
        }
        for number, (label, group) in enumerate(zip(labels, figures.groups, strict=True))
    ]


def _marker(shade: str) -> dict[str, Any]:
    """Return how a group is filled: those that are no single one are outlined, one is dotted."""
    if shade == "usage-share-base":
        dots = {"shape": ".", "size": 4, "solidity": 0.4, "fillmode": "replace"}
        dotted = {**dots, "fgcolor": MUTED, "bgcolor": "--usage-share-rest"}
        return {"color": MUTED, "line": {"color": MUTED, "width": 1}, "pattern": dotted}
    outlined = shade == "usage-share-rest"
    return {"color": f"--{shade}", "line": {"color": MUTED, "width": 1 if outlined else 0}}


def _hover(figures: Figures, labels: Sequence[str], place: int, zone: tzinfo) -> str:
    step, sums = figures.steps[place], figures.by_step[place]
    parts: list[tuple[str, Decimal]] = [
        (_plain(label), group.costs[place])
        for label, group in zip(labels, figures.groups, strict=True)
        if group.costs[place]
    ]
    parts = parts or [("Included", sums.included), ("On-Demand", sums.on_demand)]
    lines = [f"{name} {formats.total_dollars(cost)}" for name, cost in parts]
    running_total = figures.running_total_by_step[place]
    after = (
        [] if running_total is None else [f"Running total {formats.total_dollars(running_total)}"]
    )
    return "<br>".join(
        [
            f"<b>{name_of(step, figures.unit, zone)}</b>",
            *lines,
            f"Cost {formats.total_dollars(sums.cost)}",
            formats.counted(sums.executions, "execution"),
            *after,
        ]
    )


def _plain(label: str) -> str:
    """Keep Plotly from reading markup in a name."""
    return label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

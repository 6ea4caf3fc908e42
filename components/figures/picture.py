"""The picture of a window's figures as Plotly takes it: plain dictionaries; pure.

Two panels on one axis of time: above the account's running total against its limit, below the costs
of each step. Colours are names of the sheet's variables, put in by the browser, so that they follow
the theme. Places on the axis are instants in UTC; whatever is read is in the reporting zone.
"""

from collections.abc import Sequence
from datetime import timedelta, tzinfo
from typing import Any, Final

from components.account_words import each_period
from components.figures import bars as picture_bars
from components.figures import marks as picture_marks
from components.figures.marks import LOWER, MUTED, UPPER, at, note
from components.figures.step_words import day_of, name_of, whole_day
from data.answers.figures import Figures
from data.rules.calendar import Span
from data.rules.steps import Unit

_TICKS_AT_MOST: Final = 10
_HOURS_APART: Final = (1, 2, 3, 4, 6, 8)
_HEIGHT: Final = 250
# Pixels beside the axis, and of a digit there.
_LEFT: Final = 52
_DIGIT: Final = 8
_TOP_OF_NOTHING: Final = 1.3
# The decimals that four labels need, by what they go up to.
_DECIMALS: Final = {2.5: 0, 0.1: 2, 0.001: 4}
_FLOATING: Final = "--bs-emphasis-color"


def picture(figures: Figures, zone: tzinfo, searches: Sequence[str]) -> dict[str, Any] | None:
    """Return data and layout; a click on a bar of a step goes to its place in ``searches``.

    None where the window has no steps.
    """
    steps, unit = figures.steps, figures.unit
    if not steps:
        return None
    upper = bool(figures.running_totals)
    spans = [_place(step, unit, zone) for step in steps]
    data = picture_bars.bars(figures, spans, zone, searches)
    filtered = ", as filtered" if figures.filtered else ""
    lower = LOWER if upper else (0.0, 1.0)
    shapes: list[dict[str, Any]] = []
    dearest = max(float(sums.cost) for sums in figures.by_step)
    top = picture_marks.top_of(figures) if upper else 0.0
    left = max(_LEFT, _DIGIT * len(f"${max(dearest, top):,.0f}"))
    notes = [_title(f"Cost per {unit}{filtered}", lower[1], left)]
    axes = {"yaxis": _axis(lower, dearest or _TOP_OF_NOTHING)}
    if not dearest:
        axes["yaxis"]["range"] = [0, _TOP_OF_NOTHING]
    if upper:
        data += picture_marks.running_totals(figures, zone, shapes, notes)
        each = each_period(figures.running_totals[-1].period)
        notes.append(_title(f"Running total of the account, {each}", UPPER[1], left))
        axes["yaxis2"] = _axis(UPPER, top) | {"range": [0, top]}
    data += picture_marks.crossings(figures, zone, shapes, notes, upper=upper)
    return {
        "data": data,
        "layout": {
            "autosize": True,
            "height": _HEIGHT,
            "margin": {"l": left, "r": 4, "t": 24, "b": 26},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"size": 12, "color": MUTED},
            "showlegend": False,
            "barmode": "relative",
            "hovermode": "x",
            "dragmode": False,
            "hoverlabel": {
                "bgcolor": _FLOATING,
                "bordercolor": _FLOATING,
                "font": {"color": "--bs-body-bg", "size": 12},
                "align": "left",
            },
            "xaxis": {
                "type": "date",
                "range": [at(spans[0].start), at(spans[-1].end)],
                "fixedrange": True,
                "showgrid": False,
                "zeroline": False,
                "anchor": "y",
                # Ticks that are not seen keep the labels below that of $0.
                "ticks": "outside",
                "ticklen": 5,
                "tickcolor": "rgba(0,0,0,0)",
                **_ticks(steps, spans, unit, zone),
            },
            **axes,
            "shapes": shapes,
            "annotations": notes,
        },
    }


def _place(step: Span, unit: Unit, zone: tzinfo) -> Span:
    """Return where a step stands on the axis: whole, also where the window cuts it."""
    if unit is Unit.DAY:
        return whole_day(day_of(step, zone), zone)
    if unit is Unit.HOUR:
        start = step.start.replace(minute=0, second=0, microsecond=0)
        return Span(start, max(start + timedelta(hours=1), step.end))
    return step


def _axis(domain: tuple[float, float], top: float) -> dict[str, Any]:
    """Return an axis of dollars up to ``top``; its few labels are alike in their decimals."""
    decimals = next((digits for least, digits in _DECIMALS.items() if top > least), 6)
    return {
        "domain": list(domain),
        "fixedrange": True,
        "rangemode": "tozero",
        "nticks": 4,
        "tickprefix": "$",
        "tickformat": f",.{decimals}f",
        "gridcolor": "--usage-grid",
        "zerolinecolor": "--bs-border-color",
    }


def _title(text: str, height: float, left: int) -> dict[str, Any]:
    return note(None, height, text, side="left") | {
        "xshift": -left,
        "yanchor": "bottom",
        "yshift": 3,
    }


def _ticks(
    steps: Sequence[Span], spans: Sequence[Span], unit: Unit, zone: tzinfo
) -> dict[str, Any]:
    every = -(-len(steps) // _TICKS_AT_MOST)
    first = 0
    if unit is Unit.HOUR:
        # Midnight, at which days and months begin, is among them.
        hours = [step.start.astimezone(zone).hour for step in steps]
        every = next(each for each in _HOURS_APART if each >= every)
        first = next((place for place, hour in enumerate(hours) if hour % every == 0), 0)
    shown = range(first, len(steps), every)
    return {
        "tickmode": "array",
        "tickvals": [at(picture_bars.middle_of(spans[place])) for place in shown],
        "ticktext": [name_of(steps[place], unit, zone, short=True) for place in shown],
    }

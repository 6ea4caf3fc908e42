"""The upper panel of the picture: the running total, the limit, and where it was crossed; pure."""

from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

from components import formats
from data.answers.figures import Figures
from data.rules.calendar import local_day
from data.rules.money import exact

# The panels' shares of the height, from the bottom up.
LOWER: Final = (0.0, 0.45)
UPPER: Final = (0.59, 1.0)
MUTED: Final = "--bs-secondary-color"

_ORANGE: Final = "--usage-ondemand"
# More of them would be written over each other; the axis names them all.
_PERIODS_NAMED: Final = 3
_ROOM_ABOVE: Final = Decimal("1.2")
# A limit further above the line would flatten it.
_LIMIT_SHOWN_UP_TO: Final = 5


def at(instant: datetime) -> str:
    """Return an instant's place on the axis."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def top_of(figures: Figures) -> float:
    """Return how many dollars the axis goes up to."""
    totals = [total for of_period in figures.running_totals for _, total in of_period.points]
    most, limit = max(totals, default=Decimal(0)), figures.account.terms.limit
    with exact():
        if limit is not None and limit <= most * _LIMIT_SHOWN_UP_TO:
            most = max(most, limit)
        return float(most * _ROOM_ABOVE) or 1.0


def running_totals(
    figures: Figures, zone: tzinfo, shapes: list[dict[str, Any]], notes: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the line of the running total, which starts anew with each period, and the limit's."""
    x: list[str | None] = []
    y: list[float | None] = []
    for number, of_period in enumerate(figures.running_totals):
        if number:
            x.append(None)
            y.append(None)
            day, start = local_day(of_period.period.start, zone), at(of_period.period.start)
            shapes.append(_down(start, UPPER[0], UPPER[1], "--usage-control"))
            text = f" {day.day} {day:%b}: starts at $0"
            if len(figures.running_totals) <= _PERIODS_NAMED:
                notes.append(note(start, 1, text, side="left"))
        x += [at(instant) for instant, _ in of_period.points]
        y += [float(total) for _, total in of_period.points]
    limit = figures.account.terms.limit
    if limit is not None and limit <= top_of(figures):
        ends = {"x0": 0, "x1": 1, "y0": float(limit), "y1": float(limit)}
        dashed = {"color": MUTED, "width": 1.25, "dash": "5px,3px"}
        shapes.append({"type": "line", "xref": "paper", "yref": "y2", **ends, "line": dashed})
    line = {"color": "--bs-body-color", "width": 1.75}
    return [_scatter("Running total", x, y) | {"mode": "lines", "line": line}]


def crossings(
    figures: Figures,
    zone: tzinfo,
    shapes: list[dict[str, Any]],
    notes: list[dict[str, Any]],
    *,
    upper: bool,
) -> list[dict[str, Any]]:
    """Return the marks at which the limit was crossed; a line leads down to the bar of each."""
    middle = figures.window.start + (figures.window.end - figures.window.start) / 2
    for crossing in figures.crossings:
        instant, height = crossing.position.started_at, 1.0
        if upper:
            share = float(crossing.limit) / top_of(figures)
            height = UPPER[0] + (UPPER[1] - UPPER[0]) * min(share, 1.0)
        shapes.append(_down(at(instant), 0, height, _ORANGE))
        if crossing == figures.crossings[-1]:
            local = instant.astimezone(zone)
            when = f"{local.day} {local:%b %H:%M}"
            limit = formats.limit_dollars(crossing.limit)
            side = "right" if instant > middle else "left"
            text = f"<b>Limit {limit} crossed {when}</b>"
            notes.append(
                note(at(instant), height, text, side=side)
                | {"yanchor": "bottom", "yshift": 2, "xshift": -9 if side == "right" else 9}
                | {"font": {"size": 12, "color": "--bs-body-color"}, "bgcolor": "--bs-body-bg"}
            )
    if not upper:
        return []
    places = [at(crossing.position.started_at) for crossing in figures.crossings]
    limits = [float(crossing.limit) for crossing in figures.crossings]
    marker = {
        "symbol": "diamond",
        "size": 9,
        "color": "--bs-body-bg",
        "line": {"color": _ORANGE, "width": 2},
    }
    return [_scatter("Crossing", places, limits) | {"mode": "markers", "marker": marker}]


def note(place: str | None, height: float, text: str, *, side: str) -> dict[str, Any]:
    """Return a text at a place of the axis, or at its left end; to the ``side`` of it it begins."""
    return {
        "xref": "paper" if place is None else "x",
        "yref": "paper",
        "x": 0 if place is None else place,
        "y": height,
        "text": text,
        "showarrow": False,
        "xanchor": side,
        "yanchor": "top",
        "font": {"size": 12, "color": MUTED},
    }


def _down(place: str, bottom: float, top: float, color: str) -> dict[str, Any]:
    ends = {"x0": place, "x1": place, "y0": bottom, "y1": top}
    line = {"color": color, "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "x", "yref": "paper", **ends, "line": line}


def _scatter(name: str, x: list[Any], y: list[Any]) -> dict[str, Any]:
    return {"type": "scatter", "name": name, "x": x, "y": y, "yaxis": "y2", "hoverinfo": "skip"}

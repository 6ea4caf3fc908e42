"""Steps of a window in words, and the addresses that narrow the page to them; pure."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from components import formats
from data.rules.calendar import Span, day_start, local_day
from data.rules.labels import rfc3339
from data.rules.steps import Unit


def day_of(step: Span, zone: tzinfo) -> date:
    """Return the day that a step is, or is a part of."""
    return local_day(step.start, zone)


def whole_day(day: date, zone: tzinfo) -> Span:
    """Return a day from its first instant to its last."""
    return Span(day_start(day, zone), day_start(day + timedelta(days=1), zone))


def name_of(step: Span, unit: Unit, zone: tzinfo, *, short: bool = False) -> str:
    """Name a step: ``23 Oct from 12:00`` where the window cuts it, ``23 Oct`` on an axis."""
    day = day_of(step, zone)
    local = step.start.astimezone(zone)
    if unit is Unit.MONTH:
        return f"{day:%b %Y}"
    date_text = f"{day.day} {day:%b}"
    if unit is Unit.HOUR:
        if short:
            return f"{local:%H}:00" if local.hour else date_text
        end = formats.clock(step.end.astimezone(zone))
        return f"{date_text} {formats.clock(local)}–{end} {zone}"
    if short:
        return date_text
    whole = whole_day(day, zone)
    since = f" from {local:%H:%M}" if step.start > whole.start else ""
    until = f" to {step.end.astimezone(zone):%H:%M}" if step.end < whole.end else ""
    return f"{date_text}{since}{until}"


def searches_of(
    steps: Sequence[Span], unit: Unit, zone: tzinfo, rest: Mapping[str, Any]
) -> list[str]:
    """Return the query string that narrows the page to each step; ``rest`` goes with it."""
    return [f"?{urlencode({**_ends(step, unit, zone), **rest}, doseq=True)}" for step in steps]


def _ends(step: Span, unit: Unit, zone: tzinfo) -> dict[str, str]:
    day = day_of(step, zone)
    if unit is Unit.DAY and step == whole_day(day, zone):
        return {"from": day.isoformat(), "to": day.isoformat()}
    return {"from": rfc3339(step.start), "to": rfc3339(step.end)}

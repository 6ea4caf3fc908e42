"""What is asked of the product, as its clients ask: one HTTP request for each endpoint."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import psycopg

from benchmarks.stage import Scene
from benchmarks.world import BURST, BUSY, PAYER, PRESET, PROXY_HEADER, SPARSE
from components import ids
from data.question.cursor import PAGE_SIZE, Cursor
from data.rules.calendar import Window
from data.rules.position import Position

CALLBACK_PATH: Final = "/_dash-update-component"
_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_BROWSER: Final = {"Accept-Encoding": "gzip, deflate, br, zstd"}


@dataclass(frozen=True)
class Question:
    """One request."""

    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """GET without a body, POST with one."""
        return "GET" if self.body is None else "POST"


Ask = Callable[[Question], bytes]


def get(path: str, **params: str) -> Question:
    """Ask for ``path`` below the API; ``from_`` stands for the parameter ``from``."""
    query = urlencode({name.rstrip("_"): value for name, value in params.items()})
    return Question(f"/api/billing/{path}?{query}".rstrip("?"), headers=_signed_in())


def first_page(workspace: str = BUSY) -> Question:
    """Ask for the newest page of the month."""
    return get("usage", workspaceId=workspace, preset=PRESET.value)


def page_after(scene: Scene, older: int) -> Question:
    """Ask for the page of the busy workspace's month that has ``older`` rows at and below it."""
    position = _position(scene, older)
    window = Window(scene.calendar.month.start, scene.calendar.month.end, PRESET)
    cursor = Cursor(BUSY, window, position).encode()
    return get("usage", workspaceId=BUSY, preset=PRESET.value, starting_after=cursor)


def endpoints(scene: Scene, ask: Ask) -> dict[str, Question]:
    """Return every endpoint by what the report calls it; ``ask`` is a running product."""
    year = scene.calendar.year
    twelve_months = {"from_": rfc3339(year.start), "to": rfc3339(year.end)}
    month = {"workspaceId": BUSY, "preset": PRESET.value}
    return {
        "page, first": first_page(),
        "page, middle": page_after(scene, scene.executions // 2),
        "page, last": page_after(scene, PAGE_SIZE),
        "callback, preset click": preset_click(ask, BUSY),
        "summary": get("usage/summary", **month),
        "figures, by type": get("usage/series", **month),
        "figures, by workflow": get("usage/series", **month, split="workflow"),
        "figures, by model": get("usage/series", **month, split="model"),
        "figures, one trigger": get("usage/series", **month, trigger="api"),
        "page, one trigger": get("usage", **month, trigger="api"),
        "export, 10,000 rows": get("usage/export", **month),
        "page, sparse workspace": first_page(SPARSE),
        "page, burst at the crossing": _at_the_burst(scene),
        "page, 12 months": get("usage", workspaceId=BUSY, **twelve_months),
        "summary, 12 months": get("usage/summary", workspaceId=BUSY, **twelve_months),
        "workspaces": get("workspaces"),
    }


def preset_click(ask: Ask, workspace: str) -> Question:
    """Ask what the browser asks when the preset is clicked, on a page that shows 7 days."""
    described = json.loads(ask(Question("/_dash-dependencies", headers=_signed_in())))
    shown_by = next(one for one in described if f"{ids.TABLE}.data" in one["output"])
    arrival = _callback(shown_by, workspace, f"{ids.ASKED}.data", None)
    plain = replace(arrival, headers=_signed_in() | _JSON)
    shown = json.loads(ask(plain))["response"][ids.VIEW]["data"]
    return _callback(shown_by, workspace, f"{ids.PRESETS[PRESET]}.n_clicks", shown)


def _callback(shown_by: dict[str, Any], workspace: str, clicked: str, shown: Any) -> Question:
    values: dict[str, Any] = {
        f"{ids.LOCATION}.search": "?preset=7d",
        f"{ids.LOCATION}.pathname": f"/workspace/{workspace}/usage",
        f"{ids.VIEW}.data": shown,
        clicked: 1,
    }

    def with_values(parts: list[dict[str, str]]) -> list[dict[str, Any]]:
        return [part | {"value": values.get(f"{part['id']}.{part['property']}")} for part in parts]

    outputs = [name.rpartition(".") for name in shown_by["output"].strip(".").split("...")]
    body = {
        "output": shown_by["output"],
        "outputs": [{"id": element, "property": prop} for element, _, prop in outputs],
        "inputs": with_values(shown_by["inputs"]),
        "changedPropIds": [clicked],
        "parsedChangedPropsIds": [clicked],
        "state": with_values(shown_by["state"]),
    }
    return Question(CALLBACK_PATH, json.dumps(body).encode(), _signed_in() | _JSON | _BROWSER)


def _at_the_burst(scene: Scene) -> Question:
    """Ask for the page that begins in the middle of the quarter-hour, near the crossing."""
    burst = scene.calendar.burst
    middle = burst.start + (burst.end - burst.start) / 2
    window = Window(scene.calendar.month.start, scene.calendar.month.end, PRESET)
    cursor = Cursor(BURST, window, Position(middle, "")).encode()
    return get("usage", workspaceId=BURST, preset=PRESET.value, starting_after=cursor)


def _position(scene: Scene, older: int) -> Position:
    """Return the place in the busy workspace's month that has ``older`` rows below it."""
    month = scene.calendar.month
    with psycopg.connect(scene.url) as connection:
        row = connection.execute(
            'SELECT started_at, id COLLATE "C" FROM workflow_execution_logs'
            " WHERE workspace_id = %s AND started_at >= %s AND started_at < %s"
            ' ORDER BY started_at, id COLLATE "C" OFFSET %s LIMIT 1',
            [BUSY, month.start.replace(tzinfo=None), month.end.replace(tzinfo=None), older],
        ).fetchone()
    if row is None:
        raise ValueError(f"the month has no more than {older} executions")
    return Position(row[0].replace(tzinfo=UTC), row[1])


def _signed_in() -> dict[str, str]:
    return {PROXY_HEADER: PAYER}


def rfc3339(instant: datetime) -> str:
    """Write an instant in UTC, in whole seconds."""
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"

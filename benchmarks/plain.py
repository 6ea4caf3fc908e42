"""What a click costs in a Dash application as it is mostly written."""

import json
import sys
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.questions import CALLBACK_PATH, Question
from benchmarks.serving import listening
from benchmarks.stage import Scene
from benchmarks.timing import Times, client_of, timed
from benchmarks.world import BUSY, PAYER

_PROGRAM: Final = Path(__file__).with_name("plain_dash.py")
_CLICK: Final = Question(
    CALLBACK_PATH,
    json.dumps(
        {
            "output": "table.data",
            "outputs": {"id": "table", "property": "data"},
            "inputs": [{"id": "preset", "property": "value", "value": "last_month"}],
            "changedPropIds": ["preset.value"],
            "parsedChangedPropsIds": ["preset.value"],
        }
    ).encode(),
    {"Content-Type": "application/json", "Accept": "application/json"},
)


def measured(scene: Scene) -> Times:
    """Time clicks on the preset, until the whole answer has arrived."""
    month = scene.calendar.month
    with psycopg.connect(scene.url) as connection:
        (limit,) = connection.execute(
            "SELECT current_usage_limit FROM user_stats WHERE user_id = %s", [PAYER]
        ).fetchone() or (0,)
    environment = {
        "DATABASE_URL": scene.reader_url,
        "WORKSPACE": BUSY,
        "START": f"{month.start:%Y-%m-%d %H:%M:%S}",
        "END": f"{month.end:%Y-%m-%d %H:%M:%S}",
        "LIMIT": str(limit),
    }
    command = [sys.executable, str(_PROGRAM)]
    with listening(command, scene.scratch, environment) as server, client_of(server) as client:
        return timed(client, _CLICK, scene.options)

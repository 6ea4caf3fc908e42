"""Both generations of the platform side by side: ``python -m benchmarks.generations``.

One database as it is loaded, and a copy of it that is brought to the second generation, its costs
moved to columns and lines; both with the rollup. Every endpoint is asked of one and the other in
turn. Then writers write to small databases of the second, with and without the rollup.
"""

import logging
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
import psycopg
from psycopg import sql
from sqlalchemy import NullPool, create_engine

from benchmarks.beside import compare
from benchmarks.loading import load
from benchmarks.serving import ROOT
from benchmarks.stage import Options, Scene, Stage
from benchmarks.world import READER
from benchmarks.writers import Writers
from data.sums import rollup
from demo.columns import write_columns
from demo.upgrade import upgrade

_ALLOWED: Final = 1.25
_SETTLED: Final = 10_000  # executions in a month of the databases that are written to
_ROUNDS: Final = 6
_SECONDS: Final = 6.0


@click.command()
@click.option("--executions", default=1_000_000, show_default=True)
@click.option("--samples", default=60, show_default=True, help="Requests for each endpoint.")
@click.option("--budget", default=30.0, show_default=True, help="Seconds for each at most.")
@click.option("--only", default="", help="Endpoints whose name this pattern finds.")
@click.option("--home", type=click.Path(path_type=Path), help="Keep the databases here.")
def main(*, executions: int, samples: int, budget: float, only: str, home: Path | None) -> None:
    """Print medians in ms and their ratio, endpoint by endpoint, then what writers lose."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    options = Options(samples, budget, 0, (True,))
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="generations-")))
        stage = stack.enter_context(Stage(home or scratch / "home", options))
        scene = stack.enter_context(stage.scene(executions))
        with _second(stage, scene) as second:
            scene.use_rollup(True)
            compare([scene, second], (ROOT, ROOT), only, _ALLOWED)
        _write(stage, scene)


@contextmanager
def _second(stage: Stage, scene: Scene) -> Iterator[Scene]:
    """Yield a copy of the scene of the second generation, with the rollup."""
    name = f"bench_{scene.executions}"
    copy = f"{name}_second"
    url = scene.url.replace(f"/{name}?", f"/{copy}?")
    if _mark(stage, copy) != _mark(stage, name):
        stage.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", copy)
        stage.run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", copy, name)
        _bring_forward(url)
        with psycopg.connect(stage.url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                    sql.Identifier(copy), sql.Literal(_mark(stage, name))
                )
            )
    second = replace(scene, url=url)
    rollup.uninstall(url)
    second.use_rollup(True)
    yield second


def _bring_forward(url: str) -> None:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool
    )
    with engine.begin() as connection:
        upgrade(connection)
        write_columns(connection)
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (FULL, ANALYZE) workflow_execution_logs")
        connection.execute("VACUUM ANALYZE")


def _write(stage: Stage, scene: Scene) -> None:
    """Print how many executions writers write in a second, with and without the rollup."""
    rates: dict[str, list[float]] = {"without": [], "with": []}
    urls = {}
    for words in rates:
        name = f"bench_second_{words}"
        stage.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        stage.run("CREATE DATABASE {}", name)
        urls[words] = stage.url.replace("/postgres?", f"/{name}?")
        load(urls[words], _SETTLED, scene.calendar)
        _bring_forward(urls[words])
    rollup.install(urls["with"])
    for number in range(_ROUNDS):
        for words in list(rates)[:: 1 if number % 2 else -1]:
            with psycopg.connect(urls[words], autocommit=True) as connection:
                connection.execute("VACUUM workflow_execution_logs")
                connection.execute("CHECKPOINT")
            with Writers(urls[words], scene.scratch, _SECONDS, second=True) as writers:
                written = writers.finish()
            rates[words].append(written.throughput)
            for complaint in written.complaints[:3]:
                click.echo(complaint)
            rollup.compact(urls["with"])
    without, rolled = (statistics.median(each) for each in rates.values())
    click.echo(
        f"\nwriters, executions/s: {without:.0f} without the rollup, {rolled:.0f} with it, "
        f"{rolled / without - 1:+.1%}; {rollup.verify(urls['with']).wrong} sums wrong"
    )
    for words in rates:
        stage.run("DROP DATABASE {} WITH (FORCE)", f"bench_second_{words}")


def _mark(stage: Stage, name: str) -> str | None:
    """Return what a database says that is in it; a copy of another says the same."""
    with psycopg.connect(stage.url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
            [name],
        ).fetchone()
    return row[0] if row else None


if __name__ == "__main__":
    main()

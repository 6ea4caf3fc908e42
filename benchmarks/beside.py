"""Two commits side by side: ``python -m benchmarks.beside BEFORE``.

The commit BEFORE and the working tree serve the same database, and every endpoint is asked of one
and the other in turn, so that whatever else the machine does meets both. With the rollup each
serves a copy of its own, into which it has installed the rollup itself.
"""

import logging
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import click

from benchmarks.questions import Question, endpoints
from benchmarks.sameness.side import checked_out
from benchmarks.serving import ROOT, product
from benchmarks.stage import Options, Scene, Stage
from benchmarks.timing import Client, client_of

_WARM_UP: Final = 5
_ALLOWED: Final = 1.05


@click.command()
@click.argument("before")
@click.option("--executions", default=1_000_000, show_default=True)
@click.option("--samples", default=60, show_default=True, help="Requests for each endpoint.")
@click.option("--budget", default=30.0, show_default=True, help="Seconds for each at most.")
@click.option("--rollup", type=click.Choice(["with", "without", "both"]), default="both")
@click.option("--only", default="", help="Endpoints whose name this pattern finds.")
@click.option("--home", type=click.Path(path_type=Path), help="Keep the databases here.")
def main(
    *,
    before: str,
    executions: int,
    samples: int,
    budget: float,
    rollup: str,
    only: str,
    home: Path | None,
) -> None:
    """Print medians in ms and their ratio, endpoint by endpoint."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    states = {"with": (True,), "without": (False,), "both": (False, True)}[rollup]
    options = Options(samples, budget, 0, states)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="beside-")))
        checkout = checked_out(before, scratch / "before")
        stage = stack.enter_context(Stage(home or scratch / "home", options))
        scene = stack.enter_context(stage.scene(executions))
        for state in states:
            with _both(stage, scene, checkout, rollup=state) as scenes:
                compare(scenes, (checkout, ROOT), only, _ALLOWED)


@contextmanager
def _both(stage: Stage, scene: Scene, checkout: Path, *, rollup: bool) -> Iterator[list[Scene]]:
    """Yield what the commit before serves, and what the working tree serves."""
    if not rollup:
        yield [scene, scene]
        return
    name = f"bench_{scene.executions}"
    copy = f"{name}_before"
    stage.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", copy)
    stage.run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", copy, name)
    url = scene.url.replace(f"/{name}?", f"/{copy}?")
    try:
        for words in ("install", "compact"):
            subprocess.run(
                [sys.executable, "app.py", words],
                cwd=checkout,
                env=os.environ | {"DATABASE_URL": url},
                check=True,
                stdout=subprocess.DEVNULL,
            )
        scene.use_rollup(True)
        yield [replace(scene, url=url), scene]
    finally:
        scene.use_rollup(False)
        stage.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", copy)


def compare(scenes: Sequence[Scene], roots: tuple[Path, Path], only: str, allowed: float) -> None:
    """Ask two products, each of its scene, in turn; print what takes how long, and the ratio.

    ``only`` is a pattern of endpoints; a ratio above ``allowed`` is marked.
    """
    with ExitStack() as stack:
        clients: list[Client] = []
        asked: list[dict[str, Question]] = []
        for scene, root in zip(scenes, roots, strict=True):
            server = stack.enter_context(product(scene, root=root))
            client = stack.enter_context(client_of(server))
            clients.append(client)
            asked.append(endpoints(scene, partial(_body, client)))
        click.echo(f"\n{scenes[1].rollup_words}, {scenes[1].executions:,} executions, median in ms")
        for endpoint in asked[0]:
            if re.search(only, endpoint):
                questions = [each[endpoint] for each in asked]
                before, after = _times(clients, questions, scenes[1].options)
                ratio = after / before
                mark = "" if ratio <= allowed else f"  above {allowed}"
                click.echo(
                    f"{endpoint:32} {before * 1000:9.2f} {after * 1000:9.2f} {ratio:6.3f}{mark}"
                )


def _body(client: Client, question: Question) -> bytes:
    return client.ask(question).body


def _times(
    clients: list[Client], questions: list[Question], options: Options
) -> tuple[float, float]:
    """Return the median durations, in seconds, of the two, which are asked in turn."""
    seconds: tuple[list[float], list[float]] = ([], [])
    sides = list(zip(clients, questions, seconds, strict=True))
    for sample in range(_WARM_UP + options.samples):
        for client, question, kept in sides if sample % 2 else reversed(sides):
            answer = client.ask(question)
            if answer.status != 200:
                click.echo(f"{question.path}: {answer.status} after {answer.seconds:.1f} s")
            elif sample >= _WARM_UP:
                kept.append(answer.seconds)
        if sum(map(sum, seconds)) > options.budget * 2:
            break
    before, after = (statistics.median(each) if each else math.nan for each in seconds)
    return before, after


if __name__ == "__main__":
    main()

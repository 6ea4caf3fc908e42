"""The command behind `make bench`."""

import importlib
import importlib.util
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import psycopg

from benchmarks import report
from benchmarks.section import Section
from benchmarks.stage import Options, Scene, Stage

SIZES: Final = "10000 1000000 10000000"
_EVERY_SIZE: Final = ("endpoints",)
# Measured once, at the size that is nearest to this one.
_ONE_SIZE: Final = ("peers", "throughput", "load", "writes", "browser", "attacks", "servers")
_USUAL: Final = 1_000_000
_ROLLUP: Final = {"both": (False, True), "without": (False,), "with": (True,)}

_LOG: Final = logging.getLogger("benchmarks")


@click.command()
@click.option("--sizes", default=SIZES, show_default=True, help="Executions in the month.")
@click.option("--only", default="", help="Sections to run, such as 'endpoints peers'; else all.")
@click.option("--rollup", type=click.Choice(list(_ROLLUP)), default="both", show_default=True)
@click.option("--samples", default=60, show_default=True, help="Requests for each endpoint.")
@click.option(
    "--budget", default=30.0, show_default=True, help="Seconds for each endpoint at most."
)
@click.option("--seconds", default=60, show_default=True, help="How long many clients ask.")
@click.option("--home", type=click.Path(path_type=Path), help="Keep the databases here.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs"), show_default=True)
def main(
    *,
    sizes: str,
    only: str,
    rollup: str,
    samples: int,
    budget: float,
    seconds: int,
    home: Path | None,
    out: Path,
) -> None:
    """Measure, print, and write the report."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    states = _ROLLUP[rollup]
    counts = _numbers(sizes)
    sections = only.split() or [*_EVERY_SIZE, *_ONE_SIZE]
    _check(sections, given=bool(only))
    command = _command(sizes, only, rollup)
    usual = min(counts, key=lambda count: abs(count - _USUAL))
    with (
        _directory(home) as place,
        Stage(place, Options(samples, budget, seconds, states)) as stage,
    ):
        when = report.circumstances(command, _postgres(stage))
        for count in counts:
            wanted = [name for name in sections if name in _EVERY_SIZE or count == usual]
            if not wanted:
                continue
            with stage.scene(count) as scene:
                for name in wanted:
                    _run(name, scene, out, when)
            if home is None:
                stage.forget(count)
    click.echo(f"\n{report.judged(out)}\n\nWritten to {out / report.DOCUMENT}.")


def _run(name: str, scene: Scene, out: Path, when: dict[str, str]) -> None:
    module = f"benchmarks.{name}"
    if importlib.util.find_spec(module) is None:
        _LOG.info("%s: not written yet", name)
        return
    _LOG.info("%s at %d ...", name, scene.executions)
    sections: list[Section] = importlib.import_module(module).measure(scene)
    for section in sections:
        click.echo(report.in_terminal(section))
        report.keep(out, section, when)


def _numbers(words: str) -> list[int]:
    try:
        return sorted({int(word.replace("_", "")) for word in words.split()})
    except ValueError:
        raise click.ClickException(f"SIZES are whole numbers, not {words!r}.") from None


def _check(sections: list[str], *, given: bool) -> None:
    known = (*_EVERY_SIZE, *_ONE_SIZE)
    wrong = [name for name in sections if name not in known]
    if given and wrong:
        raise click.ClickException(f"There is no section {wrong[0]!r}; ONLY takes {known}.")
    if shutil.which("wrk") is None and {"throughput", "load"} & set(sections):
        raise click.ClickException("wrk is missing; Debian: apt-get install wrk, macOS: brew.")


def _command(sizes: str, only: str, rollup: str) -> str:
    words = ["make bench"]
    words += [f'SIZES="{sizes}"'] if sizes != SIZES else []
    words += [f'ONLY="{only}"'] if only else []
    words += [f"ROLLUP={rollup}"] if rollup != "both" else []
    return " ".join(words)


@contextmanager
def _directory(home: Path | None) -> Iterator[Path]:
    """Yield the home of the databases; one that nobody named goes with the block."""
    if home is not None:
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="usage-bench-") as made:
        yield Path(made)


def _postgres(stage: Stage) -> str:
    with psycopg.connect(stage.url) as connection:
        return str(connection.info.parameter_status("server_version"))


if __name__ == "__main__":
    main()

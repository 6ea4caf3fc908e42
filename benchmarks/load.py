"""Sixty-four clients for a minute, with one worker and with two."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from benchmarks import wrk
from benchmarks.questions import Question, endpoints, get, rfc3339
from benchmarks.section import Section, Table, milliseconds, times
from benchmarks.serving import product
from benchmarks.stage import Scene
from benchmarks.timing import client_of
from benchmarks.world import BUSY

CLIENTS: Final = 64
WORKERS: Final = (1, 2)

# How often in twenty each is asked; no two of a kind in a row where it can be helped.
_MIX: Final = (
    *("page, first", "callback, preset click", "page, middle", "page, first", "workspaces"),
    *("callback, preset click", "page, first", "summary", "page, middle", "callback, preset click"),
    *("page, first", "small export", "callback, preset click", "page, middle", "page, first"),
    *("workspaces", "callback, preset click", "page, first", "summary", "page, middle"),
)


@dataclass(frozen=True)
class _Run:
    load: wrk.Load
    before: int
    after: int


def measure(scene: Scene) -> list[Section]:
    """Load the product, with the rollup where there is one; compare its memory before and after."""
    scene.use_rollup(scene.options.rollup[-1])
    runs = {workers: _run(scene, workers) for workers in WORKERS}
    figures: dict[str, float] = {"clients": CLIENTS, "seconds": scene.options.seconds}
    for workers, run in runs.items():
        load = run.load
        figures |= {
            f"{workers}/throughput": load.throughput,
            f"{workers}/p50": load.p50,
            f"{workers}/p95": load.p95,
            f"{workers}/p99": load.p99,
            f"{workers}/longest": load.longest,
            f"{workers}/errors": load.errors,
            f"{workers}/refused": load.refused,
            f"{workers}/memory before": run.before,
            f"{workers}/memory after": run.after,
        }
    header = ("workers", "answers/s", "p50", "p95", "p99", "longest", "p99/p50")
    more = ("503", "other errors", "MB before", "MB after")
    return [
        Section(
            key="load",
            title=f"{CLIENTS} clients for {scene.options.seconds} s",
            prose=(
                f"At {scene.executions:,} executions, {scene.rollup_words}. wrk, on the same "
                "machine, asks as fast as it is answered: of twenty questions six are first pages, "
                "five clicks on a preset, four older pages, two summaries, two lists of "
                "workspaces and one export of an hour. Milliseconds; memory is the resident set of "
                "all processes, after a warm-up and at the end. Durations are those of all "
                "answers, 503 among them; where even the longest answer came soon, so did they."
            ),
            tables=[Table((*header, *more), [_row(*entry) for entry in runs.items()])],
            figures=figures,
        )
    ]


def _row(workers: int, run: _Run) -> tuple[str, ...]:
    load = run.load
    return (
        f"{workers}",
        f"{load.throughput:,.0f}",
        milliseconds(load.p50),
        milliseconds(load.p95),
        milliseconds(load.p99),
        milliseconds(load.longest),
        times(load.p99 / load.p50),
        f"{load.refused}",
        f"{load.errors}",
        f"{run.before / 1e6:,.0f}",
        f"{run.after / 1e6:,.0f}",
    )


def _run(scene: Scene, workers: int) -> _Run:
    with product(scene, workers) as server:
        with client_of(server) as client:
            asked = endpoints(scene, lambda question: client.ask(question).body)
        asked["small export"] = _export_of_an_hour(scene)
        mix = [asked[name] for name in _MIX]
        wrk.run(server, mix, clients=CLIENTS, seconds=max(5, scene.options.seconds // 4))
        before = server.memory()
        load = wrk.run(server, mix, clients=CLIENTS, seconds=scene.options.seconds)
        return _Run(load, before, server.memory())


def _export_of_an_hour(scene: Scene) -> Question:
    end = scene.calendar.month.end
    window = {"from_": rfc3339(end - timedelta(hours=1)), "to": rfc3339(end)}
    return get("usage/export", workspaceId=BUSY, **window)

"""What the rollup costs the platform: its writers, its bulk loads, its clearing up."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import psycopg
from psycopg import sql

from benchmarks import bulk, refusals
from benchmarks.installing import Installed, install
from benchmarks.loading import load
from benchmarks.section import Section, Table, milliseconds
from benchmarks.stage import Scene
from benchmarks.writers import CLIENTS, Writers, Written
from data.rules.errors import UsageError
from data.sums import rollup

_ROUNDS: Final = 6
_BULK_ROUNDS: Final = 3
_HELD: Final = 5  # milliseconds
_SETTLED: Final = 10_000  # executions in a month of the databases that are written to
_PLAIN, _ROLLED, _FOLDING = "without", "with", "with, folded every second"


@dataclass
class _Seen:
    """Executions per second and seconds of bulk work, round by round, and what went wrong."""

    rates: dict[tuple[str, int], list[float]] = field(default_factory=lambda: defaultdict(list))
    bulk: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    folds: list[tuple[int, float]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    deadlocks: int = 0
    wrong: int = 0


def measure(scene: Scene) -> list[Section]:
    """Measure in databases of their own: two small ones in turn, and a copy for the install."""
    scene.use_rollup(False)
    seen = _Seen()
    seconds = max(2.0, scene.options.seconds / 12)
    with _database(scene, "bench_plain") as plain, _database(scene, "bench_rolled") as rolled:
        rollup.install(rolled)
        for number in range(_ROUNDS):
            _round(scene, seen, [plain, rolled][:: 1 if number % 2 else -1], rolled, seconds)
        for _ in range(_BULK_ROUNDS):
            for name, url in ((_PLAIN, plain), (_ROLLED, rolled)):
                for kind, took in bulk.seconds(url).items():
                    seen.bulk[kind, name].append(took)
        seen.complaints += refusals.of_a_stranger(rolled)
        seen.wrong += rollup.verify(rolled).wrong
        seen.deadlocks += refusals.deadlocks(plain) + refusals.deadlocks(rolled)
    installed = install(scene)
    seen.wrong += installed.wrong
    seen.complaints += installed.during.complaints
    return [_section(seen, installed, seconds)]


def _round(scene: Scene, seen: _Seen, urls: list[str], rolled: str, seconds: float) -> None:
    for held in (0, _HELD):
        for url in urls:
            written = _write(scene, url, seconds, held)
            _keep(seen, _ROLLED if url == rolled else _PLAIN, held, written)
            rollup.compact(rolled)
        with _folding(rolled, seen.folds):
            written = _write(scene, rolled, seconds, held)
        _keep(seen, _FOLDING, held, written)


def _write(scene: Scene, url: str, seconds: float, held: int) -> Written:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM workflow_execution_logs")
        connection.execute("CHECKPOINT")
    with Writers(url, scene.scratch, seconds, held) as writers:
        return writers.finish()


def _keep(seen: _Seen, name: str, held: int, written: Written) -> None:
    seen.rates[name, held].append(written.throughput)
    seen.complaints += written.complaints


@contextmanager
def _folding(url: str, folds: list[tuple[int, float]]) -> Iterator[None]:
    """Compact every second for the length of the block; keep how many changes and seconds."""
    done = threading.Event()

    def fold() -> None:
        while not done.wait(1):
            begun = time.perf_counter()
            with suppress(UsageError):  # another one is at work
                folds.append((rollup.compact(url), time.perf_counter() - begun))

    thread = threading.Thread(target=fold)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def _database(scene: Scene, name: str) -> Iterator[str]:
    """Load a small database for the length of the block; yield its URL."""
    identifier = sql.Identifier(name)
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier)
    with psycopg.connect(scene.url, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        url = scene.url.replace(f"/{connection.info.dbname}?", f"/{name}?")
        try:
            load(url, _SETTLED, scene.calendar)
            yield url
        finally:
            connection.execute(drop)


def _section(seen: _Seen, installed: Installed, seconds: float) -> Section:
    figures = _figures(seen, installed)
    return Section(
        key="writes",
        title=f"What the rollup costs the platform's {CLIENTS} writers",
        prose=(
            f"pgbench writes with {CLIENTS} connections into one workspace, on the same machine. "
            "An execution is one INSERT, running, with its base charge, and three UPDATEs: two in "
            "which models appear and the cost grows, and the last that completes it with what it "
            "still cost; each is a transaction of its own and waits for the disk. Medians of "
            f"{_ROUNDS} rounds of {seconds:.0f} s, with and without the rollup in turn; below, the "
            f"same with {_HELD} ms in each transaction. Bulk work is {bulk.ROWS:,} executions, "
            f"medians of {_BULK_ROUNDS}. The install is into {installed.rows:,} executions that "
            f"{CLIENTS} writers add to all the time; no writer waited longer than the longest "
            "execution took."
        ),
        tables=[_throughput(seen), _bulk(seen), _while_installing(installed)],
        figures=figures,
        remarks=[
            (
                f"Deadlocks: {seen.deadlocks}. Refused writes: {len(seen.complaints)}, those of a "
                "role without any rights on the rollup among them. Sums that were wrong "
                f"afterwards: {seen.wrong}."
            ),
            (
                f"Folding every second moved {_per_second(seen):,.0f} changes in a second of its "
                f"work, in {len(seen.folds)} turns; the longest took "
                f"{max((took for _, took in seen.folds), default=0):.2f} s."
            ),
            *seen.complaints[:3],
        ],
    )


def _per_second(seen: _Seen) -> float:
    return sum(count for count, _ in seen.folds) / max(
        1e-9, sum(seconds for _, seconds in seen.folds)
    )


def _figures(seen: _Seen, installed: Installed) -> dict[str, float]:
    words = {0: "throughput", _HELD: f"throughput, {_HELD} ms held"}
    figures = {f"{name}/{words[held]}": median(rates) for (name, held), rates in seen.rates.items()}
    figures |= {f"{name}/{kind}": median(took) for (kind, name), took in seen.bulk.items()}
    return figures | {
        "deadlocks": seen.deadlocks,
        "refused": len(seen.complaints),
        "wrong": seen.wrong,
        "folded per second": _per_second(seen),
        "install/rows": installed.rows,
        "install/seconds": installed.seconds,
        "install/before": installed.before.throughput,
        "install/during": installed.during.throughput,
        "install/longest before": installed.before.longest,
        "install/longest during": installed.during.longest,
    }


def _throughput(seen: _Seen) -> Table:
    rows = [
        (
            f"{name}{f', {held} ms held' if held else ''}",
            f"{median(rates):,.0f}",
            f"{min(rates):,.0f} to {max(rates):,.0f}",
            f"{median(rates) / median(seen.rates[_PLAIN, held]):.0%}",
        )
        for (name, held), rates in sorted(seen.rates.items(), key=lambda entry: entry[0][1])
    ]
    return Table(("rollup", "executions/s", "rounds", "of without"), rows)


def _bulk(seen: _Seen) -> Table:
    rows = []
    for kind in bulk.KINDS:
        plain, rolled = (median(seen.bulk[kind, name]) for name in (_PLAIN, _ROLLED))
        rows.append((kind, f"{plain:.2f}", f"{rolled:.2f}", f"{rolled / plain:.2f} ×"))
    return Table(("seconds", "without", "with", "of without"), rows)


def _while_installing(installed: Installed) -> Table:
    rows = [
        (name, f"{written.throughput:,.0f}", milliseconds(written.longest))
        for name, written in (
            ("before", installed.before),
            (f"during its {installed.seconds:.1f} s", installed.during),
            ("after", installed.after),
        )
    ]
    return Table(("install", "executions/s", "longest execution, ms"), rows)

"""The rollup put in while the platform is at work."""

import os
import time
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from benchmarks.stage import Scene
from benchmarks.writers import Writers, Written
from data.sums import rollup

_BEFORE: Final = 10.0  # seconds
_SETTLING: Final = 1.0  # until all writers write, and until the last second is whole
_LONGEST: Final = 6 * 3600  # seconds that an install may take


@dataclass(frozen=True)
class Installed:
    """What the writers did before, during and after an install that took ``seconds``."""

    seconds: float
    before: Written
    during: Written
    after: Written
    rows: int
    wrong: int


def install(scene: Scene) -> Installed:
    """Install into a copy of the scene's database with writers at work; verify in the end."""
    name = f"bench_install_{os.getpid()}"
    url = scene.url.replace(f"/bench_{scene.executions}?", f"/{name}?")
    admin = scene.url.replace(f"/bench_{scene.executions}?", "/postgres?")
    _run(
        admin,
        sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
            sql.Identifier(name), sql.Identifier(f"bench_{scene.executions}")
        ),
    )
    try:
        return _install(scene, url)
    finally:
        _run(admin, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _install(scene: Scene, url: str) -> Installed:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        row = connection.execute("SELECT count(*) FROM workflow_execution_logs").fetchone()
    with Writers(url, scene.scratch, _LONGEST) as writers:
        _let_write(_SETTLING)
        began = time.time()
        _let_write(_BEFORE)
        started = time.time()
        rollup.install(url)
        ended = time.time()
        _let_write(_BEFORE + _SETTLING)
        written = writers.stop()
    return Installed(
        ended - started,
        written.between(began, started),
        written.between(started, ended),
        written.between(ended, ended + _BEFORE),
        row[0] if row else 0,
        rollup.verify(url).wrong,
    )


def _run(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def _let_write(seconds: float) -> None:
    """Let the writers write for a span of time; how much they do in it is what is measured."""
    time.sleep(seconds)  # a span of a measurement, not a wait for something to happen

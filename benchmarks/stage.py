"""The bench's own PostgreSQL, one database for each size, and what a section may ask of it."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, LiteralString, Self

import psycopg
from psycopg import sql

import demo
from benchmarks.loading import BULK_SETTINGS, load
from benchmarks.world import Calendar
from data.sums import rollup
from demo.local_postgres import LocalPostgres

_LOG: Final = logging.getLogger("benchmarks")
_FORM: Final = 3  # what is loaded; a kept database of another form is loaded anew


@dataclass(frozen=True)
class Options:
    """How long to measure: ``samples`` per endpoint in ``budget`` seconds, ``seconds`` of load."""

    samples: int
    budget: float
    seconds: int
    rollup: tuple[bool, ...]


@dataclass
class Scene:
    """A loaded database: ``url`` is its owner's, ``reader_url`` that of the role that serves.

    ``executions`` are those of the busy workspace in ``calendar.month``; ``scratch`` is a directory
    that goes with the run.
    """

    url: str
    executions: int
    calendar: Calendar
    options: Options
    scratch: Path
    has_rollup: bool = False
    install_seconds: float | None = field(default=None)

    @property
    def reader_url(self) -> str:
        """The URL of a role that may read and nothing else."""
        return demo.reader_url(self.url)

    @property
    def rollup_words(self) -> str:
        """Say whether the rollup is there."""
        return "with the rollup" if self.has_rollup else "without the rollup"

    def use_rollup(self, wanted: bool) -> None:  # noqa: FBT001
        """Install or remove the rollup, unless it is so already."""
        if wanted == self.has_rollup:
            return
        if wanted:
            begun = time.perf_counter()
            rollup.install(self.url)
            rollup.compact(self.url)
            self.install_seconds = time.perf_counter() - begun
        else:
            rollup.uninstall(self.url)
        self.has_rollup = wanted


class Stage:
    """Databases under ``home``, loaded when first asked for."""

    def __init__(self, home: Path, options: Options) -> None:
        self._server = LocalPostgres(home)
        self._home = home
        self._options = options
        self._calendar = Calendar.of(datetime.now(UTC))
        self.url = ""

    def __enter__(self) -> Self:
        self.url = self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @contextmanager
    def scene(self, executions: int) -> Iterator[Scene]:
        """Yield the database of this size, without rollup at the beginning and at the end."""
        name = f"bench_{executions}"
        mark = {"form": _FORM, "executions": executions, "month": f"{self._calendar.month.start}"}
        if not self._is_loaded(name, mark):
            self._load(name, executions, mark)
        url = self.url.replace("/postgres?", f"/{name}?")
        scratch = self._home / "scratch"
        scratch.mkdir(exist_ok=True)
        rollup.uninstall(url)  # a run that was broken off may have left it
        scene = Scene(url, executions, self._calendar, self._options, scratch)
        try:
            yield scene
        finally:
            scene.use_rollup(False)

    def forget(self, executions: int) -> None:
        """Drop the database of this size, which may be large."""
        self.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", f"bench_{executions}")

    def run(self, statement: LiteralString, *names: str) -> None:
        """Execute a statement outside of every scene, with these identifiers put in."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _is_loaded(self, name: str, mark: dict[str, Any]) -> bool:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
                [name],
            ).fetchone()
        return row is not None and row[0] == json.dumps(mark)

    def _load(self, name: str, executions: int, mark: dict[str, Any]) -> None:
        _LOG.info("loading %d executions ...", executions)
        begun = time.perf_counter()
        self._set(BULK_SETTINGS)
        try:
            self.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
            self.run("CREATE DATABASE {}", name)
            load(self.url.replace("/postgres?", f"/{name}?"), executions, self._calendar)
        finally:
            self._set({})
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                    sql.Identifier(name), sql.Literal(json.dumps(mark))
                )
            )
        _LOG.info("loaded in %.0f s", time.perf_counter() - begun)

    def _set(self, settings: dict[str, str]) -> None:
        """Start the server anew with these settings and no others of its own."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM RESET ALL")
            for name, value in settings.items():
                connection.execute(
                    sql.SQL("ALTER SYSTEM SET {} = {}").format(
                        sql.Identifier(name), sql.Literal(value)
                    )
                )
        self._server.stop()
        self.url = self._server.start()

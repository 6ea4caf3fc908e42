"""A server over a home of its own, and a connection that watches what it does there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.local_postgres import LocalPostgres
from tests.support.homes import Served, fill, over
from tests.support.watching import GONE, awaited


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a USAGE_HOME with the demo's data and workspaces of long files."""
    home = tmp_path_factory.mktemp("usage") / "home"
    fill(home)
    return home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Served]:
    with over(home) as server:
        yield server


@pytest.fixture
def watcher(server: Served) -> Iterator["psycopg.Connection[Any]"]:
    """Yield a connection that sees what the product's connections do."""
    with (
        LocalPostgres(server.home) as postgres,
        psycopg.connect(postgres.start(), autocommit=True) as connection,
    ):
        # What an earlier test's client has left may still be leaving.
        assert awaited(connection, GONE)
        yield connection

"""What every test may ask for: a real PostgreSQL, a fresh database, an engine on it."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, create_engine

from data import demo
from data.embedded import EmbeddedPostgres
from data.engine import connect
from tests.platform import Platform

pytest_plugins = ("tests.browsing",)

_numbers = itertools.count()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a PostgreSQL that ends with the session."""
    home: Path = tmp_path_factory.mktemp("home")
    server = EmbeddedPostgres(home)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def database(cluster: str) -> Iterator[str]:
    """Yield the URL of a fresh, empty database."""
    yield from _fresh_database(cluster)


def _fresh_database(cluster: str, source: str = "") -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" {source}')
    yield cluster.replace("/postgres?", f"/{name}?")
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def demo_template(cluster: str) -> str:
    """Return the name of a database that holds demo data, to be copied by ``demo_database``."""
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute("CREATE DATABASE demo_template")
    url = cluster.replace("/postgres?", "/demo_template?")
    demo.seed(url, now=datetime.now(UTC), executions=8000, progress=lambda _done, _total: None)
    return "demo_template"


@pytest.fixture
def demo_database(cluster: str, demo_template: str) -> Iterator[str]:
    """Yield the URL of a fresh database with 8,000 executions of demo data."""
    yield from _fresh_database(cluster, f'TEMPLATE "{demo_template}"')


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """Yield the product's own engine, which cannot write."""
    engine = connect(database)
    yield engine
    engine.dispose()


@pytest.fixture
def owner(database: str) -> Iterator[Engine]:
    """Yield the platform's engine, which can."""
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(database), pool_size=4
    )
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def stage(cluster: str) -> Iterator[Platform]:
    """Yield one database of the platform for many examples; each clears it before it begins."""
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute("CREATE DATABASE stage")
    url = cluster.replace("/postgres?", "/stage?")
    writer = create_engine(
        "postgresql+psycopg://",
        # Nothing here outlives the session, so no commit waits for the disk.
        creator=lambda: psycopg.connect(url, options="-c synchronous_commit=off"),
        pool_size=4,
    )
    reader = connect(url)
    yield Platform(url, writer, reader)
    reader.dispose()
    writer.dispose()


@pytest.fixture
def platform(stage: Platform) -> Platform:
    """Return the database of the platform, empty."""
    stage.clear()
    return stage

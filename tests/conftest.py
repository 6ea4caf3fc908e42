"""What every test may ask for: a real PostgreSQL, a fresh database, an engine on it."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, create_engine

from data.embedded import EmbeddedPostgres
from data.engine import connect

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
    name = f"test_{next(_numbers)}"
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield cluster.replace("/postgres?", f"/{name}?")
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


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

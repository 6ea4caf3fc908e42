"""What every test may ask for: a real PostgreSQL, a fresh database, an engine on it."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine
from werkzeug.test import TestResponse

import demo
from app import create_app
from data.answers.ledger import Ledger
from data.platform import schema
from data.platform.access import Viewer
from data.platform.connection import connect
from data.sums import rollup
from demo.local_postgres import LocalPostgres
from settings import Settings
from tests.support.platform import VIEWER, Platform, Rolled, Second

pytest_plugins = ("tests.support.browsing",)

# How long an example takes is the machine's business.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

_numbers = itertools.count()
_P = TypeVar("_P", bound=Platform)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a PostgreSQL that ends with the session."""
    home: Path = tmp_path_factory.mktemp("home")
    server = LocalPostgres(home)
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
    yield from _platform_at(cluster.replace("/postgres?", "/stage?"), Platform)


def _platform_at(url: str, made: type[_P]) -> Iterator[_P]:
    writer = create_engine(
        "postgresql+psycopg://",
        # Nothing here outlives the session, so no commit waits for the disk.
        creator=lambda: psycopg.connect(url, options="-c synchronous_commit=off"),
        pool_size=4,
    )
    reader = connect(url)
    yield made(url, writer, reader)
    reader.dispose()
    writer.dispose()


@pytest.fixture
def platform(stage: Platform) -> Platform:
    """Return the database of the platform, empty."""
    stage.clear()
    return stage


@pytest.fixture(scope="session")
def second_stage(cluster: str) -> Iterator[Second]:
    """Yield one database of the platform's second generation, as ``stage`` is of its first."""
    for url in _fresh_database(cluster):
        yield from _platform_at(url, Second)


@pytest.fixture(params=["stage", "second_stage"])
def either(request: pytest.FixtureRequest) -> Platform:
    """Return the database of the platform, empty, in either generation."""
    found: Platform = request.getfixturevalue(request.param)
    found.clear()
    return found


@pytest.fixture(scope="session")
def rolled_template(cluster: str) -> str:
    """Return the name of a database with the platform's tables and the rollup, both empty."""
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute("CREATE DATABASE rolled_template")
    url = cluster.replace("/postgres?", "/rolled_template?")
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
    schema.metadata.create_all(engine)
    engine.dispose()
    rollup.install(url)
    return "rolled_template"


@pytest.fixture
def rolled_apart(cluster: str, rolled_template: str) -> Iterator[Platform]:
    """Yield a database with the rollup to which a test may do what cannot be undone."""
    for url in _fresh_database(cluster, f'TEMPLATE "{rolled_template}"'):
        yield from _platform_at(url, Platform)


@pytest.fixture(scope="session")
def rolled_stage(cluster: str, rolled_template: str) -> Iterator[Rolled]:
    """Yield one database with the rollup for many examples; each clears it before it begins."""
    for url in _fresh_database(cluster, f'TEMPLATE "{rolled_template}"'):
        yield from _platform_at(url, Rolled)


@pytest.fixture(scope="session")
def rolled_second(cluster: str) -> Iterator[Rolled]:
    """Yield one database of the second generation with the rollup, for many examples."""
    for url in _fresh_database(cluster):
        for platform in _platform_at(url, Rolled):
            platform.upgrade()
            rollup.install(url)
            yield platform


@pytest.fixture
def rolled(rolled_stage: Rolled) -> Platform:
    """Return the database with the rollup, empty."""
    rolled_stage.clear()
    return Platform(rolled_stage.url, rolled_stage.writer, rolled_stage.reader)


@pytest.fixture(scope="session", params=["stage", "rolled_stage", "second_stage"])
def any_stage(request: pytest.FixtureRequest) -> Platform:
    """Return a database for many examples: without rollup, with it, and of either generation."""
    found: Platform = request.getfixturevalue(request.param)
    return found


class Api:
    """The product over one database as a program meets it; ``client`` asks in the process."""

    def __init__(self, reader: Engine, viewer: Viewer, variables: Mapping[str, str]) -> None:
        defaults = {field.alias: field.default for field in Settings.model_fields.values()}
        self.settings = Settings.model_validate(defaults | dict(variables))
        self.ledger = Ledger(reader, self.settings.billing)
        self.server = create_app(self.settings, self.ledger, lambda: viewer).server
        self.client: FlaskClient = self.server.test_client()

    def get(self, path: str, params: Mapping[str, Any] | None = None, **given: Any) -> TestResponse:
        """Ask for ``path`` below ``/api/`` and read the answer to its end."""
        return self.client.get(f"/api/{path}", query_string=params, buffered=True, **given)

    def json(self, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.get(path, params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.get_json()
        return body

    def page(self, **params: Any) -> dict[str, Any]:
        """Return a page of the list; ``from_`` stands for the parameter ``from``."""
        return self.json("billing/usage", _named(params))

    def summary(self, **params: Any) -> dict[str, Any]:
        return self.json("billing/usage/summary", _named(params))

    def export(self, **params: Any) -> TestResponse:
        answer = self.get("billing/usage/export", _named(params))
        assert answer.status_code == 200, answer.text
        return answer

    def refusal(self, status: int, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the error of an answer that has to have this status."""
        answer = self.get(path, params)
        assert answer.status_code == status, answer.text
        body = answer.get_json()
        assert list(body) == ["error"]
        assert list(body["error"]) == ["type", "code", "message", "param"]
        error: dict[str, Any] = body["error"]
        return error


def _named(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name.rstrip("_"): value for name, value in params.items()}


@pytest.fixture
def api_of() -> Callable[..., Api]:
    """Return a function that puts the product over a database together as app.py does."""

    def put_together(reader: Engine, viewer: Viewer | str = VIEWER, **variables: str) -> Api:
        return Api(reader, Viewer(viewer) if isinstance(viewer, str) else viewer, variables)

    return put_together


@pytest.fixture
def api(platform: Platform, api_of: Callable[..., Api]) -> Api:
    """Return the product over the empty database of the platform, in UTC."""
    return api_of(platform.reader)

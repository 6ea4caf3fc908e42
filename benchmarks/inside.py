"""The product in this process, where the statements that it sends can be seen."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine, event

from app import create_app
from benchmarks import plans
from benchmarks.questions import Question
from benchmarks.stage import Scene
from benchmarks.world import PROXY_HEADER
from data.answers.ledger import Ledger
from data.platform.connection import connect
from data.platform.identity import Identity
from settings import Settings
from web.auth import identify_by


class Inside:
    """The application over a scene's database, asked through Flask's own client."""

    def __init__(self, engine: Engine, client: FlaskClient) -> None:
        self._engine = engine
        self._client = client

    def statements_of(self, question: Question) -> list[plans.Statement]:
        """Ask once, read the answer to its end, and return what was sent to the database."""
        with plans.recorded(self._engine) as statements:
            self._client.open(
                question.path,
                method=question.method,
                data=question.body,
                headers=question.headers,
                buffered=True,
            ).close()
        return statements


@contextmanager
def inside(scene: Scene) -> Iterator[Inside]:
    """Put the application together as app.py does, for the length of the block."""
    given = {
        "DATABASE_URL": scene.reader_url,
        "USAGE_PROXY_HEADER": PROXY_HEADER,
        "USAGE_PROXY_CIDRS": "127.0.0.1/32",
    }
    defaults = {field.alias: field.default for field in Settings.model_fields.values()}
    settings = Settings.model_validate(defaults | given)
    engine = connect(scene.reader_url)
    ledger = Ledger(engine, settings.billing)
    server = create_app(settings, ledger, identify_by(settings, Identity(engine))).server
    try:
        yield Inside(engine, server.test_client())
    finally:
        engine.dispose()


def patient_engine(scene: Scene) -> Engine:
    """Return the product's engine, but for the limit on how long a statement may take."""
    engine = connect(scene.reader_url)

    @event.listens_for(engine, "connect")
    def be_patient(connection: Any, _: Any) -> None:
        connection.execute("SET statement_timeout = 0")
        connection.commit()

    return engine

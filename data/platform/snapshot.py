"""The platform at one instant: what is read in it belongs together."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection, Engine

from data.platform.connection import transaction
from data.platform.executions import Executions
from data.platform.generations import executions_of
from data.platform.revision import Revision, revision_of


@dataclass(frozen=True)
class Snapshot:
    """A read-only transaction, and the relations of the revision that it found."""

    connection: Connection
    revision: Revision

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Look around in a transaction."""
        return cls(connection, revision_of(connection))

    @property
    def executions(self) -> Executions:
        """The platform's executions."""
        return executions_of(self.revision)


@contextmanager
def snapshot(engine: Engine) -> Iterator[Snapshot]:
    """Open a transaction as :func:`data.platform.connection.transaction` does, and look around."""
    with transaction(engine) as connection:
        yield Snapshot.of(connection)

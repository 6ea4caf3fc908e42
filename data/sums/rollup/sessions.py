"""The one session that works on the rollup, and how it gives way to the platform's writers."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError, OperationalError

from data.platform.copies import EXECUTIONS
from data.rules.errors import UsageError

_LOCK: Final = 4_183_520_072  # any number that nobody else locks
_LOCK_WAIT: Final = "500ms"  # for so long may a writer have to wait behind us
_TRIES: Final = 240
_PAUSE_SECONDS: Final = 0.5


@contextmanager
def session(url: str, lock: str = "pg_try_advisory_lock") -> Iterator[Connection]:
    """Open the one session that may work on the rollup, waiting for others or refusing."""

    def dial() -> psycopg.Connection[Any]:
        return psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://", 1))

    engine = create_engine(
        "postgresql+psycopg://",
        creator=dial,
        poolclass=NullPool,
        # Whatever the database prefers: a serializable one would make writers fail.
        isolation_level="READ COMMITTED",
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(
                "SET TIME ZONE 'UTC'; SET jit = off; SET statement_timeout = 0"
            )
            connection.commit()
            if ask(connection, f"{lock}({_LOCK})") is False:
                raise UsageError(
                    "Another install, compact or verify is at work on this database. Try again "
                    "when it is done."
                )
            yield connection
            ask(connection, f"pg_advisory_unlock({_LOCK})")  # the next may come at once
    except DBAPIError as failure:
        raise UsageError(f"The database said: {_first_line(failure)}") from failure


def _first_line(failure: DBAPIError) -> str:
    return str(failure.orig).partition("\n")[0]


def ask(connection: Connection, expression: str) -> Any:
    """Return what an SQL expression is, in a transaction of its own."""
    with connection.begin():
        return connection.exec_driver_sql(f"SELECT {expression}").scalar_one()


def patiently(connection: Connection, change: Callable[[Connection], None]) -> None:
    """Make ``change`` in one transaction that gives way to the platform until its turn comes."""
    for _ in range(_TRIES):
        try:
            with connection.begin():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
                change(connection)
        except OperationalError as failure:
            if not isinstance(failure.orig, psycopg.errors.LockNotAvailable):
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return
    raise UsageError(
        f"{EXECUTIONS} was in use all the time, by long transactions or a vacuum. Try again "
        "when they have ended."
    )

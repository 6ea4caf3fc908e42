"""The connection to a PostgreSQL: read only, in UTC, bounded in time and number."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import QueryCanceled, UndefinedTable
from sqlalchemy import Connection, Engine, Row, Select, create_engine, text
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from data.errors import UnavailableError

_LOG: Final = logging.getLogger(__name__)

STATEMENT_TIMEOUT_SECONDS: Final = 10
POOL_SIZE: Final = 8
_LAST_PORT: Final = 65535
_CONNECT_TIMEOUT_SECONDS: Final = 5
_POOL_WAIT_SECONDS: Final = 5

# JIT costs more than it saves on queries of milliseconds. Whoever reads a whole table here has been
# misled, by statistics of before a burst say: every question has its index.
_SESSION: Final = f"""
    SET default_transaction_read_only = on;
    SET TIME ZONE 'UTC';
    SET statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s';
    SET idle_in_transaction_session_timeout = '60s';
    SET jit = off;
    SET enable_seqscan = off
"""


def conninfo_of(url: str) -> str:
    """Return ``url`` as libpq reads it; a ValueError says what to mend, and never a password."""
    conninfo = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        parts = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        raise ValueError(
            "must be a URL such as postgresql://user:password@host:5432/database, with % written "
            "as %25"
        ) from None
    ports = str(parts.get("port") or "").split(",")
    if len(ports) > 1 and len(ports) != len(str(parts.get("host") or "").split(",")):
        raise ValueError("must have one port, or one for each host")
    if any(port and not (port.isdecimal() and 0 < int(port) <= _LAST_PORT) for port in ports):
        raise ValueError(f"must have ports from 1 to {_LAST_PORT}")
    return conninfo


def connect(url: str) -> Engine:
    """Return an engine whose every transaction is one read-only snapshot.

    ``url`` is a libpq URL, with several hosts if need be; ``postgresql+psycopg://`` works too. No
    connection is made yet.
    """
    conninfo = conninfo_of(url)

    def dial() -> psycopg.Connection[Any]:
        connection = psycopg.connect(
            conninfo,
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
            application_name="usage-ledger",
            autocommit=True,
        )
        connection.execute(_SESSION)
        connection.autocommit = False
        connection.read_only = True
        return connection

    return create_engine(
        "postgresql+psycopg://",
        creator=dial,
        isolation_level="REPEATABLE READ",
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        pool_recycle=1800,
        # Errors are logged; what was asked for, a session's token say, is nobody's to read there.
        hide_parameters=True,
    )


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Open one read-only transaction: all that is read in it belongs to one instant.

    Raises UnavailableError where the database is away or takes too long.
    """
    try:
        # It ends in COMMIT: at a ROLLBACK psycopg forgets the statements that it has prepared.
        with engine.begin() as connection:
            yield connection
    except OperationalError as failure:
        if isinstance(failure.orig, QueryCanceled):
            raise UnavailableError(
                f"The database did not answer within {STATEMENT_TIMEOUT_SECONDS} s. "
                "Choose a shorter window, or try again.",
                code="database_timeout",
            ) from failure
        raise _unreachable(failure) from failure
    except (InterfaceError, PoolTimeoutError) as failure:
        raise _unreachable(failure) from failure
    except ProgrammingError as failure:
        if isinstance(failure.orig, UndefinedTable) and "usage." in str(
            failure.orig.diag.message_primary
        ):
            raise UnavailableError(
                "The rollup was taken out while this was read. Try again in a moment."
            ) from failure
        raise


def row_within(connection: Connection, seconds: int, question: Select[Any]) -> Row[Any] | None:
    """Return the one row of ``question``, or None where it takes longer; the snapshot lives on."""
    try:
        with connection.begin_nested():
            connection.execute(text(f"SET LOCAL statement_timeout = '{seconds}s'"))
            row = connection.execute(question).one()
    except OperationalError as failure:
        if isinstance(failure.orig, QueryCanceled):
            return None
        raise
    connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'"))
    return row


def _unreachable(failure: Exception) -> UnavailableError:
    # The first line says what is wrong; it may name the server, and never a password.
    _LOG.warning("the database cannot be reached: %s", str(failure).partition("\n")[0])
    return UnavailableError("The database cannot be reached. Try again in a moment.")

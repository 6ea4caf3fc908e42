"""The connection to a PostgreSQL: read only, in UTC, bounded in time and number."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_attempts, conninfo_to_dict, make_conninfo
from psycopg.errors import QueryCanceled, UndefinedTable
from sqlalchemy import Connection, Engine, Row, Select, create_engine, event, text
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from data.rules.errors import UnavailableError

_LOG: Final = logging.getLogger(__name__)

STATEMENT_TIMEOUT_SECONDS: Final = 10
POOL_SIZE: Final = 8
# What a file may take, and more than other answers do; the client's connection ends before.
HELD_AT_MOST_SECONDS: Final = 660
_LAST_PORT: Final = 65535
_POOL_WAIT_SECONDS: Final = 5

# A database that is stopped, or behind a network that is gone, closes no connection. What a file
# waits in three queues, the question whether a connection lives, a new connection and its first
# statement are 15 s together; any other statement is less.
_CONNECT_SECONDS: Final = 5
_CONNECT_SECONDS_AT_LEAST: Final = 2  # libpq takes no less
_ALIVE_SECONDS: Final = 2
_ANSWER_SECONDS: Final = STATEMENT_TIMEOUT_SECONDS + 1
# What of it the network itself can tell, it tells earlier.
_WIRE: Final = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": _ANSWER_SECONDS * 1000,
}

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


_T = TypeVar("_T")


class _Bounded(psycopg.Connection[Any]):
    """A connection that waits for the server for so many seconds, and is closed after them."""

    patience: float = _ALIVE_SECONDS

    def wait(self, gen: PQGen[_T], interval: float = 0.1, timeout: float | None = None) -> _T:
        """Wait for what the server has to say; raises OperationalError where it says nothing."""
        try:
            return super().wait(gen, interval, timeout or self.patience)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - psycopg gives it no other name
            # The server may still answer, and the next question must not get that for its own.
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"the server said nothing for {self.patience:g} s"
            ) from None


class _Cursor(psycopg.ServerCursor[Any]):
    """A cursor in the server, which is gone with its connection."""

    @property
    def closed(self) -> bool:
        """Whether nothing is left to close; psycopg asks the server, which may be no more."""
        return super().closed or self.connection.closed


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
    given = conninfo_to_dict(conninfo_of(url))
    conninfo = make_conninfo("", **(_WIRE | given), application_name="usage-ledger")

    def dial() -> psycopg.Connection[Any]:
        hosts = len(conninfo_attempts(given))
        connection = _Bounded.connect(
            conninfo,
            connect_timeout=max(_CONNECT_SECONDS_AT_LEAST, _CONNECT_SECONDS // hosts),
            autocommit=True,
        )
        connection.execute(_SESSION)
        connection.autocommit = False
        connection.read_only = True
        connection.server_cursor_factory = _Cursor
        return connection

    engine = create_engine(
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

    # The pool asks whether a connection lives before it hands it out.
    @event.listens_for(engine, "checkout")
    def handed_out(connection: Any, *_: Any) -> None:
        connection.patience = _ANSWER_SECONDS

    @event.listens_for(engine, "checkin")
    def handed_back(connection: Any, *_: Any) -> None:
        if connection is not None:
            connection.patience = _ALIVE_SECONDS

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Open one read-only transaction: all that is read in it belongs to one instant.

    Raises UnavailableError where the database is away, takes too long, or lets nobody read what is
    asked for.
    """
    try:
        # It ends in COMMIT: at a ROLLBACK psycopg forgets the statements that it has prepared.
        with engine.begin() as connection:
            yield connection
    except PoolTimeoutError as failure:
        raise _unreachable(failure) from failure
    except DBAPIError as failure:
        raise _told(failure) from failure


def _told(failure: DBAPIError) -> Exception:
    """Return what to raise for what the database, or the way to it, did not do."""
    cause = failure.orig
    if isinstance(cause, QueryCanceled):
        return UnavailableError(
            f"The database did not answer within {STATEMENT_TIMEOUT_SECONDS} s. "
            "Choose a shorter window, or try again.",
            code="database_timeout",
        )
    # That a snapshot has idled for too long is an internal error by its number; that a column has
    # changed since a statement was prepared is nothing supported, once on each connection.
    if isinstance(failure, OperationalError | InterfaceError | InternalError | NotSupportedError):
        return _unreachable(failure)
    if not isinstance(failure, ProgrammingError) or not isinstance(cause, psycopg.Error):
        return failure
    reason = str(cause.diag.message_primary)
    if isinstance(cause, UndefinedTable) and "usage." in reason:
        return UnavailableError(
            "The rollup was taken out while this was read. Try again in a moment."
        )
    _LOG.error("the database lets nobody read what is needed: %s", reason)
    return UnavailableError(
        f"The database cannot be read as it is set up: {reason}.", code="database_unreadable"
    )


def let_idle(connection: Connection) -> None:
    """Let the snapshot idle for longer than a minute: it waits for whoever takes a file slowly."""
    limit = f"'{HELD_AT_MOST_SECONDS}s'"
    connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = {limit}"))


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

"""The rollup of executions into sums by minute and hour: put in, kept small, kept true.

Triggers append signed changes, ``compact`` folds them into the sums, ``verify`` compares the sums
with the executions. All functions take a libpq URL of the role that owns the executions' table and
raise UsageError, with one sentence, where they cannot do their work. Only one of them works at a
time on a database: ``install`` waits for its turn, the others refuse. Writers never wait for them
longer than half a second.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.schema import CreateIndex, CreateTable

from data.errors import UsageError
from data.rollup import recount, triggers, trust
from data.rollup.tables import SCHEMA, change, metadata

_LOCK: Final = 4_183_520_072  # any number that nobody else locks
_BATCH: Final = 50_000  # changes folded in one transaction
_LOCK_WAIT: Final = "500ms"  # for so long may a writer have to wait behind us
_TRIES: Final = 240
_PAUSE_SECONDS: Final = 0.5

Progress = Callable[[date], None]


@dataclass(frozen=True)
class Verified:
    """How many ``days`` were compared, and how many of their sums were ``wrong`` and repaired."""

    days: int
    wrong: int


def install(url: str, progress: Progress = lambda _: None) -> bool:
    """Put triggers and tables in, fill them; return False where they were there and whole.

    Waits for another one that is at work. ``progress`` is told each day that is done. Roles that
    may read the costs may read their sums, also those that are new since the last time.
    """
    with _session(url, "pg_advisory_lock") as connection:
        if _ask(connection, f"{trust.TRUSTED} AND {trust.INTACT}"):
            with connection.begin():
                connection.exec_driver_sql(_GRANT)
            return False
        if _ask(connection, f"to_regclass('{triggers.TABLE}') IS NULL"):
            raise UsageError(f"There is no table {triggers.TABLE} in this database.")
        if not _ask(connection, trust.PLAIN_TABLE):
            raise UsageError(
                f"{triggers.TABLE} is partitioned, inherited, a subscription's target or under row "
                "security, so triggers would not see all of its rows. It is read without a rollup."
            )
        _remove(connection)
        if _ask(connection, f"to_regnamespace('{SCHEMA}') IS NOT NULL"):
            raise UsageError(
                f"There is a schema {SCHEMA} in this database that is not the rollup's. Rename it."
            )
        _patiently(connection, _create)
        _fill(connection, progress)
        return True


def compact(url: str) -> int:
    """Fold the changes there are into the sums; return how many."""
    with _session(url) as connection:
        _demand_installed(connection)
        folded = 0
        while True:
            with connection.begin():
                batch = recount.fold(connection, recount.some(_BATCH))
            folded += batch
            if batch < _BATCH:
                return folded


def verify(url: str, progress: Progress = lambda _: None) -> Verified:
    """Compare every sum with the executions, repair what is wrong, and restore trust.

    ``progress`` is told each day that is done.
    """
    with _session(url) as connection:
        return _fill(connection, progress)


def uninstall(url: str) -> None:
    """Take triggers and tables out again; questions are answered from the executions."""
    with _session(url) as connection:
        _remove(connection)


def _remove(connection: Connection) -> None:
    # One after the other: who asks in between finds no triggers, and asks the executions.
    if _ask(connection, _OURS):
        _patiently(connection, _drop_triggers)
        _patiently(connection, _drop_tables)


@contextmanager
def _session(url: str, lock: str = "pg_try_advisory_lock") -> Iterator[Connection]:
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
            if _ask(connection, f"{lock}({_LOCK})") is False:
                raise UsageError(
                    "Another install, compact or verify is at work on this database. Try again "
                    "when it is done."
                )
            yield connection
            _ask(connection, f"pg_advisory_unlock({_LOCK})")  # the next may come at once
    except DBAPIError as failure:
        raise UsageError(f"The database said: {_first_line(failure)}") from failure


def _first_line(failure: DBAPIError) -> str:
    return str(failure.orig).partition("\n")[0]


def _ask(connection: Connection, expression: str) -> Any:
    with connection.begin():
        return connection.exec_driver_sql(f"SELECT {expression}").scalar_one()


def _demand_installed(connection: Connection) -> None:
    if not _ask(connection, f"{trust.INTACT} AND {trust.COMMENT} IS NOT NULL"):
        raise UsageError(
            "The rollup is not installed here, or its triggers are off. Run: python app.py install"
        )


def _patiently(connection: Connection, change: Callable[[Connection], None]) -> None:
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
        f"{triggers.TABLE} was in use all the time, by long transactions or a vacuum. Try again "
        "when they have ended."
    )


def _create(connection: Connection) -> None:
    connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
    # The executions first: writers lock in this order too.
    connection.exec_driver_sql(f"LOCK TABLE {triggers.TABLE} IN SHARE ROW EXCLUSIVE MODE")
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(CreateIndex(index))
    for statement in triggers.statements(trust.TRUNCATED):
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(_GRANT)
    _comment(connection, trust.FILLING)


def _drop_triggers(connection: Connection) -> None:
    for name in triggers.NAMES:
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {triggers.TABLE}")


def _drop_tables(connection: Connection) -> None:
    connection.exec_driver_sql(f"DROP SCHEMA {SCHEMA} CASCADE")


def _comment(connection: Connection, state: str) -> None:
    fingerprint = connection.exec_driver_sql(f"SELECT {trust.FINGERPRINT}").scalar_one()
    connection.exec_driver_sql(f"COMMENT ON TABLE {change.fullname} IS '{state}{fingerprint}'")


def _fill(connection: Connection, progress: Progress) -> Verified:
    """Compare all days; what happens to the triggers meanwhile makes it begin anew."""
    while True:
        _demand_installed(connection)
        with connection.begin():
            if not connection.exec_driver_sql(f"SELECT {trust.TRUSTED}").scalar_one():
                _comment(connection, trust.FILLING)
            before = _state(connection)
        verified = _days(connection, progress)
        with connection.begin():
            # A truncate sets its mark before this, which is seen, or after it, which prevails.
            connection.exec_driver_sql(
                f"LOCK TABLE {change.fullname} IN SHARE UPDATE EXCLUSIVE MODE"
            )
            if _state(connection) == before:
                _comment(connection, trust.WHOLE)
                break
    with connection.execution_options(isolation_level="AUTOCOMMIT").begin():
        for table in metadata.sorted_tables:
            connection.exec_driver_sql(f"VACUUM (ANALYZE) {table.fullname}")
    return verified


def _state(connection: Connection) -> tuple[Any, ...]:
    query = f"SELECT {trust.COMMENT}, {trust.FINGERPRINT}"
    return tuple(connection.exec_driver_sql(query).one())


def _days(connection: Connection, progress: Progress) -> Verified:
    days = wrong = 0
    with connection.begin():
        connection.exec_driver_sql(recount.EXPECTED_TABLE)
    # What is folded and what is counted have to be of one instant.
    connection.execution_options(isolation_level="REPEATABLE READ")
    following = recount.FIRST_DAY
    while True:
        with connection.begin():
            day = recount.next_day(connection, following)
            if day is None:
                break
            wrong += recount.day(connection, day)
        progress(day)
        days += 1
        following = day + timedelta(days=1)
    connection.execution_options(isolation_level="READ COMMITTED")
    return Verified(days, wrong)


# Whoever else has a schema of this name has no such function in it.
_OURS: Final = f"""EXISTS (
    SELECT FROM pg_proc
    WHERE pronamespace = to_regnamespace('{SCHEMA}') AND proname = 'after_truncate'
)"""

# Whoever may read what is added up may read the sums.
_GRANT: Final = f"""
    DO $$
    DECLARE reader name;
    BEGIN
        FOR reader IN
            SELECT rolname FROM pg_roles
            WHERE NOT rolsuper AND rolname !~ '^pg_' AND (
                SELECT bool_and(has_column_privilege(rolname, '{triggers.TABLE}', name, 'SELECT'))
                FROM unnest('{{{",".join(triggers.COLUMNS)}}}'::text[]) AS name
            )
        LOOP
            EXECUTE 'GRANT USAGE ON SCHEMA {SCHEMA} TO ' || quote_ident(reader);
            EXECUTE 'GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO ' || quote_ident(reader);
        END LOOP;
    END $$
"""

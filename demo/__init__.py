"""Demo data: four months of a small company's executions, the same for the same ``now``.

In either generation of the platform: of April 2026, or upgraded since.

Two accounts. The demo viewer pays for the first: support, finance, a partner's workspace that he
may not see, and an archived pilot. The second pays for research and has no limit.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from data.platform import schema
from data.platform.readiness import BROUGHT
from data.platform.revision import revision_of
from data.rules.errors import UsageError
from demo.accounts import VIEWER, insert_accounts
from demo.executions import COLUMNS, Row, executions_of
from demo.second import rewrite
from demo.upgrade import upgrade
from demo.workflows import draw_workflows, insert_workflows

DEMO_VIEWER_ID: Final = VIEWER  # signed in without asking in the demo
EXECUTIONS: Final = 40_000

Progress = Callable[[int, int], None]

_SEED: Final = 20_260_418
_LOCK: Final = 4_183_520_071  # any number that nobody else locks
_READER: Final = "usage_reader"
# What the ledger reads. Who people are, it need not know.
_READABLE: Final = (
    schema.user_stats,
    schema.organization,
    schema.member,
    schema.subscription,
    schema.workspace,
    schema.permissions,
    schema.workflow,
    schema.execution,
    # Whoever presents a credential is looked up as on a platform.
    schema.session,
    schema.api_key,
)
_READABLE_OF_USER: Final = ("id", "name", "email", "banned", "ban_expires")


def generation_at(url: str) -> int | None:
    """Tell of which generation the demo data at this libpq URL is; None where there is none.

    Raises ``UsageError`` where the database fails.
    """
    with _told(), _engine(url).connect() as connection:
        _, viewer = _who_is_here(_raw(connection))
        return _generation_of(connection) if viewer else None


def reader_url(url: str) -> str:
    """Return this libpq URL with the user that ``seed`` made, who may read and nothing else."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{_READER}@{hosts}").geturl()


def seed(
    url: str,
    *,
    now: datetime,
    executions: int = EXECUTIONS,
    generation: int = 1,
    progress: Progress,
) -> None:
    """Create the tables in the database at this libpq URL and fill them, all or nothing.

    ``now`` is aware; nothing is later. The same ``now`` and ``executions`` give the same rows, in
    ``generation`` 1 or 2 of the platform: with the second, the same executions as it writes them.
    The account's limit is a dollar for 80 executions ($500 for 40,000) and is crossed about the
    middle of each whole month (with fewer than some 10,000 executions chance moves that by days).
    ``progress(done, executions)`` is called about fifty times.

    A database that holds the demo data is left as it is. One with those of the other generation or
    with other people's data is refused, and one that fails is a ``UsageError`` too.
    """
    with _told(), _engine(url).begin() as connection:
        raw = _raw(connection)
        # Two that start at once: the second waits here and finds the work done.
        raw.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        anybody, viewer = _who_is_here(raw)
        if viewer:
            found = _generation_of(connection)
            if found != generation:
                raise UsageError(
                    f"There is demo data of generation {found} already; that of generation "
                    f"{generation} goes only into an empty database."
                )
            return
        if anybody:
            raise UsageError("This database is in use; demo data goes only into an empty one.")
        moment = now.astimezone(UTC).replace(tzinfo=None)
        schema.metadata.create_all(connection)
        if generation > 1:
            upgrade(connection)
        _fill(connection, moment, executions, progress)
        if generation > 1:
            rewrite(connection, moment)
        _admit_reader(connection)
    with _told():
        _vacuum(url)


def _engine(url: str) -> Engine:
    def dial() -> psycopg.Connection:
        return psycopg.connect(url)

    return create_engine("postgresql+psycopg://", creator=dial, poolclass=NullPool)


@contextmanager
def _told() -> Iterator[None]:
    """Say in a sentence what the database says against its work."""
    try:
        yield
    except (psycopg.Error, DBAPIError) as failure:
        said = failure.orig if isinstance(failure, DBAPIError) else failure
        line = str(said).partition("\n")[0].rstrip(".")
        raise UsageError(f"The database failed ({line}). Start again.") from failure


def _raw(connection: Connection) -> psycopg.Connection:
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - seed() made it; tells the type
    return raw


def _who_is_here(raw: psycopg.Connection) -> tuple[bool, bool]:
    """Tell whether the database has any people, and whether the demo viewer is among them."""
    if raw.execute("""SELECT to_regclass('"user"')""").fetchone() == (None,):
        return False, False
    anybody = raw.execute('SELECT FROM "user" LIMIT 1').fetchone()
    viewer = raw.execute('SELECT FROM "user" WHERE id = %s', [DEMO_VIEWER_ID]).fetchone()
    return anybody is not None, viewer is not None


def _generation_of(connection: Connection) -> int:
    return 1 if revision_of(connection).costs_in_json_alone else 2


def _fill(connection: Connection, now: datetime, executions: int, progress: Progress) -> None:
    rng = Random(_SEED)  # noqa: S311 - demo data, not secrets
    insert_accounts(connection, now, Decimal(executions) / 80)
    workflows = draw_workflows(rng)
    insert_workflows(connection, now, workflows)
    rows = executions_of(rng, now, workflows, executions)
    _copy(_raw(connection), rows, executions, progress)


def _copy(raw: psycopg.Connection, rows: Iterator[Row], total: int, progress: Progress) -> None:
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(schema.execution.name), sql.SQL(",").join(map(sql.Identifier, COLUMNS))
    )
    step = max(1, total // 50)
    with (
        raw.cursor() as cursor,
        cursor.copy(into) as copy,
        # A lost connection is the end of the copy's to tell; it would be told in the log as well.
        suppress(psycopg.OperationalError),
    ):
        for done, row in enumerate(rows, 1):
            copy.write_row(row)
            if done % step == 0 or done == total:
                progress(done, total)


def admit_reader(url: str) -> None:
    """Let the reader of the demo at this libpq URL read all that is read by now.

    One that an older version made lets him read less. Raises ``UsageError`` where the database
    fails.
    """
    with _told(), _engine(url).begin() as connection:
        _admit_reader(connection)


def _admit_reader(connection: Connection) -> None:
    """Let the reader in; being the cluster's, it may be there for the sake of another database."""
    raw = _raw(connection)
    reader = sql.Identifier(_READER)
    # Another database's seeding may be making it now: this waits until that one has ended.
    create = sql.SQL(
        "DO $$ BEGIN CREATE ROLE {} LOGIN;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    raw.execute(create.format(reader))
    there = raw.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename = ANY(%s)",
        [[table.name for table in _READABLE]],
    )
    tables = sql.SQL(",").join(sql.Identifier(name) for (name,) in there)
    raw.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(tables, reader))
    _grant(raw, "user", _READABLE_OF_USER)
    revision = revision_of(connection)
    for flag, columns_by_table in BROUGHT.items():
        if getattr(revision, flag):
            for table, columns in columns_by_table.items():
                _grant(raw, table, columns)


def _grant(raw: psycopg.Connection, table: str, columns: Iterable[str]) -> None:
    raw.execute(
        sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(
            sql.SQL(",").join(map(sql.Identifier, columns)),
            sql.Identifier(table),
            sql.Identifier(_READER),
        )
    )


def _vacuum(url: str) -> None:
    """Let the first pages be as fast as all later ones: statistics and the visibility map."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = sql.SQL(",").join(sql.Identifier(name) for (name,) in found)
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(tables))

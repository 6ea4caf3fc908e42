"""The rollup of executions into sums by minute and hour: put in, kept small, kept true.

Triggers append signed changes, ``compact`` folds them into the sums, ``verify`` compares the sums
with the executions. All functions take a libpq URL of the role that owns the executions' table and
raise UsageError, with one sentence, where they cannot do their work. Only one of them works at a
time on a database: ``install`` waits for its turn, the others refuse. Writers never wait for them
longer than half a second.
"""

from typing import Final

from sqlalchemy import Connection

from data.platform.copies import EXECUTIONS
from data.platform.revision import Revision, revision_of
from data.rules.errors import UsageError
from data.sums.rollup import pending, recount
from data.sums.rollup.definition import create, demand_installed, grant, remove
from data.sums.rollup.filling import Progress, Verified, fill
from data.sums.rollup.sessions import ask, patiently, session
from data.sums.rollup.tables import SCHEMA
from data.sums.rollup.trust import Trust

__all__ = ["Verified", "compact", "install", "uninstall", "verify"]

_BATCH: Final = 50_000  # changes folded in one transaction


def install(url: str, progress: Progress = lambda _: None) -> bool:
    """Put triggers and tables in, fill them; return False where they were there and whole.

    Waits for another one that is at work. One that does not fit the platform any more, because that
    was upgraded, is taken out first. ``progress`` is told each day that is done. Roles that may
    read the costs may read their sums, also those that are new since the last time.
    """
    with session(url, "pg_advisory_lock") as connection:
        if ask(connection, f"to_regclass('{EXECUTIONS}') IS NULL"):
            raise UsageError(f"There is no table {EXECUTIONS} in this database.")
        revision = _revision(connection)
        trust = Trust.of(revision)
        if ask(connection, f"{trust.trusted} AND {trust.intact}"):
            with connection.begin():
                grant(connection, trust)
            return False
        if not ask(connection, trust.plain_tables):
            raise UsageError(
                f"{' or '.join(each.table for each in trust.copied)} is partitioned, inherited, a "
                "subscription's target or under row security, so triggers would not see all of "
                "its rows. It is read without a rollup."
            )
        remove(connection)
        if ask(connection, f"to_regnamespace('{SCHEMA}') IS NOT NULL"):
            raise UsageError(
                f"There is a schema {SCHEMA} in this database that is not the rollup's. Rename it."
            )
        patiently(connection, lambda during: create(during, trust))
        fill(connection, revision, progress)
        return True


def compact(url: str) -> int:
    """Fold the changes there are into the sums; return how many."""
    with session(url) as connection:
        revision = _revision(connection)
        demand_installed(connection, Trust.of(revision))
        folded = 0
        while True:
            with connection.begin():
                batch = recount.fold(connection, revision, pending.some(revision, _BATCH))
            folded += batch
            if batch < _BATCH:
                return folded


def verify(url: str, progress: Progress = lambda _: None) -> Verified:
    """Compare every sum with the executions, repair what is wrong, and restore trust.

    ``progress`` is told each day that is done.
    """
    with session(url) as connection:
        return fill(connection, _revision(connection), progress)


def uninstall(url: str) -> None:
    """Take triggers and tables out again; questions are answered from the executions."""
    with session(url) as connection:
        remove(connection)


def _revision(connection: Connection) -> Revision:
    with connection.begin():
        return revision_of(connection)

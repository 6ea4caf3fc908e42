"""Filling the rollup, which is verifying it: all days, one after the other."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from data.platform.revision import Revision
from data.sums.rollup import recount
from data.sums.rollup.definition import comment, demand_installed
from data.sums.rollup.tables import change, metadata
from data.sums.rollup.trust import COMMENT, Trust

Progress = Callable[[date], None]


@dataclass(frozen=True)
class Verified:
    """How many ``days`` were compared, and how many of their sums were ``wrong`` and repaired."""

    days: int
    wrong: int


def fill(connection: Connection, revision: Revision, progress: Progress) -> Verified:
    """Compare all days; what happens to the triggers meanwhile makes it begin anew."""
    trust = Trust.of(revision)
    while True:
        demand_installed(connection, trust)
        with connection.begin():
            if not connection.exec_driver_sql(f"SELECT {trust.trusted}").scalar_one():
                comment(connection, trust, trust.filling)
            before = _state(connection, trust)
        verified = _days(connection, revision, progress)
        with connection.begin():
            # A truncate sets its mark before this, which is seen, or after it, which prevails.
            connection.exec_driver_sql(
                f"LOCK TABLE {change.fullname} IN SHARE UPDATE EXCLUSIVE MODE"
            )
            if _state(connection, trust) == before:
                comment(connection, trust, trust.whole)
                break
    with connection.execution_options(isolation_level="AUTOCOMMIT").begin():
        for table in metadata.sorted_tables:
            # To give pages back would wait for writers, and they for it.
            connection.exec_driver_sql(f"VACUUM (ANALYZE, TRUNCATE false) {table.fullname}")
    return verified


def _state(connection: Connection, trust: Trust) -> tuple[Any, ...]:
    query = f"SELECT {COMMENT}, {trust.fingerprint}"
    return tuple(connection.exec_driver_sql(query).one())


def _days(connection: Connection, revision: Revision, progress: Progress) -> Verified:
    days = wrong = 0
    with connection.begin():
        recount.make_room(connection, revision)
    # What is folded and what is counted have to be of one instant.
    connection.execution_options(isolation_level="REPEATABLE READ")
    following = recount.FIRST_DAY
    while True:
        with connection.begin():
            day = recount.next_day(connection, following)
            if day is None:
                break
            wrong += recount.day(connection, revision, day)
        progress(day)
        days += 1
        following = day + timedelta(days=1)
    connection.execution_options(isolation_level="READ COMMITTED")
    return Verified(days, wrong)

"""Filling the rollup, which is verifying it: all days, one after the other."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from data.sums.rollup import recount, trust
from data.sums.rollup.definition import comment, demand_installed
from data.sums.rollup.tables import change, metadata

Progress = Callable[[date], None]


@dataclass(frozen=True)
class Verified:
    """How many ``days`` were compared, and how many of their sums were ``wrong`` and repaired."""

    days: int
    wrong: int


def fill(connection: Connection, progress: Progress) -> Verified:
    """Compare all days; what happens to the triggers meanwhile makes it begin anew."""
    while True:
        demand_installed(connection)
        with connection.begin():
            if not connection.exec_driver_sql(f"SELECT {trust.TRUSTED}").scalar_one():
                comment(connection, trust.FILLING)
            before = _state(connection)
        verified = _days(connection, progress)
        with connection.begin():
            # A truncate sets its mark before this, which is seen, or after it, which prevails.
            connection.exec_driver_sql(
                f"LOCK TABLE {change.fullname} IN SHARE UPDATE EXCLUSIVE MODE"
            )
            if _state(connection) == before:
                comment(connection, trust.WHOLE)
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

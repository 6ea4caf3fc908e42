"""The statements that fold changes into the sums, and that compare the sums with the executions."""

from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Table

from data.platform.copies import EXECUTIONS
from data.platform.revision import Revision
from data.sums.measures import MEASURES
from data.sums.rollup import pending
from data.sums.rollup.cells import (
    END_OF_TIME,
    FIRST_INSTANT,
    cells_of_executions,
    cells_of_states,
)
from data.sums.rollup.tables import FOLDED, change

FIRST_DAY: Final = date.fromisoformat(FIRST_INSTANT)

_KEY: Final = ("workspace_id", "start", "name")
_COLUMNS: Final = ", ".join((*_KEY, *MEASURES))
_SUMS: Final = ", ".join(f"sum({measure}) AS {measure}" for measure in MEASURES)


def fold(connection: Connection, revision: Revision, chosen: str) -> int:
    """Move the changes that ``chosen`` chooses into the sums; return how many."""
    taken = pending.taken(revision, chosen)
    folded = ", ".join(_folded(table) for table in FOLDED)
    count: int = connection.exec_driver_sql(
        f"""
        WITH {taken.tables},
        cells AS MATERIALIZED ({cells_of_states(revision, taken.states)}), {folded}
        SELECT {taken.count}
        """
    ).scalar_one()
    return count


def _folded(table: Table) -> str:
    added = ", ".join(f"{measure} = kept.{measure} + excluded.{measure}" for measure in MEASURES)
    return f"""
        {table.name} AS (
            INSERT INTO {table.fullname} AS kept ({_COLUMNS}) {_grouped(table, "cells")}
            ON CONFLICT ({", ".join(_KEY)}) DO UPDATE SET {added}
        )
    """


def _grouped(table: Table, cells: str) -> str:
    start, name = FOLDED[table]
    return f"""
        SELECT workspace_id, {start} AS start, {name} AS name, {_SUMS}
        FROM {cells} GROUP BY 1, 2, 3
    """


def make_room(connection: Connection, revision: Revision) -> None:
    """Make the table that a day's cells are counted into."""
    cells = cells_of_executions(revision, "true")
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE IF NOT EXISTS expected AS {cells} LIMIT 0")


def next_day(connection: Connection, day: date) -> date | None:
    """Return the first day from ``day`` on of which there is anything to count or to compare."""
    ranges = [(EXECUTIONS, "started_at"), (change.fullname, "started_at")]
    ranges += [(table.fullname, "start") for table in FOLDED]
    found = ", ".join(
        f"(SELECT min({at}) FROM {table} WHERE {at} >= '{day}' AND {at} < '{END_OF_TIME}')"
        for table, at in ranges
    )
    first: Any = connection.exec_driver_sql(f"SELECT least({found})::date").scalar_one()
    return first if isinstance(first, date) else None


def day(connection: Connection, revision: Revision, day: date) -> int:
    """Compare the sums of a day with its executions; return how many were wrong, and repaired.

    In one snapshot, with all changes of the day folded: what commits later comes as a change.
    """
    within = f"{{0}} >= '{day}' AND {{0}} < '{day + timedelta(days=1)}'"
    started = within.format("started_at")
    fold(connection, revision, pending.of_span(revision, started))
    connection.exec_driver_sql("TRUNCATE expected")
    connection.exec_driver_sql(f"INSERT INTO expected {cells_of_executions(revision, started)}")
    return sum(_compare(connection, table, within.format("start")) for table in FOLDED)


def _compare(connection: Connection, table: Table, within: str) -> int:
    expected = ", ".join(f"expected.{measure}" for measure in MEASURES)
    present = ", ".join(f"present.{measure}" for measure in MEASURES)
    zeros = ", ".join("0" for _ in MEASURES)
    replaced = ", ".join(f"{measure} = excluded.{measure}" for measure in MEASURES)
    wrong: int = connection.exec_driver_sql(
        f"""
        WITH expected AS ({_grouped(table, "expected")}),
        present AS (SELECT * FROM {table.fullname} WHERE {within}),
        differing AS (
            SELECT workspace_id, start, name, {expected},
                coalesce(({present}) = ({zeros}), false) AS nothing
            FROM expected FULL JOIN present USING (workspace_id, start, name)
            WHERE ({expected}) IS DISTINCT FROM ({present})
        ),
        gone AS (
            DELETE FROM {table.fullname} AS kept USING differing
            WHERE differing.executions IS NULL AND kept.workspace_id = differing.workspace_id
                AND kept.start = differing.start AND kept.name = differing.name
        ),
        put_right AS (
            INSERT INTO {table.fullname} ({_COLUMNS})
            SELECT {_COLUMNS} FROM differing WHERE executions IS NOT NULL
            ON CONFLICT ({", ".join(_KEY)}) DO UPDATE SET {replaced}
        )
        SELECT count(*) FROM differing WHERE NOT (executions IS NULL AND nothing)
        """
    ).scalar_one()
    return wrong

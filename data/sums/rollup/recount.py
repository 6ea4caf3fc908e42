"""The statements that fold changes into the sums, and that compare the sums with the executions."""

from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Table

from data.platform.copies import TABLE
from data.sums.measures import MEASURES
from data.sums.rollup.tables import FOLDED
from data.sums.rollup.triggers import END_OF_TIME, EXECUTIONS, FIRST_INSTANT, cells_of, net_of

FIRST_DAY: Final = date.fromisoformat(FIRST_INSTANT)

_KEY: Final = ("workspace_id", "start", "name")
_COLUMNS: Final = ", ".join((*_KEY, *MEASURES))
_SUMS: Final = ", ".join(f"sum({measure}) AS {measure}" for measure in MEASURES)


def some(changes: int) -> str:
    """Return the condition for so many changes, whichever."""
    return f"ctid = ANY(ARRAY(SELECT ctid FROM usage.change LIMIT {changes}))"


def fold(connection: Connection, which: str) -> int:
    """Move the changes that fulfil the condition ``which`` into the sums; return how many."""
    folded = ", ".join(_folded(table) for table in FOLDED)
    count: int = connection.exec_driver_sql(
        f"""
        WITH taken AS (DELETE FROM usage.change WHERE {which} RETURNING *),
        cells AS MATERIALIZED ({cells_of(net_of("taken"))}), {folded}
        SELECT count(*) FROM taken
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


EXPECTED_TABLE: Final = f"""
    CREATE TEMPORARY TABLE IF NOT EXISTS expected AS {cells_of(EXECUTIONS)} LIMIT 0
"""


def next_day(connection: Connection, day: date) -> date | None:
    """Return the first day from ``day`` on of which there is anything to count or to compare."""
    ranges = [(TABLE, "started_at"), ("usage.change", "started_at")]
    ranges += [(table.fullname, "start") for table in FOLDED]
    found = ", ".join(
        f"(SELECT min({at}) FROM {table} WHERE {at} >= '{day}' AND {at} < '{END_OF_TIME}')"
        for table, at in ranges
    )
    first: Any = connection.exec_driver_sql(f"SELECT least({found})::date").scalar_one()
    return first if isinstance(first, date) else None


def day(connection: Connection, day: date) -> int:
    """Compare the sums of a day with its executions; return how many were wrong, and repaired.

    In one snapshot, with all changes of the day folded: what commits later comes as a change.
    """
    within = f">= '{day}' AND {{0}} < '{day + timedelta(days=1)}'"
    fold(connection, f"started_at {within.format('started_at')}")
    executions = f"{EXECUTIONS} WHERE started_at {within.format('started_at')}"
    connection.exec_driver_sql("TRUNCATE expected")
    connection.exec_driver_sql(f"INSERT INTO expected {cells_of(executions)}")
    return sum(_compare(connection, table, f"start {within.format('start')}") for table in FOLDED)


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

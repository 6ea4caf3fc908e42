"""Compares the rollup's sums with the executions, by every way in which they are read."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from data.platform.snapshot import Snapshot
from data.rules.calendar import Span
from data.sums.measures import MEASURES
from data.sums.rollup.cells import cells_of_executions, cells_of_states
from data.sums.rollup.pending import pending_states
from data.sums.rollup.tables import FOLDED
from data.sums.totals import Totals
from tests.support.platform import Platform, is_whole, utc

# The first and the last instant that a window can touch.
ALL_TIME: Final = Span(utc("1969-12-31"), utc("9999-01-03"))
DAYS: Final = [
    Span(day, day + timedelta(days=1))
    for day in (utc("2026-10-01") + n * timedelta(days=1) for n in range(31))
]


def answers(
    connection: Connection, spans: Sequence[Span], workspaces: Sequence[str], *, rollup: bool
) -> list[dict[str, Any]]:
    """Return the sums of each of ``spans``."""
    sums = Totals(Snapshot.of(connection), rollup=rollup).by_span(workspaces, spans, *MEASURES)
    return [dict(zip(sums, row, strict=True)) for row in zip(*sums.values(), strict=True)]


def pending_cells(connection: Connection) -> str:
    """Return the SQL of what is not folded yet, as the cells that it will be."""
    revision = Snapshot.of(connection).revision
    return cells_of_states(revision, pending_states(revision))


def differences(connection: Connection) -> list[Any]:
    """Return where a table of sums, with the changes, differs from the executions."""
    revision = Snapshot.of(connection).revision
    changes, everything = pending_cells(connection), cells_of_executions(revision, "true")
    differing: list[Any] = []
    for table, (start, name) in FOLDED.items():
        sums = ", ".join(f"sum({measure}) AS {measure}" for measure in MEASURES)
        grouped = f"SELECT workspace_id, {start} AS start, {name} AS name, {sums}"
        differing += connection.execute(
            text(
                f"""
                WITH present AS (
                    SELECT workspace_id, start, name, {sums} FROM (
                        SELECT * FROM {table.fullname}
                        UNION ALL {grouped} FROM ({changes}) AS cell GROUP BY 1, 2, 3
                    ) AS part GROUP BY 1, 2, 3
                ),
                expected AS ({grouped} FROM ({everything}) AS cell GROUP BY 1, 2, 3)
                SELECT '{table.name}', * FROM (
                    SELECT 'surplus', * FROM
                    (SELECT * FROM present EXCEPT SELECT * FROM expected) AS surplus
                    UNION ALL SELECT 'missing', * FROM
                    (SELECT * FROM expected EXCEPT SELECT * FROM present) AS missing
                ) AS differing
                WHERE ({", ".join(MEASURES)}) <> (0, 0, 0, 0, 0)
                """
            )
        ).all()
    return differing


def assert_equal(
    connection: Connection,
    spans: Sequence[Span] = (ALL_TIME,),
    workspaces: Sequence[str] | None = None,
) -> None:
    """Find the same sums with the rollup and without it, in the snapshot of ``connection``."""
    if workspaces is None:
        workspaces = connection.execute(text("SELECT id FROM workspace")).scalars().all()
    found = answers(connection, spans, workspaces, rollup=True)
    assert found == answers(connection, spans, workspaces, rollup=False)
    assert differences(connection) == []
    [everything] = answers(connection, [ALL_TIME], workspaces, rollup=False)
    by_model = text(
        "SELECT coalesce(sum(cost), 0) FROM (SELECT workspace_id, cost FROM usage.by_model "
        f"UNION ALL SELECT workspace_id, cost FROM ({pending_cells(connection)}) AS cell) AS part "
        "WHERE workspace_id = ANY(:workspaces)"
    )
    parts = connection.execute(by_model, {"workspaces": list(workspaces)}).scalar_one()
    assert parts == everything["cost"]


def assert_agrees(platform: Platform, spans: Sequence[Span] = (ALL_TIME,)) -> None:
    """Find the rollup trusted, and equal to the executions."""
    with platform.reader.connect() as connection:
        assert is_whole(connection)
        assert_equal(connection, spans)
        assert_equal(connection, DAYS)

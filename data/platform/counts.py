"""How many executions pass the filters, and whether there are any: read one by one."""

from sqlalchemy import ColumnElement, func, literal

from data.platform.connection import row_within
from data.platform.selection import Selection, newer_than, older_than
from data.platform.snapshot import Snapshot
from data.rules.position import Position


def count_selected(snapshot: Snapshot, selection: Selection) -> int:
    """Count the executions of a selection, however long that takes."""
    counted: int = snapshot.connection.execute(selection.select(func.count())).scalar_one()
    return counted


def count_within(
    snapshot: Snapshot, selection: Selection, first: Position | None, seconds: int
) -> tuple[int, int] | None:
    """Count them all, and those that come before ``first`` on the page; None where it takes longer.

    Without a ``first`` none come before it.
    """
    counting = func.count()
    newer = counting.filter(newer_than(selection.executions, first)) if first else literal(0)
    question = selection.select(counting.label("total"), newer.label("newer"))
    row = row_within(snapshot.connection, seconds, question)
    return row and (row.total, row.newer)


def has_newer(snapshot: Snapshot, selection: Selection, position: Position | None) -> bool:
    """Tell whether any comes before ``position`` on the page; none does before None."""
    return position is not None and _exists(
        snapshot, selection, newer_than(selection.executions, position)
    )


def has_older(snapshot: Snapshot, selection: Selection, position: Position | None) -> bool:
    """Tell whether any comes after ``position`` on the page; none does after None."""
    return position is not None and _exists(
        snapshot, selection, older_than(selection.executions, position)
    )


def _exists(snapshot: Snapshot, selection: Selection, beyond: ColumnElement[bool]) -> bool:
    found = snapshot.connection.execute(selection.select(literal(1)).where(beyond).limit(1))
    return found.one_or_none() is not None

"""One execution: what is read of it beyond its row."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import case, select, true

from data.platform.rows import read_executions, select_executions, whole
from data.platform.selection import Selection, between
from data.platform.snapshot import Snapshot
from data.rules.calendar import EVER
from data.rules.execution import Charge, Execution

_MILLISECOND: Final = timedelta(milliseconds=1)


def execution_named(snapshot: Snapshot, workspace_id: str, row_id: str) -> Execution | None:
    """Read an execution of a workspace by its row's id; None where there is none."""
    selection = Selection(snapshot.executions, workspace_id, EVER)
    statement = select_executions(selection, sent_and_received=True)
    rows = snapshot.connection.execute(statement.where(snapshot.executions.id == row_id))
    return next(read_executions(rows), None)


def end_of(snapshot: Snapshot, row: Execution) -> tuple[datetime | None, int | None]:
    """Return when it ended, and the milliseconds that the platform wrote, else those till then."""
    executions = snapshot.executions
    # An end such as infinity is none.
    ended_at = case((between(executions.ended_at, EVER), executions.ended_at))
    ended, written = snapshot.connection.execute(
        select(ended_at, executions.duration_ms).where(executions.id == row.id)
    ).one()
    if written is None and ended is not None:
        written = (ended - row.started_at) // _MILLISECOND
    return ended, None if written is None or written < 0 else written


def charges_of(snapshot: Snapshot, row: Execution) -> list[Charge]:
    """Return what is known of each model that it used, dearest first."""
    executions = snapshot.executions
    of_model = executions.charges.c
    found = snapshot.connection.execute(
        select(
            *(of_model.model, of_model.cost, of_model.tools),
            *(of_model.tokens, of_model.sent, of_model.received),
        )
        .select_from(executions.rows.join(executions.charges, true()))
        .where(executions.id == row.id)
        .order_by(of_model.place)
    )
    return [
        Charge(model, cost, tools, whole(tokens), whole(sent), whole(received))
        for model, cost, tools, tokens, sent, received in found
    ]

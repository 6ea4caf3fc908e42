"""Sums over spans of time: what an account's executions cost, and how many there were."""

from collections.abc import Sequence

import pandas as pd
from sqlalchemy import Connection, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from data.cost import total
from data.money import ZERO
from data.periods import Span
from data.schema import UtcTimestamp, execution


def totals_by_span(
    connection: Connection, workspace_ids: Sequence[str], spans: Sequence[Span]
) -> pd.DataFrame:
    """Sum the executions of some workspaces in each of ``spans``.

    Returns a row per span, in their order, with ``cost`` (Decimal dollars, unknown costs as 0) and
    ``executions`` (int); dtype ``object``.
    """
    span = (
        func.unnest(
            bindparam("starts", [s.start for s in spans], type_=ARRAY(UtcTimestamp)),
            bindparam("ends", [s.end for s in spans], type_=ARRAY(UtcTimestamp)),
        )
        .table_valued("started", "ended", with_ordinality="place", name="span")
        .render_derived()
    )
    within = (
        select(
            func.coalesce(func.sum(total), ZERO).label("cost"),
            func.count().label("executions"),
        )
        .where(
            execution.c.workspace_id == func.any(list(workspace_ids)),
            execution.c.started_at >= span.c.started,
            execution.c.started_at < span.c.ended,
        )
        .lateral("within")
    )
    rows = connection.execute(
        select(within.c.cost, within.c.executions)
        .select_from(span.join(within, true()))
        .order_by(span.c.place)
    )
    return pd.DataFrame(rows.all(), columns=["cost", "executions"], dtype=object)

"""The platform's executions as relations, the same whatever revision stands behind them.

Everybody else asks these columns; which of the platform's own they are read out of, and how, is
told here. What a column is, is an expression: PostgreSQL sees no subquery, and plans as if each
question had been written for the revision.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Numeric,
    Subquery,
    Table,
    Text,
    any_,
    column,
    literal,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from data.platform import cost_sql
from data.platform.cost_columns import CostColumns


@dataclass(frozen=True, eq=False)
class Counted:
    """What of executions is added up; ``rows`` is what to select from.

    ``cost`` is in dollars, NULL where unknown, as are ``tokens``. ``shares`` joins rows of ``name``
    and ``amount``: the dollars that each model accounts for, and by the empty name the rest up to
    the cost; there are none where that is unknown.
    """

    rows: FromClause
    workspace_id: ColumnElement[str]
    workflow_id: ColumnElement[str | None]
    started_at: ColumnElement[datetime]
    status: ColumnElement[str]
    cost: ColumnElement[Decimal | None]
    tokens: ColumnElement[Decimal | None]
    shares: FromClause


@dataclass(frozen=True, eq=False)
class Executions(Counted):
    """The platform's executions.

    ``place`` is the id as ledger order compares it. ``tokens_complete`` says that no more of them
    are known to have been used. ``models`` are names, dearest first; ``sent`` and ``received`` are
    tokens. ``charges`` joins rows of what is known of each model, whatever its name: ``place``
    (dearest first, the empty name last), ``model``, ``cost`` and ``tools`` (dollars), ``tokens``,
    ``sent``, ``received``. ``workflows`` has ``id``, ``workspace_id`` and ``name``. ``models_cut``
    gives ``models``, each cut to so many characters; ``uses_any`` the condition that one of them is
    among some names, without reading their costs.
    """

    id: ColumnElement[str]
    place: ColumnElement[str]
    execution_id: ColumnElement[str]
    ended_at: ColumnElement[datetime | None]
    duration_ms: ColumnElement[int | None]
    trigger: ColumnElement[str]
    tokens_complete: ColumnElement[bool]
    models: ColumnElement[list[str]]
    sent: ColumnElement[Decimal | None]
    received: ColumnElement[Decimal | None]
    charges: FromClause
    workflows: FromClause
    models_cut: Callable[[int], ColumnElement[list[str]]]
    uses_any: Callable[[Sequence[str]], ColumnElement[bool]]


def counted_of(rows: Table | Subquery, costs: CostColumns) -> Counted:
    """Return what is added up of ``rows``, whose costs are read as ``costs``.

    The rows are the platform's executions or have what is copied of them, by the same names.
    """
    total = costs.total()
    return Counted(
        rows=rows,
        workspace_id=rows.c.workspace_id,
        workflow_id=rows.c.workflow_id,
        started_at=rows.c.started_at,
        status=rows.c.status,
        cost=literal_column(total, Numeric()),
        tokens=literal_column(costs.tokens(), Numeric()),
        shares=join_of_shares(cost_sql.shares_of(total, costs.of_models()), rows.name),
    )


def join_of_charges(lines: str) -> FromClause:
    """Return the SQL of ``Executions.charges`` as what joins them."""
    return (
        text(lines)
        .columns(
            column("place", Integer),
            column("model", Text),
            *(column(name, Numeric()) for name in ("cost", "tools", "tokens", "sent", "received")),
        )
        .lateral("line")
    )


def join_of_shares(shares: str, table: str) -> FromClause:
    """Return the SQL of ``Counted.shares`` as what joins them to a table of this name."""
    rows = text(shares).columns(column("name", Text), column("amount", Numeric))
    return rows.lateral(f"shares_of_{table}")


def any_of(words: Sequence[str]) -> ColumnElement[Any]:
    """Return ``ANY`` of some texts, as one parameter however many there are."""
    return any_(literal(list(words), ARRAY(Text)))

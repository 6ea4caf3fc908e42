"""The platform's executions as relations, the same whatever revision stands behind them.

Everybody else asks these columns; which of the platform's own they are read out of, and how, is
told here. What a column is, is an expression: PostgreSQL sees no subquery, and plans as if each
question had been written for the revision.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    FromClause,
    Integer,
    Numeric,
    Table,
    Text,
    any_,
    bindparam,
    case,
    column,
    false,
    func,
    literal,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from data.platform import cost_json, schema
from data.platform.cost_columns import CostColumns
from data.platform.readiness import cannot_read
from data.platform.revision import Revision
from data.platform.types import UtcTimestamp

# The table of executions, and what of it is copied by whoever keeps sums: see counted_in.
TABLE: Final = schema.execution.name
COPIED: Final[dict[str, Any]] = {
    "workspace_id": Text,
    "started_at": UtcTimestamp,
    "workflow_id": Text,
    "status": Text,
    "cost": JSONB,
}


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

    ``place`` is the id as ledger order compares it. ``models`` are names, dearest first; ``sent``
    and ``received`` are tokens. ``charges`` joins rows of what is known of each model, whatever its
    name: ``place`` (dearest first), ``model``, ``cost`` and ``tools`` (dollars), ``tokens``,
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
    models: ColumnElement[list[str]]
    sent: ColumnElement[Decimal | None]
    received: ColumnElement[Decimal | None]
    charges: FromClause
    workflows: FromClause
    models_cut: Callable[[int], ColumnElement[list[str]]]
    uses_any: Callable[[Sequence[str]], ColumnElement[bool]]


@cache
def executions_of(revision: Revision) -> Executions:
    """Return the executions of a platform of this revision.

    Raises UnavailableError where it keeps costs nowhere.
    """
    return _in_json() if revision.costs_in_json_alone else _in_columns(revision)


def _in_json() -> Executions:
    """Return the executions of the first generation: all that is known of costs is in the JSONB."""
    return Executions(
        **_counted(schema.execution),
        **_told(),
        models=literal_column(cost_json.models_of(_COST)),
        sent=literal_column(cost_json.sent_of(_COST), Numeric()),
        received=literal_column(cost_json.received_of(_COST), Numeric()),
        charges=_charges(cost_json.lines_of(_COST)),
        models_cut=_models_cut,
        uses_any=_uses_any,
    )


def _in_columns(revision: Revision) -> Executions:
    """Return the executions of the second generation, whose JSONB may be there still."""
    table = schema.execution
    if not (revision.cost_json or revision.cost_total):
        raise cannot_read(table.c.cost.name, table.name, "is not there")
    costs = CostColumns(
        table.name,
        json=revision.cost_json,
        total=revision.cost_total,
        models_used=revision.models_used,
        usage_log=revision.usage_log,
    )

    def uses_any(names: Sequence[str]) -> ColumnElement[bool]:
        elsewhere = text(costs.used_sql(":names_of_models")).bindparams(
            bindparam("names_of_models", list(names), type_=ARRAY(Text))
        )
        if not costs.json:
            return cast(ColumnElement[bool], elsewhere)
        has_json = literal_column(costs.has_json, Boolean)
        return case((has_json, _uses_any(names)), else_=elsewhere)

    return Executions(
        rows=table,
        workspace_id=table.c.workspace_id,
        workflow_id=table.c.workflow_id,
        started_at=table.c.started_at,
        status=table.c.status,
        cost=literal_column(costs.total_sql(), Numeric()),
        tokens=literal_column(costs.tokens_sql(), Numeric()),
        shares=_shares(costs.shares_sql(), table.name),
        **_told(),
        models=literal_column(costs.models_sql()),
        sent=literal_column(costs.sent_sql(), Numeric()),
        received=literal_column(costs.received_sql(), Numeric()),
        charges=_charges(costs.lines_sql()),
        models_cut=cache(lambda most: literal_column(costs.models_sql(most))),
        uses_any=uses_any,
    )


def _told() -> dict[str, Any]:
    """Return what every generation keeps in the same columns."""
    table = schema.execution
    return {
        "id": table.c.id,
        "place": table.c.id.collate("C"),
        "execution_id": table.c.execution_id,
        "ended_at": table.c.ended_at,
        "duration_ms": table.c.total_duration_ms,
        "trigger": table.c.trigger,
        "workflows": schema.workflow,
    }


def _charges(lines: str) -> FromClause:
    return (
        text(lines)
        .columns(
            column("place", Integer),
            column("model", Text),
            *(column(name, Numeric()) for name in ("cost", "tools", "tokens", "sent", "received")),
        )
        .lateral("line")
    )


def _shares(shares: str, table: str) -> FromClause:
    rows = text(shares).columns(column("name", Text), column("amount", Numeric))
    return rows.lateral(f"shares_of_{table}")


def copied_columns() -> list[Column[Any]]:
    """Return new columns for a table that holds copies of what is added up."""
    return [Column(name, type_) for name, type_ in COPIED.items()]


def counted_in(table: Table) -> Counted:
    """Return what is added up of executions, read from a table that has ``copied_columns``."""
    return Counted(**_counted(table))


class CopySql(NamedTuple):
    """SQL text of what a copy says of its cost.

    ``total`` (dollars) and ``tokens`` are expressions; ``parts`` selects ``model`` and ``part``,
    its dollars.
    """

    total: str
    tokens: str
    parts: str


def sql_of_copy(cost: str) -> CopySql:
    """Return how a copied ``cost``, which goes by this name, is read where SQL is text."""
    return CopySql(cost_json.total_of(cost), cost_json.tokens_of(cost), cost_json.parts_of(cost))


def any_of(words: Sequence[str]) -> ColumnElement[Any]:
    """Return ``ANY`` of some texts, as one parameter however many there are."""
    return any_(literal(list(words), ARRAY(Text)))


_COST: Final = str(schema.execution.c.cost)


@cache
def _models_cut(most: int) -> ColumnElement[list[str]]:
    return literal_column(cost_json.models_of(_COST, most))


def _counted(table: Table) -> dict[str, Any]:
    cost = str(table.c.cost)
    return {
        "rows": table,
        "workspace_id": table.c.workspace_id,
        "workflow_id": table.c.workflow_id,
        "started_at": table.c.started_at,
        "status": table.c.status,
        "cost": literal_column(cost_json.total_of(cost), Numeric()),
        "tokens": literal_column(cost_json.tokens_of(cost), Numeric()),
        "shares": _shares(cost_json.shares_of(cost), table.name),
    }


def _uses_any(names: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that one of the names stands among the models of ``cost``.

    Nested, because conditions joined by AND may be tried in any order, and the second one raises
    where the first does not hold.
    """
    used: ColumnElement[Any] = literal_column(f"({_COST} -> 'models')")
    only = literal_column(f"({_COST} ->> 'model')", Text)
    alone = case(
        (literal_column(f"jsonb_typeof({_COST} -> 'model')") == "string", only == any_of(names)),
        else_=false(),
    )
    return case(
        (
            func.jsonb_typeof(used) == "object",
            case(
                (
                    literal_column(f"({_COST} -> 'models') - ''") == literal_column("'{}'::jsonb"),
                    alone,
                ),
                else_=func.jsonb_exists_any(used, literal(list(names), ARRAY(Text)), type_=Boolean),
            ),
        ),
        else_=alone,
    )

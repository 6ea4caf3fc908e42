"""How the executions of each generation of the platform are read."""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any, Final, cast

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Numeric,
    Text,
    bindparam,
    case,
    false,
    func,
    literal,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from data.platform import cost_sql, schema
from data.platform.cost_columns import CostColumns
from data.platform.executions import Executions, any_of, counted_of, join_of_charges
from data.platform.readiness import demand_costs
from data.platform.revision import Revision

_COST: Final = str(schema.execution.c.cost)


@cache
def executions_of(revision: Revision) -> Executions:
    """Return the executions of a platform of this revision.

    Raises UnavailableError where it keeps costs nowhere.
    """
    table = schema.execution
    demand_costs(revision)
    costs = CostColumns(table.name, revision)
    return Executions(
        **vars(counted_of(table, costs)),
        id=table.c.id,
        place=table.c.id.collate("C"),
        execution_id=table.c.execution_id,
        ended_at=table.c.ended_at,
        duration_ms=table.c.total_duration_ms,
        trigger=table.c.trigger,
        workflows=schema.workflow,
        tokens_complete=literal_column(costs.tokens_complete(), Boolean()),
        models=literal_column(costs.models()),
        sent=literal_column(costs.sent(), Numeric()),
        received=literal_column(costs.received(), Numeric()),
        charges=join_of_charges(cost_sql.lines_of(costs.of_models())),
        models_cut=cache(lambda most: literal_column(costs.models(most))),
        uses_any=_uses_any if revision.costs_in_json_alone else partial(_uses_any_of, costs),
    )


def _uses_any_of(costs: CostColumns, names: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that one of the names is that of a model, wherever that is told."""
    elsewhere = text(costs.used(":names_of_models")).bindparams(
        bindparam("names_of_models", list(names), type_=ARRAY(Text))
    )
    if not costs.revision.cost_json:
        return cast(ColumnElement[bool], elsewhere)
    return case((literal_column(costs.has_json, Boolean), _uses_any(names)), else_=elsewhere)


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

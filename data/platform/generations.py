"""How the executions of each generation of the platform are read."""

from collections.abc import Sequence
from functools import cache
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
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from data.platform import cost_json, cost_sql, schema
from data.platform.copies import counted_in
from data.platform.cost_columns import CostColumns
from data.platform.executions import Executions, any_of, join_of_charges, join_of_shares
from data.platform.readiness import cannot_read
from data.platform.revision import Revision

_COST: Final = str(schema.execution.c.cost)


@cache
def executions_of(revision: Revision) -> Executions:
    """Return the executions of a platform of this revision.

    Raises UnavailableError where it keeps costs nowhere.
    """
    return _in_json() if revision.costs_in_json_alone else _in_columns(revision)


def _in_json() -> Executions:
    """Return the executions of the first generation: all that is known of costs is in the JSONB."""
    return Executions(
        **_in_every_generation(),
        tokens_complete=true(),
        models=literal_column(cost_json.models_of(_COST)),
        sent=literal_column(cost_json.sent_of(_COST), Numeric()),
        received=literal_column(cost_json.received_of(_COST), Numeric()),
        charges=join_of_charges(cost_sql.lines_of(cost_json.models_in(_COST))),
        models_cut=_models_cut,
        uses_any=_uses_any,
    )


def _in_columns(revision: Revision) -> Executions:
    """Return the executions of the second generation, whose JSONB may be there still."""
    table = schema.execution
    if not (revision.cost_json or revision.cost_total):
        raise cannot_read(table.c.cost.name, table.name, "is not there")
    costs = CostColumns(table.name, revision)

    def uses_any(names: Sequence[str]) -> ColumnElement[bool]:
        elsewhere = text(costs.used(":names_of_models")).bindparams(
            bindparam("names_of_models", list(names), type_=ARRAY(Text))
        )
        if not revision.cost_json:
            return cast(ColumnElement[bool], elsewhere)
        has_json = literal_column(costs.has_json, Boolean)
        return case((has_json, _uses_any(names)), else_=elsewhere)

    in_columns = {
        "cost": literal_column(costs.total(), Numeric()),
        "tokens": literal_column(costs.tokens(), Numeric()),
        "shares": join_of_shares(cost_sql.shares_of(costs.total(), costs.of_models()), table.name),
    }
    return Executions(
        **(_in_every_generation() | in_columns),
        tokens_complete=literal_column(costs.tokens_complete(), Boolean()),
        models=literal_column(costs.models()),
        sent=literal_column(costs.sent(), Numeric()),
        received=literal_column(costs.received(), Numeric()),
        charges=join_of_charges(cost_sql.lines_of(costs.of_models())),
        models_cut=cache(lambda most: literal_column(costs.models(most))),
        uses_any=uses_any,
    )


def _in_every_generation() -> dict[str, Any]:
    """Return what every generation keeps in the same columns, and sums as the first one's."""
    table = schema.execution
    return vars(counted_in(table)) | {
        "id": table.c.id,
        "place": table.c.id.collate("C"),
        "execution_id": table.c.execution_id,
        "ended_at": table.c.ended_at,
        "duration_ms": table.c.total_duration_ms,
        "trigger": table.c.trigger,
        "workflows": schema.workflow,
    }


@cache
def _models_cut(most: int) -> ColumnElement[list[str]]:
    return literal_column(cost_json.models_of(_COST, most))


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

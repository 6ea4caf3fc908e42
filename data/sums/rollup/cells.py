"""What executions add to the sums: cells by workspace, minute, workflow and model."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Numeric, Text, literal_column, make_url

from data.platform.copies import EXECUTIONS, copied_of
from data.platform.revision import Revision
from data.platform.states import CostSql, sql_of_rows, sql_of_states
from data.sums.measures import MEASURES, added

# The days that a window can touch; a start beyond them is no day that anybody can ask for.
FIRST_INSTANT: Final = "1969-12-31"
END_OF_TIME: Final = "9999-01-03"

_NOT_ZERO: Final = " OR ".join(f"sum(sign * cell.{measure}) <> 0" for measure in MEASURES)
_SUMS: Final = ", ".join(f"sum(sign * cell.{measure}) AS {measure}" for measure in MEASURES)
_NOTHING: Final = ", ".join("0" for measure in MEASURES if measure != "cost")


def cells_of_executions(revision: Revision, within: str) -> str:
    """Return the SQL of the cells of all executions for which the condition ``within`` holds."""
    columns = ", ".join(copied_of(revision)[0].columns)
    rows = f"SELECT 1 AS sign, {columns} FROM {EXECUTIONS} WHERE {within}"
    return _cells_of(rows, sql_of_rows(revision, "execution"))


def cells_of_states(revision: Revision, states: str) -> str:
    """Return the SQL of the cells of ``states``, which have a ``sign``."""
    return _cells_of(states, sql_of_states(revision, "execution"))


def _cells_of(rows: str, costs: CostSql) -> str:
    """Return the SQL that adds up ``rows``.

    Everything of an execution is in the cell of the empty model, except the dollars that a model
    accounts for. Cells of nothing but zeros are left out.
    """
    adds = added(
        literal_column("total", Numeric),
        literal_column(costs.tokens, Numeric),
        literal_column("status", Text),
    )
    counts = ", ".join(
        f"{_text(adds[measure])} AS {measure}" for measure in MEASURES if measure != "cost"
    )
    return f"""
        SELECT workspace_id, minute, by_workflow AS workflow_id, model, {_SUMS}
        FROM (
            SELECT *, date_trunc('minute', started_at) AS minute,
                coalesce(workflow_id, '') AS by_workflow
            FROM ({rows}) AS changed
            WHERE started_at >= '{FIRST_INSTANT}' AND started_at < '{END_OF_TIME}'
        ) AS execution
        CROSS JOIN LATERAL (
            SELECT {costs.total} AS total
            OFFSET 0 -- or the total would be read anew wherever it is named
        ) AS known
        CROSS JOIN LATERAL (
            SELECT '' AS model, {counts}, 0 AS cost
            UNION ALL SELECT name, {_NOTHING}, amount FROM ({costs.shares}) AS share
        ) AS cell
        GROUP BY workspace_id, minute, by_workflow, model
        HAVING {_NOT_ZERO}
    """


def _text(expression: ColumnElement[Any]) -> str:
    dialect = make_url("postgresql+psycopg://").get_dialect()()
    return str(expression.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))

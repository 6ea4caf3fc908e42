"""Executions as they were before some changes and as they are after them, as SQL.

What an execution adds to a sum is not the sum of what its lines add: of its tokens the greatest
counts, of its models as much as its cost covers. So its change is the state before, with a minus,
and the state after, and each is read as a whole.
"""

from dataclasses import replace
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Numeric, Table, column, text

from data.platform import cost_sql
from data.platform.copies import EXECUTIONS, LINES, copied_columns, copied_of
from data.platform.cost_columns import COUNTED_LINES, CostColumns
from data.platform.executions import Counted, counted_of
from data.platform.revision import Revision

_AMOUNTS: Final = ("cost", "cost_total")
_LINE: Final = "execution_id, description, cost, metadata"


def last_of(revision: Revision, changes: str) -> str:
    """Return the SQL of what is left of ``changes`` of an execution: the first and the last state.

    Rows of ``sign`` and what is copied, as are those of ``changes``. For revisions without lines.
    """
    columns = ", ".join(copied_of(revision)[0].columns)
    return f"""
        SELECT sum(sign) AS sign, {columns} FROM {changes}
        GROUP BY {_alike(revision)} HAVING sum(sign) <> 0
    """


def states_of(revision: Revision, chosen: str, changes: str, changed_lines: str) -> str:
    """Return the SQL of the states of executions, for revisions with lines.

    ``chosen`` is a relation of their ``execution_id``; ``changes`` and ``changed_lines`` are all
    the changes there are to them, with ``sign``. Rows of ``sign`` (-1 before, 1 after), what is
    copied of executions, and ``lines``, JSONB.
    """
    copied = copied_of(revision)[0].columns
    columns = ", ".join(copied)
    # Before is what is there, without what was added and with what was removed. Lines may be equal,
    # so they are counted.
    return f"""
        WITH row_there AS MATERIALIZED (
            SELECT {columns} FROM {EXECUTIONS} WHERE execution_id IN (SELECT * FROM {chosen})
        ),
        row_state AS (
            SELECT 1 AS sign, {columns} FROM row_there
            UNION ALL
            SELECT -sum(times), {columns}
            FROM (
                SELECT 1 AS times, {columns} FROM row_there
                UNION ALL SELECT -sign, {columns} FROM {changes}
            ) AS known
            GROUP BY {_alike(revision)} HAVING sum(times) > 0
        ),
        line_there AS MATERIALIZED (
            SELECT {_LINE} FROM {LINES}
            WHERE execution_id IN (SELECT * FROM {chosen}) AND {COUNTED_LINES}
        ),
        line_before AS (
            SELECT {_LINE}, sum(times) AS times
            FROM (
                SELECT 1 AS times, {_LINE} FROM line_there
                UNION ALL SELECT -sign, {_LINE} FROM {changed_lines}
            ) AS known
            GROUP BY {_LINE}, cost::text, metadata::text HAVING sum(times) > 0
        ),
        line_state AS (
            SELECT 1 AS side, {_LINE} FROM line_there
            UNION ALL SELECT -1, {_LINE} FROM line_before, generate_series(1, times)
        ),
        of_execution AS (
            SELECT side, execution_id, jsonb_agg(jsonb_build_object(
                'description', description, 'cost', cost, 'metadata', metadata)) AS lines
            FROM line_state GROUP BY side, execution_id
        )
        SELECT sign, {", ".join(f"row_state.{name}" for name in copied)}, lines
        FROM row_state LEFT JOIN of_execution
            ON of_execution.execution_id = row_state.execution_id AND side = sign(sign)
    """


def _alike(revision: Revision) -> str:
    """Return what to group copies by; 1 and 1.0 are equal to JSONB, but not always to readers."""
    columns = copied_of(revision)[0].columns
    return ", ".join([*columns, *(f"{name}::text" for name in columns if name in _AMOUNTS)])


class CostSql(NamedTuple):
    """SQL text of what an execution costs.

    ``total`` (dollars) and ``tokens`` are expressions; ``shares`` selects ``name`` and ``amount``
    as ``Counted.shares``, of a total that goes by the name ``total``.
    """

    total: str
    tokens: str
    shares: str


def sql_of_rows(revision: Revision, name: str) -> CostSql:
    """Return how executions are read, which go by this name where SQL is text."""
    return _sql_of(CostColumns(name, revision))


def sql_of_states(revision: Revision, name: str) -> CostSql:
    """Return how states are read, which go by this name where SQL is text."""
    return _sql_of(_costs_of_states(revision, name))


def _sql_of(costs: CostColumns) -> CostSql:
    return CostSql(costs.total(), costs.tokens(), cost_sql.shares_of("total", costs.of_models()))


def _costs_of_states(revision: Revision, name: str) -> CostColumns:
    lines = f"""
        SELECT description, cost, metadata FROM jsonb_to_recordset({name}.lines)
            AS line (description text, cost numeric, metadata jsonb)
    """
    return CostColumns(name, revision, lines)


def counted_in_changes(revision: Revision, changes: Table) -> Counted:
    """Return what is added up of a table of changes, all but their tokens and shares of models.

    Those too where the revision has no lines.
    """
    return counted_of(changes, CostColumns(str(changes), replace(revision, usage_log=False)))


def counted_in_states(revision: Revision, states: str) -> tuple[Counted, ColumnElement[int]]:
    """Return what is added up of states, and their sign."""
    copied = copied_columns(EXECUTIONS)
    rows = (
        text(states)
        .columns(column("sign", Numeric), *(column(each.name, each.type) for each in copied))
        .subquery("state")
    )
    return counted_of(rows, _costs_of_states(revision, rows.name)), rows.c.sign

"""Writes the costs of executions as the platform's second generation does: columns and lines.

What is written is told by the JSONB of the first generation, whose shapes both then have in common.
"""

from typing import Final

from sqlalchemy import Connection, text

from demo.costs import BASE_CHARGE

# Smaller differences are those of sums of binary doubles, which the platform charges nobody for.
_LEAST: Final = "0.000000001"


def _number(word: str) -> str:
    """Return a text as ``numeric``, NULL where it is no decimal number."""
    return f"CASE WHEN {word} ~ '^-?[0-9]+([.][0-9]+)?$' THEN ({word})::numeric END"


_TOTAL: Final = _number("coalesce(cost ->> 'total', cost -> 'value' ->> 'total')")
_NONE: Final = "jsonb_build_object()"
_MODELS: Final = f"""(
    CASE jsonb_typeof(cost -> 'models') WHEN 'object' THEN cost -> 'models' ELSE {_NONE} END
)"""

_LINES: Final = f"""
    WITH run AS (
        SELECT execution_id, {_TOTAL} AS total, {_MODELS} AS models
        FROM workflow_execution_logs WHERE {{which}}
    ),
    of_model AS (
        SELECT execution_id, name, {_number("part ->> 'total'")} AS cost,
            part -> 'tokens' AS tokens, part -> 'toolCost' AS tools
        FROM run CROSS JOIN jsonb_each(models) AS used (name, part)
    ),
    of_rest AS (
        SELECT execution_id, total - coalesce(sum(cost) FILTER (WHERE cost > 0), 0) AS rest
        FROM run LEFT JOIN of_model USING (execution_id)
        WHERE total < 1000000000000
        GROUP BY execution_id, total
    ),
    line (execution_id, category, description, cost, metadata) AS (
        SELECT execution_id, 'model', name, cost, jsonb_strip_nulls(jsonb_build_object(
            'inputTokens', coalesce(tokens -> 'input', tokens -> 'prompt', tokens -> 'total'),
            'outputTokens', coalesce(tokens -> 'output', tokens -> 'completion'),
            'toolCost', tools
        ))
        FROM of_model WHERE cost > 0
        UNION ALL
        SELECT execution_id, 'fixed', 'execution_fee', least(rest, {BASE_CHARGE}), NULL
        FROM of_rest WHERE rest > {_LEAST}
        UNION ALL
        SELECT execution_id, 'tool', 'exa_search', rest - {BASE_CHARGE}, NULL
        FROM of_rest WHERE rest - {BASE_CHARGE} > {_LEAST}
    )
    INSERT INTO usage_log (
        id, user_id, category, source, description, metadata, cost, workspace_id, workflow_id,
        execution_id, created_at
    )
    SELECT md5(concat_ws(' ', execution_id, category, description))::uuid,
        billed_account_user_id, category::usage_log_category, 'workflow', description, metadata,
        line.cost, workspace_id, workflow_id, execution_id, coalesce(ended_at, started_at)
    FROM line
    JOIN workflow_execution_logs USING (execution_id)
    JOIN workspace ON workspace.id = workspace_id
"""
_COLUMNS: Final = f"""
    UPDATE workflow_execution_logs SET
        cost_total = {_TOTAL},
        models_used = CASE
            WHEN {_MODELS} - '' <> {_NONE} THEN ARRAY(SELECT jsonb_object_keys({_MODELS} - ''))
            WHEN cost ->> 'model' <> '' THEN ARRAY[cost ->> 'model']
        END,
        cost = {{json}}
    WHERE {{which}}
"""


def write_columns(
    connection: Connection, which: str = "cost IS NOT NULL", *, keep_json: bool = False
) -> None:
    """Write what the JSONB of executions tells to their columns and to ``usage_log``.

    ``which`` is a condition on ``workflow_execution_logs``. A model that cost nothing is named in
    ``models_used`` alone, and tokens are recorded of those with a line: nothing else has a place.
    """
    for statement in (_LINES, _COLUMNS):
        json = "cost" if keep_json else "NULL"
        connection.execute(text(statement.format(which=which, json=json)))

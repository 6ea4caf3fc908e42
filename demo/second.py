"""The demo's executions as the platform's second generation has them, upgraded in mid-month.

Before the upgrade the JSONB is kept, beside the columns that a migration filled from it; since then
costs are in columns and ``usage_log`` alone. In the week before, old and new versions of the
platform wrote side by side. What goes wrong now and then is here as often as there, or oftener.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from demo.columns import write_columns

_BOTH_VERSIONS: Final = timedelta(days=7)


def _one_in(count: int, of: str, what: str) -> str:
    """Return a condition that one in ``count`` values of ``of`` meets; ``what`` picks which."""
    return f"('x' || left(md5('{what} ' || {of}), 7))::bit(28)::integer % {count} = 0"


# As the newer version names them; what is under way has no cost yet.
_STATES: Final = (
    """
    UPDATE workflow_execution_logs SET status = 'redacting' WHERE id IN (
        SELECT id FROM workflow_execution_logs WHERE status = 'running'
        ORDER BY started_at, id COLLATE "C" LIMIT 2
    )
    """,
    """
    UPDATE workflow_execution_logs SET cost = NULL
    WHERE status IN ('running', 'redacting') AND started_at >= :cutover
    """,
    """
    UPDATE workflow_execution_logs SET status = 'paused'
    WHERE status = 'pending' AND started_at >= :cutover
    """,
    f"""
    UPDATE workflow_execution_logs
    SET trigger = CASE trigger WHEN 'mcp' THEN 'custom_block' ELSE 'mothership' END
    WHERE trigger IN ('mcp', 'chat') AND {_one_in(4, "id", "trigger")} AND started_at >= :cutover
    """,
)

# The new table's identifiers come out of a hash, so that the same executions give the same lines.
_LINES: Final = (
    # Recorded at a pause and at the end: amounts add up, tokens are those until then.
    f"""
    INSERT INTO usage_log
        (id, user_id, category, source, description, metadata, cost, workspace_id, workflow_id,
         execution_id, created_at)
    SELECT md5('paused ' || id)::uuid, user_id, category, source, description,
        jsonb_build_object(
            'inputTokens', (metadata ->> 'inputTokens')::numeric::bigint / 2,
            'outputTokens', (metadata ->> 'outputTokens')::numeric::bigint / 3
        ),
        round(cost * 0.4, 8), workspace_id, workflow_id, execution_id,
        created_at - interval '20 seconds'
    FROM usage_log
    WHERE category = 'model' AND cost > 0.001 AND {_one_in(6, "execution_id", "paused")}
    """,
    """
    UPDATE usage_log SET cost = usage_log.cost - earlier.cost
    FROM usage_log AS earlier WHERE earlier.id = md5('paused ' || usage_log.id)::uuid::text
    """,
    # The assistant keeps its own record, without the execution whose cost it is part of.
    """
    UPDATE usage_log SET source = 'mothership_block', execution_id = NULL
    FROM workflow_execution_logs AS run
    WHERE usage_log.execution_id = run.execution_id
        AND run.trigger = 'mothership' AND category = 'model'
    """,
    # A model on the customer's own key: used, and not charged.
    f"""
    UPDATE workflow_execution_logs SET models_used = models_used || 'mistral-large'::text
    WHERE {_one_in(40, "id", "own key")} AND cost IS NULL AND models_used IS NOT NULL
    """,
    # The second of two transactions failed, or is still to come.
    f"""
    DELETE FROM usage_log USING workflow_execution_logs AS run
    WHERE usage_log.execution_id = run.execution_id AND run.cost IS NULL
        AND {_one_in(250, "run.id", "torn")}
    """,
    # Lines above the total, in some of many thousands.
    """
    UPDATE usage_log SET cost = cost * 2 WHERE id IN (
        SELECT id FROM usage_log
        WHERE category = 'model' AND execution_id IS NOT NULL AND created_at >= :cutover
        ORDER BY cost DESC, id COLLATE "C"
        LIMIT (SELECT 1 + count(*) / 5000 FROM workflow_execution_logs)
    )
    """,
    # Charges that no execution carries; enrichment names one that there is no log of.
    f"""
    INSERT INTO usage_log
        (id, user_id, category, source, description, metadata, cost, workspace_id, workflow_id,
         execution_id, created_at)
    SELECT md5('beside ' || run.id)::uuid, billed_account_user_id, 'model',
        charge.source::usage_log_source, charge.description, '{{"inputTokens": 900}}',
        round(length(coalesce(run.workflow_id, '')) * 0.000037 + 0.0004, 8), workspace_id,
        CASE WHEN charge.numbered THEN workflow_id END,
        CASE WHEN charge.numbered THEN md5('enrichment ' || run.id)::uuid END, started_at
    FROM workflow_execution_logs AS run
    JOIN workspace ON workspace.id = run.workspace_id
    JOIN (VALUES
        (0, 'workflow', 'gpt-4o-mini', false), (1, 'copilot', 'claude-sonnet-4-5', false),
        (2, 'knowledge-base', 'text-embedding-3-small', false), (3, 'wand', 'gpt-4o', false),
        (4, 'enrichment', 'gpt-4o-mini', true)
    ) AS charge (place, source, description, numbered)
        ON place = ('x' || left(md5('source ' || run.id), 7))::bit(28)::integer % 5
    WHERE {_one_in(25, "run.id", "beside")}
    """,
    # Before the upgrade nobody wrote down who pays. Without a subscription a period never ends.
    """
    UPDATE usage_log SET event_key = md5('event ' || usage_log.id), billing_entity_type = 'user',
        billing_entity_id = billed_account_user_id, billing_period_start = '1970-01-01',
        billing_period_end = '9999-12-31'
    FROM workspace WHERE workspace.id = workspace_id AND usage_log.created_at >= :cutover
    """,
)


def cutover_before(now: datetime) -> datetime:
    """Return when the platform was upgraded: on the 15th of the month before ``now``, naive UTC."""
    last_month = now.replace(day=1) - timedelta(days=1)
    return last_month.replace(day=15, hour=0, minute=0, second=0, microsecond=0)


def rewrite(connection: Connection, now: datetime) -> None:
    """Make of executions with JSONB, in an upgraded database, those of the second generation."""
    cutover = cutover_before(now)
    bounds = {"cutover": cutover}
    for statement in _STATES:
        connection.execute(text(statement), bounds)
    new = f"started_at >= timestamp '{cutover}'"
    old = f"started_at < timestamp '{cutover - _BOTH_VERSIONS}'"
    # Of those between, the third that neither names was written after the migration had passed.
    by_new, backfilled = (_one_in(3, "id", "version"), _one_in(2, "id", "backfill"))
    write_columns(connection, f"{new} OR NOT {old} AND {by_new}")
    write_columns(
        connection, f"{old} OR NOT {new} AND NOT {by_new} AND {backfilled}", keep_json=True
    )
    for statement in _LINES:
        connection.execute(text(statement), bounds)

"""What the platform's own migrations made of its database between April and August 2026.

Columns that are read, with the indexes on them, named and typed as there; ``usage_log``, of which
nothing was read before, is made whole.
"""

from typing import Final

from sqlalchemy import Connection, text

_STATEMENTS: Final = (
    "ALTER TABLE subscription ADD billing_interval text",
    """
    ALTER TABLE workspace
        ADD organization_id text REFERENCES organization ON DELETE SET NULL
    """,
    "CREATE INDEX workspace_organization_id_idx ON workspace (organization_id)",
    "CREATE INDEX workspace_owner_id_idx ON workspace (owner_id)",
    "ALTER TABLE api_key ADD key_hash text",
    "CREATE UNIQUE INDEX api_key_key_hash_idx ON api_key (key_hash)",
    "ALTER TABLE workflow_execution_logs ADD cost_total numeric, ADD models_used text[]",
    """
    CREATE INDEX workflow_execution_logs_workspace_started_at_id_desc_idx
        ON workflow_execution_logs (workspace_id, started_at DESC NULLS LAST, id DESC)
    """,
    """
    CREATE INDEX workflow_execution_logs_workspace_cost_total_idx
        ON workflow_execution_logs (workspace_id, cost_total)
    """,
    """
    CREATE INDEX workflow_execution_logs_models_used_idx
        ON workflow_execution_logs USING gin (models_used)
    """,
    "CREATE TYPE usage_log_category AS ENUM ('model', 'fixed', 'tool')",
    """
    CREATE TYPE usage_log_source AS ENUM (
        'workflow', 'wand', 'copilot', 'workspace-chat', 'mcp_copilot', 'mothership_block',
        'knowledge-base', 'voice-input', 'enrichment', 'voice-output'
    )
    """,
    "CREATE TYPE billing_entity_type AS ENUM ('user', 'organization')",
    """
    CREATE TABLE usage_log (
        id text PRIMARY KEY,
        user_id text NOT NULL REFERENCES "user" ON DELETE CASCADE,
        category usage_log_category NOT NULL,
        source usage_log_source NOT NULL,
        description text NOT NULL,
        metadata jsonb,
        cost numeric NOT NULL,
        workspace_id text REFERENCES workspace ON DELETE SET NULL,
        workflow_id text REFERENCES workflow ON DELETE SET NULL,
        execution_id text,
        created_at timestamp NOT NULL DEFAULT now(),
        event_key text,
        billing_entity_type billing_entity_type,
        billing_entity_id text,
        billing_period_start timestamp,
        billing_period_end timestamp,
        CONSTRAINT usage_log_billing_scope_all_or_none CHECK (
            num_nonnulls(
                billing_entity_type, billing_entity_id, billing_period_start, billing_period_end
            ) IN (0, 4) AND (billing_period_start < billing_period_end) IS NOT FALSE
        )
    )
    """,
    "CREATE INDEX usage_log_source_idx ON usage_log (source)",
    "CREATE INDEX usage_log_user_created_at_idx ON usage_log (user_id, created_at)",
    "CREATE INDEX usage_log_workflow_id_idx ON usage_log (workflow_id)",
    "CREATE INDEX usage_log_workspace_id_idx ON usage_log (workspace_id)",
    "CREATE INDEX usage_log_workspace_created_at_idx ON usage_log (workspace_id, created_at)",
    "CREATE INDEX usage_log_execution_id_idx ON usage_log (execution_id)",
    """
    CREATE UNIQUE INDEX usage_log_event_key_unique ON usage_log (event_key)
        WHERE event_key IS NOT NULL
    """,
    """
    CREATE INDEX usage_log_billing_entity_period_idx ON usage_log
        (billing_entity_type, billing_entity_id, billing_period_start, billing_period_end)
        WHERE billing_entity_type IS NOT NULL
    """,
    """
    CREATE INDEX usage_log_billing_period_cost_idx ON usage_log (
        billing_entity_type, billing_entity_id, billing_period_start, user_id, created_at,
        billing_period_end, source, cost
    ) WHERE billing_entity_type IS NOT NULL
    """,
    """
    CREATE INDEX usage_log_billing_entity_created_at_cost_idx ON usage_log
        (billing_entity_type, billing_entity_id, created_at, user_id, source, cost)
        WHERE billing_entity_type IS NOT NULL
    """,
)


def upgrade(connection: Connection) -> None:
    """Bring a database of the first generation, as ``schema`` has it, to the second."""
    for statement in _STATEMENTS:
        connection.execute(text(statement))

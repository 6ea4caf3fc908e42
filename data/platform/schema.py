"""The host platform's tables and columns that are read, as SQLAlchemy Core.

Types, constraints and indexes are the platform's own (revision of April 2026). Created only in the
bundled PostgreSQL and in tests; a platform's database is never written to.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM, JSON, JSONB

from data.platform.types import UtcTimestamp

metadata = MetaData()

_NOW = text("now()")

user = Table(
    "user",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False, unique=True),
    Column("email_verified", Boolean, nullable=False),
    Column("created_at", UtcTimestamp, nullable=False),
    Column("updated_at", UtcTimestamp, nullable=False),
    Column("banned", Boolean, server_default=text("false")),
    Column("ban_expires", UtcTimestamp),
)

session = Table(
    "session",
    metadata,
    Column("id", Text, primary_key=True),
    Column("expires_at", UtcTimestamp, nullable=False),
    Column("token", Text, nullable=False, unique=True),
    Column("created_at", UtcTimestamp, nullable=False),
    Column("updated_at", UtcTimestamp, nullable=False),
    Column("user_id", ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Index("session_user_id_idx", "user_id"),
)

user_stats = Table(
    "user_stats",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", ForeignKey("user.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("current_usage_limit", Numeric, server_default=text("'5'::numeric")),
    Column("credit_balance", Numeric, nullable=False, server_default=text("'0'::numeric")),
)

organization = Table(
    "organization",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("slug", Text, nullable=False),
    Column("created_at", UtcTimestamp, nullable=False, server_default=_NOW),
    Column("updated_at", UtcTimestamp, nullable=False, server_default=_NOW),
    Column("org_usage_limit", Numeric),
    Column("credit_balance", Numeric, nullable=False, server_default=text("'0'::numeric")),
)

member = Table(
    "member",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("organization_id", ForeignKey("organization.id", ondelete="CASCADE"), nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", UtcTimestamp, nullable=False, server_default=_NOW),
    Index("member_organization_id_idx", "organization_id"),
    Index("member_user_id_unique", "user_id", unique=True),
)

subscription = Table(
    "subscription",
    metadata,
    Column("id", Text, primary_key=True),
    Column("plan", Text, nullable=False),
    Column("reference_id", Text, nullable=False),
    Column("status", Text),
    Column("period_start", UtcTimestamp),
    Column("period_end", UtcTimestamp),
    Column("seats", Integer),
    Column("metadata", JSON),
    CheckConstraint("plan <> 'enterprise' OR metadata IS NOT NULL", "check_enterprise_metadata"),
    Index("subscription_reference_status_idx", "reference_id", "status"),
)

workspace = Table(
    "workspace",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("owner_id", ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcTimestamp, nullable=False, server_default=_NOW),
    Column("updated_at", UtcTimestamp, nullable=False, server_default=_NOW),
    Column("billed_account_user_id", ForeignKey("user.id"), nullable=False),
    Column("allow_personal_api_keys", Boolean, nullable=False, server_default=text("true")),
    Column("archived_at", UtcTimestamp),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("created_at", UtcTimestamp, nullable=False, server_default=_NOW),
    Column("updated_at", UtcTimestamp, nullable=False, server_default=_NOW),
    Column("expires_at", UtcTimestamp),
    Column("workspace_id", ForeignKey("workspace.id", ondelete="CASCADE")),
    Column("type", Text, nullable=False, server_default=text("'personal'::text")),
    CheckConstraint(
        "(type = 'workspace' AND workspace_id IS NOT NULL)"
        " OR (type = 'personal' AND workspace_id IS NULL)",
        name="workspace_type_check",
    ),
    Index("api_key_user_type_idx", "user_id", "type"),
    Index("api_key_workspace_type_idx", "workspace_id", "type"),
)

# Of later revisions of the platform; asked only where data/platform/revision.py finds them.
workspace_organization_id = literal_column("workspace.organization_id", Text)
subscription_billing_interval = literal_column("subscription.billing_interval", Text)
api_key_hash = literal_column("api_key.key_hash", Text)

permissions = Table(
    "permissions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("entity_type", Text, nullable=False),
    Column("entity_id", Text, nullable=False),
    Column(
        "permission_type",
        ENUM("admin", "write", "read", name="permission_type"),
        nullable=False,
    ),
    Column("created_at", UtcTimestamp, nullable=False, server_default=_NOW),
    Column("updated_at", UtcTimestamp, nullable=False, server_default=_NOW),
    Index("permissions_entity_idx", "entity_type", "entity_id"),
    Index("permissions_unique_constraint", "user_id", "entity_type", "entity_id", unique=True),
)

workflow = Table(
    "workflow",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("last_synced", UtcTimestamp, nullable=False),
    Column("created_at", UtcTimestamp, nullable=False),
    Column("updated_at", UtcTimestamp, nullable=False),
    Column("workspace_id", ForeignKey("workspace.id", ondelete="CASCADE")),
    Column("archived_at", UtcTimestamp),
    Index("workflow_workspace_id_idx", "workspace_id"),
)

execution = Table(
    "workflow_execution_logs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workflow_id", ForeignKey("workflow.id", ondelete="SET NULL")),
    Column("execution_id", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("started_at", UtcTimestamp, nullable=False),
    Column("ended_at", UtcTimestamp),
    Column("total_duration_ms", Integer),
    Column("execution_data", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("created_at", UtcTimestamp, nullable=False, server_default=_NOW),
    Column("cost", JSONB),
    Column("workspace_id", ForeignKey("workspace.id", ondelete="CASCADE"), nullable=False),
    Column("status", Text, nullable=False, server_default=text("'running'::text")),
    Index("workflow_execution_logs_execution_id_unique", "execution_id", unique=True),
    Index("workflow_execution_logs_started_at_idx", "started_at"),
    Index("workflow_execution_logs_workflow_id_idx", "workflow_id"),
    Index("workflow_execution_logs_workflow_started_at_idx", "workflow_id", "started_at"),
    Index("workflow_execution_logs_workspace_started_at_idx", "workspace_id", "started_at"),
)

"""Who is in the demo: people, what they may spend, their workspaces, and who may see them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Table, insert

from data.platform import schema
from demo.rhythm import first_day

VIEWER: Final = "user_demo"
_RESEARCH_PAYER: Final = "user_research"
_PARTNER: Final = "user_partner"
_FOUNDER: Final = "user_founder"  # owns what the viewer pays for, so that his grants alone count

SUPPORT: Final = "ws_support"
FINANCE: Final = "ws_finance"
RESEARCH: Final = "ws_research"
EMPTY: Final = "ws_empty"
PARTNERS: Final = "ws_partner"
PILOT: Final = "ws_pilot"

ARCHIVED_AGO: Final = timedelta(days=9)  # the pilot, and a workflow of support


def insert_accounts(connection: Connection, now: datetime, limit: Decimal) -> None:
    """Insert both accounts; the viewer's limit is ``limit`` dollars."""
    then = first_day(now).replace(tzinfo=UTC)
    closed = now.replace(tzinfo=UTC) - ARCHIVED_AGO
    viewer, ravi, paula, omar = VIEWER, _RESEARCH_PAYER, _PARTNER, _FOUNDER
    _insert(
        connection,
        schema.user,
        "id name email email_verified created_at updated_at",
        [
            (viewer, "Dana Weiss", "dana@example.com", True, then, then),
            (ravi, "Ravi Menon", "ravi@example.com", True, then, then),
            (paula, "Paula Ortiz", "paula@example.com", True, then, then),
            (omar, "Omar Haddad", "omar@example.com", True, then, then),
        ],
    )
    _insert(
        connection,
        schema.user_stats,
        "id user_id current_usage_limit",
        [("stats_demo", viewer, limit), ("stats_research", ravi, None)],
    )
    _insert(
        connection,
        schema.workspace,
        "id name owner_id billed_account_user_id archived_at created_at updated_at",
        [
            (SUPPORT, "Support automation", omar, viewer, None, then, then),
            (FINANCE, "Finance ops, EMEA", omar, viewer, None, then, then),
            (RESEARCH, "Research lab", ravi, ravi, None, then, then),
            (EMPTY, "Quiet corner", omar, viewer, None, then, then),
            (PARTNERS, "Partner catalogue", paula, viewer, None, then, then),
            (PILOT, "Pilot (closed)", omar, viewer, closed, then, then),
        ],
    )
    visible = {SUPPORT: "admin", FINANCE: "write", RESEARCH: "read", EMPTY: "admin"}
    _insert(
        connection,
        schema.permissions,
        "id user_id entity_type entity_id permission_type created_at updated_at",
        [
            (f"permission_{workspace}", viewer, "workspace", workspace, permission, then, then)
            for workspace, permission in visible.items()
        ],
    )


def _insert(
    connection: Connection, table: Table, columns: str, rows: Iterable[Sequence[Any]]
) -> None:
    names = columns.split()
    connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])

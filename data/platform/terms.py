"""Who pays for a workspace, by which terms."""

import logging
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import cache
from typing import Any, Final

from sqlalchemy import Select, bindparam, func, select

from data.platform.access import (
    ID_LENGTH_AT_MOST,
    Kind,
    Viewer,
    Workspace,
    ids_of,
    kind_of,
    visible_to,
)
from data.platform.schema import user_stats, workspace
from data.platform.snapshot import Snapshot
from data.platform.types import UtcTimestamp
from data.question.filters import is_text
from data.rules.billing import LimitScope, Terms
from data.rules.errors import NotFoundError
from data.rules.money import ZERO
from data.rules.shown import quoted

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    """Who pays for a workspace today, and what the running total covers.

    ``workspace_ids`` are those whose executions count; ``as_of`` is the instant of the snapshot:
    whatever was written by then is in it.
    """

    workspace: Workspace
    payer_id: str
    terms: Terms
    workspace_ids: tuple[str, ...]
    as_of: datetime


def account_of(
    snapshot: Snapshot, viewer: Viewer, workspace_id: str, *, scope: LimitScope, zone: tzinfo
) -> Account:
    """Return the account that pays for a workspace, billed by the months of ``zone``.

    Raises NotFoundError, always the same, where the viewer may not see the workspace, it is
    archived, or there is none.
    """
    if not is_text(workspace_id) or not 0 < len(workspace_id) <= ID_LENGTH_AT_MOST:
        raise _refused(viewer, workspace_id)
    row = snapshot.connection.execute(
        _account_of(kind_of(snapshot, viewer)), ids_of(viewer) | {"workspace_id": workspace_id}
    ).one_or_none()
    if row is None:
        raise _refused(viewer, workspace_id)
    limit: Decimal | None = row.current_usage_limit
    if limit is not None:
        limit = max(limit, ZERO) if limit.is_finite() or limit.is_signed() else None
    return Account(
        Workspace(row.id, row.name),
        row.billed_account_user_id,
        Terms(limit, zone),
        tuple(row.covered) if scope == LimitScope.ACCOUNT else (row.id,),
        row.as_of,
    )


@cache
def _account_of(kind: Kind) -> Select[Any]:
    billed = workspace.alias("billed")
    covered = (
        select(func.array_agg(billed.c.id))
        .where(billed.c.billed_account_user_id == workspace.c.billed_account_user_id)
        .scalar_subquery()
    )
    return (
        visible_to(kind)
        .where(workspace.c.id == bindparam("workspace_id"))
        .outerjoin_from(
            workspace, user_stats, user_stats.c.user_id == workspace.c.billed_account_user_id
        )
        .add_columns(
            workspace.c.billed_account_user_id,
            user_stats.c.current_usage_limit,
            covered.label("covered"),
            func.timezone("UTC", func.now(), type_=UtcTimestamp).label("as_of"),
        )
    )


def _refused(viewer: Viewer, workspace_id: str) -> NotFoundError:
    _LOG.info("refused: %s may not see workspace %s", viewer.name, quoted(workspace_id))
    return NotFoundError(
        "There is no such workspace among yours. Check its id, or ask its owner for access.",
        param="workspaceId",
    )

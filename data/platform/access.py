"""Who may see what, who pays, and the limit: the one place that decides."""

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    bindparam,
    exists,
    false,
    func,
    or_,
    select,
)

from data.platform.revision import revision_of
from data.platform.schema import (
    UtcTimestamp,
    member,
    permissions,
    user_stats,
    workspace,
    workspace_organization_id,
)
from data.question.filters import is_text
from data.rules.errors import NotFoundError
from data.rules.money import ZERO
from data.rules.shown import READ_AT_MOST, quoted

_LOG: Final = logging.getLogger(__name__)

LimitScope = Literal["account", "workspace"]

# An address repeats the id in its cursor, beside filters.
ID_LENGTH_AT_MOST: Final = 255


@dataclass(frozen=True)
class Viewer:
    """Who asks, as a way of signing in recognised them.

    ``user_id`` is None for a workspace's own API key, which is nobody's. ``workspace_id`` is the
    only workspace that the way in is good for, where it is bound to one. ``by_personal_key`` keeps
    out of workspaces that do not take personal API keys.
    """

    user_id: str | None
    workspace_id: str | None = None
    by_personal_key: bool = False

    @property
    def name(self) -> str:
        """Who that is, for a log."""
        if self.user_id:
            return quoted(self.user_id)
        return f"the key of workspace {quoted(self.workspace_id or '')}"


@dataclass(frozen=True)
class Workspace:
    """A workspace that the viewer may see."""

    id: str
    name: str


@dataclass(frozen=True)
class Account:
    """Who pays for a workspace today, and what the running total covers.

    ``limit`` is in dollars, None where none is set; ``workspace_ids`` are those whose executions
    count; ``as_of`` is the instant of the snapshot: whatever was written by then is in it.
    """

    workspace: Workspace
    payer_id: str
    limit: Decimal | None
    workspace_ids: tuple[str, ...]
    as_of: datetime


def workspaces_of(connection: Connection, viewer: Viewer, *, cut: bool = False) -> list[Workspace]:
    """Return the workspaces that ``viewer`` may see, by name; ``cut`` as for select_executions."""
    rows = connection.execute(_workspaces_of(_kind(connection, viewer), cut=cut), _ids(viewer))
    return [Workspace(row.id, row.name) for row in rows]


def account_of(
    connection: Connection, viewer: Viewer, workspace_id: str, scope: LimitScope
) -> Account:
    """Return the account that pays for a workspace.

    Raises NotFoundError, always the same, where the viewer may not see the workspace, it is
    archived, or there is none.
    """
    if not is_text(workspace_id) or not 0 < len(workspace_id) <= ID_LENGTH_AT_MOST:
        raise _refused(viewer, workspace_id)
    row = connection.execute(
        _account_of(_kind(connection, viewer)), _ids(viewer) | {"workspace_id": workspace_id}
    ).one_or_none()
    if row is None:
        raise _refused(viewer, workspace_id)
    limit: Decimal | None = row.current_usage_limit
    if limit is not None:
        limit = max(limit, ZERO) if limit.is_finite() or limit.is_signed() else None
    return Account(
        Workspace(row.id, row.name),
        row.billed_account_user_id,
        limit,
        tuple(row.covered) if scope == "account" else (row.id,),
        row.as_of,
    )


# Statements are made once for each kind of viewer: to make one costs more than to ask it.


class _Kind(NamedTuple):
    """What of a viewer, and of the platform, decides how a statement reads."""

    somebody: bool
    bound: bool
    by_personal_key: bool
    organizations: bool


def _kind(connection: Connection, viewer: Viewer) -> _Kind:
    return _Kind(
        viewer.user_id is not None,
        viewer.workspace_id is not None,
        viewer.by_personal_key,
        viewer.user_id is not None and revision_of(connection).organizations,
    )


def _ids(viewer: Viewer) -> dict[str, str | None]:
    return {"viewer_id": viewer.user_id, "bound_to": viewer.workspace_id}


@cache
def _workspaces_of(kind: _Kind, *, cut: bool) -> Select[tuple[str, str]]:
    listed = _visible_to(kind)
    name: ColumnElement[str] = workspace.c.name
    if cut:
        name = func.left(name, READ_AT_MOST + 1)
        listed = listed.with_only_columns(workspace.c.id, name.label("name"))
    return listed.order_by(func.lower(name), workspace.c.id.collate("C"))


@cache
def _account_of(kind: _Kind) -> Select[Any]:
    billed = workspace.alias("billed")
    covered = (
        select(func.array_agg(billed.c.id))
        .where(billed.c.billed_account_user_id == workspace.c.billed_account_user_id)
        .scalar_subquery()
    )
    return (
        _visible_to(kind)
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


def _visible_to(kind: _Kind) -> Select[tuple[str, str]]:
    """Select the workspaces that exist, are not archived, and that the viewer may see."""
    visible = select(workspace.c.id, workspace.c.name).where(workspace.c.archived_at.is_(None))
    if kind.bound:
        visible = visible.where(workspace.c.id == bindparam("bound_to"))
    if kind.by_personal_key:
        visible = visible.where(workspace.c.allow_personal_api_keys)
    if kind.somebody:
        return visible.where(_granted(kind))
    # A workspace's own key speaks for that workspace; without one there is nothing to see.
    return visible if kind.bound else visible.where(false())


def _granted(kind: _Kind) -> ColumnElement[bool]:
    viewer_id = bindparam("viewer_id", type_=Text)
    # EXISTS, because a join would multiply the workspace by its grants.
    explicitly = exists(permissions.c.entity_id).where(
        permissions.c.entity_type == "workspace",
        permissions.c.entity_id == workspace.c.id,
        permissions.c.user_id == viewer_id,
    )
    if not kind.organizations:
        return or_(explicitly, workspace.c.owner_id == viewer_id)
    administers = exists(member.c.user_id).where(
        member.c.organization_id == workspace_organization_id,
        member.c.user_id == viewer_id,
        member.c.role.in_(["owner", "admin"]),
    )
    return or_(explicitly, administers)


def _refused(viewer: Viewer, workspace_id: str) -> NotFoundError:
    _LOG.info("refused: %s may not see workspace %s", viewer.name, quoted(workspace_id))
    return NotFoundError(
        "There is no such workspace among yours. Check its id, or ask its owner for access.",
        param="workspaceId",
    )

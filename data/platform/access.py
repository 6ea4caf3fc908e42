"""Who may see what: the one place that decides."""

from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, bindparam, exists, false, func, or_, select

from data.platform.schema import member, permissions, workspace, workspace_organization_id
from data.platform.snapshot import Snapshot
from data.rules.shown import READ_AT_MOST, quoted

# An address repeats the id in its cursor, beside filters.
ID_LENGTH_AT_MOST: Final = 255

_VIEWER_ID: Final = bindparam("viewer_id", type_=Text)


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


def workspaces_of(snapshot: Snapshot, viewer: Viewer, *, cut: bool = False) -> list[Workspace]:
    """Return the workspaces that ``viewer`` may see, by name; ``cut`` as for select_executions."""
    statement = _workspaces_of(kind_of(snapshot, viewer), cut=cut)
    rows = snapshot.connection.execute(statement, ids_of(viewer))
    return [Workspace(row.id, row.name) for row in rows]


# Statements are made once for each kind of viewer: to make one costs more than to ask it.


class Kind(NamedTuple):
    """What of a viewer, and of the platform, decides how a statement reads."""

    somebody: bool
    bound: bool
    by_personal_key: bool
    organizations: bool


def kind_of(snapshot: Snapshot, viewer: Viewer) -> Kind:
    """Return what of the viewer decides how ``visible_to`` reads."""
    return Kind(
        viewer.user_id is not None,
        viewer.workspace_id is not None,
        viewer.by_personal_key,
        viewer.user_id is not None and snapshot.revision.organizations,
    )


def ids_of(viewer: Viewer) -> dict[str, str | None]:
    """Return the parameters of ``visible_to``."""
    return {"viewer_id": viewer.user_id, "bound_to": viewer.workspace_id}


@cache
def _workspaces_of(kind: Kind, *, cut: bool) -> Select[tuple[str, str]]:
    listed = visible_to(kind)
    name: ColumnElement[str] = workspace.c.name
    if cut:
        name = func.left(name, READ_AT_MOST + 1)
        listed = listed.with_only_columns(workspace.c.id, name.label("name"))
    return listed.order_by(func.lower(name), workspace.c.id.collate("C"))


def visible_to(kind: Kind) -> Select[tuple[str, str]]:
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


def _granted(kind: Kind) -> ColumnElement[bool]:
    # EXISTS, because a join would multiply the workspace by its grants.
    explicitly = exists(permissions.c.entity_id).where(
        permissions.c.entity_type == "workspace",
        permissions.c.entity_id == workspace.c.id,
        permissions.c.user_id == _VIEWER_ID,
    )
    if not kind.organizations:
        return or_(explicitly, workspace.c.owner_id == _VIEWER_ID)
    return or_(explicitly, administers(workspace_organization_id))


def administers(organization_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Tell whether the viewer is an owner or admin of an organization."""
    return exists(member.c.user_id).where(
        member.c.organization_id == organization_id,
        member.c.user_id == _VIEWER_ID,
        member.c.role.in_(["owner", "admin"]),
    )


def may_know_amounts(viewer: Viewer, *, pays: bool, administers: bool, takes_keys: bool) -> bool:
    """Tell whether the viewer may know what an account spent, in workspaces of others too.

    He ``pays`` or ``administers`` who does; ``takes_keys`` says that every workspace of the account
    takes personal API keys. What is bound to one workspace never speaks for the others.
    """
    if viewer.user_id is None or viewer.workspace_id is not None:
        return False
    return (pays or administers) and (takes_keys or not viewer.by_personal_key)

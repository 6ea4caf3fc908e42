"""The viewer's workspaces."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from data.platform import access
from data.question.params import single_values
from settings import Settings
from settings.addresses import is_addressed, usage_path
from web.api.endpoint import Call
from web.api.models import Model


class Workspace(Model):
    """A workspace that the viewer may see."""

    id: str
    name: str
    url: str | None = Field(
        description="Its Usage page; null where its id cannot stand in an address."
    )


class WorkspaceList(Model):
    """The viewer's workspaces, by name."""

    object: Literal["list"] = "list"
    data: list[Workspace]


def answer(call: Call) -> WorkspaceList:
    """Return all of them."""
    single_values(call.given(), call.endpoint.known)
    return _workspace_list(call.ledger.workspaces(call.viewer), call.settings)


def _workspace_list(workspaces: Sequence[access.Workspace], settings: Settings) -> WorkspaceList:
    """Return the viewer's workspaces."""
    return WorkspaceList(
        data=[
            Workspace(
                id=workspace.id,
                name=workspace.name,
                url=usage_path(settings.url_prefix, workspace.id, {})
                if is_addressed(workspace.id)
                else None,
            )
            for workspace in workspaces
        ]
    )

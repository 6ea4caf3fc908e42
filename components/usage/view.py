"""What one answer puts on the page: the ledger's page and what surrounds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from data.answers.page import Page
from data.platform.access import Workspace
from data.rules.calendar import Window
from settings import Settings
from settings.addresses import usage_path


@dataclass(frozen=True)
class View:
    """One page of the ledger as a viewer sees it.

    ``params`` are the window's own parameters in the URL, ``filters`` those of the filters,
    ``cursor`` is the one that leads to this page of it all; ``frame`` says how the page is shown,
    and goes with it everywhere.
    """

    page: Page
    workspaces: Sequence[Workspace]
    params: Mapping[str, str]
    filters: Mapping[str, Sequence[str]]
    cursor: Mapping[str, str]
    frame: Mapping[str, str]
    settings: Settings

    @property
    def workspace(self) -> Workspace:
        """The workspace that is shown."""
        return self.page.account.workspace

    @property
    def window(self) -> Window:
        """The window that is shown."""
        return self.page.window

    @property
    def zone(self) -> tzinfo:
        """The reporting time zone."""
        return self.settings.zone

    def path(self, workspace: Workspace, params: Mapping[str, str | Sequence[str]]) -> str:
        """Return the page's own address for a workspace and a window."""
        return usage_path(self.settings.url_prefix, workspace.id, {**params, **self.frame})

    def here(self, **more: str) -> str:
        """Return the page's own address for what it shows, with ``more`` in its query."""
        return self.path(self.workspace, {**self.params, **self.filters, **self.cursor, **more})

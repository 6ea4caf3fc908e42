"""Addresses: the page's own, with its state in the query, and the host platform's."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlencode

from data.platform.access import ID_LENGTH_AT_MOST

# Beside it, why there is no link to a workspace.
NOT_ADDRESSED: Final = "Its id cannot stand in an address"

_PATH: Final = re.compile(r"/?workspace/(.+)/usage/?")
# What servers take in one line, with room for its other words.
_URL_AT_MOST: Final = 8000
# To a browser these are steps of a path, however they are written.
_STEPS: Final = frozenset({".", ".."})


def usage_path(prefix: str, workspace_id: str, params: Mapping[str, str | Sequence[str]]) -> str:
    """Return the address of the page for a workspace and a window; a parameter may be repeated."""
    search = f"?{urlencode(params, doseq=True)}" if params else ""
    return f"{prefix}workspace/{quote(workspace_id, safe='')}/usage{search}"


def is_addressed(workspace_id: str) -> bool:
    """Tell whether ``usage_path`` leads to a workspace, and not to a 404."""
    return 0 < len(workspace_id) <= ID_LENGTH_AT_MOST and workspace_id not in _STEPS


def fits(url: str) -> bool:
    """Tell whether a server takes an address of this length."""
    return len(url) <= _URL_AT_MOST


def workspace_in(pathname: Any, prefix: str) -> str:
    """Return the workspace's id out of a path as it stands in a URL, empty where there is none."""
    found = _PATH.fullmatch(str(pathname).removeprefix(prefix))
    return unquote(found[1]) if found else ""


def workflow_url(base: str, workspace_id: str, workflow_id: str) -> str:
    """Return the host platform's page of a workflow."""
    workspace, workflow = (quote(part, safe="") for part in (workspace_id, workflow_id))
    return f"{base.rstrip('/')}/workspace/{workspace}/w/{workflow}"


def log_url(base: str, workspace_id: str, execution_id: str) -> str:
    """Return the host platform's log of an execution."""
    search = urlencode({"executionId": execution_id}, quote_via=quote)
    return f"{base.rstrip('/')}/workspace/{quote(workspace_id, safe='')}/logs?{search}"


def spending_url(template: str, workspace_id: str) -> str:
    """Return the host platform's Spending page of a workspace."""
    return template.replace("{workspace_id}", quote(workspace_id, safe=""))


def readable(sent: Any) -> str:
    """Return what a browser sent as a text that can be encoded: half a character is none."""
    return str(sent or "").encode(errors="replace").decode()


def params_in(search: str) -> dict[str, list[str]]:
    """Read a query string as it came, with every value of every parameter."""
    return parse_qs(search.removeprefix("?"), keep_blank_values=True)


def params_of(stored: Any) -> dict[str, list[str]]:
    """Read parameters back from the browser, which may send anything."""
    if not isinstance(stored, dict):
        return {}
    return {
        str(name): [str(each) for each in (value if isinstance(value, list) else [value])]
        for name, value in stored.items()
    }

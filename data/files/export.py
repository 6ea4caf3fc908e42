"""A window as a file: what of it is read, how much of it a file holds, what the file is called."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from data.platform.terms import Account
from data.rules.calendar import local_day
from data.rules.execution import Execution

ROW_LIMIT: Final = 10_000


@dataclass(frozen=True)
class Export:
    """The newest ``ROW_LIMIT`` executions of a window, newest first, read as they are consumed.

    They have labels, and tokens sent and received, where the FileOptions need them; ``total``
    counts the window.
    """

    account: Account
    rows: Iterable[Execution]
    total: int


def file_name(workspace_id: str, now: datetime, zone: tzinfo) -> str:
    """Return ``usage-<workspaceId>-<YYYY-MM-DD>.csv`` for an export at ``now``.

    What of the id cannot be printed is ``_``: it would break a header, or turn the ending around.
    """
    printed = "".join(each if each.isprintable() else "_" for each in workspace_id)
    return f"usage-{printed}-{local_day(now, zone):%Y-%m-%d}.csv"

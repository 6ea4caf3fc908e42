"""Ledger order: ``(started_at, id)``, with ids compared by code point.

So does PostgreSQL's ``"C"`` collation compare UTF-8.
"""

from datetime import datetime
from typing import NamedTuple


class Position(NamedTuple):
    """A place in ledger order; compares as the ledger does."""

    started_at: datetime
    id: str

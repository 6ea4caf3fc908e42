"""Cursors: a place in the ledger with all that it belongs to, as one word of a URL."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Final, Self

from data.question.filters import NO_FILTERS, Filters, is_text
from data.rules.calendar import FIRST_DAY, LAST_DAY, Preset, Window
from data.rules.errors import BadRequestError
from data.rules.position import Position

PAGE_SIZE: Final = 100

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)
_CHECKSUM_BYTES: Final = 8


class Direction(StrEnum):
    """Which way to read from a cursor; the value is the parameter's name."""

    OLDER = "starting_after"
    NEWER = "ending_before"


@dataclass(frozen=True)
class Cursor:
    """A position together with the window, the filters and the workspace it belongs to.

    It grants nothing: whoever presents one is checked anew. It holds in every process, after a
    restart, and also when the row it names is gone.
    """

    workspace_id: str
    window: Window
    position: Position
    filters: Filters = NO_FILTERS

    def encode(self) -> str:
        """Return the cursor as one URL-safe word."""
        parts = [
            self.workspace_id,
            _microseconds(self.window.start),
            _microseconds(self.window.end),
            self.window.preset,
            _microseconds(self.position.started_at),
            self.position.id,
            # Nothing at all without filters: cursors are older than those.
            *([self.filters.params()] if self.filters else []),
        ]
        body = json.dumps(parts, separators=(",", ":")).encode()
        return urlsafe_b64encode(_checksum(body) + body).rstrip(b"=").decode()

    @classmethod
    def decode(cls, word: str) -> Self | None:
        """Read a word that :meth:`encode` made; None where it is anything else."""
        try:
            raw = urlsafe_b64decode(word.encode("ascii") + b"=" * (-len(word) % 4))
            checksum, body = raw[:_CHECKSUM_BYTES], raw[_CHECKSUM_BYTES:]
            if checksum != _checksum(body):
                return None
            workspace_id, start, end, preset, started_at, row_id, *filters = json.loads(body)
            cursor = cls(
                workspace_id,
                Window(_instant(start), _instant(end), None if preset is None else Preset(preset)),
                Position(_instant(started_at), row_id),
                Filters.parse(*filters) if filters else NO_FILTERS,
            )
        except (
            ValueError,
            TypeError,
            AttributeError,
            OverflowError,
            RecursionError,
            BadRequestError,
        ):
            return None
        # The checksum is no secret: what fits it may still be more than the database can take.
        if not (is_text(workspace_id) and is_text(row_id)):
            return None
        # One spelling per cursor: base64 itself ignores stray characters and trailing bits.
        return cursor if cursor.encode() == word else None


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _instant(microseconds: int) -> datetime:
    instant = _EPOCH + microseconds * _MICROSECOND
    # A day more at either end: days begin at different instants in different time zones.
    if not FIRST_DAY - _DAY <= instant.date() <= LAST_DAY + 2 * _DAY:
        raise ValueError("a cursor speaks of days that windows can have")
    return instant


def _checksum(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECKSUM_BYTES, person=b"usage-cursor").digest()

"""The question that screen and API ask: a workspace, a window, filters, one page of all that.

The one reader of what page and API are asked. Whatever is unknown, empty, doubled, malformed or
contradictory is refused with a sentence that says what to send instead.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Final, Self

from data.question.cursor import PAGE_SIZE, Cursor, Direction
from data.question.filters import FILTER_PARAMS, NO_FILTERS, Filters
from data.question.params import single_values, workspace_named
from data.question.window import WINDOW_PARAMS, window_asked
from data.rules.calendar import DEFAULT_PRESET, Window, resolve
from data.rules.errors import BadRequestError

CURSOR_PARAMS: Final = tuple(direction.value for direction in Direction)
PAGE_PARAMS: Final = (*WINDOW_PARAMS, *FILTER_PARAMS, *CURSOR_PARAMS)


class Split(StrEnum):
    """What the costs of a window are split by; the value is the spelling in URLs."""

    TYPE = "type"
    WORKFLOW = "workflow"
    MODEL = "model"


@dataclass(frozen=True)
class UsageQuery:
    """A page of what ``filters`` leave of a window of a workspace.

    ``cursor`` is where the page begins: a Cursor, or the ``id`` of a row of the window, or None
    for the newest rows; ``direction`` says which way to read from it.
    """

    workspace_id: str
    window: Window
    limit: int = PAGE_SIZE
    cursor: Cursor | str | None = None
    direction: Direction = Direction.OLDER
    filters: Filters = NO_FILTERS

    @classmethod
    def parse(
        cls,
        params: Mapping[str, Sequence[str]],
        *,
        workspace_id: str | None,
        now: datetime,
        zone: tzinfo,
        known: Sequence[str] = PAGE_PARAMS,
    ) -> Self:
        """Read query-string parameters, each with all the values it was given.

        ``known`` names the parameters of this face; raises BadRequestError for any other. Where
        ``workspace_id`` is not known from elsewhere, ``workspaceId`` has to name it.
        """
        single = single_values(params, known)
        workspace_id = workspace_named(single, workspace_id)
        direction, cursor = _cursor(single, workspace_id)
        window = window_asked(single, now, zone)
        filters = Filters.parse(params)
        if isinstance(cursor, Cursor):
            window = _agreed(cursor, window, single, direction)
            filters = _same_filters(cursor, filters, direction)
        elif window is None:
            window = resolve(DEFAULT_PRESET, now, zone)
        return cls(workspace_id, window, _limit(single), cursor, direction, filters)


def _cursor(single: dict[str, str], workspace_id: str) -> tuple[Direction, Cursor | str | None]:
    given = [direction for direction in Direction if direction.value in single]
    if not given:
        return Direction.OLDER, None
    if len(given) > 1:
        raise BadRequestError(
            "Send starting_after or ending_before, not both.",
            param=Direction.NEWER.value,
            code="parameters_exclusive",
        )
    direction = given[0]
    word = single[direction.value]
    cursor = Cursor.decode(word)
    if cursor is None:
        return direction, word
    if cursor.workspace_id != workspace_id:
        raise BadRequestError(
            f"The {direction.value} cursor belongs to another workspace. Use one of this "
            "workspace's own, or leave it out to start at the newest row.",
            param=direction.value,
            code="cursor_mismatch",
        )
    return direction, cursor


def _agreed(
    cursor: Cursor, window: Window | None, single: dict[str, str], direction: Direction
) -> Window:
    """Return the cursor's own window, if nothing beside it asks for another."""
    kept = cursor.window
    if "preset" in single:
        agrees = single["preset"] == kept.preset
    else:
        agrees = window is None or (window.start, window.end) == (kept.start, kept.end)
    if not agrees:
        raise BadRequestError(
            f"The {direction.value} cursor belongs to another window. Send the window that it "
            "came from, or leave the cursor out.",
            param=direction.value,
            code="cursor_mismatch",
        )
    return kept


def _same_filters(cursor: Cursor, filters: Filters, direction: Direction) -> Filters:
    """Return the cursor's own filters, if nothing beside it asks for others."""
    if filters and filters != cursor.filters:
        raise BadRequestError(
            f"The {direction.value} cursor belongs to other filters. Send those that it came from, "
            "or leave the cursor out.",
            param=direction.value,
            code="cursor_mismatch",
        )
    return cursor.filters


def _limit(single: dict[str, str]) -> int:
    word = single.get("limit", str(PAGE_SIZE))
    if not re.fullmatch(r"[1-9][0-9]{0,2}", word) or not 1 <= int(word) <= PAGE_SIZE:
        raise BadRequestError(f"limit must be a whole number from 1 to {PAGE_SIZE}.", param="limit")
    return int(word)

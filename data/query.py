"""The question that screen and API ask: a workspace, a window, filters, one page of all that.

The only parser of parameters. Whatever is unknown, empty, doubled, malformed or contradictory is
refused with a sentence that says what to send instead.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from typing import Final, Self

from data.errors import BadRequestError
from data.filters import FILTER_PARAMS, NO_FILTERS, REPEATABLE_PARAMS, Filters
from data.paging import PAGE_SIZE, Cursor, Direction
from data.periods import (
    DEFAULT_PRESET,
    FIRST_DAY,
    LAST_DAY,
    Preset,
    Window,
    day_start,
    resolve,
    whole_days,
)

WINDOW_PARAMS: Final = ("preset", "from", "to")
CURSOR_PARAMS: Final = tuple(direction.value for direction in Direction)
PAGE_PARAMS: Final = (*WINDOW_PARAMS, *FILTER_PARAMS, *CURSOR_PARAMS)

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_LOST_PLUS: Final = re.compile(r".*[Tt][0-9:.]+ [0-9]{2}:[0-9]{2}")


class Split(StrEnum):
    """What the costs of a window are split by; the value is the spelling in URLs."""

    TYPE = "type"
    WORKFLOW = "workflow"
    MODEL = "model"

    @classmethod
    def parse(cls, params: Mapping[str, Sequence[str]]) -> Self:
        """Read the parameter ``split``; without it costs are split by Type."""
        [word] = params.get("split", [cls.TYPE.value])
        try:
            return cls(word)
        except ValueError:
            raise BadRequestError(
                f"split must be one of {', '.join(cls)}.", param="split"
            ) from None


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
        window = _window(single, now, zone)
        filters = Filters.parse(params)
        if isinstance(cursor, Cursor):
            window = _agreed(cursor, window, single, direction)
            filters = _same_filters(cursor, filters, direction)
        elif window is None:
            window = resolve(DEFAULT_PRESET, now, zone)
        return cls(workspace_id, window, _limit(single), cursor, direction, filters)


def single_values(params: Mapping[str, Sequence[str]], known: Sequence[str]) -> dict[str, str]:
    """Return the one value of each parameter; refuse what is unknown, doubled or empty.

    Parameters that may be repeated are left to who reads them all.
    """
    single: dict[str, str] = {}
    for name, values in params.items():
        if name not in known:
            raise BadRequestError(
                f"There is no parameter {name[:80]!r}. Known are: {', '.join(known)}."
                if known
                else f"This takes no parameters; leave {name[:80]!r} out.",
                param=name[:80],
                code="parameter_unknown",
            )
        if len(values) > 1 and name not in REPEATABLE_PARAMS:
            raise BadRequestError(
                f"{name} was given {len(values)} times; send it once.",
                param=name,
                code="parameter_repeated",
            )
        if not all(values or [""]):
            raise BadRequestError(
                f"{name} is empty; give it a value or leave it out.",
                param=name,
                code="parameter_empty",
            )
        if name not in REPEATABLE_PARAMS:
            single[name] = values[0]
    return single


def workspace_named(single: Mapping[str, str], known: str | None) -> str:
    """Return the workspace that ``workspaceId`` names; it has to, where none is ``known``."""
    workspace_id = single.get("workspaceId", known)
    if workspace_id is None:
        raise BadRequestError(
            "workspaceId is missing; /api/billing/workspaces lists yours.",
            param="workspaceId",
            code="parameter_missing",
        )
    return workspace_id


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


def _window(single: dict[str, str], now: datetime, zone: tzinfo) -> Window | None:
    ends = [name for name in ("from", "to") if name in single]
    if "preset" in single:
        if ends:
            raise BadRequestError(
                "Send preset, or from and to, not both.",
                param="preset",
                code="parameters_exclusive",
            )
        return resolve(_preset(single["preset"]), now, zone)
    if not ends:
        return None
    if len(ends) == 1:
        missing = "to" if ends == ["from"] else "from"
        raise BadRequestError(
            f"{ends[0]} needs {missing}; send both.", param=missing, code="parameter_missing"
        )
    start = _instant(single["from"], "from", zone)
    end = _instant(single["to"], "to", zone)
    if start >= end:
        raise BadRequestError(
            "from must be earlier than to; swap them or choose a later to.",
            param="from",
            code="range_reversed",
        )
    return Window(start, end)


def _preset(word: str) -> Preset:
    try:
        return Preset(word)
    except ValueError:
        raise BadRequestError(
            f"preset must be one of {', '.join(Preset)}.", param="preset"
        ) from None


def _instant(word: str, param: str, zone: tzinfo) -> datetime:
    """Read one end of a range; a day means its start as ``from``, its end as ``to``."""
    try:
        if _DAY.fullmatch(word):
            day = date.fromisoformat(word)
            if FIRST_DAY <= day <= LAST_DAY:
                return day_start(day, zone) if param == "from" else whole_days(day, day, zone).end
        elif _INSTANT.fullmatch(word):
            instant = datetime.fromisoformat(word.upper()).astimezone(UTC)
            if FIRST_DAY <= instant.date() <= LAST_DAY:
                return instant
        else:
            raise BadRequestError(_advice(word, param), param=param)
    except (ValueError, OverflowError):
        raise BadRequestError(
            f"{param} names a day or a time that does not exist; check month, day and hour.",
            param=param,
        ) from None
    raise BadRequestError(f"{param} must lie between {FIRST_DAY} and {LAST_DAY}.", param=param)


def _advice(word: str, param: str) -> str:
    form = (
        f"{param} must be YYYY-MM-DD or RFC 3339 with an offset and at most six decimals, "
        "such as 2026-10-01 or 2026-10-01T00:00:00Z."
    )
    if _LOST_PLUS.fullmatch(word):
        return f"{form} The + of its offset arrived as a blank: write it as %2B."
    return form


def _limit(single: dict[str, str]) -> int:
    word = single.get("limit", str(PAGE_SIZE))
    if not re.fullmatch(r"[1-9][0-9]{0,2}", word) or not 1 <= int(word) <= PAGE_SIZE:
        raise BadRequestError(f"limit must be a whole number from 1 to {PAGE_SIZE}.", param="limit")
    return int(word)

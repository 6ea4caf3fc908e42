"""The window as parameters ask for it: a preset, or two ends that are days or instants."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Final

from data.question.params import one_of
from data.rules.calendar import FIRST_DAY, LAST_DAY, Preset, Window, day_start, resolve, whole_days
from data.rules.errors import BadRequestError

WINDOW_PARAMS: Final = ("preset", "from", "to")

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_LOST_PLUS: Final = re.compile(r".*[Tt][0-9:.]+ [0-9]{2}:[0-9]{2}")


def window_asked(single: Mapping[str, str], now: datetime, zone: tzinfo) -> Window | None:
    """Return the window that is asked for, None where nothing says which."""
    ends = [name for name in ("from", "to") if name in single]
    if "preset" in single:
        if ends:
            raise BadRequestError(
                "Send preset, or from and to, not both.",
                param="preset",
                code="parameters_exclusive",
            )
        return resolve(one_of(Preset, "preset", {"preset": [single["preset"]]}), now, zone)
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

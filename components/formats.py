"""Money, dates and counts as people read them; pure.

Rounding happens here and nowhere else, half up, from the exact Decimal; never before a sum.
"""

from datetime import date, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Final

from data.rules.calendar import Preset, Span, Window, day_start, local_day
from data.rules.money import plain, trimmed

UNKNOWN: Final = "—"

_MINUS: Final = "\N{MINUS SIGN}"
_ROUNDING: Final = Context(prec=200, rounding=ROUND_HALF_UP)
_ROW_DECIMALS: Final = Decimal("0.0001")
_CENTS: Final = Decimal("0.01")
_TENTH: Final = Decimal("0.1")
_LEAST_SHOWN: Final = Decimal("0.00005")
_MINUTE: Final = 60

_PRESET_NAMES: Final = {
    Preset.DAY: "1d",
    Preset.WEEK: "7d",
    Preset.DAYS_30: "30d",
    Preset.MONTH_TO_DATE: "MTD",
    Preset.LAST_MONTH: "Last month",
}


def preset_name(preset: Preset) -> str:
    """Name a preset as its button does."""
    return _PRESET_NAMES[preset]


def row_dollars(dollars: Decimal) -> str:
    """Write a row's cost with four decimals, so that points align: ``$1,204.5000``."""
    if 0 < dollars < _LEAST_SHOWN:
        return "<$0.0001"
    return f"${dollars.quantize(_ROW_DECIMALS, context=_ROUNDING):,f}"


def split_dollars(dollars: Decimal, part: Decimal) -> tuple[str, str]:
    """Write what is left of a row's cost without ``part``, and ``part``: they add up as shown."""
    whole, shown = (amount.quantize(_ROW_DECIMALS, context=_ROUNDING) for amount in (dollars, part))
    return f"${whole - shown:,f}", row_dollars(part)


def total_dollars(dollars: Decimal) -> str:
    """Write a sum with its cents, below a dollar with four decimals."""
    least = _CENTS if abs(dollars) >= 1 or dollars == 0 else _ROW_DECIMALS
    if 0 < dollars < _LEAST_SHOWN:
        return "<$0.0001"
    sign = _MINUS if dollars < 0 else ""
    return f"{sign}${abs(dollars).quantize(least, context=_ROUNDING):,f}"


def percent(now: Decimal, before: Decimal) -> str:
    """Write by how much ``before`` became ``now``: ``+14.2%``; nothing where that was nothing."""
    if not before:
        return ""
    change = _ROUNDING.divide(_ROUNDING.subtract(now, before) * 100, before).quantize(
        _TENTH, context=_ROUNDING
    )
    sign = _MINUS if change < 0 else "+" if change > 0 else ""
    return f"{sign}{abs(change):,f}%"


@lru_cache
def limit_dollars(dollars: Decimal) -> str:
    """Write a limit with its cents, and with every further digit that it has."""
    whole = trimmed(dollars)
    cents = dollars.quantize(_CENTS, context=_ROUNDING)
    return f"${cents if cents == whole else whole:,f}"


def exact_dollars(dollars: Decimal) -> str:
    """Write every stored digit."""
    return f"{_MINUS if dollars < 0 else ''}${plain(dollars.copy_abs())}"


def count(number: int) -> str:
    """Write a count in full: ``91,167,718``."""
    return f"{number:,}"


def at_least(number: int, *, complete: bool) -> str:
    """Write a count in full, ``≥ 12,345`` where it is not ``complete``."""
    return count(number) if complete else f"≥ {count(number)}"


def counted(number: int, word: str) -> str:
    """Write a count of something: ``1 day``, ``1,204 days``."""
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


@lru_cache(maxsize=1024)
def day(day: date) -> str:
    """Write ``1 Nov 2026``."""
    return f"{day.day} {day:%b %Y}"


def second(instant: datetime, zone: tzinfo) -> str:
    """Write ``18 Nov 2026 11:38:04`` in ``zone``."""
    local = instant.astimezone(zone)
    return f"{day(local.date())} {local:%H:%M:%S}"


def minute(instant: datetime, zone: tzinfo) -> str:
    """Write ``18 Nov 2026 11:38`` in ``zone``."""
    local = instant.astimezone(zone)
    return f"{day(local.date())} {clock(local)}"


def clock(local: datetime) -> str:
    """Write ``11:38``; with its offset, ``00:30 (-05:00)``, where the clock shows it twice."""
    once = local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset()
    return f"{local:%H:%M}" if once else f"{local:%H:%M} ({local.isoformat()[-6:]})"


def duration(milliseconds: int) -> str:
    """Write ``412 ms``, ``41.8 s``, ``2 min 03 s`` or ``1 h 02 min``."""
    if milliseconds < 1000:  # noqa: PLR2004 - a second's
        return f"{milliseconds} ms"
    tenths, seconds, minutes = (_rounded(milliseconds, unit) for unit in (100, 1000, 60_000))
    if tenths < 10 * _MINUTE:
        return f"{tenths // 10}.{tenths % 10} s"
    if seconds < _MINUTE * _MINUTE:
        return f"{seconds // _MINUTE} min {seconds % _MINUTE:02} s"
    return f"{count(minutes // _MINUTE)} h {minutes % _MINUTE:02} min"


def _rounded(number: int, unit: int) -> int:
    return (2 * number + unit) // (2 * unit)


def seconds(start: datetime, end: datetime | None, zone: tzinfo) -> str:
    """Write from when to when something ran: ``18 Nov 2026 11:38:04 – 11:38:46``."""
    if end is None:
        return second(start, zone)
    same_day = start.astimezone(zone).date() == end.astimezone(zone).date()
    until = f"{end.astimezone(zone):%H:%M:%S}" if same_day else second(end, zone)
    return f"{second(start, zone)} – {until}"


def days_shown(window: Window, zone: tzinfo) -> tuple[date, date]:
    """Return the first and the last day that ``window`` touches, as the picker shows them."""
    last = max(window.start, window.end - timedelta(microseconds=1))
    return local_day(window.start, zone), local_day(last, zone)


def span_in_words(window: Span, zone: tzinfo) -> str:
    """Write a window's ends without its zone: whole days by date, others by the minute."""
    first = local_day(window.start, zone)
    last = local_day(window.end - timedelta(microseconds=1), zone)
    whole = window.start == day_start(first, zone) and window.start < window.end
    if whole and window.end == day_start(last + timedelta(days=1), zone):
        return day(first) if first == last else f"{day(first)} – {day(last)}"
    return f"{minute(window.start, zone)} – {minute(window.end, zone)}"


def window_in_words(window: Window, zone: tzinfo) -> str:
    """Write a window with its preset and zone: ``30d: 23 Oct 2026 12:00 – 22 Nov … UTC``."""
    words = f"{span_in_words(window, zone)} {zone}"
    return f"{preset_name(window.preset)}: {words}" if window.preset else words

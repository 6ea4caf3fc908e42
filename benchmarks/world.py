"""Who and what is in a bench database: workspaces, payers, the month, and what is asked of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from data.rules.calendar import Preset, Window, resolve

BUSY: Final = "ws_busy"
SPARSE: Final = "ws_sparse"  # paid for by whoever pays for the busy one
BURST: Final = "ws_burst"  # another payer's
PAYER: Final = "user_payer"  # who asks; may see all three
BURST_PAYER: Final = "user_burst"

SPARSE_EXECUTIONS: Final = 50
BURST_EXECUTIONS: Final = 100_000
BURST_AROUND: Final = 2000  # over the rest of its month
EARLIER_MONTHS: Final = 11
EARLIER_SHARE: Final = 0.03  # of the month's executions in each earlier one
WORKFLOWS: Final = 40

PROXY_HEADER: Final = "X-Usage-User"
READER: Final = "usage_reader"

PRESET: Final = Preset.LAST_MONTH


@dataclass(frozen=True)
class Calendar:
    """The month that is measured, the last whole one, and the eleven before it; all UTC."""

    month: Window
    earlier: tuple[Window, ...]
    burst: Window

    @classmethod
    def of(cls, now: datetime) -> "Calendar":
        """Return the months as they are seen at ``now``."""
        month = resolve(PRESET, now, UTC)
        earlier: list[Window] = []
        before = month
        for _ in range(EARLIER_MONTHS):
            before = resolve(PRESET, before.start, UTC)
            earlier.append(before)
        start = month.start + timedelta(days=14, hours=12)
        return cls(month, tuple(earlier), Window(start, start + timedelta(minutes=15)))

    @property
    def year(self) -> Window:
        """All twelve months."""
        return Window(self.earlier[-1].start, self.month.end)

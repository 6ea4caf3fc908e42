"""Billing periods: the spans in which a running total counts against a limit.

Standard library only. Calendar months are another thing, whatever the periods are: bars, presets
and comparisons use those.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from enum import StrEnum

from data.rules.calendar import Span, month_at


class LimitScope(StrEnum):
    """What a running total covers: every workspace of whoever pays, or one workspace alone."""

    ACCOUNT = "account"
    WORKSPACE = "workspace"


@dataclass(frozen=True)
class BillingPeriod(Span):
    """The span of one running total.

    ``limit`` is what of it is included, in dollars; None where no limit is set. ``name`` is what
    people call the period.
    """

    limit: Decimal | None
    name: str


@dataclass(frozen=True)
class Terms:
    """How an account is billed: by the calendar month of ``zone``, up to ``limit`` dollars."""

    limit: Decimal | None
    zone: tzinfo

    def period_at(self, instant: datetime) -> BillingPeriod:
        """Return the billing period that holds ``instant``."""
        month = month_at(instant, self.zone)
        return BillingPeriod(month.start, month.end, self.limit, f"{month.first:%B}")

    def periods_at(self, instants: Iterable[datetime]) -> list[BillingPeriod]:
        """Return the distinct billing periods that hold ``instants``, earliest first."""
        periods: list[BillingPeriod] = []
        for instant in instants:
            if not any(instant in period for period in periods):
                periods.append(self.period_at(instant))
        return sorted(periods, key=lambda period: period.start)

"""Billing periods: the spans in which a running total counts against a limit.

Standard library only. Calendar months are another thing, whatever the periods are: bars, presets
and comparisons use those.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from enum import StrEnum

from data.rules.calendar import EVER, Span
from data.rules.cycles import Cycle, Months


class LimitScope(StrEnum):
    """What a running total covers: every workspace of whoever pays, or one workspace alone."""

    ACCOUNT = "account"
    WORKSPACE = "workspace"


class LimitSource(StrEnum):
    """What the limit is: the usage limit that is set, or what the plan includes."""

    ACCOUNT = "account"
    PLAN = "plan"


class PeriodKind(StrEnum):
    """What a billing period is: a calendar month, or a period of the payer's subscription."""

    MONTH = "month"
    SUBSCRIPTION = "subscription"


@dataclass(frozen=True)
class Billing:
    """By which rules accounts are billed, the same for all of them; ``zone`` is the reporting's."""

    zone: tzinfo
    scope: LimitScope = LimitScope.ACCOUNT
    limit_source: LimitSource = LimitSource.ACCOUNT
    period: PeriodKind = PeriodKind.MONTH


@dataclass(frozen=True)
class BillingPeriod(Span):
    """The span of one running total.

    ``limit`` is what of it is included, in dollars; None where no limit is set. ``name`` is what
    people call the period. ``reconstructed`` says that the platform does not store it: it is
    stepped back to from the one that is stored.
    """

    limit: Decimal | None
    name: str
    kind: PeriodKind = PeriodKind.MONTH
    reconstructed: bool = False

    @property
    def endless(self) -> bool:
        """Whether it is the only one: no other comes before or after."""
        return self.start == EVER.start


@dataclass(frozen=True)
class Terms:
    """How an account is billed: by the periods of ``cycle``, up to ``limit`` dollars in each.

    ``no_end`` says that the limit stands for use on demand without an end.
    """

    limit: Decimal | None
    cycle: Cycle
    no_end: bool = False

    def period_at(self, instant: datetime) -> BillingPeriod:
        """Return the billing period that holds ``instant``."""
        held = self.cycle.at(instant)
        kind = PeriodKind.MONTH if isinstance(self.cycle, Months) else PeriodKind.SUBSCRIPTION
        start, end = held.span.start, held.span.end
        return BillingPeriod(start, end, self.limit, held.name, kind, held.reconstructed)

    def periods_at(self, instants: Iterable[datetime]) -> list[BillingPeriod]:
        """Return the distinct billing periods that hold ``instants``, earliest first."""
        periods: dict[BillingPeriod, None] = {}
        last = None
        for instant in instants:
            # Instants come in order, and most share a period with the one before.
            if last is None or instant not in last:
                last = self.period_at(instant)
                periods[last] = None
        return sorted(periods, key=lambda period: period.start)

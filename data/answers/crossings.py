"""Where an account crossed its limit, found in one snapshot by sums over ever shorter spans."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import islice
from typing import Final

from data.platform.rows import costs_in
from data.platform.terms import Account
from data.rules.allowance import Crossing, first_above
from data.rules.billing import BillingPeriod
from data.rules.calendar import EVER, Span, days_of, slices
from data.rules.money import ZERO, exact
from data.sums.totals import Totals

# What is longer than a year is cut into years, or centuries, at midnights of UTC, which is where
# the rollup's hours begin.
_LONG_STEPS: Final = (timedelta(days=36525), timedelta(days=366))
_STEPS: Final = (timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))
# No day of any zone is longer.
_DAY: Final = timedelta(hours=26)
# So many are read one by one; a span with more is cut once more. As many as a page has, so that
# finding the Crossing weighs no more than showing it.
_FEW_EXECUTIONS: Final = 100
_FEW_PERIODS: Final = 24
_REMEMBERED: Final = 10_000


class Crossings:
    """Finds the Crossings of accounts in billing periods, which it cuts into days of ``zone``.

    It remembers the short span that held each one and sums that first, with what comes before it.
    Those sums are of the snapshot, so a span that no longer holds the Crossing is seen as such.
    """

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._seen: dict[tuple[tuple[str, ...], datetime, datetime], Span] = {}

    def of(
        self, totals: Totals, account: Account, periods: Iterable[BillingPeriod]
    ) -> dict[BillingPeriod, Crossing]:
        """Return the Crossings of those of ``periods`` in which the account has one."""
        limited = {period: period.limit for period in periods if period.limit is not None}
        narrow = self._narrowed(totals, account, limited)
        if len(self._seen) > _REMEMBERED:
            self._seen.clear()
        crossings = {}
        for period, (span, before) in narrow.items():
            self._seen[account.workspace_ids, period.start, period.end] = span
            rows = costs_in(totals.snapshot, account.workspace_ids, span)
            passed = first_above([row.cost for row in rows], before, limited[period])
            if passed is None:
                raise AssertionError("a span passes the limit that its executions do not pass")
            place, before_it, after_it = passed
            position = rows[place].position
            crossings[period] = Crossing(period, position, before_it, after_it)
        return crossings

    def _narrowed(
        self, totals: Totals, account: Account, limited: Mapping[BillingPeriod, Decimal]
    ) -> dict[BillingPeriod, tuple[Span, Decimal]]:
        """Find a short span in which each period's total passes the limit, and the total before."""
        narrow = {}
        before = dict.fromkeys(limited, ZERO)
        spans: dict[BillingPeriod, list[Span]] = {}
        for period in before:
            seen = self._seen.get((account.workspace_ids, period.start, period.end))
            # Of many most have none, and need no look at their days.
            if seen:
                spans[period] = _up_to(seen, period)
            else:
                many = len(before) > _FEW_PERIODS
                spans[period] = [period] if many else self._cut(period)
        while spans:
            finer = {}
            for period, (costs, executions) in _sums(totals, account, spans).items():
                passed = first_above(costs, before[period], limited[period])
                if passed is not None:
                    place, before[period], _ = passed
                    span = spans[period][place]
                    cut = self._cut(span)
                    if cut and executions[place] > _FEW_EXECUTIONS:
                        finer[period] = cut
                    else:
                        narrow[period] = (span, before[period])
                elif (end := spans[period][-1].end) < period.end:
                    with exact():
                        before[period] = sum(costs, before[period])
                    rest = Span(end, period.end)
                    finer[period] = self._cut(rest) or [rest]
            spans = finer
        return narrow

    def _cut(self, span: Span) -> list[Span]:
        """Cut a span into centuries, years, days, hours, minutes or seconds; none of a second."""
        length = span.end - span.start
        for step in _LONG_STEPS:
            if length > step:
                return _cut_at_midnights(span, step)
        if length > _DAY:
            return days_of(span, self.zone)
        return next((slices(span, step) for step in _STEPS if step < length), [])


def _cut_at_midnights(span: Span, step: timedelta) -> list[Span]:
    first = span.start + (EVER.start - span.start) % step
    head = [Span(span.start, first)] if span.start < first else []
    return head + slices(Span(first, span.end), step)


def _up_to(seen: Span, period: BillingPeriod) -> list[Span]:
    return [Span(period.start, seen.start), seen]


def _sums(
    totals: Totals, account: Account, spans: Mapping[BillingPeriod, Sequence[Span]]
) -> dict[BillingPeriod, tuple[list[Decimal], list[int]]]:
    """Sum costs and executions of the spans of all periods in one statement."""
    together = [span for of_period in spans.values() for span in of_period]
    columns = totals.by_span(account.workspace_ids, together, "cost", "executions")
    costs, executions = (iter(columns[measure]) for measure in ("cost", "executions"))
    return {
        period: (list(islice(costs, len(of_period))), list(islice(executions, len(of_period))))
        for period, of_period in spans.items()
    }

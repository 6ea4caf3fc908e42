"""The figures of a whole window: its sums, beside earlier ones, step by step, against the limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cached_property, partial
from itertools import accumulate, pairwise
from typing import Final

from data.answers.crossings import Crossings
from data.platform.rows import extent_of, spans_in_use
from data.platform.selection import Selection
from data.platform.terms import Account
from data.question.query import Split, UsageQuery
from data.rules.allowance import Crossing
from data.rules.billing import BillingPeriod
from data.rules.calendar import FIRST_DAY, Span, Window, day_start, month_at
from data.rules.comparison import comparison_of
from data.rules.money import ZERO, exact, trimmed
from data.rules.steps import Unit, parts_of, steps_of, unit_of
from data.sums.by_span import Sums, sums_by, together
from data.sums.groups import Group, groups_by
from data.sums.totals import Totals

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class RunningTotals:
    """The account's running total in one billing period: dollars at ascending instants."""

    period: BillingPeriod
    points: Sequence[tuple[datetime, Decimal]]

    def after(self, step: Span) -> Decimal | None:
        """Return the total at the end of ``step``, as far as it has come; None before it began."""
        if self.period.start >= step.end:
            return None
        last, total = next(
            (point for point in reversed(self.points) if point[0] <= step.end), (None, None)
        )
        return total if last and last > step.start else None


@dataclass(frozen=True)
class Figures:
    """What a whole window adds up to, and how the account stands.

    ``by_step`` has the sums of each of ``steps``, which together are the window; ``groups`` splits
    their costs. ``earlier`` are the sums of the window ``comparison``; ``earliest`` is when the
    workspace's executions began; both are None where that was not before the window.
    ``crossings`` are the account's in the window, all of them where it is drawn. ``crossing`` and
    ``running_total`` (of the account, in full dollars) are those of ``period``, the billing period
    that holds the window's last instant, or now if that is earlier. The total is None, and
    ``running_totals`` is empty, for viewers to whom they would tell of other people's workspaces.
    """

    account: Account
    window: Window
    filtered: bool
    unit: Unit
    steps: Sequence[Span]
    by_step: Sequence[Sums]
    groups: Sequence[Group]
    comparison: Span | None
    earlier: Sums | None
    earliest: datetime | None
    crossings: Sequence[Crossing]
    period: BillingPeriod | None
    crossing: Crossing | None
    running_total: Decimal | None
    running_totals: Sequence[RunningTotals]

    @cached_property
    def sums(self) -> Sums:
        """The sums of the window."""
        return together(self.by_step)

    @cached_property
    def running_total_by_step(self) -> Sequence[Decimal | None]:
        """The account's running total at the end of each step; None where it is not told."""
        # A step in which a period began ends in that one.
        latest_first = self.running_totals[::-1]
        totals = ([each.after(step) for each in latest_first] for step in self.steps)
        return [next((total for total in each if total is not None), None) for each in totals]


def figures_of(
    totals: Totals,
    crossings: Crossings,
    account: Account,
    query: UsageQuery,
    split: Split,
    *,
    drawn: bool,
) -> Figures:
    """Read the figures of a window in one snapshot; not ``drawn``, it is one single step."""
    zone, window, terms = crossings.zone, query.window, account.terms
    snapshot, alone = totals.snapshot, [query.workspace_id]
    extent = extent_of(snapshot, alone, window)
    unit = unit_of(window)
    steps: Sequence[Span] = [window]
    if drawn and unit is Unit.MONTH:
        of_month = partial(month_at, zone=zone)
        months = spans_in_use(snapshot, alone, extent, of_month)
        steps = parts_of(window, months)
    elif drawn:
        steps = steps_of(window, unit, zone)
    comparison = comparison_of(window, zone, account.as_of)
    earliest, earlier_extent = _earlier(totals, query, comparison, zone)
    last = None
    if window.start < window.end:
        last = terms.period_at(min(_last_of(window), account.as_of))
    # The account crosses its limit while this workspace rests, too, which sums need not know.
    paid = account.workspace_ids if drawn else alone
    paid_extent = extent_of(snapshot, paid, window) if len(paid) > 1 else extent
    periods = {
        period
        for ids, extents in ((paid, paid_extent), (alone, earlier_extent))
        for period in spans_in_use(snapshot, ids, extents, terms.period_at)
    } | ({last} if last else set())
    found = crossings.of(totals, account, periods)
    selection = Selection(
        totals.snapshot.executions,
        query.workspace_id,
        window,
        query.filters,
        tuple(found.values()),
    )
    spans = [comparison, *steps] if comparison and earliest else steps
    sums = sums_by(totals, selection, spans)
    running_totals: list[RunningTotals] = []
    running_total = None
    if account.tells_amounts and last:
        running_totals, running_total = _running_totals(
            totals, account, last, steps if drawn else []
        )
    return Figures(
        account=account,
        window=window,
        filtered=bool(query.filters),
        unit=unit,
        steps=steps,
        by_step=sums[len(spans) - len(steps) :],
        groups=groups_by(totals, selection, steps, split),
        comparison=comparison,
        earlier=sums[0] if len(spans) > len(steps) else None,
        earliest=earliest,
        crossings=sorted(
            (each for each in found.values() if each.position.started_at in window),
            key=lambda each: each.position,
        ),
        period=last,
        crossing=found.get(last) if last else None,
        running_total=running_total,
        running_totals=running_totals,
    )


def _earlier(
    totals: Totals, query: UsageQuery, comparison: Span | None, zone: tzinfo
) -> tuple[datetime | None, tuple[datetime | None, datetime | None]]:
    """Return when the first execution before the window started, and the ends of ``comparison``."""
    if comparison is None:
        return None, (None, None)
    ever = Span(day_start(FIRST_DAY, zone), query.window.start)
    alone = [query.workspace_id]
    earliest, _ = extent_of(totals.snapshot, alone, ever)
    return earliest, extent_of(totals.snapshot, alone, comparison)


def _running_totals(
    totals: Totals, account: Account, last: BillingPeriod, steps: Sequence[Span]
) -> tuple[list[RunningTotals], Decimal]:
    """Add up the account's costs along ``steps``, and all of those in the period ``last``."""
    edges_of = _edges(account, last, steps)
    spans = [Span(*ends) for edges in edges_of.values() for ends in pairwise(edges)]
    costs = iter(totals.by_span(account.workspace_ids, spans, "cost")["cost"])
    found, total = [], ZERO
    with exact():
        for period, edges in edges_of.items():
            sums = accumulate((next(costs) for _ in edges[1:]), initial=ZERO)
            points = [(edge, trimmed(spent)) for edge, spent in zip(edges, sums, strict=True)]
            if period == last:
                total = points[-1][1]
            if shown := [point for point in points if _is_shown(point[0], account, steps)]:
                found.append(RunningTotals(period, shown))
    return found, total


def _is_shown(instant: datetime, account: Account, steps: Sequence[Span]) -> bool:
    return bool(steps) and steps[0].start <= instant <= _until(account, steps)


def _edges(
    account: Account, last: BillingPeriod, steps: Sequence[Span]
) -> dict[BillingPeriod, list[datetime]]:
    """Return the instants at which each period's running total is told, from its start on."""
    if not steps:
        return {last: [last.start, last.end]}
    until = _until(account, steps)
    begun = [Span(step.start, min(step.end, until)) for step in steps if step.start <= until]
    told = {edge for step in begun for edge in (step.start, step.end)}
    periods = account.terms.periods_at(
        instant for step in begun for instant in (step.start, _last_of(step))
    )
    edges = {
        period: {period.start, *(edge for edge in told if period.start < edge <= period.end)}
        for period in periods
    }
    edges.setdefault(last, {last.start}).add(last.end)
    # What ended within the steps is told to its end.
    for period in periods[:-1]:
        edges[period].add(period.end)
    return {period: sorted(each) for period, each in edges.items()}


def _last_of(span: Span) -> datetime:
    return max(span.start, span.end - _MICROSECOND)


def _until(account: Account, steps: Sequence[Span]) -> datetime:
    """Return where the line ends: nothing is told of what has not happened yet."""
    return max(steps[0].start, min(steps[-1].end, account.as_of))

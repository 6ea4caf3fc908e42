"""Labels and running totals where billing periods are a subscription's, or one without an end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.question.query import UsageQuery
from data.rules.billing import PeriodKind
from data.rules.calendar import Window
from tests.support.periods import walked
from tests.support.platform import (
    ALWAYS,
    PAYER,
    WORKSPACE,
    Platform,
    Run,
    first_page,
    labels,
    spaced,
    utc,
)

ZONES = [ZoneInfo("UTC"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]
BEGUN = utc("2024-12-15")
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Case:
    """An account, its subscription's anchor (None: it has none), and its executions in order."""

    anchor: datetime | None
    yearly: bool
    limit: Decimal
    runs: Sequence[Run]

    def write(self, stage: Platform) -> None:
        stage.clear()
        stage.account(self.limit)
        stage.grant(PAYER, WORKSPACE)
        if self.anchor:
            end = self.anchor + timedelta(days=365 if self.yearly else 28)
            stage.subscription(PAYER, "pro", period_start=self.anchor, period_end=end)
        stage.runs(self.runs)

    def period(self, at: datetime) -> tuple[datetime, datetime]:
        """Return the ends of the period that holds an instant."""
        starts = [datetime.min.replace(tzinfo=UTC)]
        if self.anchor:
            starts = list(walked(self.anchor, self.anchor.day, yearly=self.yearly))
        later = [start for start in starts if start > at]
        earlier = [start for start in starts if start <= at]
        return earlier[-1], later[0] if later else datetime.max.replace(tzinfo=UTC)

    def spent(self, start: datetime, end: datetime) -> Decimal:
        return sum((cost_of(run) for run in self.runs if start <= run.at < end), Decimal(0))

    def expected(self) -> dict[str, tuple[str, Decimal]]:
        found = {}
        for run in self.runs:
            start, _ = self.period(run.at)
            cost = cost_of(run)
            after = self.spent(start, run.at) + cost
            over = min(cost, max(Decimal(0), after - self.limit))
            found[run.id] = ("on_demand" if after > self.limit else "included", over)
        return found


def cost_of(run: Run) -> Decimal:
    return Decimal((run.cost or "").removeprefix('{"total": ').removesuffix("}"))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    anchor = draw(
        st.sampled_from(
            [
                *(None, utc("2026-01-31 18:45"), utc("2026-03-30"), utc("2025-12-31 23:59:59")),
                *(utc("2024-02-29 12:00"), utc("2026-08-29 04:00")),
            ]
        )
    )
    yearly = draw(st.booleans())
    edges = [BEGUN, utc("2026-01-01")]
    if anchor:
        starts = walked(anchor, anchor.day, yearly=yearly)
        edges += [start for start in starts if BEGUN < start < utc("2026-11-01")]
    places = st.one_of(
        st.builds(
            lambda edge, step: edge + step * MICROSECOND,
            st.sampled_from(edges),
            st.integers(-2, 2),
        ),
        st.integers(0, 680 * 86_400).map(lambda seconds: BEGUN + timedelta(seconds=seconds)),
    )
    instants = sorted(draw(st.sets(places, min_size=1, max_size=40)))
    runs = [
        Run(f"run-{number:02}", at, f'{{"total": {draw(st.integers(0, 400))}e-2}}')
        for number, at in enumerate(instants)
    ]
    return Case(anchor, yearly, Decimal(draw(st.integers(0, 12))), runs)


def asked(platform: Platform, zone: ZoneInfo) -> Ledger:
    return platform.ledger(zone, period=PeriodKind.SUBSCRIPTION)


@settings(max_examples=40)
@given(case=cases(), zone=st.sampled_from(ZONES))
def test_labels_are_those_of_the_plain_sum_of_each_period(
    any_stage: Platform, case: Case, zone: ZoneInfo
) -> None:
    case.write(any_stage)
    ledger = asked(any_stage, zone)
    # The second time it looks first where the limit was crossed before.
    for _ in range(2):
        assert labels(first_page(ledger)) == case.expected()


@settings(max_examples=40)
@given(
    case=cases(),
    zone=st.sampled_from(ZONES),
    days=st.tuples(st.integers(0, 700), st.sampled_from([1, 2, 30, 45, 400, 700])),
)
def test_running_totals_are_the_plain_sums_of_the_period_in_which_a_step_ends(
    any_stage: Platform, case: Case, zone: ZoneInfo, days: tuple[int, int]
) -> None:
    case.write(any_stage)
    start = BEGUN + timedelta(days=days[0])
    window = Window(start, start + timedelta(days=days[1]))
    figures = asked(any_stage, zone).figures(Viewer(PAYER), UsageQuery(WORKSPACE, window))
    begins, ends = case.period(min(window.end - MICROSECOND, figures.account.as_of))
    assert figures.period
    if case.anchor:
        assert (figures.period.start, figures.period.end) == (begins, ends)
    assert figures.running_total == case.spent(begins, ends)
    assert figures.sums.cost == case.spent(window.start, window.end)
    expected = case.expected()
    over = [expected[run.id][1] for run in case.runs if run.at in window]
    assert figures.sums.on_demand == sum(over, Decimal(0))
    for step, told in zip(figures.steps, figures.running_total_by_step, strict=True):
        until = min(step.end, figures.account.as_of)
        if step.start < until:
            begins, _ = case.period(until - MICROSECOND)
            assert told == case.spent(begins, until)


@contextmanager
def counted(platform: Platform) -> Iterator[list[Any]]:
    """Collect the statements that are executed, each with its parameters."""
    found: list[Any] = []

    def hook(*given: Any) -> None:
        found.append(given[3])

    event.listen(platform.reader, "before_cursor_execute", hook)
    try:
        yield found
    finally:
        event.remove(platform.reader, "before_cursor_execute", hook)


@pytest.mark.parametrize("yearly", [True, False])
def test_a_long_period_takes_few_statements_of_few_spans(
    any_stage: Platform, *, yearly: bool
) -> None:
    any_stage.clear()
    any_stage.account(1500)
    if yearly:
        start, end = utc("2026-01-31 18:45"), utc("2027-01-31 18:45")
        any_stage.subscription(PAYER, "pro", period_start=start, period_end=end)
    any_stage.runs(spaced(3000, start=utc("2026-05-05"), step=timedelta(seconds=1)))
    with counted(any_stage) as statements:
        [crossing] = first_page(asked(any_stage, ZONES[2]), window=ALWAYS).crossings
    assert crossing.position.id == "run-01500"
    assert len(statements) <= 16
    lengths = [
        len(value)
        for parameters in statements
        for value in (parameters or {}).values()
        if isinstance(value, list)
    ]
    assert max(lengths) <= 400

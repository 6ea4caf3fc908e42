"""The figures of a window agree to the last digit with its rows, under every filter and window."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.answers.figures import Figures
from data.platform.access import Viewer
from data.question.filters import NO_FILTERS, Filters
from data.question.query import Split, UsageQuery
from data.rules.billing import LimitScope
from data.rules.calendar import Span, Window, month_at
from data.rules.steps import Unit
from data.sums.by_span import Sums
from tests.support.filtering import START, Rows, fill, passes, rows_in_store, some_filters
from tests.support.platform import ALWAYS, PAYER, VIEWER, WORKSPACE, Platform, Run, rows_of, utc

END: Final = START + timedelta(days=6)
ZONES: Final = [UTC, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/Havana")]
UNFINISHED: Final = {"running", "pending", "paused", "redacting"}


@pytest.fixture(scope="module")
def shelf(any_stage: Platform) -> Platform:
    return fill(any_stage)


@pytest.fixture(scope="module")
def rows(shelf: Platform) -> Rows:
    return rows_in_store(shelf)


instants: Final = st.one_of(
    st.integers(0, 6 * 24).map(lambda hours: START + hours * timedelta(hours=1)),
    st.integers(0, 6 * 24 * 3600 * 10**6).map(lambda micro: START + timedelta(microseconds=micro)),
    # The instants of executions themselves.
    st.integers(0, 159).map(lambda place: START + place * timedelta(minutes=47)),
)
windows: Final = st.one_of(
    st.tuples(instants, instants).map(sorted).map(lambda ends: Window(ends[0], ends[1])),
    st.just(ALWAYS),
)


def added(rows: Iterable[dict[str, Any]]) -> Sums:
    """Add rows up one by one."""
    found = list(rows)
    return Sums(
        executions=len(found),
        unknown=sum(row["cost"] is None for row in found),
        unfinished=sum(row["status"] in UNFINISHED for row in found),
        tokens=sum(row["tokens"] or 0 for row in found),
        cost=sum((row["cost"] or Decimal(0) for row in found), Decimal(0)),
        on_demand=sum((row["on_demand"] or Decimal(0) for row in found), Decimal(0)),
    )


def rows_in(rows: Sequence[dict[str, Any]], span: Span) -> list[dict[str, Any]]:
    return [row for row in rows if row["started_at"] in span]


@settings(max_examples=50)
@given(
    filters=st.one_of(st.just(NO_FILTERS), some_filters),
    window=windows,
    split=st.sampled_from(Split),
    zone=st.sampled_from(ZONES),
)
def test_sums_steps_and_splits_are_those_of_the_rows(
    shelf: Platform, rows: Rows, *, filters: Filters, window: Window, split: Split, zone: ZoneInfo
) -> None:
    ledger = shelf.ledger(zone)
    everything = rows(zone)
    expected = [row for row in everything if passes(row, filters)]
    figures = ledger.figures(Viewer(PAYER), UsageQuery(WORKSPACE, window, filters=filters), split)
    assert figures.sums == added(rows_in(expected, window))
    assert list(figures.by_step) == [added(rows_in(expected, step)) for step in figures.steps]
    if figures.earlier:
        assert figures.comparison
        assert figures.earlier == added(rows_in(expected, figures.comparison))
    else:
        assert not any(row["started_at"] < window.start for row in everything)
    summary = ledger.summary(VIEWER, UsageQuery(WORKSPACE, window, filters=filters))
    assert (summary.sums, summary.earlier) == (figures.sums, figures.earlier)
    if split is not Split.TYPE:
        for place, step in enumerate(figures.by_step):
            assert sum((group.costs[place] for group in figures.groups), Decimal(0)) == step.cost
    _check_running_totals(rows, figures, zone)


def _check_running_totals(rows: Rows, figures: Figures, zone: ZoneInfo) -> None:
    of_account = [
        (row["started_at"], row["cost"] or Decimal(0))
        for workspace in (WORKSPACE, "sibling")
        for row in rows(zone, workspace)
    ]
    for of_period in figures.running_totals:
        assert [at for at, _ in of_period.points] == sorted(at for at, _ in of_period.points)
        for at, total in of_period.points:
            spent = [
                cost for started_at, cost in of_account if of_period.period.start <= started_at < at
            ]
            assert total == sum(spent, Decimal(0))
    for step, told in zip(figures.steps, figures.running_total_by_step, strict=True):
        if told is not None:
            period = month_at(step.start, zone)
            spent = [cost for at, cost in of_account if period.start <= at < step.end]
            assert told == sum(spent, Decimal(0))
    assert bool(figures.running_totals) == any(
        told is not None for told in figures.running_total_by_step
    )
    if figures.period:
        spent = [cost for at, cost in of_account if at in figures.period]
        assert figures.running_total == sum(spent, Decimal(0))


def test_years_are_cut_into_months_from_the_first_to_the_last_in_use(platform: Platform) -> None:
    platform.account()
    platform.runs(
        Run(f"r{place}", utc(start), '{"total": 1.5}')
        for place, start in enumerate(("2024-01-15", "2024-03-10"))
    )
    figures = platform.ledger(ZoneInfo("Europe/Berlin")).figures(
        VIEWER, UsageQuery(WORKSPACE, Window(utc("2024-01-10"), utc("2027-01-01")))
    )
    assert figures.unit is Unit.MONTH
    edges = ["2024-01-10", "2024-01-31 23:00", "2024-02-29 23:00", "2024-03-31 22:00"]
    assert [step.start for step in figures.steps] == list(map(utc, edges[:-1]))
    assert [step.end for step in figures.steps] == list(map(utc, edges[1:]))
    assert [float(sums.cost) for sums in figures.by_step] == [1.5, 0, 1.5]


def test_a_clock_that_was_wrong_by_centuries_costs_no_time(platform: Platform) -> None:
    platform.account(2)
    platform.grant(PAYER, WORKSPACE)
    starts = ("1970-01-02", "2026-11-20", "2026-11-21", "2999-01-01", "9998-12-30")
    platform.runs(
        Run(f"r{place}", utc(start), '{"total": 1.5}') for place, start in enumerate(starts)
    )
    ledger = platform.ledger()
    query = UsageQuery(WORKSPACE, Window(utc("1970-01-01"), utc("9999-01-01")))
    figures = ledger.figures(Viewer(PAYER), query)
    assert [step.start.year for step in figures.steps] == [1970, 2026, 2999, 9998]
    assert [sums.cost for sums in figures.by_step] == [
        Decimal(n) for n in ("1.5", "3", "1.5", "1.5")
    ]
    assert (figures.sums.on_demand, len(figures.crossings)) == (Decimal(1), 1)
    on_demand = replace(query, filters=Filters(type=("on_demand",)))
    assert [row["id"] for row in rows_of(ledger.page(VIEWER, on_demand))] == ["r2"]


def test_a_split_tells_the_dearest_from_the_rest(platform: Platform) -> None:
    platform.account()
    at = utc("2026-10-05 12:00")
    for number in range(9):
        platform.workflow(f"{number}{number}-workflow", "Twin" if number < 2 else f"Flow {number}")
    platform.runs(
        Run(
            f"run-{number}",
            at,
            f'{{"total": {10 - number}, "models": {{"m{number}": {{"total": 0.5}}}}}}',
            workflow=f"{number}{number}-workflow",
        )
        for number in range(9)
    )
    platform.runs([Run("gone", at, '{"total": 9.5}')])
    query = UsageQuery(WORKSPACE, Window(utc("2026-10-05"), utc("2026-10-06")))
    by_workflow = platform.ledger().figures(VIEWER, query, Split.WORKFLOW).groups
    assert [(group.label, sum(group.costs)) for group in by_workflow] == [
        ("Twin (00-workf)", 10),
        ("Deleted workflow", Decimal("9.5")),
        ("Twin (11-workf)", 9),
        ("Flow 2", 8),
        ("Flow 3", 7),
        ("Flow 4", 6),
        ("Flow 5", 5),
        ("Other", 4 + 3 + 2),
    ]
    assert by_workflow[1].key == "deleted"
    by_model = platform.ledger().figures(VIEWER, query, Split.MODEL).groups
    assert [(group.label, sum(group.costs)) for group in by_model] == [
        *((f"m{number}", Decimal("0.5")) for number in range(7)),
        ("Other", 1),
        ("Base and tools", 54 + Decimal("9.5") - Decimal("4.5")),
    ]


def test_the_running_total_is_told_to_the_payer_alone(shelf: Platform) -> None:
    query = UsageQuery(WORKSPACE, Window(START, END))
    assert shelf.ledger().figures(Viewer(PAYER), query).running_totals
    assert shelf.ledger(scope=LimitScope.WORKSPACE).figures(VIEWER, query).running_totals
    assert shelf.ledger().figures(VIEWER, query).running_totals == []
    assert shelf.ledger().figures(VIEWER, query).running_total is None
    assert len(shelf.ledger().figures(VIEWER, query).crossings) == 2


def test_nothing_is_told_of_what_has_not_happened_yet(platform: Platform) -> None:
    now = datetime.now(UTC)
    platform.account()
    platform.runs([Run("now", now - timedelta(minutes=1))])
    month = month_at(now, UTC)
    query = UsageQuery(WORKSPACE, Window(month.start, month.end))
    figures = platform.ledger(scope=LimitScope.WORKSPACE).figures(VIEWER, query)
    assert figures.running_totals[-1].points[-1][0] == figures.account.as_of
    assert figures.running_totals[-1].points[-1][1] == 1
    assert figures.steps[-1].end == month.end


def test_the_first_instant_of_a_month_has_no_steps(platform: Platform) -> None:
    platform.account()
    start = utc("2026-10-01")
    figures = platform.ledger().figures(VIEWER, UsageQuery(WORKSPACE, Window(start, start)))
    assert (list(figures.steps), figures.sums, figures.earlier) == ([], Sums(), None)


@pytest.mark.parametrize("filters", [NO_FILTERS, Filters(trigger=("api",))])
def test_no_digit_is_lost_at_the_crossing(platform: Platform, filters: Filters) -> None:
    cost = "0." + 30 * "9"
    platform.account(0)
    platform.runs([Run("a", utc("2026-10-05"), f'{{"total": {cost}}}')])
    query = UsageQuery(WORKSPACE, Window(utc("2026-10-01"), utc("2026-11-01")), filters=filters)
    sums = platform.ledger().figures(VIEWER, query).sums
    assert (sums.on_demand, sums.included) == (Decimal(cost), Decimal(0))


def test_the_account_crosses_its_limit_while_the_workspace_rests(platform: Platform) -> None:
    platform.account(1, WORKSPACE, "other")
    platform.runs([Run("here", utc("2026-09-10"), '{"total": 0.5}')])
    platform.runs(
        Run(f"r{month}", utc(f"2026-{month:02}-20"), '{"total": 2}', "other")
        for month in (8, 9, 10, 11)
    )
    query = UsageQuery(WORKSPACE, Window(utc("2026-08-01"), utc("2026-11-21")))
    figures = platform.ledger().figures(VIEWER, query)
    assert [crossing.period.start.month for crossing in figures.crossings] == [8, 9, 10, 11]


def test_crossings_come_in_their_order_and_months_are_whole(platform: Platform) -> None:
    platform.account(1)
    platform.runs(
        Run(f"r{month}", utc(f"2026-{month:02}-10"), '{"total": 2}') for month in (9, 4, 7, 11, 2)
    )
    query = UsageQuery(WORKSPACE, Window(utc("2020-01-01"), utc("2027-01-01")))
    figures = platform.ledger().figures(VIEWER, query)
    assert [crossing.period.start.month for crossing in figures.crossings] == [2, 4, 7, 9, 11]
    ends = (figures.steps[0].start, figures.steps[-1].end)
    assert ends == (utc("2026-02-01"), utc("2026-12-01"))

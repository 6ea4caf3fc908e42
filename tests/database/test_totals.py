from datetime import UTC, timedelta
from decimal import Decimal

import pytest

from data.platform.snapshot import Snapshot
from data.rules.calendar import Span, days_of, month_at
from data.sums.totals import Totals
from tests.support.platform import WORKSPACE, Platform, Run, utc

NOON = utc("2026-10-10 12:00")
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def platform(either: Platform) -> Platform:
    return either


def totals(platform: Platform, spans: list[Span], *workspaces: str) -> list[tuple[Decimal, int]]:
    with platform.reader.connect() as connection:
        sums = Totals.of(Snapshot.of(connection)).by_span(
            workspaces or (WORKSPACE,), spans, "cost", "executions"
        )
    return list(zip(sums["cost"], sums["executions"], strict=True))


def test_each_span_has_its_sum_and_count_in_the_order_they_were_asked_for(
    platform: Platform,
) -> None:
    platform.account()
    platform.runs([Run(str(n), NOON + n * HOUR, f'{{"total": {n}.1}}') for n in range(4)])
    spans = [Span(NOON + 2 * HOUR, NOON + 4 * HOUR), Span(NOON, NOON + HOUR)]
    assert totals(platform, spans) == [(Decimal("5.2"), 2), (Decimal("0.1"), 1)]


def test_a_span_holds_its_start_and_not_its_end(platform: Platform) -> None:
    platform.account()
    edges = [NOON - MICROSECOND, NOON, NOON + HOUR - MICROSECOND, NOON + HOUR]
    platform.runs([Run(str(n), edge, f'{{"total": {10**n}}}') for n, edge in enumerate(edges)])
    assert totals(platform, [Span(NOON, NOON + HOUR)]) == [(Decimal(110), 2)]


def test_an_unknown_cost_adds_nothing_and_its_execution_is_counted(platform: Platform) -> None:
    platform.account()
    platform.runs([Run("1", NOON, None), Run("2", NOON, '{"total": "?"}'), Run("3", NOON)])
    assert totals(platform, [Span(NOON, NOON + HOUR)]) == [(Decimal(1), 3)]


def test_an_empty_span_costs_an_exact_zero(platform: Platform) -> None:
    platform.account()
    [(cost, executions)] = totals(platform, [Span(NOON, NOON + HOUR)])
    assert (cost, executions) == (Decimal(0), 0)
    assert isinstance(cost, Decimal)


def test_of_two_spans_that_start_together_the_empty_one_has_nothing(platform: Platform) -> None:
    platform.account()
    platform.runs([Run("1", NOON)])
    spans = [Span(NOON, NOON + HOUR), Span(NOON, NOON)]
    assert totals(platform, spans) == [(Decimal(1), 1), (Decimal(0), 0)]


def test_no_spans_have_no_totals(platform: Platform) -> None:
    assert totals(platform, []) == []


def test_only_the_workspaces_that_were_named_count(platform: Platform) -> None:
    platform.account(None, WORKSPACE, "second", "third")
    platform.runs([Run(name, NOON, workspace=name) for name in (WORKSPACE, "second", "third")])
    span = Span(NOON, NOON + HOUR)
    assert totals(platform, [span]) == [(Decimal(1), 1)]
    assert totals(platform, [span], WORKSPACE, "third") == [(Decimal(2), 2)]


def test_the_days_of_a_month_add_up_to_the_month_without_rounding(platform: Platform) -> None:
    platform.account()
    platform.runs(
        [
            Run("1", utc("2026-10-01"), '{"total": 999999999999.999999999999999999999999999999}'),
            Run("2", utc("2026-10-02"), '{"total": 1e-30}'),
            Run("3", utc("2026-10-02 23:00"), '{"total": 1e-30}'),
            Run("4", utc("2026-10-31 23:59:59.999999"), '{"total": 0.005}'),
        ]
    )
    month = month_at(NOON, UTC)
    days = totals(platform, days_of(month, UTC))
    assert len(days) == 31
    assert days[1] == (Decimal("2e-30"), 2)
    [(whole, executions)] = totals(platform, [month])
    assert executions == 4
    assert format(whole, "f") == "1000000000000.005000000000000000000000000001"

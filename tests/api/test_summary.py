"""The sums of a window, and what they tell of the limit to whom."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.conftest import Api
from tests.support.platform import PAYER, WORKSPACE, Platform, Run, utc

FIELDS = [
    "object",
    "period",
    "as_of",
    "executions",
    "tokens",
    "cost_usd",
    "included_usd",
    "on_demand_usd",
    "unknown",
    "limit_usd",
    "crossed_at",
    "running_total_usd",
]
# In September the second run crosses the limit of 10, in October the third, in November none.
HISTORY = [
    Run("s1", utc("2026-09-10 12:00"), '{"total": 6.5, "tokens": 10}'),
    Run("s2", utc("2026-09-20 12:00"), '{"total": 6, "tokens": 20}'),
    Run("o1", utc("2026-10-01 00:00"), '{"total": 4.000000000000000001}'),
    Run("o2", utc("2026-10-05 12:00"), '{"total": "unclear", "tokens": 5}'),
    Run("o3", utc("2026-10-10 12:00"), '{"total": 5}', "other"),
    Run("o4", utc("2026-10-15 12:00"), '{"total": 3, "tokens": 7}'),
    Run("o5", utc("2026-10-20 12:00"), '{"total": 2}'),
    Run("n1", utc("2026-11-02 12:00"), '{"total": 9.99}'),
]


@pytest.fixture
def booked(platform: Platform) -> Platform:
    platform.account(10, WORKSPACE, "other")
    platform.grant(PAYER, WORKSPACE)
    platform.runs(HISTORY)
    return platform


@pytest.mark.usefixtures("booked")
def test_a_summary_has_exactly_these_fields(api: Api) -> None:
    summary = api.summary(workspaceId=WORKSPACE, from_="2026-10-01", to="2026-10-31")
    assert list(summary) == [*FIELDS, "unfinished", "previous", "billing_period"]
    assert summary["object"] == "usage_summary"
    assert summary["period"] == {
        "from": "2026-10-01T00:00:00.000000Z",
        "to": "2026-11-01T00:00:00.000000Z",
        "timezone": "UTC",
        "preset": None,
    }
    as_of = datetime.fromisoformat(summary["as_of"])
    assert timedelta(0) <= datetime.now(UTC) - as_of < timedelta(minutes=1)


def test_a_month_with_a_crossing_is_told_in_full_to_the_payer_only(
    booked: Platform, api: Api, api_of: Callable[..., Api]
) -> None:
    window = {"workspaceId": WORKSPACE, "from_": "2026-10-01", "to": "2026-10-31"}
    summary = api.summary(**window)
    told = {name: summary[name] for name in FIELDS[3:]}
    assert told == {
        "executions": 4,
        "tokens": 12,
        "cost_usd": "9.000000000000000001",
        "included_usd": "5",
        "on_demand_usd": "4.000000000000000001",
        "unknown": 1,
        "limit_usd": "10",
        "crossed_at": "2026-10-15T12:00:00.000000Z",
        "running_total_usd": None,
    }
    to_the_payer = api_of(booked.reader, PAYER).summary(**window)
    assert to_the_payer["running_total_usd"] == "14.000000000000000001"
    assert {**to_the_payer, "running_total_usd": None, "as_of": summary["as_of"]} == summary


def test_with_scope_workspace_the_running_total_is_told_to_every_viewer(
    booked: Platform, api_of: Callable[..., Api]
) -> None:
    api = api_of(booked.reader, USAGE_LIMIT_SCOPE="workspace")
    summary = api.summary(workspaceId=WORKSPACE, from_="2026-10-01", to="2026-10-31")
    assert summary["running_total_usd"] == "9.000000000000000001"
    assert (summary["crossed_at"], summary["on_demand_usd"]) == (None, "0")


def test_a_window_over_months_sums_each_by_its_own_crossing_and_speaks_of_the_last(
    booked: Platform, api_of: Callable[..., Api]
) -> None:
    summary = api_of(booked.reader, PAYER).summary(
        workspaceId=WORKSPACE, from_="2026-09-01", to="2026-11-30"
    )
    assert summary["executions"] == 7
    assert Decimal(summary["on_demand_usd"]) == Decimal("2.5") + Decimal("4.000000000000000001")
    assert Decimal(summary["cost_usd"]) == Decimal("31.490000000000000001")
    assert Decimal(summary["included_usd"]) + Decimal(summary["on_demand_usd"]) == Decimal(
        summary["cost_usd"]
    )
    # November, which holds the last instant, has no crossing.
    assert (summary["crossed_at"], summary["running_total_usd"]) == (None, "9.99")


@pytest.mark.parametrize(
    ("first", "last", "on_demand", "crossed_at"),
    [
        # The crossing lies after the window, before it, in it; each in the period of its end.
        ("2026-10-01", "2026-10-03", "0", "2026-10-15T12:00:00.000000Z"),
        ("2026-10-16", "2026-10-31", "2", "2026-10-15T12:00:00.000000Z"),
        ("2026-10-15", "2026-10-15", "2.000000000000000001", "2026-10-15T12:00:00.000000Z"),
        ("2026-09-15", "2026-10-02", "2.5", "2026-10-15T12:00:00.000000Z"),
        ("2026-08-01", "2026-08-31", "0", None),
    ],
)
@pytest.mark.usefixtures("booked")
def test_the_crossing_is_that_of_the_period_wherever_the_window_lies(
    api: Api, first: str, last: str, on_demand: str, crossed_at: str | None
) -> None:
    summary = api.summary(workspaceId=WORKSPACE, from_=first, to=last)
    assert Decimal(summary["on_demand_usd"]) == Decimal(on_demand)
    assert summary["crossed_at"] == crossed_at


def test_a_crossing_by_another_workspace_is_told_as_an_instant_and_nothing_else(
    platform: Platform, api: Api
) -> None:
    platform.account(10)
    platform.workspace("secret")
    platform.workflow("wf-secret", "Secret plan", workspace_id="secret")
    platform.runs(
        [
            Run("theirs", utc("2026-10-05 12:00"), '{"total": 4711.0815}', "secret", "wf-secret"),
            Run("ours", utc("2026-10-06 12:00"), '{"total": 1}'),
        ]
    )
    window = {"workspaceId": WORKSPACE, "from_": "2026-10-01", "to": "2026-10-31"}
    summary = api.summary(**window)
    assert summary["crossed_at"] == "2026-10-05T12:00:00.000000Z"
    assert (summary["executions"], summary["on_demand_usd"]) == (1, "1")
    assert summary["running_total_usd"] is None
    everything = f"{summary}{api.page(**window)}{api.export(**window).text}"
    for word in ("theirs", "Secret", "secret", "4711.0815", "4712.0815"):
        assert word not in everything


@pytest.mark.parametrize("stats", [True, False])
def test_without_a_limit_everything_is_included(
    platform: Platform, api_of: Callable[..., Api], *, stats: bool
) -> None:
    platform.account(None, stats=stats)
    platform.grant(PAYER, WORKSPACE)
    platform.runs(HISTORY[:1])
    summary = api_of(platform.reader, PAYER).summary(
        workspaceId=WORKSPACE, from_="2026-09-01", to="2026-09-30"
    )
    assert (summary["included_usd"], summary["on_demand_usd"]) == ("6.5", "0")
    assert (summary["limit_usd"], summary["crossed_at"]) == (None, None)
    assert summary["running_total_usd"] == "6.5"


def test_a_negative_limit_is_told_as_zero(platform: Platform, api: Api) -> None:
    platform.account("-3")
    platform.runs(HISTORY[:1])
    summary = api.summary(workspaceId=WORKSPACE, from_="2026-09-01", to="2026-09-30")
    assert (summary["limit_usd"], summary["on_demand_usd"]) == ("0", "6.5")


def test_a_window_without_executions_sums_to_zero_in_the_same_shape(
    booked: Platform, api_of: Callable[..., Api]
) -> None:
    summary = api_of(booked.reader, PAYER).summary(
        workspaceId=WORKSPACE, from_="2026-11-10T00:00:00Z", to="2026-11-11T00:00:00Z"
    )
    assert {name: summary[name] for name in FIELDS[3:]} == {
        "executions": 0,
        "tokens": 0,
        "cost_usd": "0",
        "included_usd": "0",
        "on_demand_usd": "0",
        "unknown": 0,
        "limit_usd": "10",
        "crossed_at": None,
        "running_total_usd": "9.99",
    }


def test_a_window_ends_before_its_last_instant_and_so_does_its_billing_period(
    booked: Platform, api_of: Callable[..., Api]
) -> None:
    api = api_of(booked.reader, PAYER)
    september = api.summary(
        workspaceId=WORKSPACE, from_="2026-09-20T12:00:00Z", to="2026-10-01T00:00:00Z"
    )
    assert (september["executions"], september["running_total_usd"]) == (1, "12.5")
    assert september["crossed_at"] == "2026-09-20T12:00:00.000000Z"
    october = api.summary(
        workspaceId=WORKSPACE, from_="2026-09-20T12:00:00Z", to="2026-10-01T00:00:00.000001Z"
    )
    assert (october["executions"], october["running_total_usd"]) == (2, "14.000000000000000001")


def test_sums_of_costs_beyond_28_digits_keep_every_digit(platform: Platform, api: Api) -> None:
    platform.account("0.000000000000000000000000000001")
    platform.runs(
        [
            Run("big", utc("2026-10-05 12:00"), '{"total": 999999999999.5}'),
            Run("tiny", utc("2026-10-06 12:00"), '{"total": 3e-30}'),
        ]
    )
    summary = api.summary(workspaceId=WORKSPACE, from_="2026-10-01", to="2026-10-31")
    assert summary["cost_usd"] == "999999999999.500000000000000000000000000003"
    assert summary["on_demand_usd"] == "999999999999.500000000000000000000000000002"
    assert summary["included_usd"] == "0.000000000000000000000000000001"


def test_a_window_that_reaches_into_the_future_speaks_of_the_billing_period_of_now(
    platform: Platform, api_of: Callable[..., Api]
) -> None:
    now = datetime.now(UTC)
    platform.account(1)
    platform.grant(PAYER, WORKSPACE)
    platform.runs([Run("now", now - timedelta(seconds=1), '{"total": 3}')])
    platform.runs([Run("later", now + timedelta(days=40), '{"total": 9}')])
    asked = {"from_": f"{now - timedelta(days=1):%F}", "to": f"{now + timedelta(days=60):%F}"}
    to_payer = api_of(platform.reader, PAYER)
    summary = to_payer.summary(workspaceId=WORKSPACE, **asked)
    period = summary["billing_period"]
    assert period["from"] <= summary["as_of"] < period["to"]
    # A second ago may have been another month.
    begun = datetime.fromisoformat(period["from"]) <= now - timedelta(seconds=1)
    assert summary["running_total_usd"] == ("3" if begun else "0")
    assert summary["cost_usd"] == "12"
    series = to_payer.json(
        "billing/usage/series",
        {"workspaceId": WORKSPACE, **{name.rstrip("_"): day for name, day in asked.items()}},
    )
    assert series["running_total"][-1]["period"] == period

"""The course of a window's costs over HTTP: beside the summary, the list and the export."""

import csv
import io
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.platform.access import Viewer
from data.question.filters import NO_FILTERS, Filters
from tests.conftest import Api
from tests.support.filtering import fill, some_filters
from tests.support.platform import PAYER, VIEWER_ID, WORKSPACE, Platform, Run, utc

# Days; ends within hours and minutes; years, drawn by the month.
WINDOWS: Final = [
    {"from": "2026-10-30", "to": "2026-11-05"},
    {"from": "2026-10-31T09:17:03Z", "to": "2026-11-01T21:47:00.000001Z"},
    {"from": "2024-01-01", "to": "2026-12-31"},
]


@pytest.fixture(scope="module")
def faces(any_stage: Platform) -> Api:
    fill(any_stage)
    return Api(any_stage.reader, Viewer(PAYER), {})


def total(amounts: Any) -> Decimal:
    return sum((Decimal(amount) for amount in amounts), Decimal(0))


@settings(max_examples=25)
@given(
    window=st.sampled_from(WINDOWS),
    filters=st.one_of(st.just(NO_FILTERS), some_filters),
    split=st.sampled_from(["type", "workflow", "model"]),
)
def test_series_summary_list_and_export_agree_to_the_last_digit(
    faces: Api, window: dict[str, str], filters: Filters, split: str
) -> None:
    asked: dict[str, Any] = {"workspaceId": WORKSPACE, **window, **filters.params()}
    summary = faces.json("billing/usage/summary", asked)
    series = faces.json("billing/usage/series", asked | {"split": split})
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = faces.json("billing/usage", asked | cursor)
        rows += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = {"starting_after": page["next_cursor"]}
    export = faces.get("billing/usage/export", asked)
    written = list(csv.DictReader(io.StringIO(export.text)))
    assert summary["executions"] == len(rows) == len(written)
    assert Decimal(summary["cost_usd"]) == total(row["cost_usd"] or 0 for row in rows)
    assert Decimal(summary["cost_usd"]) == total(row["Cost (USD)"] or 0 for row in written)
    assert Decimal(summary["on_demand_usd"]) == total(row["on_demand_usd"] or 0 for row in rows)
    assert summary["tokens"] == sum(row["tokens"] or 0 for row in rows)
    for name in ("executions", "tokens", "unknown", "unfinished"):
        assert sum(step[name] for step in series["steps"]) == summary[name]
    for name in ("cost_usd", "included_usd", "on_demand_usd"):
        assert total(step[name] for step in series["steps"]) == Decimal(summary[name])
    if split != "type":
        for place, step in enumerate(series["steps"]):
            parts = (share["costs_usd"][place] for share in series["shares"])
            assert total(parts) == Decimal(step["cost_usd"])


def test_the_previous_window_is_what_a_summary_of_it_says(faces: Api) -> None:
    asked = {"workspaceId": WORKSPACE, "from": "2026-11-01", "to": "2026-11-04", "trigger": "api"}
    previous = faces.json("billing/usage/summary", asked)["previous"]
    ends = {"from": previous.pop("from"), "to": previous.pop("to")}
    assert ends == {"from": "2026-10-01T00:00:00.000000Z", "to": "2026-10-05T00:00:00.000000Z"}
    of_that = faces.json("billing/usage/summary", asked | ends)
    assert previous == {name: of_that[name] for name in previous}
    first = asked | {"from": "2026-10-29", "to": "2026-10-30"}
    assert faces.json("billing/usage/summary", first)["previous"] is None


def test_amounts_of_the_account_are_told_to_the_payer_only(faces: Api, any_stage: Platform) -> None:
    asked = {"workspaceId": WORKSPACE, **WINDOWS[0]}
    told = faces.json("billing/usage/series", asked)
    assert [month["month"] for month in told["running_total"]] == ["2026-10", "2026-11"]
    assert [crossing["month"] for crossing in told["crossings"]] == ["2026-10", "2026-11"]
    october = {"from": "2026-10-01T00:00:00.000000Z", "to": "2026-11-01T00:00:00.000000Z"}
    for entry in (told["running_total"][0], told["crossings"][0]):
        assert entry["period"] == {**october, "name": "October"}
    withheld = Api(any_stage.reader, Viewer(VIEWER_ID), {}).json("billing/usage/series", asked)
    assert withheld["running_total"] is None
    assert withheld["crossings"] == told["crossings"]
    assert withheld["steps"] == told["steps"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"split": "user"}, "parameter_invalid"),
        ({"split": ["type", "model"]}, "parameter_repeated"),
        ({"limit": "5"}, "parameter_unknown"),
    ],
)
def test_a_split_that_there_is_not_is_refused(
    faces: Api, params: dict[str, Any], code: str
) -> None:
    error = faces.refusal(400, "billing/usage/series", {"workspaceId": WORKSPACE, **params})
    assert (error["code"], error["param"]) == (code, next(iter(params)))


def test_where_billing_periods_are_no_months_their_ends_are_told(platform: Platform) -> None:
    platform.account(1)
    platform.grant(PAYER, WORKSPACE)
    platform.subscription(PAYER, "pro", period_start=utc("2026-11-05 09:15"))
    platform.runs(Run(str(day), utc(f"2026-11-{day:02}"), '{"total": 2}') for day in (4, 6))
    by_subscription = Api(platform.reader, Viewer(PAYER), {"USAGE_PERIOD": "subscription"})
    asked = {"workspaceId": WORKSPACE, "from": "2026-11-04", "to": "2026-11-06"}
    series = by_subscription.json("billing/usage/series", asked)
    periods = [
        {
            "from": f"2026-{month:02}-05T09:15:00.000000Z",
            "to": f"2026-{month + 1:02}-05T09:15:00.000000Z",
            "name": name,
        }
        for month, name in ((10, "5 Oct – 5 Nov"), (11, "5 Nov – 5 Dec"))
    ]
    for entries in (series["running_total"], series["crossings"]):
        assert [(entry["month"], entry["period"]) for entry in entries] == [
            (None, period) for period in periods
        ]
    assert [entry["points"][-1]["usd"] for entry in series["running_total"]] == ["2", "2"]
    summary = by_subscription.json("billing/usage/summary", asked)
    assert summary["billing_period"] == periods[1]
    platform.sql("DELETE FROM subscription")
    assert by_subscription.json("billing/usage/summary", asked)["billing_period"] == {
        "from": "1970-01-01T00:00:00.000000Z",
        "to": None,
        "name": "since the beginning",
    }

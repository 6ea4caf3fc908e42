"""One execution in full, and what it tells of the limit to whom."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from data.platform.access import Viewer
from tests.conftest import Api
from tests.support.platform import PAYER, WORKSPACE, Platform, Run, utc

PATH = "billing/usage/execution"
COST = """{"total": 4.005, "tokens": {"input": 96310, "output": 22110, "total": 118420}, "models": {
    "gpt-4o": {"total": 1, "tokens": {"prompt": 10, "completion": 10}},
    "claude": {"total": 3, "tokens": {"input": 96300, "output": 22100}}}}"""


@pytest.fixture
def booked(platform: Platform) -> Platform:
    platform.account(10, WORKSPACE, "other")
    platform.grant(PAYER, WORKSPACE)
    platform.workflow("wf/1", "Lead enrichment")
    platform.runs(
        [
            Run("before", utc("2026-10-05 12:00"), '{"total": 7.5}', "other"),
            Run("one", utc("2026-10-10 12:00"), COST, workflow="wf/1", execution_id="8f3b &?/é"),
            Run("unknown", utc("2026-10-11 12:00"), '{"total": "?", "models": {"a": {}}}'),
        ]
    )
    platform.sql(
        "UPDATE workflow_execution_logs SET ended_at = '2026-10-10 12:00:41.8', "
        "total_duration_ms = 41800 WHERE id = 'one'"
    )
    return platform


def part(model: str | None, cost: str, *tokens: int | None) -> dict[str, Any]:
    names = ("input_tokens", "output_tokens", "tokens")
    return {"model": model, "cost_usd": cost, **dict(zip(names, tokens, strict=True))}


def test_an_execution_is_told_as_in_the_list_and_in_full(
    booked: Platform, api_of: Callable[..., Api]
) -> None:
    api = api_of(booked.reader, PAYER, USAGE_APP_URL="https://app.example/")
    told = api.json(PATH, {"workspaceId": WORKSPACE, "id": "one"})
    listed = api.page(workspaceId=WORKSPACE, from_="2026-10-10", to="2026-10-10")["data"]
    assert [{name: told[name] for name in listed[0]}] == listed
    as_of = datetime.fromisoformat(told["as_of"])
    assert timedelta(0) <= datetime.now(UTC) - as_of < timedelta(minutes=1)
    beside = {name: value for name, value in told.items() if name not in listed[0]}
    assert beside == {
        "object": "usage_execution",
        "as_of": told["as_of"],
        "ended_at": "2026-10-10T12:00:41.800000Z",
        "duration_ms": 41800,
        "input_tokens": 96310,
        "output_tokens": 22110,
        "parts": [
            part("claude", "3", 96300, 22100, 118400),
            part("gpt-4o", "1", 10, 10, 20),
            part(None, "0.005", None, None, None),
        ],
        "lines_exceed_usd": None,
        "limit_usd": "10",
        "crossed_at": "2026-10-10T12:00:00.000000Z",
        "included_usd": "2.5",
        "running_total_before_usd": "7.5",
        "running_total_after_usd": "11.505",
        "log_url": f"https://app.example/workspace/{WORKSPACE}/logs"
        "?executionId=8f3b%20%26%3F%2F%C3%A9",
    }
    assert told["on_demand_usd"] == "1.505"


@pytest.mark.usefixtures("booked")
def test_the_running_total_is_withheld_from_all_but_the_payer(api: Api) -> None:
    answer = api.get(PATH, {"workspaceId": WORKSPACE, "id": "one"})
    told = answer.get_json()
    assert (told["running_total_before_usd"], told["running_total_after_usd"]) == (None, None)
    assert (told["limit_usd"], told["included_usd"]) == ("10", "2.5")
    for figure in ("7.5", "11.505"):
        assert figure not in answer.text
    assert (told["log_url"], told["workflow"]["url"]) == (None, None)


def test_with_scope_workspace_it_is_told_to_every_viewer(
    booked: Platform, api_of: Callable[..., Api]
) -> None:
    api = api_of(booked.reader, USAGE_LIMIT_SCOPE="workspace")
    told = api.json(PATH, {"workspaceId": WORKSPACE, "id": "one"})
    assert told["running_total_before_usd"] == "0"
    assert told["running_total_after_usd"] == "4.005"
    assert told["crossed_at"] is None


@pytest.mark.usefixtures("booked")
def test_an_unknown_cost_is_null_and_has_no_parts(api: Api) -> None:
    told = api.json(PATH, {"workspaceId": WORKSPACE, "id": "unknown"})
    names = ("cost_usd", "on_demand_usd", "included_usd", "ended_at", "duration_ms")
    assert [told[name] for name in names] == [None] * 5
    assert (told["parts"], told["type"]) == ([], "on_demand")


def test_parts_that_exceed_the_cost_are_cut_to_it_and_it_is_told_by_how_much(
    platform: Platform, api: Api
) -> None:
    platform.account()
    cost = '{"total": 0.3, "models": {"a": {"total": 0.30000000000000004}, "b": {"total": "?"}}}'
    platform.runs([Run("one", utc("2026-10-10 12:00"), cost)])
    told = api.json(PATH, {"workspaceId": WORKSPACE, "id": "one"})
    costs = [part["cost_usd"] for part in told["parts"]]
    assert costs == ["0.3", None]
    assert told["lines_exceed_usd"] == "0.00000000000000004"
    assert sum(map(Decimal, filter(None, costs))) == Decimal(told["cost_usd"])


@pytest.mark.parametrize("row_id", ["one", "unknown", "odd"])
def test_what_is_answered_is_what_is_described(booked: Platform, api: Api, row_id: str) -> None:
    cost = '{"total": 1e-30, "tokens": 5, "models": {"": {"total": 1}, "b": {"total": "?"}}}'
    booked.runs([Run("odd", utc("2026-10-12 12:00"), cost, status="running")])
    document = api.json("openapi.json", {})
    described = document["components"]["schemas"]["UsageExecution"]
    validator = Draft202012Validator(
        described | {"components": document["components"]}, validate_formats=True
    )
    told = api.json(PATH, {"workspaceId": WORKSPACE, "id": row_id})
    assert [f"{error}" for error in validator.iter_errors(told)] == []


@pytest.mark.parametrize(
    ("status", "params", "code", "param"),
    [
        (400, {"id": "one"}, "parameter_missing", "workspaceId"),
        (400, {"workspaceId": WORKSPACE}, "parameter_missing", "id"),
        (400, {"workspaceId": WORKSPACE, "id": ""}, "parameter_empty", "id"),
        (400, {"workspaceId": WORKSPACE, "id": ["one", "one"]}, "parameter_repeated", "id"),
        (400, {"workspaceId": "", "id": "one"}, "parameter_empty", "workspaceId"),
        (400, {"workspaceId": WORKSPACE, "id": "one", "x": "1"}, "parameter_unknown", "x"),
        (404, {"workspaceId": WORKSPACE, "id": "none"}, "resource_missing", "id"),
        (404, {"workspaceId": WORKSPACE, "id": "before"}, "resource_missing", "id"),
        (404, {"workspaceId": WORKSPACE, "id": "a\0b"}, "resource_missing", "id"),
        (404, {"workspaceId": "none", "id": "one"}, "resource_missing", "workspaceId"),
    ],
)
@pytest.mark.usefixtures("booked")
def test_a_wrong_question_is_refused_by_the_name_of_its_parameter(
    api: Api, status: int, params: dict[str, Any], code: str, param: str
) -> None:
    refusal = api.refusal(status, PATH, params)
    assert (refusal["code"], refusal["param"]) == (code, param)


def test_the_key_of_a_workspace_names_it(booked: Platform, api_of: Callable[..., Api]) -> None:
    api = api_of(booked.reader, Viewer(None, WORKSPACE))
    assert api.json(PATH, {"id": "one"})["id"] == "one"
    assert api.refusal(404, PATH, {"id": "before"})["param"] == "id"

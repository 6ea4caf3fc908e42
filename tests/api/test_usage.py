"""The list over HTTP, the CSV, the page's table and plain SQL: the same rows, labelled alike."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import create_engine, text

from data.platform.access import Viewer
from data.platform.connection import connect
from data.rules.billing import LimitScope
from data.rules.labels import rfc3339
from data.rules.money import exact
from tests.conftest import Api
from tests.support.calling import call_page
from tests.support.platform import PAYER, WORKSPACE, Platform, Run, spaced, utc

ZONE = "Europe/Berlin"
PRESETS = ("1d", "7d", "30d", "mtd", "last_month")
DAYS = ((50, 10), (75, 0), (20, 19))  # ranges of days, by how long ago they begin and end
LIMIT = Decimal("40.5")

# Every execution of the account with the running total of its month: a window function.
SUMMED = """
    WITH priced AS (
        SELECT *,
            CASE jsonb_typeof(cost -> 'total')
                WHEN 'number' THEN (cost ->> 'total')::numeric
            END AS dollars,
            date_trunc('month', started_at AT TIME ZONE 'UTC' AT TIME ZONE :zone) AS month
        FROM workflow_execution_logs
        WHERE workspace_id = :workspace OR :scope = 'account' AND workspace_id IN (
            SELECT id FROM workspace WHERE billed_account_user_id = (
                SELECT billed_account_user_id FROM workspace WHERE id = :workspace
            )
        )
    ), summed AS (
        SELECT *, sum(coalesce(dollars, 0)) OVER (
            PARTITION BY month ORDER BY started_at, id COLLATE "C" ROWS UNBOUNDED PRECEDING
        ) AS after
        FROM priced
    )
"""
# Every row of the window with what the rules say of it.
PLAIN_ROWS = f"""{SUMMED}
    SELECT summed.id, execution_id, started_at, status, trigger, workflow.id AS workflow_id,
        workflow.name, summed.cost ->> 'model' AS model,
        (summed.cost ->> 'tokens')::int AS tokens, dollars, month,
        CASE WHEN after > :limit THEN 'on_demand' ELSE 'included' END AS type,
        greatest(0, after - :limit) - greatest(0, after - dollars - :limit) AS on_demand
    FROM summed LEFT JOIN workflow ON workflow.id = summed.workflow_id
    WHERE summed.workspace_id = :workspace AND started_at >= :from AND started_at < :to
    ORDER BY started_at DESC, summed.id COLLATE "C" DESC
"""
# The billing period that holds the window's last instant.
PLAIN_PERIOD = f"""{SUMMED}
    SELECT min(started_at) FILTER (WHERE after > :limit) AS crossed_at,
        coalesce(max(after), 0) AS running_total
    FROM summed
    WHERE month = date_trunc(
        'month',
        (CAST(:to AS timestamp) - interval '1 us') AT TIME ZONE 'UTC' AT TIME ZONE :zone
    )
"""


@pytest.fixture(scope="module")
def books(cluster: str) -> Iterator[Platform]:
    """Yield a database with 75 days of two workspaces and an archived one, all of one payer."""
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute("CREATE DATABASE books")
    url = cluster.replace("/postgres?", "/books?")
    writer = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
    reader = connect(url)
    platform = Platform(url, writer, reader)
    platform.account(LIMIT, WORKSPACE, "other")
    platform.grant(PAYER, WORKSPACE)
    platform.workspace("closed", archived_at=datetime(2026, 1, 1, tzinfo=UTC))
    platform.workflow("wf", 'Triage, "EMEA"\nnight')
    platform.workflow("formula", "=2+2")
    platform.runs(_history(Random(20_261_122)))
    yield platform
    reader.dispose()
    writer.dispose()
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute("DROP DATABASE books WITH (FORCE)")


def _history(random: Random) -> Iterator[Run]:
    now = datetime.now(UTC).replace(microsecond=0)
    for number in range(900):
        # Minutes, so that many rows share an instant and only their ids order them.
        minutes = random.randrange(75 * 24 * 60) if number % 3 else random.randrange(20) * 4_000
        dollars = random.choice(
            ["0", "0.10", "1e-7", "0.0000000001", f"{random.randrange(3_000_000)}e-6"]
        )
        cost = {"tokens": random.randrange(9_999), "model": random.choice(["gpt-4o", "@cf/llama"])}
        whole = json.dumps(cost)[:-1] + f', "total": {dollars}}}'
        yield Run(
            random.choice("aAzZé_-") + str(number),
            now - timedelta(minutes=minutes + 1),
            random.choice([whole] * 12 + [None, '{"total": "much"}', '{"tokens": 5}']),
            random.choice([WORKSPACE, WORKSPACE, "other", "closed"]),
            random.choice(["wf", "formula", None]),
            trigger=random.choice(["api", "-manual", "schedule"]),
            status=random.choice(["completed", "failed", "running"]),
        )


@pytest.fixture(scope="module", params=list(LimitScope))
def scope(request: pytest.FixtureRequest) -> LimitScope:
    chosen: LimitScope = request.param
    return chosen


@pytest.fixture
def asked(books: Platform, api_of: Callable[..., Api], scope: LimitScope) -> Api:
    return api_of(books.reader, USAGE_TIMEZONE=ZONE, USAGE_LIMIT_SCOPE=scope)


def windows() -> list[Any]:
    today = datetime.now(ZoneInfo(ZONE)).date()
    ranges = [
        {"from": f"{today - timedelta(days=first)}", "to": f"{today - timedelta(days=last)}"}
        for first, last in DAYS
    ]
    return [
        *(pytest.param({"preset": preset}, id=preset) for preset in PRESETS),
        *(pytest.param(window, id=f"range-{place}") for place, window in enumerate(ranges)),
    ]


def plain(platform: Platform, statement: str, period: dict[str, str], scope: str) -> list[Any]:
    with platform.writer.connect() as connection:
        return list(
            connection.execute(
                text(statement),
                {
                    "zone": ZONE,
                    "workspace": WORKSPACE,
                    "scope": scope,
                    "limit": LIMIT,
                    "from": datetime.fromisoformat(period["from"]).replace(tzinfo=None),
                    "to": datetime.fromisoformat(period["to"]).replace(tzinfo=None),
                },
            )
        )


def decimals(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")


def as_listed(row: Any) -> dict[str, Any]:
    """Write a row of the plain query as the list ought to."""
    return {
        "id": row.id,
        "execution_id": row.execution_id,
        "date": rfc3339(row.started_at.replace(tzinfo=UTC)),
        "type": row.type,
        "status": row.status,
        "trigger": row.trigger,
        "workflow": {"id": row.workflow_id, "name": row.name or "Deleted workflow", "url": None},
        "model": row.model,
        "models": [row.model] if row.model else [],
        "tokens": row.tokens,
        "tokens_complete": True,
        "cost_usd": decimals(row.dollars),
        "on_demand_usd": None if row.dollars is None else Decimal(row.on_demand),
    }


def as_found(row: dict[str, Any]) -> dict[str, Any]:
    part = row["on_demand_usd"]
    return row | {"on_demand_usd": None if part is None else Decimal(part)}


def guarded(word: str) -> str:
    return f"'{word}" if word[0] in "=+-@\t\r" else word


def as_exported(row: Any) -> list[str]:
    return [
        rfc3339(row.started_at.replace(tzinfo=UTC)),
        guarded(row.execution_id),
        guarded(row.name or "Deleted workflow"),
        guarded(row.trigger),
        guarded(row.model) if row.model else "",
        "" if row.tokens is None else str(row.tokens),
        decimals(row.dollars) or "",
    ]


def as_shown(row: Any) -> dict[str, str]:
    local = row.started_at.replace(tzinfo=UTC).astimezone(ZoneInfo(ZONE))
    cost = "—"
    if row.dollars is not None:
        rounded = row.dollars.quantize(Decimal("0.0001"), ROUND_HALF_UP)
        cost = "Included" if not row.on_demand else f"${rounded:,}" if rounded else "<$0.0001"
    return {
        "id": row.id,
        "date": f"{local.day} {local:%b %Y %H:%M:%S}",
        "type": {"included": "Included", "on_demand": "On-Demand"}[row.type],
        "workflow": " ".join((row.name or "Deleted workflow").split()),
        "model": row.model or "—",
        "tokens": "—" if row.tokens is None else f"{row.tokens:,}",
        "cost": cost,
    }


def older(api: Api, window: dict[str, str], limit: int) -> Iterator[dict[str, Any]]:
    """Walk from the newest page to the oldest; the cursor alone keeps the window."""
    page = api.page(workspaceId=WORKSPACE, limit=limit, **window)
    yield page
    while page["next_cursor"]:
        page = api.page(workspaceId=WORKSPACE, limit=limit, starting_after=page["next_cursor"])
        yield page


def newer(api: Api, oldest: dict[str, Any], limit: int) -> Iterator[dict[str, Any]]:
    page = oldest
    while page["previous_cursor"]:
        page = api.page(workspaceId=WORKSPACE, limit=limit, ending_before=page["previous_cursor"])
        yield page


def shown(api: Api, period: dict[str, str]) -> list[dict[str, str]]:
    """Walk the page itself with its Next button's cursors, through Dash's own callback."""
    window = {"from": period["from"], "to": period["to"]}
    cursor: dict[str, str] = {}
    rows: list[dict[str, str]] = []
    while True:
        search = f"?{urlencode(window | cursor)}"
        called = call_page(api.client, f"/workspace/{WORKSPACE}/usage", search)
        answer = called.get_json()["response"]
        rows += [
            row | {"date": re.sub(r"^\[(.*)\]\(.*\)$", r"\1", row["date"]).replace("\\", "")}
            for row in answer["usage-table"]["data"]
        ]
        following = answer["usage-view"]["data"]["starting_after"]
        if following is None:
            return rows
        cursor = {"starting_after": following}


@pytest.mark.parametrize("window", windows())
def test_pages_both_ways_the_csv_the_table_and_plain_sql_give_the_same_rows(
    books: Platform, asked: Api, scope: LimitScope, window: dict[str, str]
) -> None:
    pages = list(older(asked, window, 100))
    period = pages[0]["period"]
    reference = plain(books, PLAIN_ROWS, period, scope)
    listed = [row for page in pages for row in page["data"]]
    assert [as_found(row) for row in listed] == [as_listed(row) for row in reference]

    for limit in (33, 100) if len(listed) > 40 else (1, 3, 100):
        walked = list(older(asked, {"from": period["from"], "to": period["to"]}, limit))
        assert [row for page in walked for row in page["data"]] == listed
        assert all(len(page["data"]) == limit for page in walked[:-1])
        assert [page["has_more"] for page in walked] == [True] * (len(walked) - 1) + [False]
        assert walked[0]["previous_cursor"] is None
        back = [walked[-1], *newer(asked, walked[-1], limit)]
        assert [row for page in reversed(back) for row in page["data"]] == listed
        assert [page["has_more"] for page in back[1:]] == [True] * (len(back) - 2) + [False] * (
            len(back) > 1
        )

    ends = {"from": period["from"], "to": period["to"]}
    text = asked.export(workspaceId=WORKSPACE, **ends).get_data(as_text=True)
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert lines[1:] == [as_exported(row) for row in reference]
    assert shown(asked, period) == [as_shown(row) for row in reference]


@pytest.mark.parametrize("window", windows())
def test_the_summary_is_the_sum_of_all_pages_and_tells_the_period_as_plain_sql_does(
    books: Platform,
    asked: Api,
    api_of: Callable[..., Api],
    scope: LimitScope,
    *,
    window: dict[str, str],
) -> None:
    summary = asked.summary(workspaceId=WORKSPACE, **window)
    period = summary["period"]
    ends = {"from": period["from"], "to": period["to"]}
    rows = [row for page in older(asked, ends, 100) for row in page["data"]]
    with exact():
        cost = sum((Decimal(row["cost_usd"] or 0) for row in rows), Decimal(0))
        on_demand = sum((Decimal(row["on_demand_usd"] or 0) for row in rows), Decimal(0))
        assert Decimal(summary["cost_usd"]) == cost
        assert Decimal(summary["on_demand_usd"]) == on_demand
        assert Decimal(summary["included_usd"]) == cost - on_demand
    assert summary["executions"] == len(rows)
    assert summary["unknown"] == sum(row["cost_usd"] is None for row in rows)
    assert summary["tokens"] == sum(row["tokens"] or 0 for row in rows)
    assert Decimal(summary["limit_usd"]) == LIMIT
    # The viewer is not the payer: only what is this workspace's own is told.
    assert (summary["running_total_usd"] is None) == (scope == "account")
    to_the_payer = api_of(books.reader, PAYER, USAGE_TIMEZONE=ZONE, USAGE_LIMIT_SCOPE=scope)
    ((crossed_at, running_total),) = plain(books, PLAIN_PERIOD, period, scope)
    assert Decimal(to_the_payer.summary(workspaceId=WORKSPACE, **ends)["running_total_usd"]) == (
        running_total
    )
    assert summary["crossed_at"] == (crossed_at and rfc3339(crossed_at.replace(tzinfo=UTC)))


def test_the_books_hold_what_the_comparisons_are_about(books: Platform) -> None:
    """Included and on-demand rows, unknown costs, ties, several months; else nothing is shown."""
    ever = {"from": "2020-01-01T00:00:00Z", "to": "2040-01-01T00:00:00Z"}
    for scope in LimitScope:
        rows = plain(books, PLAIN_ROWS, ever, scope)
        assert {row.type for row in rows} == {"included", "on_demand"}
        assert len({row.month for row in rows}) >= 3
        assert any(row.dollars is None for row in rows)
        assert len({row.started_at for row in rows}) < len(rows) - 20
    parts = [
        row for row in plain(books, PLAIN_ROWS, ever, "account") if row.dollars and row.on_demand
    ]
    assert any(row.on_demand < row.dollars for row in parts)


def test_a_page_tells_its_window_its_zone_its_preset_and_its_instant(
    platform: Platform, api_of: Callable[..., Api]
) -> None:
    platform.account()
    api = api_of(platform.reader, USAGE_TIMEZONE="America/Havana")
    before = datetime.now(UTC)
    page = api.page(workspaceId=WORKSPACE)
    after = datetime.now(UTC)
    assert list(page) == [
        "object",
        "url",
        "has_more",
        "next_cursor",
        "previous_cursor",
        "period",
        "as_of",
        "data",
    ]
    assert (page["object"], page["url"], page["data"]) == ("list", "/api/billing/usage", [])
    assert before <= datetime.fromisoformat(page["as_of"]) <= after
    period = page["period"]
    assert (period["timezone"], period["preset"]) == ("America/Havana", "30d")
    first, last = (datetime.fromisoformat(period[end]) for end in ("from", "to"))
    assert last - first == timedelta(days=30)
    assert before <= last <= after
    # The day of the change back begins at its earliest midnight, and the last day is included.
    days = api.page(workspaceId=WORKSPACE, from_="2026-11-01", to="2026-11-01")["period"]
    assert days == {
        "from": "2026-11-01T04:00:00.000000Z",
        "to": "2026-11-02T05:00:00.000000Z",
        "timezone": "America/Havana",
        "preset": None,
    }
    exact_ends = api.page(
        workspaceId=WORKSPACE, from_="2026-11-01T01:00:00.5+02:00", to="2026-11-01t00:00:00z"
    )["period"]
    assert (exact_ends["from"], exact_ends["to"]) == (
        "2026-10-31T23:00:00.500000Z",
        "2026-11-01T00:00:00.000000Z",
    )


def test_a_row_links_to_its_workflow_where_the_host_is_known(
    platform: Platform, api_of: Callable[..., Api]
) -> None:
    platform.account()
    platform.workflow("wf/1", "Triage")
    platform.runs(
        [Run("a", utc("2026-10-10 12:00"), workflow="wf/1"), Run("b", utc("2026-10-10 11:00"))]
    )
    api = api_of(platform.reader, USAGE_APP_URL="https://app.example/")
    rows = api.page(workspaceId=WORKSPACE, from_="2026-10-10", to="2026-10-10")["data"]
    assert [row["workflow"] for row in rows] == [
        {
            "id": "wf/1",
            "name": "Triage",
            "url": f"https://app.example/workspace/{WORKSPACE}/w/wf%2F1",
        },
        {"id": None, "name": "Deleted workflow", "url": None},
    ]


def test_money_is_the_stored_digits_and_never_an_exponent(platform: Platform, api: Api) -> None:
    platform.account("0.5")
    costs = ["1E-7", "0.10", "0", "0.012493750000000001", "999999999999.5", '"0.300"', '"x"']
    start = utc("2026-10-10 12:00")
    platform.runs(
        Run(f"{place}", start - timedelta(minutes=place), f'{{"total": {cost}}}')
        for place, cost in enumerate(costs)
    )
    rows = api.page(workspaceId=WORKSPACE, from_="2026-10-10", to="2026-10-10")["data"]
    assert [row["cost_usd"] for row in rows] == [
        "0.0000001",
        "0.10",
        "0",
        "0.012493750000000001",
        "999999999999.5",
        "0.300",
        None,
    ]
    assert [row["type"] for row in rows] == ["on_demand"] * 5 + ["included"] * 2
    assert Decimal(rows[4]["on_demand_usd"]) == Decimal("999999999999.3")
    assert rows[6]["on_demand_usd"] is None
    assert api.get("billing/usage", {"workspaceId": WORKSPACE}).mimetype == "application/json"


def test_head_answers_wherever_get_does(platform: Platform, api: Api) -> None:
    platform.account()
    window = {"workspaceId": WORKSPACE, "from": "2026-10-10", "to": "2026-10-10"}
    for path, params in (
        ("billing/usage", window),
        ("billing/usage/summary", window),
        ("billing/usage/export", window),
        ("billing/workspaces", {}),
        ("openapi.json", {}),
        ("docs", {}),
        ("viewer/rapidoc-min.js", {}),
    ):
        got = api.get(path, params)
        head = api.client.head(f"/api/{path}", query_string=params, buffered=True)
        assert (head.status_code, head.data) == (200, b"")
        names = ("Content-Type", "Cache-Control", "Content-Disposition", "X-Export-Truncated")
        assert [head.headers.get(name) for name in names] == [
            got.headers.get(name) for name in names
        ]
    assert api.client.head("/api/billing/usage").status_code == 400


def test_workspaces_are_the_viewers_own_by_name(
    platform: Platform, api_of: Callable[..., Api]
) -> None:
    platform.account(None, "z/1", "a")
    platform.workspace("named", name="beta")
    platform.workspace("hidden")
    platform.workspace("gone", archived_at=utc("2026-10-10 12:00"))
    platform.grant("viewer", "named")
    platform.grant("viewer", "gone")
    body = api_of(platform.reader, USAGE_URL_PREFIX="/finance").json("billing/workspaces", {})
    assert body == {
        "object": "list",
        "data": [
            {"id": "a", "name": "a", "url": "/finance/workspace/a/usage"},
            {"id": "named", "name": "beta", "url": "/finance/workspace/named/usage"},
            {"id": "z/1", "name": "z/1", "url": "/finance/workspace/z%2F1/usage"},
        ],
    }
    nobody = api_of(platform.reader, "stranger").json("billing/workspaces", {})
    assert nobody == {"object": "list", "data": []}


def test_a_key_of_one_workspace_need_not_name_it_and_opens_no_other(
    platform: Platform, api_of: Callable[..., Api]
) -> None:
    platform.account(None, WORKSPACE, "other")
    platform.runs(spaced(3, start=utc("2026-10-10 12:00")))
    api = api_of(platform.reader, Viewer(None, WORKSPACE))
    october = {"from_": "2026-10-01", "to": "2026-10-31"}
    first = api.page(limit=2, **october)
    assert [row["id"] for row in first["data"]] == ["run-00002", "run-00001"]
    assert [row["id"] for row in api.page(starting_after=first["next_cursor"])["data"]] == [
        "run-00000"
    ]
    assert api.page(workspaceId=WORKSPACE, limit=2, **october)["data"] == first["data"]
    assert api.summary(**october)["executions"] == 3
    sent = api.export(**october)
    assert f'filename="usage-{WORKSPACE}-' in sent.headers["Content-Disposition"]
    assert [row["id"] for row in api.json("billing/workspaces", {})["data"]] == [WORKSPACE]
    for path in ("billing/usage", "billing/usage/summary", "billing/usage/export"):
        error = api.refusal(404, path, {"workspaceId": "other"})
        assert error["code"] == "resource_missing"


def test_the_api_is_below_the_prefix_of_a_proxy_whether_it_strips_it_or_not(
    platform: Platform, api_of: Callable[..., Api]
) -> None:
    platform.account()
    platform.runs(spaced(2, start=utc("2026-10-10 12:00")))
    api = api_of(platform.reader, USAGE_URL_PREFIX="/finance")
    query = {"workspaceId": WORKSPACE, "from": "2026-10-10", "to": "2026-10-10"}
    bodies = [
        api.client.get(f"{path}/api/billing/usage", query_string=query).get_json()["data"]
        for path in ("", "/finance")
    ]
    assert bodies[0] == bodies[1]
    assert len(bodies[0]) == 2
    astray = api.client.get("/finance/api/nope")
    assert astray.get_json()["error"]["code"] == "endpoint_unknown"
    assert astray.headers["Cache-Control"] == "private, no-store"

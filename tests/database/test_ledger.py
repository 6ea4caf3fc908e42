"""Pages of the ledger against a real PostgreSQL; test_data_paging has the laws of its cursors."""

import json
import queue
import re
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text

from data.answers.page import Page
from data.platform.access import Viewer
from data.question.cursor import Direction
from data.question.query import UsageQuery
from data.rules.billing import LimitScope
from data.rules.calendar import Window
from data.rules.errors import NotFoundError
from data.rules.labels import UsageType
from tests.support.costs import amounts
from tests.support.platform import (
    ALWAYS,
    PAYER,
    VIEWER,
    VIEWER_ID,
    WORKSPACE,
    Platform,
    Run,
    first_page,
    ids,
    labels,
    rows_of,
    spaced,
    utc,
    walk,
)

MICROSECOND = timedelta(microseconds=1)
INCLUDED, ON_DEMAND = UsageType.INCLUDED.value, UsageType.ON_DEMAND.value
NOON = utc("2026-10-10 12:00")


# The law of the ledger. The oracle shares no line with the product: its own reading of costs, its
# own months, one plain sum per account and month.

ZONES: Final = (
    "UTC",
    "Asia/Kolkata",
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "Pacific/Kiritimati",
)
DAYS: Final = (
    date(2026, 9, 1),
    date(2026, 9, 6),
    date(2026, 10, 1),
    date(2026, 11, 1),
    date(2026, 11, 2),
    date(2026, 12, 1),
)
STEPS: Final = (
    timedelta(0),
    -MICROSECOND,
    MICROSECOND,
    timedelta(seconds=1),
    timedelta(hours=1),
    timedelta(hours=-1),
    timedelta(hours=1, microseconds=-1),
    timedelta(minutes=15),
    timedelta(days=1),
    timedelta(days=9),
)
IDS: Final = (
    "B2 _x a1 a_1 b-1 a-1 A_1 Z z é ü9 É 日本 😀 ﬀ ~ { a a.1 a1b A1 10 9 0a".split()  # noqa: SIM905 - a list of bare words reads best as a line
)


def oracle_cost(written: str | None) -> Decimal | None:
    document = None if written is None else json.loads(written, parse_float=Decimal)
    if not isinstance(document, dict):
        return None
    amount = document.get("total")
    if amount is None:
        inner = document.get("value")
        amount = inner.get("total") if isinstance(inner, dict) else None
    if isinstance(amount, str):
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", amount) is None:
            return None
    elif isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        return None
    cost = Decimal(amount)
    exponent = cost.as_tuple().exponent
    assert isinstance(exponent, int)
    return cost if 0 <= cost < 10**12 and exponent >= -30 else None


@lru_cache
def oracle_start(day: date, zone: str) -> datetime:
    """Return the first minute that shows ``day``, by looking at every minute around it."""
    here = ZoneInfo(zone)
    minute = datetime.combine(day, time(), UTC) - timedelta(hours=26)
    while minute.astimezone(here).date() < day:
        minute += timedelta(minutes=1)
    return minute


@lru_cache
def oracle_months(zone: str) -> tuple[datetime, ...]:
    return tuple(oracle_start(date(2026, month, 1), zone) for month in range(7, 13))


def oracle_month(instant: datetime, zone: str) -> int:
    return bisect_right(oracle_months(zone), instant)


@dataclass(frozen=True)
class Case:
    """An example: accounts with their limits, workspaces as (payer, archived), and executions."""

    zone: str
    limits: dict[str, Decimal | None]
    workspaces: dict[str, tuple[str, bool]]
    without_stats: frozenset[str]
    runs: list[Run]
    limit: int

    def build(self, stage: Platform) -> None:
        stage.clear()
        for payer, limit in self.limits.items():
            owned = [name for name, (owner, _) in self.workspaces.items() if owner == payer]
            stage.account(limit, *owned, payer=payer, stats=payer not in self.without_stats)
        for name, (_, archived) in self.workspaces.items():
            if archived:
                stage.archive(name)
        stage.runs(self.runs)

    def covered(self, workspace: str, scope: str) -> set[str]:
        if scope == "workspace":
            return {workspace}
        payer, _ = self.workspaces[workspace]
        return {name for name, (owner, _) in self.workspaces.items() if owner == payer}

    def limit_of(self, workspace: str) -> Decimal | None:
        payer, _ = self.workspaces[workspace]
        limit = None if payer in self.without_stats else self.limits[payer]
        return None if limit is None else max(limit, Decimal(0))

    def expected(self, workspace: str, scope: str) -> list[tuple[str, str, Decimal | None]]:
        """Label the workspace's rows, newest first, by the plain sum of the whole account."""
        covered, limit = self.covered(workspace, scope), self.limit_of(workspace)
        totals: dict[int, Decimal] = {}
        rows = []
        for run in in_order(run for run in self.runs if run.workspace in covered):
            month, cost = oracle_month(run.at, self.zone), oracle_cost(run.cost)
            before = totals.get(month, Decimal(0))
            after = totals[month] = before + (cost or 0)
            if run.workspace != workspace:
                continue
            part = Decimal(0)
            if limit is not None:
                part = max(Decimal(0), after - limit) - max(Decimal(0), before - limit)
            above = limit is not None and after > limit
            rows.append((run.id, ON_DEMAND if above else INCLUDED, None if cost is None else part))
        return rows[::-1]


def in_order(runs: Iterator[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: (run.at, run.id.encode()))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zone = draw(st.sampled_from(ZONES))
    payers = ["payer", "other"][: draw(st.sampled_from([1, 1, 2]))]
    workspaces = {
        f"{payer}-{number}": (payer, number > 0 and draw(st.booleans()))
        for payer in payers
        for number in range(draw(st.integers(1, 3)))
    }
    # Few instants, so that many are shared, within workspaces and across them.
    moments = draw(
        st.lists(
            st.builds(
                lambda day, step: oracle_start(day, zone) + step,
                st.sampled_from(DAYS),
                st.sampled_from(STEPS),
            ),
            min_size=1,
            max_size=6,
        )
    )
    runs = [
        Run(
            row_id,
            draw(st.sampled_from(moments)),
            draw(amounts()),
            draw(st.sampled_from(sorted(workspaces))),
        )
        for row_id in draw(st.lists(st.sampled_from(IDS), unique=True, max_size=22))
    ]
    case = Case(zone, {}, workspaces, frozenset(), runs, draw(st.integers(1, 9)))
    without = {payer for payer in payers if draw(st.integers(0, 9)) == 0}
    with localcontext(prec=500):
        limits = {payer: draw(a_limit(case, payer)) for payer in payers}
    return replace(case, limits=limits, without_stats=frozenset(without))


def a_limit(case: Case, payer: str) -> st.SearchStrategy[Decimal | None]:
    owned = {name for name, (owner, _) in case.workspaces.items() if owner == payer}
    totals: dict[int, Decimal] = {}
    reached = [Decimal(0)]
    for run in in_order(run for run in case.runs if run.workspace in owned):
        month = oracle_month(run.at, case.zone)
        totals[month] = totals.get(month, Decimal(0)) + (oracle_cost(run.cost) or 0)
        reached.append(totals[month])
    exactly = st.sampled_from(reached)
    return st.one_of(
        exactly,
        exactly.map(lambda total: total - Decimal("1e-30")),
        exactly.map(lambda total: total / 2),
        st.sampled_from([Decimal(0), Decimal(-5), Decimal(2), Decimal(10) ** 40, None]),
    )


def seen(page_rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, Decimal | None]]:
    return [(row["id"], row["type"].value, row["on_demand"]) for row in page_rows]


@settings(max_examples=150)
@given(case=cases())
def test_every_row_is_labelled_as_by_the_plain_sum_of_its_whole_account_and_month(
    any_stage: Platform, case: Case
) -> None:
    stage = any_stage
    with localcontext(prec=500):
        case.build(stage)
        zone = ZoneInfo(case.zone)
        for scope in LimitScope:
            ledger = stage.ledger(zone, scope)
            for workspace, (_, archived) in case.workspaces.items():
                if archived:
                    with pytest.raises(NotFoundError):
                        first_page(ledger, workspace)
                    continue
                pages = list(walk(ledger, workspace, limit=case.limit))
                rows = [row for page in pages for row in rows_of(page)]
                assert seen(rows) == case.expected(workspace, scope)
                assert {page.total for page in pages} == {len(rows)}
        billed = on_demand_of_all(case, stage)
        assert billed == excess_of_all(case)


def on_demand_of_all(case: Case, stage: Platform) -> dict[tuple[str, int], Decimal]:
    """Add up what the ledger bills, by payer and month, the archived workspaces brought back."""
    for workspace in case.workspaces:
        stage.archive(workspace, back=True)
    billed: dict[tuple[str, int], Decimal] = {}
    for workspace, (payer, _) in case.workspaces.items():
        for page in walk(stage.ledger(ZoneInfo(case.zone)), workspace):
            for row in rows_of(page):
                key = payer, oracle_month(row["started_at"], case.zone)
                billed[key] = billed.get(key, Decimal(0)) + (row["on_demand"] or 0)
    return billed


def excess_of_all(case: Case) -> dict[tuple[str, int], Decimal]:
    totals: dict[tuple[str, int], Decimal] = {}
    limits: dict[str, Decimal | None] = {}
    for run in case.runs:
        payer, _ = case.workspaces[run.workspace]
        limits[payer] = case.limit_of(run.workspace)
        key = payer, oracle_month(run.at, case.zone)
        totals[key] = totals.get(key, Decimal(0)) + (oracle_cost(run.cost) or 0)
    excess = {}
    for (payer, month), total in totals.items():
        limit = limits[payer]
        excess[payer, month] = Decimal(0) if limit is None else max(Decimal(0), total - limit)
    return excess


# Rule 1: what a row is, and the order.


def test_rows_come_newest_first_and_ties_fall_by_code_point(platform: Platform) -> None:
    platform.account()
    tied = ["a1", "B2", "_x", "a_1", "b-1", "é", "日", "😀", "ﬀ"]
    platform.runs([Run(row_id, NOON) for row_id in tied])
    platform.runs([Run("late", NOON + MICROSECOND), Run("zz-early", NOON - MICROSECOND)])
    page = first_page(platform.ledger())
    assert ids(page) == ["late", "😀", "ﬀ", "日", "é", "b-1", "a_1", "a1", "_x", "B2", "zz-early"]


def test_a_tie_across_the_limit_falls_by_code_point_even_between_workspaces(
    platform: Platform,
) -> None:
    platform.account(1, WORKSPACE, "second")
    platform.runs([Run("a1", NOON), Run("_x", NOON, workspace="second"), Run("B2", NOON)])
    assert labels(first_page(platform.ledger())) == {
        "B2": (INCLUDED, Decimal(0)),
        "a1": (ON_DEMAND, Decimal(1)),
    }
    assert labels(first_page(platform.ledger(), "second")) == {"_x": (ON_DEMAND, Decimal(1))}


def test_a_row_carries_what_the_platform_wrote(platform: Platform) -> None:
    platform.account(5)
    platform.workflow("wf", "Triage")
    cost = (
        '{"total": 0.012493750000000001, "tokens": {"input": 7, "output": 5},'
        ' "models": {"haiku": {"total": 0.001}, "gpt-4o": {"total": 0.01}}}'
    )
    at = utc("2026-10-10 09:15:27.412345")
    platform.runs(
        [Run("r", at, cost, workflow="wf", execution_id="e", trigger="chat", status="failed")]
    )
    [row] = rows_of(first_page(platform.ledger()))
    assert row == {
        "id": "r",
        "execution_id": "e",
        "workspace_id": "ws",
        "started_at": at,
        "status": "failed",
        "trigger": "chat",
        "workflow_id": "wf",
        "workflow_name": "Triage",
        "models": ["gpt-4o", "haiku"],
        "tokens": 12,
        "tokens_complete": True,
        "cost": Decimal("0.012493750000000001"),
        "type": UsageType.INCLUDED,
        "on_demand": Decimal(0),
    }
    assert type(row["tokens"]) is int


# Rule 2: cost.


def test_an_unknown_cost_has_no_on_demand_part_and_adds_nothing_whatever_the_status(
    platform: Platform,
) -> None:
    platform.account(1)
    platform.runs(
        [
            Run("1", NOON, '{"total": 1}'),
            Run("2", NOON, '{"total": "a lot"}'),
            Run("3", NOON, None, status="running"),
            Run("4", NOON, '{"total": 0.25}'),
            Run("5", NOON, '{"total": -3}', status="failed"),
        ]
    )
    page = first_page(platform.ledger())
    assert labels(page) == {
        "1": (INCLUDED, Decimal(0)),
        "2": (INCLUDED, None),
        "3": (INCLUDED, None),
        "4": (ON_DEMAND, Decimal("0.25")),
        "5": (ON_DEMAND, None),
    }
    assert [row["cost"] for row in rows_of(page)] == [None, Decimal("0.25"), None, None, Decimal(1)]


def test_a_running_executions_partial_cost_counts_as_it_stands(platform: Platform) -> None:
    platform.account(1)
    platform.runs([Run("1", NOON, '{"total": 0.75}', status="running"), Run("2", NOON)])
    assert labels(first_page(platform.ledger())) == {
        "1": (INCLUDED, Decimal(0)),
        "2": (ON_DEMAND, Decimal("0.75")),
    }


def test_the_smallest_and_largest_costs_are_summed_to_the_last_digit(platform: Platform) -> None:
    platform.account("999999999999.999999999999999999999999999999")
    platform.runs(
        [
            Run("1", NOON, '{"total": 999999999999.999999999999999999999999999999}'),
            Run("2", NOON, '{"total": 1e-30}'),
        ]
    )
    assert labels(first_page(platform.ledger())) == {
        "1": (INCLUDED, Decimal(0)),
        "2": (ON_DEMAND, Decimal("1e-30")),
    }


# Rule 3: account and limit.


@pytest.mark.parametrize("stats", [True, False], ids=["limit is null", "no user_stats row"])
def test_without_a_limit_everything_is_included(platform: Platform, *, stats: bool) -> None:
    platform.account(None, stats=stats)
    platform.runs(spaced(3, start=NOON, cost="900000000000"))
    page = first_page(platform.ledger())
    assert page.account.terms.limit is None
    assert page.crossings == []
    assert set(labels(page).values()) == {(INCLUDED, Decimal(0))}


@pytest.mark.parametrize("limit", ["-5", "-Infinity"])
def test_a_negative_limit_counts_as_zero(platform: Platform, limit: str) -> None:
    platform.account(limit)
    platform.runs([Run("1", NOON, '{"total": 0}'), Run("2", NOON, '{"total": 2}')])
    page = first_page(platform.ledger())
    assert page.account.terms.limit == 0
    assert labels(page) == {"1": (INCLUDED, Decimal(0)), "2": (ON_DEMAND, Decimal(2))}


@pytest.mark.parametrize("limit", ["NaN", "Infinity"])
def test_a_limit_that_is_no_amount_is_no_limit(platform: Platform, limit: str) -> None:
    platform.account(limit)
    platform.runs([Run("1", NOON)])
    assert labels(first_page(platform.ledger())) == {"1": (INCLUDED, Decimal(0))}


def test_a_limit_far_beyond_any_sum_is_never_passed(platform: Platform) -> None:
    platform.account(Decimal(10) ** 300)
    platform.runs([Run("1", NOON, '{"total": 0.1}')])
    assert labels(first_page(platform.ledger())) == {"1": (INCLUDED, Decimal(0))}


def test_a_changed_limit_relabels_history(platform: Platform) -> None:
    platform.account(1)
    platform.runs(spaced(3, start=NOON))
    ledger = platform.ledger()
    before = [label for label, _ in labels(first_page(ledger)).values()]
    platform.sql("UPDATE user_stats SET current_usage_limit = 2")
    after = [label for label, _ in labels(first_page(ledger)).values()]
    assert (before, after) == (
        [ON_DEMAND, ON_DEMAND, INCLUDED],
        [ON_DEMAND, INCLUDED, INCLUDED],
    )


def test_the_limit_is_of_who_pays_today_neither_the_viewers_nor_the_owners(
    platform: Platform,
) -> None:
    platform.account(1, "w", payer="first")
    platform.account(100, "x", payer="second")
    platform.add_limit(VIEWER_ID, 0)
    platform.runs([Run("1", NOON, workspace="w"), Run("2", NOON, workspace="w")])
    ledger = platform.ledger()
    assert first_page(ledger, "w").account.payer.id == "first"
    assert labels(first_page(ledger, "w"))["2"] == (ON_DEMAND, Decimal(1))
    platform.sql("UPDATE workspace SET billed_account_user_id = 'second' WHERE id = 'w'")
    page = first_page(ledger, "w")
    assert (page.account.payer.id, page.account.terms.limit) == ("second", Decimal(100))
    assert labels(page)["2"] == (INCLUDED, Decimal(0))


# Rule 4: the billing period.


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("UTC", "2026-11-01 00:00"),
        ("Asia/Kolkata", "2026-10-31 18:30"),
        ("America/New_York", "2026-11-01 04:00"),
        ("America/Havana", "2026-11-01 04:00"),
        ("America/Santiago", "2026-11-01 03:00"),
        ("Pacific/Kiritimati", "2026-10-31 10:00"),
    ],
)
def test_the_running_total_starts_at_zero_with_the_first_instant_of_the_month(
    platform: Platform, zone: str, start: str
) -> None:
    platform.account(1)
    first = utc(start)
    instants = [first - 2 * MICROSECOND, first - MICROSECOND, first, first + MICROSECOND]
    platform.runs([Run(str(place), instant) for place, instant in enumerate(instants)])
    assert labels(first_page(platform.ledger(ZoneInfo(zone)))) == {
        "0": (INCLUDED, Decimal(0)),
        "1": (ON_DEMAND, Decimal(1)),
        "2": (INCLUDED, Decimal(0)),
        "3": (ON_DEMAND, Decimal(1)),
    }


def test_the_repeated_midnight_hour_of_havana_is_all_in_the_new_month(platform: Platform) -> None:
    platform.account(1)
    platform.runs(
        [
            Run("first-pass", utc("2026-11-01 04:30")),
            Run("second-pass", utc("2026-11-01 05:30")),
        ]
    )
    assert labels(first_page(platform.ledger(ZoneInfo("America/Havana")))) == {
        "first-pass": (INCLUDED, Decimal(0)),
        "second-pass": (ON_DEMAND, Decimal(1)),
    }


def test_a_window_that_straddles_months_is_labelled_month_by_month(platform: Platform) -> None:
    platform.account(2)
    starts = ["2026-08-31", "2026-09-01", "2026-10-01"]
    platform.runs(
        [
            Run(f"{month}{place}", utc(start) + timedelta(hours=place))
            for month, start in zip("abc", starts, strict=True)
            for place in range(3)
        ]
    )
    page = first_page(platform.ledger())
    assert [label for label, _ in labels(page).values()] == [ON_DEMAND, INCLUDED, INCLUDED] * 3
    assert [crossing.position.id for crossing in page.crossings] == ["a2", "b2", "c2"]
    assert [crossing.before for crossing in page.crossings] == [Decimal(2)] * 3


# Rule 5: the running total.


def test_the_running_total_starts_neither_at_the_window_nor_at_the_page(
    platform: Platform,
) -> None:
    platform.account(5)
    platform.runs(spaced(10, start=NOON))
    window = Window(NOON + timedelta(minutes=4), NOON + timedelta(minutes=7))
    page = first_page(platform.ledger(), window=window)
    assert [(row_id, label) for row_id, (label, _) in labels(page).items()] == [
        ("run-00006", ON_DEMAND),
        ("run-00005", ON_DEMAND),
        ("run-00004", INCLUDED),
    ]
    pages = list(walk(platform.ledger(), window=window, limit=1))
    assert [labels(one) for one in pages] == [{i: v} for i, v in labels(page).items()]


def test_archived_workspaces_of_the_account_count_and_those_of_others_do_not(
    platform: Platform,
) -> None:
    platform.account(1, WORKSPACE, "archived")
    platform.account(1, "foreign", payer="other")
    platform.archive("archived")
    platform.runs(
        [
            Run("1", NOON, '{"total": 5}', workspace="foreign"),
            Run("2", NOON, '{"total": 0.75}', workspace="archived"),
            Run("3", NOON, '{"total": 0.5}'),
        ]
    )
    assert labels(first_page(platform.ledger())) == {"3": (ON_DEMAND, Decimal("0.25"))}


def test_with_scope_workspace_only_the_workspaces_own_executions_count(platform: Platform) -> None:
    platform.account(1, WORKSPACE, "second")
    platform.runs([Run("1", NOON, workspace="second"), Run("2", NOON), Run("3", NOON)])
    account = first_page(platform.ledger(scope=LimitScope.ACCOUNT))
    alone = first_page(platform.ledger(scope=LimitScope.WORKSPACE))
    assert labels(account) == {"2": (ON_DEMAND, Decimal(1)), "3": (ON_DEMAND, Decimal(1))}
    assert labels(alone) == {"2": (INCLUDED, Decimal(0)), "3": (ON_DEMAND, Decimal(1))}
    assert set(account.account.workspace_ids) == {WORKSPACE, "second"}
    assert alone.account.workspace_ids == (WORKSPACE,)


def test_an_execution_that_arrives_late_moves_the_crossing(platform: Platform) -> None:
    platform.account(2)
    platform.runs(spaced(3, start=NOON))
    ledger = platform.ledger()
    assert labels(first_page(ledger))["run-00001"] == (INCLUDED, Decimal(0))
    platform.runs([Run("late", NOON - timedelta(days=1), '{"total": 0.5}')])
    assert labels(first_page(ledger))["run-00001"] == (ON_DEMAND, Decimal("0.5"))


# Rules 6 and 7: types and parts.


def test_a_running_total_equal_to_the_limit_is_included(platform: Platform) -> None:
    platform.account("0.3")
    platform.runs([Run("1", NOON, '{"total": 0.1}'), Run("2", NOON, '{"total": 0.2}')])
    page = first_page(platform.ledger())
    assert labels(page) == {"1": (INCLUDED, Decimal(0)), "2": (INCLUDED, Decimal(0))}
    assert page.crossings == []


def test_only_the_part_above_the_limit_of_the_row_that_crosses_is_billable(
    platform: Platform,
) -> None:
    platform.account(10)
    platform.runs([Run("1", NOON, '{"total": 9.5}'), Run("2", NOON, '{"total": 1.25}')])
    page = first_page(platform.ledger())
    assert labels(page) == {"1": (INCLUDED, Decimal(0)), "2": (ON_DEMAND, Decimal("0.75"))}
    [crossing] = page.crossings
    assert (crossing.before, crossing.after) == (Decimal("9.5"), Decimal("10.75"))
    assert crossing.position == (NOON, "2")


def test_a_single_execution_can_cross_from_zero(platform: Platform) -> None:
    platform.account(1)
    platform.runs([Run("1", NOON, '{"total": 4}')])
    assert labels(first_page(platform.ledger())) == {"1": (ON_DEMAND, Decimal(3))}


def test_a_zero_cost_after_the_crossing_is_on_demand_with_nothing_to_bill(
    platform: Platform,
) -> None:
    platform.account(1)
    costs = ["1", "0", "0.5", "0"]
    platform.runs([Run(str(i), NOON, f'{{"total": {cost}}}') for i, cost in enumerate(costs)])
    assert labels(first_page(platform.ledger())) == {
        "0": (INCLUDED, Decimal(0)),
        "1": (INCLUDED, Decimal(0)),
        "2": (ON_DEMAND, Decimal("0.5")),
        "3": (ON_DEMAND, Decimal(0)),
    }


@pytest.mark.parametrize(
    ("second", "microseconds"),
    [(1, 0), (0, 100)],
    ids=["a busy quarter-hour", "a busy second"],
)
def test_the_crossing_is_found_in_a_quarter_hour_of_thousands(
    platform: Platform, second: int, microseconds: int
) -> None:
    platform.account("15.005")
    platform.sql(
        """
        INSERT INTO workflow_execution_logs
            (id, execution_id, level, trigger, started_at, workspace_id, cost)
        SELECT to_char(n, 'FM00000'), 'e' || n, 'info', 'api',
            timestamp '2026-10-10 12:00' + (n / 4) * make_interval(secs => :step), 'ws',
            '{"total": 0.01}'
        FROM generate_series(0, 2599) AS n
        """,
        step=second + microseconds / 1_000_000,
    )
    first = first_page(platform.ledger(), cursor="01510")
    assert [label for label, _ in labels(first).values()] == [ON_DEMAND] * 10 + [INCLUDED] * 90
    assert labels(first)["01500"] == (ON_DEMAND, Decimal("0.005"))


# Rule 11.


def test_a_workflow_whose_row_is_gone_has_neither_name_nor_id(platform: Platform) -> None:
    platform.account()
    platform.workflow("wf", "Triage")
    platform.runs([Run("1", NOON, workflow="wf"), Run("2", NOON)])
    kept = {row["id"]: row["workflow_name"] for row in rows_of(first_page(platform.ledger()))}
    assert kept == {"1": "Triage", "2": None}
    platform.sql("DELETE FROM workflow")
    rows = rows_of(first_page(platform.ledger()))
    assert [(row["workflow_id"], row["workflow_name"]) for row in rows] == [(None, None)] * 2


def test_a_renamed_workflow_shows_todays_name_and_names_may_be_shared(platform: Platform) -> None:
    platform.account()
    for workflow_id in ("a", "b"):
        platform.workflow(workflow_id, "Twin")
    platform.runs([Run("1", NOON, workflow="a"), Run("2", NOON, workflow="b")])
    platform.sql("UPDATE workflow SET name = 'Renamed' WHERE id = 'a'")
    rows = rows_of(first_page(platform.ledger()))
    assert [(row["id"], row["workflow_name"]) for row in rows] == [("2", "Twin"), ("1", "Renamed")]


# Rule 12.


def test_a_page_has_rows_of_its_own_workspace_only(platform: Platform) -> None:
    platform.account(1, WORKSPACE, "second")
    platform.runs([Run("mine", NOON), Run("theirs", NOON, workspace="second")])
    page = first_page(platform.ledger())
    assert (ids(page), page.total) == (["mine"], 1)


def test_every_viewer_is_given_the_same_labels(platform: Platform) -> None:
    platform.account(1, WORKSPACE, "second")
    platform.grant(PAYER, WORKSPACE)
    platform.runs([Run("1", NOON, workspace="second"), Run("2", NOON)])
    [shown] = walk(platform.ledger())
    [to_payer] = walk(platform.ledger(), viewer=Viewer(PAYER))
    assert labels(shown) == labels(to_payer) == {"2": (ON_DEMAND, Decimal(1))}
    # Who does not pay is told neither amounts nor the name of the person who does.
    assert (shown.account.tells_amounts, to_payer.account.tells_amounts) == (False, True)
    payer = replace(to_payer.account.payer, name="the payer")
    assert shown.account == replace(
        to_payer.account, as_of=shown.account.as_of, payer=payer, tells_amounts=False
    )


# Rule 13: one answer, one snapshot.


class Writer(threading.Thread):
    """The platform at work, on a connection of its own: turns the ledger over when told to."""

    def __init__(self, engine: Engine, states: Sequence[Sequence[str]]) -> None:
        super().__init__()
        self._engine = engine
        self._states = states
        self._orders: queue.Queue[bool] = queue.Queue()
        self._done: queue.Queue[BaseException | None] = queue.Queue()
        self.turns = 0

    def turn(self) -> None:
        """Commit the next state, and return once it is there for all to see."""
        self._orders.put(True)
        failure = self._done.get(timeout=30)
        if failure is not None:
            raise failure

    def end(self) -> None:
        self._orders.put(False)
        self.join(timeout=30)

    def run(self) -> None:
        while self._orders.get():
            try:
                self.turns += 1
                with self._engine.begin() as connection:
                    for statement in self._states[self.turns % len(self._states)]:
                        connection.execute(text(statement))
            except Exception as failure:  # noqa: BLE001 - handed to the test, which raises it
                self._done.put(failure)
            else:
                self._done.put(None)


@contextmanager
def turning(platform: Platform, states: Sequence[Sequence[str]]) -> Iterator[Writer]:
    """Turn the ledger over before each statement that the product runs, but never meanwhile."""
    writer = Writer(platform.writer, states)
    writer.start()

    def turn(*_: Any) -> None:
        writer.turn()

    event.listen(platform.reader, "before_cursor_execute", turn)
    try:
        yield writer
    finally:
        event.remove(platform.reader, "before_cursor_execute", turn)
        writer.end()


CHEAP: Final = (
    """UPDATE workflow_execution_logs SET cost = '{"total": 1}'""",
    "UPDATE user_stats SET current_usage_limit = 30.5",
    "DELETE FROM workflow_execution_logs WHERE id LIKE 'extra-%'",
)
DEAR: Final = (
    """UPDATE workflow_execution_logs SET cost = '{"total": 2}'""",
    "UPDATE user_stats SET current_usage_limit = 20.5",
    """INSERT INTO workflow_execution_logs
           (id, execution_id, level, trigger, started_at, workspace_id, cost)
       SELECT 'extra-' || n, 'extra-' || n, 'info', 'api', timestamp '2026-10-10 11:00', 'ws',
           '{"total": 2}'
       FROM generate_series(1, 3) AS n""",
)


def test_what_one_callback_shows_is_of_one_snapshot(platform: Platform) -> None:
    platform.account("30.5")
    platform.runs(spaced(60, start=NOON))
    ledger = platform.ledger()
    begun: list[object] = []

    def begins(connection: object) -> None:
        begun.append(connection)

    event.listen(platform.reader, "begin", begins)
    try:
        query = UsageQuery(WORKSPACE, ALWAYS)
        page, workspaces = ledger.page_shown(VIEWER, query)
        assert (page.total, [each.id for each in workspaces]) == (60, [WORKSPACE])
        assert len(begun) == 1
        figures, options = ledger.figures_shown(VIEWER, query)
        assert (figures.sums.executions, list(options.triggers)) == (60, ["api"])
        assert len(begun) == 2
    finally:
        event.remove(platform.reader, "begin", begins)


def in_state(page: Page) -> str:
    """Say which one state of the two every part of the page agrees with; empty where none."""
    rows = [row for row in rows_of(page) if row["id"].startswith("run-")]
    for name, cost, limit, extra in [
        ("cheap", Decimal(1), Decimal("30.5"), 0),
        ("dear", Decimal(2), Decimal("20.5"), 3),
    ]:
        newer = 60 - 1 - int(rows[0]["id"].removeprefix("run-"))
        agrees = [
            page.account.terms.limit == limit,
            page.total == 60 + extra,
            page.newer == newer,
        ]
        for row in rows:
            after = cost * (int(row["id"].removeprefix("run-")) + 1 + extra)
            part = min(cost, max(Decimal(0), after - limit))
            label = ON_DEMAND if after > limit else INCLUDED
            agrees.append((row["cost"], row["type"].value, row["on_demand"]) == (cost, label, part))
        if all(agrees):
            return name
    return ""


def test_while_costs_rise_and_fall_each_page_agrees_with_one_state_of_the_ledger(
    platform: Platform,
) -> None:
    platform.account("30.5")
    platform.runs(spaced(60, start=NOON))
    ledger = platform.ledger()
    cursors = [page.next_cursor for page in walk(ledger, limit=7)]
    states = []
    with turning(platform, [CHEAP, DEAR]) as writer:
        for cursor in [None, *cursors] * 3:
            before = writer.turns
            page = first_page(ledger, limit=7, cursor=cursor)
            assert writer.turns - before >= 4
            states.append(in_state(page))
            # An odd number of turns, so that the next page meets the other state.
            if (writer.turns - before) % 2 == 0:
                writer.turn()
    assert "" not in states
    assert set(states) == {"cheap", "dear"}


def test_as_of_is_the_instant_of_the_snapshot(platform: Platform) -> None:
    platform.account()
    platform.runs([Run("1", NOON)])

    def clock() -> datetime:
        with platform.writer.connect() as connection:
            now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return now

    before = clock()
    as_of = first_page(platform.ledger()).account.as_of
    assert before < as_of < clock()
    assert as_of.tzinfo is UTC


# What else a page says.


def test_an_empty_window_says_when_the_workspace_was_last_used(platform: Platform) -> None:
    platform.account(1, WORKSPACE, "second")
    platform.runs([Run("1", NOON), Run("2", NOON + timedelta(days=9), workspace="second")])
    window = Window(NOON + MICROSECOND, NOON + timedelta(days=1))
    page = first_page(platform.ledger(), window=window)
    assert (ids(page), page.total, page.newer, page.latest) == ([], 0, 0, NOON)
    assert (page.next_cursor, page.previous_cursor, page.crossings) == (
        None,
        None,
        [],
    )
    assert first_page(platform.ledger()).latest is None


def test_a_workspace_without_executions_has_an_empty_page(platform: Platform) -> None:
    platform.account(1)
    page = first_page(platform.ledger())
    assert page.rows.empty
    assert {"id", "tokens", "cost", "type", "on_demand"} <= set(page.rows.columns)
    assert (page.total, page.latest) == (0, None)


def test_the_window_holds_its_first_instant_and_not_its_last(platform: Platform) -> None:
    platform.account()
    window = Window(NOON, NOON + timedelta(hours=1))
    edges = [window.start - MICROSECOND, window.start, window.end - MICROSECOND, window.end]
    platform.runs([Run(str(place), edge) for place, edge in enumerate(edges)])
    page = first_page(platform.ledger(), window=window)
    assert (ids(page), page.total) == (["2", "1"], 2)


def test_ready_and_workspaces_and_account_answer_without_a_window(platform: Platform) -> None:
    platform.account(7, "b", "a")
    ledger = platform.ledger()
    ledger.ready()
    assert [workspace.id for workspace in ledger.workspaces(VIEWER)] == ["a", "b"]
    account = ledger.account(VIEWER, "a")
    assert (account.workspace.id, account.payer.id, account.terms.limit) == ("a", PAYER, Decimal(7))
    with pytest.raises(NotFoundError):
        ledger.account(Viewer("stranger"), "a")


@pytest.mark.parametrize("direction", list(Direction))
def test_every_question_checks_access_anew_whatever_the_cursor(
    platform: Platform, direction: Direction
) -> None:
    platform.account()
    platform.runs(spaced(3, start=NOON))
    cursor = first_page(platform.ledger(), limit=1).next_cursor
    platform.sql("DELETE FROM permissions")
    with pytest.raises(NotFoundError):
        first_page(platform.ledger(), cursor=cursor, direction=direction)
    with pytest.raises(NotFoundError):
        first_page(platform.ledger(), cursor="run-00001", direction=direction, window=ALWAYS)


# The bundled PostgreSQL compares text by code point anyway, and has no other collation to test
# with; a platform's database seldom does.


def test_no_comparison_of_ids_is_left_to_the_databases_collation(platform: Platform) -> None:
    platform.account(2)
    platform.runs(spaced(5, start=NOON))
    ledger = platform.ledger()
    statements = []

    def note(*args: Any) -> None:
        statements.append(re.sub(r"\s+", " ", args[2]))

    event.listen(platform.reader, "before_cursor_execute", note)
    try:
        cursor = first_page(ledger, limit=2).next_cursor
        for direction in Direction:
            first_page(ledger, cursor=cursor, direction=direction)
        with ledger.export(VIEWER, UsageQuery(WORKSPACE, ALWAYS)) as export:
            assert len(list(export.rows)) == 5
        ledger.workspaces(VIEWER)
    finally:
        event.remove(platform.reader, "before_cursor_execute", note)
    ordered = re.compile(
        r"ORDER BY (?:workflow_execution_logs\.started_at(?: DESC)?, )(\S+ \S+ \S+)"
    )
    keys = [key for statement in statements for key in ordered.findall(statement)]
    assert len(keys) == 7  # three pages, for each a search for the crossing, one export
    assert all(key.startswith('workflow_execution_logs.id COLLATE "C"') for key in keys)
    compared = re.compile(r"(\(?workflow_execution_logs\.id[^,]{0,14}?) ?[<>] ")
    sides = [side for statement in statements for side in compared.findall(statement)]
    assert len(sides) >= 4
    assert all('COLLATE "C"' in side for side in sides)
    assert any('lower(workspace.name), workspace.id COLLATE "C"' in sql for sql in statements)
    names = re.compile(r"array_agg\(name ORDER BY (.*?)\) FROM")
    orders = [order for statement in statements for order in names.findall(statement)]
    assert len(orders) >= 4
    assert all(order.endswith('name COLLATE "C"') for order in orders)


@pytest.mark.parametrize("start", ["infinity", "-infinity", "294276-01-01", "4713-01-01 BC"])
def test_a_start_that_no_window_can_show_is_not_the_latest(platform: Platform, start: str) -> None:
    platform.account(1)
    platform.runs([Run("odd", utc("2026-10-10")), Run("good", utc("2026-10-09"))])
    platform.sql(
        "UPDATE workflow_execution_logs SET started_at = CAST(:at AS timestamp) WHERE id = 'odd'",
        at=start,
    )
    window = Window(utc("2026-11-01"), utc("2026-12-01"))
    assert platform.ledger().page(VIEWER, UsageQuery(WORKSPACE, window)).latest == utc("2026-10-09")

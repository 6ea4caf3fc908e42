"""One execution opened: lines that add up, and the account's running total around it."""

from collections.abc import Sequence
from datetime import tzinfo
from decimal import Decimal, localcontext
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from data.answers.detail import Detail
from data.platform.access import Viewer
from data.rules.billing import LimitScope
from data.rules.errors import NotFoundError
from data.rules.execution import Charge
from data.rules.labels import UsageType
from tests.support.platform import PAYER, VIEWER, WORKSPACE, Platform, Run, utc

NOON = utc("2026-10-10 12:00")
BERLIN = ZoneInfo("Europe/Berlin")


def opened(
    platform: Platform,
    row_id: str,
    viewer: Viewer = VIEWER,
    *,
    zone: tzinfo = BERLIN,
    scope: LimitScope = LimitScope.ACCOUNT,
    workspace_id: str = WORKSPACE,
) -> Detail:
    return platform.ledger(zone, scope).execution(viewer, workspace_id, row_id)


def lines(charges: Sequence[Charge]) -> list[tuple[str | None, str | None]]:
    return [(each.model, None if each.cost is None else format(each.cost, "f")) for each in charges]


LONG = "m" * 3000


@pytest.mark.parametrize(
    ("cost", "parts"),
    [
        # As it is written today: base, one model, its tools within it.
        (
            """{"total": 0.016400000000000001, "models": {"gpt-4o":
                {"total": 0.0114, "toolCost": 0.0004, "tokens": {"input": 7, "output": 5}}}}""",
            [("gpt-4o", "0.0114"), (None, "0.005000000000000001")],
        ),
        # Several, the dearest first; tools that no model accounts for.
        (
            '{"total": 1, "models": {"a": {"total": 0.1}, "b": {"total": "0.30"}}}',
            [("b", "0.30"), ("a", "0.1"), (None, "0.6")],
        ),
        # Nothing left over.
        ('{"total": 0.3, "models": {"a": {"total": 0.3}}}', [("a", "0.3")]),
        # The models were added up in binary floats.
        (
            '{"total": 0.3, "models": {"a": {"total": 0.30000000000000004}}}',
            [("a", "0.3")],
        ),
        # Lines that were written after the total: the dearest first, one without a name last.
        (
            """{"total": 0.5, "models": {"": {"total": 9}, "a": {"total": 0.3, "tokens": 1},
                "b": {"total": 0.3, "tokens": 2}, "c": {"total": "?"}, "d": {"total": 0.1}}}""",
            [("b", "0.3"), ("a", "0.2"), ("d", "0"), ("c", None), ("", "0")],
        ),
        # A model of unknown cost counts as 0.
        (
            '{"total": 2, "models": {"a": {"total": -1}, "b": {"total": 0.5}}}',
            [("b", "0.5"), ("a", None), (None, "1.5")],
        ),
        # Names as they are, whole, the empty one too.
        (
            f'{{"total": 3, "models": {{"{LONG}": {{"total": 2}}, "": {{"total": 1}}}}}}',
            [(LONG, "2"), ("", "1")],
        ),
        ('{"total": 0, "models": {"local": {"total": 0}}}', [("local", "0")]),
        # A run that was refused before it began.
        ('{"total": 0, "models": {}}', []),
        # Only the base charge; older shapes that list no models.
        ('{"total": 0.005, "models": {}}', [(None, "0.005")]),
        ('{"total": 0.001000}', [(None, "0.001")]),
        ('{"total": "0.25", "model": "gpt-4o", "tokens": 77}', [(None, "0.25")]),
        ('{"value": {"total": 2.5}}', [(None, "2.5")]),
        ('{"total": 1, "models": []}', [(None, "1")]),
        ('{"total": 1, "models": {"a": 5}}', [("a", None), (None, "1")]),
        (
            '{"total": 999999999999.9, "models": {"a": {"total": 1e-30}}}',
            [
                ("a", "0.000000000000000000000000000001"),
                (None, "999999999999.899999999999999999999999999999"),
            ],
        ),
        # Unknown: no lines that pretend.
        (None, []),
        ("{}", []),
        ('{"total": "a lot", "models": {"a": {"total": 1}}}', []),
    ],
)
def test_the_lines_add_up_to_the_cost_to_the_last_digit(
    platform: Platform, cost: str | None, parts: list[tuple[str | None, str | None]]
) -> None:
    platform.account(500)
    platform.runs([Run("one", NOON, cost)])
    detail = opened(platform, "one")
    assert lines(detail.charges) == parts
    with localcontext(prec=200):
        added = sum((part.cost for part in detail.charges if part.cost), Decimal(0))
        assert added == (detail.execution.cost or 0)


def test_a_line_tells_its_tokens_and_the_tools_within_it(platform: Platform) -> None:
    platform.account()
    cost = """{"total": 3, "tokens": {"prompt": 17, "completion": 5}, "models": {
        "new": {"total": 2, "toolCost": "0.40", "tokens": {"input": 7, "output": 5, "total": 99}},
        "old": {"total": 0.5, "tokens": {"prompt": 10}},
        "bare": {"total": 0.25, "toolCost": "?", "tokens": 8}}}"""
    platform.runs([Run("one", NOON, cost)])
    detail = opened(platform, "one")
    assert [charge[2:] for charge in detail.charges] == [
        (Decimal("0.40"), 99, 7, 5),
        (None, 10, 10, None),
        (None, 8, None, None),
        (None, None, None, None),
    ]
    assert (detail.execution.sent, detail.execution.received, detail.execution.tokens) == (
        17,
        5,
        22,
    )


@pytest.mark.parametrize(
    ("ended", "written", "duration"),
    [
        ("'2026-10-10 12:00:41.8'", "41799", 41_799),
        ("'2026-10-10 12:00:41.8'", "NULL", 41_800),
        ("NULL", "NULL", None),
        ("NULL", "7", 7),
        ("'2026-10-10 11:59'", "NULL", None),
        ("NULL", "-5", None),
    ],
)
def test_a_duration_is_the_one_that_was_written_or_else_that_from_start_to_end(
    platform: Platform, ended: str, written: str, duration: int | None
) -> None:
    platform.account()
    platform.runs([Run("one", NOON)])
    platform.sql(
        f"UPDATE workflow_execution_logs SET ended_at = {ended}, total_duration_ms = {written}"
    )
    detail = opened(platform, "one")
    assert detail.duration_ms == duration
    assert (detail.ended_at is None) == (ended == "NULL")


def history() -> list[Run]:
    """Make executions around month starts of Berlin, many of them at one instant."""
    instants = [
        *("2026-09-30 21:59:59.999999", "2026-09-30 22:00", "2026-09-30 22:00:00.000001"),
        *("2026-10-10 12:00", "2026-10-10 12:00:00.5", "2026-10-31 22:59:59", "2026-10-31 23:00"),
    ]
    ids = ("Z", "a-", "a_", "é")
    return [
        Run(
            f"{name}{place}",
            utc(instant),
            '{"total": "?"}' if (place, name) == (3, "a_") else f'{{"total": 0.{place}{n + 1}}}',
            ("ws", "other")[(place + n) % 2],
        )
        for (place, instant), (n, name) in product(enumerate(instants), enumerate(ids))
    ]


@pytest.mark.parametrize("scope", list(LimitScope))
def test_the_running_total_around_each_execution_is_that_of_a_plain_sum(
    any_stage: Platform, scope: LimitScope
) -> None:
    any_stage.clear()
    any_stage.account(2, "ws", "other")
    for workspace_id in ("ws", "other"):
        any_stage.grant(PAYER, workspace_id)
    any_stage.archive("other")
    runs = history()
    any_stage.runs(runs[::2])
    any_stage.runs(runs[1::2])
    totals: dict[object, Decimal] = {}
    for run in sorted(runs, key=lambda run: (run.at, run.id.encode())):
        month = run.at.astimezone(BERLIN).month
        key = (month, run.workspace if scope == "workspace" else None)
        before = totals.get(key, Decimal(0))
        cost = Decimal(0) if "?" in str(run.cost) else Decimal(str(run.cost)[10:-1])
        totals[key] = before + cost
        if run.workspace == "ws":
            detail = opened(any_stage, run.id, Viewer(PAYER), scope=scope)
            assert (run.id, detail.before, detail.after) == (run.id, before, before + cost)
            above = max(before + cost - 2, Decimal(0))
            assert detail.execution.type is (UsageType.ON_DEMAND if above else UsageType.INCLUDED)
            if cost:
                assert detail.execution.on_demand == above - max(before - 2, Decimal(0))
                assert detail.included == cost - detail.execution.on_demand
            else:
                assert (detail.execution.on_demand, detail.included) == (None, None)


def test_the_running_total_is_told_to_the_payer_and_with_scope_workspace_to_all(
    platform: Platform,
) -> None:
    platform.account(1, "ws", "other")
    platform.grant(PAYER, "ws")
    platform.runs([Run("theirs", NOON, workspace="other"), Run("ours", NOON)])
    assert (opened(platform, "ours").before, opened(platform, "ours").after) == (None, None)
    told = opened(platform, "ours", Viewer(PAYER))
    assert (told.before, told.after) == (Decimal(0), Decimal(1))  # "ours" comes before "theirs"
    assert told.crossing
    assert told.crossing.position.id == "theirs"
    alone = opened(platform, "ours", scope=LimitScope.WORKSPACE)
    assert (alone.before, alone.after) == (Decimal(0), Decimal(1))
    assert alone.crossing is None


def test_an_execution_of_another_workspace_or_of_none_is_not_found(platform: Platform) -> None:
    platform.account(1, "ws", "other")
    platform.runs([Run("theirs", NOON, workspace="other"), Run("ours", NOON)])
    for row_id in ("theirs", "OURS", "ours ", "", "a\0b", "\ud800", "x" * 256, "é\n"):
        with pytest.raises(NotFoundError) as refusal:
            opened(platform, row_id)
        assert refusal.value.param == "id"
        assert refusal.value.sentence.startswith("There is no such execution in this workspace. ")


def test_an_execution_of_a_workspace_that_the_viewer_may_not_see_is_no_workspace(
    platform: Platform,
) -> None:
    platform.account(1, viewer=None)
    platform.runs([Run("ours", NOON)])
    for workspace_id in (WORKSPACE, "none", "\0"):
        with pytest.raises(NotFoundError) as refusal:
            opened(platform, "ours", workspace_id=workspace_id)
        assert refusal.value.param == "workspaceId"


@pytest.mark.parametrize("end", ["infinity", "-infinity", "294276-01-01", "0001-01-01"])
def test_an_end_that_no_calendar_knows_is_none(platform: Platform, end: str) -> None:
    platform.account(1)
    platform.runs([Run("odd", NOON)])
    platform.sql("UPDATE workflow_execution_logs SET ended_at = CAST(:end AS timestamp)", end=end)
    assert opened(platform, "odd").ended_at is None


@pytest.mark.parametrize("row_id", ["two\nlines", "'\"%s:x\\", "é", " ", "x" * 2000])
def test_ids_of_rows_can_be_any_text(platform: Platform, row_id: str) -> None:
    platform.account(1)
    platform.runs([Run(row_id, NOON, execution_id="e")])
    assert opened(platform, row_id).execution.id == row_id

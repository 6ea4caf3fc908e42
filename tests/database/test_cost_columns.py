"""The second generation: costs in columns and in usage_log, beside the JSONB or without it.

The oracle shares no line with the product: it reads what the test wrote, row by row.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
import pytest

from data.answers.ledger import Ledger
from data.platform.connection import connect
from data.question.file_options import Columns, FileOptions
from data.question.filters import Filters
from data.question.query import Split, UsageQuery
from data.rules.billing import Billing
from data.rules.errors import UnavailableError
from data.sums import rollup
from tests.conftest import Api
from tests.support.calling import call, call_page
from tests.support.platform import (
    ALWAYS,
    PAYER,
    VIEWER,
    WORKSPACE,
    Platform,
    Run,
    first_page,
    rows_of,
    utc,
)
from tests.support.signing import own_platform
from tests.support.summing import assert_agrees

ROLE: Final = "reader_of_columns"
NOON: Final = utc("2026-10-10 12:00")
IN_JSON: Final = (
    '{"total": 9, "tokens": {"input": 7, "output": 5}, '
    '"models": {"haiku": {"total": 1}, "gpt-4o": {"total": 6, "tokens": {"total": 12}}}}'
)


@dataclass
class Stored:
    """An execution as the second generation writes it; ``lines`` are of usage_log."""

    id: str
    total: str | None = None
    models: list[str] | None = None
    json: str | None = None
    # source, category, description, cost, metadata
    lines: list[tuple[str, str, str, str, str | None]] = field(default_factory=list)


def model(name: str, cost: str, sent: int | None = None, received: int | None = None) -> Any:
    known = {"inputTokens": sent, "outputTokens": received}
    told = [f'"{key}": {value}' for key, value in known.items() if value is not None]
    return ("workflow", "model", name, cost, f"{{{', '.join(told)}}}" if told else None)


@contextmanager
def second(cluster: str, *stored: Stored, limit: int = 5) -> Iterator[Platform]:
    """Make a platform of the second generation that holds these, a minute apart."""
    with own_platform(cluster, later=True) as platform:
        platform.account(limit)
        write(platform, stored)
        yield platform


@contextmanager
def first(cluster: str, *stored: Stored) -> Iterator[Platform]:
    """Make a platform of the first generation that holds their JSON, a minute apart."""
    with own_platform(cluster) as platform:
        platform.account(5)
        platform.runs(
            Run(each.id, NOON + place * timedelta(minutes=1), each.json)
            for place, each in enumerate(stored)
        )
        yield platform


def write(platform: Platform, stored: tuple[Stored, ...]) -> None:
    platform.runs(
        Run(each.id, NOON + place * timedelta(minutes=1), each.json)
        for place, each in enumerate(stored)
    )
    for each in stored:
        platform.sql(
            "UPDATE workflow_execution_logs SET cost_total = CAST(:total AS numeric), "
            "models_used = :models WHERE id = :id",
            id=each.id,
            total=each.total,
            models=each.models,
        )
        for source, category, description, cost, metadata in each.lines:
            platform.sql(
                "INSERT INTO usage_log (id, user_id, category, source, description, cost, "
                "metadata, execution_id) VALUES (gen_random_uuid(), :user, "
                "CAST(:category AS usage_log_category), CAST(:source AS usage_log_source), "
                ":description, CAST(:cost AS numeric), CAST(:metadata AS jsonb), :execution)",
                user=PAYER,
                category=category,
                source=source,
                description=description,
                cost=cost,
                metadata=metadata,
                execution=f"execution-{each.id}",
            )


def told(ledger: Ledger) -> dict[str, tuple[Decimal | None, int | None, list[str]]]:
    """Return cost, tokens and models of each execution, by id."""
    rows = rows_of(first_page(ledger))
    return {row["id"]: (row["cost"], row["tokens"], row["models"]) for row in rows}


@pytest.mark.parametrize(
    ("total", "json", "cost"),
    [
        ("0.012493750000000001", None, "0.012493750000000001"),
        ("0", None, "0"),
        ("2", IN_JSON, "2"),
        (None, IN_JSON, "9"),
        (None, None, None),
        ("NaN", IN_JSON, None),
        ("-1", IN_JSON, None),
        ("Infinity", IN_JSON, None),
        ("1000000000000", IN_JSON, None),
        ("999999999999.9", None, "999999999999.9"),
        ("0." + 31 * "1", None, None),
    ],
)
def test_the_column_wins_where_it_is_not_null_and_never_falls_back(
    cluster: str, total: str | None, json: str | None, cost: str | None
) -> None:
    with second(cluster, Stored("a", total, json=json)) as platform:
        [(found, _, _)] = told(platform.ledger()).values()
        assert found == (None if cost is None else Decimal(cost))
        sums = platform.ledger().summary(VIEWER, UsageQuery(WORKSPACE, ALWAYS)).sums
        assert (sums.executions, sums.unknown, sums.cost) == (1, cost is None, Decimal(cost or 0))


def test_tokens_and_models_are_those_of_the_ledger_lines_whose_metadata_is_cumulative(
    cluster: str,
) -> None:
    run = Stored(
        "a",
        "0.9",
        ["free", "gpt-4o", "haiku"],
        lines=[
            model("gpt-4o", "0.2", 100, 10),
            model("gpt-4o", "0.1", 300, 30),
            model("haiku", "0.4", 5),
            ("workflow", "fixed", "execution_fee", "0.005", None),
            ("workflow", "tool", "search", "0.01", '{"inputTokens": 1000}'),
            ("copilot", "model", "opus", "7", '{"inputTokens": 1000}'),
        ],
    )
    with second(cluster, run) as platform:
        assert told(platform.ledger()) == {"a": (Decimal("0.9"), 335, ["haiku", "gpt-4o", "free"])}
        detail = platform.ledger().execution(VIEWER, WORKSPACE, "a")
        assert [(each.model, each.cost, each.tokens) for each in detail.charges] == [
            ("haiku", Decimal("0.4"), 5),
            ("gpt-4o", Decimal("0.3"), 330),
            (None, Decimal("0.2"), None),
        ]
        assert (detail.execution.sent, detail.execution.received) == (305, 30)


def test_where_the_json_is_there_it_tells_tokens_and_models(cluster: str) -> None:
    run = Stored("a", "9", ["other"], IN_JSON, [model("other", "1", 1000)])
    with second(cluster, run) as platform:
        assert told(platform.ledger()) == {"a": (Decimal(9), 12, ["gpt-4o", "haiku"])}


def test_an_execution_that_ran_while_the_platform_was_upgraded_is_told_by_its_lines(
    cluster: str,
) -> None:
    base = '{"total": 0.005, "tokens": {"input": 0, "output": 0, "total": 0}, "models": {}}'
    lines = [model("gpt-4o", "1.495", 1000, 50)]
    with second(cluster, Stored("a", "1.5", ["gpt-4o"], base, lines)) as platform:
        assert told(platform.ledger()) == {"a": (Decimal("1.5"), 1050, ["gpt-4o"])}
        rollup.install(platform.url)
        assert_agrees(platform)
        figures = platform.ledger().figures(VIEWER, UsageQuery(WORKSPACE, ALWAYS), Split.MODEL)
        assert {group.key: group.cost for group in figures.groups} == {
            "gpt-4o": Decimal("1.495"),
            None: Decimal("0.005"),
        }


@pytest.mark.parametrize(
    "metadata",
    [None, "{}", "[]", "7", '{"inputTokens": -1}', '{"inputTokens": 1.5}', '{"inputTokens": "x"}'],
)
def test_what_is_no_number_of_tokens_is_unknown(cluster: str, metadata: str | None) -> None:
    run = Stored("a", "1", lines=[("workflow", "model", "gpt-4o", "1", metadata)])
    with second(cluster, run) as platform:
        assert told(platform.ledger()) == {"a": (Decimal(1), None, ["gpt-4o"])}


@pytest.mark.parametrize("amount", ["NaN", "-1", "1000000000000"])
def test_a_line_whose_amount_is_none_leaves_its_model_unknown_and_the_rest_whole(
    cluster: str, amount: str
) -> None:
    run = Stored("a", "1", lines=[model("gpt-4o", "0.5", 1), model("gpt-4o", amount, 2)])
    with second(cluster, run) as platform:
        detail = platform.ledger().execution(VIEWER, WORKSPACE, "a")
        assert [(each.model, each.cost) for each in detail.charges] == [
            ("gpt-4o", None),
            (None, Decimal(1)),
        ]


def drawn(count: int) -> list[Stored]:
    """Draw executions of every kind, the same each time."""
    rng = Random(20_261_128)
    names = ["gpt-4o", "haiku", "opus", ""]
    found = []
    for number in range(count):
        lines = [
            (
                rng.choice(["workflow", "workflow", "copilot"]),
                rng.choice(["model", "model", "fixed", "tool"]),
                rng.choice(names),
                f"{rng.randrange(0, 300)}e-3",
                rng.choice([None, f'{{"inputTokens": {rng.randrange(99)}}}']),
            )
            for _ in range(rng.randrange(4))
        ]
        found.append(
            Stored(
                f"r{number:03}",
                rng.choice([None, "0", f"{rng.randrange(0, 2000)}e-3", "NaN", "9"]),
                rng.choice([None, rng.sample(names, rng.randrange(4))]),
                rng.choice([None, None, IN_JSON, '{"total": "?"}']),
                lines,
            )
        )
    return found


def oracle(run: Stored) -> tuple[Decimal | None, int | None, set[str], bool]:
    """Tell cost, tokens, models, and whether the tokens are all, as the contract does."""
    cost = {None: None, IN_JSON: Decimal(9)}.get(run.json)
    if run.total is not None:
        cost = None if run.total == "NaN" else Decimal(run.total)
    of_models = [line for line in run.lines if line[:2] == ("workflow", "model")]
    in_json = {"gpt-4o", "haiku"} if run.json == IN_JSON else set()
    # Of an execution that ran on after its JSON was written, lines tell.
    ran_on = run.total is not None and (run.json != IN_JSON or run.total != "9") and of_models
    if run.json is not None and not ran_on:
        complete = set(run.models or []) - {""} <= in_json
        return cost, 12 if in_json else None, in_json, complete
    most: dict[str, int] = {}
    for _, _, name, _, metadata in of_models:
        if metadata:
            tokens = int(metadata.split(": ")[1].rstrip("}"))
            most[name] = max(most.get(name, 0), tokens)
    logged = {line[2] for line in of_models}
    used = set(run.models or []) - {""}
    names = (logged | used) - {""}
    return cost, sum(most.values()) if most else None, names, used <= logged


def test_page_sums_groups_filters_and_files_agree_with_what_was_written(cluster: str) -> None:
    runs = drawn(80)
    with second(cluster, *runs) as platform:
        ledger = platform.ledger()
        expected = {run.id: oracle(run) for run in runs}
        assert {
            row["id"]: (row["cost"], row["tokens"], set(row["models"]), row["tokens_complete"])
            for row in rows_of(first_page(ledger))
        } == expected
        assert {complete for _, _, _, complete in expected.values()} == {True, False}
        query = UsageQuery(WORKSPACE, ALWAYS)
        sums = ledger.summary(VIEWER, query).sums
        costs = [cost for cost, _, _, _ in expected.values()]
        assert sums.cost == sum((cost for cost in costs if cost is not None), Decimal(0))
        assert sums.tokens == sum(tokens or 0 for _, tokens, _, _ in expected.values())
        assert (sums.executions, sums.unknown) == (80, costs.count(None))
        assert sums.on_demand == sums.cost - 5
        for split in (Split.MODEL, Split.WORKFLOW):
            figures = ledger.figures(VIEWER, query, split)
            assert sum((group.cost for group in figures.groups), Decimal(0)) == sums.cost
        for name in ("gpt-4o", "haiku", "opus"):
            asked = UsageQuery(WORKSPACE, ALWAYS, filters=Filters(model=(name,)))
            page, _ = ledger.page_shown(VIEWER, asked)
            used = {key for key, (_, _, models, _) in expected.items() if name in models}
            assert set(page.rows["id"]) == used
            assert ledger.summary(VIEWER, asked).sums.executions == len(used)
        for key, (cost, _, _, complete) in expected.items():
            detail = ledger.execution(VIEWER, WORKSPACE, key)
            charges = detail.charges
            assert detail.execution.tokens_complete == complete
            known = sum((charge.cost or Decimal(0) for charge in charges), Decimal(0))
            assert known == (cost or 0)
        with ledger.export(VIEWER, query, FileOptions(Columns.EXTENDED)) as export:
            assert {row.id: (row.cost, row.tokens, row.tokens_complete) for row in export.rows} == {
                key: (cost, tokens, complete)
                for key, (cost, tokens, _, complete) in expected.items()
            }


A_LINE: Final = model("a", "0.1", 5)


@pytest.mark.parametrize(
    ("used", "json", "lines", "tokens", "complete"),
    [
        (["a"], None, [A_LINE], 5, True),
        (["a", "b"], None, [A_LINE], 5, False),
        (["a", ""], None, [A_LINE], 5, True),
        (["a", None], None, [A_LINE], 5, True),
        ([["a", "a"]], None, [A_LINE], 5, True),
        (["a", "b"], None, [A_LINE, model("b", "0")], 5, True),
        (["A"], None, [A_LINE], 5, False),
        (None, None, [A_LINE], 5, True),
        ([], None, [], None, True),
        (None, None, [], None, True),
        # Nothing is recorded of what was used.
        (["a"], None, [], None, False),
        (["a"], None, [("copilot", *A_LINE[1:])], None, False),
        (["a"], None, [("workflow", "fixed", *A_LINE[2:])], None, False),
        # The JSON was written while it ran, and does not tell the cost that it has.
        (["b"], IN_JSON, [A_LINE], 5, False),
        (["b"], "{}", [A_LINE], 5, False),
        (["haiku"], IN_JSON, [], 12, True),
        (["haiku", "b"], IN_JSON, [], 12, False),
        (["b"], "null", [A_LINE], 5, False),
    ],
)
def test_tokens_are_at_least_so_many_where_more_models_were_used_than_have_lines(
    cluster: str, used: Any, json: str | None, lines: Any, tokens: int | None, *, complete: bool
) -> None:
    with second(cluster, Stored("a", "1", used, json, lines)) as platform:
        [row] = rows_of(first_page(platform.ledger()))
        assert (row["tokens"], row["tokens_complete"]) == (tokens, complete)
        sums = platform.ledger().summary(VIEWER, UsageQuery(WORKSPACE, ALWAYS)).sums
        assert sums.tokens == (tokens or 0)


def test_page_opened_row_and_api_say_that_tokens_are_at_least_so_many_and_why(
    cluster: str, api_of: Callable[..., Api]
) -> None:
    runs = [
        Stored("all", "1", ["opus"], lines=[model("opus", "0.5", 12_000, 345)]),
        Stored("more", "0.3", ["opus", "free"], lines=[model("opus", "0.3", 12_000, 345)]),
        Stored("none", "0", ["free"]),
    ]
    reason = "A model was used of which the platform recorded no tokens"
    with second(cluster, *runs) as platform:
        api = api_of(platform.reader)
        days = {"from": "2026-10-10", "to": "2026-10-10"}
        listed = api.json("billing/usage", {"workspaceId": WORKSPACE, **days})["data"]
        assert [(row["id"], row["tokens"], row["tokens_complete"]) for row in listed] == [
            ("none", None, False),
            ("more", 12_345, False),
            ("all", 12_345, True),
        ]
        one = api.json("billing/usage/execution", {"workspaceId": WORKSPACE, "id": "more"})
        assert (one["tokens"], one["tokens_complete"]) == (12_345, False)
        path = f"/workspace/{WORKSPACE}/usage"
        table = call_page(api.client, path, f"?{urlencode(days)}").get_json()["response"]
        shown = table["usage-table"]
        assert [row["tokens"] for row in shown["data"]] == ["—", "≥ 12,345", "12,345"]
        tips = [row.get("tokens") for row in shown["tooltip_data"]]
        assert tips == [{"value": reason, "type": "text"}] * 2 + [None]
        for row_id, total in (("more", "≥ 12,345 tokens (12,000 in, 345 out)"), ("all", None)):
            asked = {"usage-opened-row.data": {"id": row_id, "pathname": path}}
            answer = call(api.client, "usage-opened-body.children", asked).get_json()["response"]
            told_of = json.dumps(answer, ensure_ascii=False)
            assert (reason in told_of) == ("≥" in told_of) == (total is not None)
            assert total is None or total in told_of


STATUSES: Final = ("running", "pending", "paused", "redacting", "completed", "failed", "cancelled")
TRIGGERS: Final = (
    *("manual", "api", "schedule", "chat", "webhook", "mcp", "a2a", "copilot", "mothership"),
    *("workflow", "custom_block", "table", "resume", "gmail"),
)


@pytest.mark.parametrize("generation", [1, 2])
def test_every_status_and_trigger_is_shown_offered_and_filtered_by(
    cluster: str, generation: int, api_of: Callable[..., Api]
) -> None:
    kinds = {f"r{n:02}": kind for n, kind in enumerate(product(STATUSES, TRIGGERS))}
    runs = [Stored(name, "2", json=None if generation == 2 else '{"total": 2}') for name in kinds]
    with (first if generation == 1 else second)(cluster, *runs) as platform:
        for name, (status, trigger) in kinds.items():
            platform.sql(
                "UPDATE workflow_execution_logs SET status = :status, trigger = :trigger "
                "WHERE id = :id",
                id=name,
                status=status,
                trigger=trigger,
            )
        api = api_of(platform.reader)
        always = {"workspaceId": WORKSPACE, "from": "2026-10-10", "to": "2026-10-10"}

        def found(**asked: Any) -> set[str]:
            listed = api.json("billing/usage", always | asked)["data"]
            assert all(kinds[row["id"]] == (row["status"], row["trigger"]) for row in listed)
            sums = api.json("billing/usage/summary", always | asked)
            assert (sums["executions"], sums["cost_usd"]) == (len(listed), str(2 * len(listed)))
            return {row["id"] for row in listed}

        assert found() == set(kinds)
        for word in STATUSES:
            assert found(status=word) == {key for key, kind in kinds.items() if kind[0] == word}
        for word in TRIGGERS:
            assert found(trigger=word) == {key for key, kind in kinds.items() if kind[1] == word}
        both = {"status": ["paused", "redacting"], "trigger": ["custom_block", "mothership"]}
        assert len(found(**both)) == 4
        query = UsageQuery(WORKSPACE, ALWAYS)
        figures, options = platform.ledger().figures_shown(VIEWER, query, Split.TYPE)
        assert figures.sums.unfinished == 4 * len(TRIGGERS)
        assert options.statuses == sorted(STATUSES)
        assert options.triggers == sorted(TRIGGERS)
        search = urlencode({"from": "2026-10-10", "to": "2026-10-10", **both}, doseq=True)
        path = f"/workspace/{WORKSPACE}/usage"
        table = call_page(api.client, path, f"?{search}").get_json()["response"]["usage-table"]
        assert len(table["data"]) == 4
        for row, tips in zip(table["data"], table["tooltip_data"], strict=True):
            status, trigger = kinds[row["id"]]
            assert tips["cost"]["value"].startswith(f"Still {status}. Exact cost $2 so far")
            asked = {"usage-opened-row.data": {"id": row["id"], "pathname": path}}
            answer = call(api.client, "usage-opened-body.children", asked).get_json()["response"]
            told_of = json.dumps(answer, ensure_ascii=False)
            assert f"· {trigger} · {status}" in told_of
            assert f"Still {status}: this is what it cost so far." in told_of


def test_an_opened_row_says_by_how_much_its_lines_exceed_the_cost(
    cluster: str, api_of: Callable[..., Api]
) -> None:
    run = Stored("a", "0.3", lines=[model("opus", "0.3"), model("haiku", "0.0012")])
    with second(cluster, run) as platform:
        api = api_of(platform.reader)
        asked = {"usage-opened-row.data": {"id": "a", "pathname": f"/workspace/{WORKSPACE}/usage"}}
        answer = call(api.client, "usage-opened-body.children", asked).get_json()["response"]
        assert "lines exceed the recorded cost by $0.0012" in json.dumps(answer)
        one = api.json("billing/usage/execution", {"workspaceId": WORKSPACE, "id": "a"})
        assert one["lines_exceed_usd"] == "0.0012"
        assert [(part["model"], part["cost_usd"]) for part in one["parts"]] == [
            ("opus", "0.3"),
            ("haiku", "0"),
        ]


@pytest.mark.parametrize(
    ("drop", "found", "complete"),
    [
        (
            "ALTER TABLE workflow_execution_logs DROP cost",
            (Decimal(2), 30, ["opus", "haiku"]),
            False,
        ),
        (
            "ALTER TABLE workflow_execution_logs DROP cost_total",
            (None, 30, ["opus", "haiku"]),
            False,
        ),
        ("ALTER TABLE workflow_execution_logs DROP models_used", (Decimal(2), 30, ["opus"]), True),
        ("DROP INDEX usage_log_execution_id_idx", (Decimal(2), None, ["haiku", "opus"]), False),
        ("DROP TABLE usage_log", (Decimal(2), None, ["haiku", "opus"]), False),
    ],
)
def test_any_column_may_be_missing_from_the_next_question_on(
    cluster: str, drop: str, found: Any, *, complete: bool
) -> None:
    run = Stored("a", "2", ["haiku", "opus"], lines=[model("opus", "1", 20, 10)])
    with second(cluster, run) as platform:
        ledger = platform.ledger()
        assert told(ledger)["a"] == (Decimal(2), 30, ["opus", "haiku"])
        platform.sql(drop)
        assert told(ledger)["a"] == found
        assert rows_of(first_page(ledger))[0]["tokens_complete"] == complete
        query = UsageQuery(WORKSPACE, ALWAYS, filters=Filters(model=("opus",)))
        figures, options = ledger.figures_shown(VIEWER, query, Split.MODEL)
        assert (figures.sums.executions, "opus" in options.models) == (1, True)
        ledger.execution(VIEWER, WORKSPACE, "a")
        ledger.ready()


def test_without_any_column_of_costs_it_is_not_ready_and_says_which_is_missing(
    cluster: str,
) -> None:
    with own_platform(cluster) as platform:
        platform.sql("ALTER TABLE workflow_execution_logs DROP cost")
        platform.account(5)
        for ask in (platform.ledger().ready, lambda: first_page(platform.ledger())):
            with pytest.raises(UnavailableError, match="The column cost of workflow_execution"):
                ask()


def test_a_platform_that_is_upgraded_is_read_right_from_the_next_question_on(
    cluster: str,
) -> None:
    with own_platform(cluster) as platform:
        platform.account(5)
        platform.runs([Run("old", NOON, IN_JSON)])
        rollup.install(platform.url)
        ledger = platform.ledger()
        query = UsageQuery(WORKSPACE, ALWAYS)
        assert ledger.summary(VIEWER, query).sums.cost == 9
        platform.upgrade()
        new = Stored("new", "0.25", ["opus"], lines=[model("opus", "0.25", 3)])
        write(platform, (new,))
        # That UPDATE of cost_total alone is what the triggers of before do not see.
        assert ledger.summary(VIEWER, query).sums.cost == Decimal("9.25")
        assert told(ledger)["new"] == (Decimal("0.25"), 3, ["opus"])


def test_the_documented_grants_are_enough(cluster: str) -> None:
    install = (Path(__file__).parents[2] / "docs" / "install.md").read_text()
    blocks = re.findall(r"^```sql\n(.*?)^```$", install, re.DOTALL | re.MULTILINE)
    grants = "".join(block for block in blocks if "GRANT" in block).replace("usage_reader", ROLE)
    run = Stored("a", "2", ["haiku", "opus"], lines=[model("opus", "1", 20, 10)])
    with own_platform(cluster, later=True) as platform:
        platform.account(5)
        write(platform, (run,))
        engine = connect(platform.url.replace("postgres@", f"{ROLE}@", 1))
        with psycopg.connect(platform.url, autocommit=True) as connection:
            connection.execute(grants.encode())
            try:
                ledger = Ledger(engine, Billing(UTC))
                ledger.ready(sessions=True)
                assert told(ledger) == {"a": (Decimal(2), 30, ["opus", "haiku"])}
                ledger.figures_shown(VIEWER, UsageQuery(WORKSPACE, ALWAYS), Split.MODEL)
                connection.execute(f"REVOKE SELECT (metadata) ON usage_log FROM {ROLE}".encode())
                with pytest.raises(UnavailableError, match="The column metadata of usage_log"):
                    ledger.ready()
            finally:
                engine.dispose()
                connection.execute(f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}".encode())


def beyond(count: int) -> list[tuple[Decimal, dict[str, tuple[Decimal, int]]]]:
    """Draw a total, often below its models, and the cost and tokens of each of these."""
    rng = Random(14)
    # Two that are the same once they are cut, many that cost the same.
    names = ["gpt-4o", "haiku", "opus", "", f"{'m' * 200}a", f"{'m' * 200}b"]
    found = []
    for _ in range(count):
        used = rng.sample(names, rng.randrange(len(names)))
        models = {
            name: (Decimal(rng.choice(["0", "0.1", "0.10", "1e-20", "7"])), rng.randrange(3))
            for name in used
        }
        full = sum((cost for cost, _ in models.values()), Decimal(0))
        total = rng.choice([full, full * 2, full / 2, full - Decimal("1e-21"), Decimal("0.05")])
        found.append((max(total, Decimal(0)), models))
    return found


def parts_of(total: Decimal, models: dict[str, tuple[Decimal, int]]) -> dict[str, Decimal]:
    """Give the total to one model after the other, and what is left to the empty name."""
    order = sorted(models, key=lambda name: (-models[name][0], -models[name][1], name.encode()))
    counted: dict[str, Decimal] = {}
    for name in order:
        if name:
            counted[name] = min(total, models[name][0])
            total -= counted[name]
    return counted | {"": total}


@pytest.mark.parametrize("generation", [1, 2])
def test_models_beyond_the_total_count_up_to_it_the_dearest_first_and_no_group_is_negative(
    cluster: str, generation: int
) -> None:
    drawn_parts = beyond(150)
    groups: dict[str, Decimal] = {}
    runs = []
    for number, (total, models) in enumerate(drawn_parts):
        for name, amount in parts_of(total, models).items():
            groups[name[:200]] = groups.get(name[:200], Decimal(0)) + amount
        run = Stored(f"r{number:03}", str(total))
        if generation == 1:
            told_in_json = {
                name: {"total": f"{cost:f}", "tokens": tokens}
                for name, (cost, tokens) in models.items()
            }
            run.json = json.dumps({"total": f"{total:f}", "models": told_in_json})
        else:
            run.lines = [model(name, str(cost), used) for name, (cost, used) in models.items()]
        runs.append(run)
    with (first if generation == 1 else second)(cluster, *runs) as platform:
        query = UsageQuery(WORKSPACE, ALWAYS)
        figures = platform.ledger().figures(VIEWER, query, Split.MODEL)
        assert {group.key or "": group.cost for group in figures.groups} == {
            name: amount for name, amount in groups.items() if amount
        }
        assert sum(groups.values()) == figures.sums.cost
        assert min(min(group.costs) for group in figures.groups) >= 0
        for run, (total, models) in zip(runs, drawn_parts, strict=True):
            detail = platform.ledger().execution(VIEWER, WORKSPACE, run.id)
            counted: dict[str, Decimal] = {"": Decimal(0)}
            for charge in detail.charges:
                assert charge.cost is not None
                name = charge.model or ""
                counted[name] = counted.get(name, Decimal(0)) + charge.cost
            assert counted == parts_of(total, models)
            over = sum((cost for cost, _ in models.values()), -total)
            assert detail.excess == (over if over > 0 else None)

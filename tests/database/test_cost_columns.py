"""The second generation: costs in columns and in usage_log, beside the JSONB or without it.

The oracle shares no line with the product: it reads what the test wrote, row by row.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import psycopg
import pytest

from data.answers.ledger import Ledger
from data.platform.connection import connect
from data.question.file_options import Columns, FileOptions
from data.question.filters import Filters
from data.question.query import Split, UsageQuery
from data.rules.billing import Billing
from data.rules.errors import UnavailableError, UsageError
from data.sums import rollup
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

ROLE: Final = "reader_of_columns"
NOON: Final = utc("2026-10-10 12:00")
SECOND: Final = """
    ALTER TABLE workflow_execution_logs ADD cost_total numeric, ADD models_used text[];
    CREATE TYPE usage_log_category AS ENUM ('model', 'fixed', 'tool');
    CREATE TYPE usage_log_source AS ENUM ('workflow', 'copilot');
    CREATE TABLE usage_log (
        id text PRIMARY KEY DEFAULT gen_random_uuid(), user_id text NOT NULL,
        category usage_log_category NOT NULL, source usage_log_source NOT NULL,
        description text NOT NULL, metadata jsonb, cost numeric NOT NULL,
        workspace_id text, workflow_id text, execution_id text,
        created_at timestamp NOT NULL DEFAULT now()
    );
    CREATE INDEX usage_log_execution_id_idx ON usage_log (execution_id)
"""
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
    with own_platform(cluster) as platform:
        platform.account(limit)
        platform.sql(SECOND)
        write(platform, stored)
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
                "INSERT INTO usage_log (user_id, category, source, description, cost, metadata, "
                "execution_id) VALUES (:user, CAST(:category AS usage_log_category), "
                "CAST(:source AS usage_log_source), :description, CAST(:cost AS numeric), "
                "CAST(:metadata AS jsonb), :execution)",
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
                rng.choice([None, "0", f"{rng.randrange(0, 2000)}e-3", "NaN"]),
                rng.choice([None, rng.sample(names, rng.randrange(4))]),
                rng.choice([None, None, IN_JSON, '{"total": "?"}']),
                lines,
            )
        )
    return found


def oracle(run: Stored) -> tuple[Decimal | None, int | None, set[str]]:
    """Tell cost, tokens and models as the contract does, from what was written."""
    cost = {None: None, IN_JSON: Decimal(9)}.get(run.json)
    if run.total is not None:
        cost = None if run.total == "NaN" else Decimal(run.total)
    if run.json is not None:
        whole = run.json == IN_JSON
        return cost, 12 if whole else None, {"gpt-4o", "haiku"} if whole else set()
    of_models = [line for line in run.lines if line[:2] == ("workflow", "model")]
    most: dict[str, int] = {}
    for _, _, name, _, metadata in of_models:
        if metadata:
            tokens = int(metadata.split(": ")[1].rstrip("}"))
            most[name] = max(most.get(name, 0), tokens)
    names = {line[2] for line in of_models} | set(run.models or []) - {""}
    return cost, sum(most.values()) if most else None, names - {""}


def test_page_sums_groups_filters_and_files_agree_with_what_was_written(cluster: str) -> None:
    runs = drawn(80)
    with second(cluster, *runs) as platform:
        ledger = platform.ledger()
        expected = {run.id: oracle(run) for run in runs}
        assert {
            key: (cost, tokens, set(models)) for key, (cost, tokens, models) in told(ledger).items()
        } == expected
        query = UsageQuery(WORKSPACE, ALWAYS)
        sums = ledger.summary(VIEWER, query).sums
        costs = [cost for cost, _, _ in expected.values()]
        assert sums.cost == sum((cost for cost in costs if cost is not None), Decimal(0))
        assert sums.tokens == sum(tokens or 0 for _, tokens, _ in expected.values())
        assert (sums.executions, sums.unknown) == (80, costs.count(None))
        assert sums.on_demand == sums.cost - 5
        for split in (Split.MODEL, Split.WORKFLOW):
            figures = ledger.figures(VIEWER, query, split)
            assert sum((group.cost for group in figures.groups), Decimal(0)) == sums.cost
        for name in ("gpt-4o", "haiku", "opus"):
            asked = UsageQuery(WORKSPACE, ALWAYS, filters=Filters(model=(name,)))
            page, _ = ledger.page_shown(VIEWER, asked)
            used = {key for key, (_, _, models) in expected.items() if name in models}
            assert set(page.rows["id"]) == used
            assert ledger.summary(VIEWER, asked).sums.executions == len(used)
        for key, (cost, _, _) in expected.items():
            charges = ledger.execution(VIEWER, WORKSPACE, key).charges
            known = sum((charge.cost or Decimal(0) for charge in charges), Decimal(0))
            assert known == (cost or 0)
        with ledger.export(VIEWER, query, FileOptions(Columns.EXTENDED)) as export:
            assert {row.id: (row.cost, row.tokens) for row in export.rows} == {
                key: (cost, tokens) for key, (cost, tokens, _) in expected.items()
            }


@pytest.mark.parametrize(
    ("drop", "found"),
    [
        ("ALTER TABLE workflow_execution_logs DROP cost", (Decimal(2), 30, ["opus", "haiku"])),
        ("ALTER TABLE workflow_execution_logs DROP cost_total", (None, 30, ["opus", "haiku"])),
        ("ALTER TABLE workflow_execution_logs DROP models_used", (Decimal(2), 30, ["opus"])),
        ("DROP INDEX usage_log_execution_id_idx", (Decimal(2), None, ["haiku", "opus"])),
        ("DROP TABLE usage_log", (Decimal(2), None, ["haiku", "opus"])),
    ],
)
def test_any_column_may_be_missing_from_the_next_question_on(
    cluster: str, drop: str, found: Any
) -> None:
    run = Stored("a", "2", ["haiku", "opus"], lines=[model("opus", "1", 20, 10)])
    with second(cluster, run) as platform:
        ledger = platform.ledger()
        assert told(ledger)["a"] == (Decimal(2), 30, ["opus", "haiku"])
        platform.sql(drop)
        assert told(ledger)["a"] == found
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
        platform.sql(SECOND)
        new = Stored("new", "0.25", ["opus"], lines=[model("opus", "0.25", 3)])
        write(platform, (new,))
        # That UPDATE of cost_total alone is what the rollup's triggers do not see.
        assert ledger.summary(VIEWER, query).sums.cost == Decimal("9.25")
        assert told(ledger)["new"] == (Decimal("0.25"), 3, ["opus"])
        with pytest.raises(UsageError, match="does not add up yet"):
            rollup.install(platform.url)


def test_the_documented_grants_are_enough(cluster: str) -> None:
    install = (Path(__file__).parents[2] / "docs" / "install.md").read_text()
    blocks = re.findall(r"^```sql\n(.*?)^```$", install, re.DOTALL | re.MULTILINE)
    grants = "".join(block for block in blocks if "GRANT" in block).replace("usage_reader", ROLE)
    run = Stored("a", "2", ["haiku", "opus"], lines=[model("opus", "1", 20, 10)])
    with own_platform(cluster, later=True) as platform:
        platform.account(5)
        platform.sql(SECOND)
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

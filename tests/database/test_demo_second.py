"""The demo of the platform's second generation: the same history, written in its columns."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
import pytest
from click.testing import CliRunner

import demo
from app import main
from data.answers.ledger import Ledger
from data.platform.access import Viewer
from data.platform.connection import connect
from data.question.query import UsageQuery
from data.rules.billing import Billing, LimitScope
from data.rules.calendar import Window
from data.rules.errors import UsageError
from demo.accounts import FINANCE, RESEARCH, SUPPORT
from demo.second import cutover_before

NOW: Final = datetime(2026, 11, 22, 21, 14, 3, 123456, tzinfo=UTC)
CUTOVER: Final = datetime(2026, 10, 15, tzinfo=UTC).replace(tzinfo=None)
DIGEST: Final[LiteralString] = """
    SELECT md5(string_agg(row::text, E'\n' ORDER BY row::text COLLATE "C"))
    FROM (SELECT log::text FROM workflow_execution_logs AS log UNION ALL
          SELECT line::text FROM usage_log AS line) AS row
"""


def plant(url: str, generation: int, executions: int = 6_000) -> None:
    demo.seed(url, now=NOW, executions=executions, generation=generation, progress=lambda *_: None)


@pytest.fixture(scope="module")
def planted(cluster: str) -> Iterator[dict[int, str]]:
    """Yield the URLs of the demo in both generations."""
    urls = {}
    with psycopg.connect(cluster, autocommit=True) as connection:
        for generation in (1, 2):
            connection.execute(f"CREATE DATABASE demo_{generation}".encode())
            urls[generation] = cluster.replace("/postgres?", f"/demo_{generation}?")
            plant(urls[generation], generation)
        yield urls
        for generation in (1, 2):
            connection.execute(f"DROP DATABASE demo_{generation} WITH (FORCE)".encode())


def ask(url: str, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query, values).fetchall()


def told(url: str) -> dict[str, tuple[Any, ...]]:
    """Return status, cost, tokens and models of each execution, as the reader is told."""
    engine = connect(demo.reader_url(url))
    ledger = Ledger(engine, Billing(UTC, LimitScope.ACCOUNT))
    ledger.ready(sessions=True)
    window = Window(datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    found: dict[str, tuple[Any, ...]] = {}
    for workspace_id in (SUPPORT, FINANCE, RESEARCH):
        query = UsageQuery(workspace_id, window)
        with ledger.export(Viewer(demo.DEMO_VIEWER_ID), query) as export:
            found |= {
                row.id: (row.status, row.cost, row.tokens, tuple(row.models), row.started_at)
                for row in export.rows
            }
    engine.dispose()
    return found


def test_the_reader_is_told_the_same_costs_of_all_that_has_ended(planted: dict[int, str]) -> None:
    first, second = told(planted[1]), told(planted[2])
    assert len(first) > 5_000
    assert first.keys() == second.keys()
    under_way = 0
    for row_id, (status, cost, tokens, models, started) in second.items():
        before = first[row_id]
        assert started == before[4]
        if status in {"running", "redacting"}:
            assert (cost, tokens) == (None, None)
            under_way += 1
            continue
        assert (status, cost) == ("paused" if status == "paused" else before[0], before[1])
        assert set(before[3]) <= set(models)
        assert tokens is None or tokens <= before[2]
    assert under_way >= 5


def test_some_tokens_are_not_recorded_and_most_are(planted: dict[int, str]) -> None:
    first, second = told(planted[1]), told(planted[2])
    new = [row_id for row_id, row in second.items() if row[4].replace(tzinfo=None) >= CUTOVER]
    same = sum(first[row_id][2] == second[row_id][2] for row_id in new)
    assert 0.7 < same / len(new) < 0.99


def test_the_same_now_gives_the_same_rows_and_lines(planted: dict[int, str], database: str) -> None:
    plant(database, 2)
    assert ask(database, DIGEST) == ask(planted[2], DIGEST)


@pytest.mark.parametrize(
    ("now", "cutover"),
    [
        ("2026-11-22T21:14:03", "2026-10-15"),
        ("2027-01-01T00:00:00", "2026-12-15"),
        ("2028-03-31T23:59:59", "2028-02-15"),
    ],
)
def test_the_platform_is_upgraded_in_the_middle_of_last_month(now: str, cutover: str) -> None:
    assert cutover_before(datetime.fromisoformat(now)) == datetime.fromisoformat(cutover)


def test_costs_are_only_in_json_only_in_columns_in_both_and_in_neither(
    planted: dict[int, str],
) -> None:
    found = ask(
        planted[2],
        """
        SELECT cost IS NOT NULL, cost_total IS NOT NULL, max(started_at), min(started_at), count(*)
        FROM workflow_execution_logs GROUP BY 1, 2
        """,
    )
    kinds = {(json, column): (last, first, count) for json, column, last, first, count in found}
    assert set(kinds) == {(False, False), (False, True), (True, False), (True, True)}
    for column in (False, True):
        assert kinds[True, column][0] < CUTOVER
    overlap = CUTOVER.replace(day=8)
    # In the week of both versions each of the three is written.
    assert overlap <= kinds[False, True][1] < CUTOVER
    assert min(count for _, _, count in kinds.values()) >= 5


COUNTS: Final[dict[str, tuple[LiteralString, int, int]]] = {
    "cost_total there, no lines yet": (
        """
        SELECT count(*) FROM workflow_execution_logs AS log
        WHERE cost_total > 0 AND cost IS NULL AND trigger <> 'mothership' AND NOT EXISTS (
            SELECT FROM usage_log AS line WHERE line.execution_id = log.execution_id)
        """,
        3,
        60,
    ),
    "a model in several lines, the later with more tokens": (
        """
        SELECT count(*) FROM usage_log AS earlier JOIN usage_log AS later
            USING (execution_id, description, category, source)
        WHERE earlier.created_at < later.created_at AND category = 'model'
            AND (earlier.metadata ->> 'inputTokens')::numeric
                < (later.metadata ->> 'inputTokens')::numeric
        """,
        300,
        3_000,
    ),
    "models that cost nothing, which usage_log lacks": (
        """
        SELECT count(*) FROM workflow_execution_logs AS log
        WHERE 'llama3.3:70b' = ANY(models_used) AND cost IS NULL AND NOT EXISTS (
            SELECT FROM usage_log AS line
            WHERE line.execution_id = log.execution_id AND description = 'llama3.3:70b'
                AND line.cost = 0)
        """,
        10,
        600,
    ),
    "models used on the customer's own key": (
        "SELECT count(*) FROM workflow_execution_logs WHERE 'mistral-large' = ANY(models_used)",
        10,
        200,
    ),
    "lines above the total": (
        """
        SELECT count(*) FROM (
            SELECT FROM workflow_execution_logs AS log JOIN usage_log AS line USING (execution_id)
            WHERE source = 'workflow'
            GROUP BY log.id HAVING sum(line.cost) > log.cost_total + 0.000001
        ) AS above
        """,
        1,
        2,
    ),
    "enrichment, whose execution has no log": (
        """
        SELECT count(*) FROM usage_log AS line
        WHERE source = 'enrichment' AND execution_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM workflow_execution_logs AS log WHERE log.execution_id = line.execution_id)
        """,
        10,
        200,
    ),
    "a fee for each execution with a cost": (
        """
        SELECT count(*) FROM usage_log
        WHERE category = 'fixed' AND description = 'execution_fee' AND cost = 0.005
        """,
        4_500,
        6_000,
    ),
    "tools": ("SELECT count(*) FROM usage_log WHERE category = 'tool'", 1, 50),
    "who pays, since the upgrade alone": (
        """
        SELECT count(*) FROM usage_log
        WHERE (billing_entity_type IS NOT NULL) <> (created_at >= '2026-10-15')
        """,
        0,
        0,
    ),
}


@pytest.mark.parametrize("what", COUNTS)
def test_what_the_second_generation_has_is_there(planted: dict[int, str], what: str) -> None:
    query, least, most = COUNTS[what]
    [(count,)] = ask(planted[2], query)
    assert least <= count <= most


def test_charges_without_an_execution_come_from_every_kind_of_source(
    planted: dict[int, str],
) -> None:
    sources = ask(planted[2], "SELECT DISTINCT source FROM usage_log WHERE execution_id IS NULL")
    assert {source for (source,) in sources} == {
        *("workflow", "copilot", "knowledge-base", "wand", "mothership_block")
    }


def test_what_the_assistant_spent_is_in_its_execution_and_again_beside_it(
    planted: dict[int, str],
) -> None:
    query: LiteralString = """
        SELECT sum(cost_total) FILTER (WHERE trigger = 'mothership' AND cost IS NULL),
            (SELECT sum(cost) FROM usage_log WHERE source = 'mothership_block'),
            (SELECT sum(line.cost) FROM usage_log AS line JOIN workflow_execution_logs AS log
                USING (execution_id) WHERE trigger = 'mothership' AND log.cost IS NULL)
        FROM workflow_execution_logs
    """
    [(total, beside, within)] = ask(planted[2], query)
    assert beside > 0
    assert abs(total - beside - within) < Decimal("0.000001")


def test_its_statuses_and_triggers_are_there(planted: dict[int, str]) -> None:
    rows = ask(planted[2], "SELECT DISTINCT status, trigger FROM workflow_execution_logs")
    statuses, triggers = map(set, zip(*rows, strict=True))
    assert {"paused", "redacting", "running", "pending"} <= statuses
    assert {"custom_block", "mothership", "chat", "mcp"} <= triggers


@pytest.mark.parametrize(("there", "wanted"), [(1, 2), (2, 1)])
def test_a_demo_of_the_other_generation_is_refused_and_left_as_it_is(
    planted: dict[int, str], there: int, wanted: int
) -> None:
    with pytest.raises(UsageError, match=f"demo data of generation {there} already"):
        plant(planted[there], wanted)
    assert demo.generation_at(planted[there]) == there


def test_the_command_makes_either_and_never_mixes_them(tmp_path: Path) -> None:
    env = {"USAGE_HOME": str(tmp_path / "home")}
    runner = CliRunner()
    made = runner.invoke(main, ["seed", "--executions", "1000", "--generation", "2"], env=env)
    assert made.exit_code == 0, made.output
    again = runner.invoke(main, ["seed"], env=env)
    assert again.exit_code == 1
    assert "There is demo data of generation 2 already." in again.output
    wrong = runner.invoke(main, ["seed", "--generation", "3"], env=env)
    assert "is not in the range 1<=x<=2" in wrong.output

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, LiteralString
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

import demo
from data.answers.ledger import Ledger
from data.platform import schema
from data.platform.access import Viewer
from data.platform.connection import connect
from data.question.query import UsageQuery
from data.rules.billing import Billing
from data.rules.errors import UnavailableError, UsageError
from demo.costs import ABSURD, LEGACY_KEYS, RARE, cost_text, use
from demo.local_postgres import LocalPostgres

NOW = datetime(2026, 11, 22, 21, 14, 3, 123456, tzinfo=UTC)

# The account's known costs (contract 3.2) in ledger order, and the limit, by plain means.
ACCOUNT_COSTS: LiteralString = """
    SELECT started_at, cost->>'total'
    FROM workflow_execution_logs AS log JOIN workspace ON workspace.id = log.workspace_id
    WHERE billed_account_user_id = 'user_demo'
      AND jsonb_typeof(cost->'total') IN ('number', 'string')
      AND cost->>'total' ~ '^[0-9]{1,12}([.][0-9]{1,30})?$'
    ORDER BY started_at, log.id COLLATE "C"
"""
LIMIT: LiteralString = "SELECT current_usage_limit FROM user_stats WHERE user_id = 'user_demo'"
DIGEST: LiteralString = """
    SELECT md5(string_agg(log::text, E'\n' ORDER BY id COLLATE "C"))
    FROM workflow_execution_logs AS log
"""


def quiet(done: int, total: int) -> None:
    """Progress that nobody watches."""


def plant(url: str, *, now: datetime = NOW, executions: int = 1_500) -> None:
    demo.seed(url, now=now, executions=executions, progress=quiet)


def ask(url: str, query: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def value(url: str, query: LiteralString) -> Any:
    return ask(url, query)[0][0]


def crossings(url: str) -> dict[tuple[int, int], datetime]:
    limit = value(url, LIMIT)
    total: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
    crossed: dict[tuple[int, int], datetime] = {}
    for started, cost in ask(url, ACCOUNT_COSTS):
        month = (started.year, started.month)
        total[month] += Decimal(cost)
        if total[month] > limit:
            crossed.setdefault(month, started)
    return crossed


def test_forty_thousand_by_default_with_a_limit_of_500_crossed_in_mid_month(database: str) -> None:
    demo.seed(database, now=NOW, progress=quiet)
    assert value(database, "SELECT count(*) FROM workflow_execution_logs") == 40_000
    assert value(database, LIMIT) == 500
    crossed = crossings(database)
    assert list(crossed) == [(2026, 8), (2026, 9), (2026, 10), (2026, 11)]
    assert all(12 <= moment.day <= 18 for moment in crossed.values())


@pytest.mark.parametrize(
    ("now", "whole_months"),
    [
        ("2026-12-03T00:00:00+00:00", [(2026, 9), (2026, 10), (2026, 11)]),
        ("2027-03-31T23:59:59.500+00:00", [(2026, 12), (2027, 1), (2027, 2)]),
        ("2027-01-01T00:00:00+00:00", [(2026, 10), (2026, 11), (2026, 12)]),
        ("2028-02-29T08:30:00-05:00", [(2027, 11), (2027, 12), (2028, 1)]),
    ],
)
def test_every_whole_month_is_crossed_about_its_middle_whatever_now_is(
    database: str, now: str, whole_months: list[tuple[int, int]]
) -> None:
    plant(database, now=datetime.fromisoformat(now), executions=20_000)
    crossed = crossings(database)
    assert all(12 <= crossed[month].day <= 18 for month in whole_months)


def test_the_same_now_gives_the_same_rows(database: str) -> None:
    plant(database)
    first = value(database, DIGEST)
    with psycopg.connect(database) as connection:
        schema_tables = ",".join(f'"{table.name}"' for table in schema.metadata.sorted_tables)
        connection.execute(f"TRUNCATE {schema_tables}".encode())
    plant(database)
    assert value(database, DIGEST) == first


def test_the_rows_do_not_hang_on_the_order_of_hashes() -> None:
    program = """
import hashlib, random, datetime
from demo.executions import executions_of
from demo.workflows import draw_workflows
rng, now = random.Random(1), datetime.datetime(2026, 11, 22, 21)
rows = list(executions_of(rng, now, draw_workflows(rng), 500))
print(hashlib.sha256(repr(rows).encode()).hexdigest())
"""
    digests = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(demo.__file__).parents[1],
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert digests[0] == digests[1] != b""


def test_nothing_is_later_than_now_and_the_latest_is_minutes_old(database: str) -> None:
    plant(database)
    naive = NOW.replace(tzinfo=None)
    query: LiteralString = (
        "SELECT min(started_at), max(started_at), max(ended_at) FROM workflow_execution_logs"
    )
    first, last, ended = ask(database, query)[0]
    assert naive - timedelta(minutes=5) < last <= naive
    assert ended <= naive
    assert datetime(2026, 7, 22) <= first < datetime(2026, 7, 25)  # noqa: DTZ001 - as stored


def test_an_execution_has_no_end_exactly_while_it_is_running(database: str) -> None:
    plant(database)
    query: LiteralString = """
        SELECT count(*) FILTER (WHERE status = 'running'),
               count(*) FILTER (WHERE (status = 'running') <> (ended_at IS NULL))
        FROM workflow_execution_logs
    """
    running, wrong = ask(database, query)[0]
    assert running >= 5
    assert wrong == 0


def test_the_viewer_sees_four_workspaces_and_pays_for_five(database: str) -> None:
    plant(database)
    seen = ask(database, "SELECT entity_id FROM permissions WHERE user_id = 'user_demo' ORDER BY 1")
    assert [each for (each,) in seen] == ["ws_empty", "ws_finance", "ws_research", "ws_support"]
    payers = dict(ask(database, "SELECT id, billed_account_user_id FROM workspace"))
    assert payers.pop("ws_research") == "user_research"
    assert payers == dict.fromkeys(
        ["ws_support", "ws_finance", "ws_empty", "ws_partner", "ws_pilot"], demo.DEMO_VIEWER_ID
    )
    limits = ask(
        database,
        "SELECT current_usage_limit FROM user_stats WHERE user_id = 'user_research'",
    )
    assert limits == [(None,)]


def test_every_workspace_but_the_quiet_one_has_executions_and_support_has_most(
    database: str,
) -> None:
    plant(database)
    counts = dict(
        ask(database, "SELECT workspace_id, count(*) FROM workflow_execution_logs GROUP BY 1")
    )
    assert set(counts) == {"ws_support", "ws_finance", "ws_research", "ws_partner", "ws_pilot"}
    assert counts["ws_support"] > sum(counts.values()) / 2


def test_the_archived_pilot_and_workflow_end_with_their_archiving(database: str) -> None:
    plant(database)
    query: LiteralString = """
        SELECT max(workspace.archived_at), max(started_at)
        FROM workflow_execution_logs AS log JOIN workspace ON workspace.id = log.workspace_id
        WHERE workspace.archived_at IS NOT NULL
        UNION ALL
        SELECT max(workflow.archived_at), max(started_at)
        FROM workflow_execution_logs AS log JOIN workflow ON workflow.id = log.workflow_id
        WHERE workflow.archived_at IS NOT NULL AND log.workspace_id = 'ws_support'
    """
    ends = ask(database, query)
    assert len(ends) == 2
    for archived, last in ends:
        assert archived - timedelta(days=30) < last < archived


def test_every_rare_shape_of_cost_is_in_support_in_the_last_thirty_days(database: str) -> None:
    plant(database)
    recent: LiteralString = """
        SELECT cost::text FROM workflow_execution_logs
        WHERE workspace_id = 'ws_support' AND started_at >= '2026-10-23 21:14:03.123456'
    """
    found = Counter(cost for (cost,) in ask(database, recent))
    with psycopg.connect(database) as connection:
        for name, text in RARE.items():
            stored = connection.execute("SELECT %s::jsonb::text", [text]).fetchone()
            assert stored is not None
            assert found[stored[0]] >= (1 if name == ABSURD else 3), name


def test_the_absurd_total_is_there_once(database: str) -> None:
    plant(database)
    assert (
        len(ask(database, "SELECT 1 FROM workflow_execution_logs WHERE length(cost::text) > 9999"))
        == 1
    )


def test_decimals_and_trailing_zeros_arrive_as_they_were_written(database: str) -> None:
    plant(database)
    totals = {
        total for (total,) in ask(database, "SELECT cost->>'total' FROM workflow_execution_logs")
    }
    assert {"0.001000", "0.0000001", "0.012493750000000001234567890123"} <= totals
    decimals = {len(total.partition(".")[2]) for total in totals if total and "." in total}
    assert {30, 31} <= decimals


def test_some_totals_are_sums_of_doubles_with_all_their_digits(database: str) -> None:
    plant(database)
    query: LiteralString = """
        SELECT count(*) FROM workflow_execution_logs WHERE cost->>'total' ~ '^[0-9][.][0-9]{16,18}$'
    """
    assert value(database, query) > 50


def test_statuses_triggers_and_levels_are_all_there(database: str) -> None:
    plant(database, executions=4_000)
    rows = ask(database, "SELECT DISTINCT status, trigger, level FROM workflow_execution_logs")
    statuses, triggers, levels = map(set, zip(*rows, strict=True))
    assert statuses == {"completed", "failed", "cancelled", "running", "pending"}
    assert triggers == {"manual", "api", "schedule", "chat", "webhook", "mcp"}
    assert levels == {"info", "error"}


def test_workflow_names_are_awkward_here_and_there(database: str) -> None:
    plant(database)
    names = [name for (name,) in ask(database, "SELECT name FROM workflow")]
    assert Counter(names)["Invoice intake"] == 3
    assert 200 in map(len, names)
    for awkward in [",", '"', "\n", "^=HYP", r"^\+", "^-", "^@", "javascript:", "<script>"]:
        assert any(re.search(awkward, name) for name in names), awkward
    for script in ["[\u0600-\u06ff]", "[\u0590-\u05ff]", "\U0001f4e6"]:
        assert any(re.search(script, name) for name in names), script
    archived: LiteralString = "SELECT name FROM workflow WHERE archived_at IS NOT NULL ORDER BY 1"
    assert ask(database, archived) == [("Old FAQ bot",), ("Pilot assistant",)]


def test_some_workflows_are_gone(database: str) -> None:
    plant(database)
    query: LiteralString = """
        SELECT count(*) FILTER (WHERE workflow_id IS NULL), count(*) FROM workflow_execution_logs
    """
    gone, executions = ask(database, query)[0]
    assert 0.005 < gone / executions < 0.1


def test_executions_share_an_instant_within_and_across_workspaces(database: str) -> None:
    plant(database)
    query: LiteralString = """
        SELECT array_agg(workspace_id ORDER BY workspace_id), array_agg(id), min(started_at)
        FROM workflow_execution_logs
        GROUP BY started_at HAVING count(DISTINCT workspace_id) > 2 ORDER BY started_at DESC
    """
    tied = ask(database, query)
    assert len(tied) == 4
    for workspaces, _, started in tied:
        assert workspaces == ["ws_finance"] * 2 + ["ws_partner"] + ["ws_support"] * 3
        assert started.microsecond % 1000 != 0
    assert {"0", "EXEC_42", "exec-42", "exec_42"} < set(tied[0][1])


def test_most_ids_are_version_4_uuids_and_most_times_have_milliseconds(database: str) -> None:
    plant(database)
    query: LiteralString = """
        SELECT count(*) FILTER (WHERE id !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){4}[0-9a-f]{8}$'),
               count(*) FILTER (WHERE id ~ '^.{14}4.{4}[89ab].{3}-[0-9a-f]{12}$'),
               avg((extract(microseconds FROM started_at)::int % 1000 = 0)::int)
        FROM workflow_execution_logs
    """
    odd, uuids, in_milliseconds = ask(database, query)[0]
    assert (odd, uuids) == (6, 1_494)
    assert 0.9 < in_milliseconds < 1


def test_days_are_busier_than_nights_and_weekends_and_months_grow(database: str) -> None:
    plant(database, executions=20_000)
    query: LiteralString = """
        SELECT started_at FROM workflow_execution_logs
        WHERE trigger <> 'schedule' AND started_at >= '2026-08-01' AND started_at < '2026-11-01'
    """
    started = [moment for (moment,) in ask(database, query)]
    hours = Counter(moment.hour for moment in started)
    assert hours[10] > 5 * hours[3]
    days = Counter(moment.weekday() for moment in started)
    assert max(days[5], days[6]) < min(days[day] for day in range(5)) / 2
    months = Counter(moment.month for moment in started)
    # Per working day, as months differ in length and weekends.
    rates = [months[8] / 21, months[9] / 22, months[10] / 22]
    assert all(earlier < later for earlier, later in pairwise(rates))


def test_progress_is_told_about_every_two_percent(database: str) -> None:
    told: list[tuple[int, int]] = []
    demo.seed(
        database,
        now=NOW,
        executions=1_000,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(done, 1_000) for done in range(20, 1_001, 20)]


def test_a_seeding_that_fails_leaves_nothing_and_the_next_one_works(database: str) -> None:
    def fail(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    assert demo.generation_at(database) is None
    with pytest.raises(KeyboardInterrupt):
        demo.seed(database, now=NOW, executions=500, progress=fail)
    assert demo.generation_at(database) is None
    tables: LiteralString = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert value(database, tables) == 0
    plant(database, executions=500)
    assert demo.generation_at(database) == 1


def test_seeding_again_changes_nothing(database: str) -> None:
    plant(database, executions=500)
    before = value(database, DIGEST)
    plant(database, now=NOW + timedelta(days=40), executions=700)
    assert value(database, DIGEST) == before


def test_two_that_seed_at_once_seed_once(database: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        for seeding in [pool.submit(plant, database, executions=500) for _ in range(2)]:
            seeding.result()
    assert value(database, "SELECT count(*) FROM workflow_execution_logs") == 500


def test_a_database_in_use_is_refused_and_left_alone(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute('CREATE TABLE "user" (id text)')
        connection.execute("""INSERT INTO "user" VALUES ('somebody')""")
    with pytest.raises(UsageError, match="in use"):
        plant(database)
    tables: LiteralString = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert ask(database, tables) == [("user",)]


def test_too_few_executions_to_show_everything_are_refused(database: str) -> None:
    with pytest.raises(ValueError, match="at least"):
        plant(database, executions=10)
    assert demo.generation_at(database) is None


def test_the_ledger_answers_the_reader(database: str) -> None:
    plant(database)
    engine = connect(demo.reader_url(database))
    ledger = Ledger(engine, Billing(ZoneInfo("UTC")))
    query = UsageQuery.parse({}, workspace_id="ws_support", now=NOW, zone=ZoneInfo("UTC"))
    viewer = Viewer(demo.DEMO_VIEWER_ID)
    page = ledger.page(viewer, query)
    assert page.total is not None
    assert page.total > len(page.rows) == query.limit
    assert page.account.terms.limit == value(database, LIMIT)
    assert [each.id for each in ledger.workspaces(viewer)] == [
        *("ws_finance", "ws_empty", "ws_research", "ws_support")
    ]
    with ledger.export(viewer, query) as export:
        assert len(list(export.rows)) == page.total
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO user_stats (id, user_id) VALUES ('more', 'user_partner')",
        "UPDATE user_stats SET current_usage_limit = 0",
        "DELETE FROM workflow_execution_logs",
        "CREATE TABLE more (id text)",
        'SELECT email_verified FROM "user"',
        "SELECT pg_read_file('postgresql.conf')",
        "COPY workspace TO PROGRAM 'true'",
        "SET ROLE postgres",
    ],
)
def test_the_reader_may_only_read_even_where_transactions_may_write(
    database: str, statement: LiteralString
) -> None:
    plant(database, executions=200)
    with psycopg.connect(demo.reader_url(database), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(InsufficientPrivilege):
            connection.execute(statement)


def test_a_reader_that_another_database_is_just_making_is_shared(tmp_path: Path) -> None:
    waiting: LiteralString = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %' AND wait_event_type = 'Lock'"
    )
    # A cluster of its own: roles are the cluster's, and every other test makes this one.
    with LocalPostgres(tmp_path) as server, ThreadPoolExecutor(1) as pool:
        url = server.start()
        with psycopg.connect(url) as other:
            other.execute("CREATE ROLE usage_reader LOGIN")
            seeding = pool.submit(plant, url, executions=200)
            while not seeding.done() and not value(url, waiting):
                time.sleep(0.01)
        seeding.result()
        counted: LiteralString = "SELECT count(*) FROM workflow_execution_logs"
        assert value(demo.reader_url(url), counted) == 200


@pytest.mark.parametrize(
    ("url", "reader"),
    [
        (
            "postgresql://postgres@/postgres?host=/srv/my%2C%20h%C3%B6me",
            "postgresql://usage_reader@/postgres?host=/srv/my%2C%20h%C3%B6me",
        ),
        ("postgresql://db:5432/usage", "postgresql://usage_reader@db:5432/usage"),
        ("postgresql://me:p%40ss@a:1,b:2/usage", "postgresql://usage_reader@a:1,b:2/usage"),
    ],
)
def test_the_readers_url_differs_in_the_user_only(url: str, reader: str) -> None:
    assert demo.reader_url(url) == reader


def random_costs() -> Iterator[str]:
    rng = Random(7)
    for _ in range(200):
        uses = [use("gpt-4o", rng.randrange(10**6), rng.randrange(10**5)), use("o4-mini", 1, 0)]
        yield cost_text(uses)


def test_a_cost_adds_up_to_base_charge_and_models() -> None:
    for text in random_costs():
        cost = json.loads(text)
        models = cost["models"].values()
        assert cost["total"] == 0.005 + sum(model["total"] for model in models)
        assert cost["tokens"]["total"] == sum(model["tokens"]["total"] for model in models)
        assert cost["tokens"]["total"] == cost["tokens"]["input"] + cost["tokens"]["output"]


def test_a_cost_is_written_as_javascript_would() -> None:
    assert cost_text([use("llama3.3:70b", 7, 2, 0.01)], base=0, keys=LEGACY_KEYS) == (
        '{"total":0.01,"input":0,"output":0,"tokens":{"prompt":7,"completion":2,"total":9},'
        '"models":{"llama3.3:70b":{"input":0,"output":0,"total":0.01,"toolCost":0.01,'
        '"tokens":{"prompt":7,"completion":2,"total":9}}}}'
    )


def test_a_demo_of_before_there_were_organizations_goes_on_once_its_reader_is_admitted(
    database: str,
) -> None:
    plant(database, executions=1_000)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE organization, member, subscription CASCADE")
        connection.execute("ALTER TABLE user_stats DROP credit_balance")
        connection.execute('REVOKE SELECT (name) ON "user" FROM usage_reader')
    engine = connect(demo.reader_url(database))
    try:
        ledger = Ledger(engine, Billing(ZoneInfo("UTC")))
        with pytest.raises(UnavailableError, match="name of"):
            ledger.ready()
        demo.admit_reader(database)
        ledger.ready()
        account = ledger.account(Viewer(demo.DEMO_VIEWER_ID), "ws_support")
        assert (account.payer.name, account.tells_amounts) == ("Dana Weiss", True)
    finally:
        engine.dispose()

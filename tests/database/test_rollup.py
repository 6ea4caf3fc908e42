"""The rollup against a real PostgreSQL: put in, folded, verified, trusted or not, taken out."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, event, text

from data.platform.connection import connect
from data.platform.snapshot import Snapshot, snapshot
from data.rules.calendar import Span
from data.rules.errors import UnavailableError, UsageError
from data.sums import rollup
from data.sums.rollup import sessions, trust
from data.sums.rollup.tables import FOLDED, metadata
from data.sums.rollup.triggers import EVENTS, PREFIX
from data.sums.totals import Totals
from tests.support.costs import CURRENT, OLD
from tests.support.platform import Platform, Run, first_page, ids, is_whole, spaced, utc
from tests.support.summing import ALL_TIME, answers, assert_agrees, differences

NOON: Final = utc("2026-10-10 12:00")
TABLE: Final = "workflow_execution_logs"
TWO_MODELS: Final = """{"total": 2, "tokens": {"input": 7, "output": 5},
    "models": {"gpt-4o": {"total": 1.25}, "haiku": {"total": 0.5}}}"""


@pytest.fixture
def bare(database: str) -> Iterator[Platform]:
    """Yield a database of the platform of its own, without the rollup."""
    writer = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database))
    reader = connect(database)
    yield Platform(database, writer, reader)
    reader.dispose()
    writer.dispose()


def fill(platform: Platform) -> None:
    """Write three executions on two days, of which the last is of no workflow."""
    platform.account(2, "ws", "second")
    platform.workflow("wf", "Triage")
    platform.runs(
        [
            Run("1", NOON, TWO_MODELS, workflow="wf"),
            Run("2", NOON + timedelta(minutes=90), workflow="wf", status="running"),
            Run("3", NOON + timedelta(days=1), '{"total": "?"}', "second"),
        ]
    )


def sums(platform: Platform) -> list[object]:
    with platform.writer.connect() as connection:
        return [
            connection.exec_driver_sql(
                f"SELECT * FROM {table.fullname} ORDER BY workspace_id, start, name"
            ).all()
            for table in FOLDED
        ]


def trusted(platform: Platform, **options: str) -> bool:
    with connection_of(platform, **options) as connection:
        return is_whole(connection)


@contextmanager
def connection_of(platform: Platform, **options: str) -> Iterator[Any]:
    """Read as the product does, in a session with these options."""
    engine = connect(url_with(platform, **options))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def url_with(platform: Platform, **options: str) -> str:
    words = (f"-c {name}={value}".replace(" ", r"\ ") for name, value in options.items())
    given = " ".join(word.replace(r"-c\ ", "-c ") for word in words)
    return f"{platform.url}&options={quote(given)}" if given else platform.url


@contextmanager
def role(platform: Platform, name: str, *rights: str) -> Iterator[None]:
    """Have a role with these rights; roles are the cluster's, so it has to go again."""
    platform.sql(f"CREATE ROLE {name}")
    try:
        for right in rights:
            platform.sql(f"GRANT {right} TO {name}")
        yield
    finally:
        platform.sql(f"DROP OWNED BY {name}")
        platform.sql(f"DROP ROLE {name}")


def asks_the_executions(platform: Platform, **options: str) -> bool:
    """Tell whether the product asks the executions, and has the right answers."""
    with connection_of(platform, **options) as connection:
        totals = Totals.of(Snapshot.of(connection))
        workspaces = ["ws", "second"]
        sums = totals.by_span(workspaces, [ALL_TIME], "cost", "executions")
        [right] = answers(connection, [ALL_TIME], workspaces, rollup=False)
        assert sums == {"cost": [right["cost"]], "executions": [right["executions"]]}
        return not totals.rollup


def traces(platform: Platform) -> list[Any]:
    """Return what is left of the rollup in the catalogs."""
    with platform.writer.connect() as connection:
        return list(
            connection.execute(
                text(
                    "SELECT nspname::text FROM pg_namespace WHERE nspname = 'usage' "
                    "UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal "
                    "UNION ALL SELECT proname FROM pg_proc WHERE proname ~ '^after_' "
                    "UNION ALL SELECT objid::text FROM pg_shdepend "
                    "WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
                )
            ).scalars()
        )


# Installing.


def test_a_ledger_that_has_been_at_work_gets_its_sums_day_by_day(bare: Platform) -> None:
    fill(bare)
    assert not trusted(bare)
    days: list[date] = []
    assert rollup.install(bare.url, days.append) is True
    assert days == [NOON.date(), NOON.date() + timedelta(days=1)]
    assert_agrees(bare)
    assert not asks_the_executions(bare)
    assert rollup.install(bare.url, days.append) is False
    assert len(days) == 2


def test_an_empty_ledger_has_no_days_to_fill(bare: Platform) -> None:
    assert rollup.install(bare.url) is True
    assert rollup.verify(bare.url) == rollup.Verified(days=0, wrong=0)
    fill(bare)
    assert_agrees(bare)


def test_what_is_there_and_broken_is_installed_anew(rolled: Platform) -> None:
    fill(rolled)
    rolled.sql(f"DROP TRIGGER usage_rollup_update ON {TABLE}")
    rolled.sql("DROP TABLE usage.change, usage.minute")
    assert rollup.install(rolled.url) is True
    assert_agrees(rolled)


@pytest.mark.parametrize(
    "statement",
    [
        f"CREATE TABLE child () INHERITS ({TABLE})",
        f"CREATE TABLE parent (LIKE {TABLE}); ALTER TABLE {TABLE} INHERIT parent",
        f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",
        f"""
        CREATE TABLE parent (LIKE {TABLE}) PARTITION BY RANGE (started_at);
        ALTER TABLE parent ATTACH PARTITION {TABLE} DEFAULT
        """,
        f"""
        ALTER TABLE {TABLE} RENAME TO elsewhere; CREATE TABLE {TABLE} (LIKE elsewhere)
        PARTITION BY RANGE (started_at)
        """,
        f"ALTER TABLE {TABLE} RENAME TO elsewhere; CREATE VIEW {TABLE} AS TABLE elsewhere",
    ],
)
def test_a_table_whose_rows_triggers_do_not_all_see_is_refused(
    bare: Platform, statement: str
) -> None:
    bare.sql(statement)
    with pytest.raises(UsageError, match="is partitioned, inherited") as refusal:
        rollup.install(bare.url)
    assert "\n" not in refusal.value.sentence
    assert not trusted(bare)


def test_a_database_without_the_platforms_tables_is_refused(database: str) -> None:
    with pytest.raises(UsageError, match=r"^There is no table workflow_execution_logs"):
        rollup.install(database)


def test_a_schema_of_that_name_that_is_somebody_elses_is_left_alone(bare: Platform) -> None:
    bare.sql("CREATE SCHEMA usage; CREATE TABLE usage.minute (n) AS SELECT 5")
    with pytest.raises(UsageError, match="not the rollup's"):
        rollup.install(bare.url)
    rollup.uninstall(bare.url)
    with bare.writer.connect() as connection:
        assert connection.execute(text("SELECT n FROM usage.minute")).scalar_one() == 5


@pytest.mark.parametrize("work", [rollup.install, rollup.compact, rollup.verify, rollup.uninstall])
def test_whoever_does_not_own_the_table_is_told_so_in_one_sentence(
    rolled: Platform, work: Callable[[str], object]
) -> None:
    rolled.sql(f"ALTER TABLE {TABLE} DISABLE TRIGGER usage_rollup_insert")
    rolled.sql(f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER usage_rollup_insert")
    with role(rolled, "stranger"), pytest.raises(UsageError) as refusal:
        work(url_with(rolled, role="stranger"))
    assert refusal.value.sentence.startswith("The database said: ")
    assert "\n" not in refusal.value.sentence


def test_a_database_that_is_not_there_is_told_in_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"^The database said: .*") as refusal:
        rollup.verify("postgresql://finance:secret@127.0.0.1:1/nowhere")
    assert "\n" not in refusal.value.sentence
    assert "secret" not in refusal.value.sentence


def test_whoever_may_read_costs_may_read_their_sums_and_nobody_else(bare: Platform) -> None:
    fill(bare)
    rights = "SELECT (id, workspace_id, started_at, workflow_id, status, cost)"
    reader = f"{rights} ON {TABLE}", "SELECT ON workspace, user_stats, permissions, workflow"
    with (
        role(bare, '"Finance & co"', *reader),
        role(bare, "clerk", f"{rights.replace(', cost', '')} ON {TABLE}"),
        role(bare, "miser", f"SELECT (cost) ON {TABLE}"),
    ):
        rollup.install(bare.url)
        assert trusted(bare, role="Finance & co")
        assert not trusted(bare, role="clerk")
        assert not trusted(bare, role="miser")


@pytest.mark.parametrize(("rights", "anew"), [("SELECT", False), ("SELECT (cost)", True)])
def test_a_role_that_may_read_costs_since_lately_is_let_in_by_installing_again(
    rolled: Platform, rights: str, *, anew: bool
) -> None:
    fill(rolled)
    with role(rolled, "late", "SELECT ON ALL TABLES IN SCHEMA public"):
        rolled.sql(f"GRANT {rights} ON {TABLE} TO late")
        assert asks_the_executions(rolled, role="late")
        # A right on a column writes the column's row of the catalog anew, as a new type would.
        assert asks_the_executions(rolled) is anew
        assert rollup.install(rolled.url) is anew
        assert not asks_the_executions(rolled, role="late")


def test_a_long_transaction_is_given_way_to(
    bare: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bare)
    with psycopg.connect(bare.url) as writer:
        writer.execute(f"UPDATE {TABLE} SET cost = '{{\"total\": 9}}' WHERE id = '1'")
        # Where it would wait before it tries again, the writer ends.
        monkeypatch.setattr("data.sums.rollup.sessions.time.sleep", lambda _: writer.commit())
        assert rollup.install(bare.url) is True
    assert_agrees(bare)


def test_transactions_without_end_are_told_of(
    bare: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_TRIES", 2)
    monkeypatch.setattr(sessions, "_PAUSE_SECONDS", 0)
    with psycopg.connect(bare.url) as writer:
        writer.execute(f"DELETE FROM {TABLE}")
        with pytest.raises(UsageError, match="was in use all the time"):
            rollup.install(bare.url)
        writer.execute(f"SELECT count(*) FROM {TABLE}")
    assert traces(bare) == []


def test_a_transaction_that_began_before_writes_changes_after(bare: Platform) -> None:
    fill(bare)
    with psycopg.connect(bare.url) as writer:
        writer.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        writer.execute("SELECT count(*) FROM workspace")
        rollup.install(bare.url)
        writer.execute(f"UPDATE {TABLE} SET started_at = '2026-10-20', cost = NULL")
    assert_agrees(bare)


# Folding.


def test_changes_are_folded_once(rolled: Platform) -> None:
    fill(rolled)
    assert rollup.compact(rolled.url) == 3
    assert rollup.compact(rolled.url) == 0
    assert_agrees(rolled)


def test_many_changes_are_folded_in_several_transactions(
    rolled: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup, "_BATCH", 2)
    fill(rolled)
    assert rollup.compact(rolled.url) == 3
    assert_agrees(rolled)


def test_changes_of_a_transaction_under_way_are_left_for_the_next_time(rolled: Platform) -> None:
    fill(rolled)
    with psycopg.connect(rolled.url) as writer:
        writer.execute(f"DELETE FROM {TABLE} WHERE id = '2'")
        assert rollup.compact(rolled.url) == 3
        assert_agrees(rolled)
    assert_agrees(rolled)
    assert rollup.compact(rolled.url) == 1
    assert_agrees(rolled)


def test_an_update_of_nothing_that_counts_changes_no_sum(rolled: Platform) -> None:
    fill(rolled)
    rollup.compact(rolled.url)
    before = sums(rolled)
    rolled.sql(f"""UPDATE {TABLE} SET level = 'error', execution_data = '{{"a": 1}}'""")
    rolled.sql(f"UPDATE {TABLE} SET cost = cost || '{{\"note\": 5}}'")
    assert_agrees(rolled)
    rollup.compact(rolled.url)
    assert sums(rolled) == before
    assert_agrees(rolled)


@pytest.mark.parametrize("work", [rollup.compact, rollup.verify])
def test_what_is_not_installed_is_neither_folded_nor_verified(
    bare: Platform, work: Callable[[str], object]
) -> None:
    with pytest.raises(UsageError, match=r"not installed here.*python app\.py install"):
        work(bare.url)


# Verifying.

BREAK: Final = {
    "changed": "UPDATE usage.{table} SET cost = cost + 1 WHERE workspace_id = 'second'",
    "missing": "DELETE FROM usage.{table} WHERE workspace_id = 'second'",
    "surplus": "INSERT INTO usage.{table} SELECT 'ws', {at} + '1 month', '{name}', {measures} "
    "FROM usage.{table} WHERE workspace_id = 'second'",
    "where nothing is": "INSERT INTO usage.{table} SELECT 'gone', '2020-02-02', '{name}', "
    "{measures} FROM usage.{table} WHERE workspace_id = 'second'",
}


@pytest.mark.parametrize("harm", BREAK)
@pytest.mark.parametrize("table", ["minute", "hour", "by_workflow", "by_model"])
def test_a_wrong_sum_is_found_and_put_right(rolled: Platform, table: str, harm: str) -> None:
    fill(rolled)
    rollup.compact(rolled.url)
    measures = "executions, unknown, unfinished, tokens, cost"
    rolled.sql(BREAK[harm].format(table=table, name="x", at="start", measures=measures))
    assert rollup.verify(rolled.url).wrong == 1
    assert_agrees(rolled)
    assert rollup.verify(rolled.url).wrong == 0


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE usage.change SET cost = '{\"total\": 77}' WHERE workspace_id = 'second'",
        "DELETE FROM usage.change WHERE workspace_id = 'second'",
        (
            "INSERT INTO usage.change (sign, workspace_id, started_at, workflow_id, status, cost) "
            "SELECT 1, 'gone', '2020-02-02', 'x', status, cost FROM usage.change "
            "WHERE workspace_id = 'second'"
        ),
    ],
)
def test_a_wrong_change_is_found_in_every_sum_and_put_right(rolled: Platform, harm: str) -> None:
    fill(rolled)
    rolled.sql(harm)
    assert rollup.verify(rolled.url).wrong == 4
    assert_agrees(rolled)
    assert rollup.verify(rolled.url).wrong == 0


def test_sums_of_nothing_that_deletes_left_are_removed_and_not_called_wrong(
    rolled: Platform,
) -> None:
    fill(rolled)
    rollup.compact(rolled.url)
    rolled.sql(f"DELETE FROM {TABLE}")
    rollup.compact(rolled.url)
    assert rollup.verify(rolled.url) == rollup.Verified(days=2, wrong=0)
    with rolled.reader.connect() as connection:
        for table in metadata.sorted_tables:
            assert connection.execute(table.select()).all() == []


def test_the_rollup_is_trusted_all_the_while_it_is_verified(rolled: Platform) -> None:
    fill(rolled)
    seen: list[bool] = []
    rollup.verify(rolled.url, lambda _: seen.append(trusted(rolled)))
    assert seen == [True, True]


def test_what_is_written_while_it_is_verified_is_not_called_wrong(rolled: Platform) -> None:
    fill(rolled)

    def write(day: date) -> None:
        rolled.runs([Run(f"past {day}", NOON), Run(f"future {day}", NOON + timedelta(days=9))])
        rolled.sql(f"UPDATE {TABLE} SET started_at = started_at + '1 minute', cost = '5'")
        with rolled.reader.connect() as connection:
            assert differences(connection) == []

    assert rollup.verify(rolled.url, write).wrong == 0
    assert_agrees(rolled)


def test_a_day_is_folded_and_counted_in_one_snapshot(rolled: Platform) -> None:
    fill(rolled)

    def write(*args: Any) -> None:
        if args[2] == "TRUNCATE expected":  # folded already, and not yet counted
            rolled.runs([Run(f"late {len(written)}", NOON)])
            written.append(args[2])

    written: list[str] = []
    event.listen(Engine, "before_cursor_execute", write)
    try:
        assert rollup.verify(rolled.url).wrong == 0
    finally:
        event.remove(Engine, "before_cursor_execute", write)
    assert len(written) == 2
    assert_agrees(rolled)


def test_after_a_truncate_the_executions_answer_until_the_rollup_is_verified(
    rolled: Platform,
) -> None:
    fill(rolled)
    rolled.sql(f"TRUNCATE {TABLE}")
    rolled.runs(spaced(3, start=NOON))
    assert asks_the_executions(rolled)
    rollup.compact(rolled.url)
    assert asks_the_executions(rolled)
    assert rollup.verify(rolled.url).wrong > 0
    assert_agrees(rolled)
    assert not asks_the_executions(rolled)


def test_a_truncate_that_was_rolled_back_is_none(rolled: Platform) -> None:
    fill(rolled)
    with psycopg.connect(rolled.url) as writer:
        writer.execute("TRUNCATE workspace CASCADE")
        writer.rollback()
    assert_agrees(rolled)


def test_a_truncate_while_the_rollup_is_verified_makes_it_begin_anew(rolled: Platform) -> None:
    fill(rolled)
    days: list[date] = []

    def truncate_once(day: date) -> None:
        days.append(day)
        if len(days) == 2:
            rolled.sql(f"TRUNCATE {TABLE}")
            rolled.runs([Run("new", NOON)])
            assert asks_the_executions(rolled)

    assert rollup.verify(rolled.url, truncate_once).days == 2
    assert days == [NOON.date(), NOON.date() + timedelta(days=1)] * 2
    assert_agrees(rolled)


def test_a_trigger_switched_off_while_the_rollup_is_verified_is_told_of(rolled: Platform) -> None:
    fill(rolled)

    def switch_off(_: date) -> None:
        rolled.sql(f"ALTER TABLE {TABLE} DISABLE TRIGGER usage_rollup_delete")

    with pytest.raises(UsageError, match="its triggers are off"):
        rollup.verify(rolled.url, switch_off)
    assert asks_the_executions(rolled)


@pytest.mark.parametrize("work", [rollup.compact, rollup.verify, rollup.uninstall])
def test_only_one_at_a_time_works_on_the_rollup(
    rolled: Platform, work: Callable[[str], object]
) -> None:
    fill(rolled)
    refusals: list[str] = []

    def at_the_same_time(_: date) -> None:
        with pytest.raises(UsageError) as refusal:
            work(rolled.url)
        refusals.append(refusal.value.sentence)

    rollup.verify(rolled.url, at_the_same_time)
    assert len(refusals) == 2
    assert refusals[0].startswith("Another install, compact or verify is at work")
    work(rolled.url)


def test_installing_waits_for_who_is_at_work_already(bare: Platform) -> None:
    fill(bare)
    installed: list[bool] = []
    second = threading.Thread(target=lambda: installed.append(rollup.install(bare.url)))

    def start_the_second(_: date) -> None:
        if not second.ident:
            second.start()

    assert rollup.install(bare.url, start_the_second) is True
    second.join(timeout=30)
    assert installed == [False]
    assert_agrees(bare)


# Trust.

UNDO: Final = "ALTER TABLE workflow_execution_logs ENABLE ALWAYS TRIGGER"


@pytest.mark.parametrize("trigger", [f"{PREFIX}{event}" for event in EVENTS])
@pytest.mark.parametrize(
    "after", ["", "ENABLE ALWAYS TRIGGER", "ENABLE TRIGGER", "ENABLE REPLICA TRIGGER"]
)
def test_a_trigger_that_was_off_is_not_forgotten(
    rolled: Platform, trigger: str, after: str
) -> None:
    fill(rolled)
    rolled.sql(f"ALTER TABLE {TABLE} DISABLE TRIGGER {trigger}")
    rolled.sql(f"DELETE FROM {TABLE} WHERE id = '1'")
    rolled.sql(f"UPDATE {TABLE} SET cost = NULL WHERE id = '2'")
    rolled.runs([Run("4", NOON)])
    if after:
        rolled.sql(f"ALTER TABLE {TABLE} {after} {trigger}")
    assert asks_the_executions(rolled)
    if after == "ENABLE ALWAYS TRIGGER":
        rollup.verify(rolled.url)
    else:
        with pytest.raises(UsageError, match="its triggers are off"):
            rollup.verify(rolled.url)
        rollup.install(rolled.url)
    assert_agrees(rolled)


NOTHING: Final = """
    CREATE OR REPLACE FUNCTION usage.after_insert() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN RETURN NULL; END'
"""


@pytest.mark.parametrize(
    "harm",
    [
        f"DROP TRIGGER usage_rollup_insert ON {TABLE}",
        f"ALTER TRIGGER usage_rollup_insert ON {TABLE} RENAME TO other",
        NOTHING,
        "DROP FUNCTION usage.after_insert CASCADE",
        f"""
        CREATE OR REPLACE TRIGGER usage_rollup_insert AFTER INSERT ON {TABLE}
            REFERENCING NEW TABLE AS added FOR EACH STATEMENT WHEN (false)
            EXECUTE FUNCTION usage.after_insert();
        {UNDO} usage_rollup_insert
        """,
        "DROP TABLE usage.by_model",
    ],
)
def test_what_somebody_changed_is_neither_trusted_nor_verified_but_installed_anew(
    rolled: Platform, harm: str
) -> None:
    fill(rolled)
    rolled.sql(harm)
    rolled.runs([Run("4", NOON)])
    assert asks_the_executions(rolled)
    with pytest.raises(UsageError):
        rollup.verify(rolled.url)
    assert asks_the_executions(rolled)
    assert rollup.install(rolled.url) is True
    assert_agrees(rolled)


PARENT: Final = f"CREATE TABLE parent (LIKE {TABLE})"


@pytest.mark.parametrize(
    ("harm", "missed", "undone"),
    [
        (
            f"{PARENT}; ALTER TABLE {TABLE} INHERIT parent",
            "DELETE FROM parent WHERE id = '1'",
            f"ALTER TABLE {TABLE} NO INHERIT parent",
        ),
        (
            f"""
            {PARENT} PARTITION BY RANGE (started_at);
            ALTER TABLE parent ATTACH PARTITION {TABLE} DEFAULT
            """,
            "UPDATE parent SET cost = NULL WHERE id = '1'",
            f"ALTER TABLE parent DETACH PARTITION {TABLE}",
        ),
        (
            "SELECT 1",
            f"ALTER TABLE {TABLE} ALTER cost TYPE jsonb USING '{{\"total\": 7}}'::jsonb",
            "SELECT 1",
        ),
    ],
    ids=["inherited", "a partition", "another type"],
)
def test_changes_that_no_trigger_saw_are_not_forgotten(
    rolled_apart: Platform, harm: str, missed: str, undone: str
) -> None:
    fill(rolled_apart)
    rolled_apart.sql(harm)
    rolled_apart.sql(missed)
    assert asks_the_executions(rolled_apart)
    rolled_apart.sql(undone)
    assert asks_the_executions(rolled_apart)
    assert rollup.verify(rolled_apart.url).wrong > 0
    assert_agrees(rolled_apart)


def test_under_row_security_the_executions_answer_and_nothing_is_missed(rolled: Platform) -> None:
    fill(rolled)
    rolled.sql(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    rolled.sql(f"UPDATE {TABLE} SET cost = NULL WHERE id = '1'")
    assert asks_the_executions(rolled)
    rolled.sql(f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY")
    assert_agrees(rolled)


def test_a_table_that_a_subscription_fills_is_not_trusted(rolled: Platform) -> None:
    fill(rolled)
    with psycopg.connect(rolled.url, autocommit=True) as connection:
        name = connection.info.dbname
        here = f"host={connection.info.host} user={connection.info.user} dbname={name}"
        connection.execute("SET client_min_messages = error")
        connection.execute(f"CREATE PUBLICATION everything FOR TABLE {TABLE}")
        connection.execute(
            f"CREATE SUBSCRIPTION mirror CONNECTION '{here}' PUBLICATION everything "
            "WITH (create_slot = false, slot_name = NONE, enabled = false)"
        )
        try:
            assert asks_the_executions(rolled)
            with pytest.raises(UsageError, match="a subscription's target"):
                rollup.install(rolled.url)
        finally:
            connection.execute("DROP SUBSCRIPTION mirror")


@pytest.mark.parametrize("comment", ["NULL", "'Usage Ledger rollup 0: whole, '", "'mine'"])
def test_another_comment_is_not_trusted_until_the_rollup_is_verified(
    rolled: Platform, comment: str
) -> None:
    fill(rolled)
    rolled.sql(f"COMMENT ON TABLE usage.change IS {comment}")
    assert asks_the_executions(rolled)
    assert rollup.install(rolled.url) is True
    assert_agrees(rolled)


@pytest.mark.parametrize("table", [*(table.name for table in metadata.sorted_tables), "the schema"])
def test_who_may_not_read_all_of_the_rollup_asks_the_executions(
    rolled: Platform, table: str
) -> None:
    fill(rolled)
    rights = "SELECT ON ALL TABLES IN SCHEMA public"
    with role(rolled, "reader", rights):
        rollup.install(rolled.url)
        assert not asks_the_executions(rolled, role="reader")
        what = "USAGE ON SCHEMA usage" if table == "the schema" else f"SELECT ON usage.{table}"
        rolled.sql(f"REVOKE {what} FROM reader")
        assert asks_the_executions(rolled, role="reader")
        assert not asks_the_executions(rolled)


# Writers.

INSERT: Final = (
    f"INSERT INTO {TABLE} (id, execution_id, level, trigger, started_at, workspace_id, cost) "
)
WRITERS: Final = {
    "in another schema": {"search_path": "public"},
    "in another zone": {"timezone": "Asia/Kolkata", "datestyle": "german"},
    "with escapes of old": {"standard_conforming_strings": "off"},
    "with a strict language": {"plpgsql.extra_errors": "all"},
    "as a replica": {"session_replication_role": "replica"},
    "repeatable": {"default_transaction_isolation": "repeatable read"},
    "serializable": {"default_transaction_isolation": "serializable"},
    "without rights": {"role": "writer"},
}


@pytest.mark.parametrize("options", WRITERS.values(), ids=WRITERS)
def test_no_session_is_refused_its_writes(rolled: Platform, options: dict[str, str]) -> None:
    fill(rolled)
    with (
        role(rolled, "writer", f"INSERT, UPDATE, DELETE, SELECT, TRUNCATE ON {TABLE}"),
        psycopg.connect(url_with(rolled, **options)) as writer,
    ):
        writer.execute(
            INSERT + "VALUES ('x', 'x', 'info', 'api', now(), 'ws', '{\"total\": \"1x5\"}'), "
            "('y', 'y', 'info', 'api', '2026-10-10', 'ws', '{\"total\": \"1.5\"}')"
        )
        writer.execute(f"UPDATE {TABLE} SET cost = '{TWO_MODELS}' WHERE id IN ('3', 'y')")
        writer.execute(f"DELETE FROM {TABLE} WHERE id = '2'")
        writer.commit()
        assert_agrees(rolled)
        writer.execute(f"TRUNCATE {TABLE}")
    assert asks_the_executions(rolled)


def test_every_kind_of_statement_is_seen(rolled: Platform) -> None:
    fill(rolled)
    with psycopg.connect(rolled.url) as writer:
        with writer.cursor().copy(INSERT.replace("INSERT INTO", "COPY") + "FROM STDIN") as copy:
            for n in range(3):
                row = (f"c{n}", f"c{n}", "info", "api", f"2026-10-1{n} 01:02:03", "ws", TWO_MODELS)
                copy.write_row(row)
        writer.execute(
            INSERT + "VALUES ('1', 'other', 'info', 'api', '2026-01-01', 'ws', '{\"total\": 4}'), "
            "('u', 'u', 'info', 'api', '2026-10-10', 'ws', NULL) "
            "ON CONFLICT (id) DO UPDATE SET cost = excluded.cost, started_at = excluded.started_at"
        )
        writer.execute(
            f"MERGE INTO {TABLE} AS kept USING (VALUES ('c0'), ('c1'), ('m')) AS given (id) "
            "ON kept.id = given.id WHEN MATCHED AND given.id = 'c0' THEN DELETE "
            "WHEN MATCHED THEN UPDATE SET workspace_id = 'second' WHEN NOT MATCHED THEN INSERT "
            "(id, execution_id, level, trigger, started_at, workspace_id) "
            "VALUES (given.id, given.id, 'info', 'api', '2026-10-10', 'ws')"
        )
        writer.commit()
        assert_agrees(rolled)
        assert len(ids(first_page(rolled.ledger()))) == 5
        writer.execute("DELETE FROM workflow WHERE id = 'wf'")
        writer.commit()
        assert_agrees(rolled)
        writer.execute("DELETE FROM workspace WHERE id = 'ws'")
        writer.commit()
        assert_agrees(rolled)


MODELS: Final = '{{"total": 1, "models": {{{}}}}}'
WEIRD: Final = (
    *(CURRENT, OLD, TWO_MODELS, None, "null", "[]", "[5]", "5", '"5"', "true", '{"value": 5}'),
    *(f'{{"total": {t}}}' for t in ("1e131071", "-1", "[1]", '"\\u0661"', '"NaN"', '"1e3"', "{}")),
    *(f'{{"total": 1, "models": {m}}}' for m in ("[]", '["a"]', '"a"', "null", '{"a": 5}', "7")),
    *(f'{{"tokens": {t}}}' for t in ("1e131071", "[]", '{"total": 1.5}', '"7"', "1e29")),
    MODELS.format('"": {"total": 5}'),
    MODELS.format('"a": {"total": 1e131071}, "b": {"total": "x"}, "c": {"total": "0.5"}'),
    MODELS.format('"a": {"total": 9}'),
    MODELS.format(f'"{"é" * 10_000}": {{"total": 0.5}}, "{"é" * 9_999}": {{"total": 0.25}}'),
    MODELS.format('"\\u0001\\\\u0000\\t\'$": {"total": 0.5}, "\\\\": {"total": 0.125}'),
)
FAR: Final = ("infinity", "-infinity", "1900-05-05", "20000-05-05", "294276-12-31", "4713-01-01 BC")


def test_whatever_a_cost_looks_like_and_whenever_it_was_nothing_raises(rolled: Platform) -> None:
    fill(rolled)
    with psycopg.connect(rolled.url) as writer:
        for n, cost in enumerate(WEIRD):
            values = [f"w{n}", f"w{n}", NOON.replace(tzinfo=None), cost]
            writer.execute(INSERT + "VALUES (%s, %s, 'info', 'api', %s, 'ws', %s)", values)
            writer.execute(f"UPDATE {TABLE} SET cost = %s WHERE id = '2'", [cost])
        for at in FAR:
            writer.execute(
                INSERT + "VALUES (%s, %s, 'info', 'api', %s, 'ws', '{\"total\": 3}')", [at, at, at]
            )
        writer.commit()
        rollup.compact(rolled.url)
        assert rollup.verify(rolled.url).wrong == 0
        assert_agrees(rolled)
        writer.execute(f"UPDATE {TABLE} SET started_at = '2026-10-12' WHERE started_at > now()")
        writer.execute(f"UPDATE {TABLE} SET started_at = 'infinity' WHERE id LIKE 'w_'")
        writer.commit()
    assert_agrees(rolled)
    assert rollup.verify(rolled.url).wrong == 0


def test_a_statement_of_a_hundred_thousand_rows_is_one_of_many(rolled: Platform) -> None:
    fill(rolled)
    rolled.sql(
        INSERT
        + "SELECT 'n' || n, n, 'info', 'api', timestamp '2026-10-12' + n * interval '1 second', "
        "'ws', jsonb_build_object('total', n * 0.001) FROM generate_series(1, 100000) AS n"
    )
    rolled.sql(f"DELETE FROM {TABLE} WHERE started_at >= '2026-10-13'")
    assert rollup.verify(rolled.url).wrong == 0
    assert not asks_the_executions(rolled)


def test_a_platform_that_gains_and_loses_columns_is_written_on(rolled_apart: Platform) -> None:
    fill(rolled_apart)
    with psycopg.connect(rolled_apart.url, autocommit=True) as writer:
        statements = [
            f"ALTER TABLE {TABLE} ADD files jsonb DEFAULT '[]'",
            f"ALTER TABLE {TABLE} DROP level",
            f"ALTER TABLE {TABLE} ALTER status DROP NOT NULL",
        ]
        for statement in statements:
            writer.execute(f"UPDATE {TABLE} SET cost = '{{\"total\": 3}}' WHERE id = '1'")
            writer.execute(statement)
            writer.execute(f"UPDATE {TABLE} SET cost = '{{\"total\": 4}}' WHERE id = '1'")
        writer.execute(f"UPDATE {TABLE} SET status = NULL WHERE id = '2'")
    rollup.verify(rolled_apart.url)
    assert_agrees(rolled_apart)


def test_the_rollup_of_an_older_version_is_not_read_and_install_makes_it_fit(
    rolled_apart: Platform,
) -> None:
    fill(rolled_apart)
    for table in ("minute", "hour", "by_workflow", "by_model"):
        rolled_apart.sql(f"ALTER TABLE usage.{table} RENAME unfinished TO running")
    with psycopg.connect(rolled_apart.url, autocommit=True) as connection:
        said = connection.execute(f"SELECT {trust.COMMENT}").fetchone()
        assert said
        older = said[0].replace(f"rollup {trust.VERSION}", f"rollup {trust.VERSION - 1}")
        assert older != said[0]
        connection.execute(f"COMMENT ON TABLE usage.change IS '{older}'")
    assert asks_the_executions(rolled_apart)
    assert rollup.install(rolled_apart.url)
    assert_agrees(rolled_apart)


def test_in_a_serializable_database_folding_makes_no_writer_fail(rolled_apart: Platform) -> None:
    fill(rolled_apart)
    with psycopg.connect(rolled_apart.url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(
            f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'"
        )
    with psycopg.connect(rolled_apart.url) as writer, psycopg.connect(rolled_apart.url) as other:
        writer.execute("SELECT * FROM workspace WHERE id = 'second'").fetchall()
        writer.execute(INSERT + "VALUES ('x', 'x', 'info', 'api', '2026-10-10', 'ws', NULL)")
        other.execute("UPDATE workspace SET name = 'changed' WHERE id = 'second'")
        other.commit()
        rollup.compact(rolled_apart.url)
        rollup.verify(rolled_apart.url)
        # The folding did not see what this wrote, nor this what the other wrote.
        writer.commit()
    assert_agrees(rolled_apart)


TURNS: Final = 25


def write(url: str, number: int, turn: Callable[[], object]) -> None:
    """Write executions of all workspaces, and change and delete some; roll some of that back."""
    with psycopg.connect(url) as writer:
        for n in range(TURNS):
            turn()
            for k in range(3):
                row = [f"{number}-{n}-{k}", f"{number}-{n}-{k}", NOON, f"ws{k}", TWO_MODELS]
                writer.execute(INSERT + "VALUES (%s, %s, 'info', 'api', %s, %s, %s)", row)
            writer.commit()
            writer.execute(f"UPDATE {TABLE} SET cost = '5' WHERE id LIKE %s", [f"{number}-{n}-%"])
            writer.execute(f"DELETE FROM {TABLE} WHERE id = %s", [f"{number}-{n}-1"])
            (writer.rollback if n % 5 == 0 else writer.commit)()


def keep(url: str, turn: Callable[[], object]) -> None:
    for n in range(TURNS):
        turn()
        rollup.compact(url)
        if n % 5 == 4:
            assert rollup.verify(url).wrong == 0


def read(platform: Platform, turn: Callable[[], object]) -> None:
    for _ in range(TURNS):
        turn()
        assert_agrees(platform)


def test_writers_folding_verifying_and_reading_at_the_same_time_do_not_disturb_each_other(
    rolled: Platform,
) -> None:
    rolled.account(None, "ws0", "ws1", "ws2")
    barrier = threading.Barrier(6, timeout=60)

    def ended(work: Future[None]) -> None:
        if work.exception():
            barrier.abort()  # or the others would wait for it

    with ThreadPoolExecutor(6) as pool:
        works = [pool.submit(write, rolled.url, number, barrier.wait) for number in range(4)]
        works.append(pool.submit(keep, rolled.url, barrier.wait))
        works.append(pool.submit(read, rolled, barrier.wait))
        for work in works:
            work.add_done_callback(ended)
    failures = [work.exception() for work in works if work.exception()]
    assert [one for one in failures if not isinstance(one, threading.BrokenBarrierError)] == []
    assert_agrees(rolled)
    assert rollup.verify(rolled.url).wrong == 0
    with rolled.reader.connect() as connection:
        [sums] = answers(connection, [ALL_TIME], ["ws0", "ws1", "ws2"], rollup=True)
    assert sums["executions"] == 4 * (20 * 2 + 5 * 3)


def test_a_reader_cannot_make_a_trigger_of_his_own_write_sums(rolled: Platform) -> None:
    with (
        role(rolled, "reader", "SELECT ON ALL TABLES IN SCHEMA public"),
        psycopg.connect(url_with(rolled, role="reader")) as connection,
    ):
        rollup.install(rolled.url)
        connection.execute(
            "CREATE TEMP TABLE mine (workspace_id text, started_at timestamp, workflow_id text, "
            "status text, cost jsonb)"
        )
        for event in ("insert", "truncate"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(
                    f"CREATE TRIGGER forged AFTER {event} ON mine "
                    f"FOR EACH STATEMENT EXECUTE FUNCTION usage.after_{event}()"
                )
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("DELETE FROM usage.change")


# Taking it out.


def test_uninstalling_leaves_no_trace_and_answers_go_on(rolled: Platform) -> None:
    fill(rolled)
    with role(rolled, "reader", f"SELECT (cost, workspace_id, started_at) ON {TABLE}"):
        rollup.install(rolled.url)
        before = ids(first_page(rolled.ledger()))
        rollup.uninstall(rolled.url)
        rolled.sql(f"REVOKE ALL ON {TABLE} FROM reader")
        rolled.sql(f"REVOKE SELECT (cost, workspace_id, started_at) ON {TABLE} FROM reader")
        assert traces(rolled) == []
    assert asks_the_executions(rolled)
    rolled.sql(f"UPDATE {TABLE} SET cost = NULL")
    assert ids(first_page(rolled.ledger())) == before
    rollup.uninstall(rolled.url)
    assert rollup.install(rolled.url) is True
    assert_agrees(rolled)


@pytest.mark.parametrize(
    "harm",
    [
        "DROP TABLE usage.change",
        "COMMENT ON TABLE usage.change IS NULL",
        "CREATE VIEW mine AS SELECT * FROM usage.hour",
        f"DROP TRIGGER usage_rollup_insert ON {TABLE}",
    ],
)
def test_what_somebody_changed_is_taken_out_all_the_same(rolled: Platform, harm: str) -> None:
    rolled.sql(harm)
    rollup.uninstall(rolled.url)
    assert traces(rolled) == []
    fill(rolled)
    assert asks_the_executions(rolled)


def test_an_answer_that_began_before_it_was_taken_out_is_unavailable(rolled: Platform) -> None:
    fill(rolled)

    def answer() -> None:
        with snapshot(rolled.reader) as opened:
            totals = Totals.of(opened)
            assert totals.rollup
            rollup.uninstall(rolled.url)
            totals.by_span(["ws"], [Span(NOON, NOON + timedelta(hours=3))], "cost")

    with pytest.raises(UnavailableError, match="was taken out") as refusal:
        answer()
    assert refusal.value.status == 503
    assert asks_the_executions(rolled)


def test_sessions_that_know_the_rollup_by_heart_notice_that_it_went_and_came(
    rolled: Platform,
) -> None:
    fill(rolled)

    def answer(*, rollup: bool) -> None:
        for _ in range(12):  # psycopg prepares a statement that it has seen five times
            with snapshot(rolled.reader) as opened:
                totals = Totals.of(opened)
                assert totals.rollup is rollup
                [executions] = totals.by_span(["ws"], [ALL_TIME], "executions")["executions"]
                assert executions == 2

    answer(rollup=True)
    rollup.uninstall(rolled.url)
    answer(rollup=False)
    rollup.install(rolled.url)
    answer(rollup=True)


def test_an_answer_that_began_before_the_rollup_came_asks_the_executions(bare: Platform) -> None:
    fill(bare)
    with bare.reader.connect() as connection:
        count = text(f"SELECT count(*) FROM {TABLE}")
        assert connection.execute(count).scalar_one() == 3
        rollup.install(bare.url)
        assert not is_whole(connection)

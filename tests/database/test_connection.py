"""The product's connection, to a real PostgreSQL that can be slow, gone, or sparing with rights."""

import gc
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC
from typing import Any, Final

import psycopg
import pytest
from psycopg.errors import QueryCanceled, ReadOnlySqlTransaction
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError, InternalError

from data.answers.ledger import Ledger
from data.files.csv import write_csv
from data.platform.connection import HELD_AT_MOST_SECONDS, STATEMENT_TIMEOUT_SECONDS, connect
from data.question.query import UsageQuery
from data.rules.billing import Billing
from data.rules.errors import UnavailableError
from tests.support.platform import ALWAYS, VIEWER, WORKSPACE, Platform, Run, first_page, ids, utc

NOON = utc("2026-10-10 12:00")

# What a database role must be granted for the product to read with: nothing more is needed.
GRANTS: Final = {
    '"user"': ("id", "name", "email"),
    "user_stats": ("user_id", "current_usage_limit", "credit_balance"),
    "organization": ("id", "name", "org_usage_limit", "credit_balance"),
    "member": ("user_id", "organization_id", "role"),
    "subscription": (
        *("id", "reference_id", "status", "plan", "seats", "period_start", "period_end"),
        "metadata",
    ),
    "workspace": (
        *("id", "name", "owner_id", "billed_account_user_id", "archived_at"),
        "allow_personal_api_keys",
    ),
    "permissions": ("user_id", "entity_type", "entity_id"),
    "workflow": ("id", "name"),
    "workflow_execution_logs": (
        *("id", "execution_id", "workflow_id", "workspace_id"),
        *("started_at", "status", "trigger", "cost"),
    ),
}


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    engine = connect(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def listening(engine: Engine, name: str, hook: Callable[..., None]) -> Iterator[None]:
    event.listen(engine, name, hook)
    try:
        yield
    finally:
        event.remove(engine, name, hook)


def shown(engine: Engine, name: str) -> str:
    with engine.connect() as connection:
        value: str = connection.execute(text(f"SHOW {name}")).scalar_one()
    return value


def filled(platform: Platform) -> Ledger:
    platform.account(1)
    platform.workflow("wf", "Triage")
    platform.runs([Run("1", NOON, workflow="wf"), Run("2", NOON)])
    return platform.ledger()


def end_sessions(platform: Platform) -> int:
    """End every session of the product, as a restart of the server would."""
    with platform.writer.begin() as connection:
        ended = connection.execute(
            text(
                "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
                "WHERE application_name = 'usage-ledger' AND datname = current_database()"
            )
        )
        number: int = ended.scalar_one()
    return number


def open_cursors() -> list[Any]:
    found = [each for each in gc.get_objects() if isinstance(each, psycopg.ServerCursor)]
    return [cursor for cursor in found if not cursor.closed]


# Sessions.


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO \"user\" VALUES ('x', 'x', 'x', true, now(), now())",
        "UPDATE workspace SET name = 'x'",
        "DELETE FROM permissions",
        "CREATE TABLE mine (id integer)",
        "SELECT * FROM workspace FOR UPDATE",
    ],
)
def test_nothing_can_be_written(platform: Platform, statement: str) -> None:
    filled(platform)
    with platform.reader.connect() as connection:
        with pytest.raises(InternalError) as refusal:
            connection.execute(text(statement))
        assert isinstance(refusal.value.orig, ReadOnlySqlTransaction)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transaction_read_only", "on"),
        ("default_transaction_read_only", "on"),
        ("transaction_isolation", "repeatable read"),
        ("timezone", "UTC"),
        ("statement_timeout", f"{STATEMENT_TIMEOUT_SECONDS}s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("jit", "off"),
        ("application_name", "usage-ledger"),
    ],
)
def test_every_session_is_a_bounded_snapshot_in_utc_whatever_the_database_prefers(
    database: str, name: str, value: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute("SELECT current_database()").fetchone()
        assert row is not None
        connection.execute(f"ALTER DATABASE \"{row[0]}\" SET timezone = 'Asia/Kolkata'")
        connection.execute(f'ALTER DATABASE "{row[0]}" SET statement_timeout = 0')
        connection.execute(f'ALTER DATABASE "{row[0]}" SET jit = on')
    with engine_of(database) as engine:
        assert shown(engine, name) == value
        # The same session, taken from the pool again.
        assert shown(engine, name) == value


def test_a_transaction_sees_one_state_to_its_end(platform: Platform) -> None:
    filled(platform)
    count = text("SELECT count(*) FROM workflow_execution_logs")
    with platform.reader.connect() as connection:
        before = connection.execute(count).scalar_one()
        platform.runs([Run("3", NOON)])
        assert connection.execute(count).scalar_one() == before == 2
    with platform.reader.connect() as connection:
        assert connection.execute(count).scalar_one() == 3


def test_no_connection_is_made_before_it_is_needed() -> None:
    with engine_of("postgresql://127.0.0.1:1/nowhere") as engine:
        assert engine.pool.checkedin() == 0  # type: ignore[attr-defined]  # a QueuePool has it


# Trouble.


def test_a_query_that_takes_too_long_is_told_as_such(platform: Platform) -> None:
    ledger = filled(platform)

    def hurry(connection: Any) -> None:
        connection.exec_driver_sql("SET LOCAL statement_timeout = '50ms'")

    with platform.writer.begin() as connection, listening(platform.reader, "begin", hurry):
        # Nobody reads a table that is locked like this, for as long as it takes.
        connection.execute(text("LOCK TABLE workflow_execution_logs IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(UnavailableError) as refusal:
            first_page(ledger)
        error = refusal.value
        with pytest.raises(UnavailableError), ledger.export(VIEWER, UsageQuery(WORKSPACE, ALWAYS)):
            pass
    assert isinstance(error.__cause__, DBAPIError)
    assert isinstance(error.__cause__.orig, QueryCanceled)
    assert (error.status, error.code) == (503, "database_timeout")
    assert error.sentence == (
        "The database did not answer within 10 s. Choose a shorter window, or try again."
    )
    assert ids(first_page(ledger)) == ["2", "1"]


def test_the_pool_is_bounded_and_who_waits_too_long_is_told_so(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = filled(platform)
    monkeypatch.setattr(platform.reader.pool, "_timeout", 0.01)
    with ExitStack() as taken:
        for _ in range(8):
            taken.enter_context(platform.reader.connect())
        with pytest.raises(UnavailableError, match="cannot be reached") as refusal:
            ledger.ready()
        assert (refusal.value.status, refusal.value.code) == (503, "database_unavailable")
    ledger.ready()


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/x", "postgresql:///x?host=/nowhere"])
def test_a_database_that_is_not_there_is_unavailable(url: str) -> None:
    with engine_of(url) as engine, pytest.raises(UnavailableError) as refusal:
        Ledger(engine, Billing(UTC)).ready()
    assert refusal.value.sentence == "The database cannot be reached. Try again in a moment."
    assert refusal.value.code == "database_unavailable"


def test_sessions_that_the_server_ended_are_replaced_without_anybody_noticing(
    platform: Platform,
) -> None:
    ledger = filled(platform)
    with ExitStack() as taken:
        for _ in range(5):
            taken.enter_context(platform.reader.connect()).execute(text("SELECT 1"))
    assert end_sessions(platform) >= 5
    for _ in range(3):
        assert ids(first_page(ledger)) == ["2", "1"]


def test_an_answer_that_the_server_breaks_off_is_unavailable_and_the_next_one_is_whole(
    platform: Platform,
) -> None:
    ledger = filled(platform)

    def end_before_the_page(*args: Any) -> None:
        if "outer join workflow" in args[2].lower().replace("\n", " ").replace("left ", ""):
            end_sessions(platform)

    with (
        listening(platform.reader, "before_cursor_execute", end_before_the_page),
        pytest.raises(UnavailableError, match="cannot be reached"),
    ):
        first_page(ledger)
    assert ids(first_page(ledger)) == ["2", "1"]


@pytest.mark.parametrize(
    ("read", "read_on"), [(0, 0), (1, 0), (1500, 0), (0, 2500), (1, 2500), (1500, 2500)]
)
def test_a_file_whose_session_was_ended_leaves_no_cursor_open(
    platform: Platform, read: int, read_on: int
) -> None:
    platform.account(1)
    platform.runs([Run(str(number), NOON) for number in range(2500)])

    def leave_in_the_middle() -> None:
        with platform.ledger().export(VIEWER, UsageQuery(WORKSPACE, ALWAYS)) as export:
            rows = iter(export.rows)
            assert len(list(itertools.islice(rows, read))) == read
            assert end_sessions(platform)
            list(itertools.islice(rows, read_on))

    with pytest.raises(UnavailableError):
        leave_in_the_middle()
    assert not open_cursors()


def test_a_file_whose_session_was_ended_before_its_first_row_leaves_no_cursor_open(
    platform: Platform,
) -> None:
    ledger = filled(platform)

    def end_before_the_rows(*args: Any) -> None:
        if args[4].execution_options.get("yield_per"):
            assert end_sessions(platform)

    with (
        listening(platform.reader, "before_cursor_execute", end_before_the_rows),
        pytest.raises(UnavailableError),
        ledger.export(VIEWER, UsageQuery(WORKSPACE, ALWAYS)),
    ):
        pytest.fail("a file without its session was opened")
    assert not open_cursors()


def test_the_snapshot_of_a_file_may_idle_for_as_long_as_a_file_may_take(platform: Platform) -> None:
    found: list[Any] = []

    def look(*args: Any) -> None:
        if args[4].execution_options.get("yield_per"):
            name = "idle_in_transaction_session_timeout"
            found.extend(args[0].connection.driver_connection.execute(f"SHOW {name}").fetchone())

    with (
        listening(platform.reader, "before_cursor_execute", look),
        filled(platform).export(VIEWER, UsageQuery(WORKSPACE, ALWAYS)),
    ):
        assert found == [f"{HELD_AT_MOST_SECONDS // 60}min"]
    assert shown(platform.reader, "idle_in_transaction_session_timeout") == "1min"


def test_a_column_of_another_type_is_unavailable_once_and_read_then(rolled_apart: Platform) -> None:
    ledger = filled(rolled_apart)
    for _ in range(10):  # by then the statement is prepared
        assert ids(first_page(ledger)) == ["2", "1"]
    rolled_apart.sql("ALTER TABLE workflow ALTER name TYPE varchar(300)")
    with pytest.raises(UnavailableError):
        first_page(ledger)
    assert ids(first_page(ledger)) == ["2", "1"]


# Addresses.


@pytest.mark.parametrize("scheme", ["postgres://", "postgresql://", "postgresql+psycopg://"])
def test_every_spelling_of_the_scheme_connects(platform: Platform, scheme: str) -> None:
    filled(platform)
    _, _, rest = platform.url.partition("://")
    with engine_of(scheme + rest) as engine:
        ledger = Ledger(engine, Billing(UTC))
        assert ids(first_page(ledger)) == ["2", "1"]


@pytest.mark.parametrize("scheme", ["postgres://", "postgresql://", "postgresql+psycopg://"])
@pytest.mark.parametrize("dead", ["/nowhere", "127.0.0.1"])
def test_of_several_hosts_the_first_that_lives_answers(
    platform: Platform, scheme: str, dead: str
) -> None:
    _, _, rest = platform.url.partition("://")
    url = scheme + rest.replace("?host=", f"?host={dead},") + "&port=1,5432"
    with engine_of(url) as engine:
        assert shown(engine, "transaction_read_only") == "on"


# Rights.


@contextmanager
def reading_as_a_role(platform: Platform, columns: dict[str, tuple[str, ...]]) -> Iterator[Ledger]:
    """Read as a role that may SELECT just these columns."""
    with platform.writer.begin() as connection:
        connection.execute(text("CREATE ROLE narrow_reader"))
        for table, names in columns.items():
            if names:
                connection.execute(
                    text(f"GRANT SELECT ({', '.join(names)}) ON {table} TO narrow_reader")
                )
    try:
        with engine_of(platform.url + "&options=-c%20role%3Dnarrow_reader") as engine:
            assert shown(engine, "role") == "narrow_reader"
            yield Ledger(engine, Billing(UTC))
    finally:
        platform.sql("DROP OWNED BY narrow_reader")
        platform.sql("DROP ROLE narrow_reader")


def everything_read(ledger: Ledger) -> tuple[list[str], str]:
    ledger.workspaces(VIEWER)
    page = first_page(ledger, limit=1)
    page = first_page(ledger, cursor=page.next_cursor)
    first_page(ledger, cursor="1", window=ALWAYS)
    with ledger.export(VIEWER, UsageQuery(WORKSPACE, ALWAYS)) as export:
        return ids(page), "".join(write_csv(export.rows))


def test_a_role_that_may_select_just_these_columns_can_answer_everything(
    platform: Platform,
) -> None:
    filled(platform)
    with reading_as_a_role(platform, GRANTS) as ledger:
        rows, text_of_file = everything_read(ledger)
    assert rows == ["1"]
    assert text_of_file.count("\n") == 3


@pytest.mark.parametrize(
    ("table", "column"), [(table, name) for table, names in GRANTS.items() for name in names]
)
def test_none_of_these_columns_can_be_spared(platform: Platform, table: str, column: str) -> None:
    filled(platform)
    spared = {**GRANTS, table: tuple(name for name in GRANTS[table] if name != column)}
    with (
        reading_as_a_role(platform, spared) as ledger,
        pytest.raises(UnavailableError, match="permission denied") as refused,
    ):
        everything_read(ledger)
    assert refused.value.code == "database_unreadable"

"""The rollup on the platform's second generation, and where the platform is upgraded under it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import psycopg
import pytest

from data.rules.errors import UsageError
from data.sums import rollup
from data.sums.rollup.triggers import EVENTS, PREFIX
from tests.support.platform import Platform, Run, is_whole, utc
from tests.support.signing import own_platform
from tests.support.summing import assert_agrees

NOON: Final = utc("2026-10-10 12:00")
LINES: Final = "usage_log"
TABLE: Final = "workflow_execution_logs"
IN_JSON: Final = '{"total": 2, "tokens": 7, "models": {"haiku": {"total": 1.5}}}'
LINE: Final = f"""
    INSERT INTO {LINES} (id, user_id, category, source, description, cost, metadata, execution_id)
    SELECT gen_random_uuid(), 'payer', 'model', 'workflow', 'gpt-4o', 0.5, '{{"inputTokens": 40}}',
        'execution-' || name
    FROM unnest(ARRAY['1', '2', 'of nothing']) AS name
"""


def fill(platform: Platform) -> None:
    """Write one execution with a JSONB, two with lines, and a line of no execution."""
    platform.account(2)
    platform.runs(
        [Run("0", NOON, IN_JSON), Run("1", NOON, None), Run("2", NOON + timedelta(days=1), None)]
    )
    platform.sql(f"UPDATE {TABLE} SET cost_total = 0.75 WHERE id <> '0'")
    platform.sql(LINE)


def trusted(platform: Platform) -> bool:
    with platform.reader.connect() as connection:
        return is_whole(connection)


@pytest.fixture
def second(cluster: str) -> Iterator[Platform]:
    """Yield a database of the second generation of its own, filled, with the rollup."""
    with own_platform(cluster) as platform:
        platform.upgrade()
        fill(platform)
        rollup.install(platform.url)
        yield platform


def test_what_there_is_and_what_comes_is_added_up(second: Platform) -> None:
    assert_agrees(second)
    second.sql(LINE)
    second.sql(f"UPDATE {TABLE} SET cost = NULL")
    assert_agrees(second)
    assert rollup.compact(second.url) == 9
    assert_agrees(second)
    assert rollup.verify(second.url).wrong == 0


def test_equal_lines_count_each(second: Platform) -> None:
    second.sql(f"UPDATE {TABLE} SET cost_total = 9")
    second.sql(LINE)
    second.sql(LINE)
    rollup.compact(second.url)
    assert_agrees(second)
    second.sql(f"UPDATE {TABLE} SET cost_total = 8")
    assert_agrees(second)
    second.sql(
        f"DELETE FROM {LINES} WHERE id IN (SELECT min(id) FROM {LINES} GROUP BY execution_id)"
    )
    assert_agrees(second)


CHANGED: Final = {
    "cost is dropped": f"ALTER TABLE {TABLE} DROP cost",
    "cost_total is dropped": f"ALTER TABLE {TABLE} DROP cost_total",
    "models_used is dropped": f"ALTER TABLE {TABLE} DROP models_used",
    "cost is renamed": f"ALTER TABLE {TABLE} RENAME cost TO cost_before",
    "cost has another type": f"ALTER TABLE {TABLE} ALTER cost TYPE text",
    "metadata is dropped": f"ALTER TABLE {LINES} DROP metadata, ADD metadata jsonb",
    "source is a text": f"ALTER TABLE {LINES} ALTER source TYPE text",
    "lines are another table": f"DROP TABLE {LINES}",
    "the schema is gone": "DROP SCHEMA usage CASCADE",
}


@pytest.mark.parametrize("change", CHANGED)
def test_whatever_the_platform_changes_it_can_write_and_nothing_is_missed(
    second: Platform, change: str
) -> None:
    with psycopg.connect(second.url, autocommit=True) as writer:
        for statement in (CHANGED[change], f"UPDATE {TABLE} SET status = 'failed'"):
            writer.execute(statement.encode())
        if "lines" not in change:
            writer.execute(f"UPDATE {LINES} SET cost = 0.25".encode())
        writer.execute(f"DELETE FROM {TABLE} WHERE id = '2'".encode())
    if "models_used" in change:
        assert trusted(second)
    elif change != "cost has another type":  # which the product does not read either
        assert not trusted(second)
        assert rollup.install(second.url) is True
        assert_agrees(second)


def test_a_platform_that_is_upgraded_under_its_rollup_writes_on_and_install_makes_it_fit(
    cluster: str,
) -> None:
    with own_platform(cluster) as platform:
        platform.account(2)
        platform.runs([Run("before", NOON, IN_JSON)])
        rollup.install(platform.url)
        assert trusted(platform)
        platform.upgrade()
        platform.runs([Run("after", NOON, None)])
        platform.sql(f"UPDATE {TABLE} SET cost_total = 0.25 WHERE id = 'after'")
        assert not trusted(platform)
        for work in (rollup.compact, rollup.verify):
            with pytest.raises(UsageError, match="does not fit the platform's tables"):
                work(platform.url)
        platform.sql(f"ALTER TABLE {TABLE} DROP cost")
        platform.sql(f"UPDATE {TABLE} SET cost_total = 0.5 WHERE id = 'before'")
        assert not trusted(platform)
        assert rollup.install(platform.url) is True
        assert_agrees(platform)
        assert rollup.install(platform.url) is False


@pytest.mark.parametrize("event", EVENTS)
def test_a_trigger_of_lines_that_was_off_is_not_forgotten(second: Platform, event: str) -> None:
    second.sql(f"ALTER TABLE {LINES} DISABLE TRIGGER {PREFIX}{event}")
    second.sql(LINE)
    second.sql(f"ALTER TABLE {LINES} ENABLE ALWAYS TRIGGER {PREFIX}{event}")
    assert not trusted(second)
    rollup.verify(second.url)
    assert_agrees(second)


def test_after_a_truncate_of_lines_the_executions_answer_until_it_is_verified(
    second: Platform,
) -> None:
    second.sql(f"TRUNCATE {LINES}")
    assert not trusted(second)
    assert rollup.verify(second.url).wrong > 0
    assert_agrees(second)


def test_without_their_index_lines_are_not_read_and_with_it_nothing_was_missed(
    second: Platform,
) -> None:
    index = "usage_log_execution_id_idx"
    second.sql(f"DROP INDEX {index}")
    second.sql(LINE)
    assert not trusted(second)
    with pytest.raises(UsageError, match="does not fit"):
        rollup.compact(second.url)
    second.sql(f"CREATE INDEX {index} ON {LINES} (execution_id)")
    assert_agrees(second)


def test_whoever_may_read_executions_and_not_their_lines_gets_no_sums(second: Platform) -> None:
    second.sql("CREATE ROLE reader_of_rows")
    try:
        second.sql(f"GRANT SELECT ON {TABLE} TO reader_of_rows")
        second.sql(f"GRANT SELECT (execution_id, cost) ON {LINES} TO reader_of_rows")
        may = "SELECT has_schema_privilege('reader_of_rows', 'usage', 'USAGE')"
        for allowed in (False, True):
            rollup.install(second.url)
            with second.writer.connect() as connection:
                assert connection.exec_driver_sql(may).scalar_one() is allowed
            second.sql(f"GRANT SELECT ON {LINES} TO reader_of_rows")
    finally:
        second.sql("DROP OWNED BY reader_of_rows")
        second.sql("DROP ROLE reader_of_rows")


def test_where_costs_are_kept_nowhere_it_is_refused_in_a_sentence(second: Platform) -> None:
    rollup.uninstall(second.url)
    second.sql(f"ALTER TABLE {TABLE} DROP cost, DROP cost_total")
    with pytest.raises(UsageError, match=f"The column cost of {TABLE} is not there"):
        rollup.install(second.url)

import pytest

from data.platform.connection import connect
from data.platform.revision import Revision, revision_of
from tests.support.platform import Platform
from tests.support.signing import own_platform

SECOND = Revision(
    organizations=True,
    key_hashes=True,
    billing_intervals=True,
    cost_total=True,
    models_used=True,
    usage_log=True,
)


def _revision(platform: Platform) -> Revision:
    with platform.reader.connect() as connection:
        return revision_of(connection)


def test_the_tables_of_april_2026_have_neither(platform: Platform) -> None:
    assert _revision(platform) == Revision(organizations=False, key_hashes=False)


def test_each_column_is_probed_by_itself_and_anew(cluster: str) -> None:
    with own_platform(cluster) as platform:
        steps: list[tuple[str, Revision]] = [
            (
                "ALTER TABLE api_key ADD key_hash text",
                Revision(organizations=False, key_hashes=True),
            ),
            (
                "ALTER TABLE workspace ADD organization_id text",
                Revision(organizations=True, key_hashes=True),
            ),
            (
                "ALTER TABLE subscription ADD billing_interval text",
                Revision(organizations=True, key_hashes=True, billing_intervals=True),
            ),
            (
                "ALTER TABLE subscription RENAME billing_interval TO elsewhere",
                Revision(organizations=True, key_hashes=True),
            ),
            # A column that was dropped leaves its row in the catalogue.
            (
                "ALTER TABLE api_key DROP key_hash",
                Revision(organizations=True, key_hashes=False),
            ),
            (
                "ALTER TABLE workspace RENAME organization_id TO org",
                Revision(organizations=False, key_hashes=False),
            ),
        ]
        for statement, expected in steps:
            platform.sql(statement)
            assert _revision(platform) == expected, statement


def test_columns_of_other_tables_and_schemas_do_not_count(cluster: str) -> None:
    with own_platform(cluster) as platform:
        platform.sql("ALTER TABLE member ADD key_hash text")
        platform.sql("ALTER TABLE organization ADD billing_interval text")
        platform.sql("CREATE SCHEMA elsewhere")
        platform.sql("CREATE TABLE elsewhere.workspace (organization_id text)")
        platform.sql("CREATE TABLE elsewhere.api_key (key_hash text)")
        assert _revision(platform) == Revision(organizations=False, key_hashes=False)


@pytest.mark.parametrize("drop", ["DROP TABLE api_key", "DROP TABLE workspace CASCADE"])
def test_a_table_that_is_not_there_has_no_column(cluster: str, drop: str) -> None:
    with own_platform(cluster, later=True) as platform:
        assert _revision(platform) == SECOND
        platform.sql(drop)
        gone = _revision(platform)
        assert gone.key_hashes == ("workspace" in drop)
        assert gone.organizations == ("api_key" in drop)


def test_a_role_without_any_right_may_ask(cluster: str) -> None:
    with own_platform(cluster, later=True) as platform:
        platform.sql("CREATE ROLE without_any_right LOGIN")
        engine = connect(platform.url.replace("postgres@", "without_any_right@", 1))
        try:
            with engine.connect() as connection:
                assert revision_of(connection) == SECOND
        finally:
            engine.dispose()
            platform.sql("DROP ROLE without_any_right")


@pytest.mark.parametrize("table", ["organization", "member", "subscription"])
def test_subscriptions_need_every_table_of_theirs(cluster: str, table: str) -> None:
    with own_platform(cluster) as platform:
        assert _revision(platform).subscriptions
        platform.sql(f"DROP TABLE {table} CASCADE")
        assert not _revision(platform).subscriptions

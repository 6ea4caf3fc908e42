"""What a database role has to be granted to sign people in: the statements of docs/install.md."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine

from data.platform.connection import connect
from tests.support.platform import Platform, Run, utc
from tests.support.signing import (
    SIGNED_WITH,
    Asker,
    House,
    add_key,
    add_session,
    by_cookie,
    by_key,
    own_platform,
)

INSTALL = (Path(__file__).parents[2] / "docs" / "install.md").read_text()
ROLE = "sign_in_reader"
LISTED = {"USAGE_PROXY_HEADER": "X-Usage-User", "USAGE_PROXY_CIDRS": "127.0.0.1/32"}
ASKERS = {
    "cookie": by_cookie("t-viewer"),
    "personal key": by_key("sim_viewer"),
    "workspace's key": by_key("sim_of-ws"),
    "e-mail": Asker({"X-Usage-User": "VIEWER@example.com"}),
}
Column = tuple[str, str]


def _statements(*, later: bool) -> str:
    blocks = re.findall(r"^```sql\n(.*?)^```$", INSTALL, re.DOTALL | re.MULTILINE)
    grants = [block for block in blocks if "GRANT" in block]
    return "".join(grants if later else grants[:1]).replace("usage_reader", ROLE)


def _columns(*, later: bool) -> list[Column]:
    """Return the columns that docs/install.md grants."""
    found = re.findall(r"GRANT SELECT \(([^)]+)\)\s+ON (\S+) TO", _statements(later=later))
    return [(table, column.strip()) for columns, table in found for column in columns.split(",")]


@contextmanager
def _reading(cluster: str, *, later: bool) -> Iterator[tuple[House, Platform]]:
    """Put the product together over a platform that it reads with the documented grants alone."""
    with own_platform(cluster, later=later) as platform:
        _fill(platform, later=later)
        engine: Engine = connect(platform.url.replace("postgres@", f"{ROLE}@", 1))
        with psycopg.connect(platform.url, autocommit=True) as connection:
            connection.execute(_statements(later=later).encode())
            try:
                yield House(engine, BETTER_AUTH_SECRET=SIGNED_WITH, **LISTED), platform
            finally:
                engine.dispose()
                connection.execute(f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}".encode())


def _fill(platform: Platform, *, later: bool) -> None:
    platform.account(100, "ws", viewer="viewer")
    platform.runs([Run("run", utc("2026-10-05 12:00"))])
    add_session(platform, "t-viewer", "viewer")
    for key, workspace_id in (("sim_viewer", None), ("sim_of-ws", "ws")):
        add_key(platform, key, "viewer", workspace_id=workspace_id)
        if later:
            platform.sql(
                "UPDATE api_key SET key_hash = :hash WHERE key = :key",
                key=key,
                hash=sha256(key.encode()).hexdigest(),
            )


def _answers(house: House, asker: Asker) -> set[int]:
    endpoints = (house.listed, house.summary, house.export, house.opened)
    figures = house.figures_callback(asker, "ws")
    # A callback that fails tells so on the page, with a status of success.
    told = 503 if "cannot be read as it is set up" in figures.text else figures.status_code
    return {endpoint(asker, "ws").status_code for endpoint in endpoints} | {house.may(asker), told}


@pytest.mark.parametrize("later", [False, True])
def test_the_documented_grants_sign_everybody_in(cluster: str, *, later: bool) -> None:
    with _reading(cluster, later=later) as (house, _):
        for who, asker in ASKERS.items():
            assert _answers(house, asker) == {200}, who
            assert house.page(asker, "ws").status_code == 200
            assert house.page_callback(asker, "ws").status_code == 200


@pytest.mark.parametrize("later", [False, True])
def test_no_documented_grant_is_one_too_many(cluster: str, *, later: bool) -> None:
    # At a later revision nobody asks who owns a workspace.
    spared = {("workspace", "owner_id")} if later else set()
    with _reading(cluster, later=later) as (house, platform):
        for table, column in _columns(later=later):
            platform.sql(f"REVOKE SELECT ({column}) ON {table} FROM {ROLE}")
            answers = set[int]().union(*(_answers(house, asker) for asker in ASKERS.values()))
            needed = (table, column) not in spared
            assert (503 in answers) == needed, (table, column)
            assert answers <= {200, 503}
            ready = house.client.get("/readyz")
            assert ready.status_code == (503 if needed else 200)
            words = f"The column {column} of {table} may not be read by this role."
            assert (words in ready.text) == needed
            platform.sql(f"GRANT SELECT ({column}) ON {table} TO {ROLE}")
        # With all of them back it works again: what failed, failed for the one that was away.
        assert _answers(house, ASKERS["cookie"]) == {200}
        assert house.client.get("/readyz").text == "ready\n"


@pytest.mark.parametrize("later", [False, True])
def test_not_ready_while_a_column_that_is_needed_is_gone(cluster: str, *, later: bool) -> None:
    """A platform that dropped one; what tells the revision is no such column."""
    costs = {("workflow_execution_logs", name) for name in ("cost", "cost_total", "models_used")}
    tells = {
        *(("workspace", "organization_id"), ("subscription", "billing_interval")),
        *(("api_key", "key_hash"), *costs),
    }
    spared = tells | {("workspace", "owner_id")} if later else set()
    with _reading(cluster, later=later) as (house, platform):
        for table, column in _columns(later=later):
            if (table, column) in spared:
                continue
            platform.sql(f"ALTER TABLE {table} RENAME {column} TO elsewhere")
            assert house.client.get("/readyz").text == (
                f"The column {column} of {table} is not there. "
                "The GRANTs in docs/install.md name all that is needed.\n"
            )
            answers = set[int]().union(*(_answers(house, asker) for asker in ASKERS.values()))
            assert 503 in answers
            assert answers <= {200, 503}
            platform.sql(f"ALTER TABLE {table} RENAME elsewhere TO {column}")
        assert house.client.get("/readyz").text == "ready\n"


def test_sessions_are_needed_only_where_they_sign_people_in(cluster: str) -> None:
    with _reading(cluster, later=False) as (house, platform):
        platform.sql(f"REVOKE SELECT (token) ON session FROM {ROLE}")
        engine = connect(platform.url.replace("postgres@", f"{ROLE}@", 1))
        by_proxy = House(engine, **LISTED)
        assert house.client.get("/readyz").status_code == 503
        assert by_proxy.client.get("/readyz").status_code == 200
        engine.dispose()


def test_the_role_can_neither_read_more_nor_write(cluster: str) -> None:
    with _reading(cluster, later=True) as (_, platform):
        name = conninfo_to_dict(platform.url)["dbname"]
        url = platform.url.replace("postgres@", f"{ROLE}@", 1)
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute("SELECT current_user, current_database()").fetchone()
            assert found == (ROLE, name)
            for statement in (
                'SELECT email_verified FROM "user"',
                "SELECT * FROM session",
                "SELECT name FROM api_key",
                "SELECT execution_data FROM workflow_execution_logs",
                "DELETE FROM session",
                "UPDATE session SET expires_at = now()",
                "INSERT INTO permissions (id) VALUES ('x')",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.encode())

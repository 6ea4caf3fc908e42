from collections.abc import Callable
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest

from data.platform.access import Viewer, Workspace, workspaces_of
from data.platform.snapshot import Snapshot
from data.platform.terms import Account, account_of
from data.rules.billing import Billing, LimitScope
from data.rules.errors import NotFoundError
from tests.support.platform import FOUNDED, OWNER, PAYER, VIEWER, VIEWER_ID, WORKSPACE, Platform


@pytest.fixture
def platform(either: Platform) -> Platform:
    return either


def account(
    platform: Platform,
    workspace_id: str = WORKSPACE,
    *,
    viewer: Viewer = VIEWER,
    scope: LimitScope = LimitScope.ACCOUNT,
) -> Account:
    with platform.reader.connect() as connection:
        opened = Snapshot.of(connection)
        return account_of(opened, viewer, workspace_id, Billing(UTC, scope))


def workspaces(platform: Platform, viewer: Viewer = VIEWER) -> list[Workspace]:
    with platform.reader.connect() as connection:
        return workspaces_of(Snapshot.of(connection), viewer)


def not_found(ask: Callable[[], Any]) -> tuple[int, str, str | None, str]:
    with pytest.raises(NotFoundError) as refusal:
        ask()
    error = refusal.value
    return error.status, error.sentence, error.param, error.code


ABSENT = (
    404,
    "There is no such workspace among yours. Check its id, or ask its owner for access.",
    "workspaceId",
    "resource_missing",
)


def test_a_workspace_without_a_grant_is_not_there(platform: Platform) -> None:
    platform.account(1, viewer=None)
    assert not_found(lambda: account(platform)) == ABSENT


def test_who_pays_sees_nothing_without_a_grant(platform: Platform) -> None:
    platform.account(1)
    assert not_found(lambda: account(platform, viewer=Viewer(PAYER))) == ABSENT


def test_who_owns_a_workspace_sees_it_where_there_are_no_organizations(stage: Platform) -> None:
    stage.clear()
    stage.account(1)
    assert account(stage, viewer=Viewer(OWNER)).workspace.id == WORKSPACE


def test_a_revoked_grant_closes_the_workspace(platform: Platform) -> None:
    platform.account(1)
    assert account(platform).workspace.id == WORKSPACE
    platform.sql("DELETE FROM permissions")
    assert not_found(lambda: account(platform)) == ABSENT


def test_an_archived_workspace_is_not_there_until_it_is_brought_back(platform: Platform) -> None:
    platform.account(1)
    platform.archive(WORKSPACE)
    assert not_found(lambda: account(platform)) == ABSENT
    assert workspaces(platform) == []
    platform.archive(WORKSPACE, back=True)
    assert account(platform).workspace.id == WORKSPACE


@pytest.mark.parametrize(
    "workspace_id",
    [
        "missing",
        "WS",
        "ws ",
        " ws",
        "ws\n",
        "",
        "\0",
        "ws\0",
        "\ud800",
        "ws\udfff",
        "x" * 255,
        "x" * 300,
        "x" * 100_000,
        "%",
        "w_",
        "' OR true --",
        "日本",
    ],
)
def test_a_missing_or_malformed_id_is_not_there_in_the_same_words(
    platform: Platform, workspace_id: str
) -> None:
    platform.account(1)
    assert not_found(lambda: account(platform, workspace_id)) == ABSENT


@pytest.mark.parametrize("entity", ["workflow", "organization", "Workspace", ""])
def test_a_grant_of_something_else_with_the_same_id_opens_nothing(
    platform: Platform, entity: str
) -> None:
    platform.account(1, viewer=None)
    platform.grant(VIEWER_ID, WORKSPACE, entity=entity)
    assert not_found(lambda: account(platform)) == ABSENT
    assert workspaces(platform) == []


@pytest.mark.parametrize("level", ["read", "write", "admin"])
def test_a_grant_of_any_level_opens_the_workspace(platform: Platform, level: str) -> None:
    platform.account(1, viewer=None)
    platform.grant("someone", WORKSPACE, level=level)
    assert account(platform, viewer=Viewer("someone")).workspace == Workspace(WORKSPACE, WORKSPACE)
    assert not_found(lambda: account(platform, viewer=Viewer("someone-else"))) == ABSENT


def test_two_grants_of_one_workspace_do_not_multiply_it(platform: Platform) -> None:
    platform.account(1)
    platform.sql("DROP INDEX permissions_unique_constraint")
    try:
        platform.sql(
            "INSERT INTO permissions (id, user_id, entity_type, entity_id, permission_type) "
            "SELECT 'twin', user_id, entity_type, entity_id, 'admin' FROM permissions"
        )
        assert workspaces(platform) == [Workspace(WORKSPACE, WORKSPACE)]
        assert account(platform).workspace_ids == (WORKSPACE,)
    finally:
        platform.sql("DELETE FROM permissions WHERE id = 'twin'")
        platform.sql(
            "CREATE UNIQUE INDEX permissions_unique_constraint "
            "ON permissions (user_id, entity_type, entity_id)"
        )


def test_the_viewers_workspaces_come_by_name_and_then_by_id(platform: Platform) -> None:
    platform.account(1, "shut", viewer=None)
    names = {"w3": "beta", "w_1": "Alpha", "w-1": "alpha", "w1": "ALPHA", "w9": "Zoo"}
    for workspace_id, name in names.items():
        platform.workspace(workspace_id, name=name)
        platform.grant(VIEWER_ID, workspace_id)
    platform.workspace("old", archived_at=FOUNDED)
    platform.grant(VIEWER_ID, "old")
    platform.grant("stranger", "shut")
    assert [found.id for found in workspaces(platform)] == ["w-1", "w1", "w_1", "w3", "w9"]
    assert [found.name for found in workspaces(platform)][-1] == "Zoo"
    assert workspaces(platform, Viewer("nobody")) == []


def test_a_grant_of_a_workspace_that_is_gone_lists_nothing(platform: Platform) -> None:
    platform.grant(VIEWER_ID, "gone")
    assert workspaces(platform) == []


def test_an_account_covers_every_workspace_of_the_payer_seen_or_not(platform: Platform) -> None:
    platform.account(9, WORKSPACE)
    platform.workspace("unseen")
    platform.workspace("archived", archived_at=FOUNDED)
    platform.account(5, "foreign", payer="other")
    found = account(platform)
    assert set(found.workspace_ids) == {WORKSPACE, "unseen", "archived"}
    assert (found.payer.id, found.terms.limit) == (PAYER, Decimal(9))
    assert account(platform, scope=LimitScope.WORKSPACE).workspace_ids == (WORKSPACE,)
    assert account(platform, scope=LimitScope.WORKSPACE).terms.limit == 9


def test_an_owner_who_is_not_billed_is_not_the_account(platform: Platform) -> None:
    platform.account(9, WORKSPACE)
    platform.account(5, "second", payer="other")
    platform.sql("UPDATE workspace SET owner_id = 'other' WHERE id = 'ws'")
    assert account(platform).payer.id == PAYER
    assert account(platform).workspace_ids == (WORKSPACE,)


def test_a_refusal_leaves_a_line_of_who_wanted_what(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.account(1, viewer=None)
    with caplog.at_level("INFO"):
        not_found(lambda: account(platform))
        not_found(lambda: account(platform, viewer=Viewer(None, workspace_id="other")))
    assert caplog.messages == [
        "refused: 'viewer' may not see workspace 'ws'",
        "refused: the key of workspace 'other' may not see workspace 'ws'",
    ]

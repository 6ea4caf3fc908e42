"""What a signed-in person may see, at both revisions of the platform."""

from collections.abc import Iterator

import pytest

from tests.support.platform import OWNER, PAYER, Platform
from tests.support.signing import (
    ENCRYPTION_KEY,
    SIGNED_WITH,
    Asker,
    House,
    add_session,
    by_cookie,
    own_platform,
)

PEOPLE = ("granted", "stranger", "org-owner", "org-admin", "org-member", "admin-elsewhere")


@pytest.fixture(scope="module")
def later_platform(cluster: str) -> Iterator[Platform]:
    with own_platform(cluster, later=True) as platform:
        yield platform


@pytest.fixture
def later(later_platform: Platform) -> Platform:
    later_platform.clear()
    later_platform.sql("DELETE FROM organization")
    _people(later_platform)
    for organization in ("org", "org-2"):
        later_platform.organization(organization)
    later_platform.member("org-owner", "org", "owner")
    later_platform.member("org-admin", "org", "admin")
    later_platform.member("org-member", "org", "member")
    later_platform.member("admin-elsewhere", "org-2", "admin")
    later_platform.sql("UPDATE workspace SET organization_id = 'org'")
    return later_platform


def _people(platform: Platform) -> None:
    platform.account(100, "ws", viewer="granted")
    for person in PEOPLE:
        platform.ensure_user(person)
    for person in (*PEOPLE, OWNER, PAYER):
        add_session(platform, f"t-{person}", person)


def _who_sees(platform: Platform, workspace_id: str = "ws") -> set[str]:
    """Return who sees a workspace; page, list and list of workspaces have to agree about each."""
    house = House(
        platform.reader, BETTER_AUTH_SECRET=SIGNED_WITH, API_ENCRYPTION_KEY=ENCRYPTION_KEY
    )
    seen = set()
    for person in (*PEOPLE, OWNER, PAYER):
        asker: Asker = by_cookie(f"t-{person}")
        endpoints = (house.page, house.listed)
        found = {endpoint(asker, workspace_id).status_code == 200 for endpoint in endpoints}
        assert found == {workspace_id in house.named(asker)}, person
        if found == {True}:
            seen.add(person)
    return seen


def test_at_first_a_grant_or_owning_it_opens_a_workspace(platform: Platform) -> None:
    _people(platform)
    assert _who_sees(platform) == {"granted", OWNER}
    platform.sql("DELETE FROM permissions")
    assert _who_sees(platform) == {OWNER}


@pytest.mark.parametrize("level", ["read", "write", "admin"])
def test_a_grant_of_any_level_opens_it(platform: Platform, later: Platform, level: str) -> None:
    _people(platform)
    for revision in (platform, later):
        revision.grant("stranger", "ws", level=level)
        assert "stranger" in _who_sees(revision)


def test_later_a_grant_or_administering_its_organization_opens_it(later: Platform) -> None:
    assert _who_sees(later) == {"granted", "org-owner", "org-admin"}


def test_later_owning_it_is_nothing_by_itself(later: Platform) -> None:
    assert OWNER not in _who_sees(later)
    later.grant(OWNER, "ws")
    assert OWNER in _who_sees(later)


def test_a_workspace_without_an_organization_has_grants_only(later: Platform) -> None:
    later.sql("UPDATE workspace SET organization_id = NULL")
    assert _who_sees(later) == {"granted"}


def test_another_organizations_admins_see_their_own_only(later: Platform) -> None:
    later.sql("UPDATE workspace SET organization_id = 'org-2'")
    assert _who_sees(later) == {"granted", "admin-elsewhere"}


@pytest.mark.parametrize("role", ["member", "external", "Admin", "ADMIN", "", "billing", "owner "])
def test_no_other_role_in_the_organization_opens_it(later: Platform, role: str) -> None:
    later.sql("UPDATE member SET role = :role", role=role)
    assert _who_sees(later) == {"granted"}


def test_a_member_with_a_grant_sees_it(later: Platform) -> None:
    later.grant("org-member", "ws")
    assert _who_sees(later) == {"granted", "org-owner", "org-admin", "org-member"}


def test_an_admin_who_leaves_the_organization_sees_it_no_more(later: Platform) -> None:
    assert "org-admin" in _who_sees(later)
    later.sql("DELETE FROM member WHERE user_id = 'org-admin'")
    assert "org-admin" not in _who_sees(later)


def test_an_archived_workspace_is_nobodys_at_either_revision(
    platform: Platform, later: Platform
) -> None:
    _people(platform)
    for revision in (platform, later):
        revision.archive("ws")
        assert _who_sees(revision) == set()

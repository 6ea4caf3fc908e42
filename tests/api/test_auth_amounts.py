"""Who is told what an account spent in workspaces of others: every way in, both generations."""

import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

import pytest

from tests.support.platform import PAYER, Platform, Run, utc
from tests.support.signing import (
    SIGNED_WITH,
    Asker,
    House,
    add_key,
    add_session,
    ban,
    by_cookie,
    by_key,
    own_platform,
)
from web.auth.embed import mint

SIGNED_BY_PORTAL: Final = "portal-secret-of-at-least-32-characters"
SETTINGS: Final = {
    "BETTER_AUTH_SECRET": SIGNED_WITH,
    "USAGE_EMBED_SECRET": SIGNED_BY_PORTAL,
    "USAGE_EMBED_ORIGINS": "https://portal.example",
}
PEOPLE: Final = ("org-owner", "org-admin", "org-member", "guest", "banned-admin", "admin-elsewhere")
# Of the account of the organization, and of the person's.
OF_ORGANIZATION, OF_PERSON = ("ws", "ws-too"), ("own", "own-too")


@pytest.fixture(scope="module", params=[False, True], ids=["first", "second"])
def town(cluster: str, request: pytest.FixtureRequest) -> Iterator[Platform]:
    """Yield a platform of either generation: an organization with two workspaces, a person too."""
    with own_platform(cluster, later=request.param) as platform:
        platform.account(None, *OF_ORGANIZATION, payer="billed", viewer=None)
        platform.account(5, *OF_PERSON, viewer=None)
        for organization in ("acme", "other"):
            platform.organization(organization, 5)
            platform.subscription(organization, "enterprise")
        platform.member("billed", "acme")
        for person, organization, role in (
            ("org-owner", "acme", "owner"),
            ("org-admin", "acme", "admin"),
            ("org-member", "acme", "member"),
            ("banned-admin", "acme", "admin"),
            ("admin-elsewhere", "other", "admin"),
        ):
            platform.member(person, organization, role)
        people = (*PEOPLE, "billed", PAYER)
        for person in people:
            platform.ensure_user(person)
            for workspace in (*OF_ORGANIZATION, *OF_PERSON):
                platform.grant(person, workspace)
            add_session(platform, f"t-{person}", person)
            add_key(platform, f"sim_{person}", person)
        ban(platform, "banned-admin")
        platform.sql("UPDATE \"user\" SET name = 'Dana Weiss' WHERE id = :id", id=PAYER)
        for workspace, maker in (("ws", "org-owner"), ("own", PAYER)):
            add_key(platform, f"sim_of-{workspace}", maker, workspace_id=workspace)
        if request.param:
            platform.sql("UPDATE workspace SET organization_id = 'acme' WHERE id LIKE 'ws%'")
            keys = [*(f"sim_{person}" for person in people), "sim_of-ws", "sim_of-own"]
            for key in keys:
                hashed = sha256(key.encode()).hexdigest()
                platform.sql("UPDATE api_key SET key_hash = :h WHERE key = :key", h=hashed, key=key)
        at = utc("2026-10-05 12:00")
        for workspace in (*OF_ORGANIZATION, *OF_PERSON):
            cost = 4 if workspace.endswith("too") else 3
            platform.runs([Run(f"in-{workspace}", at, f'{{"total": {cost}}}', workspace=workspace)])
        yield platform


@pytest.fixture(scope="module")
def house(town: Platform) -> House:
    return House(town.reader, **SETTINGS)


@pytest.fixture(scope="module")
def alone(town: Platform) -> House:
    """Return the product whose running total is that of one workspace."""
    return House(town.reader, USAGE_LIMIT_SCOPE="workspace", **SETTINGS)


def by_token(person: str, workspace: str) -> Asker:
    token = mint(SIGNED_BY_PORTAL, person, workspace, 600, time.time())
    return Asker({"Authorization": f"Bearer {token}"})


# Who asks about "ws" and about "own", and whether the amounts of the account are told.
ASKERS: Final[dict[str, tuple[Asker, bool, bool]]] = {
    "owner of the organization": (by_cookie("t-org-owner"), True, False),
    "admin of the organization": (by_cookie("t-org-admin"), True, False),
    "member of the organization": (by_cookie("t-org-member"), False, False),
    "a member to whom its workspaces are billed": (by_cookie("t-billed"), False, False),
    "guest of the workspaces": (by_cookie("t-guest"), False, False),
    "admin of another organization": (by_cookie("t-admin-elsewhere"), False, False),
    "the person that pays": (by_cookie(f"t-{PAYER}"), False, True),
    "owner's personal key": (by_key("sim_org-owner"), True, False),
    "the payer's personal key": (by_key(f"sim_{PAYER}"), False, True),
    "guest's personal key": (by_key("sim_guest"), False, False),
}


def told(house: House, asker: Asker, workspace: str) -> Any:
    answer = house.summary(asker, workspace)
    assert answer.status_code == 200, answer.text
    return answer.get_json()["running_total_usd"]


@pytest.mark.parametrize("who", ASKERS)
def test_amounts_are_for_who_pays_and_for_owners_and_admins_of_the_organization_that_pays(
    house: House, alone: House, who: str
) -> None:
    asker, of_organization, of_person = ASKERS[who]
    for workspace, may, payer in (
        ("ws", of_organization, "Acme (organization)"),
        ("own", of_person, "Dana Weiss"),
    ):
        assert told(house, asker, workspace) == ("7" if may else None)
        assert told(alone, asker, workspace) == "3"
        opened = house.opened(asker, workspace, f"in-{workspace}").get_json()
        assert (opened["running_total_before_usd"] is not None) == may
        series = house.api(
            "usage/series",
            asker,
            workspaceId=workspace,
            **{"from": "2026-10-01", "to": "2026-10-31"},
        ).get_json()
        assert (series["running_total"] is not None) == may
        # Everybody is told the limit, when it was crossed, and which organization pays.
        summary = house.summary(asker, workspace).get_json()
        assert (summary["limit_usd"], summary["crossed_at"]) == (
            *("5", "2026-10-05T12:00:00.000000Z"),
        )
        band = house.figures_callback(asker, workspace).get_json()["response"]["usage-limit"]
        named = workspace == "ws" or may
        assert (payer in str(band)) == named
        assert ("The payer" in str(band)) == (not named)
        assert ("$7.00" in str(band)) == may


@pytest.mark.parametrize(("workspace", "person"), [("ws", "org-owner"), ("own", PAYER)])
def test_what_is_bound_to_one_workspace_never_speaks_of_the_others(
    house: House, alone: House, workspace: str, person: str
) -> None:
    # Both were made by somebody who is told.
    for asker in (by_key(f"sim_of-{workspace}"), by_token(person, workspace)):
        assert told(house, asker, workspace) is None
        assert told(alone, asker, workspace) == "3"


def test_whoever_is_banned_is_told_nothing(house: House) -> None:
    for asker in (by_cookie("t-banned-admin"), by_key("sim_banned-admin")):
        assert house.summary(asker, "ws").status_code == 401


@pytest.mark.parametrize(
    ("person", "workspace", "without_keys"),
    [("org-owner", "ws", "ws-too"), (PAYER, "own", "own-too")],
)
def test_a_personal_key_is_told_amounts_where_every_workspace_of_the_account_takes_such_keys(
    town: Platform, house: House, person: str, workspace: str, without_keys: str
) -> None:
    change = "UPDATE workspace SET allow_personal_api_keys = :takes WHERE id = :id"
    town.sql(change, takes=False, id=without_keys)
    try:
        assert told(house, by_key(f"sim_{person}"), workspace) is None
        assert told(house, by_cookie(f"t-{person}"), workspace) == "7"
    finally:
        town.sql(change, takes=True, id=without_keys)
    assert told(house, by_key(f"sim_{person}"), workspace) == "7"

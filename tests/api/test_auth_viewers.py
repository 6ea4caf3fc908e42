"""Who comes with what, to which workspace, through which endpoint: every cell of that table."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from werkzeug.test import TestResponse

from tests.support.platform import OWNER, PAYER, Platform, Run, utc
from tests.support.signing import (
    A_DAY_AGO,
    ENCRYPTION_KEY,
    IN_A_DAY,
    NOBODY,
    SECURE_NAME,
    SIGNED_WITH,
    Asker,
    House,
    add_key,
    add_session,
    ban,
    by_cookie,
    by_key,
    encrypted,
    own_platform,
)

PROXY: Final = {"USAGE_PROXY_HEADER": "X-Usage-User", "USAGE_PROXY_CIDRS": "10.1.0.0/16"}

# Workspaces: the viewer has a grant for all of them but "other".
WORKSPACES: Final = ("open", "keyless", "other", "archived", "nowhere")

# Who comes, and what of WORKSPACES is there for them; None: they are nobody.
VIEWERS: Final[dict[str, tuple[Asker, set[str] | None]]] = {
    "nobody": (NOBODY, None),
    "the viewer's session": (by_cookie("t-viewer"), {"open", "keyless"}),
    "the viewer's session over https": (by_cookie("t-viewer", SECURE_NAME), {"open", "keyless"}),
    "the viewer's session, expired": (by_cookie("t-expired"), None),
    "the owner's session": (by_cookie("t-owner"), {"open", "keyless", "other"}),
    "the payer's session, without a grant": (by_cookie("t-payer"), set()),
    "a stranger's session": (by_cookie("t-stranger"), set()),
    "a banned person's session": (by_cookie("t-banned"), None),
    "the session of one who is banned for now": (by_cookie("t-banned-for-now"), None),
    "the session of one who was banned once": (by_cookie("t-banned-once"), {"open", "keyless"}),
    "the viewer's key": (by_key("sim_viewer"), {"open"}),
    "the viewer's encrypted key": (by_key("sk-sim-viewer"), {"open"}),
    "the viewer's key, expired": (by_key("sim_expired"), None),
    "the viewer's key, expiring tomorrow": (by_key("sim_tomorrow"), {"open"}),
    "the owner's key": (by_key("sim_owner"), {"open", "other"}),
    "a stranger's key": (by_key("sim_stranger"), set()),
    "a banned person's key": (by_key("sim_banned"), None),
    "the key of one who is banned for now": (by_key("sim_banned-for-now"), None),
    "the key of one who was banned once": (by_key("sim_banned-once"), {"open"}),
    "a key that is none": (by_key("sim_none"), None),
    "the open workspace's key": (by_key("sim_of-open"), {"open"}),
    "the open workspace's key, expired": (by_key("sim_of-open-expired"), None),
    "the open workspace's key, its maker banned": (by_key("sim_of-open-banned"), None),
    "the keyless workspace's own key": (by_key("sim_of-keyless"), {"keyless"}),
    "the other workspace's key": (by_key("sim_of-other"), {"other"}),
    "the archived workspace's key": (by_key("sim_of-archived"), set()),
    "the proxy's word": (Asker({"X-Usage-User": "viewer"}, "10.1.2.3"), {"open", "keyless"}),
    "the proxy's word for a stranger": (Asker({"X-Usage-User": "stranger"}, "10.1.2.3"), set()),
    "the proxy's word for one banned": (Asker({"X-Usage-User": "banned"}, "10.1.2.3"), None),
    "the proxy's word from elsewhere": (Asker({"X-Usage-User": "viewer"}, "10.2.2.3"), None),
}
PEOPLE: Final = ("viewer", "stranger", "banned", "banned-for-now", "banned-once")


def _fill(platform: Platform) -> None:
    platform.account(100, "open", "keyless", "archived", viewer="viewer")
    platform.user("another-payer")
    platform.workspace("other", payer="another-payer")
    platform.archive("archived")
    platform.sql("UPDATE workspace SET allow_personal_api_keys = false WHERE id = 'keyless'")
    for person in PEOPLE:
        platform.ensure_user(person)
        if person.startswith("banned"):
            for workspace_id in ("open", "keyless", "archived"):
                platform.grant(person, workspace_id)
    for person in (*PEOPLE, OWNER, PAYER):
        add_session(platform, f"t-{person}", person)
        add_key(platform, f"sim_{person}", person)
    ban(platform, "banned")
    ban(platform, "banned-for-now", IN_A_DAY)
    ban(platform, "banned-once", A_DAY_AGO)
    add_session(platform, "t-expired", "viewer", expires_at=A_DAY_AGO)
    add_key(platform, "sim_expired", "viewer", expires_at=A_DAY_AGO)
    add_key(platform, "sim_tomorrow", "viewer", expires_at=IN_A_DAY)
    add_key(platform, encrypted("sk-sim-viewer"), "viewer")
    for workspace_id in ("open", "keyless", "other", "archived"):
        add_key(platform, f"sim_of-{workspace_id}", OWNER, workspace_id=workspace_id)
        at = utc("2026-10-05 12:00")
        platform.runs([Run(f"in-{workspace_id}", at, workspace=workspace_id)])
    add_key(platform, "sim_of-open-expired", OWNER, workspace_id="open", expires_at=A_DAY_AGO)
    add_key(platform, "sim_of-open-banned", "banned", workspace_id="open")


@pytest.fixture(scope="module")
def town(cluster: str) -> Iterator[Platform]:
    with own_platform(cluster) as platform:
        _fill(platform)
        yield platform


@pytest.fixture(scope="module")
def house(town: Platform) -> House:
    secrets = {"BETTER_AUTH_SECRET": SIGNED_WITH, "API_ENCRYPTION_KEY": ENCRYPTION_KEY}
    return House(town.reader, **secrets, **PROXY)


def _rows(answer: TestResponse) -> list[Any]:
    rows: list[Any] = answer.get_json()["response"]["usage-table"]["data"]
    return rows


def _error(answer: TestResponse) -> dict[str, Any]:
    body = answer.get_json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"type", "code", "message", "param"}
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize("workspace_id", WORKSPACES)
@pytest.mark.parametrize("who", VIEWERS)
def test_every_endpoint_gives_each_viewer_what_is_theirs_and_nothing_else(
    house: House, who: str, workspace_id: str
) -> None:
    asker, theirs = VIEWERS[who]
    status = 401 if theirs is None else 200 if workspace_id in theirs else 404
    answers = {
        "page": house.page(asker, workspace_id),
        "page callback": house.page_callback(asker, workspace_id),
        "export callback": house.export_callback(asker, workspace_id),
        "list": house.listed(asker, workspace_id),
        "summary": house.summary(asker, workspace_id),
        "export": house.export(asker, workspace_id),
    }
    assert {endpoint: answer.status_code for endpoint, answer in answers.items()} == dict.fromkeys(
        answers, status
    )
    # The page is a shell without data, the summary has figures only.
    shows = {
        endpoint
        for endpoint, answer in answers.items()
        if f"execution-in-{workspace_id}" in answer.text
    }
    if status == 200:
        assert shows == {"list", "export", "export callback"}
        assert len(_rows(answers["page callback"])) == 1
        assert answers["summary"].get_json()["executions"] == 1
        return
    assert shows == set()
    assert _rows(answers["page callback"]) == []
    assert "usage-download" not in answers["export callback"].get_json()["response"]
    for endpoint in ("list", "summary", "export"):
        assert answers[endpoint].headers["Cache-Control"] == "private, no-store"
        error = _error(answers[endpoint])
        if status == 401:
            assert error["type"] == "authentication_error"
            assert answers[endpoint].headers["WWW-Authenticate"].startswith("ApiKey ")
        else:
            assert (error["code"], error["param"]) == ("resource_missing", "workspaceId")
            assert "WWW-Authenticate" not in answers[endpoint].headers


@pytest.mark.parametrize("who", VIEWERS)
def test_the_list_of_workspaces_and_the_home_page_name_the_viewers_own_only(
    house: House, who: str
) -> None:
    asker, theirs = VIEWERS[who]
    answer, home = house.api("workspaces", asker), house.get("/", asker)
    if theirs is None:
        assert _error(answer)["type"] == "authentication_error"
        assert "WWW-Authenticate" in answer.headers
        assert (answer.status_code, home.status_code) == (401, 401)
        assert "You are not signed in" in home.text
        assert "/workspace/" not in home.text
        return
    assert {workspace["id"] for workspace in answer.get_json()["data"]} == theirs
    if len(theirs) == 1:
        (only,) = theirs
        assert (home.status_code, home.location) == (302, f"/workspace/{only}/usage")
    else:
        assert home.status_code == 200
        linked = {word for word in WORKSPACES if f'href="/workspace/{word}/usage"' in home.text}
        assert linked == theirs


@pytest.mark.parametrize("who", [who for who, (_, theirs) in VIEWERS.items() if theirs is not None])
def test_what_is_not_theirs_and_what_is_not_there_are_the_same_answer(
    house: House, who: str
) -> None:
    asker, theirs = VIEWERS[who]
    assert theirs is not None
    reference = [
        endpoint(asker, "nowhere").data
        for endpoint in (house.page, house.listed, house.page_callback)
    ]
    for workspace_id in set(WORKSPACES) - theirs:
        found = [
            endpoint(asker, workspace_id).data
            for endpoint in (house.page, house.listed, house.page_callback)
        ]
        assert found == reference


@pytest.mark.parametrize("path", ["usage", "usage/summary", "usage/export"])
def test_a_workspaces_key_needs_no_workspace_in_the_question(house: House, path: str) -> None:
    implied = house.api(path, by_key("sim_of-open"), **{"from": "2026-10-01", "to": "2026-10-31"})
    assert implied.status_code == 200
    named = house.api(
        path,
        by_key("sim_of-open"),
        workspaceId="open",
        **{"from": "2026-10-01", "to": "2026-10-31"},
    )
    if path == "usage/export":
        assert implied.data == named.data
        assert "usage-open-" in implied.headers["Content-Disposition"]
    else:
        differing = {
            name for name, value in implied.get_json().items() if named.get_json()[name] != value
        }
        assert differing <= {"as_of"}


@pytest.mark.parametrize("path", ["usage", "usage/summary", "usage/export"])
@pytest.mark.parametrize("asker", [by_key("sim_viewer"), by_cookie("t-viewer")])
def test_a_person_has_to_name_the_workspace(house: House, path: str, asker: Asker) -> None:
    answer = house.api(path, asker)
    assert answer.status_code == 400
    assert _error(answer)["code"] == "parameter_missing"


def test_an_archived_workspaces_key_opens_nothing_without_a_parameter_either(house: House) -> None:
    for path in ("usage", "usage/summary", "usage/export"):
        assert house.api(path, by_key("sim_of-archived")).status_code == 404


def test_the_page_for_nobody_says_where_to_sign_in(town: Platform) -> None:
    house = House(
        town.reader, BETTER_AUTH_SECRET=SIGNED_WITH, USAGE_APP_URL="https://sim.example.com"
    )
    for path in ("/", "/workspace/open/usage", "/workspace/nowhere/usage"):
        answer = house.get(path, NOBODY)
        assert (answer.status_code, answer.mimetype) == (401, "text/html")
        assert "You are not signed in" in answer.text
        assert 'href="https://sim.example.com"' in answer.text
        assert "open</" not in answer.text


def test_health_and_the_description_of_the_api_ask_for_nobody(house: House) -> None:
    for path in ("/healthz", "/readyz", "/api/openapi.json", "/api/docs"):
        assert house.get(path, NOBODY).status_code == 200


def test_a_wrong_question_of_nobody_is_told_no_more_than_a_right_one(house: House) -> None:
    right = house.listed(NOBODY, "open")
    for params in ({"limit": "x"}, {"workspaceId": "nowhere"}, {"unknown": "1"}):
        answer = house.api("usage", NOBODY, **params)
        assert (answer.status_code, answer.data) == (401, right.data)


def test_a_grant_that_is_revoked_closes_every_endpoint_at_the_next_question(
    platform: Platform,
) -> None:
    platform.account(100, "open", viewer="viewer")
    add_session(platform, "t-viewer", "viewer")
    add_key(platform, "sim_viewer", "viewer")
    house = House(platform.reader, BETTER_AUTH_SECRET=SIGNED_WITH)
    askers = (by_cookie("t-viewer"), by_key("sim_viewer"))
    endpoints = (
        *(house.page, house.page_callback, house.export_callback),
        *(house.listed, house.summary, house.export),
    )
    before = [endpoint(asker, "open").status_code for asker in askers for endpoint in endpoints]
    platform.sql("DELETE FROM permissions")
    after = [endpoint(asker, "open").status_code for asker in askers for endpoint in endpoints]
    assert (set(before), set(after)) == ({200}, {404})
    assert [house.named(asker) for asker in askers] == [[], []]


def test_personal_keys_that_are_switched_off_end_at_the_next_question(platform: Platform) -> None:
    platform.account(100, "open", viewer="viewer")
    add_key(platform, "sim_viewer", "viewer")
    house = House(platform.reader)
    assert house.named(by_key("sim_viewer")) == ["open"]
    platform.sql("UPDATE workspace SET allow_personal_api_keys = false")
    assert house.named(by_key("sim_viewer")) == []


def _amount(house: House, asker: Asker) -> Any:
    answer = house.summary(asker, "paid")
    assert answer.status_code == 200, answer.text
    return answer.get_json()["running_total_usd"]


AMOUNTS: Final = [
    # who, with scope account, with scope workspace
    (by_cookie("t-payer"), "7", "3"),
    (by_key("sim_payer"), "7", "3"),
    (Asker({"X-Usage-User": "PAYER@example.com"}, "10.1.0.1"), "7", "3"),
    (by_cookie("t-viewer"), None, "3"),
    (by_key("sim_viewer"), None, "3"),
    (by_cookie("t-owner"), None, "3"),
    (by_key("sim_of-paid"), None, "3"),
]


@pytest.mark.parametrize("scope", ["account", "workspace"])
def test_the_running_total_of_an_account_is_told_to_its_payer_only(
    platform: Platform, scope: str
) -> None:
    platform.account(5, "paid", "paid-too", viewer="viewer")
    platform.grant(PAYER, "paid")
    at = utc("2026-10-05 12:00")
    platform.runs(
        [
            Run("run-here", at, '{"total": 3}', workspace="paid"),
            Run("run-elsewhere", at, '{"total": 4}', workspace="paid-too"),
        ]
    )
    for person in ("viewer", OWNER, PAYER):
        add_session(platform, f"t-{person}", person)
        add_key(platform, f"sim_{person}", person)
    # Made by the payer, and still the workspace's own, which is nobody's.
    add_key(platform, "sim_of-paid", PAYER, workspace_id="paid")
    house = House(platform.reader, BETTER_AUTH_SECRET=SIGNED_WITH, USAGE_LIMIT_SCOPE=scope, **PROXY)
    for asker, of_account, of_workspace in AMOUNTS:
        told = of_account if scope == "account" else of_workspace
        assert _amount(house, asker) == told, asker
        summary = house.summary(asker, "paid").get_json()
        assert summary["limit_usd"] == "5"
        assert (summary["crossed_at"] is None) == (scope == "workspace")
        # What was run in the payer's other workspace is named to nobody who asks about this one.
        for answer in (house.page_callback(asker, "paid"), house.listed(asker, "paid")):
            assert "run-elsewhere" not in json.dumps(answer.get_json())

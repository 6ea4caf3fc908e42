"""The ways to sign in, one beside another: their order, and what a wrong one does to the rest."""

import itertools

import pytest

from data.platform.connection import connect
from tests.support.platform import Platform
from tests.support.signing import (
    PLAIN_NAME,
    SIGNED_WITH,
    Asker,
    House,
    add_key,
    add_session,
    short,
    signed,
)

PROXY = "10.1.2.3"
ELSEWHERE = "203.0.113.9"
GOOD = {
    "key": {"X-API-Key": "sim_key"},
    "cookie": {"Cookie": f"{PLAIN_NAME}={signed('token')}"},
    "proxy": {"X-Usage-User": "by-proxy"},
}
BAD_KEYS = ["", "sim_wrong", "sk-sim-wrong", "x" * 5000]


@pytest.fixture
def house(platform: Platform) -> House:
    for way in GOOD:
        platform.account(100, f"seen-by-{way}", payer=f"payer-{way}", viewer=f"by-{way}")
    add_session(platform, "token", "by-cookie")
    add_key(platform, "sim_key", "by-key")
    return House(
        platform.reader,
        BETTER_AUTH_SECRET=SIGNED_WITH,
        USAGE_PROXY_HEADER="X-Usage-User",
        USAGE_PROXY_CIDRS="10.1.0.0/16",
    )


def _all(*ways: str, address: str = PROXY, **more: str) -> Asker:
    headers: dict[str, str] = {}
    for way in ways:
        headers |= GOOD[way]
    return Asker(headers | {name.replace("_", "-"): value for name, value in more.items()}, address)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_key_comes_before_a_cookie_and_a_cookie_before_the_proxy(
    house: House, number: int
) -> None:
    for ways in itertools.permutations(GOOD, number):
        first = next(way for way in GOOD if way in ways)
        assert house.named(_all(*ways)) == [f"seen-by-{first}"], ways


@pytest.mark.parametrize("key", BAD_KEYS, ids=short)
def test_a_wrong_key_is_refused_whatever_else_is_good(house: House, key: str) -> None:
    for ways in ([], ["cookie"], ["proxy"], ["cookie", "proxy"]):
        assert house.code(_all(*ways, X_API_Key=key)) == "api_key_invalid"


@pytest.mark.parametrize("key", BAD_KEYS, ids=short)
def test_a_wrong_key_is_refused_at_the_endpoints_of_the_page_too(house: House, key: str) -> None:
    asker = _all("cookie", "proxy", X_API_Key=key)
    workspace_id = "seen-by-cookie"
    for endpoint in (house.page, house.page_callback, house.export_callback):
        assert endpoint(asker, workspace_id).status_code == 401
        assert endpoint(_all("cookie"), workspace_id).status_code == 200


def test_a_key_that_ends_does_not_leave_its_bearer_to_the_cookie(
    house: House, platform: Platform
) -> None:
    assert house.named(_all("key", "cookie")) == ["seen-by-key"]
    platform.sql("DELETE FROM api_key")
    assert house.code(_all("key", "cookie")) == "api_key_invalid"


def test_a_name_from_an_unlisted_address_is_refused_and_a_cookie_beside_it_is_not(
    house: House,
) -> None:
    assert house.code(_all("proxy", address=ELSEWHERE)) == "proxy_untrusted"
    assert house.named(_all("cookie", "proxy", address=ELSEWHERE)) == ["seen-by-cookie"]
    assert house.named(_all("key", "proxy", address=ELSEWHERE)) == ["seen-by-key"]


def test_a_cookie_that_no_longer_holds_is_as_good_as_none(house: House, platform: Platform) -> None:
    platform.sql("DELETE FROM session")
    assert house.code(_all("cookie")) == "authentication_required"
    assert house.named(_all("cookie", "proxy")) == ["seen-by-proxy"]
    # It lends nothing to a name that is not believed.
    assert house.code(_all("cookie", "proxy", address=ELSEWHERE)) == "proxy_untrusted"


def test_a_database_that_is_away_is_told_as_such_and_signs_nobody_in_or_out(
    house: House, cluster: str
) -> None:
    engine = connect(cluster.replace("/postgres?", "/not_there?"))
    away = House(
        engine,
        BETTER_AUTH_SECRET=SIGNED_WITH,
        USAGE_PROXY_HEADER="X-Usage-User",
        USAGE_PROXY_CIDRS="10.1.0.0/16",
    )
    try:
        for way in GOOD:
            api = away.api("workspaces", _all(way))
            assert (api.status_code, api.headers["Retry-After"]) == (503, "5")
            assert api.get_json()["error"]["code"] == "database_unavailable"
            assert away.get("/", _all(way)).status_code == 503
            page = away.page(_all(way), "seen-by-cookie")
            assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
            assert "react-entry-point" in page.text
            callback = away.page_callback(_all(way), "seen-by-cookie")
            assert "cannot be reached" in callback.text
        # Whoever shows nothing is nobody, whether or not there is a database.
        assert away.page(Asker({}), "seen-by-cookie").status_code == 401
    finally:
        engine.dispose()
    assert house.may(_all("cookie")) == 200

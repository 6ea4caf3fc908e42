"""A proxy that names the user: believed by the address it comes from, and by nothing else."""

import pytest

from tests.support.platform import Platform
from tests.support.signing import A_DAY_AGO, IN_A_DAY, Asker, House, add_key, ban, short

HEADER = "X-Usage-User"
PROXY = "10.1.2.3"
CIDRS = "10.1.0.0/16, 192.0.2.7,fd00:1::/32 , ::1/128"


@pytest.fixture
def people(platform: Platform) -> Platform:
    platform.account(100, "ws", viewer="Viewer-1")
    platform.account(100, "ws-of-another", payer="payer-too", viewer="another")
    platform.sql("UPDATE \"user\" SET email = 'Ada.Lovelace@Example.com' WHERE id = 'Viewer-1'")
    return platform


@pytest.fixture
def house(people: Platform) -> House:
    return House(people.reader, USAGE_PROXY_HEADER=HEADER, USAGE_PROXY_CIDRS=CIDRS)


def _names(name: str, address: str = PROXY, **more: str) -> Asker:
    return Asker({HEADER: name} | more, address)


@pytest.mark.parametrize(
    "name",
    [
        "Viewer-1",
        "Ada.Lovelace@Example.com",
        "ada.lovelace@example.com",
        "ADA.LOVELACE@EXAMPLE.COM",
    ],
)
def test_a_user_is_named_by_id_or_by_email_in_any_case(house: House, name: str) -> None:
    assert house.named(_names(name)) == ["ws"]
    assert house.named(_names("another@example.com")) == ["ws-of-another"]


def test_the_headers_own_name_is_in_any_case_too(house: House) -> None:
    assert house.named(Asker({"x-usage-user": "Viewer-1"}, PROXY)) == ["ws"]


@pytest.mark.parametrize(
    "name",
    [
        "viewer-1",
        "Viewer",
        "nobody",
        "nobody@example.com",
        "Ada.Lovelace@Example.com.evil.example",
        "Ada.Lovelace",
        "%",
        "Viewer-_",
        "Viewer-1,another",
        "another, Viewer-1",
        "' OR true --",
        "null",
        " ",
        "\xff",
        "x" * 100_000,
    ],
    ids=short,
)
def test_whom_the_platform_does_not_know_is_refused(house: House, name: str) -> None:
    assert house.code(_names(name)) == "user_unknown"


def test_a_banned_user_is_refused_until_the_ban_is_over(house: House, people: Platform) -> None:
    assert house.may(_names("Viewer-1")) == 200
    for until, status in ((None, 401), (IN_A_DAY, 401), (A_DAY_AGO, 200)):
        ban(people, "Viewer-1", until)
        assert house.may(_names("Viewer-1")) == status
        assert house.may(_names("ada.lovelace@example.com")) == status


@pytest.mark.parametrize("banned", [False, True])
def test_two_people_by_one_name_are_nobody(house: House, people: Platform, *, banned: bool) -> None:
    people.user("twin")
    people.sql("UPDATE \"user\" SET email = 'ADA.lovelace@example.com' WHERE id = 'twin'")
    if banned:
        # Nor is the other one the one who was meant.
        ban(people, "twin")
    assert house.code(_names("ada.lovelace@example.com")) == "user_unknown"
    assert house.named(_names("Viewer-1")) == ["ws"]


def test_an_id_that_looks_like_anothers_email_is_nobody(house: House, people: Platform) -> None:
    people.user("another@example.com")
    assert house.code(_names("another@example.com")) == "user_unknown"


@pytest.mark.parametrize(
    "address",
    ["10.1.0.0", "10.1.255.255", "192.0.2.7", "::1", "fd00:1::42", "::ffff:10.1.2.3"],
)
def test_every_listed_address_is_believed(house: House, address: str) -> None:
    assert house.named(_names("Viewer-1", address)) == ["ws"]


@pytest.mark.parametrize(
    "address",
    [
        "10.2.0.1",
        "10.0.255.255",
        "192.0.2.8",
        "127.0.0.1",
        "::2",
        "fd00:2::42",
        "::ffff:10.2.2.3",
        "::10.1.2.3",
        "",
        "unix:",
        "10.1.2.3, 10.2.0.1",
        "010.001.002.003",
    ],
)
def test_from_any_other_address_the_name_is_refused_and_that_is_logged(
    house: House, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert house.code(_names("Viewer-1", address)) == "proxy_untrusted"
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.name for record in warnings] == ["web.auth.proxy"]
    line = warnings[0].getMessage()
    assert line == f"{HEADER} came from {address}, not from USAGE_PROXY_CIDRS"


@pytest.mark.parametrize(
    "forged",
    [
        {"X-Forwarded-For": PROXY},
        {"X-Forwarded-For": f"{PROXY}, {PROXY}"},
        {"Forwarded": f"for={PROXY}"},
        {"Forwarded": f'for="{PROXY}";by={PROXY}'},
        {"X-Real-IP": PROXY, "X-Client-IP": PROXY, "True-Client-IP": PROXY},
        {"Remote-Addr": PROXY, "Via": PROXY},
    ],
    ids=short,
)
def test_what_a_request_says_of_its_own_address_does_not_count(
    house: House, forged: dict[str, str]
) -> None:
    assert house.code(_names("Viewer-1", "203.0.113.9", **forged)) == "proxy_untrusted"


def test_what_the_proxy_says_of_the_browsers_address_does_not_count_either(house: House) -> None:
    asker = _names("Viewer-1", PROXY, **{"X-Forwarded-For": "203.0.113.9"})
    assert house.named(asker) == ["ws"]


@pytest.mark.parametrize("asker", [Asker({}, PROXY), _names("")])
def test_where_the_proxy_names_nobody_nobody_is_signed_in(house: House, asker: Asker) -> None:
    assert house.code(asker) == "authentication_required"


def test_an_empty_name_from_elsewhere_is_no_name(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    assert house.code(_names("", "203.0.113.9")) == "authentication_required"
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_another_header_names_nobody(house: House) -> None:
    for header in ("X-Forwarded-User", "X-Forwarded-Email", "Remote-User", "X-Usage-Users"):
        assert house.code(Asker({header: "Viewer-1"}, PROXY)) == "authentication_required"


def test_without_its_settings_the_header_is_any_other(people: Platform) -> None:
    house = House(people.reader)
    assert house.code(_names("Viewer-1")) == "authentication_required"


def test_a_key_keeps_its_own_rules_behind_the_proxy(house: House, people: Platform) -> None:
    add_key(people, "sim_of-ws", "Viewer-1", workspace_id="ws-of-another")
    asker = _names("Viewer-1", PROXY, **{"X-API-Key": "sim_of-ws"})
    assert house.named(asker) == ["ws-of-another"]

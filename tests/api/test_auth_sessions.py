"""The platform's session cookie: signed, looked up anew, and worth nothing when either fails."""

from base64 import b64encode
from collections.abc import Callable
from urllib.parse import unquote

import pytest

from tests.support.platform import Platform
from tests.support.signing import (
    A_DAY_AGO,
    PLAIN_NAME,
    SECURE_NAME,
    SIGNED_WITH,
    Asker,
    House,
    add_session,
    ban,
    by_cookie,
    short,
    signed,
)

SESSION = "token-2"  # its signature has both a + and a /
SIGNATURE = unquote(signed(SESSION)).rpartition(".")[2]


@pytest.fixture
def house(platform: Platform) -> House:
    platform.account(100, "ws", viewer="viewer")
    platform.account(100, "ws-of-another", payer="payer-too", viewer="another")
    add_session(platform, SESSION, "viewer")
    return House(platform.reader, BETTER_AUTH_SECRET=SIGNED_WITH)


def _cookie(value: str, name: str = PLAIN_NAME) -> Asker:
    return Asker({"Cookie": f"{name}={value}"})


@pytest.mark.parametrize("name", [PLAIN_NAME, SECURE_NAME])
@pytest.mark.parametrize("spell", [str, unquote], ids=["encoded", "as it is"])
def test_a_signed_cookie_of_either_name_is_its_sessions_user(
    house: House, name: str, spell: Callable[[str], str]
) -> None:
    assert house.named(_cookie(spell(signed(SESSION)), name)) == ["ws"]


def test_it_is_found_among_other_cookies(house: House) -> None:
    jar = f"theme=dark; {PLAIN_NAME}={signed(SESSION)}; better-auth.session_data=x.y"
    assert house.named(Asker({"Cookie": jar})) == ["ws"]


@pytest.mark.parametrize(
    "name",
    [
        "better-auth.session_data",
        "better-auth.session-token",
        "Better-Auth.Session_Token",
        "__Host-better-auth.session_token",
        "session_token",
    ],
)
def test_a_cookie_of_another_name_is_none(house: House, name: str) -> None:
    assert house.may(_cookie(signed(SESSION), name)) == 401


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        SESSION,
        f"{SESSION}.",
        f".{SIGNATURE}",
        f"{SESSION}{SIGNATURE}",
        f"{SESSION}.{SIGNATURE[:-1]}",
        f"{SESSION}.{SIGNATURE[:20]}",
        f"{SESSION}.{SIGNATURE}=",
        f"{SESSION}.{SIGNATURE} x",
        f"{SESSION}.{SIGNATURE.swapcase()}",
        f"{SESSION}.{SIGNATURE.replace('+', '-').replace('/', '_')}",
        f"{SESSION}.{SIGNATURE.replace('+', ' ')}",
        f"{SESSION}.{b64encode(b'0' * 32).decode()}",
        f"{SESSION}.{SIGNATURE}.{SIGNATURE}",
        f"token-3.{SIGNATURE}",
        f"{SESSION}%00.{SIGNATURE}",
        f"%20{SESSION}.{SIGNATURE}",
        signed(SESSION, "another secret"),
        signed(SESSION, ""),
        signed(SESSION, SIGNED_WITH.upper()),
        signed(""),
        "тoken.подпись".encode().decode("latin-1"),
        f"{SESSION}.%F0%9F%94%91",
        f"{SESSION}.%FF%FE",
        f"%ED%A0%80.{SIGNATURE}",
        "%",
        "%zz.%",
        '"\\377\\000".x',
        "x" * 100_000,
        f"{'x' * 50_000}.{'y' * 50_000}",
        f"{SESSION}.{SIGNATURE}" + "A" * 100_000,
        "." * 100_000,
    ],
    ids=short,
)
def test_a_cookie_that_the_platform_did_not_sign_is_nobody(house: House, value: str) -> None:
    for name in (PLAIN_NAME, SECURE_NAME):
        assert house.code(_cookie(value, name)) == "authentication_required"


def test_a_signed_token_without_a_session_is_nobody(house: House) -> None:
    assert house.may(by_cookie("token-never-issued")) == 401


def test_each_token_is_its_own_sessions_user(house: House, platform: Platform) -> None:
    add_session(platform, "token-of-another", "another")
    assert house.named(by_cookie("token-of-another")) == ["ws-of-another"]
    assert house.named(by_cookie(SESSION)) == ["ws"]
    # The signature of one session does not carry the token of the other.
    assert house.may(_cookie(f"token-of-another.{SIGNATURE}")) == 401


def test_a_token_with_dots_ends_at_the_last_one(house: House, platform: Platform) -> None:
    add_session(platform, "a.b.c", "another")
    assert house.named(by_cookie("a.b.c")) == ["ws-of-another"]


def test_a_session_that_is_deleted_is_gone_at_the_next_question(
    house: House, platform: Platform
) -> None:
    assert house.may(by_cookie(SESSION)) == 200
    platform.sql("DELETE FROM session")
    assert house.may(by_cookie(SESSION)) == 401


def test_a_session_that_expires_or_whose_user_is_banned_is_gone_at_the_next_question(
    house: House, platform: Platform
) -> None:
    assert house.may(by_cookie(SESSION)) == 200
    platform.sql("UPDATE session SET expires_at = now() AT TIME ZONE 'UTC' - interval '1 second'")
    assert house.may(by_cookie(SESSION)) == 401
    platform.sql("UPDATE session SET expires_at = now() AT TIME ZONE 'UTC' + interval '1 minute'")
    assert house.may(by_cookie(SESSION)) == 200
    ban(platform, "viewer")
    assert house.may(by_cookie(SESSION)) == 401
    ban(platform, "viewer", A_DAY_AGO)
    assert house.may(by_cookie(SESSION)) == 200


def test_of_two_cookies_the_one_that_holds_counts(house: House) -> None:
    for first, second in ((PLAIN_NAME, SECURE_NAME), (SECURE_NAME, PLAIN_NAME)):
        jar = f"{first}=damaged.cookie; {second}={signed(SESSION)}"
        assert house.named(Asker({"Cookie": jar})) == ["ws"]


def test_without_the_secret_no_cookie_signs_anybody_in(platform: Platform, house: House) -> None:
    assert house.may(by_cookie(SESSION)) == 200
    assert House(platform.reader).may(by_cookie(SESSION)) == 401
    rotated = House(platform.reader, BETTER_AUTH_SECRET=SIGNED_WITH + "-2")
    assert rotated.may(by_cookie(SESSION)) == 401


def test_asking_leaves_the_session_as_it_was(house: House, platform: Platform) -> None:
    def written() -> object:
        with platform.reader.connect() as connection:
            return connection.exec_driver_sql("SELECT xmin::text, * FROM session").all()

    before = written()
    assert house.may(by_cookie(SESSION)) == 200
    assert written() == before
